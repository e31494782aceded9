"""Stored column -> a value of its dialect type: what every read of a declared table goes through."""

from __future__ import annotations

from dialect.catalog import Column, SqlType
from dialect.expressions import Literal
from dialect.functions_time import EARLIEST, LATEST
from dialect.write_expr import name, quote

_AS_IT_IS = {"DOUBLE", "TIMESTAMP", "DATETIME"}


def stored_column(column: Column) -> str:
    """Write a stored column: decimals and single floats as doubles, UTC as the place's own time."""
    written, stored = name(column.name), column.stored_type.upper()
    if column.type is SqlType.DOUBLE and stored not in _AS_IT_IS:
        return f"CAST({written} AS DOUBLE)"
    if column.type is not SqlType.TIMESTAMP:
        return written
    if stored not in _AS_IT_IS:
        written = f"TRY_CAST({written} AS TIMESTAMP)"  # of seconds, which reach further than microseconds
    if not column.stored_utc or column.time_zone is None:
        return written
    within = f"{written} BETWEEN TIMESTAMP '{EARLIEST} 00:00:00' AND TIMESTAMP '{LATEST} 00:00:00'"
    zone = quote(Literal(column.time_zone, SqlType.VARCHAR))
    return f"CASE WHEN {within} THEN timezone({zone}, timezone('UTC', {written})) END"
