"""Accuracy advice: why a query's intervals are wide, and up to three rewrites with narrower ones.

Everything here is public: text, catalog with its paid calibration, public key sets, price. No release and no row is
read, so neighbouring datasets get the same advice (`proofs.md#advice`). Every proposed query has been bound and
priced.

Terms:
    width           half-width of an interval, in the column's unit
    present         of the query as it was asked; proposed: of a rewrite
    content         number of rows, or sum, of an average group
    relative error  width over the content of an average group; a coarser group has more content
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import PICO, Loss, sum_losses
from dialect import Refusal
from dialect.algebra import ROW_ADDITIVE_KINDS, VectorKind
from dialect.analysis import filters_time_only, has_stored_rows_only
from dialect.parser.suggestions import ChangeKind, Rewrite, suggest_rewrites
from engine.pipeline.compiled_query import ByIdentity, CompiledQuery
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease, noise_scales, price_release
from engine.pricing.expected_error import expected_error, profiled_columns
from engine.pricing.query_terms import caps

MAX_PROPOSALS = 3  # proposals shown
MAX_WIDTH_RATIO = 0.9  # a proposal must narrow intervals to this share, absolutely or relative to group content
PRICE_FACTOR = 4  # four times the price halves the width
HalfWidths = Mapping[str, float | None]


@dataclass(frozen=True)
class Proposal:
    """One proposed rewrite, with its price and expected errors."""

    change: ChangeKind
    description: str
    sql: str
    loss: Loss  # of all its releases, paid or not
    expected_error: HalfWidths
    groups: int | None  # None: private keys
    relative_error_ratio: float | None  # half-width over group content, as a share of the present one; None: unknown


@dataclass(frozen=True)
class Advice:
    """Why intervals are wide, and which rewrites would narrow them."""

    reasons: tuple[str, ...]
    proposals: tuple[Proposal, ...]


NO_ADVICE = Advice((), ())
MAX_ADVICE_CHARACTERS = (
    6_000  # size of advice in an answer, as JSON: noise decides whether it is shown, so its room is always reserved
)


def find_advice(engine: Engine, query: CompiledQuery, reported: tuple[CompiledRelease, ...]) -> Advice:
    """Explain the width of a query's intervals and propose rewrites; empty if the query has a target error.

    `reported` = its releases with the actual bounds and noise of their sources.

    Claim: a function of the query, the catalog and the requested terms alone. Raises nothing: a proposal that can't be
    bound or priced is dropped. Proof: proofs.md#advice
    """
    if not reported or query.terms.target is not None:
        return NO_ADVICE
    calibration, requested_terms = engine.calibration(query.question), (query.request.rho, query.request.confidence)
    costs = tuple((each.bounds, each.cost) for each in reported)
    key = (ByIdentity(query.question), calibration, requested_terms, costs)
    return engine.plan_cache.get_or_compute(query.request.client, key, lambda: _compute_advice(engine, query, reported))


def _compute_advice(engine: Engine, query: CompiledQuery, reported: tuple[CompiledRelease, ...]) -> Advice:
    """Advice of a query, not cached: reasons for its width, and the best rewrite of each kind.

    A higher price is not proposed beyond what the catalog allows. Rewrites are bound by a copy of the engine with a
    cache of its own, so that they do not displace the client's queries.
    """
    present, uncached_engine = _ExpectedAccuracy.of_query(replace(query, releases=reported)), replace(engine)
    rho = PRICE_FACTOR * sum_losses(each.cost.loss for each in query.releases).rho
    excluded = () if rho <= _max_rho(engine, query.releases) else (ChangeKind.HIGHER_PRICE,)
    rewrites = (
        each for each in suggest_rewrites(query.question.sql, engine.catalog, rho) if each.change not in excluded
    )
    proposals = [found for each in rewrites if (found := _proposal(uncached_engine, each, present, query, rho))]
    return Advice(tuple(_reasons(engine, query, reported, present)), _best_of_each_change(proposals))


def _max_rho(engine: Engine, compiled: tuple[CompiledRelease, ...]) -> Fraction:
    """Largest rho that the catalog allows any query over all privacy windows it is charged to, for any client."""
    plan = compiled[0].plan
    allowed = caps(engine.catalog.datasets_by_name[plan.dataset].budget)
    windows = {window for each in compiled for window in each.plan.charged_windows.windows}
    ceilings = [allowed.ceiling(window).excess_over(allowed.reserve) for window in windows]
    return min(loss.rho for loss in (*ceilings, *([] if allowed.query is None else [allowed.query])))


@dataclass(frozen=True)
class _ExpectedAccuracy:
    """Expected accuracy of a query, from public facts."""

    widths: HalfWidths
    deviations: tuple[float, ...]  # standard deviation of every vector, in its unit
    groups: int | None
    windows: int
    is_additive: bool  # contents of groups add up; people in both groups would count twice

    @staticmethod
    def of_query(query: CompiledQuery) -> _ExpectedAccuracy:
        """Compute the expected accuracy of a query."""
        question, compiled = query.question, query.releases
        counts = [release.group_count(compiled[release.plan_index].key_count) for release in question.releases]
        scales = noise_scales(compiled)
        return _ExpectedAccuracy(
            expected_error(question, scales, query.terms.confidence),
            tuple(grain * sigma for vectors in scales for grain, sigma in vectors),
            None if None in counts else sum(count or 0 for count in counts),
            max(len(each.plan.charged_windows.windows) for each in compiled),
            all(vector.kind in ROW_ADDITIVE_KINDS for each in compiled for vector in each.plan.vectors),
        )


def _compile_rewrite(engine: Engine, rewrite: Rewrite, asked: CompiledQuery, rho: Fraction) -> CompiledQuery:
    """Bind and price a rewrite; the same question at `rho` is bound already. Raises Refusal.

    A rewrite for a higher price states it in its SQL, so the price of the call is dropped.
    """
    if rewrite.is_same_question:
        share = Fraction(int(rho * PICO) // len(asked.unpriced), PICO)
        releases = (price_release(each, engine.backend, share, asked.terms.delta) for each in asked.unpriced)
        return replace(asked, releases=tuple(releases))
    request = replace(asked.request, request_id=None)
    if rewrite.change is ChangeKind.HIGHER_PRICE:
        request = replace(request, rho=None)
    question = engine.read(rewrite.sql, request.client, with_suggestions=False)  # nobody reads why it is refused
    return engine.compile(question, request)


def _proposal(
    engine: Engine, rewrite: Rewrite, present: _ExpectedAccuracy, asked: CompiledQuery, rho: Fraction
) -> Proposal | None:
    """Bind and price a rewrite; None if it is refused, or narrows intervals too little both absolutely and relatively.

    `rho` = the price of a rewrite for a higher price.
    """
    try:
        query = _compile_rewrite(engine, rewrite, asked, rho)
        proposed = _ExpectedAccuracy.of_query(query)
    except Refusal:
        return None
    width_ratio = _width_ratio(present, proposed, rewrite.renamed_columns)
    relative = _relative_error_ratio(rewrite.change, present, proposed, width_ratio)
    # relative = None: unknown, then the width alone counts
    if min(width_ratio, width_ratio if relative is None else relative) > MAX_WIDTH_RATIO:
        return None  # stored releases may make the present numbers narrower than four times the price would
    loss = sum_losses(each.cost.loss for each in query.releases)
    description = (
        rewrite.description
        if proposed.windows <= present.windows
        else f"{rewrite.description}, charged to {proposed.windows} windows"
    )
    profiled = profiled_columns(query.question, [each.unknown_vectors for each in query.unpriced])
    widths = {name: None if name in profiled else width for name, width in proposed.widths.items()}
    return Proposal(rewrite.change, description, rewrite.sql, loss, widths, proposed.groups, relative)


def _width_ratio(present: _ExpectedAccuracy, proposed: _ExpectedAccuracy, renamed: Mapping[str, str]) -> float:
    """Ratio of interval widths after and before a rewrite, of the widest column; 1 if widths are not known."""
    pairs = [(present.widths[name], proposed.widths.get(renamed.get(name, name))) for name in present.widths]
    shares = [after / before for before, after in pairs if before and after is not None]
    return max(shares, default=1.0)


def _noise_ratio(present: _ExpectedAccuracy, proposed: _ExpectedAccuracy) -> float:
    """Ratio of noise at another price to the present one, largest over vectors; 1 without noise.

    Stands in for the ratio of widths where widths depend on data, as with ratios.
    """
    return max(
        (after / before for before, after in zip(present.deviations, proposed.deviations, strict=False) if before),
        default=1.0,
    )


def _relative_error_ratio(
    change: ChangeKind, present: _ExpectedAccuracy, proposed: _ExpectedAccuracy, width_ratio: float
) -> float | None:
    """Ratio of relative errors after and before a rewrite: width over the content of an average group.

    With all rows in fewer groups, content grows as the number of groups falls; over more windows it grows with them
    too. A higher price changes no content. None if content is not public: numbers that do not add up, or private keys.
    """
    if change is ChangeKind.HIGHER_PRICE:
        return (
            _noise_ratio(present, proposed) if all(width is None for width in present.widths.values()) else width_ratio
        )
    if not (present.is_additive and proposed.is_additive) or not present.groups or proposed.groups is None:
        return None  # the content of a group is not public, or there is no group
    if change is ChangeKind.LONGER_TIME and proposed.windows:
        return width_ratio * present.windows / proposed.windows * proposed.groups / present.groups
    return width_ratio * proposed.groups / present.groups


def _best_of_each_change(proposals: list[Proposal]) -> tuple[Proposal, ...]:
    """Select the best rewrite of each kind, free ones first, a higher price last."""
    best: dict[ChangeKind, Proposal] = {}
    for each in sorted(
        proposals, key=lambda made: made.relative_error_ratio if made.relative_error_ratio is not None else 1.0
    ):
        best.setdefault(each.change, each)
    order = (
        ChangeKind.COARSER,
        ChangeKind.FEWER_KEYS,
        ChangeKind.COUNT_PERSONS,
        ChangeKind.LONGER_TIME,
        ChangeKind.HIGHER_PRICE,
    )
    chosen = [best[change] for change in order if change in best]
    # always show what a higher price alone would do
    if len(chosen) > MAX_PROPOSALS and ChangeKind.HIGHER_PRICE in best:
        chosen = [*chosen[: MAX_PROPOSALS - 1], best[ChangeKind.HIGHER_PRICE]]
    return tuple(chosen[:MAX_PROPOSALS])


def _reasons(
    engine: Engine, query: CompiledQuery, reported: tuple[CompiledRelease, ...], present: _ExpectedAccuracy
) -> Iterator[str]:
    """Explain where the noise comes from, and how it compares with the data."""
    bins = {
        release.plan_index: release.histogram.bin_count
        for release in query.question.releases
        if release.histogram is not None
    }
    for place, (wanted, each) in enumerate(zip(query.releases, reported, strict=True)):
        # the vector whose clip bound is largest, in largest magnitudes of its values: it gets the most noise
        widest = max(
            zip(each.plan.vectors, each.bounds.vectors, each.cost.vectors, strict=True),
            # a part is a triple: vector, bound, cost
            key=lambda part: part[1].clip_bound / max(part[0].magnitude, 1e-300),
        )
        vector, bound, cost = widest
        sigma = cost.sigma * bound.grain_size
        shared = len(each.plan.vectors)
        rho = f"rho {float(each.cost.loss.rho):g}"
        price = rho if shared == 1 else f"{rho}, shared by {shared} numbers"
        noise_text = f"at {price}, that takes noise of {_format_number(sigma)}"
        index = each.plan.vectors.index(vector)
        if each.profile is not None and bound.clip_bound == wanted.bounds.vectors[index].clip_bound:
            yield f"{vector.display_name}: how much one person may count for is measured, with a part of the price."
            continue
        bought = wanted.cost.vectors[index].deviation(wanted.bounds.vectors[index])
        if sigma < 0.99 * bought:  # stored releases are precise enough; 0.99: equal but for rounding
            noise_text = f"made of what is held, its noise is {_format_number(sigma)}"
        yield (f"{vector.display_name}: one person may count for {_format_number(bound.clip_bound)}; {noise_text}.")
        yield from _compare_with_rows(engine, each, sigma, bins.get(place, 1))
    if present.windows > 1:
        yield f"{present.windows} windows are charged, each in full."


def _compare_with_rows(engine: Engine, compiled: CompiledRelease, sigma: float, bins: int) -> Iterator[str]:
    """Compare the noise with the declared number of rows of an average group."""
    sizes = [
        table.size_class
        for name in compiled.plan.tables
        if (table := engine.catalog.tables_by_name.get(name)) is not None
    ]
    rows = max((float(size) for size in sizes if size), default=None)
    counted = any(vector.kind is VectorKind.ROWS for vector in compiled.plan.vectors)
    is_comparable = counted and has_stored_rows_only(compiled.plan.source) and filters_time_only(compiled.plan.source)
    if rows is None or not compiled.key_count or not is_comparable:  # only the rows of a whole table are declared
        return
    charged_windows = compiled.plan.charged_windows.windows
    declared = engine.catalog.datasets_by_name[compiled.plan.dataset].window_names
    window_count = len({*charged_windows} & {*declared}) or len(declared)  # all rows of a table without time count
    rows *= window_count / len(declared)
    average = rows / compiled.key_count
    among = "" if window_count == len(declared) else f" in {window_count} of {len(declared)} windows"
    count = compiled.key_count // bins
    of_bins, one = ("", "") if bins == 1 else (f" of {bins:,} bins", " bin")
    of_groups = f"{count:,} group{'' if count == 1 else 's'}{of_bins}"
    groups = (
        ""
        if compiled.key_count == 1
        else f"{',' if among else ''} in {of_groups}, {_format_number(average)} in each{one}"
    )
    times = sigma / average
    share = f"{times:.0%} of that" if times < 2 else f"{_format_number(times)} times that"
    yield f"There are about {_format_number(rows)} rows{among}{groups}: the noise is {share}."


def _format_number(number: float) -> str:
    """Format a number without an exponent: with three digits where it has decimals, and from a million on."""
    if number >= 1_000_000:
        number = float(f"{number:.3g}")
    return f"{number:,.0f}" if number >= 1000 or number == round(number) else f"{number:.3g}"
