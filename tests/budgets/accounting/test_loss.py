"""Losses: exact integers, strict parsing."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.accounting.loss import ATTO, MAX_UNITS, NOTHING, PICO, Loss, parse_amount, read_amount, total
from budgets.errors import ParamError
from tests.budgets.books import check_rounding_up

AMOUNTS = st.fractions(min_value=0, max_value=9)
LOSSES = st.builds(Loss, st.integers(0, 10**15), st.integers(0, 10**15))


@given(AMOUNTS, AMOUNTS)
def test_charges_round_up_by_less_than_one_unit(rho: Fraction, delta: Fraction) -> None:
    check_rounding_up(rho, delta)
    loss = Loss.of(rho, delta)
    assert loss.rho - rho < Fraction(1, PICO) and loss.delta - delta < Fraction(1, ATTO)


@given(AMOUNTS, AMOUNTS)
def test_caps_round_down_by_less_than_one_unit(rho: Fraction, delta: Fraction) -> None:
    cap = Loss.within(rho, delta)
    assert 0 <= rho - cap.rho < Fraction(1, PICO) and 0 <= delta - cap.delta < Fraction(1, ATTO)


@given(AMOUNTS)
def test_a_charge_of_what_a_cap_was_made_from_fits_only_if_nothing_was_rounded(rho: Fraction) -> None:
    assert Loss.of(rho).fits_in(Loss.within(rho)) == ((rho * PICO).denominator == 1)


@given(st.lists(LOSSES, max_size=20))
def test_sums_are_exact_and_orderless(losses: list[Loss]) -> None:
    assert total(losses) == total(reversed(losses))
    assert total(losses).rho == sum((loss.rho for loss in losses), Fraction(0))


@given(LOSSES, LOSSES)
def test_comparisons_are_part_by_part(one: Loss, other: Loss) -> None:
    assert one.smaller_of(other).fits_in(one) and one.fits_in(one.larger_of(other))
    assert one.smaller_of(other) + one.beyond(other) == one
    assert one.fits_in(other) == (one.beyond(other) == NOTHING)


def test_a_million_tiny_charges_are_a_million_charges() -> None:
    spent = NOTHING
    for _ in range(1_000):
        spent += Loss.of("1e-17", "1e-21")
    assert spent == Loss(1_000, 1_000)  # floats: 1.0 + 1e-17 == 1.0


@pytest.mark.parametrize("units", [-1, MAX_UNITS + 1, True, 1.0, "1", None])
def test_only_integers_that_a_column_holds(units: object) -> None:
    with pytest.raises(ParamError, match="pico_rho must be an integer from 0 to 9223372036854775807"):
        Loss(units, 0)  # type: ignore[arg-type]


def test_sums_beyond_a_column_are_refused() -> None:
    with pytest.raises(ParamError):
        Loss(MAX_UNITS, 0) + Loss(1, 0)
    with pytest.raises(ParamError):
        Loss.of(0, 10)


@pytest.mark.parametrize(
    "given_amount",
    [
        *("NaN", "nan", "sNaN", "Infinity", "-inf", "-1", "-0.0", "", " ", "0x1", "1_0", "1,5", "½", "١", "1e", "+1"),
        *("1e400", "1e99999", "1e-99999", "1" * 100, "1e31", "1e-61"),
        *(True, False, None, 0.5, math.nan, math.inf, 5e-324, [], "a" * 10_000, b"1"),
        *(-1, Fraction(-1, 10), Decimal("NaN"), Decimal("Infinity"), Decimal("-1"), 10**30),
    ],
)
def test_what_is_no_amount(given_amount: object) -> None:
    for read in (read_amount, parse_amount):
        with pytest.raises(ParamError, match=r"^E_PARAM: rho .*\. Try: "):
            read(given_amount, "rho")


@pytest.mark.parametrize("given_amount", [0, "0", "0.000", "0e5", Fraction(0), Decimal("0.0")])
def test_zero_is_read_but_not_parsed(given_amount: object) -> None:
    assert read_amount(given_amount, "delta") == 0
    with pytest.raises(ParamError, match=r"delta must be above 0\."):
        parse_amount(given_amount, "delta")


@pytest.mark.parametrize("given_amount", ["5e-324", "1e-5", "0.00009999", Fraction(1, 10**9)])
def test_below_the_floor(given_amount: object) -> None:
    with pytest.raises(ParamError, match=r"rho is (below the least that is accepted, 0\.0001|smaller than)"):
        parse_amount(given_amount, "rho", floor=Fraction(1, 10_000))


def test_a_comma_is_refused_with_the_number_as_it_is_written_here() -> None:
    with pytest.raises(ParamError, match=r"Try: write it with a point: 0\.05$"):
        parse_amount("0,05", "rho")
    with pytest.raises(ParamError, match=r"as in 0\.005"):
        parse_amount("1,000,000", "rho")


@given(st.decimals(min_value="0.000000001", max_value=1000, places=12))
def test_decimal_text_is_read_exactly(number: Decimal) -> None:
    assert parse_amount(str(number), "rho") == parse_amount(number, "rho") == Fraction(number)


@given(st.text() | st.from_regex(r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?", fullmatch=True))
def test_text_is_an_exact_number_or_refused(text: str) -> None:
    try:
        amount = read_amount(text, "rho")
    except ParamError:
        return
    assert amount == Fraction(Decimal(text.strip())) >= 0


def test_losses_read_as_people_write_them() -> None:
    assert str(Loss.of("0.005")) == "rho 0.005"
    assert str(Loss.of("20", "1e-12")) == "rho 20 and delta 1e-12"
    assert str(Loss(1, 0)) == "rho 0.000000000001"
    assert str(NOTHING) == "rho 0"
