"""Retention -> a condition on the rows of a scan: what happened before the first kept day is not read, nor charged."""

from __future__ import annotations

from dialect.algebra.expressions import Literal
from dialect.catalog.catalog import SqlType, Table
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import WORDS
from dialect.codegen.stored_column import stored_column


def retained(table: Table, engine: EngineName = EngineName.DUCKDB) -> list[str]:
    """Write which rows of a table are inside retention, by the clock of its time column (`proofs.md#retention`).

    A row without a time is not known to be inside. The first kept day is a public fact of the catalog.
    """
    if table.kept_from is None or table.time_column is None:
        return []
    return [f"{stored_time(table, engine)} >= {WORDS[engine].emitter.quote(Literal(table.kept_from, SqlType.DATE))}"]


def stored_time(table: Table, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the time of a stored row on the clock of its own zone, as questions read it."""
    column = table.column(table.time_column or "")
    assert column is not None  # noqa: S101  the caller asks
    stored = stored_column(column, table, engine)
    if column.type is not SqlType.TIMESTAMPTZ:
        return stored
    zone = WORDS[engine].emitter.quote(Literal(column.time_zone, SqlType.VARCHAR))
    return WORDS[engine].wall.format(stored, zone)
