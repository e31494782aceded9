"""A probe writes to the disk as a charge does, but changes no row of any table."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgets import Ledger, LedgerUnavailable, failure_cause
from budgets.stores.schema import metadata

ROUNDS = 5


def test_a_probe_changes_no_row(ledger: Ledger) -> None:
    ledger.add_client("ana", actor="root", reason="a test")
    with ledger._store.reading() as connection:
        before = {each.name: connection.execute(each.select()).all() for each in metadata.sorted_tables}
    for _ in range(ROUNDS):
        ledger.probe()
    with ledger._store.reading() as connection:
        assert before == {each.name: connection.execute(each.select()).all() for each in metadata.sorted_tables}
    assert not ledger.verify()


def test_each_probe_is_written_to_the_disk(tmp_path: Path) -> None:
    """A row that is updated with what it holds is not: SQLite compares, and the log stays as it is."""
    file = tmp_path / "ledger.sqlite"
    with Ledger.open(file) as ledger:
        sizes = [Path(f"{file}-wal").stat().st_size]
        for _ in range(ROUNDS):
            ledger.probe()
            sizes.append(Path(f"{file}-wal").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_a_ledger_locked_by_another_writer_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with Ledger.open(file) as ledger, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        driver = ledger._store.writer.raw_connection()
        driver.cursor().execute("PRAGMA busy_timeout = 10")
        driver.close()
        with pytest.raises(LedgerUnavailable) as busy:
            ledger.probe()
        assert failure_cause(busy.value) == "SQLITE_BUSY"
