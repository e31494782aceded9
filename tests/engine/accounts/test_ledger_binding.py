"""Ledger binding: files charged in one ledger are refused under another, or under an older copy of it."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from budgets import Ledger
from engine import Refused, Session, open_session
from engine.accounts import ledger_binding
from engine.accounts.ledger_binding import LedgerBinding
from tests.engine.town import CATALOG, make_town
from tests.support.ledger.postgres import server

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
BY_SHOP = "SELECT shop, COUNT(*) AS n FROM visit WHERE zone = 'z1' GROUP BY shop"
COUNT = "SELECT COUNT(*) AS n FROM visit"


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A town, with every other file next to it."""
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return make_town(tmp_path).path


def charge(where: str, ledger: str | None = None, sql: str = COUNT) -> None:
    with open_session(where, ledger=ledger) as session:
        session.query(sql, client="ann")


def refused(where: str, ledger: str | None = None, sql: str = COUNT) -> str:
    with pytest.raises(Refused) as caught:
        charge(where, ledger, sql)
    assert caught.value.problem["code"] == "E_LEDGER"
    return f"{caught.value.problem['message']} {caught.value.problem['hint']}"


def found(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / "marks").glob("*"))


def test_a_second_ledger_is_refused_and_the_first_is_named(where: str, tmp_path: Path) -> None:
    first = str(tmp_path / "first.ledger")
    charge(where, first)
    for other in (str(tmp_path / "second.ledger"), None, ":memory:"):
        told = refused(where, other)
        assert told.startswith(f"The files of dataset town are charged in another ledger, {first}: a second one")
        assert (
            f"--ledger {first} on the command line, ledger='{first}' in Python; if that ledger is gone for good, remove {found(tmp_path)[0]}"
            in told
        )
    charge(where, first, BY_ZONE)


@pytest.mark.parametrize("other", ["first.ledger", "second.ledger"])
def test_a_missing_ledger_must_be_restored_and_its_binding_remains(where: str, tmp_path: Path, other: str) -> None:
    first, moved = tmp_path / "first.ledger", tmp_path / "moved.ledger"
    charge(where, str(first))
    first.rename(moved)
    told = refused(where, str(tmp_path / other))
    assert told.startswith(f"The files of dataset town are charged in the ledger {first}, and that is not there:")
    assert "restore it from a backup, as docs/operations.md#restore says" in told
    assert "another" not in told and "remove" not in told
    assert not first.exists()
    moved.rename(first)
    charge(where, str(first), BY_ZONE)


def test_data_are_not_bound_before_the_first_charge(where: str, tmp_path: Path) -> None:
    with open_session(where, ledger=str(tmp_path / "first.ledger")) as session:
        session.explain(COUNT, client="ann")
        with pytest.raises(Refused):
            session.query("SELECT person_id FROM visit", client="ann")
    assert not found(tmp_path)
    charge(where, str(tmp_path / "second.ledger"))


def test_data_are_bound_before_the_charge(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = Ledger.charge

    def look(ledger: Ledger, request: object) -> object:
        seen.append(len(found(tmp_path)))
        return real(ledger, request)

    monkeypatch.setattr(Ledger, "charge", look)
    charge(where)
    assert seen == [1]


def test_concurrent_first_charges_make_one_binding(where: str, tmp_path: Path) -> None:
    sqls = [f"SELECT COUNT(*) AS n FROM visit WHERE minutes > {each}" for each in range(8)]
    with open_session(where, ledger=str(tmp_path / "first.ledger")) as session, ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(session.query, sql, client="ann") for sql in sqls]
        assert all(answer.result().num_rows == 1 for answer in answers)
    assert len(found(tmp_path)) == 1


def charged_by_two_new_ledgers(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> list[str]:
    """Charge two new ledgers; the first waits `patience` seconds between check and mark for the second's check."""
    addresses = [str(tmp_path / f"{name}.ledger") for name in ("first", "second")]
    sessions = [open_session(where, ledger=address) for address in addresses]
    checked, both_checked, real = threading.Event(), threading.Event(), ledger_binding.LedgerBindings.check

    def check(bindings: ledger_binding.LedgerBindings, ledger: Ledger) -> None:
        real(bindings, ledger)
        if checked.is_set():
            both_checked.set()
        else:
            checked.set()
            both_checked.wait(patience)

    def outcome(session: Session) -> str:
        try:
            return f"{session.query(COUNT, client='ann').num_rows} row"
        except Refused as refused:
            return str(refused.problem["message"])

    monkeypatch.setattr(ledger_binding.LedgerBindings, "check", check)
    with sessions[0], sessions[1], ThreadPoolExecutor(2) as threads:
        first = threads.submit(outcome, sessions[0])
        assert checked.wait(60)
        second = threads.submit(outcome, sessions[1])
        return [first.result(), second.result()]


def test_of_two_new_ledgers_one_is_charged(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = charged_by_two_new_ledgers(where, tmp_path, monkeypatch, patience=1)
    assert first == "1 row" and f"charged in another ledger, {tmp_path / 'first.ledger'}" in second
    assert len(found(tmp_path)) == 1


def test_a_missing_lock_is_found(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: between a check and its mark another process may write one."""
    monkeypatch.setattr(ledger_binding.LedgerBindings, "_exclusive", lambda self: nullcontext())
    (tmp_path / "data" / "marks").mkdir(parents=True)
    assert charged_by_two_new_ledgers(where, tmp_path, monkeypatch, patience=60) == ["1 row", "1 row"]
    assert len(found(tmp_path)) == 2


def test_a_ledger_in_memory_binds_no_data(where: str, tmp_path: Path) -> None:
    charge(where, ":memory:")
    assert not found(tmp_path)
    charge(where, str(tmp_path / "first.ledger"))


def test_an_older_copy_of_the_ledger_is_refused(where: str, tmp_path: Path) -> None:
    ledger, copy = tmp_path / "own.ledger", tmp_path / "copy"
    charge(where, str(ledger))
    shutil.copy(ledger, copy)
    charge(where, str(ledger), BY_ZONE)
    newer = tmp_path / "newer"
    shutil.copy(ledger, newer)
    shutil.copy(copy, ledger)
    assert "this is an older copy, and what was spent since is not in it. the newer copy" in refused(where, str(ledger))
    shutil.copy(newer, ledger)
    charge(where, str(ledger), BY_SHOP)


def test_a_diverged_copy_of_the_ledger_is_refused(where: str, tmp_path: Path) -> None:
    ledger, copy = tmp_path / "own.ledger", tmp_path / "copy.ledger"
    charge(where, str(ledger))
    shutil.copy(ledger, copy)
    charge(where, str(ledger), BY_ZONE)
    remembered = found(tmp_path)[0].read_text()
    for file in found(tmp_path):
        file.unlink()
    charge(where, str(copy), BY_SHOP)
    charge(where, str(copy), "SELECT day, COUNT(*) AS n FROM visit WHERE zone = 'z2' GROUP BY day")
    found(tmp_path)[0].write_text(remembered)
    assert "is not the row that it was: the ledger was rewritten" in refused(where, str(copy))


def test_a_killed_process_has_recorded_its_last_ledger_row(where: str, tmp_path: Path) -> None:
    session = open_session(where, ledger=str(tmp_path / "own.ledger"))
    session.query(COUNT, client="ann")  # and it is never closed
    assert LedgerBinding.read(found(tmp_path)[0]).anchor.sequence > 0


def test_the_same_files_in_another_dataset_or_catalog_are_refused(where: str, tmp_path: Path) -> None:
    ledger = str(tmp_path / "own.ledger")
    charge(where, ledger)
    other = tmp_path / "other.toml"
    renamed = CATALOG.replace("datasets.town", "datasets.village").replace('dataset = "town"', 'dataset = "village"')
    other.write_text(renamed)
    assert "are charged as dataset town, which has a budget of its own. name the dataset town again" in refused(
        str(other), ledger
    )
    assert "charged in another ledger" in refused(str(other), str(tmp_path / "second.ledger"))
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "town.duckdb").hardlink_to(tmp_path / "town.duckdb")
    (linked / "town.toml").write_text(CATALOG)
    assert "charged in another ledger" in refused(str(linked / "town.toml"), str(tmp_path / "second.ledger"))


def test_other_data_files_have_another_binding(where: str, tmp_path: Path) -> None:
    charge(where)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    charge(make_town(elsewhere).path, str(tmp_path / "second.ledger"))
    assert len(found(tmp_path)) == 2


def test_a_mark_keeps_the_files_of_another_catalog_with_its_dataset_and_ledger(where: str, tmp_path: Path) -> None:
    ledger, elsewhere = str(tmp_path / "own.ledger"), tmp_path / "elsewhere"
    charge(where, ledger)
    elsewhere.mkdir()
    town = make_town(elsewhere).path
    charge(town, ledger, BY_ZONE)
    for each in (where, town):
        assert "charged in another ledger" in refused(each, str(tmp_path / "second.ledger"))


def test_a_mark_that_forgets_the_files_of_another_catalog_is_found(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: an earlier mark of this name is overwritten."""
    monkeypatch.setattr(Path, "exists", lambda path: path.suffix != ".json" and os.path.lexists(path))
    with pytest.raises(pytest.fail.Exception):
        test_a_mark_keeps_the_files_of_another_catalog_with_its_dataset_and_ledger(where, tmp_path)


def a_dataset_with_more_files(tmp_path: Path) -> tuple[str, str]:
    """Catalogs of a town that gets a second file with the table `stay`, and of that file alone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    alone = make_town(elsewhere).path
    visit = CATALOG[CATALOG.index("[tables.visit]") : CATALOG.index("[tables.purchase]")]
    stay = visit.replace("tables.visit", "tables.stay").replace('duckdb = "town', 'duckdb = "elsewhere/town')
    more = tmp_path / "more.toml"
    more.write_text(CATALOG.replace('window = "forever"', 'window = "forever"\ndata_version = 2') + stay)
    return str(more), alone


def charged_under_two_ledgers(where: str, tmp_path: Path) -> list[str]:
    """Add a file to a marked dataset, charge it in another ledger meanwhile, and ask for it. Return each outcome."""
    first, second = str(tmp_path / "own.ledger"), str(tmp_path / "second.ledger")
    more, alone = a_dataset_with_more_files(tmp_path)
    charge(where, first)
    outcomes = []
    with open_session(more, ledger=first) as session:
        charge(alone, second)
        for table in ("stay", "purchase"):  # the question of a table alone is charged to its whole dataset
            try:
                outcomes.append(f"{session.query(f'SELECT COUNT(*) AS n FROM {table}', client='ann').num_rows} row")
            except Refused as refusal:
                outcomes.append(refusal.problem["message"])
    return outcomes


def test_files_added_to_a_marked_dataset_are_checked_before_a_charge(where: str, tmp_path: Path) -> None:
    for outcome in charged_under_two_ledgers(where, tmp_path):
        assert f"charged in another ledger, {tmp_path / 'second.ledger'}" in outcome
    marks = [LedgerBinding.read(file).sources for file in found(tmp_path)]
    assert sorted(len(set(sources)) for sources in marks) == [1, 1]  # a refused charge marks no file


def test_a_mark_that_is_taken_for_all_files_of_its_dataset_is_found(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a dataset that has a mark is not checked again."""
    monkeypatch.setattr(ledger_binding.LedgerBindings, "_is_marked", lambda self, dataset: dataset in self.bindings)
    assert charged_under_two_ledgers(where, tmp_path) == ["1 row", "1 row"]


def test_a_record_of_the_state_that_marks_files_is_found(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: a session that is closed marks all its files, also those that another ledger has marked."""
    bind = ledger_binding.LedgerBindings._bind
    monkeypatch.setattr(
        ledger_binding.LedgerBindings,
        "_bind",
        lambda self, ledger, dataset, added=(): bind(self, ledger, dataset, self._sources(dataset)),
    )
    with pytest.raises(AssertionError):
        test_files_added_to_a_marked_dataset_are_checked_before_a_charge(where, tmp_path)


def files_marked_at_a_charge(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Number of files that the mark of a dataset names when its added file is charged."""
    ledger, seen = str(tmp_path / "own.ledger"), []
    more, _ = a_dataset_with_more_files(tmp_path)
    charge(where, ledger)
    real = Ledger.charge

    def look(ledger: Ledger, request: object) -> object:
        seen.extend({source for file in found(tmp_path) for source in LedgerBinding.read(file).sources})
        return real(ledger, request)

    monkeypatch.setattr(Ledger, "charge", look)
    charge(more, ledger, "SELECT COUNT(*) AS n FROM stay")
    return len(seen)


def test_files_added_to_a_marked_dataset_are_marked_before_the_charge(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files_marked_at_a_charge(where, tmp_path, monkeypatch) == 2


def test_a_mark_after_the_charge_is_found(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: added files are marked when the ledger's state is recorded."""
    monkeypatch.setattr(ledger_binding.LedgerBindings, "_is_marked", lambda self, dataset: dataset in self.bindings)
    assert files_marked_at_a_charge(where, tmp_path, monkeypatch) == 1


def test_an_older_copy_of_the_ledger_is_refused_for_other_files_of_the_dataset(where: str, tmp_path: Path) -> None:
    ledger, elsewhere = tmp_path / "own.ledger", tmp_path / "elsewhere"
    Ledger.open(str(ledger)).close()
    shutil.copy(ledger, tmp_path / "older.ledger")
    charge(where, str(ledger))
    elsewhere.mkdir()
    town = make_town(elsewhere).path
    shutil.copy(tmp_path / "older.ledger", ledger)
    refused(town, str(ledger))
    refused(where, str(ledger))


def test_binding_files_are_readable_by_their_owner_alone(where: str, tmp_path: Path) -> None:
    charge(where)
    folder = tmp_path / "data" / "marks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(mark.stat().st_mode) for mark in found(tmp_path)} == {0o600}


def test_an_unreadable_binding_forbids_charges(where: str, tmp_path: Path) -> None:
    charge(where)
    for text in ("", "[]", '{"mark_format": 99}'):
        found(tmp_path)[0].write_text(text)
        assert "can't be read. the mark from a backup of that folder" in refused(where)


def test_a_ledger_on_a_server_is_named_without_its_password(where: str, tmp_path: Path) -> None:
    address = server().new_ledger().replace("keeper@", "keeper:s3cr3t-w0rd@")
    charge(where, address)
    told = refused(where, str(tmp_path / "second.ledger"))
    assert "another ledger, postgresql:///postgres" in told and "s3cr3t" not in told
    charge(where, address, BY_ZONE)


def test_a_check_that_is_left_out_is_found(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: marks are made and never looked at."""
    charge(where)
    second = str(tmp_path / "second.ledger")
    Ledger.open(second).close()
    assert "charged in another ledger" in refused(where, second)
    monkeypatch.setattr(ledger_binding.LedgerBindings, "check", lambda self, ledger: None)
    with pytest.raises(pytest.fail.Exception):
        refused(where, second)
