"""Values in place of question marks: each becomes one literal, whichever text it contains."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from enum import IntEnum
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.tokenizer_core import TokenType

from dialect.parser.tokens import DUCKDB
from passersby.dbapi.binding import BindingError, _tokens, bind_parameters, literal

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
def test_a_bound_value_round_trips(values: list[Any]) -> None:
    sql = bind_parameters(f"SELECT {', '.join('?' for _ in values)}", values)
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
        "SELECT 1 /* /* ? */ ? */ , ? AS b",
        "SELECT 1 /* /* */ /* ? */ ' ? */ , ? AS b",
        "SELECT 1 /*/ ? */ , ? AS b",
        "SELECT E'\\' ? ' AS a, ? AS b",
        "SELECT '\\' AS a, ? AS b",
        "SELECT 1 -- ?\r, ? AS b",
        "SELECT $\u00e9$ ? $\u00e9$, ? AS b",
    ],
)
def test_a_mark_in_a_text_a_name_or_a_comment_is_no_place(sql: str) -> None:
    assert fetched(bind_parameters(sql, ["x' OR 1=1 --"]))[1] == "x' OR 1=1 --"


PIECES = ("?", "? ", " ", "\n", "\r", "'", "''", '"', "/*", "*/", "/", "*", "--", "-", "$", "$$", "$a$", "a", "E", "e'", "\\", "1", ",", "+", "(", ")", "\u00e9")  # fmt: skip
NUMBERED = re.compile(r"\?\s*\d")  # DuckDB takes ? 1 for the place of number 1, and counts each number once
PREPARED = ("SELECT {}", "SELECT 1 AS a {}", "SELECT 1 {}, 2", "SELECT 1 {}\n, ?", "SELECT 'x' {}", "SELECT ? {} , 1")


def places_of_duckdb(sql: str) -> int | None:
    """Count the places of a text that DuckDB can read; None where it can't."""
    with duckdb.connect() as connection:
        try:
            (statement,) = connection.extract_statements(sql)
        except (duckdb.Error, ValueError):
            return None
        return len(statement.named_parameters)


def places(sql: str) -> int:
    return sum(kind == "place" for kind, _ in _tokens(sql))


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.sampled_from(PREPARED))
@settings(max_examples=600)
def test_places_are_those_that_duckdb_counts(drawn: str, around: str) -> None:
    """Any text that DuckDB reads has the same placeholders here, or is refused; each becomes exactly one value."""
    sql = around.replace("{}", drawn)
    wanted = places_of_duckdb(sql)
    if wanted is None or NUMBERED.search(sql):
        return
    try:
        assert places(sql) == wanted, sql
        written = bind_parameters(sql, ["' ? --\n*/ \" $$ /*"] * wanted)
    except BindingError:
        return
    assert not places_of_duckdb(written), written
    tokens = [token for token in DUCKDB.tokenize(written) if token.token_type is TokenType.STRING]
    assert sum(token.text == "' ? --\n*/ \" $$ /*" for token in tokens) == wanted, "the engine's parser reads it alike"


def test_generated_texts_are_read_often_enough() -> None:
    """The pieces above make texts that DuckDB reads and that hold places in every kind of token."""
    for sql in ("SELECT 1 /* /* ? */ ? */, ?", "SELECT e'\\' ?', ?", "SELECT $a$ ? $$ $a$, ?", "SELECT '?''?', ?"):
        assert places_of_duckdb(sql) == places(sql) == 1


@pytest.mark.parametrize(
    "sql", ["SELECT a?", "SELECT ?1", "SELECT ??", "SELECT 'x'?", "SELECT 'x'\n?", "SELECT ?\n'x'"]
)
def test_a_place_that_would_run_into_its_neighbour_is_refused(sql: str) -> None:
    with pytest.raises(BindingError, match="right beside"):
        bind_parameters(sql, ["y"] * sql.count("?"))


@pytest.mark.parametrize(
    "sql", ["SELECT ' ?", 'SELECT " ?', "SELECT /* /* ? */", "SELECT $a$ ? $b$", "SELECT $$ ?", "{# ?"]
)
def test_a_text_that_breaks_off_is_refused(sql: str) -> None:
    with pytest.raises(BindingError, match="breaks off"):
        bind_parameters(sql, ["x"])


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
        (datetime.datetime(2026, 10, 1, 8, tzinfo=datetime.UTC), "TIMESTAMPTZ '2026-10-01 08:00:00+00:00'"),
        (None, "NULL"),
    ],
)
def test_literals(value: object, written: str) -> None:
    assert literal(value) == written


@pytest.mark.parametrize("value", [object(), b"x", float("nan"), "a\0b", {"a": 1}])
def test_a_value_without_a_literal_is_refused(value: object) -> None:
    with pytest.raises(BindingError):
        literal(value)


def test_a_wrong_number_of_parameters_is_refused() -> None:
    for values in ([], [1, 2]):
        with pytest.raises(BindingError):
            bind_parameters("SELECT ?", values)
