"""Open a ledger by its address: a SQLite file or a PostgreSQL URL."""

from __future__ import annotations

from pathlib import Path

from budgets.stores.ledger_format import ensure_schema
from budgets.stores.postgres import is_postgres, open_postgres
from budgets.stores.sqlite import open_sqlite
from budgets.stores.store import PrepareTables, Store


def shown_address(address: str | Path) -> str:
    """Format a ledger's address for display: a file as an absolute path, a URL without user and password."""
    if not is_postgres(str(address)):
        return str(Path(address).absolute())
    scheme, _, rest = str(address).partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def open_store(address: str | Path, prepare: PrepareTables = ensure_schema) -> Store:
    """Open or create a ledger: a file, ":memory:", or postgresql://; raises UnsafeStore, LedgerUnavailable."""
    return open_postgres(str(address), prepare) if is_postgres(str(address)) else open_sqlite(address, prepare)
