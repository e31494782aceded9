"""A ledger in which nothing was ever charged, as often as one is asked for: making its tables anew costs more than a question."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from budgets import Ledger

_FREE: list[Ledger] = []  # opened before, and not in use


@contextmanager
def blank_ledger() -> Iterator[Ledger]:
    """Give a ledger in memory whose whole content is that of a new one."""
    ledger = _FREE.pop() if _FREE else Ledger.open(":memory:")
    with _connection(_new()) as new, _connection(ledger) as connection:
        new.backup(connection)
    yield ledger
    _FREE.append(ledger)  # one that a test broke is not given again


@cache
def _new() -> Ledger:
    return Ledger.open(":memory:")


@contextmanager
def _connection(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """Borrow the one connection of a ledger in memory."""
    borrowed = ledger._store.writer.raw_connection()
    try:
        made = borrowed.driver_connection
        assert isinstance(made, sqlite3.Connection)
        yield made
    finally:
        borrowed.close()
