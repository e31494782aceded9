"""Private keys on MiBici: how many true pairs of stations are released, at equal (rho, delta), by three mechanisms.

Plain thresholding counts persons, each 1 in at most L0 pairs: at the L0 that the catalog declares, and at the L0 that is
best by looking at the data, which nobody may do. The engine weighs, each person with a norm of 1. The exact numbers are
read by the engine itself, once each, and noised many times.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from budgets import ATTO, PICO
from dialect import compile_query, generate_sql
from dialect.algebra.release_plan import ClipRule, ContributionBounds, VectorBound
from engine.backends.exact import NO_OBJECTIONS
from engine.catalog.eligibility import eligibility_filter
from engine.mechanism.gaussian import add_noise, gaussian_scale
from engine.mechanism.thresholds import person_threshold
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import compile_release
from tests.bench.accuracy import mibici
from tests.bench.machine import table

SQL = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') origin_id, dest_id, COUNT(*) AS n FROM trips GROUP BY 1, 2"
LOSSES = (
    (Fraction(5, 1000), Fraction(1, 10**12)),
    (Fraction(244, 10_000), Fraction(1, 10**7)),
    (Fraction(1, 10), Fraction(1, 10**7)),
)
DECLARED, TRIED = 40, (6, 10, 20)
TIMES = 4


def plain(engine: Engine, max_groups: int) -> np.ndarray:
    """Read how many persons each pair has, each person in at most so many pairs."""
    (plan,) = compile_query(SQL, engine.catalog).plans
    sized = compile_release(plan, engine.catalog, engine.backend, Fraction(1, 100)).unpriced_release
    assert sized.selection is not None
    first = sized.selection[0]
    bound = VectorBound(ClipRule.TRUNCATE, math.sqrt(max_groups), 0, 1, 0, 1, "plain")
    sql = generate_sql(
        first,
        ContributionBounds((bound,), max_groups),
        engine.backend.target,
        eligibility_filter(engine.catalog, plan.dataset),
    )
    return engine.backend.run(sql).vectors[0]


def released(exact: np.ndarray, sensitivity: int, grain: int, limit: int, rho: Fraction) -> float:
    """Average number, over fresh noise, of pairs that reach a threshold."""
    price = int(rho * PICO)
    scale = gaussian_scale(sensitivity, price)
    counts = [(add_noise(exact * grain, sensitivity, scale, price) >= limit).sum() for _ in range(TIMES)]
    return float(np.mean(counts))


def of_plain(engine: Engine, max_groups: int, rho: Fraction, delta: Fraction) -> float:
    """Keys released by plain thresholding."""
    grain = 1 << 20
    sensitivity = math.isqrt(max_groups * grain * grain - 1) + 1
    scale = gaussian_scale(sensitivity, int(rho * PICO))
    limit = person_threshold(scale, max_groups, int(delta * ATTO)) - 1 + grain
    return released(plain(engine, max_groups), sensitivity, grain, limit, rho)


def of_engine(engine: Engine, rho: Fraction, delta: Fraction) -> float:
    """Keys released by the engine if the whole loss is spent on partition selection, as above."""
    (plan,) = compile_query(SQL, engine.catalog).plans
    whole = rho * (len(plan.vectors) + 1)  # of which one even part is the choice's
    made = compile_release(plan, engine.catalog, engine.backend, whole, delta)
    rounds = [engine._select_keys(made, NO_OBJECTIONS, engine.add_noise)[0].num_rows for _ in range(TIMES)]
    return float(np.mean(rounds))


def main(events: int, runs: int) -> None:
    """Print the released keys of each mechanism."""
    del events, runs
    rows = []
    with mibici() as (_, engine):
        for rho, delta in LOSSES:
            declared = of_plain(engine, DECLARED, rho, delta)
            best, at = max((of_plain(engine, groups, rho, delta), groups) for groups in TRIED)
            ours = of_engine(engine, rho, delta)
            gain = "-" if best == 0 else f"{ours / best - 1:+.0%}"
            rows.append((f"{float(rho):g}, {float(delta):g}", declared, f"{best:.1f} (L0 {at})", ours, gain))
    head = ("rho, delta of the choice", f"plain, L0 {DECLARED}", "plain, best L0", "weighted", "against the best")
    table(head, rows)
