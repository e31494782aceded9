"""A killed process: what was acknowledged stays charged, and what was charged can be asked again for nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from budgets import Ledger, Loss
from tests.budgets.books import SHARED, answer, ask, check_books, item
from tests.budgets.spender import WIDE


def spender(path: Path, name: str, times: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.budgets.spender", str(path), name, str(times), "0.0001", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_killed_between_charge_and_settle(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    process = spender(path, "ann", 1, "wait")
    assert process.stdout is not None and process.stdout.readline() == "ann 0\n"  # charged, and nothing settled
    process.kill()
    process.wait()
    with Ledger.open(path) as ledger:
        assert ledger.account(SHARED).spent == Loss.of("0.0001")
        assert ledger.replay("ann", "operator", ["ann 0"]) == {}
        retry = ledger.charge(ask(item("ann 0", "0.0001"), request="ann 0", caps=WIDE))
        assert (retry.repeated, retry.to_run) == (True, ("ann 0",))
        other_id = ledger.charge(ask(item("ann 0", "0.0001"), request="another", caps=WIDE))
        assert (other_id.loss, other_id.to_run) == (Loss(0, 0), ("ann 0",))
        assert answer(ledger, retry) == {"ann 0": b"answer ann 0"}
        assert ledger.account(SHARED).spent == Loss.of("0.0001")
        check_books(ledger)


@pytest.mark.parametrize("milliseconds", [1, 23, 60])
def test_killed_at_some_instant(tmp_path: Path, milliseconds: int) -> None:
    path = tmp_path / "ledger.sqlite"
    process = spender(path, "ann", 2_000)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip()]
    time.sleep(milliseconds / 1_000)
    process.kill()
    acknowledged += process.communicate()[0].split("\n")[:-1]
    with Ledger.open(path) as ledger:
        charged = {paid.release_key for paid in ledger.releases("ann")}
        lost = set(acknowledged) - charged
        assert acknowledged[0] == "ann 0" and not lost
        assert len(charged - set(acknowledged)) <= 1  # the one that was on its way to being said
        check_books(ledger)
