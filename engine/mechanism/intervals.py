"""Confidence intervals of noisy numbers, their sums and their ratios.

Intervals cover noise alone; clipping bias is reported separately. Scales are sigma of the discrete Gaussian, an upper
bound of its standard deviation. Everything here is post-processing: no exact number comes near.

Intervals of numbers that were selected because they are large miss more often than others. At a higher level they miss
at most 1 - confidence of what is shown (false coverage rate). Where neither the number of rows is fixed nor the noise
of each row is its own, all intervals that could have been shown hold together.

Terms:
    candidates  rows from which noise selected the rows of the answer
    affected    column with noise that decided which rows are shown
    strict      level at which the intervals of all candidates hold together (Bonferroni)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dialect.postprocess import NoisySelection, ratio_ends

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
    return _ARITHMETIC[name](*arguments)


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


@dataclass(frozen=True)
class IntervalLevels:
    """Level of the intervals of each column."""

    confidence: float  # that of the client
    selection: NoisySelection | None = None
    candidates: int = 1
    number_count: int = 1  # raw noisy numbers of all releases
    is_correlated: bool = False  # numbers of one vector share noise, as consistent ones do

    @property
    def strict(self) -> float:
        """Level at which the intervals of all candidates of one column hold together."""
        return self.confidence if self.selection is None else false_coverage_level(self.confidence, 1, self.candidates)

    @property
    def null_level(self) -> float:
        """Level at which the denominator of a ratio has to be clear of 0, or the ratio is NULL."""
        return self.strict if self.selection is not None and self.selection.nulls_by_noise else self.confidence

    def is_affected(self, column: int) -> bool:
        """Return whether noise in a column decided which rows are shown."""
        return self.selection is not None and (self.is_correlated or column in self.selection.affected_columns)

    def of_column(self, column: int, shown: int, rows: int) -> float:
        """Confidence level of the intervals of a column: `shown` intervals in `rows` rows."""
        if self.selection is None or not self.is_affected(column):
            return self.confidence
        is_simple = self.selection.is_simple(column) and not self.is_correlated
        has_fixed_size = self.selection.has_fixed_size and shown == rows
        if column in self.selection.columns_of_selected_rows or not (is_simple or has_fixed_size):
            return self.strict
        limit = shown if self.selection.max_rank is None else min(shown, self.selection.max_rank)
        return false_coverage_level(self.confidence, limit, self.candidates)

    def expected(self, column: int) -> float | None:
        """Level of a column's intervals before the rows are known; None where their width depends on the answer."""
        if self.selection is None or not self.is_affected(column):
            return self.confidence
        if column in self.selection.columns_of_selected_rows or not self.candidates:
            return None
        shown = min(self.selection.max_rows or 1, self.candidates)
        return self.of_column(column, shown, shown)

    def variance_factor(self, column: int) -> float:
        """Factor of a column's variance: above 1 where it combines rows that noise selected."""
        if self.selection is None or column not in self.selection.columns_of_selected_rows:
            return 1.0
        return selected_sum_factor(self.confidence, self.strict, self.number_count)


MAX_CANDIDATES = 10**12  # beyond, levels would be rounded to 1


def false_coverage_level(confidence: float, shown: int, candidates: int) -> float:
    """Level of each interval at which selected intervals miss at most 1 - confidence of the time.

    Claim: the expected share of shown intervals that miss is at most 1 - confidence, if `shown` is fixed, or the rule
    is stable and the noise of rows independent; with `shown` = 1 all candidates hold together, for any rule. Symbols:
    `candidates` = numbers from which the shown ones were selected. Formula: 1 - (1 - confidence) shown / candidates,
    rounded up. Source: Benjamini, Yekutieli, J. Am. Stat. Assoc. 100 (2005) 71-81. Raises: nothing.
    Proof: proofs.md#false_coverage_level
    """
    among = min(max(candidates, 1), MAX_CANDIDATES)
    if shown >= among:
        return confidence
    return math.nextafter(1 - (1 - confidence) * max(shown, 1) / among, 1.0)


def selected_sum_factor(confidence: float, level: float, number_count: int) -> float:
    """Variance factor for sums over rows that noise selected, with intervals at `level`.

    Claim: with probability `confidence`, every weighted sum of the numbers lies within the widened interval, whichever
    weights noise has chosen. Symbols: `number_count` = d, the noisy numbers from which rows were selected; x =
    -ln(1 - confidence). Formula: (d + 2 sqrt(d x) + 2 x) / z(level)^2, at least 1. Source: Hsu, Kakade, Zhang,
    Electron. Commun. Probab. 17 (2012) no. 52. Raises: ValueError unless both levels lie between 0 and 1.
    Proof: proofs.md#selected_sum_factor
    """
    x, d = -math.log(1 - confidence), max(number_count, 1)
    return max(1.0, (d + 2 * math.sqrt(d * x) + 2 * x) / normal_quantile(level) ** 2)
