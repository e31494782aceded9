"""What a question would cost and show, from public facts alone: no data, no charge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from budgets import Loss
from dialect import Question, read
from dialect.catalog import SqlType
from dialect.expressions import Literal
from dialect.rounding import rounding
from dialect.uncertainty import Form, noisy, uncertainty
from engine.answers import half_widths, whole_half_widths
from engine.pipeline import Engine
from engine.prepare import Prepared
from engine.terms import Asked


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
    notes: tuple[str, ...] = ()  # of the question: how its numbers are made


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
        question.notes,
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


@dataclass(frozen=True)
class _Noise:
    """What is known of the raw noisy numbers of a question, by their ids."""

    variances: dict[str, float]  # in squared units
    sigmas: dict[str, float]  # in grains
    parted: frozenset[str]  # those whose grain is not 1


def _expected_error(question: Question, prepared: tuple[Prepared, ...], confidence: float) -> dict[str, float | None]:
    """Give the half-width that noise alone makes, where it does not depend on the data; else None."""
    noise, expected = _noise(question, prepared), {}
    facts = zip(question.columns, uncertainty(question), noisy(question), rounding(question), strict=True)
    for shown, form, made, moved in facts:
        if form is None and not made:
            continue
        width = None if form is None else _half_width(form, noise, confidence)
        if width is not None and shown.field.type is SqlType.BIGINT:
            width = None if moved is None else float(whole_half_widths(width, moved.most(noise.parted)))
        expected[shown.name] = width
    return expected


def _noise(question: Question, prepared: tuple[Prepared, ...]) -> _Noise:
    found = [
        (raw.id, bound.grain, cost.sigma)
        for columns in question.releases
        if columns.histogram is None
        for raw, bound, cost in zip(
            columns.raw, prepared[columns.plan].bounds.vectors, prepared[columns.plan].cost.vectors, strict=True
        )
    ]
    return _Noise(
        {raw: (sigma * grain) ** 2 for raw, grain, sigma in found},
        {raw: sigma for raw, _, sigma in found},
        frozenset(raw for raw, grain, _ in found if grain != 1),
    )


def _half_width(form: Form, noise: _Noise, confidence: float) -> float | None:
    """Give the half-width of a column whose coefficients are constants."""
    if form.denominator is not None:
        return None
    total = 0.0
    for raw, coefficient in form.numerator.terms:
        if not isinstance(coefficient, Literal) or not isinstance(coefficient.value, int | float):
            return None
        total += float(coefficient.value) ** 2 * noise.variances[raw.id]
    return float(half_widths(math.sqrt(total), confidence, noise.sigmas, form.alone)) if total else None
