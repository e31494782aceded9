"""The format version of a ledger: created in an empty database, refused if it differs."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select

from budgets.errors import UnsafeStore
from budgets.stores import client_tables, journal
from budgets.stores.schema import FORMAT_VERSION, check_guards, client_names, ledger_format, metadata
from budgets.stores.store import Store

FillTables = Callable[[Connection], None]


def prepare_ledger(store: Store, fill: FillTables | None = None) -> Store:
    """Make a store ready for use, or close it; raises UnsafeStore, LedgerUnavailable."""
    try:
        with store.writing() as connection:
            if fill is not None:
                _fill_empty(connection, fill)
            ensure_schema(connection)
    except BaseException:
        store.close()
        raise
    return store


def ensure_schema(connection: Connection) -> None:
    """Create the tables in an empty database; raises UnsafeStore for another format, without changes."""
    if not inspect(connection).has_table(ledger_format.name):
        metadata.create_all(connection)
        connection.execute(insert(ledger_format).values(version=FORMAT_VERSION))
        journal.create_chain_head(connection)
    if _format(connection) != FORMAT_VERSION:
        raise UnsafeStore(
            f"This ledger has format {_format(connection)}, and this version reads format {FORMAT_VERSION}.",
            "the version of passersby that wrote it, or a newer one.",
        )
    client_names.create(connection, checkfirst=True)  # older ledgers of this format lack it
    check_guards(connection, metadata)
    client_tables.complete_names(connection)
    client_tables.complete_failures(connection)


def _fill_empty(connection: Connection, fill: FillTables) -> None:
    if inspect(connection).get_table_names():
        raise UnsafeStore("There is something already where the ledger is to be written.", "an empty place.")
    fill(connection)


def _format(connection: Connection) -> int:
    return int(connection.execute(select(ledger_format.c.version)).scalar_one())
