"""Units of one row each are not grouped, and give the integers that grouping gives; others are grouped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Catalog
from dialect.codegen import partials
from dialect.codegen.partials import is_one_row_per_person

Plans = Callable[[str], PrivatePlan]
ONE_EACH = (
    "SELECT count(*), count(DISTINCT subscriber_id), sum(age), avg(age), count(age) FROM subscribers",
    "SELECT gender, count(*), avg(age) FROM subscribers GROUP BY 1",
    "SELECT home_zone, count(*), sum(age) FILTER (WHERE gender = 'F') FROM subscribers WHERE age > 20 GROUP BY 1",
    (
        "SELECT gender, count(*) FILTER (WHERE age > 40), count(DISTINCT subscriber_id) FILTER (WHERE age > 90)"
        " FROM subscribers GROUP BY 1"
    ),
    (
        "SELECT gender, avg(least(greatest(ln(age - 30), 0), 9)), count(ln(age - 30)) FROM (SELECT subscriber_id, gender,"
        " CAST(age AS DOUBLE) AS age FROM subscribers) GROUP BY 1"
    ),
    "SELECT age // 10, stddev_pop(age) FROM subscribers GROUP BY 1",
    "SELECT n, count(*) FROM (SELECT subscriber_id, least(count(*), 9) AS n FROM events GROUP BY 1) GROUP BY 1",
    (
        "SELECT avg(n), sum(n) FILTER (WHERE n > 1), count(m) FROM (SELECT subscriber_id, count(*) AS n, max(dwell_s) AS m FROM events"
        " GROUP BY 1 HAVING count(*) < 99)"
    ),
    "SELECT count(*), count(DISTINCT subscriber_id) FROM (SELECT DISTINCT subscriber_id FROM events WHERE dwell_s > 60)",
)
GROUPED = (
    "SELECT count(*) FROM events",
    "SELECT gender, count(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1",
    "SELECT gender, count(*) FROM subscribers LEFT JOIN events USING (subscriber_id) GROUP BY 1",
    "SELECT n, count(*) FROM (SELECT subscriber_id, least(count(*), 9) AS n, hour(ts) AS h FROM events GROUP BY 1, 3) GROUP BY 1",
    "SELECT count(*) FROM (SELECT DISTINCT subscriber_id, cell_id FROM events)",
    (
        "SELECT n, count(*) FROM (SELECT subscriber_id, least(count(*), 9) AS n FROM events GROUP BY 1)"
        " JOIN events USING (subscriber_id) GROUP BY 1"
    ),
)


def _answer(
    plan: PrivatePlan, catalog: Catalog, target: Target, database: duckdb.DuckDBPyConnection
) -> tuple[str, list[tuple[Any, ...]]]:
    bounds = dialect.bound_contributions(plan, catalog, 25 if plan.key_set is not None else None)
    cursor = database.cursor()
    cursor.register("opt_outs", pa.table({"person": pa.array([], pa.string())}))
    text = dialect.generate_sql(plan, bounds, target, None).text
    return text, cursor.execute(text).fetchall()


@pytest.mark.parametrize("sql", ONE_EACH)
def test_skipping_the_grouping_of_single_rows_changes_no_result(
    sql: str, plan_of: Plans, catalog: Catalog, target: Target, database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plan = plan_of(sql)
    text, answer = _answer(plan, catalog, target, database)
    monkeypatch.setattr(partials, "is_one_row_per_person", lambda _: False)
    grouped, same = _answer(plan, catalog, target, database)
    assert answer == same
    assert any(any(row[len(plan.keys) :]) for row in answer)
    assert text.count("GROUP BY") == grouped.count("GROUP BY") - 1


@pytest.mark.parametrize("sql", GROUPED)
def test_other_rows_are_grouped(sql: str, plan_of: Plans) -> None:
    assert not is_one_row_per_person(plan_of(sql))


def test_treating_many_rows_of_a_person_as_one_exceeds_the_clip_bound(
    plan_of: Plans,
    catalog: Catalog,
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plant the bug: without grouping, each row is bounded for itself."""
    plan = plan_of(GROUPED[0])
    bounds = dialect.bound_contributions(plan, catalog, None)
    (bound,) = bounds.vectors
    person = "(SELECT events.* FROM events, range(1000) WHERE subscriber_id = (SELECT min(subscriber_id) FROM events))"
    alone = Target({**target.addresses, "events": person})  # the sightings of one, a thousand times each
    _, ((kept,),) = _answer(plan, catalog, alone, database)
    assert abs(kept) <= bound.sensitivity
    monkeypatch.setattr(partials, "is_one_row_per_person", lambda _: True)
    _, ((passed,),) = _answer(plan, catalog, alone, database)
    assert abs(passed) > bound.sensitivity
