"""Budget allocation: the split of a release's price among its query vectors, by the columns computed from them.

A column that is one vector (count, sum) weighs as much as another. A mean uses two: its sum gets more than its count,
whose noise moves the mean only by the distance between mean and public centre (`proofs.md#split`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dialect import Question
from dialect.algebra import CountOf, Formula, MeanOf, MomentsOf, SumOf

ASSUMED_MEAN_OFFSET = (
    0.5  # assumed distance of a group's mean from the centre, in ratios of the clip bounds of sum and count
)
MAX_PARTS = 64  # parts of the vector with the largest share
MIN_PARTS = 4  # parts of a vector that is in no shown number

PriceParts = tuple[int, ...]  # of a plan's vectors; with private keys partition selection comes last


def split_prices(question: Question) -> tuple[PriceParts, ...]:
    """Split the price of every release of a query among its vectors.

    Claim: of all splits this one minimizes the sum, over shown numbers, of variance over the least variance that the
    number could have alone. Symbols: number j is moved by sum_i a_ji Z_i, with Z_i the noise of vector i in units of
    its C_i. Formula: shares in proportion to the root of W_i = sum_j a_ji^2 / (sum_i a_ji)^2. Source and proof:
    proofs.md#split. Raises nothing.
    """
    weights = [[0.0] * len(plan.vectors) for plan in question.plans]
    shown = dict.fromkeys((each.plan_index, output.formula) for each in question.releases for output in each.outputs)
    for plan, formula in shown:  # a number shown twice counts once
        coefficients = _noise_coefficients(formula)
        total = sum(coefficients.values())
        for vector, coefficient in coefficients.items():
            weights[plan][vector] += (coefficient / total) ** 2
    pairs = zip(question.plans, weights, strict=True)
    # with private keys partition selection weighs as much as one shown number
    return tuple(_price_parts([*own, *([1.0] if each_plan.key_set is None else [])]) for each_plan, own in pairs)


def split_price(parts: PriceParts, pico_rho: int) -> tuple[int, ...]:
    """Split a price in the given proportions, in whole pico-rho, rounded down."""
    return tuple(pico_rho * part // sum(parts) for part in parts)


def equal_parts(vectors: Sequence[object], has_selection: bool) -> PriceParts:
    """Equal proportions for all query vectors, and for partition selection if keys are private."""
    return (1,) * (len(vectors) + has_selection)


def _noise_coefficients(formula: Formula) -> Mapping[int, float]:
    """Coefficient of each vector's noise (in units of its clip bound C) in a shown number, up to a common factor."""
    if isinstance(formula, CountOf | SumOf):
        return {formula.vector: 1.0}
    if isinstance(formula, MeanOf):
        return {formula.centred_sum: 1.0, formula.count: ASSUMED_MEAN_OFFSET}
    if isinstance(formula, MomentsOf):
        return dict.fromkeys(formula.vectors, ASSUMED_MEAN_OFFSET) | dict.fromkeys(formula.products, 1.0)
    return {0: 1.0}  # quantiles: their one histogram


def _price_parts(weights: Sequence[float]) -> PriceParts:
    """Whole proportions of a price from weights, in proportion to their roots; a vector of weight 0 gets MIN_PARTS.

    It is in no shown number, yet is released with the others and needs some of the price.
    """
    largest = max(weights) or 1.0
    return tuple(max(MIN_PARTS, round(MAX_PARTS * math.sqrt(weight / largest))) for weight in weights)
