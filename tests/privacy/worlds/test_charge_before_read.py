"""Charge, read, noise, store, send, in that order: shown by killing the process between any two of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from budgets import AccountName, Charge, Ledger
from engine.backends.duckdb import DuckDBBackend
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.ledger.crash_points import STEPS, charges
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.neighbours.two_worlds import ANSWERED, attacks
from tests.support.statistics.noised import ReadOnce, engine_over
from tests.support.timeouts import killed_after_timeout
from tests.support.tree import ROOT

CHARGES = 1


class Died(NamedTuple):
    """How a process that asked has ended."""

    returncode: int
    stdout: str
    stderr: str


Ask = Callable[..., Died]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Closure that queries in a process of its own, forked after all imports."""
    command = [sys.executable, "-m", "tests.support.ledger.crash_points"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:

        def asked(folder: Path, step: str, kind: str = "right") -> Died:
            assert parent.stdin is not None and parent.stdout is not None
            with killed_after_timeout(parent):
                parent.stdin.write(json.dumps([str(folder), step, kind]) + "\n")
                parent.stdin.flush()
                return Died(*json.loads(parent.stdout.readline()))

        yield asked


def charged_when_read(folder: Path) -> int:
    """Number of durable charges when the first private row was read."""
    return int((folder / "read").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_question_is_charged_once_and_answered_once(step: str, ask: Ask, tmp_path: Path) -> None:
    died = ask(tmp_path, step)
    assert died.returncode == (0 if step == "never" else -signal.SIGKILL), died.stderr
    assert charged_when_read(tmp_path) == CHARGES
    assert charges(tmp_path / "ledger.sqlite") == CHARGES
    again = ask(tmp_path, "never")
    assert again.returncode == 0, again.stderr
    assert step != "never" or died.stdout == again.stdout
    assert charges(tmp_path / "ledger.sqlite") == CHARGES
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        spent = ledger.account(AccountName("attack", "forever", "ann")).spent
        assert spent.pico_rho == 5 * 10**9
        assert sum(entry.kind == "released" for entry in ledger.entries()) == 1


def test_an_engine_that_charges_after_reading_is_caught(ask: Ask, tmp_path: Path) -> None:
    assert ask(tmp_path, "before reading", "late").returncode == -signal.SIGKILL
    assert charged_when_read(tmp_path) == 0


# ---------------------------------------------------------------- in one process, every statement that reaches the data

COUNTED = "SELECT max(n) AS n FROM"  # how many rows a person has at most, counted once before the first pairs are made
ANSWERABLE = [attack.sql for attack in attacks() if attack.outcome == ANSWERED]


class ReadTooEarly(AssertionError):
    """A statement reached rows of people while nothing was charged."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("order")
    with engine_over(attack_catalog(folder), folder) as opened:
        yield opened


def watched(engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, list[str]]:
    """Check the ledger at every statement that names a private table, and list all but COUNTED."""
    addresses = engine.backend.target.addresses
    private = [addresses[table.name] for table in engine.catalog.tables if table.private]
    statements: list[str] = []
    table = DuckDBBackend._table

    def held(backend: DuckDBBackend, sql: str, *objected: pa.Table) -> pa.Table:
        if any(address in sql for address in private):
            if not sql.startswith(COUNTED):
                statements.append(sql)
            if not any(entry.kind == "charged" for entry in ledger.entries()):
                raise ReadTooEarly(sql)
        return table(backend, sql, *objected)

    monkeypatch.setattr(DuckDBBackend, "_table", held)
    assert isinstance(engine.backend, ReadOnce)
    return replace(engine, backend=engine.backend._backend, ledger=ledger), statements


@pytest.mark.parametrize("sql", ANSWERABLE)
def test_no_statement_reaches_rows_of_people_before_the_charge(
    sql: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with blank_ledger() as ledger:
        own, statements = watched(engine, ledger, monkeypatch)
        explain(own, sql, Request("ann"))
        assert statements == []
        first = own.answer(sql, Request("ann"))
        reads = sum(1 if each.selection is None else 2 for each in first.prepared)  # private keys are chosen first
        assert len(statements) == reads
        assert own.answer(sql, Request("ann")).answer.table.equals(first.answer.table)
        assert len(statements) == reads  # and its repeats not at all


class ChargesLate(Engine):
    """A planted bug: makes the release, and charges for it afterwards."""

    def charge(self, sql: str, prepared: tuple[CompiledRelease, ...], asked: Request) -> Charge | None:
        for each in prepared:
            self.measure_release(each)
        return super().charge(sql, prepared, asked)


def test_a_statement_before_the_charge_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with blank_ledger() as ledger:
        own, _ = watched(engine, ledger, monkeypatch)
        late = ChargesLate(own.catalog, own.backend, own.ledger, own.add_noise)
        with pytest.raises(ReadTooEarly):
            late.answer(ANSWERABLE[0], Request("ann"))
