"""Values in the places of question marks: each becomes one literal, whatever is in it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passersby.binding import BindingError, bound, literal

VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
    st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)),
)


class Odd(IntEnum):
    """A number that does not show itself as one."""

    ONE = 1

    def __repr__(self) -> str:
        return "2"


def fetched(sql: str) -> tuple[Any, ...]:
    with duckdb.connect() as connection:
        (row,) = connection.execute(sql).fetchall()
        return tuple(row)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_is_bound_is_what_comes_back(values: list[Any]) -> None:
    sql = bound(f"SELECT {', '.join('?' for _ in values)}", values)
    row = fetched(sql)
    assert [float(x) if isinstance(x, Decimal) else x for x in row] == values


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'who?' AS a, ? AS b",
        "SELECT 'it''s ?' AS a, ? AS b",
        'SELECT 1 AS "a?""?", ? AS b',
        "SELECT 1 -- ?\n, ? AS b",
        "SELECT 1 /* ? ' */ , ? AS b",
        "SELECT $$ ? ' $$, ? AS b",
        "SELECT $t$ ? $$ $t$, ? AS b",
    ],
)
def test_a_mark_in_a_text_a_name_or_a_comment_is_no_place(sql: str) -> None:
    assert fetched(bound(sql, ["x' OR 1=1 --"]))[1] == "x' OR 1=1 --"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-1, "(-1)"),
        (np.float64(-1.5), "(-1.5)"),
        (Odd.ONE, "1"),
        (Decimal("0.10"), "0.10"),
        ("it's", "'it''s'"),
        (["a", 2], "('a', 2)"),
        (datetime.date(2026, 10, 1), "DATE '2026-10-01'"),
        (datetime.datetime(2026, 10, 1, 8), "TIMESTAMP '2026-10-01 08:00:00'"),
        (None, "NULL"),
    ],
)
def test_literals(value: object, written: str) -> None:
    assert literal(value) == written


@pytest.mark.parametrize("value", [object(), b"x", float("nan"), "a\0b", datetime.datetime.now(datetime.UTC), {"a": 1}])
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(BindingError):
        literal(value)


def test_values_and_places_are_as_many() -> None:
    for values in ([], [1, 2]):
        with pytest.raises(BindingError):
            bound("SELECT ?", values)
