"""Sandbox: a DuckDB that contains only releases and public tables, for the outer SQL of a query."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa

from dialect import Catalog, Target
from dialect.functions import quote_identifier
from engine.backends.lockdown import DuckDBConfig, connect_to_memory, lock_down, run_statement
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed

_CONFIG: DuckDBConfig = {
    "threads": 1,
    "memory_limit": "2GB",
    "max_execution_time": 60_000,
    "temp_directory": "",  # no spilling: the default would be the working directory of the process
}
_MOST_IDLE = 4
_idle: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()  # locked and empty; opening one costs 20 ms


def run_outer(sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run generated SQL over named Arrow tables, in one thread so that the order is deterministic.

    Each query has a database for itself, through a cursor; its tables are dropped when that closes. Raises
    ExecutionFailed.
    """
    database = _borrow()
    try:
        result = run_statement(database, sql, tables)
    except ExecutionFailed:
        threading.Thread(target=database.close).start()  # a failed statement may have left something behind
        raise
    if _idle.qsize() < _MOST_IDLE:
        _idle.put(database)
    else:
        database.close()
    return result


def _borrow() -> duckdb.DuckDBPyConnection:
    try:
        return _idle.get_nowait()
    except Empty:
        database = connect_to_memory(_CONFIG)
        lock_down(database)
        return database


def public_table(table_name: str, catalog: Catalog, backend: Backend) -> pa.Table:
    """Read all rows of a public table."""
    return backend.public(public_table_sql(table_name, catalog, backend.target))


def public_table_sql(table_name: str, catalog: Catalog, target: Target) -> str:
    """Generate SQL that reads all rows of a public table."""
    table = catalog.table(table_name)
    assert table is not None and not table.private  # noqa: S101  released relations hold no private scan
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {target.addresses[table_name]}"
