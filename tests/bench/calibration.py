"""COUNT by 200 cells over heavy contributors: error under declared clip bounds and under a calibration, and its price.

100,000 made-up people, log-normal in how often they are seen, in cells of unequal size; epsilon 1 at delta 1e-6, a person as the
unit. With a calibration the question is asked twice: at the whole loss beside it, and at what the calibration leaves of it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from budgets import Ledger, rho_from_epsilon
from engine.backends.duckdb import DuckDBBackend
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import Calibration, Calibrations, load_calibrations
from engine.pricing.query_terms import Request
from engine.workflows.calibrate import calibrate, plan_calibration
from tests.bench.machine import table

PEOPLE, CELLS = 100_000, 200
SQL = "SELECT cell, COUNT(*) AS n FROM event GROUP BY cell"
CATALOG = """
format = 1
name = "heavy"
[datasets.heavy]
window = "forever"
[datasets.heavy.budget]
rho = 1.0
delta = 1e-6
[tables.event]
dataset = "heavy"
kind = "private"
source = { duckdb = "heavy.duckdb", table = "event" }
person = "person_id"
size_class = "1e6"
max_groups_per_person = 40
norms = { rows = 100, persons = 10, by_keys = [{ keys = ["cell"], rows = 40, persons = 5 }] }
[tables.event.columns]
person_id = { type = "BIGINT", nullable = false }
cell = { type = "BIGINT", values_of = "cell.cell", nullable = false }
[tables.cell]
dataset = "heavy"
kind = "public"
source = { duckdb = "heavy.duckdb", table = "cell" }
primary_key = ["cell"]
[tables.cell.columns]
cell = { type = "BIGINT", nullable = false }
"""
SLICE = slice(90, 100)  # cells of a usual size
OF_SLICE = SQL.replace("event", "event WHERE cell BETWEEN 90 AND 99")
SPENT = (Fraction(1, 1000), Fraction(5, 1000))  # rho of a calibration
TIMES = 5


def made_up(folder: Path) -> np.ndarray:
    """Write the data and the catalog; returns the true counts."""
    draw = np.random.default_rng(11)
    seen = np.minimum(np.ceil(draw.lognormal(np.log(8), 1.3, PEOPLE)).astype(int), 5_000)
    share = 1 / np.sqrt(np.arange(1, CELLS + 1))
    share /= share.sum()
    person = np.repeat(np.arange(PEOPLE), seen)
    home = draw.choice(CELLS, PEOPLE, p=share)[person]
    cell = np.where(draw.random(len(person)) < 0.4, home, draw.choice(CELLS, len(person), p=share))
    rows = pa.table({"person_id": person, "cell": cell})
    with duckdb.connect(str(folder / "heavy.duckdb")) as connection:
        connection.register("rows", rows)
        connection.execute("CREATE TABLE event AS FROM rows ORDER BY person_id")
        connection.execute(f"CREATE TABLE cell AS SELECT i AS cell FROM range({CELLS}) AS t(i)")
    (folder / "catalog.toml").write_text(CATALOG, encoding="utf-8")
    return np.bincount(cell, minlength=CELLS)


def row(engine: Engine, truth: np.ndarray, name: str, rho: Fraction, sql: str = SQL) -> tuple[str, ...]:
    """Compare repeated runs of a query, each on a new release."""
    errors, largest = [], []
    for _ in range(TIMES):
        with Ledger.open(":memory:") as ledger:
            asked = replace(engine, ledger=ledger).answer(sql, Request("bench", rho))
        values = np.array(asked.answer.table.column("n").to_pylist())
        errors.append(np.median(np.abs(values - truth) / truth))
        largest.append(values[truth.argmax()])
    bound = asked.prepared[0].bounds.vectors[0]
    told = f"{bound.predicted_bias:.1%}" if bound.predicted_bias is not None else "unknown"
    return (
        name,
        f"{float(rho):.4f}",
        f"{bound.clip_bound:g}",
        told,
        f"{np.median(errors):.2%}",
        f"{np.median(largest):,.0f}",
    )


def _without_groups(engine: Engine) -> Calibrations:
    """Simulate calibrations of older versions, which lack the number of groups."""
    known = engine.calibrations.today("heavy")
    return Calibrations({"heavy": Calibration(tuple(replace(each, groups=None) for each in known.histograms))})


def main(events: int, runs: int) -> None:
    """Print the results of each contribution bound."""
    del events, runs
    rho = rho_from_epsilon(Fraction(1), Fraction(1, 10**6))
    with tempfile.TemporaryDirectory() as folder:
        truth = made_up(Path(folder))
        catalog = load_catalog(Path(folder) / "catalog.toml")
        made = open_snapshot(catalog, Path(folder) / "cache", lambda *_: None)
        backend = DuckDBBackend.open(made.files, made.addresses, Path(folder) / "scratch")
        engine = Engine(catalog, backend, Ledger.open(":memory:"), add_noise)
        rows = [row(engine, truth, "declared norms, a guess", rho)]
        for spent in SPENT:
            ledger = Ledger.open(":memory:")
            paying = replace(engine, ledger=ledger)
            calibrate(paying, plan_calibration(paying, catalog.datasets[0], rho=spent), lambda *_: None, "bench")
            known = replace(paying, calibrations=load_calibrations(ledger, ["heavy"]))
            rows.append(row(known, truth, f"calibrated for rho {float(spent):g} beside", rho))
            rows.append(row(known, truth, f"calibrated for rho {float(spent):g} of the same", rho - spent))
            if spent == SPENT[0]:
                rows.append(row(known, truth[SLICE], "the same, of ten cells by WHERE", rho, OF_SLICE))
                older = replace(known, calibrations=_without_groups(known))
                rows.append(row(older, truth[SLICE], "the same, groups not noted", rho, OF_SLICE))
        backend.close()
    print(f"largest cell {truth.max():,}, median cell {int(np.median(truth)):,}, {truth.sum():,} rows\n")
    table(("bound", "rho", "C", "cut, as told", "median relative error", "answer for the largest cell"), rows)
