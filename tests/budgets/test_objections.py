"""An append-only register of objections, on both stores: acknowledged events are seen by every process, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from budgets import ActKind, LedgerError, LedgerUnavailable, ObjectionRegister
from budgets.stores import clients as tables
from tests.support.patience import not_for_ever


def opened(address: str) -> ObjectionRegister:
    return ObjectionRegister.beside(address)


def test_what_is_recorded_is_read_by_every_open_register(address: str) -> None:
    one, other = opened(address), opened(address)
    act = one.record(ActKind.OBJECT, "town", ["7", "8"], by="ann", reason="a letter")
    assert [(o.dataset, o.kind, o.person) for o in other.behind(0)] == [
        ("town", ActKind.OBJECT, "7"),
        ("town", ActKind.OBJECT, "8"),
    ]
    last = other.behind(0)[-1].place
    one.record(ActKind.WITHDRAW, "town", ["7"], by="ben", reason="a call")
    (newer,) = other.behind(last)
    assert (newer.kind, newer.person) == (ActKind.WITHDRAW, "7")
    assert other.acts()[0] == act
    assert [(a.recorded_by, a.reason, a.kind) for a in other.acts()] == [
        ("ann", "a letter", ActKind.OBJECT),
        ("ben", "a call", ActKind.WITHDRAW),
    ]
    one.close()
    other.close()


def test_an_act_that_fails_midway_leaves_nothing(address: str) -> None:
    register = opened(address)
    with pytest.raises(LedgerUnavailable):
        register.record(ActKind.OBJECT, "town", ["1", None], by="ann", reason="bulk")  # type: ignore[list-item]
    assert (register.acts(), register.behind(0)) == ((), ())
    register.close()


@pytest.mark.parametrize("table", [tables.acts, tables.persons], ids=str)
def test_the_database_itself_refuses_changes(address: str, table: Table) -> None:
    register = opened(address)
    register.record(ActKind.OBJECT, "town", ["1"], by="ann", reason="a letter")
    column = "reason" if table is tables.acts else "person"
    for statement in (delete(table), update(table).values({column: "other"})):
        with pytest.raises(LedgerError), register._store.writing() as connection:
            connection.execute(statement)
    assert [objection.person for objection in register.behind(0)] == ["1"]
    register.close()


def test_a_register_beside_a_file_is_its_owners_alone_and_apart(tmp_path: Path) -> None:
    opened(str(tmp_path / "own.ledger")).close()
    (file,) = [path for path in tmp_path.iterdir() if path.suffix == ".objections"]
    assert not file.stat().st_mode & 0o077
    file.chmod(0o644)
    with pytest.raises(LedgerError, match="open to others"):
        opened(str(tmp_path / "own.ledger"))


DYING = """
import os, signal, sys
from budgets import ActKind, ObjectionRegister
register = ObjectionRegister.beside(sys.argv[1])
for number in range(10_000):
    register.record(ActKind.OBJECT, "town", [str(number), f"{number} too"], by="ann", reason="a letter")
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_being_killed(address: str) -> None:
    """Kill a recorder at any moment: every acknowledged event is there, with both of its persons."""
    with subprocess.Popen([sys.executable, "-c", DYING, address], stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        with not_for_ever(recorder):
            told = [int(next(recorder.stdout)) for _ in range(25)]
        os.kill(recorder.pid, signal.SIGKILL)
        told += [int(line) for line in recorder.stdout if line.endswith("\n")]
    register = opened(address)
    persons = [objection.person for objection in register.behind(0)]
    assert {str(number) for number in told} <= set(persons)
    assert len(persons) == 2 * len(register.acts()) == 2 * len(set(persons) & {str(n) for n in range(10_000)})
    register.close()
