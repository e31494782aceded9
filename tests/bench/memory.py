"""Ratio to plain DuckDB with little memory: usual queries on events by time, 4 GB for 1e8 of them, both engines."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import duckdb

from dialect import Refusal
from engine.errors import ExecutionFailed
from tests.bench.guard import Guard
from tests.bench.machine import table
from tests.bench.pairs import HEAD, Paired, Stage, opened
from tests.support.sql.analysts import questions

BYTES = 40  # of memory for each event
LEAST = 200  # MB


def main(events: int, runs: int) -> None:
    """Print a table, row by row, of what finished and what did not, the median, and what the guard found."""
    guard, memory = Guard("memory"), max(LEAST, BYTES * events // 10**6)
    print(f"what analysts ask of {events:.0e} events by time in {memory} MB, {runs} pairs\n", flush=True)
    found: list[Paired] = []
    with opened(events, "time", f"{memory}MB") as stage:
        table(("question", *HEAD), _rows(Stage(*stage), runs, found))
    slow = [each for each in found if not each.is_fast]
    if slow:
        clock, own = (statistics.median(column) for column in zip(*((e.ratio, e.processor) for e in slow), strict=True))
        print(f"\nmedian of {len(slow)} that take plain DuckDB more than 50 ms: {clock:.2f} (processor {own:.2f})")
        guard.ratio("median of what analysts ask", clock)
    print(f"\n{guard.summary()}")


def _rows(stage: Stage, runs: int, found: list[Paired]) -> Iterator[tuple[object, ...]]:
    for number, sql in questions().items():
        try:
            found.append(stage.ask(sql, runs))
        except Refusal:  # a larger town has longer lists
            continue
        except (ExecutionFailed, duckdb.Error) as failure:
            yield number, f"not finished: {type(failure).__name__}", *("" for _ in HEAD[1:])
        else:
            yield number, *found[-1].cells()
