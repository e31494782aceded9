"""Confidence intervals of noisy numbers, their sums and their ratios.

Intervals cover noise alone; clipping bias is reported separately. Scales are sigma of the discrete Gaussian, an upper
bound of its standard deviation. Everything here is post-processing: no exact number comes near.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dialect.postprocess import ratio_ends

__all__ = ["half_width", "linear_interval", "normal_quantile", "ratio_interval"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# above this the sum over integers and the continuous quantile give the same half-width
LARGEST_SUMMED_SIGMA = 50.0
_CONSTANTS = (np.zeros(()), np.ones(()), np.full((), 2.0))
_ARITHMETIC: Mapping[str, np.ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "abs": np.absolute,
    "sqrt": np.sqrt,
    "greatest": np.maximum,
}

SIGMAS_SUMMED = 39  # weights further out are below the smallest float


def half_width(sigma: float, level: float) -> float:
    """Find the smallest integer h, in grains, such that noisy +- h covers the exact integer with probability `level`.

    Claim: P[|Z| <= h] >= level for the discrete Gaussian Z of scale `sigma`: summed over the integers up to sigma 50;
    above, by the continuous quantile less half a grain, proven for level >= 0.69 and else right within 1/sigma^2.
    Formula: least integer h with P[|Z| > h] <= 1 - level; above 50: ceil(sigma * z - 1/2).
    Source: midpoint rule as for thresholds; z is the standard normal quantile of (1 + level) / 2.
    Raises: ValueError unless sigma is positive and finite and 0 < level < 1.
    Proof: proofs.md#half_width
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive and finite, not {sigma!r}")
    z = normal_quantile(level)
    if sigma <= LARGEST_SUMMED_SIGMA:
        return _summed_half_width(sigma, level)
    return max(0.0, float(math.ceil(sigma * z - 0.5)))


def linear_interval(
    value: npt.ArrayLike, sigma: npt.ArrayLike, level: float, grain: npt.ArrayLike = 0.0
) -> tuple[Floats, Floats]:
    """Interval of a linear combination of independent Gaussian numbers: value ± z times its deviation.

    Claim: the ends enclose the exact combination with probability `level`, provided its noise is normal.
    Symbols: `value` = the combination, any shape; `sigma` = its noise in the value's unit, scalar or the same shape;
    `grain` = at least the step between the values it can take, needed only where sigma is not much larger. For one
    number alone `half_width` is exact.
    Formula: value -+ (z sigma + grain / 2), sigma = sqrt(sum of weight^2 * sigma_i^2).
    Raises: ValueError unless 0 < level < 1.
    Proof: proofs.md#linear_interval
    """
    centre = np.asarray(value, dtype=np.float64)
    reach = normal_quantile(level) * np.asarray(sigma, dtype=np.float64) + np.asarray(grain, dtype=np.float64) / 2
    return centre - reach, centre + reach


def ratio_interval(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    var_num: npt.ArrayLike,
    var_den: npt.ArrayLike,
    cov: npt.ArrayLike,
    level: float,
    *,
    signed_denominator: bool = False,
) -> tuple[Floats, Floats, Flags]:
    """Compute lower and upper ends and the unstable flags of numerator / denominator, by Fieller.

    Claim: the ends enclose the exact ratio with probability `level`, provided numerator - ratio * denominator is
    normal; where the denominator's own interval touches 0 they are NaN, flagged, and the value must be NULL.
    Symbols: `var_num`, `var_den`, `cov` = variances and covariance of the noise alone, each scalar or one per group.
    `signed_denominator` admits denominators clearly below 0; else (counts) these are unstable too.
    Formula: all r with (num - r den)^2 <= z^2 (var_num - 2 r cov + r^2 var_den).
    Source: Fieller, J. R. Stat. Soc. B 16 (1954) 175-185.
    Raises: ValueError unless 0 < level < 1.
    Proof: proofs.md#ratio_interval
    """
    z = normal_quantile(level)
    num, den, v_num, v_den, v_both = np.broadcast_arrays(
        *(np.asarray(part, dtype=np.float64) for part in (numerator, denominator, var_num, var_den, cov))
    )
    size = np.abs(den) if signed_denominator else den
    unstable = ~(size > z * np.sqrt(v_den))
    safe = np.where(unstable, np.nan, den)
    ends = ratio_ends(_computed, (num, safe), (v_num, v_den), v_both, np.full_like(num, z), _CONSTANTS)
    return *ends, unstable


def _computed(name: str, /, *arguments: Floats) -> Floats:
    """Compute one operation by name; `ratio_ends` writes SQL with another such function."""
    computed: Floats = _ARITHMETIC[name](*arguments)
    return computed


def normal_quantile(level: float) -> float:
    """Two-sided normal quantile z: P[|N(0, 1)| <= z] = level, computed from the tail to keep digits near 1.

    Raises ValueError for a level that is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level!r}")
    return -NormalDist().inv_cdf((1 - level) / 2)


@lru_cache(maxsize=1024)
def _summed_half_width(sigma: float, level: float) -> float:
    """Sum the discrete Gaussian's weights from the far end until more than 1 - level would be left out."""
    whole = np.arange(1, math.ceil(SIGMAS_SUMMED * sigma) + 1, dtype=np.float64)
    weights = np.exp(-(whole**2) / (2 * sigma**2))
    beyond = np.append(np.cumsum(weights[::-1])[::-1], 0.0)  # weight of k > h at position h
    two_tails = 2 * beyond / (1 + 2 * beyond[0])
    return float(np.argmax(two_tails <= 1 - level))
