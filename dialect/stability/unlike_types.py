"""A call whose arguments have other types than it takes -> what may have been meant, as text in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Expr, Literal
from dialect.catalog.catalog import SqlType
from dialect.errors import Suggestion
from dialect.functions.meant_times import meant_time

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[ T]?%")
_MONTH, _CLOCK = re.compile(r"\d{4}-\d\d-?%"), re.compile(r"\d\d:\d\d(:00)?")
_SIZES = (("HOUR", 0, 23), ("YEAR", 1900, 2100), ("EPOCH", 10**9, 10**10))  # least and greatest numbers that mean it
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_TIMES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE)


def instead(arguments: Sequence[Expr], node: exp.Expr) -> Suggestion | None:
    """Write a comparison with a constant, a LIKE of a day, or a day and a number so that types agree, or None."""
    sides = [node.this, node.expression] if isinstance(node, exp.Binary) else []
    if len(arguments) != len(sides):
        return None
    if isinstance(node, exp.Add | exp.Sub):
        days = tuple(each.type for each in arguments) == (SqlType.DATE, SqlType.BIGINT)
        return Suggestion(_numbered_days(node), "a number of days since 1970-01-01") if days else None
    if isinstance(node, exp.Like):
        like = _like(sides[0], sides[1].name) if arguments[0].type in _TIMES else None
        return None if like is None else Suggestion(like)
    made = node.copy()
    for place, (one, other) in enumerate(zip(arguments, reversed(arguments), strict=True)):
        text = str(one.value) if isinstance(one, Literal) else ""
        new = exp.Literal.number(text) if one.type is SqlType.VARCHAR else exp.Literal.string(text)
        unquoted = one.type is SqlType.VARCHAR and other.type in _NUMBERS and _NUMBER.fullmatch(text)
        quoted = one.type in _NUMBERS and other.type is SqlType.VARCHAR and text
        if unquoted or quoted:
            made.set("expression" if place else "this", new)
            return Suggestion(_written(made), "compared as text" if quoted else "")
        told = _of_time(sides[1 - place], other, one, sides[place])
        if told is not None:
            made.set("this" if place else "expression", told[0])
            made.set("expression" if place else "this", told[1])
            return Suggestion(_written(made), told[2])
    return None


def _like(time: exp.Expr, pattern: str) -> str | None:
    day = _DAY.fullmatch(pattern)
    if day is not None:
        return f"CAST({_written(time)} AS DATE) = DATE '{day[1]}'"
    return f"STRFTIME({_written(time)}, '%Y-%m-%d') LIKE '{pattern}'" if _MONTH.fullmatch(pattern) else None


def _of_time(side: exp.Expr, typed: Expr, constant: Expr, written: exp.Expr) -> tuple[exp.Expr, exp.Expr, str] | None:
    """Find what of a time is compared with a constant of another type: its day, year, hour or seconds, or itself.

    Returns both sides, and what they compare that the question did not.
    """
    if not isinstance(constant, Literal):
        return None
    value = constant.value
    if typed.type in _TIMES and isinstance(value, int) and not isinstance(value, bool):
        day = meant_time(str(value), "DATE") if len(str(value)) == len("20261001") else None
        if day is not None:
            return side.copy(), _parsed(f"DATE {day}"), f"{value} is read as a day"
        part = next((part for part, least, most in _SIZES if least <= value <= most), None)
        compared = f"compares the {str(part).lower()} of {_written(side)}"
        return None if part is None else (_parsed(f"{part}({_written(side)})"), written.copy(), compared)
    if isinstance(side, exp.TimeToUnix) and constant.type in (SqlType.VARCHAR, *_TIMES):
        return side.this.copy(), written.copy(), ""
    if isinstance(side, exp.Hour) and _CLOCK.fullmatch(str(value)):
        clock = _parsed(f"TIME '{str(value)[:5]}:00'")
        return _parsed(f"CAST({_written(side.this)} AS TIME)"), clock, "compares the time of day"
    return None


def _numbered_days(node: exp.Add | exp.Sub) -> str:
    """Count days from one day on: a date that moves by what a row says is not in the dialect, a number is."""
    made = node.copy()
    made.set("this", _parsed(f"DATE_DIFF('day', DATE '1970-01-01', {_written(node.this)})"))
    return _written(made)


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _parsed(text: str) -> exp.Expr:
    return parse_one(text, dialect="duckdb")
