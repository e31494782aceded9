"""Intervals of whole questions cover the truth as often as they say, where bounds do not bind.

The exact vector is read once and noised many times. Each number by itself, each column and all together are held to
tests at 1e-7: they cover at least as often as their level of 95% says, and no more often than 97%. Intervals a sixth too
narrow cover 91%, intervals a quarter too wide 98.6%; both are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest

from dialect import compile_query
from dialect.catalog.model import Catalog, ClipBounds, Table
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.sql.exact import exact_engine
from tests.support.statistics.noised import engine_over
from tests.support.statistics.statistics import ALPHA, binomial_at_least, binomial_at_most, partly_at_least

LEVEL, TIMES = 0.95, 80
MOST = 0.97  # of 0.95: ends are rounded outwards
TIMES_PLANTED = 5 * TIMES  # a sixth too narrow covers 91%, fourteen deviations below the least that passes
RHO, RHO_OF_RATIOS = Fraction(1, 10), Fraction(3, 10)  # of ratios so much that no denominator is near 0
WITHIN = "dwell_s BETWEEN 0 AND 7200"  # where no value is clamped
QUESTIONS = {
    "counts": f"SELECT hour(ts) AS k, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p FROM events WHERE {WITHIN} GROUP BY 1",
    "sums": f"SELECT hour(ts) AS k, SUM(dwell_s) AS s, -COUNT(dwell_s) + COUNT(*) AS d FROM events WHERE {WITHIN} GROUP BY 1",
    "means": f"SELECT cell_id % 6 AS k, AVG(dwell_s) AS m FROM events WHERE {WITHIN} GROUP BY 1",
    "ratios": "SELECT cell_id % 6 AS k, SUM(dwell_s) / COUNT(DISTINCT subscriber_id) AS r,"
    f" 100.0 * COUNT(*) FILTER (WHERE hour(ts) < 12) / COUNT(*) AS share FROM events WHERE {WITHIN} GROUP BY 1",
}
Flags = npt.NDArray[np.bool_]


def generous(catalog: Catalog) -> Catalog:
    """Declare norms that no person of this town reaches: each has at most 22 events of at most 4,000 seconds."""

    def widened(table: Table) -> Table:
        columns = tuple(
            replace(c, sum_clip_bound=9e4, centred_sum_clip_bound=7.5e4) if c.name == "dwell_s" else c
            for c in table.columns
        )
        return replace(table, clip_bounds=ClipBounds(23, 5), columns=columns) if table.name == "events" else table

    return replace(catalog, tables=tuple(map(widened, catalog.tables)))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("coverage")
    with engine_over(generous(attack_catalog(folder)), folder) as opened:
        yield opened


def covered(engine: Engine, sql: str, rho: Fraction = RHO, times: int = TIMES) -> dict[str, Flags]:
    """For each uncertain column, which of its numbers lay in their intervals: one row per answer."""
    with exact_engine(engine.catalog) as exact:
        truth = {row["k"]: row for row in exact.query(sql).to_pylist()}  # only keys that somebody has
    question = compile_query(sql, engine.catalog)
    prepared = engine.compile(question, Request("anybody", rho)).releases
    found: dict[str, list[list[bool]]] = {}
    for _ in range(times):
        answer = engine.finish(question, prepared, tuple(engine.measure_release(each) for each in prepared), LEVEL)
        keys = answer.table.column("k").to_pylist()
        for name, (lower, upper) in answer.intervals.items():
            rows = [i for i, key in enumerate(keys) if key in truth and truth[key][name] is not None]  # no row before
            assert not np.isnan(lower[rows]).any(), "every denominator is far from 0 here"
            found.setdefault(name, []).append([bool(lower[i] <= truth[keys[i]][name] <= upper[i]) for i in rows])
    return {name: np.array(flags) for name, flags in found.items()}


def pooled(outcomes: dict[str, Flags]) -> Flags:
    """Put all columns side by side: one row an answer."""
    return np.concatenate(list(outcomes.values()), axis=1)


def cover(flags: Flags, classes: int | None = None) -> bool:
    """Do intervals have their stated coverage: each number, and all of them, not independent between classes?

    Without classes all numbers of an answer may miss together: then only answers are independent.
    """
    answers, numbers = flags.shape
    each = all(binomial_at_least(int(number.sum()), answers, LEVEL, ALPHA / 2 / numbers) for number in flags.T)
    return each and partly_at_least(int(flags.sum()), flags.size, LEVEL, classes or numbers, ALPHA / 2)


def no_wider(flags: Flags) -> bool:
    """Do intervals with independent misses cover no more often than their rounding explains?"""
    return binomial_at_most(int(flags.sum()), flags.size, MOST)


@pytest.fixture(scope="module")
def outcomes(engine: Engine) -> dict[str, Flags]:
    prices = {"ratios": RHO_OF_RATIOS}
    found = (covered(engine, sql, prices.get(title, RHO)) for title, sql in QUESTIONS.items())
    return {name: flags for each in found for name, flags in each.items()}


def test_each_interval_has_its_stated_coverage_and_is_no_wider_than_needed(
    outcomes: dict[str, Flags],
) -> None:
    assert set(outcomes) == {"n", "p", "s", "d", "m", "r", "share"}
    together = pooled(outcomes)
    assert together.size >= 5_000
    assert cover(together, 1) and no_wider(together)
    for name, flags in outcomes.items():
        assert cover(flags, 1), name


@pytest.mark.parametrize("factor", [0.83, 1.25], ids=["a sixth too narrow", "a quarter too wide"])
def test_intervals_of_another_width_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    answers = import_module("engine.mechanism.answer")
    honest = answers.half_widths
    monkeypatch.setattr(answers, "half_widths", lambda *given: factor * honest(*given))
    flags = pooled(covered(engine, QUESTIONS["counts"], times=TIMES_PLANTED))
    assert cover(flags, 1) == (factor > 1) and no_wider(flags) == (factor < 1)
