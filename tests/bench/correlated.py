"""People by day and by hour with correlated noise: errors against the exact numbers, over those of independent noise.

The exact integers are read once and noised many times. Independent noise is that of the same price without clipping,
whose deviation is the root of the number of keys.
"""

from __future__ import annotations

import math
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

import engine
from dialect import compile_query
from engine.mechanism.gaussian import add_noise
from engine.pricing.noisy_release import noisy_release
from engine.pricing.query_terms import Request
from tests.bench.machine import table

QUESTIONS = {
    "people by day": "SELECT CAST(start_ts AS DATE) AS d, COUNT(DISTINCT subscriber_id) AS p FROM visit GROUP BY 1",
    "people by hour": "SELECT hour(start_ts) AS h, COUNT(DISTINCT subscriber_id) AS p FROM visit GROUP BY 1",
    "people by weekday": "SELECT isodow(start_ts) AS w, COUNT(DISTINCT subscriber_id) AS p FROM visit GROUP BY 1",
}
RHO, NOISINGS, Z = Fraction(5, 1000), 400, 1.959964


def main(events: int, runs: int) -> None:
    """Print errors, their ratio, and how often 95% intervals cover."""
    del events, runs
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        engine.open_session("operator", ledger=str(Path(folder) / "l")) as session,
    ):
        for name, sql in QUESTIONS.items():
            (made,) = session.engine.compile(
                compile_query(sql, session.engine.catalog), Request("bench", rho=RHO)
            ).releases
            exact, (bound,), (price,) = session.engine.backend.run(made.sql), made.bounds.vectors, made.cost.vectors
            truth = exact.vectors[0] + (exact.vectors[-1] * bound.half_person if bound.is_correlated else 0)
            drawn = [noisy_release(exact, made.bounds, made.cost, add_noise).noisy[0] - truth for _ in range(NOISINGS)]
            errors = np.stack(drawn) * bound.grain_size
            keys, deviation = errors.shape[1], price.deviation(bound)
            alone = math.sqrt(keys) / math.sqrt(2 * RHO)
            error = float(np.sqrt(np.square(errors).mean()))
            covered = float((np.abs(errors) <= Z * deviation).mean())
            noise = "correlated" if bound.is_correlated else "independent"
            rows.append((name, keys, noise, f"{error:.1f}", f"{alone:.1f}", f"{error / alone:.2f}", f"{covered:.1%}"))
    head = ("question at rho 0.005", "keys", "noise", "error", "independent, unclipped", "ratio", "95% intervals cover")
    table(head, rows)
