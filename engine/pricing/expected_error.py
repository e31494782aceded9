"""Expected half-widths of the intervals of a query's columns, wherever they do not depend on data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dialect import Question
from dialect.algebra import Expr, Field, Literal, children
from dialect.catalog import SqlType
from dialect.postprocess import ZERO, Form, Linear, Rounding, noisy, rounding, uncertainty
from engine.mechanism.answer import half_widths, whole_half_widths

Scales = tuple[tuple[tuple[float, float], ...], ...]  # for each plan and vector: (grain in units, sigma in grains)


@dataclass(frozen=True)
class Noise:
    """Noise of a query's raw noisy numbers, by field id."""

    variances: dict[str, float]  # in squared units
    sigmas: dict[str, float]  # in grains
    parted: frozenset[str]  # numbers whose grain is not 1


def noise_of(question: Question, scales: Scales) -> Noise:
    """Compute the noise of every raw noisy number of a query from its noise scales."""
    found = [
        (raw.id, grain, sigma)
        for columns in question.releases
        if columns.histogram is None
        for raw, (grain, sigma) in zip(columns.raw, scales[columns.plan], strict=True)
    ]
    return Noise(
        {raw: (sigma * grain) ** 2 for raw, grain, sigma in found},
        {raw: sigma for raw, _, sigma in found},
        frozenset(raw for raw, grain, _ in found if grain != 1),
    )


@dataclass(frozen=True)
class Width:
    """Data-independent half-width of one column: a linear combination of raw noisy numbers."""

    terms: tuple[tuple[Field, float], ...]  # raw noisy numbers with their coefficients
    alone: str | None  # the only raw number that it depends on, if there is one
    rounded: Rounding | None  # of integer columns: largest distance from the noisy number

    def at(self, noise: Noise, confidence: float) -> float:
        """Half-width at the given noise and confidence level."""
        weighed = tuple((raw, Literal(coefficient, SqlType.DOUBLE)) for raw, coefficient in self.terms)
        total = _number(Linear(ZERO, weighed).variance(noise.variances))
        width = float(half_widths(math.sqrt(total), confidence, noise.sigmas, self.alone))
        return width if self.rounded is None else float(whole_half_widths(width, self.rounded.most(noise.parted)))


def _number(expr: Expr) -> float:
    """Evaluate a sum of literals; products have been folded before."""
    return float(expr.value or 0) if isinstance(expr, Literal) else sum(map(_number, children(expr)))


def widths(question: Question) -> dict[str, Width | None]:
    """Data-independent half-width of each noisy column; None if it depends on data or noise is not propagated to it."""
    facts = zip(question.columns, uncertainty(question), noisy(question), rounding(question), strict=True)
    return {
        shown.name: None if form is None else _width(form, shown.field.type is SqlType.BIGINT, moved)
        for shown, form, made, moved in facts
        if form is not None or made
    }


def _width(form: Form, whole: bool, moved: Rounding | None) -> Width | None:
    """Half-width of a linear form; None if it is a ratio, has a non-constant coefficient or a nullable input."""
    if form.denominator is not None or (whole and moved is None):
        return None
    terms: list[tuple[Field, float]] = []
    for raw, coefficient in form.numerator.terms:
        if raw.nullable or not isinstance(coefficient, Literal) or not isinstance(coefficient.value, int | float):
            return None
        terms.append((raw, float(coefficient.value)))
    made = Width(tuple(terms), form.alone, moved if whole else None)
    return made if any(coefficient for _, coefficient in terms) else None


def expected_error(question: Question, noise: Noise, confidence: float) -> Mapping[str, float | None]:
    """Half-width that noise alone causes in each noisy column; None if it depends on the answer."""
    return {name: None if each is None else each.at(noise, confidence) for name, each in widths(question).items()}
