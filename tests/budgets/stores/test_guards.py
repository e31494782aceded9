"""A ledger whose guards were taken away is not opened."""

from __future__ import annotations

import pytest

from budgets import Ledger, UnsafeStore
from budgets.stores.opening import open_store

TAKEN = {
    "sqlite": ["DROP TRIGGER entries_no_update"],
    "postgres": [
        "DROP TRIGGER entries_no_update ON entries",
        "ALTER TABLE entries DISABLE TRIGGER entries_no_update",
        "ALTER TABLE entries ENABLE TRIGGER entries_no_update",  # a session that replicates walks past it
    ],
}


@pytest.mark.parametrize("way", range(3))
def test_a_guard_that_is_gone_or_off_is_missed(address: str, store_kind: str, way: int) -> None:
    store = open_store(address)
    with store.writing() as connection:
        connection.exec_driver_sql(TAKEN[store_kind][way % len(TAKEN[store_kind])])
    store.close()
    with pytest.raises(UnsafeStore, match="lacks guards of its rows: entries_no_update"):
        Ledger.open(address)
