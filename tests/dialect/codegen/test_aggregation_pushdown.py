"""Aggregation pushdown below the join that provides the group key: the same numbers as over the joined rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest

from dialect import bound_contributions, generate_sql
from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Catalog

eager = import_module("dialect.codegen.contribution.pushdown")
JOINED = "FROM events e JOIN subscribers s ON s.subscriber_id = e.subscriber_id"
PARTED = (
    f"SELECT s.gender, COUNT(*), COUNT(DISTINCT e.subscriber_id), SUM(e.dwell_s) {JOINED} GROUP BY 1",
    f"SELECT s.gender, COUNT(*) FILTER (WHERE e.cell_id < 5), AVG(e.dwell_s) {JOINED} WHERE e.cell_id > 2 AND s.age > 30 GROUP BY 1",
    f"SELECT s.gender || '!' AS g, SUM(LEAST(e.dwell_s, 900)) {JOINED} GROUP BY 1",
    f"SELECT s.gender, COUNT(*) {JOINED} JOIN hours h ON h.h = hour(e.ts) WHERE h.h < 12 GROUP BY 1",
    "SELECT s.gender, COUNT(*) FROM subscribers s JOIN events e ON s.subscriber_id = e.subscriber_id GROUP BY 1",
)
TOGETHER = (
    f"SELECT s.gender, COUNT(*) {JOINED} AND e.dwell_s > s.age GROUP BY 1",
    f"SELECT s.gender, COUNT(*) {JOINED} WHERE e.dwell_s > s.age GROUP BY 1",
    f"SELECT s.gender, SUM(LEAST(s.age, 90)) {JOINED} GROUP BY 1",
    f"SELECT s.gender, COUNT(DISTINCT e.cell_id) {JOINED} GROUP BY 1",
    "SELECT s.gender, COUNT(*) FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id GROUP BY 1",
    f"SELECT s.gender, e.cell_id, COUNT(*) {JOINED} GROUP BY 1, 2",
)
Rows = list[tuple[object, ...]]


@pytest.fixture
def vectors(catalog: Catalog, target: Target, database: duckdb.DuckDBPyConnection) -> Callable[..., Rows]:
    """Closure that runs a plan's bounded SQL, perhaps without a shortcut."""

    def run(plan: PrivatePlan, *without: Shortcut) -> Rows:
        switched = replace(target, shortcuts=target.shortcuts - {*without})
        return database.execute(generate_sql(plan, bound_contributions(plan, catalog, 100), switched).text).fetchall()

    return run


@pytest.mark.parametrize("sql", PARTED)
def test_aggregation_pushdown_gives_the_query_vectors_of_the_join(
    sql: str,
    plan_of: Callable[[str], PrivatePlan],
    vectors: Callable[..., Rows],
) -> None:
    plan = plan_of(sql)
    assert eager.find_pushdown(plan) is not None
    made = vectors(plan)
    assert made == vectors(plan, Shortcut.AGGREGATION_PUSHDOWN)
    assert len({row[1] for row in made}) > 2


@pytest.mark.parametrize("sql", TOGETHER)
def test_an_expression_over_both_join_sides_prevents_aggregation_pushdown(
    sql: str, plan_of: Callable[[str], PrivatePlan]
) -> None:
    assert eager.find_pushdown(plan_of(sql)) is None


@pytest.mark.parametrize("sql", TOGETHER[1:2])
def test_a_condition_that_is_lost_is_found(
    sql: str,
    plan_of: Callable[[str], PrivatePlan],
    vectors: Callable[..., Rows],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(sql)
    made = vectors(plan)
    monkeypatch.setattr(eager, "_push_down", lambda found, *_: found)
    assert eager.find_pushdown(plan) is not None
    assert made != vectors(plan)


def test_rows_of_a_window_are_added_up_in_each_window(plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(PARTED[0])
    parted = eager.find_pushdown(plan)
    assert set(eager.aggregated_plan(plan, parted).unit_columns) == {"person"}
    windowed = replace(
        plan, charged_windows=replace(plan.charged_windows, window_field=plan.keys[0].field)
    )  # a window of the other side
    assert eager.find_pushdown(windowed) is None
