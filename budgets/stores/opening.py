"""Which database a ledger's address means."""

from __future__ import annotations

from pathlib import Path

from budgets.stores.postgres import is_postgres, open_postgres
from budgets.stores.sqlite import open_sqlite
from budgets.stores.store import Store


def open_store(address: str | Path) -> Store:
    """Open a ledger, made when absent: a file, ":memory:", or postgresql://; raises UnsafeStore, LedgerUnavailable."""
    return open_postgres(str(address)) if is_postgres(str(address)) else open_sqlite(address)
