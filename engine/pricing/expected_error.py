"""Expected half-widths of the intervals of a query's columns, wherever they do not depend on data.

Terms:
    raw noisy number  one released number of a query vector, before the outer SQL computes columns from it
    grain             unit of the integers in which a vector is released, as a fraction of the vector's unit
    sigma             scale of the noise, in grains
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dialect import Question
from dialect.algebra import Expr, Field, Literal, computed_once
from dialect.catalog import SqlType
from dialect.postprocess import (
    ZERO,
    FractionalLinearForm,
    LinearCombination,
    RoundingDistance,
    column_forms,
    is_noisy_column,
    rounding_by_column,
)
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


@dataclass(frozen=True)
class DataIndependentWidth:
    """Data-independent half-width of one column: a linear combination of raw noisy numbers."""

    terms: tuple[tuple[Field, float], ...]  # raw noisy numbers with their coefficients
    single_number: str | None  # the only raw number that it depends on, if there is one
    rounded: RoundingDistance | None  # of integer columns: largest distance from the noisy number

    def half_width(self, noise: Noise, confidence: float) -> float:
        """Half-width at the given noise and confidence level."""
        terms = tuple((raw, Literal(coefficient, SqlType.DOUBLE)) for raw, coefficient in self.terms)
        total = _sum_literals(LinearCombination(ZERO, terms).variance(noise.variances))
        width = float(half_widths(math.sqrt(total), confidence, noise.sigmas, self.single_number))
        return (
            width if self.rounded is None else float(integer_half_widths(width, self.rounded.bound(noise.fractional)))
        )


def _sum_literals(expr: Expr) -> float:
    """Evaluate a sum of literals; products have been folded before."""
    return float(expr.value or 0) if isinstance(expr, Literal) else sum(map(_sum_literals, expr.children))


@computed_once
def data_independent_widths(question: Question) -> dict[str, DataIndependentWidth | None]:
    """Data-independent half-width of each noisy column; None if it depends on data or noise is not propagated to it."""
    rows = zip(
        question.columns, column_forms(question), is_noisy_column(question), rounding_by_column(question), strict=True
    )
    return {
        column.name: None if form is None else _width_of_form(form, column.field.type is SqlType.BIGINT, rounded)
        for column, form, is_noisy, rounded in rows
        if form is not None or is_noisy
    }


def _width_of_form(
    form: FractionalLinearForm, is_integer: bool, rounded: RoundingDistance | None
) -> DataIndependentWidth | None:
    """Half-width of a linear form; None if it is a ratio, has a non-constant coefficient or a nullable input.

    None also for an integer column of unknown rounding, and where all coefficients are 0: the column is then a
    constant.
    """
    # a ratio's width depends on its denominator; an integer's also on how far it is from the noisy number
    if form.denominator is not None or (is_integer and rounded is None):
        return None
    terms: list[tuple[Field, float]] = []
    for raw, coefficient in form.numerator.terms:
        # a NULL, or a coefficient that differs between rows, makes the width differ between rows
        if raw.nullable or not isinstance(coefficient, Literal) or not isinstance(coefficient.value, int | float):
            return None
        terms.append((raw, float(coefficient.value)))
    width = DataIndependentWidth(tuple(terms), form.single_raw_id, rounded if is_integer else None)
    return width if any(coefficient for _, coefficient in terms) else None


def expected_error(question: Question, noise: Noise, confidence: float) -> Mapping[str, float | None]:
    """Half-width that noise alone causes in each noisy column; None if it depends on the answer."""
    return {
        name: None if each is None else each.half_width(noise, confidence)
        for name, each in data_independent_widths(question).items()
    }
