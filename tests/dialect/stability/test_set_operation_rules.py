"""Set operations column by column: names, types, NULLs, ends and lists of what holds both sides' values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import Field
from dialect.algebra.relations import BoundQuery
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Bounds, SqlType
from dialect.errors import Code, Refusal


@pytest.fixture
def column(rows_of: Callable[[str], BoundQuery]) -> Callable[[str], Field]:
    """Read a query; give its last column."""
    return lambda sql: rows_of(sql).columns[-1][1]


def test_ends_and_nulls_are_those_of_both(column: Callable[[str], Field]) -> None:
    made = column("SELECT dwell_s FROM events UNION ALL SELECT age FROM subscribers")
    assert (made.bounds, made.type, made.nullable) == (Bounds(0, 7200), SqlType.DOUBLE, True)
    made = column("SELECT lat FROM events UNION ALL SELECT -200 FROM subscribers")
    assert made.bounds == Bounds(-200, 90)
    assert column("SELECT lon FROM events UNION ALL SELECT age FROM subscribers").bounds is None
    assert not column("SELECT 1 FROM events UNION ALL SELECT 2 FROM events").nullable


def test_except_takes_nullability_from_its_first_side_alone(column: Callable[[str], Field]) -> None:
    made = column("SELECT subscriber_id, 1 AS x FROM events EXCEPT SELECT subscriber_id, NULL FROM events")
    assert not made.nullable


def test_a_stored_column_stays_the_column_that_it_is(column: Callable[[str], Field]) -> None:
    same = column("SELECT dwell_s FROM events WHERE lat > 1 UNION ALL SELECT dwell_s FROM events")
    assert same.origin is not None and same.origin.column == "dwell_s"
    assert column("SELECT dwell_s FROM events UNION ALL SELECT lat FROM events").origin is None


BY_NAME = (
    "SELECT subscriber_id, age AS x FROM subscribers UNION ALL BY NAME SELECT cell_id AS y, subscriber_id FROM events"
)


def test_columns_are_matched_by_name(rows_of: Callable[[str], BoundQuery]) -> None:
    columns = rows_of(BY_NAME).columns
    assert [name for name, _ in columns] == ["subscriber_id", "x", "y"]
    assert [f.nullable for _, f in columns] == [False, True, True]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT cell_id, cell_id FROM cells UNION BY NAME SELECT cell_id FROM cells",
        "SELECT cell_id FROM events UNION ALL SELECT cell_id, lat FROM events",
        "SELECT gender FROM subscribers UNION ALL SELECT cell_id FROM events",
    ],
)
def test_columns_that_do_not_match_are_refused(sql: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(sql).code is Code.SUBQUERY


LISTS = {
    "SELECT k, COUNT(*) FROM (SELECT 'e' AS k FROM events UNION ALL SELECT 's' FROM subscribers) GROUP BY 1": "constants",
    "SELECT k, COUNT(*) FROM (SELECT zone AS k FROM events JOIN cells USING (cell_id) UNION ALL SELECT gender FROM subscribers)"
    " GROUP BY 1": "cells and the declared list of gender",
    "SELECT k, COUNT(*) FROM (SELECT cell_id AS k FROM events UNION ALL SELECT cell_id FROM events) GROUP BY 1": "cells.cell_id",
    "SELECT k, COUNT(*) FROM (SELECT cell_id AS k FROM events UNION ALL SELECT age FROM subscribers) WHERE k IN (1, 2) GROUP BY 1": "a condition of the question",
    "SELECT k, COUNT(*) FROM (SELECT cell_id AS k FROM events WHERE cell_id IN (1, 2) UNION ALL SELECT cell_id FROM events"
    " WHERE cell_id BETWEEN 5 AND 7) GROUP BY 1": "a condition of the question and a range in the question",
    "SELECT date_trunc('day', t), COUNT(*) FROM (SELECT ts AS t FROM events UNION ALL SELECT ts FROM events) GROUP BY 1": "a range of time",
}  # fmt: skip


@pytest.mark.parametrize("sql", LISTS)
def test_keys_of_both_sides_are_listed(sql: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(sql)
    assert plan.key_set is not None
    assert [source.description for source in plan.key_set.sources] == [LISTS[sql]]


def test_one_list_is_enough_where_only_the_first_side_stays(plan_of: Callable[[str], PrivatePlan]) -> None:
    sql = (
        "SELECT k, COUNT(*) FROM (SELECT subscriber_id, {} AS k FROM {} {} SELECT subscriber_id, {} FROM {}) GROUP BY 1"
    )
    assert plan_of(sql.format("cell_id", "events", "EXCEPT", "age", "subscribers")).key_set is not None
    assert plan_of(sql.format("age", "subscribers", "EXCEPT", "cell_id", "events")).key_set is None


def test_one_persons_first_value_is_in_either_list(plan_of: Callable[[str], PrivatePlan]) -> None:
    union = "SELECT subscriber_id, 'e' AS k FROM events UNION ALL SELECT subscriber_id, gender FROM subscribers"
    sql = f"SELECT k, COUNT(*) FROM (SELECT subscriber_id, MIN(k) AS k FROM ({union}) GROUP BY 1) GROUP BY 1"
    assert plan_of(sql).key_set is not None


def test_predicates_of_both_inputs_hold_for_the_result(plan_of: Callable[[str], PrivatePlan]) -> None:
    side = "SELECT subscriber_id, cell_id AS k FROM events WHERE cell_id BETWEEN 3 AND {}"
    sql = "SELECT k, COUNT(*) FROM ({} UNION ALL {}) GROUP BY 1"
    (source,) = plan_of(sql.format(side.format(5), side.format(5))).key_set.sources  # type: ignore[union-attr]
    assert source.description == "a range in the question" and source.is_exhaustive
