"""Retention -> a condition on the rows of a scan: what happened before the first kept day is never read."""

from __future__ import annotations

from dialect.catalog import SqlType, Table
from dialect.expressions import Literal
from dialect.functions_time import WALL
from dialect.stored_column import stored_column
from dialect.write_expr import quote


def retained(table: Table) -> list[str]:
    """Write which rows of a table are inside retention, by the clock of its time column (`proofs.md#retention`).

    A row without a time is not known to be inside. The first kept day is a public fact of the catalog.
    """
    column = table.column(table.time_column) if table.time_column is not None else None
    if table.kept_from is None or column is None:
        return []
    stored = stored_column(column)
    if column.type is SqlType.TIMESTAMPTZ:
        stored = WALL.format(stored, quote(Literal(column.time_zone, SqlType.VARCHAR)))
    return [f"{stored} >= {quote(Literal(table.kept_from, SqlType.DATE))}"]
