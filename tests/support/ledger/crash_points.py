"""Processes that run one query and kill themselves at a named step: `python -m tests.support.ledger.crash_points`.

Each is forked from a single-threaded interpreter, for a line of its standard input: folder, step and kind.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from budgets import Ledger
from engine.backends.duckdb import DuckDBBackend
from engine.data.snapshot import open_snapshot
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.neighbours.attack_catalog import attack_catalog

STEPS = ("before reading", "after reading", "after noise", "after storing", "never")
QUESTION = "SELECT gender, count(*) AS n FROM subscribers GROUP BY gender"


class Reading:
    """A backend that records how many charges are durable at the moment when rows are read."""

    def __init__(self, backend: DuckDBBackend, ledger: Path, step: str) -> None:
        self.backend, self.ledger, self.step, self.target = backend, ledger, step, backend.target
        self.empty = backend.empty

    def run(self, bounded: object, objected: object) -> object:
        (self.ledger.parent / "read").write_text(str(charges(self.ledger)))
        die_at("before reading", self.step)
        exact = self.backend.run(bounded, objected)
        die_at("after reading", self.step)
        return exact

    def count(self, sql: str) -> int:
        return self.backend.count(sql)

    def public(self, sql: str) -> object:
        return self.backend.public(sql)

    def values(self, sql: str) -> tuple[object, ...]:
        return self.backend.values(sql)


def charges(ledger: Path) -> int:
    """Count durable charges, as seen by another process."""
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as other:
        names = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = next(name for name in names if "entries" in name)
        return int(other.execute(f"SELECT count(*) FROM {table} WHERE kind = 'charged'").fetchone()[0])


def die_at(step: str, chosen: str) -> None:
    """Kill this process at the chosen step, without any cleanup."""
    if step == chosen:
        os.kill(os.getpid(), signal.SIGKILL)


class ChargesLate(Engine):
    """A planted bug: data are read before the charge."""

    def charge(self, sql: str, prepared: tuple, asked: Request) -> object:
        for each in prepared:
            self.measure_release(each)
        return super().charge(sql, prepared, asked)


def run_query(folder: Path, step: str, kind: str) -> None:
    """Run the query with a fixed request id."""
    catalog = attack_catalog(folder)
    made = open_snapshot(catalog, folder / "cache", lambda *_: None)
    backend = DuckDBBackend.open(made.files, made.addresses, folder / "scratch")
    ledger = folder / "ledger.sqlite"

    def noise(*arguments: object) -> object:
        noisy = add_noise(*arguments)
        die_at("after noise", step)
        return noisy

    build = ChargesLate if kind == "late" else Engine
    engine = build(catalog, Reading(backend, ledger, step), Ledger.open(ledger), noise)
    question = Request("ann", request_id="one request")
    prepared_step = replace(engine) if step != "after storing" else _dies_when_finishing(engine)
    answered = prepared_step.answer(QUESTION, question)
    sys.stdout.write(f"{answered.answer.table.to_pylist()}\n")


def _dies_when_finishing(engine: Engine) -> Engine:
    class Stored(type(engine)):
        def finish(self, *arguments: object) -> object:
            die_at("after storing", "after storing")
            raise AssertionError(arguments)

    return Stored(engine.catalog, engine.backend, engine.ledger, engine.add_noise)


def main() -> None:
    """Report the exit code, standard output and standard error of the process of each input line."""
    for line in sys.stdin:
        folder, step, kind = json.loads(line)
        outputs = [Path(folder) / name for name in ("told", "told wrong")]
        child = os.fork()
        if not child:
            _run_child(outputs, Path(folder), step, kind)
        _, status = os.waitpid(child, 0)
        ended = [os.waitstatus_to_exitcode(status), *(file.read_text(encoding="utf-8") for file in outputs)]
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


def _run_child(outputs: list[Path], folder: Path, step: str, kind: str) -> None:
    """Run in this process with output redirected to two files, and exit."""
    for descriptor, file in enumerate(outputs, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    try:
        run_query(folder, step, kind)
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
