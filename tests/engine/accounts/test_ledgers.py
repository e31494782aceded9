"""Which ledger belongs to a catalog, and which commands may create one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from engine import (
    Refused,
    bootstrap,
    ingest_files,
    list_catalog_changes,
    open_admin,
    open_register,
    open_session,
    write_person_report,
)
from engine.accounts import ledger_binding
from engine.accounts.open_ledger import ledger_address, opened_for_audit, opened_ledger
from engine.api.admin import Admin
from tests.engine.town import make_town


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return make_town(tmp_path).path


def test_the_ledger_that_is_named_needs_no_catalog(where: str, tmp_path: Path) -> None:
    assert ledger_address("there is no such catalog", "own.ledger") == "own.ledger"
    assert Path(ledger_address(where, None)).parent == tmp_path / "data"


def test_writing_commands_create_a_ledger_and_reading_ones_do_not(where: str) -> None:
    place = ledger_address(where, None)
    with pytest.raises(Refused, match=f"E_LEDGER: There is no ledger {place}"), opened_for_audit(where, None):
        pass
    assert not Path(place).exists()
    with opened_ledger(where, None) as books:
        assert books.address == place
    with opened_for_audit(where, None) as ledger:
        assert list(ledger.entries()) == []


WHY = {"by": "boss", "reason": "as agreed"}


def admin(change: Callable[[Admin], object]) -> Callable[[str, str], None]:
    def act(where: str, ledger: str) -> None:
        with open_admin(where, ledger=ledger) as books:
            change(books)

    return act


def objects(where: str, ledger: str) -> None:
    with open_register(where, ledger=ledger) as register:
        register.object("2", **WHY)


ACTS: Mapping[str, Callable[[str, str], object]] = {
    "object": objects,
    "client add": admin(lambda books: books.add_client("ann", **WHY)),
    "client remove": admin(lambda books: books.remove_client("ann", **WHY)),
    "client cap": admin(lambda books: books.cap_client("ann", "0.01", **WHY)),
    "freeze": admin(lambda books: books.freeze(dataset="town", **WHY)),
    "thaw": admin(lambda books: books.thaw(dataset="town", **WHY)),
    "topup request": admin(lambda books: books.request_top_up("ann", "0.2", reason="a report")),
    "topup approve": admin(lambda books: books.approve_top_up(7, **WHY)),
    "topup decline": admin(lambda books: books.decline_top_up(7, **WHY)),
    "ingest": lambda where, ledger: ingest_files(where, "visit", [f"{Path(where).parent}/new.csv"], ledger=ledger),
    "bootstrap": lambda where, ledger: bootstrap("root", catalog=where, ledger=ledger),
}


@pytest.fixture
def marked(where: str, tmp_path: Path) -> str:
    """Charge a town's people in one ledger."""
    with open_session(where, ledger=str(tmp_path / "own.ledger")) as session:
        session.query("SELECT COUNT(*) AS n FROM visit", client="ann")
    return where


@pytest.mark.parametrize("act", ACTS)
def test_data_that_another_ledger_charges_are_refused_and_no_file_is_made(
    act: str, marked: str, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused, match="E_LEDGER: The files of dataset town are charged in another ledger") as refused:
        ACTS[act](marked, str(tmp_path / "typo.ledger"))
    assert f"--ledger {tmp_path / 'own.ledger'}" in refused.value.problem["hint"]
    assert sorted(tmp_path.rglob("*")) == before


def test_an_objection_in_a_ledger_that_is_not_looked_at_is_found(
    marked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: it was recorded, and the person was in the next answer."""
    monkeypatch.setattr(ledger_binding.LedgerBindings, "_overlapping", lambda self: ())
    objects(marked, str(tmp_path / "typo.ledger"))
    with open_register(marked, ledger=str(tmp_path / "own.ledger")) as register:
        assert register.events() == [], "nobody objects where it counts"
    with pytest.raises(pytest.fail.Exception):
        test_data_that_another_ledger_charges_are_refused_and_no_file_is_made("object", marked, tmp_path)


def clients(where: str, ledger: str | None) -> object:
    with open_admin(where, ledger=ledger, read_only=True) as books:
        return books.clients()


def frozen(where: str, ledger: str | None) -> object:
    with open_admin(where, ledger=ledger, read_only=True) as books:
        return books.frozen()


def acts(where: str, ledger: str | None) -> object:
    with open_register(where, ledger=ledger, read_only=True) as register:
        return register.events()


READS: Mapping[str, Callable[[str, str | None], object]] = {
    "client list": clients,
    "frozen": frozen,
    "objections list": acts,
    "about-me": lambda where, ledger: write_person_report(where, ledger=ledger),
    "catalog diff": lambda where, ledger: list_catalog_changes(where, where, ledger=ledger),
}


@pytest.mark.parametrize("read", READS)
def test_reading_commands_create_no_ledger(read: str, where: str, tmp_path: Path) -> None:
    typo = tmp_path / "typo.ledger"
    with pytest.raises(Refused, match=f"E_LEDGER: There is no ledger {typo}"):
        READS[read](where, str(typo))
    told = READS[read](where, None)  # nothing was asked or done yet
    assert told == [] or read == "about-me"
    assert not list(tmp_path.rglob("*.ledger*"))


@pytest.mark.parametrize("read", READS)
def test_read_only_commands_name_the_ledger_that_the_data_are_bound_to(read: str, marked: str) -> None:
    with pytest.raises(Refused, match="charged in another ledger"):
        READS[read](marked, None)
