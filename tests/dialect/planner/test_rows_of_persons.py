"""Rows are counted as persons if a person has one in each group; one person's MIN has the key list of its argument."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Refusal
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.planner import releases
from tests.support.planted import instead

Plan = Callable[[str], PrivatePlan]
DAYS = "(SELECT subscriber_id, hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1, 2)"
CELLS = "(SELECT DISTINCT subscriber_id, cell_id FROM events)"
FIRST = "(SELECT *, row_number() OVER (PARTITION BY subscriber_id, cell_id ORDER BY ts) AS r FROM events)"


def kinds(plan: PrivatePlan) -> set[VectorKind]:
    return {vector.kind for vector in plan.vectors}


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT h, COUNT(*) FROM {DAYS} GROUP BY h",
        f"SELECT h, COUNT(n), COUNT(*) FILTER (WHERE n > 3) FROM {DAYS} WHERE n > 1 GROUP BY h",
        f"SELECT cell_id, COUNT(*) FROM {CELLS} GROUP BY cell_id",
        f"SELECT cell_id, gender, COUNT(*) FROM {CELLS} JOIN subscribers USING (subscriber_id) GROUP BY cell_id, gender",
        f"SELECT cell_id, gender, COUNT(*) FROM subscribers JOIN {CELLS} USING (subscriber_id) GROUP BY cell_id, gender",
        f"SELECT cell_id, COUNT(*) FROM {FIRST} WHERE r = 1 GROUP BY cell_id",
    ],
)
def test_rows_are_counted_as_persons(sql: str, plan_of: Plan) -> None:
    assert kinds(plan_of(sql)) == {VectorKind.PERSONS}


SEVERAL = (
    "SELECT cell_id, COUNT(*) FROM events GROUP BY cell_id",
    f"SELECT gender, COUNT(*) FROM {CELLS} JOIN subscribers USING (subscriber_id) GROUP BY gender",
    f"SELECT lat, COUNT(*) FROM {CELLS} JOIN cells USING (cell_id) GROUP BY lat",
    f"SELECT cell_id, COUNT(*) FROM {CELLS} JOIN events USING (subscriber_id, cell_id) GROUP BY cell_id",
    f"SELECT cell_id, COUNT(*) FROM {FIRST} WHERE r <= 2 GROUP BY cell_id",
    f"SELECT COUNT(*) FROM {CELLS}",
)


@pytest.mark.parametrize("sql", SEVERAL)
def test_several_rows_of_a_person_are_not(sql: str, plan_of: Plan) -> None:
    assert VectorKind.ROWS in kinds(plan_of(sql))


def test_persons_counted_for_several_rows_of_a_group_are_found(plan_of: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(releases, "has_one_row_per_group", lambda rows, keys, known: True)(monkeypatch)
    with pytest.raises(AssertionError):
        test_several_rows_of_a_person_are_not(SEVERAL[0] + " HAVING COUNT(*) > 0", plan_of)


def test_a_table_with_one_row_for_each_person_keeps_its_rows(plan_of: Plan) -> None:
    assert kinds(plan_of("SELECT gender, COUNT(*) FROM subscribers GROUP BY gender")) == {VectorKind.ROWS}


@pytest.mark.parametrize(
    ("value", "key", "listed"),
    [
        ("MIN(hour(ts))", "v", "the values of hour"),
        ("MODE(CASE WHEN dwell_s > 60 THEN 'long' ELSE 'brief' END)", "v", "the constants of a CASE"),
        ("MAX(dwell_s > 60)", "v", "true and false"),
        ("ARG_MAX(hour(ts), dwell_s)", "v", "the values of hour"),
        ("MIN(date_trunc('hour', ts))", "v", "a range of time"),
        ("MIN(ts)", "date_trunc('day', v)", "a range of time"),
        ("MAX(ts)", "CAST(v AS DATE)", "a range of time"),
    ],
)
def test_one_persons_value_has_the_list_of_its_argument(value: str, key: str, listed: str, plan_of: Plan) -> None:
    rows = f"SELECT subscriber_id, {value} AS v FROM events {{}} GROUP BY subscriber_id"
    ended = "WHERE ts >= TIMESTAMP '2026-01-05 00:00:00' AND ts < TIMESTAMP '2026-01-07 00:00:00'"
    keys = plan_of(f"SELECT {key} AS k, COUNT(*) FROM ({rows.format(ended)}) GROUP BY k").key_set
    assert keys is not None and {source.description for source in keys.sources} == {listed}


@pytest.mark.parametrize(
    ("value", "key", "listed"),
    [
        ("LAG(hour(ts))", "v", "the values of hour"),
        ("LEAD(date_trunc('hour', ts))", "v", "a range of time"),
        ("FIRST_VALUE(CASE WHEN dwell_s > 60 THEN 'long' ELSE 'brief' END)", "v", "the constants of a CASE"),
        ("LAG(ts + INTERVAL 1 HOUR)", "date_trunc('day', v)", "a range of time"),
        ("LAG(ts + INTERVAL 1 HOUR, 1, ts)", "date_trunc('day', v)", ""),
    ],
)
def test_a_value_of_another_row_has_the_list_of_its_argument(value: str, key: str, listed: str, plan_of: Plan) -> None:
    rows = f"SELECT subscriber_id, {value} OVER (PARTITION BY subscriber_id ORDER BY ts) AS v FROM events {{}}"
    ended = "WHERE ts >= TIMESTAMP '2026-01-05 00:00:00' AND ts < TIMESTAMP '2026-01-07 00:00:00'"
    sql = f"SELECT {key} AS k, COUNT(*) FROM ({rows.format(ended)}) GROUP BY k"
    if not listed:
        with pytest.raises(Refusal, match="E_KEY"):
            plan_of(sql)
        return
    keys = plan_of(sql).key_set
    assert keys is not None and {source.description for source in keys.sources} == {listed}


def test_a_value_without_a_list_has_none(plan_of: Plan) -> None:
    rows = "(SELECT subscriber_id, MIN(home_zone) AS v FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1)"
    assert plan_of(f"SELECT v, COUNT(*) FROM {rows} GROUP BY v").key_set is None
