"""Simultaneous intervals of whole queries hold jointly as often as stated, under any selection.

The exact vector is read once and noised many times. Whole answers are held to a binomial test at 1e-7 against their
level of 90%; intervals that hold each by itself do so for 8% of answers with 24 numbers, and are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from dialect import compile_query
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.privacy.statistics.test_coverage import WITHIN, generous
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.sql.exact import exact_engine
from tests.support.statistics.noised import engine_over
from tests.support.statistics.statistics import binomial_at_least

LEVEL, TIMES, RHO = 0.9, 80, Fraction(1, 10)
COUNTS = f"hour(ts) AS k, COUNT(*) AS n, -COUNT(dwell_s) + COUNT(*) AS d FROM events WHERE {WITHIN} GROUP BY 1"
RATIOS = f"cell_id % 6 AS k, SUM(dwell_s) / COUNT(DISTINCT subscriber_id) AS r FROM events WHERE {WITHIN} GROUP BY 1"
LARGEST = f"{COUNTS} ORDER BY n DESC LIMIT 3"  # whose noise is above most
LARGER = f"{COUNTS} ORDER BY n DESC LIMIT 12"  # so many that each at its false coverage rate is found to be too little


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("together")
    with engine_over(generous(attack_catalog(folder)), folder) as opened:
        yield opened


def simultaneous_coverage(engine: Engine, rest: str, intervals: str = "simultaneous") -> int:
    """Count the answers all of whose intervals hold."""
    sql = f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(intervals = '{intervals}') {rest}"
    with exact_engine(engine.catalog) as exact:
        truth = {row["k"]: row for row in exact.query(rest.join(("SELECT ", "")).split(" ORDER")[0]).to_pylist()}
    question, asked = compile_query(sql, engine.catalog), Request("anybody", RHO, confidence=LEVEL)
    query, whole = engine.compile(question, asked), 0
    prepared, level = query.releases, query.terms.confidence
    for _ in range(TIMES):
        answer = engine.finish(question, prepared, tuple(engine.measure_release(each) for each in prepared), level)
        keys = answer.table.column("k").to_pylist()
        whole += all(
            np.isnan(lower[i]) or lower[i] <= truth.get(key, {name: 0})[name] <= upper[i]
            for name, (lower, upper) in answer.intervals.items()
            for i, key in enumerate(keys)
        )
    return whole


@pytest.mark.parametrize("rest", [COUNTS, RATIOS, LARGEST, LARGER])
def test_simultaneous_intervals_have_their_requested_coverage(engine: Engine, rest: str) -> None:
    assert binomial_at_least(simultaneous_coverage(engine, rest), TIMES, LEVEL)


@pytest.mark.parametrize("rest", [COUNTS, LARGER])
def test_merely_individual_intervals_are_found(engine: Engine, rest: str) -> None:
    assert not binomial_at_least(simultaneous_coverage(engine, rest, "each"), TIMES, LEVEL)
