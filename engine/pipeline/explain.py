"""Explain a query: its price and expected accuracy, from public facts; no data, no charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from budgets import Loss
from dialect import Question
from dialect.algebra import Note
from dialect.postprocess import sharing_noise
from engine.pipeline.advice import NO_ADVICE, Advice, advice
from engine.pipeline.engine import Engine
from engine.pipeline.notes import window_notes
from engine.pipeline.outlook import Ahead
from engine.pricing.expected_error import expected_error, noise_of
from engine.pricing.prepare import Prepared, scales_of
from engine.pricing.target_error import aimed_notes
from engine.pricing.terms import Asked
from engine.reuse.sources import Way, bought_of, parts_that_share
from engine.reuse.view_lookup import notes_of


@dataclass(frozen=True)
class Explained:
    """Everything about a query that is known before it runs."""

    question: Question
    prepared: tuple[Prepared, ...]
    ways: tuple[Way, ...]  # source of each release
    confidence: float
    loss: Loss  # charged to this client if it ran now
    replayed: bool
    expected_error: Mapping[str, float | None]  # half-width at the confidence level, in the column's unit
    sql: str
    advice: Advice = NO_ADVICE  # why intervals are wide, and narrower alternatives
    notes: tuple[Note, ...] = ()  # how the numbers would be computed
    ahead: Ahead | None = None  # budget outlook; None for a query over public tables only
    not_counted: tuple[str, ...] = ()  # consent states whose rows are excluded

    @property
    def told(self) -> tuple[Prepared, ...]:
        """The compiled releases with the actual bounds and noise of their sources."""
        return tuple(way.told for way in self.ways)


def explain(engine: Engine, sql: str, asked: Asked) -> Explained:
    """Bind and price a query, and stop before the ledger. Raises Refusal, LedgerError."""
    question = engine.read(sql, asked.client)
    prepared = engine.prepare(question, asked)
    confidence = engine.confidence(question, asked)
    ways = engine.ways(question, prepared, asked, engine.replay(prepared, asked))
    engine.bind(question, prepared, asked)
    bought, told = bought_of(ways), tuple(way.told for way in ways)
    loss = engine.ledger.preview(engine.request(sql, bought, asked)) if bought else Loss(0, 0)
    noise = noise_of(question, scales_of(told))
    return Explained(
        question,
        prepared,
        ways,
        confidence,
        loss,
        bool(prepared) and loss == Loss(0, 0),
        expected_error(sharing_noise(question, parts_that_share(ways)), noise, confidence),
        ";\n\n".join(sql.text for p in bought for sql in p.written),
        advice(engine, sql, question, told, asked),
        question.notes
        + engine.odd_values(question, asked)
        + window_notes(prepared, free=loss == Loss(0, 0))
        + notes_of(ways)
        + aimed_notes(question, bought, engine.target(question, asked), confidence),
        engine.ahead(sql, question, prepared, asked, datetime.now(UTC)),
        engine.not_counted(prepared),
    )
