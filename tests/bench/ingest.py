"""One more day on a year of days: time to add it, and to update layout and rollups."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

from dialect import Catalog
from engine.catalog.file import load_catalog
from engine.data.ingest.add_files import ingest
from engine.data.layout import LayoutReport, build_layout
from engine.progress import ignore_progress
from tests.bench.machine import table

FIRST, DAYS, PEOPLE, ZONES = date(2026, 1, 1), 365, 100_000, 200
CATALOG = f"""
format = 1
name = "year"
[datasets.year]
window = "day"
first_window = "{FIRST}"
last_window = "2027-01-31"
rollups = ["SELECT zone, hour(ts) AS h, count(*) AS n, count(DISTINCT person) AS p, sum(metres) AS m FROM sight GROUP BY 1, 2"]
[datasets.year.budget]
rho = 0.2
client_rho = 0.1

[tables.sight]
dataset = "year"
kind = "private"
source = {{ parquet = "sights/*.parquet" }}
person = "person"
time_column = "ts"
size_class = "1e7"
norms = {{ rows = 20, persons = 5 }}
[tables.sight.columns]
person = {{ type = "BIGINT", nullable = false }}
ts = {{ type = "TIMESTAMP", time_zone = "UTC", stored = "local" }}
zone = {{ type = "INTEGER", range = [0, {ZONES - 1}] }}
metres = {{ type = "INTEGER", bounds = [0, 999], sum_norm = 20000 }}
"""


def main(events: int, runs: int) -> None:
    """Print a table."""
    print(f"{events:.0e} events in {DAYS} files of a day each, windows of a day, one rollup by zone and hour\n")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "sights").mkdir()
        (folder / "catalog.toml").write_text(CATALOG, encoding="utf-8")
        for day in range(DAYS):
            _write(folder / "sights" / f"{FIRST + timedelta(day)}.parquet", day, events // DAYS)
        catalog = load_catalog(folder / "catalog.toml")
        whole = build_layout(catalog, folder / "cache", ignore_progress)
        added, renewed = zip(*(_one_more(folder, day, events // DAYS) for day in range(DAYS, DAYS + runs)), strict=True)
        again = build_layout(load_catalog(folder / "catalog.toml"), folder / "cache", ignore_progress)
    rows = [("layout and rollup of the year, made at once", whole.seconds, whole.seconds, whole.seconds)]
    rows.append(("one more day, added", *_spread(added)))
    rows.append(("layout and rollup brought up to it", *_spread([each.seconds for each in renewed])))
    rows.append(("layout and rollup of the year and these days, made at once", *_spread([again.seconds])))
    table(("", "seconds", "least", "most"), rows)
    print(f"\nlayout: {renewed[-1].bytes_after / 1e6:,.0f} MB, made at once {again.bytes_after / 1e6:,.0f} MB")


def _one_more(folder: Path, day: int, events: int) -> tuple[float, LayoutReport]:
    _write(folder / "new.parquet", day, events)
    begun = time.perf_counter()
    done = ingest(_catalog(folder), "sight", [str(folder / "new.parquet")], (), ignore_progress, allow_late=False)
    taken = time.perf_counter() - begun
    assert done.rows == events
    account = build_layout(_catalog(folder), folder / "cache", ignore_progress, rebuild=False)
    assert account.renewed
    return taken, account


def _catalog(folder: Path) -> Catalog:
    return load_catalog(folder / "catalog.toml")


def _write(file: Path, day: int, events: int) -> None:
    """Write the sightings of a day: the same ones at each run."""
    drawn = [f"hash(i, {day}, {salt})" for salt in range(4)]
    at = f"TIMESTAMP '{FIRST + timedelta(day)}' + to_seconds(CAST({drawn[1]} % 86400 AS BIGINT))"
    rows = f"""SELECT CAST({drawn[0]} % {PEOPLE} AS BIGINT) AS person, {at} AS ts,
      CAST({drawn[2]} % {ZONES} AS INTEGER) AS zone, CAST({drawn[3]} % 1000 AS INTEGER) AS metres
      FROM range({events}) AS t(i)"""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({rows}) TO '{file}' (FORMAT parquet)")


def _spread(seconds: list[float] | tuple[float, ...]) -> tuple[float, float, float]:
    return statistics.median(seconds), min(seconds), max(seconds)
