"""Exact distributions and exact tests for statistical assertions.

Every test takes its threshold as `alpha`, the probability of a false alarm, 1e-7 by default; a planted bug is missed
with an even smaller probability.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

ALPHA = 1e-7
DIGITS = 60  # of the decimal sums
ENOUGH_EXPECTED = 10.0  # outcomes in a bin of a chi-square test
BINS = 40


def binomial_within(successes: int, trials: int, p: float, alpha: float = ALPHA) -> bool:
    """Two-sided test: is this number of successes plausible when each has probability p?"""
    return bool(stats.binomtest(successes, trials, p).pvalue >= alpha)


def binomial_at_least(successes: int, trials: int, p: float, alpha: float = ALPHA) -> bool:
    """One-sided test: is this number of successes plausible when each has probability at least p?"""
    return bool(stats.binomtest(successes, trials, p, alternative="less").pvalue >= alpha)


def binomial_at_most(successes: int, trials: int, p: float, alpha: float = ALPHA) -> bool:
    """One-sided test: is this number of successes plausible when each has probability at most p?"""
    return bool(stats.binomtest(successes, trials, p, alternative="greater").pvalue >= alpha)


def partly_at_least(successes: int, trials: int, p: float, classes: int, alpha: float = ALPHA) -> bool:
    """One-sided test as `binomial_at_least`, for partly dependent trials.

    The trials fall into classes; trials of one class are independent, those of different classes need not be. By
    Hölder, as in Janson 2004, "Large deviations for sums of partly dependent random variables", theorem 2.1, the tail
    is Chernoff's of trials / classes: exp(-trials / classes * KL(share, p)).
    """
    share = successes / trials
    away = stats.entropy([share, 1 - share], [p, 1 - p])
    return bool(share >= p or -trials / classes * away >= np.log(alpha))


def discrete_gaussian_fits(noise: npt.NDArray[np.int64], sigma: float, alpha: float = ALPHA) -> bool:
    """Chi-square test that integers are discrete Gaussian of this scale."""
    inner = stats.norm.ppf(np.arange(1, BINS) / BINS) * sigma
    edges = np.unique(np.round(inner))  # the last integer of each bin but the last
    expected = noise.size * np.diff(np.concatenate([[0.0], _cumulative(edges, sigma), [1.0]]))
    observed = np.bincount(np.searchsorted(edges, noise), minlength=edges.size + 1)
    observed, expected = _merged(observed.astype(float), expected)
    return bool(stats.chisquare(observed, expected).pvalue >= alpha)


def _cumulative(integers: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """P[Z <= k]: summed up to sigma 100, above by the midpoint rule, right within 1/sigma^2 in the tails."""
    if sigma > 100:
        return np.asarray(stats.norm.cdf((integers + 0.5) / sigma))
    support = np.arange(-np.ceil(40 * sigma), np.ceil(40 * sigma) + 1)
    weights = np.exp(-(support**2) / (2 * sigma**2))
    return np.asarray(np.cumsum(weights)[np.searchsorted(support, integers)] / weights.sum())


def _merged(
    observed: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Merge neighbouring bins until each has enough expected outcomes."""
    starts, expected_in_bin = [0], 0.0
    for place, bin_expects in enumerate(expected):
        if expected_in_bin >= ENOUGH_EXPECTED and expected[place:].sum() >= ENOUGH_EXPECTED:
            starts.append(place)
            expected_in_bin = 0.0
        expected_in_bin += bin_expects
    return np.add.reduceat(observed, starts), np.add.reduceat(expected, starts)


def gaussian_tail(sigma: float, least: int) -> Decimal:
    """P[Z >= least], least >= 0, of the discrete Gaussian in decimals, too small by less than 10^-40 of it."""
    with localcontext() as context:
        context.prec = DIGITS
        return _weight_from(sigma, least) / (2 * _weight_from(sigma, 1) + 1)


def gaussian_within(sigma: float, most: int) -> Decimal:
    """P[|Z| <= most] of the discrete Gaussian in decimals."""
    return 1 - 2 * gaussian_tail(sigma, most + 1)


def laplace_tail(scale: float, least: int) -> Decimal:
    """P[Z >= least], least >= 0, of the discrete Laplace in decimals."""
    step = (-1 / Decimal(scale)).exp()
    return step**least / (1 + step)


def normal_erfc(x: float) -> Decimal:
    """Complementary error function for 0 <= x <= 27 in decimals, to 40 digits, by the series of erf."""
    with localcontext() as context:
        context.prec = 400  # erfc(27) is below 10^-318: so many digits cancel
        square = Decimal(x) ** 2
        term = total = Decimal(x)
        order = 1
        while term > total.scaleb(-context.prec):
            order += 2
            term *= 2 * square / order
            total += term
        return 1 - 2 * (-square).exp() * total / _pi().sqrt()


def _pi() -> Decimal:
    """Compute pi by Machin's formula at the precision of the context."""

    def arctan_of_inverse(whole: int) -> Decimal:
        power = total = 1 / Decimal(whole)
        order = 1
        while abs(power) > total.scaleb(-400):
            power /= -(whole**2)
            order += 2
            total += power / order
        return total

    return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


def any_of(one: Decimal, independent: int) -> Decimal:
    """Probability that at least one of several independent events happens."""
    return 1 - (1 - one) ** independent


@lru_cache(maxsize=4096)
def _weight_from(sigma: float, least: int) -> Decimal:
    """Sum exp(-k^2 / (2 sigma^2)) over k >= least, term by term, until a term adds nothing."""
    with localcontext() as context:
        context.prec = DIGITS
        half = 1 / (2 * Decimal(sigma) ** 2)
        term = (-half * least**2).exp()
        step, shrink = (-half * (2 * least + 1)).exp(), (-2 * half).exp()
        total = Decimal(0)
        while term > total.scaleb(-45):
            total += term
            term, step = term * step, step * shrink
        return total
