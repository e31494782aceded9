"""An append-only register of objections, on both stores: acknowledged events are seen by every process, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from budgets import LedgerError, LedgerUnavailable, ObjectionEventKind, ObjectionRegister
from budgets.stores import client_tables
from tests.support.timeouts import killed_after_timeout


def opened(address: str) -> ObjectionRegister:
    return ObjectionRegister.open_for_ledger(address)


def test_what_is_recorded_is_read_by_every_open_register(address: str) -> None:
    one, other = opened(address), opened(address)
    act = one.record(ObjectionEventKind.OBJECT, "town", ["7", "8"], by="ann", reason="a letter")
    assert [(o.dataset, o.kind, o.person) for o in other.objections_after(0)] == [
        ("town", ObjectionEventKind.OBJECT, "7"),
        ("town", ObjectionEventKind.OBJECT, "8"),
    ]
    last = other.objections_after(0)[-1].position
    one.record(ObjectionEventKind.WITHDRAW, "town", ["7"], by="ben", reason="a call")
    (newer,) = other.objections_after(last)
    assert (newer.kind, newer.person) == (ObjectionEventKind.WITHDRAW, "7")
    assert other.events()[0] == act
    assert [(a.recorded_by, a.reason, a.kind) for a in other.events()] == [
        ("ann", "a letter", ObjectionEventKind.OBJECT),
        ("ben", "a call", ObjectionEventKind.WITHDRAW),
    ]
    one.close()
    other.close()


def test_an_act_that_fails_midway_leaves_nothing(address: str) -> None:
    register = opened(address)
    with pytest.raises(LedgerUnavailable):
        register.record(ObjectionEventKind.OBJECT, "town", ["1", None], by="ann", reason="bulk")  # type: ignore[list-item]
    assert (register.events(), register.objections_after(0)) == ((), ())
    register.close()


@pytest.mark.parametrize("table", [client_tables.objection_events, client_tables.objection_persons], ids=str)
def test_the_database_itself_refuses_changes(address: str, table: Table) -> None:
    register = opened(address)
    register.record(ObjectionEventKind.OBJECT, "town", ["1"], by="ann", reason="a letter")
    column = "reason" if table is client_tables.objection_events else "person"
    for statement in (delete(table), update(table).values({column: "other"})):
        with pytest.raises(LedgerError), register._store.writing() as connection:
            connection.execute(statement)
    assert [objection.person for objection in register.objections_after(0)] == ["1"]
    register.close()


def test_the_objection_register_is_a_file_of_its_own_readable_by_its_owner_alone(tmp_path: Path) -> None:
    opened(str(tmp_path / "own.ledger")).close()
    (file,) = [path for path in tmp_path.iterdir() if path.suffix == ".objections"]
    assert not file.stat().st_mode & 0o077
    file.chmod(0o644)
    with pytest.raises(LedgerError, match="open to others"):
        opened(str(tmp_path / "own.ledger"))


DYING = """
import os, signal, sys
from budgets import ObjectionEventKind, ObjectionRegister
register = ObjectionRegister.open_for_ledger(sys.argv[1])
for number in range(10_000):
    register.record(ObjectionEventKind.OBJECT, "town", [str(number), f"{number} too"], by="ann", reason="a letter")
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_being_killed(address: str) -> None:
    """Kill a recorder at any moment: every acknowledged event is there, with both of its persons."""
    with subprocess.Popen([sys.executable, "-c", DYING, address], stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        with killed_after_timeout(recorder):
            told = [int(next(recorder.stdout)) for _ in range(25)]
        os.kill(recorder.pid, signal.SIGKILL)
        told += [int(line) for line in recorder.stdout if line.endswith("\n")]
    register = opened(address)
    persons = [objection.person for objection in register.objections_after(0)]
    assert {str(number) for number in told} <= set(persons)
    assert len(persons) == 2 * len(register.events()) == 2 * len(set(persons) & {str(n) for n in range(10_000)})
    register.close()
