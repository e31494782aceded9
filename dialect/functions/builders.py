"""Expression builders: typed Calls that the compiler itself generates.

Each builder names the allow-list row of its function, so generated calls have the same forms as the analyst's.
"""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import SqlType
from dialect.functions.registry import forms_of


def _row(name: str, *arguments: str) -> str:
    return next(form.row for form in forms_of(name) if form.arguments == arguments)


_DOUBLES = {
    **{name: _row(name, "num", "num") for name in ("+", "-", "*", "/")},
    **{name: _row(name, "num") for name in ("abs", "sqrt", "ceil", "floor")},
    "greatest": _row("greatest", "any*"),
}
_INTEGERS = {**{name: _row(name, "int", "int") for name in ("+", "//")}, "least": _row("least", "any*")}
_COMPARED = {sign: _row(sign, "num", "num") for sign in (">", ">=", "<=", "<")}
_SAME = _row("is not distinct from", "num", "num")  # the same form for any two values of one type
_IS_NULL, _NOT = _row("is null", "any"), _row("not", "bool")
_TO_BIGINT, _TO_DOUBLE = _row("to_bigint", "num"), _row("to_double", "num")
_WALL = _row("wall", "instant", "zone!")


def double(name: str, *arguments: Expr) -> Call:
    """Build a DOUBLE from numbers: + - * / abs sqrt ceil floor greatest."""
    return Call(_DOUBLES[name], arguments, SqlType.DOUBLE)


def integer(name: str, *arguments: Expr) -> Call:
    """Build a BIGINT from integers: + // least."""
    return Call(_INTEGERS[name], arguments, SqlType.BIGINT)


def compared(sign: str, one: Expr, other: Expr) -> Call:
    """Build a comparison of two numbers: > >= <= <."""
    return Call(_COMPARED[sign], (one, other), SqlType.BOOLEAN)


def same(one: Expr, other: Expr) -> Call:
    """Build `one IS NOT DISTINCT FROM other`, for two values of one type."""
    return Call(_SAME, (one, other), SqlType.BOOLEAN)


def is_null(value: Expr) -> Call:
    """Build `value IS NULL`."""
    return Call(_IS_NULL, (value,), SqlType.BOOLEAN)


def is_there(value: Expr) -> Call:
    """Build `value IS NOT NULL`."""
    return Call(_NOT, (is_null(value),), SqlType.BOOLEAN)


def to_bigint(number: Expr) -> Call:
    """Build a rounding cast to BIGINT; NULL where the number does not fit."""
    return Call(_TO_BIGINT, (number,), SqlType.BIGINT)


def to_double(number: Expr) -> Call:
    """Build a cast to DOUBLE."""
    return Call(_TO_DOUBLE, (number,), SqlType.DOUBLE)


def wall(instant: Expr, zone: str) -> Call:
    """Build the local timestamp of an instant in a time zone."""
    return Call(_WALL, (instant, Literal(zone, SqlType.VARCHAR)), SqlType.TIMESTAMP)
