"""Variances, deviations, covariances, correlations and regressions from noisy centred sums, with intervals.

Post-processing of released numbers: no exact number comes near (`proofs.md#moments`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dialect.algebra import MomentsOf
from dialect.functions import MOMENTS
from engine.mechanism.intervals import Flags, Floats, normal_quantile

STEPS = 6  # gradient steps to the end of an interval; two or three suffice where the function is smooth
_NEARBY = 2.0**-10  # step of finite differences, in standard deviations


@dataclass(frozen=True)
class Found:
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

    def deviation(self, place: int, one: int, other: int) -> Floats:
        """Compute the sum of products about the mean from that about the public centres."""
        about: Floats = self.products[place] - self.sums[one] * self.sums[other] / self.count
        return about


def moments(formula: MomentsOf, noisy: Sequence[Floats], sigmas: Sequence[float], confidence: float) -> Found:
    """Compute a formula from noisy sums, with the ends of its interval.

    Claim: the ends hold the formula of the exact bounded sums with probability near `confidence`; a group whose count,
    or whose spread in a denominator, is not clearly above what the formula needs has none. Symbols: u = the noisy
    numbers, S = diag(sigma^2), z = normal quantile, f = formula. Formula: the least and the largest f(x) over
    (x - u)' S^-1 (x - u) <= z^2. Source: Fieller, J. R. Stat. Soc. B 16 (1954) 175-185, whose interval this is for a
    ratio; profile likelihood for the rest. Raises: ValueError unless 0 < confidence < 1. Proof: proofs.md#moments
    """
    z, kind = normal_quantile(confidence), MOMENTS[formula.function]
    centre = np.stack([np.asarray(noisy[i], dtype=np.float64) for i in formula.vectors])
    scale = np.array([sigmas[i] for i in formula.vectors])[:, None]
    weak = ~(centre[0] - (kind.values - 1) > z * scale[0]) | ~(centre[0] >= kind.values)
    centre[0] = np.where(weak, kind.values, centre[0])

    def at(away: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return _FORMULAS[formula.function](_sums(formula, centre + scale * away), formula)

    nowhere = np.zeros_like(centre)
    if scale.any():
        weak |= _spread_may_vanish(formula, centre, scale, z)
        upper, lower = _largest(at, nowhere, z), -_largest(lambda away: -at(away), nowhere, z)
    else:
        upper = lower = at(nowhere)
    value = at(nowhere)
    return Found(*(np.where(weak | ~np.isfinite(each), np.nan, each) for each in (value, lower, upper)))


def _sums(formula: MomentsOf, numbers: Floats) -> _Sums:
    sums = 1 + len(formula.sums)
    return _Sums(numbers[0], tuple(numbers[1:sums]), tuple(numbers[sums:]))


def _largest(at: Callable[[Floats], Floats], start: Floats, radius: float) -> Floats:
    """Maximize a function within a ball around `start`, climbing from its middle and along each axis."""
    best = at(start)
    axes = [sign * radius * _axis(start, i) for i in range(len(start)) for sign in (1.0, -1.0)]
    along = np.stack([at(axis) for axis in axes])
    first = np.take_along_axis(np.stack(axes), np.nanargmax(_numbers(along), axis=0)[None, None, :], axis=0)[0]
    for place in (start, first):
        here = place
        for _ in range(STEPS):
            best = np.fmax(best, at(here))
            here = _uphill(at, here, radius)
        best = np.fmax(best, at(here))
    largest: Floats = np.fmax(best, along.max(axis=0, initial=-np.inf, where=np.isfinite(along)))
    return largest


def _uphill(at: Callable[[Floats], Floats], here: Floats, radius: float) -> Floats:
    """Step to the point of the sphere where a linear function of the same gradient is largest."""
    nearby = [_NEARBY * _axis(here, i) for i in range(len(here))]
    slope = _numbers(np.stack([at(here + step) - at(here - step) for step in nearby]), 0.0)
    size = np.sqrt((slope**2).sum(axis=0))
    there: Floats = radius * slope / np.where(size > 0, size, 1.0)
    return there


def _axis(like: Floats, place: int) -> Floats:
    unit = np.zeros_like(like)
    unit[place] = 1.0
    return unit


def _numbers(values: Floats, otherwise: float = -np.inf) -> Floats:
    return np.where(np.isfinite(values), values, otherwise)


def _spread_may_vanish(formula: MomentsOf, centre: Floats, scale: Floats, z: float) -> Flags:
    """Mark groups in which a sum of squares in a denominator may be 0 within its noise."""
    divided = [pair for pair in enumerate(MOMENTS[formula.function].products) if pair[0] and pair[1][0] == pair[1][1]]
    weak = np.zeros(centre.shape[1], dtype=bool)
    for place, (one, other) in divided:

        def less(away: Floats, place: int = place, one: int = one, other: int = other) -> Floats:
            return -_sums(formula, centre + scale * away).deviation(place, one, other)

        weak |= ~(-_largest(less, np.zeros_like(centre), z) > 0)
    return weak


_Formula = Callable[[_Sums, MomentsOf], Floats]


def _variance(less: int) -> _Formula:
    return lambda of, _: np.maximum(of.deviation(0, 0, 0) / (of.count - less), 0.0)


def _covariance(less: int) -> _Formula:
    return lambda of, _: of.deviation(0, 0, 1) / (of.count - less)


def _root(formula: _Formula) -> _Formula:
    return lambda of, how: np.sqrt(formula(of, how))


def _correlation(of: _Sums, _: MomentsOf) -> Floats:
    spread = np.sqrt(np.maximum(of.deviation(1, 0, 0), 0.0)) * np.sqrt(np.maximum(of.deviation(2, 1, 1), 0.0))
    correlation: Floats = np.clip(of.deviation(0, 0, 1) / spread, -1.0, 1.0)
    return correlation


def _slope(of: _Sums, _: MomentsOf) -> Floats:
    slope: Floats = of.deviation(0, 0, 1) / of.deviation(1, 1, 1)
    return slope


def _intercept(of: _Sums, how: MomentsOf) -> Floats:
    middles = [centre + total / of.count for centre, total in zip(how.centres, of.sums, strict=True)]
    intercept: Floats = middles[0] - _slope(of, how) * middles[1]
    return intercept


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
