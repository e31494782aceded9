"""Expression builders: typed Calls that the compiler itself generates.

Each builder names the allow-list row of its function, so generated calls have the same forms as the analyst's.
"""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import SqlType
from dialect.functions.registry import OVERLOADS_BY_NAME


def _row_name(name: str, *arguments: str) -> str:
    """Return the row name of the overload of a function with exactly these argument kinds."""
    return next(form.row_name for form in OVERLOADS_BY_NAME[name] if form.argument_kinds == arguments)


_DOUBLES = {
    **{name: _row_name(name, "num", "num") for name in ("+", "-", "*", "/")},
    **{name: _row_name(name, "num") for name in ("abs", "sqrt", "ceil", "floor")},
    **{name: _row_name(name, "any*") for name in ("greatest", "least")},
}
_INTEGERS = {**{name: _row_name(name, "int", "int") for name in ("+", "//")}, "least": _row_name("least", "any*")}
_COMPARISONS = {sign: _row_name(sign, "num", "num") for sign in (">", ">=", "<=", "<")}
_IS_NOT_DISTINCT = _row_name("is not distinct from", "num", "num")  # the same form for any two values of one type
_IS_NULL, _NOT = _row_name("is null", "any"), _row_name("not", "bool")
_TO_BIGINT, _TO_DOUBLE = _row_name("to_bigint", "num"), _row_name("to_double", "num")
_LOCAL_TIMESTAMP = _row_name("wall", "instant", "zone!")


def double_call(name: str, *arguments: Expr) -> Call:
    """Build a DOUBLE from numbers: + - * / abs sqrt ceil floor greatest least."""
    return Call(_DOUBLES[name], arguments, SqlType.DOUBLE)


def integer_call(name: str, *arguments: Expr) -> Call:
    """Build a BIGINT from integers: + // least."""
    return Call(_INTEGERS[name], arguments, SqlType.BIGINT)


def comparison(sign: str, one: Expr, other: Expr) -> Call:
    """Build a comparison of two numbers: > >= <= <."""
    return Call(_COMPARISONS[sign], (one, other), SqlType.BOOLEAN)


def is_not_distinct(one: Expr, other: Expr) -> Call:
    """Build `one IS NOT DISTINCT FROM other`, for two values of one type."""
    return Call(_IS_NOT_DISTINCT, (one, other), SqlType.BOOLEAN)


def is_null(value: Expr) -> Call:
    """Build `value IS NULL`."""
    return Call(_IS_NULL, (value,), SqlType.BOOLEAN)


def is_not_null(value: Expr) -> Call:
    """Build `value IS NOT NULL`."""
    return Call(_NOT, (is_null(value),), SqlType.BOOLEAN)


def to_bigint(number: Expr) -> Call:
    """Build a rounding cast to BIGINT; NULL where the number does not fit."""
    return Call(_TO_BIGINT, (number,), SqlType.BIGINT)


def to_double(number: Expr) -> Call:
    """Build a cast to DOUBLE."""
    return Call(_TO_DOUBLE, (number,), SqlType.DOUBLE)


def local_timestamp(instant: Expr, zone: str) -> Call:
    """Build the local timestamp of an instant in a time zone."""
    return Call(_LOCAL_TIMESTAMP, (instant, Literal(zone, SqlType.VARCHAR)), SqlType.TIMESTAMP)
