"""Sandbox: a DuckDB that contains only releases and public tables, for the outer SQL of a query."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa

from dialect import Catalog, Target
from dialect.functions import quote_identifier
from engine.backends.duckdb import run_to_arrow
from engine.backends.lockdown import LOCKDOWN_SETTINGS, lock_down
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    **LOCKDOWN_SETTINGS,
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
        result = _run(database, sql, tables)
    except (duckdb.Error, MemoryError, pa.ArrowException) as failure:
        kind = type(failure).__name__
        threading.Thread(target=database.close).start()  # a failed statement may have left something behind
    else:
        _return(database)
        return result
    raise ExecutionFailed(kind)  # raised outside the handler, so that no engine error is its context


def _run(database: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    with database.cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return run_to_arrow(connection, sql)


def _open() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config=_CONFIG)
    lock_down(database)
    return database


def _borrow() -> duckdb.DuckDBPyConnection:
    try:
        return _idle.get_nowait()
    except Empty:
        return _open()


def _return(database: duckdb.DuckDBPyConnection) -> None:
    if _idle.qsize() < _MOST_IDLE:
        _idle.put(database)
    else:
        database.close()


def public_table(table_name: str, catalog: Catalog, backend: Backend) -> pa.Table:
    """Read all rows of a public table."""
    return backend.public(public_table_sql(table_name, catalog, backend.target))


def public_table_sql(table_name: str, catalog: Catalog, target: Target) -> str:
    """Generate SQL that reads all rows of a public table."""
    table = catalog.table(table_name)
    assert table is not None and not table.private  # noqa: S101  released relations hold no private scan
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {target.addresses[table_name]}"
