"""Accuracy advice: why a query's intervals are wide, and up to three rewrites with narrower ones.

Everything here is public: text, catalog with its paid calibration, public key sets, price. No release and no row is
read, so neighbouring datasets get the same advice (`proofs.md#advice`). Every proposed query has been bound and
priced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import PICO, Loss, total
from dialect import Question, Refusal
from dialect.algebra import SUMS_OVER_ROWS, VectorKind
from dialect.analysis import as_many_rows, chosen_by_time
from dialect.parser.suggestions import Change, Rewrite, rewrites
from engine.pipeline.cache import Same
from engine.pipeline.engine import Engine
from engine.pricing.display_names import vector_spoken
from engine.pricing.expected_error import expected_error, noise_of
from engine.pricing.prepare import Prepared, scales_of
from engine.pricing.terms import Asked, caps

MOST = 3  # proposals shown
WORTH = 0.9  # a proposal must narrow intervals to this share, absolutely or relative to group content
FOUR = 4  # four times the price halves the width
Widths = Mapping[str, float | None]


@dataclass(frozen=True)
class Instead:
    """One proposed rewrite, with its price and expected errors."""

    change: Change
    told: str
    sql: str
    loss: Loss  # of all its releases, paid or not
    expected_error: Widths
    groups: int | None  # None: private keys
    relative: float | None  # half-width over group content, as a share of the present one; None: unknown


@dataclass(frozen=True)
class Advice:
    """Why intervals are wide, and which rewrites would narrow them."""

    why: tuple[str, ...]
    instead: tuple[Instead, ...]


NO_ADVICE = Advice((), ())
MOST_CHARACTERS = (
    6_000  # size of advice in an answer, as JSON: noise decides whether it is shown, so its room is always reserved
)


def advice(engine: Engine, sql: str, question: Question, prepared: tuple[Prepared, ...], asked: Asked) -> Advice:
    """Explain the width of a query's intervals and propose rewrites; empty if the query has a target error.

    Claim: a function of the query, the catalog and the requested terms alone. Raises nothing: a proposal that can't be
    bound or priced is dropped. Proof: proofs.md#advice
    """
    if not prepared or engine.target(question, asked) is not None:
        return NO_ADVICE
    known, terms = engine.calibrated(question), (asked.rho, asked.confidence)
    key = (Same(question), known, terms, tuple((each.bounds, each.cost) for each in prepared))
    return engine.remembered.give(asked.client, key, lambda: _advice(engine, sql, question, prepared, asked))


def _advice(engine: Engine, sql: str, question: Question, prepared: tuple[Prepared, ...], asked: Asked) -> Advice:
    now, aside = _Judged.of(engine, question, prepared, asked), replace(engine)  # copy without a cache
    rho = total(each.cost.loss for each in prepared).rho
    left_out = () if FOUR * rho <= _most(engine, prepared) else (Change.MORE,)
    proposals = [each for each in rewrites(sql, engine.catalog, FOUR * rho) if each.change not in left_out]
    found = [made for each in proposals if (made := _instead(aside, each, now, asked))]
    return Advice(tuple(_why(engine, question, prepared, now)), _best(found))


def _most(engine: Engine, prepared: tuple[Prepared, ...]) -> Fraction:
    """Largest rho that the catalog allows any query over all privacy windows it is charged to, for any client."""
    plan = prepared[0].plan
    allowed = caps(engine.catalog.dataset(plan.dataset))
    windows = {window for each in prepared for window in each.plan.touched.windows}
    ceilings = [allowed.everybody(window).beyond(allowed.reserve) for window in windows]
    return min(loss.rho for loss in (*ceilings, *([] if allowed.query is None else [allowed.query])))


@dataclass(frozen=True)
class _Judged:
    """Expected accuracy of a query, from public facts."""

    widths: Widths
    noises: tuple[float, ...]  # standard deviation of every vector, in its unit
    groups: int | None
    windows: int
    adds: bool  # contents of groups add up; people in both groups would count twice

    @staticmethod
    def of(engine: Engine, question: Question, prepared: tuple[Prepared, ...], asked: Asked) -> _Judged:
        """Compute the expected accuracy of a query."""
        confidence = engine.confidence(question, asked)
        counts = [release.groups(prepared[release.plan].key_count) for release in question.releases]
        return _Judged(
            expected_error(question, noise_of(question, scales_of(prepared)), confidence),
            tuple(grain * sigma for scales in scales_of(prepared) for grain, sigma in scales),
            None if None in counts else sum(count or 0 for count in counts),
            max(len(each.plan.touched.windows) for each in prepared),
            all(vector.kind in SUMS_OVER_ROWS for each in prepared for vector in each.plan.vectors),
        )


def _instead(engine: Engine, made: Rewrite, now: _Judged, asked: Asked) -> Instead | None:
    """Bind and price a rewrite; None if it is refused or improves too little."""
    try:
        question = engine.read(made.sql, asked.client)
        terms = replace(asked, request_id=None, rho=None if made.change is Change.MORE else asked.rho)
        prepared = engine.prepare(question, terms)
        then = _Judged.of(engine, question, prepared, terms)
    except Refusal:
        return None
    narrower = _narrower(now, then, made.renamed)
    relative = _relative(made.change, now, then, narrower)
    if min(narrower, narrower if relative is None else relative) > WORTH:
        return None  # stored releases may make the present numbers narrower than four times the price would
    loss = total(each.cost.loss for each in prepared)
    told = made.told if then.windows <= now.windows else f"{made.told}, charged to {then.windows} windows"
    return Instead(made.change, told, made.sql, loss, then.widths, then.groups, relative)


def _narrower(now: _Judged, then: _Judged, renamed: Mapping[str, str]) -> float:
    """Ratio of interval widths after and before a rewrite, of the widest column; 1 if widths are not known."""
    pairs = [(now.widths[name], then.widths.get(renamed.get(name, name))) for name in now.widths]
    shares = [after / before for before, after in pairs if before and after is not None]
    return max(shares, default=1.0)


def _quieter(now: _Judged, then: _Judged) -> float:
    """Ratio of noise at another price to the present one; nearly the ratio of widths for unstable ratios."""
    return max((after / before for before, after in zip(now.noises, then.noises, strict=False) if before), default=1.0)


def _relative(change: Change, now: _Judged, then: _Judged, narrower: float) -> float | None:
    """Ratio of relative errors after and before a rewrite: width over the content of an average group."""
    if change is Change.MORE:
        return _quieter(now, then) if all(width is None for width in now.widths.values()) else narrower
    if not (now.adds and then.adds) or not now.groups or then.groups is None:
        return None  # the content of a group is not public, or there is no group
    if change is Change.LONGER and then.windows:
        return narrower * now.windows / then.windows * then.groups / now.groups
    return narrower * then.groups / now.groups


def _best(found: list[Instead]) -> tuple[Instead, ...]:
    """Select the best rewrite of each kind, free ones first, a higher price last."""
    best: dict[Change, Instead] = {}
    for each in sorted(found, key=lambda made: made.relative if made.relative is not None else 1.0):
        best.setdefault(each.change, each)
    order = (Change.COARSER, Change.FEWER_KEYS, Change.PEOPLE, Change.LONGER, Change.MORE)
    chosen = [best[change] for change in order if change in best]
    if len(chosen) > MOST and Change.MORE in best:  # always show what a higher price alone would do
        chosen = [*chosen[: MOST - 1], best[Change.MORE]]
    return tuple(chosen[:MOST])


def _why(engine: Engine, question: Question, prepared: tuple[Prepared, ...], now: _Judged) -> Iterator[str]:
    """Explain where the noise comes from, and how it compares with the data."""
    bins = {release.plan: release.histogram.bins for release in question.releases if release.histogram is not None}
    for place, each in enumerate(prepared):
        widest = max(
            zip(each.plan.vectors, each.bounds.vectors, each.cost.vectors, strict=True),
            key=lambda part: part[1].norm / max(part[0].magnitude, 1e-300),
        )
        vector, bound, cost = widest
        sigma = cost.sigma * bound.grain
        shared = len(each.plan.vectors)
        rho = f"rho {float(each.cost.loss.rho):g}"
        price = rho if shared == 1 else f"{rho}, shared by {shared} numbers"
        takes = f"at {price}, that takes noise of {_figure(sigma)}"
        if _is_quieter(each, each.plan.vectors.index(vector), sigma):
            takes = f"made of what is held, its noise is {_figure(sigma)}"
        yield f"{vector_spoken(vector)}: one person may count for {_figure(bound.norm)}; {takes}."
        yield from _held(engine, each, sigma, bins.get(place, 1))
    if now.windows > 1:
        yield f"{now.windows} windows are charged, each in full."


def _is_quieter(each: Prepared, place: int, deviation: float) -> bool:
    """Check whether a number has less noise than its price buys, because stored releases are precise enough."""
    rho = each.cost.loss.rho
    bought = each.sized.cost(rho).vectors[place].deviation(each.sized.bounds(math.ceil(rho * PICO)).vectors[place])
    return deviation < 0.99 * bought


def _held(engine: Engine, each: Prepared, sigma: float, bins: int) -> Iterator[str]:
    """Compare the noise with the declared number of rows of an average group."""
    sizes = [table.size_class for name in each.plan.tables if (table := engine.catalog.table(name)) is not None]
    rows = max((float(size) for size in sizes if size), default=None)
    counted = any(vector.kind is VectorKind.ROWS for vector in each.plan.vectors)
    told = counted and as_many_rows(each.plan.source) and chosen_by_time(each.plan.source)
    if rows is None or not each.key_count or not told:  # only the rows of a whole table are declared
        return
    touched, declared = each.plan.touched.windows, engine.catalog.dataset(each.plan.dataset).windows
    part = len({*touched} & {*declared}) or len(declared)  # all rows of a table without time count
    rows *= part / len(declared)
    average = rows / each.key_count
    among = "" if part == len(declared) else f" in {part} of {len(declared)} windows"
    count = each.key_count // bins
    of_bins, one = ("", "") if bins == 1 else (f" of {bins:,} bins", " bin")
    of_groups = f"{count:,} group{'' if count == 1 else 's'}{of_bins}"
    groups = "" if each.key_count == 1 else f"{',' if among else ''} in {of_groups}, {_figure(average)} in each{one}"
    times = sigma / average
    share = f"{times:.0%} of that" if times < 2 else f"{_figure(times)} times that"
    yield f"There are about {_figure(rows)} rows{among}{groups}: the noise is {share}."


def _figure(number: float) -> str:
    """Format a number with three digits, without an exponent: 1,840 and not 1.84e+03."""
    return f"{number:,.0f}" if number >= 1000 or number == round(number) else f"{number:.3g}"
