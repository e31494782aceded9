"""Explain a query: its price and expected accuracy, from public facts and what the client holds; no data, no charge.

Where a contribution profile chooses clip bounds, half-widths follow from the stored numbers of a repeat, else from the
profile that the client bought with this question at another price, else from a calibration of just this. Without one,
only a range is known, from public orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from budgets import Loss
from dialect import Question
from dialect.algebra import VectorKind
from dialect.postprocess import mark_shared_noise, selection_by_noise, with_centres
from engine.mechanism.answer import Answer, interval_parts, project_intervals
from engine.mechanism.intervals import IntervalLevels
from engine.mechanism.release import measured_centres
from engine.pipeline.advice import Advice, find_advice
from engine.pipeline.compiled_query import CompiledQuery, SourcedQuery
from engine.pipeline.consistency import make_query_consistent
from engine.pipeline.engine import Engine
from engine.pipeline.outlook import BudgetOutlook
from engine.pricing.clip_bounds.profiles.public_magnitudes import Magnitude
from engine.pricing.compile_release import CompiledRelease, magnitudes, noise_scales
from engine.pricing.expected_error import NoiseScales, expected_error, profiled_columns, public_half_widths
from engine.pricing.query_terms import Request
from engine.pricing.simultaneous import planned_levels
from engine.pricing.target_error import half_width_ranges, median_half_widths
from engine.reuse.sources import ReleaseSource, charged_releases, correlated_vectors, with_measured


class WidthSource(StrEnum):
    """Where the expected half-widths of a question come from."""

    NOISE = "noise"  # the price and the clip bounds alone
    ANSWER = "answer"  # the numbers that the client holds: a repeat shows them again
    PROFILE = "profile"  # the profile that the client bought with this question at another price
    CALIBRATION = "calibration"  # the owner's calibration of these contributions
    MAGNITUDES = "magnitudes"  # public orders of magnitude: a range


@dataclass(frozen=True)
class ExpectedWidths:
    """Expected half-widths of a question's columns, in their units, at their level."""

    half_widths: Mapping[str, float | None]  # total; None where it depends on the answer or only a range is known
    source: WidthSource
    ranges: Mapping[str, tuple[float, float]]  # over the rows of an answer, or from public orders of magnitude
    parts: Mapping[str, Mapping[str, float]]  # of noise alone and of clipping alone, where both are known
    usual_rows: float | None = None  # of a group, by public sizes, where ranges are of such groups


@dataclass(frozen=True)
class Explained(SourcedQuery):
    """Everything about a query that is known before it runs."""

    loss: Loss  # charged to this client if it ran now
    expected: ExpectedWidths
    sql: str
    advice: Advice  # why intervals are wide, and narrower alternatives
    outlook: BudgetOutlook | None  # budget outlook; None for a query over public tables only

    @property
    def expected_error(self) -> Mapping[str, float | None]:
        """Expected half-width of each noisy column; None where it depends on the answer or only a range is known."""
        return self.expected.half_widths

    @property
    def is_free(self) -> bool:
        """Return whether it costs this client nothing, although it needs releases."""
        return bool(self.prepared) and self.loss == Loss(0, 0)


def explain(engine: Engine, sql: str, request: Request) -> Explained:
    """Bind and price a query, and stop before the ledger. Raises Refusal, LedgerError."""
    question = engine.read(sql, request.client)
    query = engine.compile(question, request)
    stored = engine.replay(query.releases, request)
    sources = engine.release_sources(query, stored)
    if stored is not None:
        sources = with_measured(sources, [source.build(stored) for source in sources])
    engine.bind(query)
    charged, reported = charged_releases(sources), tuple(source.reported for source in sources)
    loss = engine.ledger.preview(engine.charge_request(sql, charged, request)) if charged else Loss(0, 0)
    marked = mark_shared_noise(question, correlated_vectors(sources))
    levels = planned_levels(marked, [each.key_count for each in query.releases], query.terms.confidence)
    return Explained(
        query,
        sources,
        engine.notes(query, sources, is_free=loss == Loss(0, 0)),
        engine.excluded_consent_notes(query),
        loss,
        _expected_widths(engine, query, sources, stored, levels),
        ";\n\n".join(sql.text for p in charged for sql in p.statements),
        find_advice(engine, query, reported),
        engine.budget_outlook(query, charged, datetime.now(UTC)),
    )


def _expected_widths(
    engine: Engine,
    query: CompiledQuery,
    sources: tuple[ReleaseSource, ...],
    stored: Mapping[str, bytes] | None,
    levels: IntervalLevels,
) -> ExpectedWidths:
    """Compute expected half-widths by the best source there is; `stored` = the payloads of a repeat."""
    reported, correlated = tuple(source.reported for source in sources), correlated_vectors(sources)
    marked = mark_shared_noise(query.question, correlated)
    widths = _expected_error(marked, noise_scales(reported), levels)
    profiled = profiled_columns(marked, [each.profiled_vectors for each in query.unpriced]) & widths.keys()
    if not profiled:
        return ExpectedWidths(widths, WidthSource.NOISE, {}, {})
    if stored is not None or not charged_releases(sources):
        releases = tuple(source.build(stored or {}) for source in sources)
        if query.question.options.consistent:
            releases = make_query_consistent(sources, releases, engine.catalog)
        question = mark_shared_noise(with_centres(query.question, measured_centres(releases)), correlated)
        answer = engine.finish(question, query.releases, releases, query.terms.confidence)
        return _widths_of(answer, marked, widths, WidthSource.ANSWER)
    predicted = engine.predict_answer(query)
    if predicted is not None:
        return _widths_of(predicted, marked, widths, WidthSource.PROFILE)
    open_columns = profiled_columns(marked, [each.unknown_vectors for each in query.unpriced]) & widths.keys()
    if not open_columns:
        return ExpectedWidths(widths, WidthSource.CALIBRATION, {}, {})
    is_top = selection_by_noise(marked) is not None
    sizes = [magnitudes(each, shows_largest=is_top) for each in query.releases]
    ranges = public_half_widths(marked, sizes, levels)
    half_widths = {name: None if name in open_columns else width for name, width in widths.items()}
    shown = {name: ranges[name] for name in open_columns if name in ranges}
    usual = None if is_top else _usual_rows(query.releases, sizes)
    return ExpectedWidths(half_widths, WidthSource.MAGNITUDES, shown, {}, usual)


def _usual_rows(releases: Sequence[CompiledRelease], sizes: Sequence[Sequence[Magnitude]]) -> float | None:
    """Rows of a usual group by the size class of its table, of the smallest release; None if a condition may cut them.

    Numbers that a condition leaves few of have no least residual.
    """
    counted = (
        each.usual
        for release, magnitudes_ in zip(releases, sizes, strict=True)
        for vector, each in zip(release.plan.vectors, magnitudes_, strict=True)
        if vector.kind is VectorKind.ROWS and each.least_residual > 0
    )
    return min((rows for rows in counted if rows is not None), default=None)


def _widths_of(
    answer: Answer, question: Question, widths: Mapping[str, float | None], source: WidthSource
) -> ExpectedWidths:
    """Median half-widths of an answer, and their range over its rows where rows differ."""
    shown = project_intervals(answer, question)
    known = {name: width for name, width in median_half_widths(shown).items() if width < float("inf")}
    ranges = {name: ends for name, ends in half_width_ranges(shown).items() if name in known and ends[0] < ends[1]}
    return ExpectedWidths({name: known.get(name) for name in widths}, source, ranges, interval_parts(shown))


def _expected_error(question: Question, scales: NoiseScales, levels: IntervalLevels) -> dict[str, float | None]:
    """Half-width by noise of each noisy column at its level; None where width or level depend on the answer."""
    expected = expected_error(question, scales, levels.confidence)
    for i, column in enumerate(question.columns):
        if column.name in expected and levels.is_affected(i):
            level = levels.expected(i)
            expected[column.name] = None if level is None else expected_error(question, scales, level)[column.name]
    return expected
