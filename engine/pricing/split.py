"""Split of a release's price among its query vectors, by the columns computed from them.

A column that is one vector (count, sum) weighs as much as another. A mean uses two: its sum gets more than its count,
whose noise moves the mean only by the distance between mean and public centre (`proofs.md#split`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dialect import Question
from dialect.algebra import CountOf, Formula, MeanOf, MomentsOf, SumOf

OFF_CENTRE = 0.5  # assumed distance of a group's mean from the centre, in ratios of the clip bounds of sum and count
FINEST = 64  # parts of the vector with the largest share
LEAST = 4  # parts of a vector that is in no shown number

Parts = tuple[int, ...]  # of a plan's vectors; with private keys partition selection comes last


def split(question: Question) -> tuple[Parts, ...]:
    """Split the price of every release of a query among its vectors.

    Claim: of all splits this one minimizes the sum, over shown numbers, of variance over the least variance that the
    number could have alone. Symbols: number j is moved by sum_i a_ji Z_i, with Z_i the noise of vector i in units of
    its C_i. Formula: shares in proportion to the root of W_i = sum_j a_ji^2 / (sum_i a_ji)^2. Source and proof:
    proofs.md#split. Raises nothing.
    """
    weights = [[0.0] * len(plan.vectors) for plan in question.plans]
    shown = dict.fromkeys((each.plan, output.formula) for each in question.releases for output in each.outputs)
    for plan, formula in shown:  # a number shown twice counts once
        moved = _moved(formula)
        whole = sum(moved.values())
        for vector, by in moved.items():
            weights[plan][vector] += (by / whole) ** 2
    pairs = zip(question.plans, weights, strict=True)
    return tuple(_parts([*own, *([1.0] if made.key_set is None else [])]) for made, own in pairs)


def shares(parts: Parts, pico_rho: int) -> tuple[int, ...]:
    """Split a price in the given proportions, in whole pico-rho, rounded down."""
    return tuple(pico_rho * part // sum(parts) for part in parts)


def evenly(vectors: Sequence[object], choosing: bool) -> Parts:
    """Equal proportions for all query vectors, and for partition selection if keys are private."""
    return (1,) * (len(vectors) + choosing)


def _moved(formula: Formula) -> Mapping[int, float]:
    """Coefficient of each vector's noise (in units of its clip bound C) in a shown number, up to a common factor."""
    if isinstance(formula, CountOf | SumOf):
        return {formula.vector: 1.0}
    if isinstance(formula, MeanOf):
        return {formula.total: 1.0, formula.count: OFF_CENTRE}
    if isinstance(formula, MomentsOf):
        return dict.fromkeys(formula.vectors, OFF_CENTRE) | dict.fromkeys(formula.products, 1.0)
    return {0: 1.0}  # quantiles: their one histogram


def _parts(weights: Sequence[float]) -> Parts:
    most = max(weights) or 1.0
    return tuple(max(LEAST, round(FINEST * math.sqrt(weight / most))) for weight in weights)
