"""The format of a ledger: made where there is none, carried over from an older one, refused where it is newer."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select

from budgets.errors import UnsafeStore
from budgets.stores import entries
from budgets.stores.guards import check_guards
from budgets.stores.schema import FORMAT_VERSION, ledger_format, metadata
from budgets.stores.store import Store


def prepared(store: Store) -> Store:
    """Make a store ready for use, or close it; raises UnsafeStore, LedgerUnavailable."""
    try:
        with store.writing() as connection:
            ensure_schema(connection)
    except BaseException:
        store.close()
        raise
    return store


def ensure_schema(connection: Connection) -> None:
    """Create the tables in an empty ledger; raises UnsafeStore if another version made them, or a guard is gone."""
    if not inspect(connection).has_table(ledger_format.name):
        metadata.create_all(connection)
        connection.execute(insert(ledger_format).values(version=FORMAT_VERSION))
        entries.begin(connection)
    found = connection.execute(select(ledger_format.c.version)).scalars().all()
    if found != [FORMAT_VERSION]:
        raise UnsafeStore(
            f"This ledger has format {found}, and this version reads format {FORMAT_VERSION}.",
            "the version of passersby that wrote it.",
        )
    check_guards(connection, metadata)
