"""Intervals of what is computed over released rows cover as often as they say: sums, means, shares, a release read twice.

Held as in `test_coverage`: each number to a binomial test at 1e-6 against its level, all together at 94% or more at a level
of 95%. They may be wider than they need where two numbers may or may not hold one noise, so no upper limit is set there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from dialect import linear, read, released_sums, released_windows, uncertainty
from engine.pipeline import Engine
from tests.privacy.test_coverage import TIMES, WITHIN, Flags, covered, generous
from tests.support.attack_catalog import attack_catalog
from tests.support.noised import engine_over
from tests.support.statistics import binomial_at_least

LEVEL = 0.95
RICH = Fraction(2)  # of several releases, so that every denominator is far from 0
CELLS = f"(SELECT cell_id, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p, SUM(dwell_s) AS s FROM events WHERE {WITHIN} GROUP BY 1)"
HOURS = f"(SELECT hour(ts) AS k, COUNT(*) AS n FROM events WHERE {WITHIN} GROUP BY 1)"
SUMS = (
    "SELECT cell_id % 3 AS k, SUM(n) AS total, SUM(2 * n - p) AS mixed, SUM(s) AS s, SUM(cell_id * n) AS weighed,"
    f" SUM(s) / SUM(n) AS ratio FROM {CELLS} AS cells GROUP BY 1"
)
MEANS = f"SELECT k % 3 AS k, AVG(n) AS mean, AVG(2 * n + 1) FILTER (WHERE k > 4) AS later FROM {HOURS} AS h GROUP BY 1"  # somebody in all
SHARES = f"SELECT a.k, 100.0 * a.n / b.total AS share FROM {HOURS} AS a CROSS JOIN (SELECT SUM(n) AS total FROM {HOURS} AS h) AS b"
TWICE = f"SELECT a.k, a.n + b.n AS both, 3 * a.n - b.n AS apart FROM {HOURS} AS a JOIN {HOURS} AS b USING (k)"
LISTS = (
    "SELECT hour(ts) AS k, COUNT(*) AS n, 1.0 * COUNT(*) / COUNT(DISTINCT subscriber_id) AS r, 2 * COUNT(*) - COUNT(dwell_s) AS d"
    f" FROM events WHERE {WITHIN} GROUP BY 1 UNION ALL SELECT 100 + cell_id % 6, COUNT(DISTINCT subscriber_id), AVG(dwell_s) + 5, COUNT(*)"
    f" FROM events WHERE {WITHIN} GROUP BY 1"
)
LEVELS = (
    f"SELECT hour(ts) // 6 AS k, COUNT(*) AS n, AVG(dwell_s) AS m FROM events WHERE {WITHIN} GROUP BY 1"
    f" UNION ALL SELECT 99, COUNT(*), AVG(dwell_s) FROM events WHERE {WITHIN}"
)
PART = "CASE WHEN dwell_s < 1300 THEN 0 WHEN dwell_s < 2500 THEN 1 ELSE 2 END"
ROLLED = (
    f"SELECT 10 * (hour(ts) // 4) + COALESCE({PART}, 9) AS k, COUNT(*) AS n, SUM(dwell_s) AS s, SUM(dwell_s) / COUNT(*) AS r, 2 * COUNT(*) - COUNT(dwell_s) AS d"
    f" FROM events WHERE {WITHIN} GROUP BY hour(ts) // 4, ROLLUP (({PART}))"
)
SUMMED_TWICE = f"SELECT a.k, a.n + b.total AS both FROM {HOURS} AS a CROSS JOIN (SELECT SUM(n) AS total FROM {HOURS} AS h WHERE k < 3) AS b"
THERE = f"{HOURS} AS h WHERE k IS NOT NULL"  # nobody is at no hour, and a mean over rows counts the row
FRAMES = (
    "SELECT k, SUM(n) OVER (ORDER BY k) AS running, SUM(2 * n + k) OVER (ORDER BY k ROWS 2 PRECEDING) AS weighed,"
    " AVG(n) OVER (ORDER BY k ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) AS mean, n - LAG(n) OVER (ORDER BY k) AS step,"
    " LAG(n, 2, 7) OVER (ORDER BY k) + LEAD(n) OVER (ORDER BY k) AS around, 100.0 * (n - LAG(n) OVER (ORDER BY k)) /"
    f" LAG(n) OVER (ORDER BY k) AS growth FROM {THERE}"
)
PARTS = (
    "SELECT k, 100.0 * n / SUM(n) OVER () AS share, n / AVG(n) OVER () AS of_mean, n - AVG(n) OVER (ORDER BY k ROWS 6 PRECEDING)"
    f" AS apart, n - FIRST_VALUE(n) OVER (ORDER BY k) AS since, 1.0 * n / FIRST_VALUE(n) OVER (ORDER BY k) AS of_first FROM {THERE}"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("coverage")
    with engine_over(generous(attack_catalog(folder)), folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def rich(engine: Engine) -> Callable[[str], dict[str, Flags]]:
    """Answer each question many times, once for all tests."""
    return cache(lambda sql: covered(engine, sql, RICH))


def pooled(engine: Engine, sql: str) -> float:
    return float(np.concatenate([flags.ravel() for flags in covered(engine, sql).values()]).mean())


@pytest.mark.parametrize(
    "sql",
    [SUMS, MEANS, SHARES, TWICE, SUMMED_TWICE, LISTS, LEVELS, ROLLED],
    ids=["sums", "means", "shares", "twice", "summed twice", "lists", "levels", "rolled up"],
)
def test_each_number_is_covered_as_often_as_its_interval_says(
    rich: Callable[[str], dict[str, Flags]], sql: str
) -> None:
    outcomes = rich(sql)
    assert outcomes, "some column has an interval"
    for name, flags in outcomes.items():
        assert flags.mean() >= 0.94 or flags.size < 1_000, (name, flags.mean())
        for number in flags.T:
            assert binomial_at_least(int(number.sum()), TIMES, LEVEL), name


def test_sums_are_no_wider_than_they_need(engine: Engine) -> None:
    outcomes = covered(engine, SUMS)
    assert set(outcomes) == {"total", "mixed", "s", "weighed", "ratio"}
    assert np.concatenate([flags.ravel() for flags in outcomes.values()]).mean() <= 0.98
    for name, flags in outcomes.items():  # they share numbers and miss together: each for itself
        assert all(binomial_at_least(int(number.sum()), TIMES, LEVEL) for number in flags.T), name


def test_numbers_behind_a_union_are_no_wider_than_they_need(rich: Callable[[str], dict[str, Flags]]) -> None:
    for sql, names in ((LISTS, {"n", "r", "d"}), (LEVELS, {"n", "m"}), (ROLLED, {"n", "s", "r", "d"})):
        outcomes = rich(sql)
        assert set(outcomes) == names
        assert 0.94 <= np.concatenate([flags.ravel() for flags in outcomes.values()]).mean() <= 0.97


WINDOWS = {
    FRAMES: {"running", "weighed", "mean", "step", "around", "growth"},
    PARTS: {"share", "of_mean", "apart", "since", "of_first"},
}


@pytest.mark.parametrize("sql", WINDOWS, ids=["frames", "parts"])
def test_each_number_of_a_window_is_covered(rich: Callable[[str], dict[str, Flags]], sql: str) -> None:
    """No pooled limit: numbers of one answer share rows, and miss together."""
    outcomes = rich(sql)
    assert set(outcomes) == WINDOWS[sql]
    for name, flags in outcomes.items():
        assert all(binomial_at_least(int(number.sum()), TIMES, LEVEL) for number in flags.T), name


def test_a_frame_with_the_noise_of_one_number_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_one(*asked):
        made = released_sums.summed(*asked)
        return replace(made, terms=tuple((total, linear.ONE, raw) for total, _, raw in made.terms))

    monkeypatch.setattr(released_windows, "summed", of_one)
    assert pooled(engine, f"SELECT k, SUM(n) OVER (ORDER BY k) AS running FROM {THERE}") < 0.94


def test_one_row_that_is_taken_for_two_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_of_two_rows", lambda *_: True)
    doubled = f"SELECT k, SUM(n) OVER (ORDER BY k ROWS 1 PRECEDING) + n AS more FROM {THERE}"
    assert pooled(engine, doubled) < 0.94


def test_a_rolled_up_total_rests_on_no_release_of_its_own(engine: Engine) -> None:
    assert [len(plan.keys) for plan in read(ROLLED, engine.catalog).plans] == [2]


def test_one_noise_that_is_taken_for_two_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear.Linear, "_twins", lambda *_: iter(()))
    assert pooled(engine, TWICE) < 0.94


def test_a_sum_with_the_noise_of_one_number_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_one(question, variances):
        summed = {total.id: float(variances[raw.id]) for made in question.sums for total, _, raw in made.terms}
        return {**variances, **summed}

    for module in (
        uncertainty,
        __import__("dialect.write_outer", fromlist=["x"]),
        __import__("dialect.weak_ratios", fromlist=["x"]),
    ):
        monkeypatch.setattr(module, "all_variances", of_one)
    assert pooled(engine, SUMS) < 0.94
