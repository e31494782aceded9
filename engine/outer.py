"""The rest of the question, run over releases and public tables in an empty DuckDB that holds nothing else."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa

from dialect import Catalog
from dialect.write_expr import name as quoted
from engine.backends.duckdb import LOCKED, DuckDBBackend, lock
from engine.errors import ExecutionFailed

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    **LOCKED,
    "threads": 1,
    "memory_limit": "2GB",
    "max_execution_time": 60_000,
    "temp_directory": "",  # nothing is spilled: the default would be a folder where the process happens to run
}
_SPARE = 2
_spare: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()  # opened empty, each used once


def outer(sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run generated SQL over named Arrow tables; one thread, so that order is the same every time."""
    connection = _take()
    try:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()
    except (duckdb.Error, MemoryError, pa.ArrowException):
        pass  # raised below, where no other error's text is its context
    finally:
        threading.Thread(target=_renew, args=(connection,)).start()
    raise ExecutionFailed


def _open() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=_CONFIG)
    lock(connection)
    return connection


def _take() -> duckdb.DuckDBPyConnection:
    try:
        return _spare.get_nowait()
    except Empty:
        return _open()


def _renew(used: duckdb.DuckDBPyConnection) -> None:
    """Close a used database and open empty ones, while the asker already has the answer."""
    used.close()
    while _spare.qsize() < _SPARE:
        _spare.put(_open())


def public_table(table_name: str, catalog: Catalog, backend: DuckDBBackend) -> pa.Table:
    """Read a public table whole."""
    table = catalog.table(table_name)
    assert table is not None and not table.private  # noqa: S101  released relations hold no private scan
    columns = ", ".join(quoted(column.name) for column in table.columns)
    return backend.public(f"SELECT {columns} FROM {backend.target.addresses[table_name]}")
