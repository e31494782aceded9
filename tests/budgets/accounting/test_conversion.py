"""Conversion of rho to epsilon and delta, rounded outward."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.accounting.privacy_loss import (
    PICO,
    EpsilonDelta,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_from_rho,
    rho_from_epsilon,
)
from budgets.errors import ParamError

RHOS = st.fractions(min_value=Fraction(1, PICO), max_value=50)
DELTAS = st.integers(1, 18).map(lambda digits: Fraction(1, 10**digits))


def delta_of(rho: float, epsilon: float) -> float:
    """Evaluate the paper's own formula for delta on a fine grid of alpha: a second way to the same number."""
    logs = [
        (alpha - 1) * (alpha * rho - epsilon) - math.log(alpha - 1) + alpha * math.log1p(-1 / alpha)
        for alpha in (1 + math.exp(step / 200) for step in range(-2_000, 5_000))
    ]
    return math.exp(min(logs))


@pytest.mark.parametrize(("rho", "delta"), [("0.005", "1e-9"), ("0.2", "1e-9"), ("1", "1e-6"), ("0.0001", "1e-12")])
def test_epsilon_inverts_the_formula_for_delta(rho: str, delta: str) -> None:
    epsilon = epsilon_from_rho(rho, delta)
    assert delta_of(float(rho), epsilon) == pytest.approx(float(delta), rel=1e-4)
    assert delta_of(float(rho), epsilon * 0.999) > float(delta)


def test_known_numbers() -> None:
    assert epsilon_from_rho("0.1850", "1e-6") <= 3 < epsilon_from_rho("0.1851", "1e-6")
    assert Fraction("0.1850") < rho_from_epsilon(3, "1e-6") < Fraction("0.1851")
    assert round(epsilon_from_rho("0.2", "9e-10"), 2) == 3.94
    assert epsilon_from_rho(0, "1e-9") == 0.0
    assert epsilon_from_rho("1e-12", "0.5") == 0.0  # the formula gives less than 0


@given(RHOS, DELTAS)
def test_epsilon_is_below_the_older_bound_and_grows_with_rho(rho: Fraction, delta: Fraction) -> None:
    epsilon = epsilon_from_rho(rho, delta)
    assert 0 <= epsilon <= float(rho) + 2 * math.sqrt(float(rho) * -math.log(float(delta)))  # Bun, Steinke 2016
    assert epsilon <= epsilon_from_rho(rho * Fraction(101, 100), delta)


@pytest.mark.parametrize("epsilon", ["0.1", "1", "3", "10", "1e-9"])
@pytest.mark.parametrize("delta", ["1e-6", "9e-10", "1e-15"])
def test_rho_for_is_the_largest_that_epsilon_covers(epsilon: str, delta: str) -> None:
    rho = rho_from_epsilon(epsilon, delta)
    assert (rho * PICO).denominator == 1
    assert epsilon_from_rho(rho, delta) <= Fraction(epsilon) < epsilon_from_rho(rho + Fraction(1, PICO), delta)


@pytest.mark.parametrize("delta", ["0", "1", "2", "NaN", True, 1e-6])
def test_delta_lies_between_0_and_1(delta: object) -> None:
    with pytest.raises(ParamError, match="delta "):
        epsilon_from_rho("0.1", delta)  # type: ignore[arg-type]
    with pytest.raises(ParamError, match="delta "):
        rho_from_epsilon("1", delta)  # type: ignore[arg-type]


def test_the_cache_distinguishes_1_from_true() -> None:
    epsilon_from_rho(1, "1e-6")
    with pytest.raises(ParamError, match="not a bool"):
        epsilon_from_rho(True, "1e-6")
    with pytest.raises(ParamError, match="not a float"):
        epsilon_from_rho(1.0, "1e-6")  # type: ignore[arg-type]


@pytest.mark.parametrize("delta", ["1e-18", "0.999999999999999999", "0.5"])
@pytest.mark.parametrize("rho", ["1e-12", "9e6"])
def test_extremes_stay_finite(rho: str, delta: str) -> None:
    assert 0 <= epsilon_from_rho(rho, delta) < math.inf


@given(st.integers(1, 10**18 - 1))
def test_the_two_parts_of_a_caps_delta_add_up_to_it(atto_delta: int) -> None:
    cap = Loss(10**12, atto_delta)
    assert chargeable(cap).delta + conversion_delta(cap) == cap.delta
    assert chargeable(cap).delta <= cap.delta / 10


def test_a_full_account_is_stated_at_its_whole_delta() -> None:
    cap = Loss.rounded_down("0.2", "1e-9")
    stated = EpsilonDelta.from_loss(chargeable(cap), cap)
    assert stated.epsilon == epsilon_from_rho("0.2", "9e-10")
    assert Fraction(stated.delta) >= cap.delta and stated.delta == pytest.approx(1e-9, rel=1e-15)
    assert EpsilonDelta.from_loss(Loss(0, 0), cap).epsilon == 0.0
