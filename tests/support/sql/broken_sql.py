"""Malformed SQL: reviewed statements cut, swapped, nested and spliced, for the parser and the binder."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from hypothesis import strategies as st

from tests.support.neighbours.two_worlds import attacks
from tests.support.sql.sql_cases import sql_cases
from tests.support.tree import ROOT

_TOKEN = re.compile(r"\s+|'[^']*'|\"[^\"]*\"|\w+|[<>=!|:]+|.", re.DOTALL)
NOT_CASES = ("attacks",)  # in another format, with its own reader
FILES = tuple(path.stem for path in sorted((ROOT / "tests" / "sql").glob("*.sql")) if path.stem not in NOT_CASES)
SIGNS = (
    "(", ")", ",", ";", "'", '"', "--", "/*", "*/", "*", ".", "::", "$1", "?", ":x", "@", "\\", "\x00", "\ufeff",
    "\u2019", "\u202e", "\U0001f600", "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT 1", "OFFSET", "UNION",
    "EXCEPT", "WITH x AS (", "OVER ()", "OVER (PARTITION BY subscriber_id)", "FILTER (WHERE", "HAVING", "QUALIFY", "ALL",
    "DISTINCT", "CASE WHEN", "END", "CAST(", "AS", "ON", "USING (subscriber_id)", "JOIN", "LEFT JOIN", "CROSS JOIN",
    "LATERAL", "UNNEST", "INTERVAL", "DATE '2026-10-01'", "NULL", "TRUE", "1e309", "-9223372036854775808", "0x1F",
    "9999999999999999999999", "NOT", "AND", "OR", "IN (", "EXISTS (", "BETWEEN", "LIKE", "ROLLUP (", "GROUPING SETS (",
    "RECURSIVE", "TABLESAMPLE", "PIVOT", "VALUES (", "lambda x: x", "x -> x", "[1]", "{'a': 1}", "subscriber_id",
    "COUNT(*)", "SUM(dwell_s)", "events", "subscribers", "cells", "consent", "read_csv('x')", "getenv('HOME')",
)  # fmt: skip

Tokens = list[str]
Change = Callable[[st.DrawFn, Tokens], Tokens]


@cache
def corpus() -> list[str]:
    """Statements that mutations start from."""
    return [case.sql for file in FILES for case in sql_cases(file)] + [attack.sql for attack in attacks()]


def tokens(sql: str) -> Tokens:
    """Split a statement into words, literals, symbols and spaces, which concatenate to it."""
    return _TOKEN.findall(sql)


@st.composite
def broken_statements(draw: st.DrawFn) -> str:
    """Draw a statement with up to six mutations."""
    made = tokens(draw(_statement()))
    for _ in range(draw(st.integers(1, 6))):
        made = draw(_change())(draw, made)
    return "".join(made)


@cache
def _statement() -> st.SearchStrategy[str]:
    return st.sampled_from(corpus())  # built once: it reads every statement


@cache
def _change() -> st.SearchStrategy[Change]:
    return st.sampled_from(_CHANGES)


def any_text() -> st.SearchStrategy[str]:
    """Draw text that is no statement at all."""
    return st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))


@cache
def _sign() -> st.SearchStrategy[str]:
    return st.sampled_from(SIGNS) | st.text(max_size=3)


def _span(draw: st.DrawFn, made: Tokens) -> tuple[int, int]:
    start = draw(st.integers(0, len(made)))
    return start, min(len(made), start + draw(st.integers(0, 8)))


def _drop(draw: st.DrawFn, made: Tokens) -> Tokens:
    start, end = _span(draw, made)
    return made[:start] + made[end:]


def _repeat(draw: st.DrawFn, made: Tokens) -> Tokens:
    start, end = _span(draw, made)
    return made[:end] + made[start:end] * draw(st.sampled_from((1, 1, 2, 50))) + made[end:]


def _swap(draw: st.DrawFn, made: Tokens) -> Tokens:
    start, end = _span(draw, made)
    other = draw(st.integers(end, len(made)))
    return made[:start] + made[end:other] + made[start:end] + made[other:]


def _insert(draw: st.DrawFn, made: Tokens) -> Tokens:
    start, end = _span(draw, made)
    sign = draw(_sign())
    return [*made[:start], " ", sign, " ", *made[draw(st.sampled_from((start, end))) :]]


def _nest(draw: st.DrawFn, made: Tokens) -> Tokens:
    start, end = _span(draw, made)
    before, after = draw(st.sampled_from((("(", ")"), ("abs(", ")"), ("(SELECT ", ")"), ("(FROM ", ") AS q"))))
    times = draw(st.sampled_from((1, 1, 2, 120)))
    return [*made[:start], before * times, *made[start:end], after * times, *made[end:]]


def _splice(draw: st.DrawFn, made: Tokens) -> Tokens:
    other = tokens(draw(_statement()))
    return made[: _span(draw, made)[0]] + other[_span(draw, other)[0] :]


def _fill(draw: st.DrawFn, made: Tokens) -> Tokens:
    """Replace a word of a statement by another statement."""
    start = draw(st.integers(0, len(made)))
    return [*made[:start], "(", draw(_statement()), ")", *made[start + 1 :]]


_CHANGES: tuple[Change, ...] = (
    _drop, _repeat, _swap, _insert, _insert, _nest, _splice, _fill,
)  # fmt: skip
