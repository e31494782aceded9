"""The format version of a ledger: created in an empty database, refused if it differs."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select

from budgets.errors import UnsafeStore
from budgets.stores import client_tables, journal
from budgets.stores.schema import FORMAT_VERSION, check_guards, client_names, ledger_format, metadata


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


def _format(connection: Connection) -> int:
    return int(connection.execute(select(ledger_format.c.version)).scalar_one())
