"""Durable charges per second against the disk's flush rate, on both stores, for one client and for many."""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from budgets import Caps, Ledger, Loss
from tests.bench.machine import table
from tests.budgets.ledger_checks import ask, item
from tests.support.ledger import postgres

SECONDS = 4.0
MOST_CHARGES = 30_000  # made for one measurement
ASKERS = (1, 8, 64)
LEDGERS, CHARGES = 5, 12  # of questions over a year of days
ROUNDS = 3  # the disk and each store in turn, since a shared disk changes from minute to minute
FLUSHES = {"fsync": os.fsync, "fdatasync": os.fdatasync}  # of all of a file, and of its content alone
WANTED = 0.5  # charges for each flush
ROOMY = Caps(dataset=Loss.rounded_down("1000", "1e-9"), client=Loss.rounded_down("1000", "1e-9"))


def main(events: int, runs: int) -> None:
    """Print medians of a few rounds."""
    del events, runs
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder))
        a_year_of_days(Path(folder))


def throughput(folder: Path) -> None:
    """Measure the disk and the stores in turn, and print charges per flush."""
    rates: dict[tuple[str, int], list[float]] = {}
    flushes: dict[tuple[str, str], list[float]] = {}  # by store and by kind of flush: beside which it was measured
    for number in range(ROUNDS):
        places = {"sqlite": str(folder / f"ledger {number}"), "postgres": postgres.server().new_ledger()}
        for store, address in places.items():
            for askers in ASKERS:
                before = flushes_a_second(folder / "flushed")
                rates.setdefault((store, askers), []).append(charges_a_second(address, askers))
                after = flushes_a_second(folder / "flushed")
                for kind in FLUSHES:
                    flushes.setdefault((store, kind), []).append((before[kind] + after[kind]) / 2)
    rows = [
        (
            store,
            askers,
            f"{statistics.median(found):.0f}",
            *_flush_cells(found, [flushes[store, kind] for kind in FLUSHES]),
        )
        for (store, askers), found in rates.items()
    ]
    told = [part for kind in FLUSHES for part in (f"{kind} a second", f"charges for each; wanted {WANTED}")]
    table(("store", "askers at once", "charges a second", *told), rows)


def a_year_of_days(folder: Path) -> None:
    """Charge a question over 365 windows for a client three levels deep: durable, and verified afterwards."""
    days = tuple(str(date(2026, 1, 1) + timedelta(days=number)) for number in range(365))
    opening, again = [], []
    for number in range(LEDGERS):
        with Ledger.open(folder / f"days {number}") as ledger:
            for asked in range(CHARGES):
                one = ask(
                    item(f"key {asked}", "0.001", windows=days), client="acme/maps/ann", request=f"{asked}", caps=ROOMY
                )
                (again if asked else opening).append(_milliseconds(lambda one=one: ledger.charge(one)))
            assert ledger.verify() == ()
    rows = [
        (name, f"{statistics.median(found):.1f}", f"{min(found):.1f}", f"{statistics.median(used):.1f}")
        for name, (found, used) in {
            "which opens 1,828 accounts": tuple(zip(*opening, strict=True)),
            "of accounts that are open": tuple(zip(*again, strict=True)),
        }.items()
    ]
    table(("a charge over 365 windows", "ms; wanted 20", "least", "of processor"), rows)


def _milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time of a call, in ms."""
    clock, worked = time.perf_counter(), time.process_time()
    work()
    return 1_000 * (time.perf_counter() - clock), 1_000 * (time.process_time() - worked)


def _flush_cells(charges: list[float], flushes: list[list[float]]) -> Iterator[str]:
    """Rate of each kind of flush, and charges per flush."""
    for each in flushes:
        yield f"{statistics.median(each):.0f}"
        yield f"{statistics.median(charges) / statistics.median(each):.2f}"


def flushes_a_second(path: Path) -> dict[str, float]:
    """Rewrite and flush one page repeatedly: the upper limit of one commit after the other.

    `fsync` writes when the file was changed beside its content; `fdatasync`, as both stores use it, the content alone.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(file, bytes(1 << 20), 0)
    os.fsync(file)

    def flushing(flush: Callable[[int], None]) -> Callable[[int], None]:
        def write(number: int) -> None:
            os.pwrite(file, number.to_bytes(8, "big") * 512, number % 256 * 4096)
            flush(file)

        return write

    rates = {kind: _a_second(flushing(flush), SECONDS / 4) for kind, flush in FLUSHES.items()}
    os.close(file)
    return rates


def charges_a_second(address: str, askers: int) -> float:
    """Charge new, prepared queries from several threads; each counts once it is durable."""
    with Ledger.open(address) as ledger, ThreadPoolExecutor(askers) as pool:
        ready = threading.Barrier(askers)

        def ask_on(asker: int) -> float:
            client = f"client {askers} {asker}"
            first, *others = (
                ask(item(f"{client} {number}", "0.0001"), client=client, request=f"r{number}", caps=ROOMY)
                for number in range(MOST_CHARGES // askers)
            )
            ledger.charge(first)
            ready.wait()
            return _a_second(lambda number: ledger.charge(others[number]), SECONDS, len(others))

        return sum(pool.map(ask_on, range(askers)))


def _a_second(act: Callable[[int], object], seconds: float, most: int | None = None) -> float:
    """Repeat an action for some seconds and return its rate."""
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < seconds and number != most:
        act(number)
        number += 1
    return number / (time.perf_counter() - start)
