"""Losses: exact integers, strict parsing."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.accounting.privacy_loss import (
    ATTO,
    MAX_UNITS,
    PICO,
    ZERO_LOSS,
    Loss,
    parse_nonnegative_amount,
    parse_positive_amount,
    sum_losses,
)
from budgets.errors import ParamError
from tests.budgets.ledger_checks import check_rounding_up

AMOUNTS = st.fractions(min_value=0, max_value=9)
LOSSES = st.builds(Loss, st.integers(0, 10**15), st.integers(0, 10**15))


@given(AMOUNTS, AMOUNTS)
def test_charges_round_up_by_less_than_one_unit(rho: Fraction, delta: Fraction) -> None:
    check_rounding_up(rho, delta)
    loss = Loss.rounded_up(rho, delta)
    assert loss.rho - rho < Fraction(1, PICO) and loss.delta - delta < Fraction(1, ATTO)


@given(AMOUNTS, AMOUNTS)
def test_caps_round_down_by_less_than_one_unit(rho: Fraction, delta: Fraction) -> None:
    cap = Loss.rounded_down(rho, delta)
    assert 0 <= rho - cap.rho < Fraction(1, PICO) and 0 <= delta - cap.delta < Fraction(1, ATTO)


@given(AMOUNTS)
def test_a_charge_equal_to_its_cap_fits_only_without_rounding(rho: Fraction) -> None:
    assert Loss.rounded_up(rho).fits_in(Loss.rounded_down(rho)) == ((rho * PICO).denominator == 1)


@given(st.lists(LOSSES, max_size=20))
def test_sums_are_exact_and_independent_of_order(losses: list[Loss]) -> None:
    assert sum_losses(losses) == sum_losses(reversed(losses))
    assert sum_losses(losses).rho == sum((loss.rho for loss in losses), Fraction(0))


@given(LOSSES, LOSSES)
def test_losses_are_compared_componentwise(one: Loss, other: Loss) -> None:
    assert one.componentwise_min(other).fits_in(one) and one.fits_in(one.componentwise_max(other))
    assert one.componentwise_min(other) + one.excess_over(other) == one
    assert one.fits_in(other) == (one.excess_over(other) == ZERO_LOSS)


def test_a_million_tiny_charges_are_a_million_charges() -> None:
    spent = ZERO_LOSS
    for _ in range(1_000):
        spent += Loss.rounded_up("1e-17", "1e-21")
    assert spent == Loss(1_000, 1_000)  # floats: 1.0 + 1e-17 == 1.0


@pytest.mark.parametrize("units", [-1, MAX_UNITS + 1, True, 1.0, "1", None])
def test_only_64_bit_integers_are_accepted(units: object) -> None:
    with pytest.raises(ParamError, match="pico_rho must be an integer from 0 to 9223372036854775807"):
        Loss(units, 0)  # type: ignore[arg-type]


def test_sums_beyond_a_column_are_refused() -> None:
    with pytest.raises(ParamError):
        Loss(MAX_UNITS, 0) + Loss(1, 0)
    with pytest.raises(ParamError):
        Loss.rounded_up(0, 10)


@pytest.mark.parametrize(
    "given_amount",
    [
        *("NaN", "nan", "sNaN", "Infinity", "-inf", "-1", "-0.0", "", " ", "0x1", "1_0", "1,5", "½", "١", "1e", "+1"),
        *("1e400", "1e99999", "1e-99999", "1" * 100, "1e31", "1e-61"),
        *(True, False, None, 0.5, math.nan, math.inf, 5e-324, [], "a" * 10_000, b"1"),
        *(-1, Fraction(-1, 10), Decimal("NaN"), Decimal("Infinity"), Decimal("-1"), 10**30),
    ],
)
def test_invalid_amounts_are_refused(given_amount: object) -> None:
    for read in (parse_nonnegative_amount, parse_positive_amount):
        with pytest.raises(ParamError, match=r"^E_PARAM: rho .*\. Try: "):
            read(given_amount, "rho")


@pytest.mark.parametrize("given_amount", [0, "0", "0.000", "0e5", Fraction(0), Decimal("0.0")])
def test_zero_is_read_but_not_parsed(given_amount: object) -> None:
    assert parse_nonnegative_amount(given_amount, "delta") == 0
    with pytest.raises(ParamError, match=r"delta must be above 0\."):
        parse_positive_amount(given_amount, "delta")


@pytest.mark.parametrize("given_amount", ["5e-324", "1e-5", "0.00009999", Fraction(1, 10**9)])
def test_amounts_below_the_floor_are_refused(given_amount: object) -> None:
    with pytest.raises(ParamError, match=r"rho is (below the least that is accepted, 0\.0001|smaller than)"):
        parse_positive_amount(given_amount, "rho", floor=Fraction(1, 10_000))


def test_a_comma_is_refused_with_the_number_as_it_is_written_here() -> None:
    with pytest.raises(ParamError, match=r"Try: write it with a point: 0\.05$"):
        parse_positive_amount("0,05", "rho")
    with pytest.raises(ParamError, match=r"as in 0\.005"):
        parse_positive_amount("1,000,000", "rho")


@given(st.decimals(min_value="0.000000001", max_value=1000, places=12))
def test_decimal_text_is_read_exactly(number: Decimal) -> None:
    assert parse_positive_amount(str(number), "rho") == parse_positive_amount(number, "rho") == Fraction(number)


@given(st.text() | st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?", fullmatch=True))
def test_text_is_an_exact_number_or_refused(text: str) -> None:
    try:
        amount = parse_nonnegative_amount(text, "rho")
    except ParamError:
        return
    assert amount == Fraction(Decimal(text.strip())) >= 0


def test_losses_are_written_in_readable_numbers() -> None:
    assert str(Loss.rounded_up("0.005")) == "rho 0.005"
    assert str(Loss.rounded_up("20", "1e-12")) == "rho 20 and delta 1e-12"
    assert str(Loss(1, 0)) == "rho 0.000000000001"
    assert str(ZERO_LOSS) == "rho 0"
