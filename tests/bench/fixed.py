"""The fixed cost of 24 questions over a thousand events: processor time of this checkout against that of another.

`python -m tests.bench fixed --against FOLDER`; FOLDER is another checkout of passersby, of whose code the same
interpreter and libraries run. Both answer in turn, in a process each, as a worker of the server does: its garbage
collector does not scan what was opened, where that checkout's worker spares it. Each answer is of a new client.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import machine
from tests.support.tree import ROOT

EVENTS = 1_000
WARMING = 2  # rounds that are not measured
ANSWERS_ALL = f"""
import gc, json, sys, time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from budgets import Ledger
from dialect import Refusal
from engine.pricing.query_terms import Request
from tests.bench.pairs import RHO, opened
from tests.support.sql.analysts import questions

with opened({EVENTS}, "person") as (_, engine, folder):
    def answer(ledger, sql):
        start = time.process_time()
        try:
            replace(engine, ledger=ledger).answer(sql, Request(uuid4().hex, RHO))
        except Refusal:
            return None
        return time.process_time() - start

    gc.collect()
    if any("gc.freeze" in file.read_text() for file in Path("engine/server").rglob("*.py")):
        gc.freeze()
    for _ in sys.stdin:
        with Ledger.open(folder / uuid4().hex) as ledger:
            answer(ledger, "SELECT count(*) AS n FROM event")
            print(json.dumps({{name: answer(ledger, sql) for name, sql in questions().items()}}), flush=True)
"""


def command(arguments: Sequence[str]) -> None:
    """Print the median processor time of each question in both checkouts, and the median of their ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench fixed", description=__doc__)
    parser.add_argument("--against", type=Path, required=True, metavar="FOLDER", help="the other checkout")
    parser.add_argument("--rounds", type=int, default=7, help="answers to each question in each checkout (default 7)")
    asked = parser.parse_args(arguments)
    if not (asked.against / "tests" / "bench" / "pairs.py").is_file():
        parser.error(f"{asked.against} is no checkout of passersby")
    with _answering(asked.against) as before, _answering(ROOT) as after:
        rounds = [(next(before), next(after)) for _ in range(WARMING + asked.rounds)][WARMING:]
    names = [name for name, seconds in rounds[0][0].items() if seconds and rounds[0][1][name]]
    pairs = {name: [(old[name] * 1000, new[name] * 1000) for old, new in rounds] for name in names}
    ratios = {name: statistics.median(new / old for old, new in pairs[name]) for name in names}
    print(machine.described(), "\n")
    medians = {name: [statistics.median(column) for column in zip(*pairs[name], strict=True)] for name in names}
    machine.table(
        ("question", "other ms", "this ms", "ratio"), [(name, *medians[name], ratios[name]) for name in names]
    )
    print(f"\nmedian ratio of {len(names)} questions: {statistics.median(ratios.values()):.3f}")


@contextmanager
def _answering(checkout: Path) -> Iterator[Iterator[dict[str, float]]]:
    """Start a process of a checkout that answers all questions for each item that is taken: seconds by question."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    with ExitStack() as stack:
        child = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", ANSWERS_ALL],
                cwd=checkout,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        asks, answers = child.stdin, child.stdout
        assert asks is not None and answers is not None

        def rounds() -> Iterator[dict[str, float]]:
            while True:
                asks.write("\n")
                asks.flush()
                yield json.loads(answers.readline())

        yield rounds()
        asks.close()
