"""Expected half-widths of the intervals of a query's columns, wherever they do not depend on data.

Terms:
    raw noisy number  one released number of a query vector, before the outer SQL computes columns from it
    grain             unit of the integers in which a vector is released, as a fraction of the vector's unit
    sigma             scale of the noise, in grains
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse

from dialect import Question
from dialect.algebra import Expr, Literal
from dialect.catalog import SqlType
from dialect.postprocess import FractionalLinearForm, ResultColumn, column_limits
from engine.mechanism.answer import half_widths, integer_half_widths
from engine.mechanism.intervals import IntervalLevels, normal_quantile
from engine.pricing.clip_bounds.profiles.public_magnitudes import SIZE_SLACK, Magnitude

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
    """Half-width that noise alone causes in each noisy column; None if it depends on the answer.

    Natural limits of a column bound it.
    """
    widths = data_independent_half_widths(question, scales, confidence)
    most = {
        column.name: (high - low) / 2
        for column, (low, high) in zip(question.columns, column_limits(question), strict=True)
        if column.is_noisy
    }
    return {name: None if (width := widths.get(name)) is None else min(width, end) for name, end in most.items()}


def profiled_columns(question: Question, profiled: Sequence[Collection[int]]) -> frozenset[str]:
    """Names of the columns that read a number whose clip bound a profile chooses.

    `profiled` = the indices of these query vectors, by plan. Columns without a known form read them all.
    """
    open_ids = {
        columns.raw_fields[i].id
        for columns in question.releases
        if columns.histogram is None
        for i in profiled[columns.plan_index]
    }
    return frozenset(
        column.name
        for column in question.columns
        if column.is_noisy and any(profiled) and (column.form is None or column.form.raw_ids & open_ids)
    )


def public_half_widths(
    question: Question, magnitudes: Sequence[Sequence[Magnitude]], levels: IntervalLevels
) -> dict[str, tuple[float, float]]:
    """Range of each column's half-width by public orders of magnitude, where they decide one.

    `magnitudes` = of every vector, by plan. Natural limits of a column bound its upper end.
    """
    found = {}
    numbers = {
        raw.id: each
        for columns in question.releases
        if columns.histogram is None
        for raw, each in zip(columns.raw_fields, magnitudes[columns.plan_index], strict=True)
    }
    for i, (column, limits) in enumerate(zip(question.columns, column_limits(question), strict=True)):
        if column.form is None or not column.form.raw_ids <= numbers.keys():
            continue
        ends = [_deviation(column.form, numbers, is_largest=is_largest) for is_largest in (False, True)]
        if None not in ends:
            z = normal_quantile(levels.expected(i) or levels.strict)
            low, high = (min(z * (end or 0.0), (limits[1] - limits[0]) / 2) for end in ends)
            found[column.name] = (max(low, 1.0), max(high, 1.0)) if _is_integer(column) else (low, high)
    return found


def _deviation(form: FractionalLinearForm, numbers: Mapping[str, Magnitude], *, is_largest: bool) -> float | None:
    """Compute the standard deviation of a column; None if coefficients or sizes are not known."""
    parts = [form.numerator] if form.denominator is None else [form.numerator, form.denominator]
    terms = [[(_literal(factor), numbers[raw.id]) for raw, factor in part.terms] for part in parts]
    if any(factor is None for part in terms for factor, _ in part):
        return None
    slack = SIZE_SLACK if form.denominator is None else 1.0  # a ratio's parts have the same rows
    variances = [_variance(part, slack, is_largest=is_largest) for part in terms]
    if form.denominator is None:
        return math.sqrt(variances[0])
    sizes = [_size(part, _literal(each.constant)) for part, each in zip(terms, parts, strict=True)]
    if sizes[0] is None or not sizes[1]:
        return None
    return math.sqrt(variances[0] + (sizes[0] / sizes[1]) ** 2 * variances[1]) / abs(sizes[1])


def _variance(terms: Sequence[tuple[float | None, Magnitude]], slack: float, *, is_largest: bool) -> float:
    """Variance of a linear combination: of independent noise, and of what correction leaves, which adds up.

    `slack` = times the declared size that tables may have.
    """
    if not is_largest:
        left = sum(abs(factor or 0.0) * each.least_residual for factor, each in terms)
        return left**2 + sum(((factor or 0.0) * each.least_deviation) ** 2 for factor, each in terms)
    residual = slack * sum(abs(factor or 0.0) * each.residual for factor, each in terms)
    return residual**2 + sum(((factor or 0.0) * each.most_deviation) ** 2 for factor, each in terms)


def _size(terms: Sequence[tuple[float | None, Magnitude]], constant: float | None) -> float | None:
    """Size of a linear combination; None if that of a number is unknown."""
    if constant is None or any(each.usual is None for _, each in terms):
        return None
    return constant + sum((factor or 0.0) * (each.usual or 0.0) for factor, each in terms)


def _literal(expr: Expr) -> float | None:
    """Value of a numeric constant; None for other expressions."""
    value = expr.value if isinstance(expr, Literal) else None
    return float(value) if isinstance(value, int | float) else None
