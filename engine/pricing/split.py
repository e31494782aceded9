"""question -> how the price of each release is parted among its vectors: by what is shown of them, and nothing else.

A number that is shown for itself weighs as much as another. A mean rests on two: its sum needs more than its count,
whose noise only moves it as far as the mean lies from the public centre (`proofs.md#split`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dialect import Question
from dialect.algebra import CountOf, Formula, MeanOf, MomentsOf, SumOf

OFF_CENTRE = 0.5  # how far a group's mean lies from the centre, as a share of C of the sum over C of the count
FINEST = 64  # parts of the vector with most
LEAST = 4  # parts of one that is in no shown number

Parts = tuple[int, ...]  # of a plan's vectors, and where keys are private of the choice of keys, which comes last


def split(question: Question) -> tuple[Parts, ...]:
    """Part the price of every release of a question.

    Claim: shown numbers together have the least interval, each measured against the least that it could have alone.
    Symbols: number j is moved by sum_i a_ji Z_i, with Z_i the noise of vector i in units of its C_i. Formula: shares
    in proportion to the root of W_i = sum_j a_ji^2 / (sum_i a_ji)^2. Source and proof: proofs.md#split. Raises nothing.
    """
    weights = [[0.0] * len(plan.vectors) for plan in question.plans]
    shown = dict.fromkeys((each.plan, output.formula) for each in question.releases for output in each.outputs)
    for plan, formula in shown:  # the same number in two places is one
        moved = _moved(formula)
        whole = sum(moved.values())
        for vector, by in moved.items():
            weights[plan][vector] += (by / whole) ** 2
    pairs = zip(question.plans, weights, strict=True)
    return tuple(_parts([*own, *([1.0] if made.key_set is None else [])]) for made, own in pairs)


def shares(parts: Parts, pico_rho: int) -> tuple[int, ...]:
    """Give each vector its part of a price, in whole pico-rho, rounded down."""
    return tuple(pico_rho * part // sum(parts) for part in parts)


def evenly(vectors: Sequence[object], choosing: bool) -> Parts:
    """Part a price evenly among vectors, and the choice of private keys."""
    return (1,) * (len(vectors) + choosing)


def _moved(formula: Formula) -> Mapping[int, float]:
    """Say by how many units of C the noise of each vector moves a shown number, up to a common factor."""
    if isinstance(formula, CountOf | SumOf):
        return {formula.vector: 1.0}
    if isinstance(formula, MeanOf):
        return {formula.total: 1.0, formula.count: OFF_CENTRE}
    if isinstance(formula, MomentsOf):
        return dict.fromkeys(formula.vectors, OFF_CENTRE) | dict.fromkeys(formula.products, 1.0)
    return {0: 1.0}  # quantiles: the one histogram


def _parts(weights: Sequence[float]) -> Parts:
    most = max(weights) or 1.0
    return tuple(max(LEAST, round(FINEST * math.sqrt(weight / most))) for weight in weights)
