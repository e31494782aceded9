"""Variances, deviations, covariances, correlations and regressions from noisy centred sums, with intervals.

Post-processing of released numbers: no exact number comes near (`proofs.md#moments`). Inputs are a count, sums of
values minus a public centre, and sums of products of two such differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from types import MappingProxyType

import numpy as np

from dialect.algebra import MomentsOf
from dialect.functions import MOMENTS
from engine.mechanism.intervals import Flags, Floats, normal_quantile

GRADIENT_STEPS = 6  # gradient steps to the end of an interval; two or three suffice where the function is smooth
_DIFFERENCE_STEP = 2.0**-10  # step of finite differences, in standard deviations


@dataclass(frozen=True)
class Estimate:
    """Value and interval ends of a statistic, one per group."""

    value: Floats  # NaN where there is none
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class _Sums:
    """Count, sums and products that a statistic is computed from; arrays of any shape."""

    count: Floats
    sums: Sequence[Floats]
    products: Sequence[Floats]

    def centred_product(self, product_index: int, one: int, other: int) -> Floats:
        """Compute the sum of products about the mean from that about the public centres."""
        return self.products[product_index] - self.sums[one] * self.sums[other] / self.count


@dataclass(frozen=True)
class PerValue:
    """What is added to a sum for each value that is counted, and the standard deviation of its error.

    `above` = that of a further error by which the sum may be larger and not smaller.
    """

    added: float = 0.0
    error: float = 0.0
    above: float = 0.0


NOTHING = PerValue()


def compute_moments(
    formula: MomentsOf, noisy: Sequence[Floats], sigmas: Sequence[float], confidence: float,
    per_value: Mapping[int, PerValue] = MappingProxyType({}),
) -> Estimate:  # fmt: skip
    """Compute a formula from noisy sums, with the ends of its interval.

    Claim: the ends hold the formula of the exact bounded sums with probability near `confidence`; a group whose count,
    or whose spread in a denominator, is not clearly above what the formula needs has none. Symbols: u = the noisy
    numbers, S = diag(sigma^2), z = normal quantile, f = formula, `per_value` = by vector, what clipping took from it;
    its error times the count adds to sigma, one of squares above alone for x above u. Formula: the least and the
    largest f(x) over (x - u)' S^-1 (x - u) <= z^2. Source: Fieller, J. R. Stat. Soc. B 16 (1954) 175-185, whose
    interval this is for a ratio; profile likelihood for the rest. Raises: ValueError unless 0 < confidence < 1. Proof:
    proofs.md#moments
    """
    z, statistic = normal_quantile(confidence), MOMENTS[formula.function]
    centre = np.stack([np.asarray(noisy[i], dtype=np.float64) for i in formula.vectors])
    each_value = [per_value.get(i, NOTHING) for i in formula.vectors]
    added, errors, above = (np.array(numbers)[:, None] for numbers in zip(*map(astuple, each_value), strict=True))
    scale = np.hypot(np.array([sigmas[i] for i in formula.vectors])[:, None], errors * np.maximum(centre[0], 0.0))
    scale_above = np.hypot(scale, above * np.maximum(centre[0], 0.0))
    # number 0 is the count; a sample's variance, say, needs at least two values
    is_unstable = ~(centre[0] - (statistic.min_values - 1) > z * scale[0]) | ~(centre[0] >= statistic.min_values)
    centre[0] = np.where(is_unstable, statistic.min_values, centre[0])

    def sums_at(offset: Floats) -> _Sums:
        """Compute the sums at an offset in standard deviations, with what is added for each value."""
        numbers = centre + np.where(offset > 0, scale_above, scale) * offset
        return _sums(formula, numbers + added * numbers[0])

    def value_at(offset: Floats) -> Floats:
        """Value of the formula, per group, at an offset from the noisy numbers in standard deviations."""
        with np.errstate(all="ignore"):
            return _FORMULAS[formula.function](sums_at(offset), formula)

    origin = np.zeros_like(centre)
    if scale.any():
        is_unstable |= _may_have_zero_denominator(formula, sums_at, origin, z)
        upper, lower = _maximize(value_at, origin, z), -_maximize(lambda away: -value_at(away), origin, z)
    else:
        upper = lower = value_at(origin)
    value = value_at(origin)
    return Estimate(*(np.where(is_unstable | ~np.isfinite(each), np.nan, each) for each in (value, lower, upper)))


def _sums(formula: MomentsOf, numbers: Floats) -> _Sums:
    """Split numbers, by vector in the formula's order, into count, sums and products."""
    sums = 1 + len(formula.sums)
    return _Sums(numbers[0], tuple(numbers[1:sums]), tuple(numbers[sums:]))


def _maximize(function: Callable[[Floats], Floats], start: Floats, radius: float) -> Floats:
    """Maximize a function within a ball around `start`, climbing from its middle and along each axis."""
    best = function(start)
    axes = [sign * radius * _unit_vector(start, i) for i in range(len(start)) for sign in (1.0, -1.0)]
    axis_values = np.stack([function(axis) for axis in axes])
    first = np.take_along_axis(np.stack(axes), np.nanargmax(_finite_or(axis_values), axis=0)[None, None, :], axis=0)[0]
    for start_point in (start, first):
        point = start_point
        for _ in range(GRADIENT_STEPS):
            best = np.fmax(best, function(point))
            point = _gradient_step(function, point, radius)
        best = np.fmax(best, function(point))
    return np.fmax(best, axis_values.max(axis=0, initial=-np.inf, where=np.isfinite(axis_values)))


def _gradient_step(function: Callable[[Floats], Floats], point: Floats, radius: float) -> Floats:
    """Step to the point of the sphere where a linear function of the same gradient is largest."""
    nearby = [_DIFFERENCE_STEP * _unit_vector(point, i) for i in range(len(point))]
    slope = _finite_or(np.stack([function(point + step) - function(point - step) for step in nearby]), 0.0)
    size = np.sqrt((slope**2).sum(axis=0))
    return radius * slope / np.where(size > 0, size, 1.0)


def _unit_vector(like: Floats, index: int) -> Floats:
    """Vectors of length 1 along one axis, in the shape of an array (axes by groups)."""
    unit = np.zeros_like(like)
    unit[index] = 1.0
    return unit


def _finite_or(values: Floats, otherwise: float = -np.inf) -> Floats:
    """Replace numbers that are not finite."""
    return np.where(np.isfinite(values), values, otherwise)


def _may_have_zero_denominator(
    formula: MomentsOf, sums_at: Callable[[Floats], _Sums], origin: Floats, z: float
) -> Flags:
    """Mark groups in which a sum of squares in a denominator may be 0 within its noise.

    Product 0 is the numerator. A product of a column with itself after it is a sum of squares, below which a formula
    divides; of a variance there is none.
    """
    # (index of the product, the two columns multiplied); index 0 is the numerator
    denominators = [
        pair for pair in enumerate(MOMENTS[formula.function].product_pairs) if pair[0] and pair[1][0] == pair[1][1]
    ]
    may_vanish = np.zeros(origin.shape[1], dtype=bool)
    for place, (one, other) in denominators:

        def negative_square(away: Floats, place: int = place, one: int = one, other: int = other) -> Floats:
            """Negative of the sum of squares, to find its minimum by maximizing."""
            return -sums_at(away).centred_product(place, one, other)

        may_vanish |= ~(-_maximize(negative_square, origin, z) > 0)
    return may_vanish


_Formula = Callable[[_Sums, MomentsOf], Floats]


def _variance(degrees_lost: int) -> _Formula:
    """Return the formula of a variance, which noise can't make negative; `degrees_lost` = 1 for a sample's."""
    return lambda of, _: np.maximum(of.centred_product(0, 0, 0) / (of.count - degrees_lost), 0.0)


def _covariance(degrees_lost: int) -> _Formula:
    """Return the formula of a covariance, from product 0 of columns 0 and 1."""
    return lambda of, _: of.centred_product(0, 0, 1) / (of.count - degrees_lost)


def _root(formula: _Formula) -> _Formula:
    """Return the formula of the square root of another one."""
    return lambda of, how: np.sqrt(formula(of, how))


def _correlation(sums: _Sums, _: MomentsOf) -> Floats:
    """Correlation from products (0, 1), (0, 0), (1, 1), in this order; noise may move it beyond 1, so it is clipped."""
    spread = np.sqrt(np.maximum(sums.centred_product(1, 0, 0), 0.0)) * np.sqrt(
        np.maximum(sums.centred_product(2, 1, 1), 0.0)
    )
    return np.clip(sums.centred_product(0, 0, 1) / spread, -1.0, 1.0)


def _slope(sums: _Sums, _: MomentsOf) -> Floats:
    """Compute the slope of column 0 over column 1."""
    return sums.centred_product(0, 0, 1) / sums.centred_product(1, 1, 1)


def _intercept(sums: _Sums, formula: MomentsOf) -> Floats:
    """Compute the intercept: mean of column 0 less slope times mean of column 1, public centres included."""
    middles = [centre + total / sums.count for centre, total in zip(formula.centres, sums.sums, strict=True)]
    return middles[0] - _slope(sums, formula) * middles[1]


_FORMULAS: dict[str, _Formula] = {
    "var_pop": _variance(0),
    "var_samp": _variance(1),
    "stddev_pop": _root(_variance(0)),
    "stddev_samp": _root(_variance(1)),
    "covar_pop": _covariance(0),
    "covar_samp": _covariance(1),
    "corr": _correlation,
    "regr_slope": _slope,
    "regr_intercept": _intercept,
}
