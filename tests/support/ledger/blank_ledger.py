"""Reusable empty ledgers: resetting an in-memory ledger is cheaper than creating its tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Generic, TypeVar

from budgets import Ledger

Kept = TypeVar("Kept")  # an in-memory ledger, or a server's own tables


class StorePool(Generic[Kept]):
    """A pool of in-memory stores, each reset to the content of a new one."""

    def __init__(self, opened: Callable[[], Kept]) -> None:
        self._opened, self._free = opened, list[Kept]()

    @cached_property
    def _new(self) -> Kept:
        return self._opened()

    @contextmanager
    def borrow(self) -> Iterator[Kept]:
        """Yield a store whose content is that of a new one."""
        given = self._free.pop() if self._free else self._opened()
        with _connection(self._new) as new, _connection(given) as connection:
            new.backup(connection)
        yield given
        if isinstance(given, Ledger):
            given.write_repeats(all_hours=True)  # its counts must not reach another test
        self._free.append(given)  # not reached if the test failed: a broken one is not reused


blank_ledger = StorePool(lambda: Ledger.open(":memory:")).borrow


@contextmanager
def _connection(store: Any) -> Iterator[sqlite3.Connection]:
    """Borrow the one connection of an in-memory store."""
    borrowed = store._store.writer.raw_connection()
    try:
        made = borrowed.driver_connection
        assert isinstance(made, sqlite3.Connection)
        yield made
    finally:
        borrowed.close()
