"""An owner records and lists objections; no response reveals who is in the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from budgets import ActKind, Ledger, LedgerError, ObjectionRegister, ParamError, UnsafeStore
from dialect import Catalog
from engine.data.objections import Register


@pytest.fixture
def register(town: Catalog, tmp_path: Path) -> Iterator[Register]:
    place = str(tmp_path / "own.ledger")
    with Ledger.open(place) as ledger, closing(Register.beside(town, place, ledger)) as opened:
        yield opened


def test_the_answer_is_the_same_for_everybody(register: Register) -> None:
    known = register.object("2", reason="a letter", by="ben")
    stranger = register.object("1000000", reason="a letter", by="ben")
    assert {**known, "act": 0, "at": ""} == {**stranger, "act": 0, "at": ""}
    assert set(known) == {"act", "at", "recorded_by", "dataset", "kind", "reason"}


def test_the_list_says_when_and_who_and_nothing_of_persons(register: Register, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("271828\n314159\n\n271828\n", encoding="utf-8")
    told = register.object_file(str(file), reason="bulk of May", by="ben", progress=lambda *_: None)
    assert (told["persons"], told["repeated"]) == (2, 1)
    register.object("271828", reason="a call", by="eve", withdraw=True)
    listed = register.acts()
    assert [(act["recorded_by"], act["kind"], act["reason"]) for act in listed] == [
        ("ben", "object", "bulk of May"),
        ("eve", "withdraw", "a call"),
    ]
    assert "271828" not in str(listed) and "314159" not in str(listed)
    assert register.current("town")["person"].to_pylist() == ["314159"]


def test_a_file_with_a_bad_line_records_nothing(register: Register, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("1\nnobody\n2\n", encoding="utf-8")
    with pytest.raises(ParamError, match="1 of 3 lines"):
        register.object_file(str(file), reason="bulk", by="ben", progress=lambda *_: None)
    assert register.acts() == [] and register.current("town").num_rows == 0


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 501, "person 2 wrote", "2"])
def test_a_reason_is_one_line_that_does_not_name_the_person(register: Register, reason: str) -> None:
    with pytest.raises(ParamError):
        register.object("2", reason=reason, by="ben")
    assert register.acts() == []


def test_a_dataset_is_named_where_there_are_several(register: Register) -> None:
    with pytest.raises(LedgerError, match="There is no dataset 'elsewhere' in this catalog"):
        register.object("2", reason="a letter", by="ben", dataset="elsewhere")
    (town,) = register.catalog.datasets
    several = replace(register, catalog=replace(register.catalog, datasets=(town, replace(town, name="other"))))
    with pytest.raises(LedgerError, match="several datasets"):
        several.object("2", reason="a letter", by="ben")
    assert several.object("2", reason="a letter", by="ben", dataset="town")["dataset"] == "town"


def test_who_asked_and_why_is_in_the_chain_and_no_person(register: Register) -> None:
    register.object("271828", reason="a letter", by="ben")
    (note,) = register.ledger.audit(kind="note_objection")
    assert (note.actor, note.dataset, note.said["reason"], note.said["what"]) == ("ben", "town", "a letter", "object")
    assert "271828" not in str(register.ledger.entries())
    assert register.ledger.verify() == ()


def test_what_was_recorded_and_not_noted_is_noted_at_the_next_opening(town: Catalog, tmp_path: Path) -> None:
    place = str(tmp_path / "own.ledger")
    alone = ObjectionRegister.beside(place)
    alone.record(ActKind.OBJECT, "town", ["7"], by="ben", reason="a letter")
    alone.close()
    for _ in range(2):
        with Ledger.open(place) as ledger, closing(Register.beside(town, place, ledger)):
            assert [note.said["act"] for note in ledger.audit(kind="note_objection")] == [1]


def test_a_register_that_is_lost_or_older_answers_nothing(town: Catalog, tmp_path: Path) -> None:
    """Whoever had objected would be read again."""
    place = str(tmp_path / "own.ledger")
    with Ledger.open(place) as ledger:
        with closing(Register.beside(town, place, ledger)) as register:
            register.object("7", reason="a letter", by="ben")
        (tmp_path / "own.ledger.objections").unlink()
        with pytest.raises(UnsafeStore, match="objections that its register does not hold"):
            Register.beside(town, place, ledger)
        other = ObjectionRegister.beside(place)
        other.record(ActKind.WITHDRAW, "town", ["9"], by="eve", reason="another")
        other.close()
        with pytest.raises(UnsafeStore):
            Register.beside(town, place, ledger)
