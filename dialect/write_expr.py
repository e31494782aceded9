"""Typed expression -> SQL text for DuckDB, in total forms; the one place where constants are quoted."""

from __future__ import annotations

import re

from dialect.catalog import SqlType
from dialect.expressions import Call, Case, Expr, Literal, Ref
from dialect.functions import function
from dialect.functions_polygons import STORED as POLYGON

_SLOT = re.compile(r"\{(\d?)(\*?)([^}]*)\}")


def quote(literal: Literal) -> str:
    """Write a constant so that it can be nothing else: the only way any value enters generated SQL."""
    value, kind = literal.value, literal.type
    if value is None:
        return "NULL" if kind is SqlType.NULL else f"CAST(NULL AS {POLYGON if kind is SqlType.POLYGON else kind})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) and kind is not SqlType.DOUBLE:
        if value == -(2**63):
            return f"CAST('{value}' AS BIGINT)"  # its digits alone are no BIGINT
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, int | float):
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    text = quote_text(value)
    if kind is SqlType.VARCHAR:
        return text
    if kind is SqlType.INTERVAL:
        amount, unit = value.split(" ")
        return f"INTERVAL '{int(amount)} {unit}'"
    return f"CAST({text} AS {kind})"


def quote_text(value: str) -> str:
    """Quote text; a NUL, which would end the statement, is made by the engine itself."""
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\x00")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


def name(identifier: str) -> str:
    """Quote a stored name."""
    return '"' + identifier.replace('"', '""') + '"'


def write_expr(expr: Expr) -> str:
    """Write an expression over columns that are named by their field ids."""
    if isinstance(expr, Literal):
        return quote(expr)
    if isinstance(expr, Ref):
        return expr.field.id
    if isinstance(expr, Case):
        branches = " ".join(f"WHEN {write_expr(test)} THEN {write_expr(value)}" for test, value in expr.branches)
        return f"CASE {branches} ELSE {write_expr(expr.otherwise)} END"
    return _filled(expr)


def write_term(expr: Expr, descending: bool, nulls_first: bool) -> str:
    """Write a term of an order; where NULLs stand is said."""
    direction, nulls = "DESC" if descending else "ASC", "FIRST" if nulls_first else "LAST"
    return f"{write_expr(expr)} {direction} NULLS {nulls}"


def _filled(expr: Call) -> str:
    arguments = [write_expr(argument) for argument in expr.arguments]

    def slot(found: re.Match[str]) -> str:
        position, many, between = found[1], found[2], found[3]
        if not many:
            return arguments[int(position)]
        return between.join(arguments[int(position or 0) :])

    return _SLOT.sub(slot, function(expr.function).duckdb)
