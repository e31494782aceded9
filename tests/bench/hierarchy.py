"""MiBici by city, zone, and zone by hour, all for rho 0.005: with consistent levels, and each level as released.

The exact bounded numbers are read once and noised many times. Errors are against the unbounded truth, so bias counts.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from dialect import compile_query
from engine.mechanism.release import Release
from engine.pipeline.consistency import make_query_consistent
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from engine.reuse.sources import ReleaseSource
from tests.bench.accuracy import mibici
from tests.bench.dashboard import prepared as with_norms
from tests.bench.machine import table

RHO, NOISINGS = Fraction(5, 1000), 40
LEVELS = ("city", "zone", "zone by hour")
SETS = "FROM trips GROUP BY GROUPING SETS ((), (origin_zone), (origin_zone, hour(started_at)))"
SQL = f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(consistent = true) origin_zone, hour(started_at) AS h, COUNT(*) AS n {SETS}"
TRUTH = "SELECT {keys} count(*) AS n FROM trips GROUP BY ALL"


def errors(engine: Engine, truths: list[dict[tuple[object, ...], int]]) -> np.ndarray:
    """Mean absolute error of each level per noise draw: as released, and made consistent."""
    question = compile_query(SQL, engine.catalog)
    prepared = sorted(engine.compile(question, Request("bench", rho=RHO)).releases, key=lambda p: len(p.plan.keys))
    ways = [*map(ReleaseSource, prepared)]
    exact = [engine.backend.run(p.sql) for p in prepared]
    found = []
    for _ in range(NOISINGS):
        noised = tuple(_noised(engine, p, e) for p, e in zip(prepared, exact, strict=True))
        settled = make_query_consistent(ways, noised, engine.catalog)
        found.append([[_error(r, t) for r, t in zip(some, truths, strict=True)] for some in (noised, settled)])
    return np.array(found)


def _noised(engine: Engine, prepared, exact) -> Release:
    (bound,), (cost,) = prepared.bounds.vectors, prepared.cost.vectors
    noisy = engine.add_noise(exact.vectors[0], bound.sensitivity, cost.sigma, cost.pico_rho)
    return Release(exact.keys, (noisy,), (bound.grain_size,), (cost.sigma,))


def _error(release: Release, truth: dict[tuple[object, ...], int]) -> float:
    keys = list(zip(*(release.keys.column(i).to_pylist() for i in range(release.keys.num_columns)), strict=True)) or [
        ()
    ]
    settled = release.consistent_counts[0] if release.consistent_counts else None
    shown = settled if settled is not None else np.rint(release.noisy[0] * release.grains[0])
    return float(np.mean([abs(value - truth.get(key, 0)) for key, value in zip(keys, shown, strict=True)]))


def main(events: int, runs: int) -> None:
    """Print the errors of each level."""
    del events, runs
    with mibici() as (plain, opened):
        truths = []
        for keys in ("", "origin_zone,", "hour(started_at), origin_zone,"):
            rows = plain.execute(TRUTH.format(keys=keys)).fetchall()
            truths.append({tuple(row[:-1]): row[-1] for row in rows})
        found = errors(with_norms(opened), truths).mean(axis=0)
    rows = [
        (level, f"{len(truth):,}", f"{released:,.1f}", f"{agree:,.1f}", f"{agree / released:.2f}")
        for level, truth, released, agree in zip(LEVELS, truths, *found, strict=True)
    ]
    table(("level", "groups", "mean error as released", "with levels that agree", "ratio"), rows)
