"""Which sums about public centres make a variance, deviation, covariance, correlation or regression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Expr
from dialect.algebra.intervals import UNKNOWN, known
from dialect.catalog.catalog import Bounds, SqlType
from dialect.functions.inference import range_of

WIDEST_FACTOR = 1.5e12  # of a range: a product of two differences from its middle stays below 1e25, as sums do


@dataclass(frozen=True)
class Moments:
    """One aggregate of this kind."""

    arguments: int
    products: tuple[tuple[int, int], ...]  # which arguments are multiplied
    values: int  # it is NULL of fewer


MOMENTS: Mapping[str, Moments] = {
    "var_pop": Moments(1, ((0, 0),), 1),
    "var_samp": Moments(1, ((0, 0),), 2),
    "stddev_pop": Moments(1, ((0, 0),), 1),
    "stddev_samp": Moments(1, ((0, 0),), 2),
    "covar_pop": Moments(2, ((0, 1),), 1),
    "covar_samp": Moments(2, ((0, 1),), 2),
    "corr": Moments(2, ((0, 1), (0, 0), (1, 1)), 1),
    "regr_slope": Moments(2, ((0, 1), (1, 1)), 1),
    "regr_intercept": Moments(2, ((0, 1), (1, 1)), 1),
}


def can_be_multiplied(ranges: Sequence[Bounds], named: Bounds | None) -> bool:
    """Tell whether the ranges of arguments are known and narrow enough for products."""
    return all(_narrow(each, named) for each in ranges)


def _narrow(bounds: Bounds, named: Bounds | None) -> bool:
    if named is None and not known(bounds):
        return False
    ends = bounds if named is None else named
    return max(abs(ends.lower), abs(ends.upper)) <= WIDEST_FACTOR


def wholly(bounds: Bounds, kind: SqlType) -> Bounds:
    """Give the ends of whole values as whole numbers, outward."""
    if kind is SqlType.DOUBLE:
        return bounds
    return Bounds(float(int(bounds.lower // 1)), float(-int(-bounds.upper // 1)))


def moments_range(name: str, arguments: Sequence[Expr]) -> Bounds:
    """Infer the range of what is computed from one person's values (Popoviciu, Cauchy-Schwarz)."""
    ranges = [range_of(argument) for argument in arguments]
    if name == "corr":
        return Bounds(-1.0, 1.0)
    if name.startswith("regr") or not all(map(known, ranges)):
        return UNKNOWN
    widths = [each.upper - each.lower for each in ranges]
    product = widths[0] * widths[-1] / (2 if name.endswith("samp") else 4)
    if name.startswith("covar"):
        return Bounds(-product, product)
    return Bounds(0.0, math.sqrt(product) if name.startswith("stddev") else product)
