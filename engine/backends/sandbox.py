"""Sandbox: a DuckDB that contains only releases and public tables, for the outer SQL of a query."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa

from dialect import Catalog, Target
from dialect.functions import name as quoted
from engine.backends.duckdb import table_of
from engine.backends.locked import LOCKED, lock
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    **LOCKED,
    "threads": 1,
    "memory_limit": "2GB",
    "max_execution_time": 60_000,
    "temp_directory": "",  # no spilling: the default would be the working directory of the process
}
_MOST_IDLE = 4
_idle: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()  # locked and empty; opening one costs 20 ms


def outer(sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run generated SQL over named Arrow tables, in one thread so that the order is deterministic.

    Each query has a database for itself, through a cursor; its tables are dropped when that closes. Raises
    ExecutionFailed.
    """
    database = _take()
    try:
        found = _asked(database, sql, tables)
    except (duckdb.Error, MemoryError, pa.ArrowException) as failure:
        kind = type(failure).__name__
        threading.Thread(target=database.close).start()  # a failed statement may have left something behind
    else:
        _give_back(database)
        return found
    raise ExecutionFailed(kind)  # raised outside the handler, so that no engine error is its context


def _asked(database: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    with database.cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return table_of(connection, sql)


def _open() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(config=_CONFIG)
    lock(database)
    return database


def _take() -> duckdb.DuckDBPyConnection:
    try:
        return _idle.get_nowait()
    except Empty:
        return _open()


def _give_back(database: duckdb.DuckDBPyConnection) -> None:
    if _idle.qsize() < _MOST_IDLE:
        _idle.put(database)
    else:
        database.close()


def public_table(table_name: str, catalog: Catalog, backend: Backend) -> pa.Table:
    """Read all rows of a public table."""
    return backend.public(read_public(table_name, catalog, backend.target))


def read_public(table_name: str, catalog: Catalog, target: Target) -> str:
    """Generate SQL that reads all rows of a public table."""
    table = catalog.table(table_name)
    assert table is not None and not table.private  # noqa: S101  released relations hold no private scan
    columns = ", ".join(quoted(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {target.addresses[table_name]}"
