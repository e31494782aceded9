"""Typed expression -> SQL text for DuckDB, in total forms; the one place where constants are quoted."""

from __future__ import annotations

import re

from dialect.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.expressions import Call, Case, Expr, Literal, Ref, children
from dialect.functions import function

MAX_TEXT = 200_000  # characters of generated SQL
_SLOT = re.compile(r"\{(\d?)(\*?)([^}]*)\}")


def quote(literal: Literal) -> str:
    """Write a constant so that it can be nothing else: the only way any value enters generated SQL."""
    value, kind = literal.value, literal.type
    if value is None:
        return "NULL" if kind is SqlType.NULL else f"CAST(NULL AS {kind})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) and kind is not SqlType.DOUBLE:
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, int | float):
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    text = "'" + value.replace("'", "''") + "'"
    if kind is SqlType.VARCHAR:
        return text
    if kind is SqlType.INTERVAL:
        amount, unit = value.split(" ")
        return f"INTERVAL '{int(amount)} {unit}'"
    return f"CAST({text} AS {kind})"


def name(identifier: str) -> str:
    """Quote a stored name."""
    return '"' + identifier.replace('"', '""') + '"'


def write_expr(expr: Expr) -> str:
    """Write an expression over columns that are named by their field ids."""
    if weight(expr) > MAX_TEXT:
        raise Refusal(
            Code.COMPLEX, "An expression becomes too long when it is made safe.", "compute parts in a subquery"
        )
    return _written(expr)


def weight(expr: Expr) -> int:
    """Bound the length of the written text without writing it."""
    if isinstance(expr, Literal):
        return len(str(expr.value)) * 2 + 24
    if isinstance(expr, Ref):
        return 8
    if isinstance(expr, Case):
        return 16 + sum(weight(part) + 12 for part in children(expr))
    form = function(expr.function).duckdb
    weights = [weight(argument) for argument in expr.arguments]
    repeats = [max(1, form.count("{%d}" % i)) for i in range(len(weights))]
    return len(form) + sum(w * r + 4 for w, r in zip(weights, repeats, strict=True))


def _written(expr: Expr) -> str:
    if isinstance(expr, Literal):
        return quote(expr)
    if isinstance(expr, Ref):
        return expr.field.id
    if isinstance(expr, Case):
        branches = " ".join(f"WHEN {_written(test)} THEN {_written(value)}" for test, value in expr.branches)
        return f"CASE {branches} ELSE {_written(expr.otherwise)} END"
    return _filled(expr)


def _filled(expr: Call) -> str:
    arguments = [_written(argument) for argument in expr.arguments]

    def slot(found: re.Match[str]) -> str:
        position, many, between = found[1], found[2], found[3]
        if not many:
            return arguments[int(position)]
        return between.join(arguments[int(position or 0) :])

    return _SLOT.sub(slot, function(expr.function).duckdb)
