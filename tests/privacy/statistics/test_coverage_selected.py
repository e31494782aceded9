"""Intervals of rows that noise selected: the share of shown intervals that miss is at most one in twenty on average.

The exact vector is read once and noised many times, with so little budget that noise decides which rows are shown. The
share that misses in each answer lies between 0 and 1; its mean is held to Chernoff's bound at 1e-7.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from dialect import compile_query
from engine.mechanism import intervals as interval_levels
from engine.pipeline import post_process
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.privacy.statistics.test_coverage import LEVEL, WITHIN, generous
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.planted import instead
from tests.support.sql.exact import exact_engine
from tests.support.statistics.noised import engine_over
from tests.support.statistics.statistics import partly_at_least

TIMES, RHO = 60, Fraction(1, 10_000)
MINUTES = (
    "(SELECT hour(ts) AS h, minute(ts) AS m, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p"
    f" FROM events WHERE {WITHIN} GROUP BY 1, 2)"
)
TOP = "ORDER BY n DESC, k LIMIT 15"
PAIRS = (
    f"SELECT 100 * a.h + b.m AS k, a.n - b.n AS n FROM (SELECT * FROM {MINUTES} AS x WHERE m = 5) AS a"
    f" CROSS JOIN (SELECT * FROM {MINUTES} AS x WHERE h = 7) AS b"
)
SELECTED = {  # exact answers are those of the part before the selection
    "limit": (f"SELECT 100 * h + m AS k, n, p FROM {MINUTES} AS x", TOP),
    "having": (f"SELECT 100 * h + m AS k, n, p FROM {MINUTES} AS x", "WHERE n > 3300"),
    "rank": (f"SELECT 100 * h + m AS k, n, p FROM {MINUTES} AS x", "QUALIFY RANK() OVER (ORDER BY n DESC) <= 5"),
    "numbered": (
        f"SELECT 100 * h + m AS k, n, p FROM {MINUTES} AS x",
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY h ORDER BY p DESC) <= 2",
    ),
    "offset": (f"SELECT 100 * h + m AS k, n - p AS n FROM {MINUTES} AS x", "ORDER BY n, k LIMIT 5 OFFSET 2"),
    "above average": (
        f"SELECT 100 * h + m AS k, n FROM {MINUTES} AS x",
        f"WHERE n > 3000 + (SELECT AVG(n) FROM {MINUTES} AS y)",
    ),
    "pairs": (PAIRS, TOP),
    "groups": (f"SELECT m AS k, SUM(n) AS n FROM {MINUTES} AS x GROUP BY 1", "ORDER BY n DESC LIMIT 3"),
}
Case = tuple[str, str]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("selected")
    with engine_over(generous(attack_catalog(folder)), folder) as opened:
        yield opened


def missed_shares(engine: Engine, case: Case, rho: Fraction = RHO) -> dict[str, list[float]]:
    """Share of the shown intervals that miss, of each noisy column, in each of many answers."""
    whole, selection = case
    with exact_engine(engine.catalog) as exact:
        truth = {row["k"]: row for row in exact.query(whole).to_pylist()}
    question = compile_query(f"{whole} {selection}", engine.catalog)
    query = engine.compile(question, Request("anybody", rho, confidence=LEVEL))
    shares: dict[str, list[float]] = {}
    for _ in range(TIMES):
        releases = tuple(engine.measure_release(each) for each in query.releases)
        shown = engine.finish(question, query.releases, releases, LEVEL)
        keys = shown.table.column("k").to_pylist()
        for name, (lower, upper) in shown.intervals.items():
            exact_values = np.array([truth.get(key, {}).get(name) or 0 for key in keys], dtype=float)
            held = ~np.isnan(lower)
            missed = (held & ((exact_values < lower) | (exact_values > upper))).sum()
            shares.setdefault(name, []).append(float(missed / max(1, held.sum())))
    return shares


def holds(shares: list[float]) -> bool:
    """Is the mean share of misses plausible for an expectation of at most one in twenty?"""
    return partly_at_least(len(shares) - sum(shares), len(shares), LEVEL, 1)


@pytest.mark.parametrize("name", SELECTED)
def test_shown_intervals_miss_as_rarely_as_stated(engine: Engine, name: str) -> None:
    shares = missed_shares(engine, SELECTED[name])
    assert shares and all(map(holds, shares.values())), {column: np.mean(each) for column, each in shares.items()}


def test_sums_over_selected_rows_hold_for_any_selection(engine: Engine) -> None:
    assert holds(missed_sums(engine))


def missed_sums(engine: Engine) -> list[float]:
    """Does the interval of a sum over rows above a limit miss? 1 or 0 for each of many answers."""
    case = SELECTED["having"]
    with exact_engine(engine.catalog) as exact:
        truth = {row["k"]: row["n"] for row in exact.query(case[0]).to_pylist()}
    rows, total = (
        compile_query(sql, engine.catalog)
        for sql in (" ".join(case), f"SELECT SUM(n) AS total FROM {MINUTES} AS x {case[1]}")
    )
    asked = Request("anybody", RHO, confidence=LEVEL)
    listed, summed = engine.compile(rows, asked), engine.compile(total, asked)
    missed = []
    for _ in range(TIMES):
        releases = tuple(engine.measure_release(each) for each in listed.releases)
        keys = engine.finish(rows, listed.releases, releases, LEVEL).table.column("k").to_pylist()
        lower, upper = engine.finish(total, summed.releases, releases, LEVEL).intervals["total"]
        missed.append(float(not lower[0] <= sum(truth.get(key, 0) for key in keys) <= upper[0]))
    return missed


def found(engine: Engine, name: str) -> bool:
    """Is some column of a case found to miss too often?"""
    return not all(map(holds, missed_shares(engine, SELECTED[name]).values()))


@pytest.mark.parametrize("name", ["limit", "having"])
def test_unadjusted_levels_are_found(engine: Engine, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(interval_levels, "false_coverage_level", lambda confidence, shown, candidates: confidence)(monkeypatch)
    assert found(engine, name)


def test_candidates_counted_after_the_filter_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(post_process, "candidate_rows", lambda outer, releases, count: count(outer))(monkeypatch)
    assert found(engine, "having")


def test_pairs_that_share_noise_counted_as_independent_are_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(post_process, "candidate_rows", lambda outer, releases, count: 24 + 60)(monkeypatch)
    assert found(engine, "pairs")


def test_sums_over_selected_rows_taken_for_any_sums_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(interval_levels, "selected_sum_factor", lambda confidence, level, count: 1.0)(monkeypatch)
    assert not holds(missed_sums(engine))
