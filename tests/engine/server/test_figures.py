"""Numbers of the console's pages are those of the command line, and no longer than their place."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.server.console import drawing
from passersby.text import numbers

NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
USUAL = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9))


@given(USUAL, st.floats(1e-3, 1e8), st.floats(1e-3, 1e8))
def test_a_number_stands_with_its_interval_as_on_the_command_line(value: float, below: float, above: float) -> None:
    ends = (value - below, value + above)
    assert drawing.noisy_text(value, ends) == numbers.noisy_text(value, ends)


@pytest.mark.parametrize(("rho", "price"), [(0.47, 0.005), (0.015, 0.005), (0.0, 0.005), (61.7, 0.05)])
def test_questions_left_are_counted_as_on_the_command_line(rho: float, price: float) -> None:
    assert numbers.questions_text(rho, price).startswith(f"{drawing.questions_left(rho, price):,} more question")
    assert drawing.questions_left(rho, None) is None


@pytest.mark.parametrize("ends", [(0.0, 30.0), (1.0, 186.0), (-5.0, -2.0), (-9.0, 3.0)])
@pytest.mark.parametrize("value", [-20, -3.5, 0, 12, 500])
def test_a_number_beyond_its_limits_is_shown_as_on_the_command_line(value: float, ends: tuple[float, float]) -> None:
    assert drawing.noisy_text(value, ends) == numbers.noisy_text(value, ends)
    (bar,) = drawing.error_bars([value], [ends])
    assert bar is not None and bar.low <= bar.at <= bar.high


@given(NUMBERS, NUMBERS, NUMBERS)
def test_no_number_is_longer_than_its_field(value: float, one: float, other: float) -> None:
    text, behind = drawing.noisy_text(value, (min(one, value, other), max(one, value, other)))
    assert len(text) <= drawing.MAX_NUMBER_LENGTH
    assert len(behind) <= drawing.MAX_INTERVAL_LENGTH
    assert len(drawing.value_text(value)) <= drawing.MAX_NUMBER_LENGTH


def test_the_longest_number_would_not_fit_unless_it_were_shortened() -> None:
    assert len(numbers.noisy_text(sys.float_info.max, (0.0, sys.float_info.max))[0]) > drawing.MAX_NUMBER_LENGTH


def test_a_page_shows_no_digit_that_noise_decides() -> None:
    assert drawing.noisy_text(33951.123456, (33439.2, 34463.1)) == ("33,951", "± 512")
    assert drawing.noisy_text(4.23456789, (2.3, 5.5)) == ("4.2", "[2.3 to 5.5]")
    assert drawing.noisy_text(-3, (0.0, 5.0)) == numbers.noisy_text(-3, (0.0, 5.0)) == ("0", "[0 to 5]")
    assert drawing.noisy_text(None, None) == ("NULL", "") and drawing.noisy_text("", None) == ("''", "")


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (2026, "2026"), (0.5, "0.5"), (12345.678, "12,345.68"), (1e6, "1,000,000")]
)
def test_a_number_without_an_interval_is_shown_unrounded(value: float, text: str) -> None:
    assert drawing.value_text(value) == text


@pytest.mark.parametrize(
    "price",
    [
        {"rho": 0.005, "delta": 1e-12, "epsilon_at_delta": {"epsilon": 0.5649, "delta": 1.1e-9}},
        {"rho": 0.06, "delta": 0.0, "epsilon_at_delta": {"epsilon": 2.0, "delta": 1e-9}},
        {"rho": 0.0, "delta": 0.0, "epsilon_at_delta": {"epsilon": 0.0, "delta": 1e-9}},
    ],
)
def test_prices_and_remaining_budgets_are_written_as_on_the_command_line(price: dict[str, object]) -> None:
    assert drawing.loss_text(price) == numbers.privacy_loss_text(price)
    left = {"client": {"rho": 0.195, "cap_rho": 0.2}, "dataset": {"rho": 1.5, "cap_rho": 2.0}}
    assert drawing.left_text(left) == numbers.left_text(left)
    assert drawing.half_width_text(1120.4) == numbers.half_width_text(1120.4) == "± 1,121"
