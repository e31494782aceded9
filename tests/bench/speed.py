"""Ratio to plain DuckDB on synthetic events: admission, bounding, noise, ledger and outer part included."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import duckdb

from budgets import Ledger
from engine.backends.duckdb import DuckDBBackend
from engine.catalog_file import load_catalog
from engine.noise import add_noise
from engine.operator import operator_path
from engine.pipeline import Asked, Engine
from engine.snapshot import snapshot
from tests.bench.machine import table

ZONE_HOUR = """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n, count(DISTINCT e.subscriber_id) AS people,
 sum(c.range_m) AS metres FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2"""
ZONE_HOUR_PEOPLE = """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n, count(DISTINCT e.subscriber_id) AS people
 FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2"""
AGE_GENDER = """SELECT s.age_band, s.gender, count(*) AS n, count(DISTINCT e.subscriber_id) AS people
 FROM event e JOIN subscriber s USING (subscriber_id) GROUP BY 1, 2"""
AGE_GENDER_ROWS = """SELECT s.age_band, s.gender, count(*) AS n
 FROM event e JOIN subscriber s USING (subscriber_id) GROUP BY 1, 2"""
RHO = Fraction(1, 200)
QUESTIONS = {
    "rows, people and sum by zone and hour": ZONE_HOUR,
    "rows and people by zone and hour": ZONE_HOUR_PEOPLE,
    "rows and people by age and gender, joined": AGE_GENDER,
    "rows by age and gender, joined": AGE_GENDER_ROWS,
}


@contextmanager
def opened(events: int, order: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Engine, Path]]:
    """Open plain DuckDB and the engine over the same file, two threads each."""
    catalog = load_catalog(operator_path(events, order=order))
    with tempfile.TemporaryDirectory() as folder:
        files = snapshot(catalog, Path(folder), lambda *_: None)
        backend = DuckDBBackend.open(files.files, files.addresses, Path(folder) / "scratch")
        plain = duckdb.connect(config={"threads": 2})
        plain.execute("ATTACH ? AS operator (READ_ONLY)", [next(iter(files.files.values()))])
        plain.execute("USE operator")
        yield plain, Engine(catalog, backend, Ledger.open(":memory:"), add_noise), Path(folder)
        plain.close()
        backend.close()


def main(events: int, runs: int) -> None:
    """Print a row per question and order of the table."""
    rows = []
    for order in ("person", "time"):
        with opened(events, order) as (plain, engine, folder):
            for name, sql in QUESTIONS.items():
                rows.append((order, name, *_pairs(plain, engine, folder, sql, runs)))
    print(f"{events:.0e} events, two threads, warm, {runs} pairs; one durable ledger file, nothing replayed")
    table(("sorted by", "question", "keys", "plain s", "passersby s", "ratio", "least", "most"), rows)


def _pairs(
    plain: duckdb.DuckDBPyConnection, engine: Engine, folder: Path, sql: str, runs: int
) -> tuple[int, float, float, float, float, float]:
    plain_seconds, seconds, keys = [], [], 0
    with Ledger.open(folder / f"{abs(hash(sql))}.ledger") as ledger:
        asking = Engine(engine.catalog, engine.backend, ledger, engine.add_noise)
        for run in range(runs + 1):
            rho = RHO + Fraction(run, 10**12)  # another price is another release: nothing is replayed
            start = time.perf_counter()
            plain.sql(sql).to_arrow_table()
            between = time.perf_counter()
            keys = asking.answer(sql, Asked("bench", rho)).answer.table.num_rows
            done = time.perf_counter()
            if run:  # the first pair only warms up
                plain_seconds.append(between - start)
                seconds.append(done - between)
    ratios = [ours / theirs for ours, theirs in zip(seconds, plain_seconds, strict=True)]
    medians = statistics.median(plain_seconds), statistics.median(seconds), statistics.median(ratios)
    return keys, *medians, min(ratios), max(ratios)
