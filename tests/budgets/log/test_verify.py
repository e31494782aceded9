"""Any tampering with a ledger's rows is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from budgets import Ledger
from budgets.log.events import Entry, EntryKind
from budgets.log.verify import clock_regressions, verify
from budgets.stores import journal
from budgets.stores.schema import PROJECTIONS, metadata
from tests.budgets.histories import Tables, found, live, rows_of, tampered
from tests.budgets.ledger_checks import answer, ask, item

TAMPERS = 1_000


@cache
def lived() -> Tables:
    with Ledger.open(":memory:") as ledger:
        live(ledger)
        assert ledger.verify() == ()
        return rows_of(ledger)


def test_the_tampered_history_contains_every_kind_of_event() -> None:
    kinds = {row["kind"] for row in lived()["entries"]}
    assert {str(kind) for kind in EntryKind} <= kinds
    assert all(rows for rows in lived().values())
    assert set(lived()) == set(metadata.tables)
    assert found(lived()) == ()


def test_a_thousand_tampers_are_found() -> None:
    missed = [what for what, changed in (tampered(lived(), seed) for seed in range(TAMPERS)) if not found(changed)]
    assert not missed


def test_a_verifier_of_hashes_alone_misses_tampered_tables() -> None:
    """The control: without the tables made anew, a third of the tampers passes."""

    def by_hashes(tables: Tables) -> bool:
        chain = sorted((Entry(**row) for row in tables["entries"]), key=lambda entry: entry.sequence)
        return not any(what.startswith(("Row", "The chain")) for what in verify(chain, {}))

    missed = sum(by_hashes(changed) for _, changed in (tampered(lived(), seed) for seed in range(100)))
    assert missed > 10


def test_an_anchor_of_a_ledger_without_a_row_is_of_that_ledger() -> None:
    with Ledger.open(":memory:") as ledger, Ledger.open(":memory:") as other:
        assert ledger.verify(ledger.anchor()) == ()
        assert ledger.verify(other.anchor()) == ("The anchor is of another ledger.",)


@pytest.mark.parametrize("table", sorted({"entries", *(table.name for table in PROJECTIONS)}))
def test_a_tamper_of_the_file_is_found(table: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    column = min(column.name for column in metadata.tables[table].columns)
    value = f"CASE WHEN typeof({column}) = 'integer' THEN 1 - {column} ELSE {column} || 'x' END"
    with Ledger.open(path) as ledger:
        live(ledger)
        with closing(sqlite3.connect(path)) as behind:
            made = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
            guards = behind.execute(made, [table]).fetchall()
            for guard, _ in guards:
                behind.execute(f"DROP TRIGGER {guard}")
            behind.execute("PRAGMA ignore_check_constraints = ON")
            first = f"(SELECT rowid FROM {table} LIMIT 1)"
            assert behind.execute(f"UPDATE {table} SET {column} = {value} WHERE rowid = {first}").rowcount == 1
            for _, sql in guards:
                behind.execute(sql)  # whoever tampers puts the guards back
            behind.commit()
        assert ledger.verify()


def test_a_clock_that_runs_backwards_is_reported_and_refuses_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = iter(
        (
            "2026-11-26T10:00:00+00:00",
            "2026-11-26T10:00:03+00:00",
            "2026-11-26T08:00:00+00:00",
            "2026-11-26T08:00:01+00:00",
        )
    )
    monkeypatch.setattr(journal, "now_text", lambda: next(day))
    for topic in "abcd":
        ledger.note(topic, {}, actor="session")
    monkeypatch.setattr(journal, "now_text", lambda: "2026-11-25T08:00:01+00:00")
    assert ledger.verify() == ()
    assert ledger.clock_regressions() == (
        "The clock ran backwards: row 4 is 7,203 s before the row in front of it.",
        "The clock ran backwards: this machine's clock is 86,400 s before the row in front of it.",
    )
    assert answer(ledger, ledger.charge(ask()))


def test_small_clock_differences_between_machines_are_not_reported() -> None:
    steps = clock_regressions([("row 1", "2026-11-26T10:00:05+00:00"), ("row 2", "2026-11-26T10:00:00+00:00")])
    assert tuple(steps) == ()
    assert (
        next(clock_regressions([("row 1", "x"), ("row 2", "2026-11-26T10:00:00")])) == "row 1 bears no moment in UTC."
    )


def test_a_ledger_that_was_rolled_back_is_found_by_its_anchor(address: str) -> None:
    with Ledger.open(address) as ledger:
        answer(ledger, ledger.charge(ask()))
        anchor = ledger.anchor()
        assert (anchor.datasets, ledger.verify(anchor)) == (("operator",), ())
        ledger.charge(ask(item("bb"), request="r2"))
        assert ledger.verify(anchor) == ()  # longer, and nothing else
        later = ledger.anchor()
    with Ledger.open(":memory:") as other:
        answer(other, other.charge(ask()))
        assert other.verify(replace(anchor, ledger_id=other.anchor().ledger_id))[0].endswith("was rewritten.")
        assert other.verify(anchor) == ("The anchor is of another ledger.",)
        rolled_back = replace(other.anchor(), sequence=later.sequence)
        assert other.verify(rolled_back)[0].endswith("it was rolled back.")


def test_a_consistent_rewrite_is_found_by_an_anchor_alone() -> None:
    """Write access to the file allows another history: no key is in it, and only the anchor reveals it."""
    with Ledger.open(":memory:") as ledger:
        ledger.note("objection", {"how": "form"}, actor="session")
        anchor = ledger.anchor()
        forged = rows_of(ledger)
    with Ledger.open(":memory:") as other:
        other.note("objection", {"how": "another form"}, actor="session")
        tables = rows_of(other)
    assert found(forged) == found(tables) == ()
    chain = [Entry(**row) for row in tables["entries"]]
    rest = {name: rows for name, rows in tables.items() if name != "entries"}
    assert tuple(verify(chain, rest, anchor))
