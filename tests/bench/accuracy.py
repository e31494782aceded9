"""Answers on MiBici at rho 0.005 each: relative error, half-width, interval coverage; no number of the data.

The page shows the catalog as it ships, without norms: each draw buys its profile, and is held against the exact value.
With declared norms (`outcomes`) the exact bounded vector is read once per question and noised many times, so that the
noise alone is held against it.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import duckdb
import numpy as np

from budgets import Ledger
from dialect import Question, compile_query
from engine import Session, open_session
from engine.backends.duckdb import DuckDBBackend
from engine.backends.protocol import Backend
from engine.catalog.bundled import mibici_folder
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
from engine.mechanism.answer import Answer
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from passersby.result import card
from tests.bench.honesty.asking import ReadOnce
from tests.bench.machine import table

SECONDS = "least(greatest(epoch(ended_at - started_at), 0), 3600)"
QUESTIONS = {
    "trips in all": "SELECT count(*) AS n FROM trips",
    "people in all": "SELECT count(DISTINCT person_id) AS n FROM trips",
    "people by age and gender": "SELECT age_band, gender, count(*) AS n FROM persons GROUP BY 1, 2",
    "mean duration": f"SELECT avg({SECONDS}) AS n FROM trips",
    "trips by zone of origin": "SELECT origin_zone, count(*) AS n FROM trips GROUP BY 1",
    "people by zone of origin": "SELECT origin_zone, count(DISTINCT person_id) AS n FROM trips GROUP BY 1",
    "people by day": "SELECT CAST(started_at AS DATE) AS d, count(DISTINCT person_id) AS n FROM trips GROUP BY 1",
    "trips by hour of day": "SELECT hour(started_at) AS h, count(*) AS n FROM trips GROUP BY 1",
    "people by hour of day": "SELECT hour(started_at) AS h, count(DISTINCT person_id) AS n FROM trips GROUP BY 1",
    "women's share of trips by hour": "SELECT hour(started_at) AS h, avg(CASE WHEN gender = 'F' THEN 1 ELSE 0 END) AS n"
    " FROM trips JOIN persons USING (person_id)"
    " WHERE gender IS NOT NULL AND hour(started_at) BETWEEN 6 AND 22 GROUP BY 1",
    "mean duration by age": f"SELECT age_band, avg({SECONDS}) AS n"
    " FROM trips JOIN persons USING (person_id) GROUP BY 1",
    "trips by age": "SELECT age_band, count(*) AS n FROM trips JOIN persons USING (person_id) GROUP BY 1",
}
COLUMNS = ("question at rho 0.005", "median relative error", "median half-width", "95% intervals cover")
WITH_NORMS = Path("tests/support/catalogs_with_norms/mibici.toml")
RHO = Fraction(5, 1000)
CONFIDENCE = 0.95
DRAWS = 20


@dataclass(frozen=True)
class Outcome:
    """Results of many noise draws of one query, with declared norms."""

    name: str
    relative_error: float  # median over shown numbers that exist, of |answer - truth| / truth
    bounds_bind: bool
    covered: tuple[int, ...]  # per number: how often the interval held the bounded exact value
    covered_truth: tuple[int, ...]  # per number: how often it held the unclipped truth
    noisings: int


@contextmanager
def mibici() -> Iterator[tuple[duckdb.DuckDBPyConnection, Engine]]:
    """Open plain DuckDB and the engine over the same snapshot, with declared norms."""
    catalog = load_catalog(WITH_NORMS, data_folder=mibici_folder())
    with tempfile.TemporaryDirectory() as folder:
        made = open_snapshot(catalog, Path(folder), lambda *_: None)
        backend = DuckDBBackend.open(made.files, made.addresses, Path(folder) / "scratch")
        plain = duckdb.connect()
        plain.execute("ATTACH ? AS copied (READ_ONLY)", [made.files["copied"]])
        plain.execute("USE copied")
        yield plain, Engine(catalog, backend, Ledger.open(":memory:"), add_noise)
        plain.close()
        backend.close()


def outcome(plain: duckdb.DuckDBPyConnection, engine: Engine, name: str, sql: str, noisings: int) -> Outcome:
    """Read one question exactly once, noise it many times, and compare."""
    question = compile_query(sql, engine.catalog)
    prepared = engine.compile(question, Request("bench", RHO)).releases
    exact = [engine.backend.run(p.sql) for p in prepared]
    held = replace(engine, backend=_StoredVectors(engine.backend, exact))
    bounded = _numbers(replace(held, add_noise=_no_noise), question, prepared)[0]
    keyed = {tuple(row[:-1]): float(row[-1]) for row in plain.sql(sql).fetchall() if row[-1] is not None}
    truth = np.array([keyed.get(key, 0.0) for key in _keys(held, question, prepared)])
    errors, inside, inside_truth = [], np.zeros(len(truth), dtype=int), np.zeros(len(truth), dtype=int)
    large, stable = truth > 0, np.ones(len(truth), dtype=bool)  # stable: shown with an interval at every noising
    for _ in range(noisings):
        values, lower, upper = _numbers(held, question, prepared)
        errors.append(np.nanmedian(np.abs(values - truth)[large] / truth[large]))
        inside += (lower <= bounded) & (bounded <= upper)
        inside_truth += (lower <= truth) & (truth <= upper)
        stable &= ~np.isnan(lower)
    bounds = [bound for p in prepared for bound in p.bounds.vectors]
    return Outcome(
        name,
        statistics.median(errors),
        any(bound.predicted_bias for bound in bounds),
        tuple(int(n) for n in inside[stable]),
        tuple(int(n) for n in inside_truth[stable]),
        noisings,
    )


class _StoredVectors:
    """A backend that returns vectors read before."""

    def __init__(self, backend: DuckDBBackend, exact: list) -> None:
        self._backend, self._exact, self.target = backend, exact, backend.target
        self.empty = backend.empty

    def run(self, bounded: object, objected: object) -> object:
        del bounded, objected
        return self._exact[0]

    def public(self, sql: str) -> object:
        return self._backend.public(sql)


def _no_noise(exact: np.ndarray, sensitivity: int, scale: float, pico_rho_charged: int) -> np.ndarray:
    del sensitivity, scale, pico_rho_charged
    return exact


def _answer(engine: Engine, question: Question, prepared: tuple[CompiledRelease, ...]) -> Answer:
    releases = tuple(engine.measure_release(p) for p in prepared)
    return engine.finish(question, prepared, releases, CONFIDENCE)


def _numbers(
    engine: Engine, question: Question, prepared: tuple[CompiledRelease, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    answer = _answer(engine, question, prepared)
    values = answer.table.column("n").to_numpy().astype(float)
    return values, *answer.intervals["n"]


def _keys(held: Engine, question: Question, prepared: tuple[CompiledRelease, ...]) -> list[tuple]:
    answer = _answer(replace(held, add_noise=_no_noise), question, prepared)
    return [tuple(list(row.values())[:-1]) for row in answer.table.to_pylist()]


def outcomes(noisings: int) -> list[Outcome]:
    """Answer every question, with declared norms."""
    with mibici() as (plain, engine):
        return [outcome(plain, engine, name, sql, noisings) for name, sql in QUESTIONS.items()]


def shown(session: Session, name: str, sql: str, exact: dict[tuple, float], draws: int) -> tuple[str, ...]:
    """Answer a question as an analyst does, each time on a new ledger, and compare with the exact values."""
    backend = cast("Backend", ReadOnce(session.engine.backend))
    errors, widths, covered = list[float](), list[float](), list[bool]()
    for _ in range(draws):
        with Ledger.open(":memory:") as ledger:
            engine = replace(session.engine, backend=backend, ledger=ledger)
            answer = card.Answer(replace(session, engine=engine).query(sql, client="bench", rho=str(float(RHO))))
        for row, ends in zip(answer.rows, answer.intervals["n"], strict=True):
            truth = exact.get(tuple(row[:-1]), 0.0)
            covered += [] if ends is None else [ends[0] <= truth <= ends[1]]
            errors += [abs(row[-1] - truth) / truth] if truth and row[-1] is not None else []
            widths += [(ends[1] - ends[0]) / 2 / truth] if truth and ends is not None else []
    return name, f"{statistics.median(errors):.1%}", f"{statistics.median(widths):.1%}", f"{np.mean(covered):.1%}"


def main(events: int, runs: int) -> None:
    """Print the table of docs/accuracy.md."""
    del events, runs
    with mibici() as (plain, _), open_session("mibici", ledger=":memory:") as session:
        rows = []
        for name, sql in QUESTIONS.items():
            exact = {tuple(row[:-1]): float(row[-1]) for row in plain.sql(sql).fetchall() if row[-1] is not None}
            rows.append(shown(session, name, sql, exact, DRAWS))
    table(COLUMNS, rows)
