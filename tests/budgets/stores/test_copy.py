"""A backup is the whole ledger as of one moment, on either store; a restore undoes no spending."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from budgets import Anchor, Ledger, LedgerError, UnsafeStore
from budgets.stores.open import open_store
from budgets.stores.schema import metadata
from tests.budgets.ledger_checks import answer, ask, check_books, item
from tests.support.ledger.postgres import server
from tests.support.ledger_contents import contents as contents_of


def contents(address: str | Path) -> dict[str, list[object]]:
    store = open_store(address)
    with store.reading() as connection:
        found = contents_of(connection)
    store.close()
    return found


def some_charges(ledger: Ledger, first: int = 0) -> None:
    for number in range(first, first + 3):
        charge = ledger.charge(ask(item(f"key {number}"), client=f"client {number}", request=f"r{number}"))
        if number % 2:
            answer(ledger, charge)


@pytest.fixture
def elsewhere(store_kind: str, tmp_path: Path) -> str:
    """An empty place on the other store."""
    return server().new_ledger() if store_kind == "sqlite" else str(tmp_path / "elsewhere")


def test_a_backup_is_the_whole_ledger(address: str, elsewhere: str, tmp_path: Path) -> None:
    with Ledger.open(address) as ledger:
        some_charges(ledger)
        ledger.backup(tmp_path / "backup")
        some_charges(ledger, first=10)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    Ledger.restore(tmp_path / "backup", elsewhere)
    assert contents(elsewhere) == contents(tmp_path / "backup")
    assert set(contents(elsewhere)) == set(metadata.tables)
    with Ledger.open(elsewhere) as restored:
        assert not restored.verify()
        assert restored.replay("client 1", "operator", ["key 1"])["key 1"].payload == b"answer key 1"
        some_charges(restored, first=20)
        assert not restored.verify()
        check_books(restored)


def test_a_restore_that_would_undo_charges_is_refused(address: str, elsewhere: str, tmp_path: Path) -> None:
    with Ledger.open(address) as ledger:
        some_charges(ledger)
        before = ledger.anchor()
        ledger.backup(tmp_path / "backup")
        some_charges(ledger, first=10)
        after = ledger.anchor()
    with pytest.raises(UnsafeStore, match=r"ends at row \d+ and has been at row \d+: this is an older copy"):
        Ledger.restore(tmp_path / "backup", elsewhere, [after])
    other = Anchor("another", 1, "00", ())
    with pytest.raises(UnsafeStore, match="The anchor is of another ledger"):
        Ledger.restore(tmp_path / "backup", elsewhere, [other])
    Ledger.restore(tmp_path / "backup", elsewhere, [before])


def test_a_backup_never_overwrites_a_file(address: str, tmp_path: Path) -> None:
    with Ledger.open(address) as ledger:
        some_charges(ledger)
        ledger.backup(tmp_path / "backup")
        with pytest.raises(UnsafeStore, match=r"There is a file .* already"):
            ledger.backup(tmp_path / "backup")
        with pytest.raises(UnsafeStore, match=r"There is (a file|something)"):
            Ledger.restore(tmp_path / "backup", address)
        some_charges(ledger, first=10)


def test_a_backup_that_was_tampered_with_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    some_charges(ledger)
    ledger.backup(tmp_path / "backup")
    with sqlite3.connect(tmp_path / "backup") as books:
        (trigger,) = books.execute("SELECT sql FROM sqlite_master WHERE name = 'accounts_no_update'").fetchone()
        books.execute("DROP TRIGGER accounts_no_update")
        books.execute("UPDATE accounts SET spent_pico_rho = 0")
        books.execute(trigger)
    with pytest.raises(UnsafeStore, match=r"This backup is not as it was written. accounts: spent_pico_rho"):
        Ledger.restore(tmp_path / "backup", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_backup_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UnsafeStore, match="There is no backup"):
        Ledger.restore(tmp_path / "backup", tmp_path / "restored")
    assert not list(tmp_path.iterdir())


def test_a_backup_to_an_unwritable_path_raises(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        ledger.backup(tmp_path / "no folder" / "backup")
