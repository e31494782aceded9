"""Allowed rows: truth, comparison and NULL. A result of type NULL means: the arguments' common type."""

from __future__ import annotations

from dialect import ranges
from dialect.catalog import SqlType
from dialect.function_row import Function

_BOOLEAN = SqlType.BOOLEAN
_COMPARABLE = ("num", "text", "time", "instant", "span", "bool")


def _comparison(name: str, sign: str) -> tuple[Function, ...]:
    return tuple(Function(name, (kind, kind), _BOOLEAN, f"({{0}} {sign} {{1}})") for kind in _COMPARABLE)


LOGIC: tuple[Function, ...] = (
    Function("and", ("bool*",), _BOOLEAN, "({* AND })"),
    Function("or", ("bool*",), _BOOLEAN, "({* OR })"),
    Function("not", ("bool",), _BOOLEAN, "(NOT {0})"),
    *(row for sign in ("=", "<>", "<", "<=", ">", ">=") for row in _comparison(sign, sign)),
    *_comparison("is distinct from", "IS DISTINCT FROM"),
    *_comparison("is not distinct from", "IS NOT DISTINCT FROM"),
    *(Function("in", (kind, f"{kind}*"), _BOOLEAN, "({0} IN ({1*, }))") for kind in _COMPARABLE),
    Function("coalesce", ("any*",), SqlType.NULL, "coalesce({*, })"),
    Function("nullif", ("any", "any"), SqlType.NULL, "nullif({0}, {1})", ranges.same),
    Function("least", ("any*",), SqlType.NULL, "least({*, })"),
    Function("greatest", ("any*",), SqlType.NULL, "greatest({*, })"),
    Function("is null", ("any",), _BOOLEAN, "({0} IS NULL)"),
    Function("is true", ("bool",), _BOOLEAN, "({0} IS TRUE)"),
    Function("is false", ("bool",), _BOOLEAN, "({0} IS FALSE)"),
)
