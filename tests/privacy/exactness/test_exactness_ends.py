"""Rows at the ends of declared ranges have their keys in the list: the first and last moment, the least number, NULL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from dialect import compile_query
from dialect.algebra.expressions import Literal
from dialect.analysis import predicates
from dialect.catalog.model import SqlType
from tests.support.sql.oracle import Oracle
from tests.support.worlds import write_world

public_domains: Any = import_module("dialect.planner.keys.public_domains")
key_set: Any = import_module("dialect.planner.keys.key_set")
ROWS = """
CREATE TABLE visit AS SELECT i AS visit_id, i % 40 AS person_id, began, began::DATE AS day,
  CASE WHEN i % 9 < 8 THEN began END AS ended, ended::DATE AS ended_on, age, x, place, flag
FROM (SELECT i,
  [TIMESTAMP '2026-10-01', TIMESTAMP '2026-10-01 23:59:59.999999', TIMESTAMP '2026-12-31',
   TIMESTAMP '2026-12-31 12:30:00', TIMESTAMP '2026-12-31 23:59:59.999999', TIMESTAMP '2026-11-30 23:59:59.9995',
   TIMESTAMP '2026-10-31', TIMESTAMP '2026-10-25 00:30:00', TIMESTAMP '2026-10-15 08:00:00'][1 + i % 9] AS began,
  [0, 1, 99, 100, NULL][1 + i % 5] AS age,
  [-10.0::DOUBLE, -9.999999, -0.0, 0.5, 9.9999999, 10.0, NULL][1 + i % 7] AS x,
  ['A', 'b', 'ä', NULL][1 + i % 4] AS place, [true, false, NULL][1 + i % 3] AS flag
  FROM range(1260) r(i))
"""
DECLARED = """
format = 1
name = "ends"
[datasets.d]
window = "forever"
[tables.visit]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "visit" }
person = "person_id"
primary_key = ["visit_id"]
time_column = "began"
date_column = "day"
size_class = "1e3"
norms = { rows = 60, persons = 60 }
[tables.visit.columns]
visit_id = { type = "BIGINT", nullable = false }
person_id = { type = "BIGINT" }
began = { type = "TIMESTAMP" }
day = { type = "DATE", range = ["2026-10-01", "2026-12-31"] }
ended = { type = "TIMESTAMP", range = ["2026-10-01", "2026-12-31"] }
ended_on = { type = "DATE", range = ["2026-10-01", "2026-12-31"] }
age = { type = "BIGINT", range = [0, 100] }
x = { type = "DOUBLE", bounds = [-10.0, 10.0] }
place = { type = "VARCHAR", values = ["A", "b", "ä"] }
flag = { type = "BOOLEAN" }
"""
OF_TIMES = """
date_trunc('minute', began); date_trunc('hour', began); date_trunc('day', began); date_trunc('week', began)
date_trunc('month', began); date_trunc('quarter', began); date_trunc('year', began); time_bucket(INTERVAL 90 MINUTE, began)
time_bucket(INTERVAL 1 WEEK, began); time_bucket(INTERVAL 1 MONTH, began); time_bucket(INTERVAL 2 DAY, day)
began::DATE; day; day + 1; day - INTERVAL 1 DAY; last_day(began); last_day(day); began + INTERVAL 30 MINUTE > '2027-01-01'
(began + INTERVAL 30 MINUTE)::DATE; date_trunc('hour', began - INTERVAL 1 SECOND); date_trunc('month', day + 1)
year(began); quarter(began); month(began); week(began); isodow(began); dayofweek(began); hour(began); minute(began)
second(began); dayofyear(began); dayofmonth(day); yearweek(began); weekofyear(day); date_part('week', began)
extract(isoyear FROM began); dayname(began); monthname(day); strftime(began, '%Y-%m-%d %H'); strftime(began, '%H:%M')
strftime(began, '%G-W%V'); strftime(day, '%d.%m.%Y'); epoch(day); floor(epoch(began) / 3600); ceil(epoch(began) / 86400)
epoch_ms(began) // 86400000; hour(began) * 2 + minute(began) // 30; hour(began) >= 12; month(began) * 100 + dayofmonth(began)
date_diff('day', DATE '2026-10-01', day); date_diff('hour', TIMESTAMP '2026-10-01', began)
date_diff('month', DATE '2026-10-15', day); date_sub('month', DATE '2026-10-15', day); day = DATE '2026-12-31'
CASE WHEN began < '2026-10-02' THEN 'a' WHEN began > '2026-12-31 12:00:00' THEN 'z' END
"""
OF_OTHERS = """
age; age // 10; age % 7; round(age / 10); age / 50; age * 2 - 1; -age; abs(age - 50); age > 50; age - age % 25; sqrt(age)
CASE WHEN age < 50 THEN 'low' ELSE 'high' END; COALESCE(age, -1); CAST(age AS VARCHAR); age::TEXT || '!'; nullif(age, 0)
greatest(age, 50); least(age, 50); CAST(age AS DOUBLE); floor(x) + age // 50; flag AND age > 50; place || age
floor(x); ceil(x); round(x); trunc(x); CAST(x AS INTEGER); floor(x * 3); sign(x); floor(x / 2.5) * 2.5; x > 0; floor(abs(x))
CAST(x AS BIGINT) % 3; floor(-x); CASE WHEN x < 0 THEN 'neg' WHEN x >= 0 THEN 'pos' END; x IS NULL; flag OR x > 0
place; upper(place); lower(place); COALESCE(place, '?'); length(place); flag; NOT flag; place = 'A'; substr(place, 1, 1)
concat(place, flag); CASE WHEN flag THEN place END; place IN ('A'); CAST(flag AS INTEGER); left(place, 1); reverse(place)
"""
WHERE = (
    "",
    "WHERE day >= '2026-12-30'",
    "WHERE ended < '2026-10-02' OR ended IS NULL",
    "WHERE day IN (DATE '2026-12-31', DATE '2026-10-01')",
    "WHERE month(began) = 12 AND x >= 0.5",
    "WHERE began >= '2026-10-31'",
    "WHERE age > 0 AND x < 10",
)


def _keys(text: str) -> list[str]:
    return [key.strip() for line in text.strip().splitlines() for key in line.split(";")]


KEYS = [
    *(times := _keys(OF_TIMES)),
    *(key.replace("began", "ended").replace("day)", "ended_on)") for key in times if "began" in key or "day)" in key),
    *_keys(OF_OTHERS),
]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(write_world(tmp_path_factory.mktemp("ends"), ROWS, DECLARED)) as opened:
        yield opened


def _differences(oracle: Oracle, where: str) -> dict[str, str]:
    """Keys whose answer differs from plain DuckDB's, with the difference."""
    asked = {key: f"SELECT {key} AS k, COUNT(*) AS n, COUNT(age) AS c FROM visit {where} GROUP BY k" for key in KEYS}
    found = {key: oracle.ask(sql) for key, sql in asked.items()}
    assert not any(verdict.plain_raised or verdict.apart for verdict in found.values())
    return {key: verdict.difference for key, verdict in found.items() if verdict.difference is not None}


@pytest.mark.parametrize("where", WHERE)
def test_rows_at_the_ends_of_ranges_are_in_their_groups(where: str, oracle: Oracle) -> None:
    assert not _differences(oracle, where)


def test_a_last_day_without_its_hours_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the declared range of a date ends when its last day begins."""
    right = public_domains.declared_between

    def planted(*given: Any) -> tuple[Literal, Literal] | None:
        ends = right(*given)
        return ends and (ends[0], Literal(f"{ends[1].value[:10]} 00:00:00", SqlType.TIMESTAMP))

    for module in (public_domains, predicates):
        monkeypatch.setattr(module, "declared_between", planted)
    assert {"date_trunc('hour', began)", "date_trunc('minute', ended)", "floor(epoch(began) / 3600)"} <= set(
        _differences(oracle, "")
    )


def test_a_range_without_its_largest_number_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: integers are listed below their upper end, without it."""
    right = public_domains.list_of_range

    def planted(expr: Any, lower: Any, upper: Any, *rest: Any) -> Any:
        last = Literal(upper.value - 1, upper.type) if isinstance(upper.value, int) else upper
        return right(expr, lower, last, *rest)

    monkeypatch.setattr(public_domains, "list_of_range", planted)
    assert {"age", "-age", "age * 2 - 1"} <= set(_differences(oracle, ""))


COHORTS = """
SELECT cohort, date_diff('UNIT', cohort, began) AS age, COUNT(*) AS n, COUNT(DISTINCT person_id) AS people
FROM visit JOIN (SELECT person_id, date_trunc('UNIT', MIN(began)) AS cohort FROM visit GROUP BY 1) USING (person_id)
GROUP BY ALL
"""
UNITS = ("day", "week", "month", "quarter", "year")


def _cohort_differences(oracle: Oracle) -> set[str]:
    """Units of cohorts and ages whose answer differs from plain DuckDB's."""
    return {unit for unit in UNITS if oracle.ask(COHORTS.replace("UNIT", unit)).difference is not None}


def test_ages_of_cohorts_are_in_their_groups(oracle: Oracle) -> None:
    assert not _cohort_differences(oracle)
    (plan,) = compile_query(COHORTS.replace("UNIT", "month"), oracle.catalog).plans
    assert plan.key_set is not None and not plan.key_set.is_listed_by_query


def test_ages_by_a_longer_unit_are_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the times of a difference are truncated to a longer unit than its own."""
    right = key_set._truncated
    monkeypatch.setattr(key_set, "_truncated", lambda time, _: right(time, Literal("quarter", SqlType.VARCHAR)))
    assert {"day", "week", "month"} <= _cohort_differences(oracle)
