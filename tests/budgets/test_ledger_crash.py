"""Killed processes, and a server that crashes: acknowledged charges persist, once, with one result."""

from __future__ import annotations

import subprocess
import sys

import pytest

from budgets import Ledger, Loss
from tests.budgets.ledger_checks import SHARED, answer, ask, check_books, item
from tests.budgets.spender import WIDE
from tests.support.ledger.client_kills import steps_of
from tests.support.timeouts import killed_after_timeout


def test_killed_between_charge_and_settle(address: str) -> None:
    command = [sys.executable, "-m", "tests.budgets.spender", address, "ann", "1", "0.0001", "wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with killed_after_timeout(process):
        assert process.stdout is not None and process.stdout.readline() == "ann 0\n"  # charged, and nothing settled
    process.kill()
    process.wait()
    with Ledger.open(address) as ledger:
        assert ledger.account(SHARED).spent == Loss.rounded_up("0.0001")
        assert ledger.replay("ann", "operator", ["ann 0"]) == {}
        retry = ledger.charge(ask(item("ann 0", "0.0001"), request="ann 0", caps=WIDE))
        assert (retry.is_repeat, retry.to_run) == (True, ("ann 0",))
        other_id = ledger.charge(ask(item("ann 0", "0.0001"), request="another", caps=WIDE))
        assert (other_id.loss, other_id.to_run) == (Loss(0, 0), ("ann 0",))
        assert answer(ledger, retry) == {"ann 0": b"answer ann 0"}
        assert ledger.account(SHARED).spent == Loss.rounded_up("0.0001")
        check_books(ledger)


def test_the_steps_have_names(address: str) -> None:
    steps = steps_of(address)
    assert {"before UPDATE accounts", "after UPDATE accounts", "before COMMIT", "after COMMIT"} <= set(steps)
    assert {"before INSERT releases", "after INSERT charges"} <= set(steps)


def kill(kind: str, seed: int, rounds: int, spenders: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.ledger.kill_rounds", kind, *map(str, (seed, rounds, spenders))]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize(("kind", "rounds"), [("sqlite", 9), ("postgres", 9), ("crash", 2)])
def test_no_acknowledged_charge_is_lost(kind: str, rounds: int) -> None:
    """Forty of the kills of `python -m tests.nightly crash`."""
    done = kill(kind, 1, rounds, 2)
    assert done.stdout.startswith(f"{2 * rounds} kills, "), done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["early-sqlite", "early-postgres"])
def test_a_ledger_that_acknowledges_before_commit_is_found(kind: str) -> None:
    done = kill(kind, 1, 10, 2)
    assert done.stdout.startswith("found: charges of client"), done.stdout + done.stderr
    assert "that were acknowledged are gone" in done.stdout
