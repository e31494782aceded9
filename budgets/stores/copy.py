"""Copy a whole ledger in one snapshot into an empty database of the same kind or the other."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, insert, inspect, select

from budgets.errors import UnsafeStore
from budgets.stores import client_tables
from budgets.stores.ledger_format import ensure_schema
from budgets.stores.open import open_store, shown_address
from budgets.stores.schema import metadata
from budgets.stores.store import Store

BATCH_ROWS = 500


def write_copy(source: Store, address: str | Path) -> None:
    """Copy a ledger to an empty place, completely or not at all; raises UnsafeStore if it is not empty."""
    with source.reading() as rows:

        def fill(connection: Connection) -> None:
            if inspect(connection).get_table_names():
                raise UnsafeStore("There is something already where the ledger is to be written.", "an empty place.")
            metadata.create_all(connection)
            for table in metadata.sorted_tables:
                _copy(rows, connection, table)
            ensure_schema(connection)

        _check_no_file(address)
        open_store(address, fill).close()


def write_register_copy(source: Store, address: str | Path) -> None:
    """Copy an objection register to an empty place in one transaction; raises UnsafeStore if it is not empty."""
    _check_no_file(address)
    with (
        source.reading() as rows,
        closing(open_store(address, client_tables.prepare_register)) as target,
        target.writing() as connection,
    ):
        if client_tables.read_objection_events(connection):
            raise UnsafeStore(f"There is a register at {shown_address(address)} already.", "an empty place.")
        for table in client_tables.metadata.sorted_tables:
            _copy(rows, connection, table)


def _copy(rows: Connection, connection: Connection, table: Table) -> None:
    for some in rows.execute(select(table)).mappings().partitions(BATCH_ROWS):
        connection.execute(insert(table), [dict(row) for row in some])


def _check_no_file(address: str | Path) -> None:
    """Refuse a file that exists already; raises UnsafeStore."""
    where = shown_address(address)
    if "://" not in where and Path(where).exists():
        raise UnsafeStore(f"There is a file {where} already.", "a place where nothing is yet.")
