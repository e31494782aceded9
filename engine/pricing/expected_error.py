"""Expected half-widths of the intervals of a query's columns, wherever they do not depend on data.

Terms:
    raw noisy number  one released number of a query vector, before the outer SQL computes columns from it
    grain             unit of the integers in which a vector is released, as a fraction of the vector's unit
    sigma             scale of the noise, in grains
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import filterfalse

from dialect import Question
from dialect.algebra import Expr, Literal
from dialect.catalog import SqlType
from dialect.postprocess import ResultColumn
from engine.mechanism.answer import half_widths, integer_half_widths

NoiseScales = tuple[tuple[tuple[float, float], ...], ...]  # for each plan and vector: (grain in units, sigma in grains)


@dataclass(frozen=True)
class Noise:
    """Noise of a query's raw noisy numbers, by field id."""

    variances: dict[str, float]  # in squared units
    sigmas: dict[str, float]  # in grains
    fractional: frozenset[str]  # numbers whose grain is not 1


def noise_of(question: Question, scales: NoiseScales) -> Noise:
    """Compute the noise of every raw noisy number of a query from its noise scales."""
    rows = [
        (raw.id, grain, sigma)
        for columns in question.releases
        # quantiles: their numbers come from the bins of a histogram, not from a linear form
        if columns.histogram is None
        for raw, (grain, sigma) in zip(columns.raw_fields, scales[columns.plan_index], strict=True)
    ]
    return Noise(
        {raw: (sigma * grain) ** 2 for raw, grain, sigma in rows},
        {raw: sigma for raw, _, sigma in rows},
        frozenset(raw for raw, grain, _ in rows if grain != 1),
    )


def noisy_columns(question: Question) -> tuple[list[ResultColumn], list[ResultColumn]]:
    """Noisy columns of a query: those whose half-width is data-independent, and all others."""
    noisy = [column for column in question.columns if column.is_noisy]
    return list(filter(_is_data_independent, noisy)), list(filterfalse(_is_data_independent, noisy))


def _is_data_independent(column: ResultColumn) -> bool:
    """Return whether noise alone decides the half-width of a column: a linear combination of raw noisy numbers.

    A ratio's width depends on its denominator, and an integer's on how far it is from the noisy number. A NULL, or a
    coefficient that differs between rows, makes widths differ. Where all coefficients are 0 the column is a constant.
    """
    form = column.form
    if form is None or form.denominator is not None or (_is_integer(column) and column.rounding is None):
        return False
    weights = [
        coefficient.value
        for raw, coefficient in form.numerator.terms
        if not raw.nullable and isinstance(coefficient, Literal) and isinstance(coefficient.value, int | float)
    ]
    return len(weights) == len(form.numerator.terms) and any(weights)


def _is_integer(column: ResultColumn) -> bool:
    """Return whether a column is shown as whole numbers."""
    return column.field.type is SqlType.BIGINT


def data_independent_half_width(column: ResultColumn, noise: Noise, confidence: float) -> float:
    """Half-width of a column whose width is data-independent, at the given noise and confidence level."""
    assert column.form is not None  # noqa: S101  it is data-independent
    variance = _sum_literals(column.form.numerator.variance(noise.variances))
    width = float(half_widths(math.sqrt(variance), confidence, noise.sigmas, column.form.single_raw_id))
    if not _is_integer(column) or column.rounding is None:
        return width
    return float(integer_half_widths(width, column.rounding.bound(noise.fractional)))


def _sum_literals(expr: Expr) -> float:
    """Evaluate a sum of literals; products have been folded before."""
    return float(expr.value or 0) if isinstance(expr, Literal) else sum(map(_sum_literals, expr.children))


def data_independent_half_widths(question: Question, scales: NoiseScales, confidence: float) -> dict[str, float]:
    """Half-width of each column for which it is data-independent, at the given noise scales."""
    noise = noise_of(question, scales)
    return {
        column.name: data_independent_half_width(column, noise, confidence) for column in noisy_columns(question)[0]
    }


def expected_error(question: Question, scales: NoiseScales, confidence: float) -> dict[str, float | None]:
    """Half-width that noise alone causes in each noisy column; None if it depends on the answer."""
    widths = data_independent_half_widths(question, scales, confidence)
    return {column.name: widths.get(column.name) for column in question.columns if column.is_noisy}
