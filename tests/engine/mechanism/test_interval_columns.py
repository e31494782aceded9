"""Interval columns in a query equal the intervals of its answer, to the last bit, for every expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets import Ledger
from dialect.catalog.model import Catalog
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town, opened
from tests.support.without_norms import without_norms

BASE = (
    "(SELECT zone, COUNT(*) AS n, COUNT(DISTINCT person_id) AS p, SUM(minutes) AS s, SUM(coins) AS c,"
    " AVG(minutes) AS m, VARIANCE(minutes) AS v, MEDIAN(minutes) AS q, inhabitants AS i"
    " FROM visit JOIN zone USING (zone) WHERE minutes < 60 GROUP BY zone, inhabitants)"
)
WHOLE = st.sampled_from(["n", "p", "c", "2 * n - p", "n + c + 7", "-p", "CAST(s AS BIGINT)", "round(n, -1)", "n * i", "n - i",
                         "CAST(s / p AS BIGINT)", "CAST(n / 3 AS BIGINT)"])  # fmt: skip
REAL = st.sampled_from(["s", "n / 4", "s - 30 * n", "s / n", "100.0 * n / i", "m", "m + 1", "-m", "v", "q", "n / (p - c)",
                        "1000.0 * s / i", "(s + n) / (n + p)", "nullif(s, 0)"])  # fmt: skip


@pytest.fixture(scope="module")
def rich(town: Catalog, town_engine: Engine) -> Iterator[Engine]:
    """An engine with an unlimited budget."""
    dataset = town.datasets[0]
    budget = replace(dataset.budget, rho=Fraction(10**5), client_rho=Fraction(10**5))
    catalog = replace(town, datasets=(replace(dataset, budget=budget),))
    with Ledger.open(":memory:") as ledger:
        yield Engine(catalog, town_engine.backend, ledger, add_noise)


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The same town without norms: clip bounds come from profiles, and numbers are corrected."""
    budget = (
        without_norms(CATALOG)
        .replace('"rho" = 0.2', '"rho" = 100000')
        .replace('"client_rho" = 0.1', '"client_rho" = 100000')
    )
    folder = tmp_path_factory.mktemp("without norms")
    with opened(make_town(folder, declared=budget), folder) as engine:
        yield engine


def ends(engine: Engine, column: str, rho: Fraction, confidence: float) -> tuple[np.ndarray, ...]:
    """Interval ends computed by the query, and those of the answer."""
    sql = f"SELECT zone, {column} AS x, DP_INTERVAL_LOW(x) AS low, DP_INTERVAL_HIGH(x) AS high FROM {BASE} AS base"
    answer = engine.answer(sql, Request("ann", rho, confidence)).answer
    assert set(answer.intervals) == {"x"} and not answer.without_interval
    asked = [answer.table.column(name).to_pandas().to_numpy(dtype=float) for name in ("low", "high")]
    return (*asked, *answer.intervals["x"])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(WHOLE, REAL),
    st.sampled_from(["0.02", "0.7", "30", "900"]),
    st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_interval_columns_equal_the_ends_of_the_answer(rich: Engine, column: str, rho: str, confidence: float) -> None:
    low, high, lower, upper = ends(rich, column, Fraction(rho), confidence)
    assert np.array_equal(low, lower, equal_nan=True), (low, lower)
    assert np.array_equal(high, upper, equal_nan=True), (high, upper)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(WHOLE, REAL),
    st.sampled_from(["0.02", "0.7", "30"]),
    st.sampled_from([0.5, 0.9, 0.999]),
)
def test_interval_columns_hold_what_correction_leaves(
    profiled: Engine, column: str, rho: str, confidence: float
) -> None:
    low, high, lower, upper = ends(profiled, column, Fraction(rho), confidence)
    assert np.array_equal(low, lower, equal_nan=True), (low, lower)
    assert np.array_equal(high, upper, equal_nan=True), (high, upper)


@pytest.mark.parametrize("column", ["n", "s / n"])
def test_planted_ends_of_the_noise_alone_are_found(
    profiled: Engine, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the error that correction leaves, ends are those of the noise."""
    writing = import_module("dialect.codegen.outer_query")
    right = writing.expand_interval_functions
    monkeypatch.setattr(writing, "expand_interval_functions", lambda *given: right(*given[:-1], {}))
    low, _, lower, _ = ends(profiled, column, Fraction("0.7"), 0.95)
    assert not np.array_equal(low, lower, equal_nan=True)


def test_a_null_has_no_ends_and_some_numbers_have(rich: Engine) -> None:
    low, _, lower, _ = ends(rich, "s / n", Fraction("0.0002"), 0.999)
    assert np.isnan(low).any() and np.array_equal(np.isnan(low), np.isnan(lower))
    assert not np.isnan(ends(rich, "s / n", Fraction(30), 0.9)[0]).all()


@pytest.mark.parametrize("column", ["n", "2 * n - p", "s / n"])
def test_ends_of_another_level_are_found(rich: Engine, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finishing = import_module("engine.pipeline.post_process")
    right = finishing.interval_constants
    monkeypatch.setattr(finishing, "interval_constants", lambda *given, **named: right(*given[:-1], 0.9, **named))
    low, _, lower, _ = ends(rich, column, Fraction("0.7"), 0.95)
    assert not np.array_equal(low, lower, equal_nan=True)


def test_ends_are_no_numbers_without_an_interval(rich: Engine) -> None:
    """Interval ends get no note about an unknown interval."""
    sql = "SELECT COUNT(*) AS n, DP_INTERVAL_LOW(n) AS low, DP_INTERVAL_HIGH(n) - 5 AS high FROM visit"
    found = rich.answer(sql, Request("ann", Fraction(1, 10)))
    assert found.answer.without_interval == () and set(found.answer.intervals) == {"n"}
