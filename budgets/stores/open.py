"""Which database a ledger's address means."""

from __future__ import annotations

from pathlib import Path

from budgets.stores.ledger_format import prepared
from budgets.stores.postgres import is_postgres, open_postgres
from budgets.stores.sqlite import open_sqlite
from budgets.stores.store import Ready, Store


def shown_address(address: str | Path) -> str:
    """Write a ledger's address for people: a file as a whole path, a server without user and password."""
    if not is_postgres(str(address)):
        return str(Path(address).absolute())
    scheme, _, rest = str(address).partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def open_store(address: str | Path, ready: Ready = prepared) -> Store:
    """Open a ledger, made when absent: a file, ":memory:", or postgresql://; raises UnsafeStore, LedgerUnavailable."""
    return open_postgres(str(address), ready) if is_postgres(str(address)) else open_sqlite(address, ready)
