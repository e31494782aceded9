"""Intervals of whole questions cover the truth as often as they say, where bounds do not bind.

The exact vector is read once and noised many times. Each number by itself is held to a binomial test at 1e-6 against
its level; all together lie between 94% and 97% at a level of 95%. With about 9,000
outcomes a false alarm is rarer than 1e-5; intervals a tenth too narrow would cover 92.2%, and are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest

from dialect import read
from dialect.catalog import Catalog, Norms, Table
from engine.pipeline import Asked, Engine
from tests.support.attack_catalog import attack_catalog
from tests.support.exact import exact_engine
from tests.support.noised import engine_over
from tests.support.statistics import binomial_at_least

LEVEL, TIMES = 0.95, 80
RHO = Fraction(1, 10)
WITHIN = "dwell_s BETWEEN 0 AND 7200"  # where no value is clamped
QUESTIONS = {
    "counts": f"SELECT hour(ts) AS k, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p FROM events WHERE {WITHIN} GROUP BY 1",
    "sums": f"SELECT hour(ts) AS k, SUM(dwell_s) AS s, COUNT(*) - COUNT(dwell_s) AS d FROM events WHERE {WITHIN} GROUP BY 1",
    "means": f"SELECT cell_id % 6 AS k, AVG(dwell_s) AS m FROM events WHERE {WITHIN} GROUP BY 1",
    "ratios": "SELECT cell_id % 6 AS k, SUM(dwell_s) / COUNT(DISTINCT subscriber_id) AS r,"
    f" 100.0 * COUNT(*) FILTER (WHERE hour(ts) < 12) / COUNT(*) AS share FROM events WHERE {WITHIN} GROUP BY 1",
}
Flags = npt.NDArray[np.bool_]


def generous(catalog: Catalog) -> Catalog:
    """Declare norms that no person of this town reaches: each has at most 22 events of at most 4,000 seconds."""

    def widened(table: Table) -> Table:
        columns = tuple(
            replace(c, sum_norm=9e4, centred_norm=7.5e4) if c.name == "dwell_s" else c for c in table.columns
        )
        return replace(table, norms=Norms(23, 5), columns=columns) if table.name == "events" else table

    return replace(catalog, tables=tuple(map(widened, catalog.tables)))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("coverage")
    with engine_over(generous(attack_catalog(folder)), folder) as opened:
        yield opened


def covered(engine: Engine, sql: str, rho: Fraction = RHO) -> dict[str, Flags]:
    """Tell for each uncertain column which of its numbers lay in their intervals: one row an answer."""
    with exact_engine(engine.catalog) as exact:
        truth = {row["k"]: row for row in exact.query(sql).to_pylist()}  # only keys that somebody has
    question = read(sql, engine.catalog)
    prepared = engine.prepare(question, Asked("anybody", rho))
    found: dict[str, list[list[bool]]] = {}
    for _ in range(TIMES):
        answer = engine.finish(question, prepared, tuple(engine.release(each) for each in prepared), LEVEL)
        keys = answer.table.column("k").to_pylist()
        for name, (lower, upper) in answer.intervals.items():
            rows = [i for i, key in enumerate(keys) if key in truth and truth[key][name] is not None]  # no row before
            assert not np.isnan(lower[rows]).any(), "every denominator is far from 0 here"
            found.setdefault(name, []).append([bool(lower[i] <= truth[keys[i]][name] <= upper[i]) for i in rows])
    return {name: np.array(flags) for name, flags in found.items()}


@pytest.fixture(scope="module")
def outcomes(engine: Engine) -> dict[str, Flags]:
    return {name: flags for sql in QUESTIONS.values() for name, flags in covered(engine, sql).items()}


def test_pooled_coverage_lies_between_94_and_97_percent(outcomes: dict[str, Flags]) -> None:
    pooled = np.concatenate([flags.ravel() for flags in outcomes.values()])
    assert set(outcomes) == {"n", "p", "s", "d", "m", "r", "share"}
    assert pooled.size >= 2_000
    assert 0.94 <= pooled.mean() <= 0.97


def test_each_number_is_covered_as_often_as_its_interval_says(outcomes: dict[str, Flags]) -> None:
    for flags in outcomes.values():
        for number in flags.T:
            assert binomial_at_least(int(number.sum()), TIMES, LEVEL)


def test_intervals_a_tenth_too_narrow_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = import_module("engine.answers")
    narrow = answers.half_widths
    monkeypatch.setattr(answers, "half_widths", lambda *given: 0.9 * narrow(*given))
    pooled = np.concatenate([flags.ravel() for flags in covered(engine, QUESTIONS["counts"]).values()])
    assert pooled.size >= 2_000 and pooled.mean() < 0.94
