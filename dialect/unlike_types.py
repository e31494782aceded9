"""A call whose arguments have other types than it takes -> what may have been meant, as text in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp, parse_one

from dialect.catalog import SqlType
from dialect.expressions import Expr, Literal

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[ T]?%")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_TIMES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE)


def instead(arguments: Sequence[Expr], node: exp.Expr) -> str | None:
    """Write a comparison with a constant, a LIKE of a day, or a day and a number so that types agree, or None."""
    sides = [node.this, node.expression] if isinstance(node, exp.Binary) else []
    if len(arguments) != len(sides):
        return None
    if isinstance(node, exp.Add | exp.Sub):
        days = tuple(each.type for each in arguments) == (SqlType.DATE, SqlType.BIGINT)
        return _numbered_days(node) if days else None
    if isinstance(node, exp.Like):
        day = _DAY.fullmatch(sides[1].name) if arguments[0].type in _TIMES else None
        return None if day is None else f"CAST({_written(sides[0])} AS DATE) = DATE '{day[1]}'"
    made = node.copy()
    for place, (one, other) in enumerate(zip(arguments, reversed(arguments), strict=True)):
        text = str(one.value) if isinstance(one, Literal) else ""
        new = exp.Literal.number(text) if one.type is SqlType.VARCHAR else exp.Literal.string(text)
        unquoted = one.type is SqlType.VARCHAR and other.type in _NUMBERS and _NUMBER.fullmatch(text)
        quoted = one.type in _NUMBERS and other.type is SqlType.VARCHAR and text
        if unquoted or quoted:
            made.set("expression" if place else "this", new)
            return _written(made)
    return None


def _numbered_days(node: exp.Add | exp.Sub) -> str:
    """Count days from one day on: a date that moves by what a row says is not in the dialect, a number is."""
    made = node.copy()
    made.set("this", parse_one(f"DATE_DIFF('day', DATE '1970-01-01', {_written(node.this)})", dialect="duckdb"))
    return _written(made)


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)
