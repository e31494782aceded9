"""Explain a query: its price and expected accuracy, from public facts; no data, no charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from budgets import Loss
from dialect import Question
from dialect.algebra import Note
from dialect.postprocess import mark_shared_noise
from engine.pipeline.advice import NO_ADVICE, Advice, find_advice
from engine.pipeline.engine import Engine
from engine.pipeline.notes import window_notes
from engine.pipeline.outlook import BudgetOutlook
from engine.pricing.compile_release import CompiledRelease, noise_scales
from engine.pricing.expected_error import expected_error, noise_of
from engine.pricing.query_terms import Request
from engine.pricing.target_error import target_notes
from engine.reuse.sources import ReleaseSource, charged_releases, correlated_vectors
from engine.reuse.view_matching import source_notes


@dataclass(frozen=True)
class Explained:
    """Everything about a query that is known before it runs."""

    question: Question
    prepared: tuple[CompiledRelease, ...]
    sources: tuple[ReleaseSource, ...]  # source of each release
    confidence: float
    loss: Loss  # charged to this client if it ran now
    is_free: bool
    expected_error: Mapping[str, float | None]  # half-width at the confidence level, in the column's unit
    sql: str
    advice: Advice = NO_ADVICE  # why intervals are wide, and narrower alternatives
    notes: tuple[Note, ...] = ()  # how the numbers would be computed
    outlook: BudgetOutlook | None = None  # budget outlook; None for a query over public tables only
    excluded_consent: tuple[str, ...] = ()  # consent states whose rows are excluded

    @property
    def reported(self) -> tuple[CompiledRelease, ...]:
        """The compiled releases with the actual bounds and noise of their sources."""
        return tuple(source.reported for source in self.sources)


def explain(engine: Engine, sql: str, request: Request) -> Explained:
    """Bind and price a query, and stop before the ledger. Raises Refusal, LedgerError."""
    question = engine.read(sql, request.client)
    compiled = engine.compile_releases(question, request)
    confidence = engine.confidence(question, request)
    sources = engine.release_sources(question, compiled, request, engine.replay(compiled, request))
    engine.bind(question, compiled, request)
    charged, reported = charged_releases(sources), tuple(source.reported for source in sources)
    loss = engine.ledger.preview(engine.charge_request(sql, charged, request)) if charged else Loss(0, 0)
    noise = noise_of(question, noise_scales(reported))
    return Explained(
        question,
        compiled,
        sources,
        confidence,
        loss,
        bool(compiled) and loss == Loss(0, 0),
        expected_error(mark_shared_noise(question, correlated_vectors(sources)), noise, confidence),
        ";\n\n".join(sql.text for p in charged for sql in p.statements),
        find_advice(engine, sql, question, reported, request),
        question.notes
        + engine.unlisted_value_notes(question, request)
        + window_notes(compiled, is_free=loss == Loss(0, 0))
        + source_notes(sources)
        + target_notes(question, charged, engine.target(question, request), confidence),
        engine.budget_outlook(sql, question, compiled, request, datetime.now(UTC)),
        engine.excluded_consent_notes(compiled),
    )
