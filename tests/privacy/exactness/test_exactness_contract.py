"""What the oracle takes as equal, and what not: the comparison itself, on answers written by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.support.sql.comparison import ABSOLUTE, Comparison, compare
from tests.support.sql.oracle import is_ordered
from tests.support.sql.plain import Rows

EQUAL = [
    (1, 1), (None, None), ("a", "a"), (True, True), (2, 2.0), (0.5, Decimal("0.5")), (1.0, 1.0 + ABSOLUTE / 2), (1e9, 1e9 + 1e-3),
    (dt.datetime(2026, 10, 1), dt.date(2026, 10, 1)), (2**53 + 1, 2**53 + 1),
]  # fmt: skip
DIFFERENT = [
    (1, 2), (0, None), (None, 0), (None, 0.0), ("a", "A"), (True, 1), (1, "1"), (1.0, 1.0 + 2 * ABSOLUTE), (1e9, 1e9 + 1),
    (dt.datetime(2026, 10, 1, 1), dt.date(2026, 10, 1)), (2**53, 2**53 + 1), (None, "a"),
]  # fmt: skip
APART = [float("nan"), float("inf"), -float("inf"), 1e300, 2**63, -(2**70)]


def _compared(ours: list[Any], theirs: list[Any], *, ordered: bool = False) -> Comparison:
    return compare(pa.table({"x": pa.array(ours)}), Rows(("X",), [(value,) for value in theirs]), ordered=ordered)


@pytest.mark.parametrize(("ours", "theirs"), EQUAL)
def test_equal_values(ours: object, theirs: object) -> None:
    assert _compared([ours], [theirs]) == Comparison(None)


@pytest.mark.parametrize(("ours", "theirs"), DIFFERENT)
def test_different_values(ours: object, theirs: object) -> None:
    assert _compared([ours], [theirs]).difference is not None


@pytest.mark.parametrize("theirs", APART)
def test_values_that_are_listed_apart(theirs: float) -> None:
    assert _compared([None], [theirs]) == Comparison(None, apart=1)
    assert _compared([1], [theirs]) == Comparison(None, apart=1)


def test_rows_may_come_in_any_order_without_order_by() -> None:
    assert _compared([1, 2, None, 2], [None, 2, 2, 1]).difference is None
    assert _compared([1, 2, 2], [2, 1, 1]).difference is not None
    assert _compared([0.5, 2.5, 1.5], [2.5, 0.5 + ABSOLUTE / 2, 1.5]).difference is None


def test_rows_come_in_their_order_with_order_by() -> None:
    assert _compared([1, 2], [2, 1], ordered=True).difference is not None
    assert _compared([2, 1], [2, 1], ordered=True).difference is None


def test_no_row_is_left_out() -> None:
    assert _compared([1], [1, 1]).difference is not None
    assert _compared([], [1]).difference is not None


def test_names_and_their_order_count() -> None:
    assert compare(pa.table({"a": [1], "b": [2]}), Rows(("b", "a"), [(1, 2)]), ordered=False).difference is not None


def test_what_is_listed_apart_hides_no_other_row() -> None:
    infinite = float("inf")
    assert _compared([None, 1.0, 2.0], [2.0, infinite, 1.0]) == Comparison(None, apart=1)
    assert _compared([None, 1.0, 3.0], [2.0, infinite, 1.0]).difference is not None


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT x FROM t ORDER BY x", True),
        ("SELECT x FROM (SELECT x FROM t ORDER BY x)", False),
        ("WITH q AS (SELECT x FROM t ORDER BY x) SELECT x FROM q", False),
        ("SELECT ' ORDER BY (' FROM t order by 1", True),
        ("SELECT 'ORDER BY' FROM t", False),
    ],
)
def test_the_outermost_order_is_found(sql: str, ordered: bool) -> None:
    assert is_ordered(sql) is ordered
