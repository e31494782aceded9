"""Bins of a value: every value in its range has one, of the stated width; integers have integer bins."""

from __future__ import annotations

import math

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.expressions import Field, Ref
from dialect.catalog.model import Bounds, SqlType
from dialect.functions.emitter import write_expr
from dialect.functions.registry import is_not_null
from dialect.planner.quantiles import MAX_BINS, MAX_GROWING_BINS, Bins, bin_number, choose_bins, has_bin


def _value(kind: SqlType, lower: float, upper: float) -> Ref:
    return Ref(Field("x", None, kind, bounds=Bounds(lower, upper)))


def _numbers(value: Ref, bins: Bins, values: list[float | None]) -> list[int | None]:
    """Bins of some values, computed by the engine; has_bin is computed separately."""
    rows = ", ".join("(NULL)" if each is None else f"('{each!r}')" for each in values)
    number, has = write_expr(bin_number(value, bins)), write_expr(has_bin(value))
    sql = f"SELECT {number}, {has} FROM (SELECT CAST(t AS {value.type}) AS x FROM (VALUES {rows}) v(t))"
    found = duckdb.sql(sql).fetchall()
    assert [bool(has) for _, has in found] == [number is not None for number, _ in found]
    return [number for number, _ in found]


@given(upper=st.integers(0, 2**45), share=st.floats(0, 1))
def test_a_whole_number_from_0_on_is_in_the_bin_that_holds_it(upper: int, share: float) -> None:
    bins = choose_bins(_value(SqlType.BIGINT, 0, upper), Bounds(0, upper))
    made = bins.histogram(0)
    assert made.bin_count == bins.count <= MAX_GROWING_BINS
    value = min(upper, int(upper * share))
    (place,) = [i for i in range(made.bin_count) if made.starts[i] <= value <= made.starts[i] + made.value_widths[i]]
    asked = [value, int(made.starts[place]), int(made.starts[place] + made.value_widths[place])]
    assert _numbers(_value(SqlType.BIGINT, 0, upper), bins, [*asked, None]) == [place] * 3 + [None]


@given(upper=st.floats(1e-3, 1e9), share=st.floats(0, 0.999999))
def test_a_number_from_0_on_is_in_the_bin_that_holds_it(upper: float, share: float) -> None:
    value = _value(SqlType.DOUBLE, 0.0, upper)
    bins = choose_bins(value, Bounds(0.0, upper))
    made = bins.histogram(0)
    assert bins.count == MAX_BINS
    (place,) = _numbers(value, bins, [share * upper])
    assert place is not None
    slack = 1e-9 * upper
    assert made.starts[place] - slack <= share * upper <= made.starts[place] + made.value_widths[place] + slack
    assert made.value_widths[place] <= max(upper / 2048, share * upper / 8) * 1.001


@pytest.mark.parametrize(
    ("kind", "lower", "upper", "told"),
    [
        (SqlType.BIGINT, 0, 127, "128 bins, 1 wide, from 0 to 127"),
        (SqlType.BIGINT, 0, 128, "129 bins, 1 to 2 wide, from 0 to 129"),
        (SqlType.BIGINT, 0, 5_000, "148 bins, 1 to 256 wide, from 0 to 5119"),
        (SqlType.BIGINT, 1, 5_000, "148 bins, 1 to 256 wide, from 0 to 5119"),
        (SqlType.BIGINT, -500, 500, "126 bins, 8 wide, from -500 to 507"),
        (SqlType.DOUBLE, 0.0, 1440.0, "128 bins, 0.703 to 45 wide, from 0 to 1440"),
        (SqlType.DOUBLE, -3.0, 7.0, "128 bins, 0.0781 wide, from -3 to 7"),
    ],
)
def test_bins_are_described_in_words(kind: SqlType, lower: float, upper: float, told: str) -> None:
    assert choose_bins(_value(kind, lower, upper), Bounds(lower, upper)).describe() == told


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1440.0), (-3.0, 7.0), (5.0, 5.0)])
def test_outliers_are_in_the_outer_bins_and_nan_in_none(lower: float, upper: float) -> None:
    value = _value(SqlType.DOUBLE, lower, upper)
    bins = choose_bins(value, Bounds(lower, upper))
    asked = [-1e308, lower - 1, upper, upper + 1, 1e308, math.nan, math.inf, -math.inf, None]
    last = bins.count - 1
    assert _numbers(value, bins, asked) == [0, 0, last, last, last, None, None, None, None]


def test_a_planted_bin_for_nan_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    value = _value(SqlType.DOUBLE, 0.0, 1440.0)
    monkeypatch.setitem(globals(), "has_bin", is_not_null)
    with pytest.raises(AssertionError):
        _numbers(value, choose_bins(value, Bounds(0.0, 1440.0)), [math.nan])
