"""Readable numbers never claim more than is known."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passersby.text.numbers import (
    cell_texts,
    delta_text,
    epsilon_rounded_up,
    half_width_text,
    left_text,
    noisy_text,
    privacy_loss_text,
    questions_text,
    value_text,
    with_interval,
)


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (50818, (50698.0, 50938.0), "50,818 ± 120"),
        (-4, (-23.6, 15.6), "-4 ± 20"),
        (37.812118, (37.186, 38.4382), "37.81 ± 0.63"),
        (4.2, (2.3, 5.5), "4.2 [2.3 to 5.5]"),
        (12.0, (12.0, 12.0), "12.000 [12.000 to 12.000]"),
        (-7, (0, 352), "0 [0 to 352]"),
        (-7, (1, 186), "≤ 186"),
        (None, None, "NULL"),
        (float("nan"), None, "NULL"),
    ],
)
def test_a_value_stands_with_its_interval(value: float | None, ends: tuple[float, float] | None, text: str) -> None:
    assert with_interval(value, ends) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2026, "2026"),
        (True, "true"),
        (None, "NULL"),
        (0.1 + 0.2, "0.3"),
        (1e6, "1000000"),
        ("a\x1b[31m\nb", "a�[31m b"),
    ],
)
def test_an_exact_value_is_shown_as_it_is(value: object, text: str) -> None:
    assert value_text(value) == text


@given(st.floats(-1e7, 1e7), st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_rounded_values_cover_the_interval(value: float, below: float, above: float) -> None:
    low, high = value - below, value + above
    shown, behind = noisy_text(value, (low, high))
    numbers = [float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*\.?\d*", behind)]
    middle = float(shown.replace(",", ""))
    shown_low, shown_high = numbers if len(numbers) == 2 else (middle - numbers[0], middle + numbers[0])
    rounding = abs(middle - value) + 1e-6 * max(1.0, abs(value))
    assert shown_low <= low + rounding
    assert shown_high >= high - rounding


@given(st.floats(0, 100))
def test_an_epsilon_is_never_rounded_down(epsilon: float) -> None:
    assert float(epsilon_rounded_up(epsilon)) >= epsilon - 1e-7


def test_a_price_is_written_as_rho_and_as_epsilon() -> None:
    price = {"rho": 0.005, "delta": 1e-12, "epsilon_at_delta": {"epsilon": 0.5649, "delta": 1.1e-9}}
    assert privacy_loss_text(price) == "rho 0.005 and delta 1e-12 (epsilon 0.57 at delta 1.1e-9)"
    assert privacy_loss_text({"rho": 0.0, "delta": 0.0}) == "free"


def test_the_remaining_budget_names_both_accounts() -> None:
    left = {"client": {"rho": 0.495, "cap_rho": 0.5}, "dataset": {"rho": 0.995, "cap_rho": 1.0}}
    assert left_text(left) == "you rho 0.495 of 0.5, all clients rho 0.995 of 1"
    assert left_text({}) == ""


def test_how_many_questions_fit_is_rounded_down() -> None:
    assert questions_text(0.0149, 0.005) == "2 more questions of rho 0.005"
    assert questions_text(0.005, 0.005) == "1 more question of rho 0.005"
    assert questions_text(1.0, None) == ""


def test_small_things() -> None:
    assert delta_text(1e-9) == "1e-9"
    assert half_width_text(None) == "depends on the answer"
    assert half_width_text(78.0) == "± 78"
    assert half_width_text(0.6312) == "± 0.64"


def test_digits_stand_in_threes_where_a_number_is_no_year() -> None:
    ends = {"n": [(1990.0, 2050.0), None]}
    assert cell_texts([1990, None], ends) == ["1,990", "NULL"]
    assert cell_texts([2050, 7], ends) == ["2,050", "7"]
    assert cell_texts([2026, 2027], ends) == ["2026", "2027"]
    assert cell_texts(["", " ", None], {}) == ["''", " ", "NULL"]  # a blank cell would look like something left out
    assert cell_texts([1234567.891, 0.125, 1e20, True], {}) == ["1,234,567.89", "0.125", "1e+20", "true"]
    midnight, noon = datetime(2026, 5, 1), datetime(2026, 5, 1, 12)
    assert cell_texts([midnight, None], {}) == ["2026-05-01", "NULL"]
    assert cell_texts([midnight, noon], {}) == ["2026-05-01 00:00:00", "2026-05-01 12:00:00"]
    assert cell_texts([midnight.replace(tzinfo=UTC)], {}) == ["2026-05-01 00:00:00+00:00"]
