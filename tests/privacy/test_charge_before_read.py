"""Charge, read, noise, store, send, in that order: shown by killing the process between any two of them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from budgets import AccountName, Ledger
from tests.support.dying import STEPS, charges
from tests.support.tree import ROOT

ACCOUNTS = 2  # of the client, and of all clients together


def ask(folder: Path, step: str, kind: str = "right") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.dying", str(folder), step, kind]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def charged_when_read(folder: Path) -> int:
    """Say how many charges were durable when the first private row was read."""
    return int((folder / "read").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_question_is_charged_once_and_answered_once(step: str, tmp_path: Path) -> None:
    died = ask(tmp_path, step)
    assert died.returncode == (0 if step == "never" else -signal.SIGKILL), died.stderr
    assert charged_when_read(tmp_path) == ACCOUNTS
    assert charges(tmp_path / "ledger.sqlite") == ACCOUNTS
    first, again = ask(tmp_path, "never"), ask(tmp_path, "never")
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert step != "never" or died.stdout == first.stdout
    assert charges(tmp_path / "ledger.sqlite") == ACCOUNTS
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        spent = ledger.account(AccountName("attack", "forever", "ann")).spent
        assert spent.pico_rho == 5 * 10**9
        assert sum(entry.kind == "released" for entry in ledger.entries()) == 1


def test_an_engine_that_charges_after_reading_is_caught(tmp_path: Path) -> None:
    assert ask(tmp_path, "before reading", "late").returncode == -signal.SIGKILL
    assert charged_when_read(tmp_path) == 0
