"""Every row of a ledger's tables, read without the project's own schema."""

from __future__ import annotations

from sqlalchemy import Connection, inspect


def contents(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table that is there."""
    names = sorted(inspect(connection).get_table_names())
    read = {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in names}
    return {name: sorted((tuple(row) for row in rows), key=repr) for name, rows in read.items()}
