"""What a question would cost and show, from public facts alone: no data, no charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from budgets import Loss
from dialect import Question
from dialect.shared_noise import sharing_noise
from engine.advice import NO_ADVICE, Advice, advice
from engine.expected import expected_error, noise_of
from engine.finding import notes_of, parts_that_share
from engine.norm_origin import norm_origins
from engine.outlook import Ahead
from engine.pipeline import Engine
from engine.prepare import Prepared, choices_of, scales_of
from engine.spoken import release_spoken, vector_spoken, why_key
from engine.target import aimed_notes
from engine.terms import Asked
from engine.ways import Way, bought_of
from engine.window_notes import window_notes


@dataclass(frozen=True)
class Explained:
    """Everything about a question that is known before it is asked."""

    question: Question
    columns: list[dict[str, Any]]
    confidence: float
    loss: Loss  # what this client would be charged now
    replayed: bool
    keys: list[dict[str, Any]]
    bounds: list[dict[str, Any]]
    expected_error: Mapping[str, float | None]  # half-width at the confidence, in the column's unit
    thresholds: list[dict[str, Any]]
    sql: str
    prepared: tuple[Prepared, ...]
    dataset: str | None
    advice: Advice = NO_ADVICE  # why intervals are wide, and what to ask instead
    notes: tuple[str, ...] = ()  # of the question: how its numbers are made
    ahead: Ahead | None = None  # what is left for questions like it; None where nothing private is asked
    ways: tuple[Way, ...] = ()  # how each release would come about


def explain(engine: Engine, sql: str, asked: Asked) -> Explained:
    """Read, bound and price a question, and stop before the ledger."""
    question = engine.read(sql, asked.client)
    prepared = engine.prepare(question, asked)
    confidence = engine.confidence(question, asked)
    ways = engine.ways(question, prepared, asked, engine.replay(prepared, asked))
    bought, told = bought_of(ways), tuple(way.told for way in ways)
    loss = engine.ledger.preview(engine.request(sql, bought, asked)) if bought else Loss(0, 0)
    noise = noise_of(question, scales_of(told))
    return Explained(
        question,
        [{"name": shown.name, "type": str(shown.field.type)} for shown in question.columns],
        confidence,
        loss,
        bool(prepared) and loss == Loss(0, 0),
        [fact for p in prepared for fact in _keys(p)],
        [fact for p in told for fact in _bounds(p)],
        expected_error(sharing_noise(question, parts_that_share(ways)), noise, confidence),
        [
            {
                "threshold": p.cost.threshold_persons,
                "delta": float(p.cost.loss.delta),
                "max_groups_per_person": p.cost.max_groups,
                "release": release_spoken(p.plan),
            }
            for p in prepared
            if p.cost.threshold is not None
        ],
        ";\n\n".join(sql.text for p in bought for sql in p.written),
        prepared,
        prepared[0].plan.dataset if prepared else None,
        advice(engine, sql, question, told, asked),
        question.notes
        + window_notes(prepared)
        + notes_of(ways)
        + aimed_notes(question, bought, engine.target(question, asked), confidence),
        engine.ahead(sql, question, prepared, asked, datetime.now(UTC)),
        ways,
    )


def _keys(prepared: Prepared) -> list[dict[str, Any]]:
    kind = "private" if prepared.plan.key_set is None else "public"
    release = release_spoken(prepared.plan)
    return [
        {"name": key.text, "kind": kind, "count": prepared.key_count, "why": why_key(key, kind), "release": release}
        for key in prepared.plan.keys
    ]


def _bounds(prepared: Prepared) -> list[dict[str, Any]]:
    parts = (prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, choices_of(prepared))
    rows = zip(*parts, norm_origins(prepared), strict=True)
    return [
        {
            "vector": vector_spoken(vector),
            "norm": bound.norm,
            "rule": str(bound.rule),
            "why": bound.why,
            "norm_from": origin,
            "sensitivity": bound.sensitivity * bound.grain,
            "sigma": cost.deviation(bound),
            "predicted_bias": bound.predicted_bias,
            "kept": bound.kept,
            "bias_within": bound.bias_within,
            "choices": [asdict(each) for each in choices],
            "release": release_spoken(prepared.plan),
        }
        for vector, bound, cost, choices, origin in rows
    ]
