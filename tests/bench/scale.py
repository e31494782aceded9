"""Extrapolation beyond this machine: a model of time, compared with measurements; a growing ledger."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budgets import Caps, Ledger, Loss
from tests.bench.machine import table
from tests.bench.pairs import Stage, opened
from tests.bench.speed import QUESTIONS
from tests.budgets.ledger_checks import ask, item

STEPS = (10, 3, 1)  # the asked size over these: the model is fitted to all but the last
BEYOND = (1e8, 1e9, 1e10, 1e11)
CORES = 1_000  # of a cluster
CHARGES = (500, 5_000)
ROOMY = Caps(dataset=Loss.rounded_down("1000", "1e-9"), client=Loss.rounded_down("1000", "1e-9"))
TEN_YEARS = 10_000 * 120 * 10  # clients, months, new questions of each in a month


@dataclass(frozen=True)
class Line:
    """Linear model of a query's processor seconds: a constant, and a slope per row."""

    fixed: float
    row: float

    @classmethod
    def of(cls, rows: list[float], seconds: list[float]) -> Line:
        """Fit a line through the measurements."""
        row, fixed = np.polyfit(rows, seconds, 1)
        return cls(float(fixed), float(row))

    def at(self, rows: float) -> float:
        """Predicted seconds for so many rows."""
        return self.fixed + self.row * rows


def main(events: int, runs: int) -> None:
    """Print the models with the measurements, the extrapolation to larger data, and the growth of a ledger."""
    fitted = _time(events, runs)
    print(f"\nseconds for more rows, of one core, and of {CORES:,} cores that share the rows evenly\n")
    rows = [
        (name, *(f"{line.at(n):,.0f} / {line.at(n) / CORES:,.1f}" for n in BEYOND)) for name, line in fitted.items()
    ]
    table(("question", *(f"{n:.0e} rows" for n in BEYOND)), rows)
    print()
    with tempfile.TemporaryDirectory() as folder:
        _ledger(Path(folder))


def _time(events: int, runs: int) -> dict[str, Line]:
    taken: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    sizes = []
    for step in STEPS:
        with opened(events // step, "time") as stage:
            sizes.append(float(stage[0].sql("SELECT count(*) FROM event").fetchall()[0][0]))
            for name, sql in QUESTIONS.items():
                taken[name].append(Stage(*stage).busy(sql, runs))
    found = {name: Line.of(sizes[:-1], seconds[:-1]) for name, seconds in taken.items()}
    print(f"processor seconds of a question, from {sizes[0]:,.0f} and {sizes[1]:,.0f} rows to {sizes[-1]:,.0f}\n")
    rows = [
        (name, f"{1000 * line.fixed:.0f}", f"{1e9 * line.row:.0f}", line.at(sizes[-1]), taken[name][-1],
         f"{taken[name][-1] / line.at(sizes[-1]):.2f}")
        for name, line in found.items()
    ]  # fmt: skip
    table(("question", "fixed ms", "ns a row", "foretold s", "measured s", "measured / foretold"), rows)
    return found


def _ledger(folder: Path) -> None:
    """Charge queries of ever new clients over ever new months; time and bytes of each."""
    rows = []
    for count in CHARGES:
        path = folder / f"{count}.ledger"
        with Ledger.open(path) as ledger:
            for number in range(count):
                _milliseconds(ledger, number)
            late = sorted(_milliseconds(ledger, count + more) for more in range(20))[10]
            begun = time.process_time()
            assert ledger.verify() == ()
            verified = 1e6 * (time.process_time() - begun) / count
        size = sum(each.stat().st_size for each in folder.glob(f"{path.name}*")) / count
        rows.append((f"{count:,}", late, f"{size:,.0f}", verified, f"{size * TEN_YEARS / 1e9:,.0f} GB"))
    head = ("charges in it", "ms of the next", "bytes of one", "us to verify one", "10,000 clients, ten years")
    table(head, rows)


def _milliseconds(ledger: Ledger, number: int) -> float:
    """Charge one more question, and give the processor's time for it."""
    month = (f"{2026 + number // 12 % 10}-{1 + number % 12:02}-01",)
    one = ask(
        item(f"key {number}", "0.0001", windows=month), client=f"client {number}", request=str(number), caps=ROOMY
    )
    begun = time.process_time()
    ledger.charge(one)
    return 1_000 * (time.process_time() - begun)
