"""The law of the noise, and that no mechanism runs that costs more than was charged."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends.exact import Int64Vector
from engine.mechanism import gaussian
from engine.mechanism.gaussian import NoiseRefused, NoiseSource, NoisyVector, add_noise, gaussian_scale
from tests.support.sql.samples import gaussian_samples, measured_pico_rho
from tests.support.statistics.statistics import discrete_gaussian_fits

PICO = 10**12
SCALES = [0.3, 1.0, 7.5, 63.2, 1e6]
DRAWS = 20_000  # finds a scale 10% off at every scale above: the planted tests say so

grains = st.integers(1, 2**52)
prices = st.integers(1, 10**13)


def _noised(scale: float, draws: int = DRAWS) -> np.ndarray:
    """Add noise to zeros by the production function."""
    return add_noise(np.zeros(draws, dtype=np.int64), 1, scale, measured_pico_rho(1, scale))


@pytest.mark.parametrize("sigma", SCALES)
def test_noise_is_discrete_gaussian(sigma: float) -> None:
    assert discrete_gaussian_fits(_noised(sigma), sigma)


@pytest.mark.parametrize("sigma", SCALES)
@pytest.mark.parametrize("wrong_by", [0.9, 1.1], ids=["10% too little", "10% too much"])
def test_a_scale_ten_percent_off_is_found(sigma: float, wrong_by: float) -> None:
    assert not discrete_gaussian_fits(_noised(sigma * wrong_by), sigma)


def test_the_fit_test_rejects_rounded_continuous_noise() -> None:
    sigma = 0.5  # P[Z = 0] is 0.786, of the rounded normal 0.683
    rounded = np.round(gaussian_samples(DRAWS, 1e6 * sigma) / 1e6).astype(np.int64)
    assert not discrete_gaussian_fits(rounded, sigma)


def test_slices_are_noised_independently() -> None:
    drawn = gaussian_samples(2 * gaussian.MOST_VALUES_IN_A_SLICE, 1e6).astype(float)
    first, second = drawn[: gaussian.MOST_VALUES_IN_A_SLICE], drawn[gaussian.MOST_VALUES_IN_A_SLICE :]
    least_noticed = 5.8 / math.sqrt(first.size)  # 7e-9, two-sided
    assert abs(np.corrcoef(first, second)[0, 1]) < least_noticed
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < least_noticed
    assert abs(np.corrcoef(first, first)[0, 1]) > least_noticed  # planted: every slice noised alike


def test_values_keep_their_places_over_slices_and_the_input_stays() -> None:
    exact = np.arange(5_000, dtype=np.int64) * 10**9
    exact.flags.writeable = False
    noisy = add_noise(exact[::-1], 3, 100.0, PICO)
    assert np.array_equal(np.round(noisy / 1e9), np.arange(5_000)[::-1])
    assert np.array_equal(exact, np.arange(5_000) * 10**9)
    assert noisy.flags.writeable
    assert noisy.dtype == np.int64


def test_overflow_saturates() -> None:
    ends = np.tile(np.array([-(2**63), 2**63 - 1], dtype=np.int64), 100)
    noisy = add_noise(ends, 1, 1e9, PICO)
    assert (noisy[::2] < 0).all()
    assert (noisy[1::2] > 0).all()


@pytest.mark.parametrize("draws", [0, 1, 999, 1_001])
def test_any_length_is_noised(draws: int) -> None:
    assert _noised(10.0, draws).shape == (draws,)


@pytest.mark.parametrize(
    "exact", [np.zeros(3, dtype=np.int32), np.zeros(3), np.zeros((2, 2), dtype=np.int64)], ids=["i32", "f64", "matrix"]
)
def test_only_int64_vectors_are_noised(exact: np.ndarray) -> None:
    with pytest.raises(TypeError, match="one-dimensional int64"):
        add_noise(exact, 1, 10.0, PICO)


@given(sensitivity=grains, pico_rho=prices)
def test_the_scale_is_the_least_that_the_map_certifies(sensitivity: int, pico_rho: int) -> None:
    scale = gaussian_scale(sensitivity, pico_rho)
    assert measured_pico_rho(sensitivity, scale) <= pico_rho
    assert Fraction(sensitivity) ** 2 <= 2 * Fraction(scale) ** 2 * Fraction(pico_rho, PICO)  # the theorem itself
    with pytest.raises(NoiseRefused):
        add_noise(np.zeros(1, dtype=np.int64), sensitivity, math.nextafter(scale, 0.0), pico_rho)


def test_a_formula_that_is_a_little_too_low_buys_no_smaller_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gaussian_scale(33, 5 * 10**9)
    monkeypatch.setattr(gaussian, "_least_scale", lambda *_: right * (1 - 1e-14))
    assert gaussian_scale.__wrapped__(33, 5 * 10**9) == right


@given(sensitivity=grains, scale=st.floats(1e-3, 1e17))
def test_the_price_measured_is_never_below_the_theorem(sensitivity: int, scale: float) -> None:
    least = Fraction(sensitivity) ** 2 / (2 * Fraction(scale) ** 2)
    assert least <= Fraction(measured_pico_rho(sensitivity, scale), PICO) <= least * (1 + Fraction(1, 2**50)) + 1


@pytest.mark.parametrize("rows", [0, 10])
@pytest.mark.parametrize("sensitivity", [1, 6, 2**52])
def test_a_scale_one_percent_too_small_is_refused(sensitivity: int, rows: int) -> None:
    scale = gaussian_scale(sensitivity, 5 * 10**9)
    exact = np.zeros(rows, dtype=np.int64)
    add_noise(exact, sensitivity, scale, 5 * 10**9)
    with pytest.raises(NoiseRefused) as refused:
        add_noise(exact, sensitivity, 0.99 * scale, 5 * 10**9)
    assert refused.value.pico_rho_charged == 5 * 10**9
    assert refused.value.measured_rho == pytest.approx(0.005 / 0.99**2)


def test_a_refused_mechanism_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "_in_slices", lambda *_: pytest.fail("noise was drawn before the map was asked"))
    with pytest.raises(NoiseRefused):
        add_noise(np.zeros(1, dtype=np.int64), 2, 1.0, PICO)


@pytest.mark.parametrize("sensitivity", [0, -1, 2**52 + 1])
def test_a_sensitivity_that_asks_for_no_noise_or_is_no_exact_float_is_refused(sensitivity: int) -> None:
    for ask in (
        lambda: gaussian_scale(sensitivity, PICO),
        lambda: measured_pico_rho(sensitivity, 1.0),
        lambda: add_noise(np.zeros(1, dtype=np.int64), sensitivity, 1.0, PICO),
    ):
        with pytest.raises(ValueError, match="sensitivity"):
            ask()


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_no_noise_is_refused(scale: float) -> None:
    for ask in (
        lambda: add_noise(np.zeros(1, dtype=np.int64), 1, scale, PICO),
        lambda: gaussian_samples(1, scale),
        lambda: measured_pico_rho(1, scale),
    ):
        with pytest.raises(ValueError, match="scale"):
            ask()


def test_a_scale_so_small_that_it_costs_infinitely_much_is_refused() -> None:
    with pytest.raises(NoiseRefused):
        add_noise(np.zeros(1, dtype=np.int64), 2**52, 1e-300, 10**30)
    with pytest.raises(OverflowError):
        measured_pico_rho(2**52, 1e-300)


@pytest.mark.parametrize("pico_rho", [0, -1])
def test_noise_is_never_free(pico_rho: int) -> None:
    with pytest.raises(ValueError, match="pico_rho"):
        gaussian_scale(1, pico_rho)


@pytest.mark.parametrize("installed", ["0.15.1", "0.9.2", "0.14.2.dev1"])
def test_an_old_opendp_is_refused(installed: str) -> None:
    with pytest.raises(ImportError, match="too old"):
        gaussian._require_opendp(installed)


@pytest.mark.parametrize("installed", ["0.16.0", "0.16.1rc1", "0.100.0", "1.0"])
def test_a_newer_opendp_is_accepted(installed: str) -> None:
    gaussian._require_opendp(installed)


def test_a_noise_source_may_be_exact_in_tests() -> None:
    def exact_source(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        return NoisyVector(exact.copy())

    sources: list[NoiseSource] = [add_noise, exact_source]
    assert all(source(np.zeros(2, dtype=np.int64), 1, 1e3, PICO).shape == (2,) for source in sources)
