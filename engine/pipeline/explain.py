"""Explain a query: its price and expected accuracy, from public facts; no data, no charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from budgets import Loss
from dialect import Question
from dialect.postprocess import mark_shared_noise
from engine.mechanism.interval_levels import IntervalLevels
from engine.pipeline.advice import Advice, find_advice
from engine.pipeline.compiled_query import SourcedQuery
from engine.pipeline.engine import Engine
from engine.pipeline.outlook import BudgetOutlook
from engine.pricing.compile_release import noise_scales
from engine.pricing.expected_error import NoiseScales, expected_error
from engine.pricing.query_terms import Request
from engine.pricing.simultaneous import planned_levels
from engine.reuse.sources import charged_releases, correlated_vectors, with_measured


@dataclass(frozen=True)
class Explained(SourcedQuery):
    """Everything about a query that is known before it runs."""

    loss: Loss  # charged to this client if it ran now
    expected_error: Mapping[str, float | None]  # half-width at the confidence level, in the column's unit
    sql: str
    advice: Advice  # why intervals are wide, and narrower alternatives
    outlook: BudgetOutlook | None  # budget outlook; None for a query over public tables only

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
        _expected_error(marked, noise_scales(reported), levels),
        ";\n\n".join(sql.text for p in charged for sql in p.statements),
        find_advice(engine, query, reported),
        engine.budget_outlook(query, datetime.now(UTC)),
    )


def _expected_error(question: Question, scales: NoiseScales, levels: IntervalLevels) -> dict[str, float | None]:
    """Half-width of each noisy column at its level; None where width or level depend on the answer."""
    expected = expected_error(question, scales, levels.confidence)
    for i, column in enumerate(question.columns):
        if column.name in expected and levels.is_affected(i):
            level = levels.expected(i)
            expected[column.name] = None if level is None else expected_error(question, scales, level)[column.name]
    return expected
