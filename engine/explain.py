"""What a question would cost and show, from public facts alone: no data, no charge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from budgets import Loss
from dialect import Question, read
from dialect.expressions import Literal
from dialect.uncertainty import Form, noisy, uncertainty
from engine.answers import half_widths
from engine.pipeline import Asked, Engine
from engine.prepare import Prepared


@dataclass(frozen=True)
class Explained:
    """Everything about a question that is known before it is asked."""

    columns: list[dict[str, Any]]
    confidence: float
    loss: Loss  # what this client would be charged now
    replayed: bool
    keys: list[dict[str, Any]]
    bounds: list[dict[str, Any]]
    expected_error: dict[str, float | None]  # half-width at the confidence, in the column's unit
    thresholds: list[dict[str, Any]]
    sql: str
    prepared: tuple[Prepared, ...]
    dataset: str | None


def explain(engine: Engine, sql: str, asked: Asked) -> Explained:
    """Read, bound and price a question, and stop before the ledger."""
    question = read(sql, engine.catalog)
    prepared = engine.prepare(question, asked)
    confidence = engine.confidence(question, asked)
    loss = engine.ledger.preview(engine.request(sql, prepared, asked)) if prepared else Loss(0, 0)
    return Explained(
        [{"name": shown.name, "type": str(shown.field.type)} for shown in question.columns],
        confidence,
        loss,
        bool(prepared) and loss == Loss(0, 0),
        [fact for p in prepared for fact in _keys(p)],
        [fact for p in prepared for fact in _bounds(p)],
        _expected_error(question, prepared, confidence),
        [
            {
                "threshold": p.cost.threshold_persons,
                "delta": float(p.cost.loss.delta),
                "max_groups_per_person": p.cost.max_groups,
            }
            for p in prepared
            if p.cost.threshold is not None
        ],
        ";\n\n".join(p.sql.text for p in prepared),
        prepared,
        prepared[0].plan.dataset if prepared else None,
    )


def _keys(prepared: Prepared) -> list[dict[str, Any]]:
    kind = "private" if prepared.plan.key_set is None else "public"
    return [{"name": key.text, "kind": kind, "count": prepared.key_count, "why": key.why} for key in prepared.plan.keys]


def _bounds(prepared: Prepared) -> list[dict[str, Any]]:
    rows = zip(prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, strict=True)
    return [
        {
            "vector": vector.text,
            "norm": bound.norm,
            "rule": str(bound.rule),
            "why": bound.why,
            "sensitivity": bound.sensitivity * bound.grain,
            "sigma": cost.sigma * bound.grain,
            "predicted_bias": bound.predicted_bias,
        }
        for vector, bound, cost in rows
    ]


def _expected_error(question: Question, prepared: tuple[Prepared, ...], confidence: float) -> dict[str, float | None]:
    """Give the half-width that noise alone makes, where it does not depend on the data; else None."""
    variances: dict[str, float] = {}
    sigmas: dict[str, float] = {}
    for columns in question.releases:
        p = prepared[columns.plan]
        for raw, bound, cost in zip(columns.raw, p.bounds.vectors, p.cost.vectors, strict=True):
            variances[raw.id] = (cost.sigma * bound.grain) ** 2
            sigmas[raw.id] = cost.sigma
    expected: dict[str, float | None] = {}
    for shown, form in zip(question.columns, uncertainty(question), strict=True):
        sigma = None if form is None else _sigma(form, variances)
        if form is not None:
            expected[shown.name] = float(half_widths(sigma, confidence, sigmas, form.alone)) if sigma else None
    for shown, made in zip(question.columns, noisy(question), strict=True):
        if made:
            expected.setdefault(shown.name)
    return expected


def _sigma(form: Form, variances: dict[str, float]) -> float | None:
    """Give the noise of a column whose coefficients are constants."""
    if form.denominator is not None:
        return None
    total = 0.0
    for raw, coefficient in form.numerator.terms:
        if not isinstance(coefficient, Literal) or not isinstance(coefficient.value, int | float):
            return None
        total += float(coefficient.value) ** 2 * variances[raw.id]
    return math.sqrt(total)
