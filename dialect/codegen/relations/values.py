"""VALUES and generate_series as SELECT for DuckDB; the parameters are those of every writer of `relation`."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field, Literal
from dialect.algebra.relations import Series, Values
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_literal


def select_list(columns: Sequence[str]) -> str:
    """Join the columns of a select list; a dummy column where there are none."""
    return ", ".join(columns) or "1 AS dummy"


def write_values(values: Values, needed: frozenset[Field], target: Target) -> str:
    """Write rows of constants as VALUES; without rows, one row of typed NULLs that WHERE FALSE removes.

    `target` is ignored: constants are written alike for all targets, which are DuckDB's here.
    """
    del target
    if not values.fields:
        return "SELECT 1 AS dummy"
    columns = select_list([f.id for f in values.fields if f in needed])
    names = ", ".join(f.id for f in values.fields)
    cells = [
        [quote_literal(Literal(c.value, f.type)) for c, f in zip(row, values.fields, strict=True)]
        for row in values.rows
    ]
    if not cells:
        nulls = ", ".join(quote_literal(Literal(None, f.type)) for f in values.fields)
        return f"SELECT {columns} FROM (VALUES ({nulls})) AS v({names}) WHERE FALSE"
    rows = ", ".join(f"({', '.join(row)})" for row in cells)
    return f"SELECT {columns} FROM (VALUES {rows}) AS v({names})"


def write_series(series: Series, needed: frozenset[Field], target: Target) -> str:
    """Write a series, both ends included; its one column is always written, and `target` is ignored."""
    del needed, target
    lower, upper, kind = quote_literal(series.lower), quote_literal(series.upper), series.field.type
    step = "" if series.lower.type is SqlType.BIGINT else f", INTERVAL '{series.step}'"
    return f"SELECT CAST(x AS {kind}) AS {series.field.id} FROM generate_series({lower}, {upper}{step}) AS s(x)"
