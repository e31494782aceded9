"""Intervals hold the exact number as often as they say, and a planted bug in any of them is found."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from engine.mechanism import intervals
from engine.mechanism.intervals import half_width, linear_interval, ratio_interval
from tests.support.sql.samples import gaussian_samples
from tests.support.statistics.statistics import binomial_at_least, binomial_within, gaussian_within

DRAWS = 20_000
LEVEL = 0.95


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 3.3, 10.0, 49.9, 51.0, 200.5])
@pytest.mark.parametrize("level", [0.7, 0.9, 0.95, 0.99, 1 - 1e-9])
def test_the_half_width_is_the_least_that_covers(sigma: float, level: float) -> None:
    least = half_width(sigma, level)
    assert least == int(least)
    assert gaussian_within(sigma, int(least)) >= Decimal(level)
    assert least == 0 or gaussian_within(sigma, int(least) - 1) < Decimal(level)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95, 0.999])
def test_the_continuous_quantile_continues_the_sum(level: float) -> None:
    for sigma in np.linspace(50.01, 60, 200):
        assert half_width(sigma, level) == intervals._summed_half_width(float(sigma), level)


@pytest.mark.parametrize("sigma", [1e9, 1e17, 1e21])
def test_a_wide_half_width_costs_no_sum(sigma: float) -> None:
    assert half_width(sigma, LEVEL) == pytest.approx(1.959964 * sigma, rel=1e-6)


@pytest.mark.parametrize("sigma", [1.0, 5.0, 63.2, 1e6])
def test_counts_lie_in_their_intervals(sigma: float) -> None:
    off, reach = np.abs(gaussian_samples(DRAWS, sigma)), half_width(sigma, LEVEL)
    assert binomial_at_least(int((off <= reach).sum()), DRAWS, LEVEL)
    if sigma < 1e3:
        assert binomial_within(int((off <= reach).sum()), DRAWS, float(gaussian_within(sigma, int(reach))))
    # planted: a sigma 20% too small
    assert not binomial_at_least(int((off <= half_width(0.8 * sigma, LEVEL)).sum()), DRAWS, LEVEL)


def test_sums_and_differences_lie_in_their_intervals() -> None:
    total = 2 * gaussian_samples(DRAWS, 30.0) - 0.5 * gaussian_samples(DRAWS, 80.0) + 1e6
    low, high = linear_interval(total, math.hypot(2 * 30, 0.5 * 80), LEVEL)
    assert binomial_within(int(((low <= 1e6) & (high >= 1e6)).sum()), DRAWS, LEVEL)
    low, high = linear_interval(total, 2 * 30, LEVEL)  # planted: one noise forgotten
    assert not binomial_within(int(((low <= 1e6) & (high >= 1e6)).sum()), DRAWS, LEVEL)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_half_a_grain_keeps_the_level_where_noise_is_narrow(level: float) -> None:
    for sigma in np.linspace(0.2, 4, 40):
        whole = np.arange(-60, 61)
        weights = np.exp(-(whole**2) / (2 * sigma**2))
        law = np.convolve(weights / weights.sum(), weights / weights.sum())  # of a sum of two noises
        low, high = linear_interval(np.arange(-120, 121), math.sqrt(2) * sigma, level, grain=1.0)
        assert law[(low <= 0) & (high >= 0)].sum() >= level


# (exact numerator, exact denominator, sigma of each, what the numerator shares of the denominator's noise)
RATIOS = [(500.0, 1000.0, 40.0, 40.0, 0.0), (-9000.0, 300.0, 500.0, 40.0, 0.0), (0.0, 250.0, 90.0, 30.0, 0.0)]
SHARED = [(3000.0, 400.0, 60.0, 40.0, 5.0), (-100.0, 300.0, 20.0, 40.0, -2.0)]


def _ratios(num: float, den: float, sigma_num: float, sigma_den: float, shared: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw noisy numerators and denominators."""
    noise_den = gaussian_samples(DRAWS, sigma_den)
    return num + gaussian_samples(DRAWS, sigma_num) + shared * noise_den, den + noise_den


def _covered(ends: tuple[np.ndarray, np.ndarray, np.ndarray], exact: float) -> int:
    """Count the intervals that hold the exact ratio."""
    low, high, _ = ends
    return int(((low <= exact) & (exact <= high)).sum())


@pytest.mark.parametrize(("num", "den", "sigma_num", "sigma_den", "shared"), RATIOS + SHARED)
def test_ratios_lie_in_their_intervals(
    num: float, den: float, sigma_num: float, sigma_den: float, shared: float
) -> None:
    noisy_num, noisy_den = _ratios(num, den, sigma_num, sigma_den, shared)
    var_den = sigma_den**2
    var_num, cov = sigma_num**2 + shared**2 * var_den, shared * var_den
    assert binomial_within(
        _covered(ratio_interval(noisy_num, noisy_den, var_num, var_den, cov, LEVEL), num / den), DRAWS, LEVEL
    )
    # planted: the noise of the denominator forgotten; what both share forgotten
    if num:
        bare = ratio_interval(noisy_num, noisy_den, sigma_num**2, 0, 0, LEVEL)
        assert not binomial_within(_covered(bare, num / den), DRAWS, LEVEL)
    if shared:
        apart = ratio_interval(noisy_num, noisy_den, var_num, var_den, 0, LEVEL)
        assert not binomial_within(_covered(apart, num / den), DRAWS, LEVEL)


def test_an_average_is_its_centre_plus_a_ratio() -> None:
    centre, exact_sum, exact_count = 40.0, 5_000.0, 800.0  # the mean is 46.25
    noisy_sum, noisy_count = _ratios(exact_sum, exact_count, 900.0, 60.0, 0.0)
    low, high, unstable = ratio_interval(noisy_sum, noisy_count, 900.0**2, 60.0**2, 0, LEVEL)
    assert not unstable.any()
    assert binomial_within(_covered((centre + low, centre + high, unstable), 46.25), DRAWS, LEVEL)
    # planted: the sum un-centred by the noisy count, which then shares its noise
    uncentred = noisy_sum + centre * noisy_count
    wrong = ratio_interval(uncentred, noisy_count, 900.0**2, 60.0**2, 0, LEVEL)
    assert not binomial_within(_covered(wrong, 46.25), DRAWS, LEVEL)


def test_a_weak_denominator_still_covers_where_it_is_called_stable() -> None:
    noisy_num, noisy_den = _ratios(120.0, 120.0, 40.0, 40.0, 0.0)  # three sigma: about 15% are unstable
    ends = ratio_interval(noisy_num, noisy_den, 1600, 1600, 0, LEVEL)
    stable = int((~ends[2]).sum())
    assert 0.8 * DRAWS < stable < 0.9 * DRAWS
    assert binomial_at_least(_covered(ends, 1.0), stable, LEVEL)


def test_a_denominator_that_touches_zero_is_unstable() -> None:
    reach = 1.959964 * 10
    den = np.array([0.0, reach * 0.999, reach * 1.001, -reach * 1.001, np.nan])
    low, high, unstable = ratio_interval(5.0, den, 1.0, 100.0, 0.0, LEVEL)
    assert unstable.tolist() == [True, True, False, True, True]  # a count is never below zero
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == unstable.tolist()
    *_, unstable = ratio_interval(5.0, den, 1.0, 100.0, 0.0, LEVEL, signed_denominator=True)
    assert unstable.tolist() == [True, True, False, False, True]


def test_the_ends_solve_the_inequality() -> None:
    num, den = np.array([300.0, -40.0, 0.0]), np.array([100.0, 90.0, 500.0])
    low, high, _ = ratio_interval(num, den, 400.0, 900.0, 50.0, LEVEL)
    assert (low < num / den).all()
    assert (num / den < high).all()
    for end in (low, high):
        deviation = (num - end * den) / np.sqrt(400.0 - 2 * end * 50.0 + end**2 * 900.0)
        assert np.abs(deviation) == pytest.approx(1.959964, rel=1e-6)


def test_signed_denominators_turn_the_ratio_around() -> None:
    low, high, _ = ratio_interval(50.0, 100.0, 9.0, 25.0, 4.0, LEVEL)
    turned = ratio_interval(-50.0, -100.0, 9.0, 25.0, 4.0, LEVEL, signed_denominator=True)
    assert (turned[0], turned[1]) == pytest.approx((low, high))


def test_a_public_denominator_gives_the_plain_interval() -> None:
    low, high, unstable = ratio_interval(50.0, 4.0, 9.0, 0.0, 0.0, LEVEL)
    assert not unstable
    assert (float(low), float(high)) == pytest.approx((12.5 - 1.959964 * 0.75, 12.5 + 1.959964 * 0.75))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, math.nan])
def test_a_level_is_a_probability(level: float) -> None:
    for ask in (
        lambda: half_width(1.0, level),
        lambda: linear_interval(0.0, 1.0, level),
        lambda: ratio_interval(1.0, 1.0, 1.0, 1.0, 0.0, level),
    ):
        with pytest.raises(ValueError, match="level"):
            ask()


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, math.nan])
def test_a_half_width_needs_noise(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        half_width(sigma, LEVEL)
