"""An owner records and lists objections; no response reveals who is in the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from budgets import Ledger, LedgerError, ObjectionEventKind, ObjectionRegister, ParamError, UnsafeStore
from dialect import Catalog
from dialect.catalog import SqlType
from engine.data import objections
from engine.data.objections import CatalogObjections


@pytest.fixture
def register(town: Catalog, tmp_path: Path) -> Iterator[CatalogObjections]:
    place = str(tmp_path / "own.ledger")
    with Ledger.open(place) as ledger, closing(CatalogObjections.open_with_ledger(town, place, ledger)) as opened:
        yield opened


def test_the_response_is_the_same_for_people_in_the_data_or_not(register: CatalogObjections) -> None:
    known = register.object("2", reason="a letter", by="ben")
    stranger = register.object("1000000", reason="a letter", by="ben")
    assert {**known, "act": 0, "at": ""} == {**stranger, "act": 0, "at": ""}
    assert set(known) == {"act", "at", "recorded_by", "dataset", "kind", "reason"}


def test_the_list_of_objections_shows_times_and_recorders_but_no_persons(
    register: CatalogObjections, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("271828\n314159\n\n271828\n", encoding="utf-8")
    told = register.object_file(str(file), reason="bulk of May", by="ben", progress=lambda *_: None)
    assert (told["persons"], told["repeated"]) == (2, 1)
    register.object("271828", reason="a call", by="eve", withdraw=True)
    listed = register.events()
    assert [(act["recorded_by"], act["kind"], act["reason"]) for act in listed] == [
        ("ben", "object", "bulk of May"),
        ("eve", "withdraw", "a call"),
    ]
    assert "271828" not in str(listed) and "314159" not in str(listed)
    assert register.current_objectors("town")["person"].to_pylist() == ["314159"]


def test_a_file_with_a_bad_line_records_nothing(register: CatalogObjections, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("1\nnobody\n2\n", encoding="utf-8")
    with pytest.raises(ParamError, match="1 of 3 lines"):
        register.object_file(str(file), reason="bulk", by="ben", progress=lambda *_: None)
    assert register.events() == [] and register.current_objectors("town").num_rows == 0


UNSUITABLE = ("", "  ", "two\nlines", "x" * 501, "person 2 wrote", "2", "(002)", "+2 wrote", "\u0662", "a-2")


@pytest.mark.parametrize("reason", UNSUITABLE)
def test_a_reason_is_one_line_that_does_not_name_the_person(register: CatalogObjections, reason: str) -> None:
    with pytest.raises(ParamError):
        register.object("2", reason=reason, by="ben")
    assert register.events() == []


@pytest.mark.parametrize("withdraw", [False, True])
@pytest.mark.parametrize("reason", [*UNSUITABLE, "persons 271828 and others", "-0031 asked"])
def test_the_reason_of_a_file_names_none_of_its_persons(
    register: CatalogObjections, reason: str, withdraw: bool, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("271828\n-31\n+02\n", encoding="utf-8")
    with pytest.raises(ParamError):
        register.object_file(str(file), reason=reason, by="ben", progress=lambda *_: None, withdraw=withdraw)
    assert register.events() == []
    assert "2" not in str(register.ledger.entries(kind="note_objection"))


@pytest.mark.parametrize(("person", "reason"), [("2", "12 letters, 2nd of May"), ("-31", "31 letters"), ("2", "P2")])
def test_a_reason_may_hold_other_numbers(register: CatalogObjections, person: str, reason: str) -> None:
    assert register.object(person, reason=reason, by="ben")["reason"] == reason


@pytest.mark.parametrize(
    ("persons", "reason", "names"),
    [
        (["eva", " ana "], "ana wrote", True),
        (["eva", "a.b (c)"], "by a.b (c), late", True),
        (["eva", "ana"], "anas letter", False),
        (["  ", "7"], "letter, - 8", False),
        (["007"], "letter 7", False),
    ],
)
def test_texts_are_named_as_words(persons: list[str], reason: str, names: bool) -> None:
    if not names:
        objections._check_reason(reason, persons, SqlType.VARCHAR)
        return
    with pytest.raises(ParamError, match="The reason names a person"):
        objections._check_reason(reason, persons, SqlType.VARCHAR)


def test_a_planted_comparison_of_numbers_as_texts_is_found(
    register: CatalogObjections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objections, "_numbers", lambda reason: set(reason.split()))
    with pytest.raises(pytest.fail.Exception):
        test_the_reason_of_a_file_names_none_of_its_persons(register, "person 002 wrote", False, tmp_path)


def test_a_dataset_is_named_where_there_are_several(register: CatalogObjections) -> None:
    with pytest.raises(LedgerError, match="There is no dataset 'elsewhere' in this catalog"):
        register.object("2", reason="a letter", by="ben", dataset="elsewhere")
    (town,) = register.catalog.datasets
    several = replace(register, catalog=replace(register.catalog, datasets=(town, replace(town, name="other"))))
    with pytest.raises(LedgerError, match="several datasets"):
        several.object("2", reason="a letter", by="ben")
    assert several.object("2", reason="a letter", by="ben", dataset="town")["dataset"] == "town"


def test_the_chain_records_recorder_and_reason_but_no_person(register: CatalogObjections) -> None:
    register.object("271828", reason="a letter", by="ben")
    (note,) = register.ledger.entries(kind="note_objection")
    assert (note.actor, note.dataset, note.content["reason"], note.content["what"]) == (
        "ben",
        "town",
        "a letter",
        "object",
    )
    assert "271828" not in str(register.ledger.entries())
    assert register.ledger.verify() == ()


def test_an_objection_missing_from_the_chain_is_noted_at_the_next_opening(town: Catalog, tmp_path: Path) -> None:
    place = str(tmp_path / "own.ledger")
    alone = ObjectionRegister.open_for_ledger(place)
    alone.record(ObjectionEventKind.OBJECT, "town", ["7"], by="ben", reason="a letter")
    alone.close()
    for _ in range(2):
        with Ledger.open(place) as ledger, closing(CatalogObjections.open_with_ledger(town, place, ledger)):
            assert [note.content["act"] for note in ledger.entries(kind="note_objection")] == [1]


@pytest.mark.parametrize(("kind", "name"), [(ObjectionRegister, "events"), (Ledger, "entries")])
def test_an_objection_recorded_while_another_process_opens_is_no_loss(
    kind: type, name: str, town: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded and noted after what is read first: the notes, or the register."""
    place, read, left = str(tmp_path / "own.ledger"), getattr(kind, name), [1]
    with (
        Ledger.open(place) as ledger,
        Ledger.open(place) as other,
        closing(CatalogObjections.open_with_ledger(town, place, other)) as meanwhile,
    ):

        def reading(*given: Any, **named: Any) -> Any:
            found = read(*given, **named)
            if left and given[0] is not other:
                left.pop()
                meanwhile.object("7", reason="a letter", by="ben")
            return found

        monkeypatch.setattr(kind, name, reading)
        CatalogObjections.open_with_ledger(town, place, ledger).close()
        assert not left and [note.content["act"] for note in ledger.entries(kind="note_objection")] == [1]


def test_a_lost_or_older_register_refuses_all_queries(town: Catalog, tmp_path: Path) -> None:
    """Whoever had objected would be read again."""
    place = str(tmp_path / "own.ledger")
    with Ledger.open(place) as ledger:
        with closing(CatalogObjections.open_with_ledger(town, place, ledger)) as register:
            register.object("7", reason="a letter", by="ben")
        (tmp_path / "own.ledger.objections").unlink()
        with pytest.raises(UnsafeStore, match="objections that its register does not hold"):
            CatalogObjections.open_with_ledger(town, place, ledger)
        other = ObjectionRegister.open_for_ledger(place)
        other.record(ObjectionEventKind.WITHDRAW, "town", ["9"], by="eve", reason="another")
        other.close()
        with pytest.raises(UnsafeStore):
            CatalogObjections.open_with_ledger(town, place, ledger)
