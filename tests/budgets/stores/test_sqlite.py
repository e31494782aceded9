"""SQLite as a store: private files, durable commits, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from budgets import Ledger, LedgerUnavailable, UnsafeStore
from budgets.stores import client_tables, journal, sqlite
from budgets.stores.open import open_store
from budgets.stores.store import fetch_rows
from tests.budgets.ledger_checks import ask, check_books


def test_every_connection_is_durable(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    for context in (store.reading, store.writing):
        with context() as connection:
            sqlite.assert_durable(connection)
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    store.close()


def test_a_charge_is_written_to_the_log_alone(tmp_path: Path) -> None:
    """What a savepoint may take back is in memory, and the log is copied once in a while."""
    store = open_store(tmp_path / "ledger.sqlite")
    with store.writing() as connection:
        kept = [connection.exec_driver_sql(f"PRAGMA {of}").scalar_one() for of in ("temp_store", "wal_autocheckpoint")]
    assert kept == [2, sqlite.WAL_CHECKPOINT_PAGES]
    store.close()


@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_a_ledger_that_a_power_cut_takes_back_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, f"PRAGMA synchronous = {level}"))
    with pytest.raises(UnsafeStore, match=r"synchronous is [01]; wal and 2 are needed, or a power cut"):
        Ledger.open(tmp_path / "ledger.sqlite")


@pytest.mark.parametrize("pragma", ["synchronous = NORMAL", "journal_mode = DELETE"])
def test_a_connection_changed_later_charges_nothing(tmp_path: Path, pragma: str) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    store.reader.dispose()  # the journal can change only while nobody else has the file open
    driver = store.writer.raw_connection()
    driver.driver_connection.execute(f"PRAGMA {pragma}")  # type: ignore[union-attr]
    driver.close()
    ledger = Ledger(store)
    with pytest.raises(UnsafeStore):
        ledger.charge(ask())
    store.close()
    with Ledger.open(tmp_path / "ledger.sqlite") as again:  # opening sets both, whatever the file said
        assert again.accounts() == ()
        again.charge(ask())


def test_the_level_cannot_be_lowered_between_the_check_and_the_commit(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerUnavailable), store.writing() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
    store.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            ledger.charge(ask())
            files = sorted(tmp_path.iterdir())
            assert [file.name for file in files] == ["ledger.sqlite", "ledger.sqlite-shm", "ledger.sqlite-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    path.chmod(mode)
    with pytest.raises(UnsafeStore, match=rf"is open to others \(mode {mode:o}\)\. Try: chmod 600 "):
        Ledger.open(path)


def test_a_writer_waits_for_another_process_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="so nothing is answered"):
            ledger.charge(ask())
        assert ledger.accounts() == ()  # readers do not wait
        threading.Timer(0.05, lambda: other.execute("ROLLBACK")).start()
        ledger.charge(ask())
        check_books(ledger)
        other.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerUnavailable), store.reading() as connection:
        connection.execute(text("INSERT INTO ledger_format VALUES (2)"))
    store.close()


def test_an_error_message_contains_nothing_from_the_database(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerUnavailable) as caught, store.reading() as connection:
        connection.execute(text("SELECT 'a secret' FROM nowhere"))
    assert "secret" not in str(caught.value) and "nowhere" not in str(caught.value)
    store.close()


def test_a_mistyped_folder_does_not_start_a_fresh_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        Ledger.open(tmp_path / "no such folder" / "ledger.sqlite")
    assert not list(tmp_path.iterdir())


GRANTS = {"dataset": "d", "holders": ["ann"]}


def test_rows_read_by_the_driver_are_of_one_snapshot(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with Ledger.open(tmp_path / "ledger.sqlite") as other:
        with store.reading() as connection:
            before = journal.read_head(connection)
            other.charge(ask())
            assert journal.read_head(connection) == before == connection.execute(journal._HEAD).one()
        assert store.read(journal.read_head).sequence > before.sequence
    store.close()


def test_a_parameter_that_is_missing_is_not_null(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with store.reading() as connection:
        assert fetch_rows(connection, client_tables._GRANTS, GRANTS) == []
        with pytest.raises(KeyError, match="holders"):
            fetch_rows(connection, client_tables._GRANTS, {"dataset": "d"})
    store.close()


def test_a_read_that_fails_is_an_unavailable_ledger(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerUnavailable), store.reading() as connection:
        fetch_rows(connection, client_tables._GRANTS, {**GRANTS, "dataset": {"not": "a text"}})
    assert store.read(fetch_rows, client_tables._GRANTS, GRANTS) == []
    store.close()
