"""Oversized SQL is refused before it is generated."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import Public
from dialect.analysis.work_bounds import MAX_SQL_CHARACTERS, expression_sql_size
from dialect.catalog.model import Catalog
from dialect.codegen.outer_query import write_outer_query
from dialect.errors import Code, Refusal
from dialect.functions.emitter import write_expr
from dialect.postprocess.question import Question


def _nested(inner: str, levels: int) -> str:
    text = "ts"
    for _ in range(levels):
        text = inner.format(text)
    return text


def _layers(step: str, levels: int, start: str = "SELECT subscriber_id, dwell_s AS x FROM events") -> str:
    query = start
    for _ in range(levels):
        query = f"SELECT subscriber_id, {step} AS x FROM ({query})"
    return f"SELECT COUNT(x) FROM ({query})"


GROWING = {
    "between in between": "SELECT COUNT(" + "(" * 30 + "dwell_s" + " BETWEEN 0 AND 1)::INT" * 30 + ") FROM events",
    "case with a subject": "SELECT COUNT(CASE " * 1
    + "CASE " * 12
    + "dwell_s"
    + " WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 3 THEN 3 WHEN 4 THEN 5 END" * 12
    + " WHEN 1 THEN 1 END) FROM events",
    "moved times": f"SELECT COUNT({_nested('({} + INTERVAL 1 DAY)', 30)}) FROM events",
    "hours of the week": f"SELECT COUNT({_nested('time_bucket(INTERVAL 1 DAY, {} - INTERVAL 1 HOUR)', 15)}) FROM events",
    "used again and again": "WITH a AS (SELECT subscriber_id, lat FROM events), "
    + ", ".join(
        f"a{i} AS (SELECT x.subscriber_id, x.lat FROM a{i - 1 if i else ''} x JOIN a{i - 1 if i else ''} y USING (subscriber_id))"
        for i in range(20)
    )
    + " SELECT COUNT(*) FROM a19",
    "public, again and again": "WITH a AS (SELECT 1 AS x), "
    + ", ".join(f"a{i} AS (SELECT x.x FROM a{i - 1 if i else ''} x, a{i - 1 if i else ''} y)" for i in range(20))
    + " SELECT COUNT(*) FROM a19",
}


@pytest.mark.parametrize("name", GROWING)
def test_exponential_sql_growth_is_refused_at_once(name: str, refused: Callable[[str], Refusal]) -> None:
    start = time.process_time()
    assert refused(GROWING[name]).code is Code.COMPLEX
    assert time.process_time() - start < 3.0  # a guard against minutes of work; the figure is the benchmark's


LAYERED = {
    "squares of squares": _layers("x * x", 20),
    "times of times": _layers("x + INTERVAL 1 DAY", 20, "SELECT subscriber_id, ts AS x FROM events"),
    "sums of sums": _layers("x + x + x", 20),
    "choices of choices": _layers("CASE WHEN x > 1 THEN x ELSE x + 1 END", 20),
}


@pytest.mark.parametrize("name", LAYERED)
def test_nested_subqueries_do_not_multiply_the_sql_size(
    name: str, ask: Callable[[str], Question], catalog: Catalog, target: Target
) -> None:
    start = time.process_time()
    (plan,) = ask(LAYERED[name]).plans
    text = dialect.generate_sql(plan, dialect.bound_contributions(plan, catalog, 1), target).text
    assert len(text) < MAX_SQL_CHARACTERS / 10
    assert time.process_time() - start < 3.0  # a guard against minutes of work; the figure is the benchmark's


def test_released_numbers_do_not_multiply_the_sql_size(ask: Callable[[str], Question], target: Target) -> None:
    query = "SELECT COUNT(*) AS x FROM events"
    for _ in range(12):
        query = f"SELECT x + x AS x FROM ({query})"
    question = ask(query)
    variances = {raw.id: 1.0 for release in question.releases for raw in release.raw_fields}
    outer = Target({**target.addresses, "release 0": '"release 0"', "release_0": "release_0"})
    assert len(write_outer_query(question, variances, outer).text) < MAX_SQL_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        "ts + INTERVAL 1 DAY",
        "hour_of_week(ts)",
        "CASE WHEN dwell_s BETWEEN 1 AND 2 THEN 'it''s' ELSE home END",
        "dwell_s // 3 % 7 * lat / lon - round(lat, 2)",
        "coalesce(CAST(ts AS DATE), DATE '2026-10-14') > ts",
        "concat(home, 'x', upper(home)) LIKE 'a%' AND cell_id IN (1, 2, 3)",
    ],
)
def test_generated_sql_is_never_longer_than_its_size_bound(text: str, ask: Callable[[str], Question]) -> None:
    sql = f"SELECT {text} AS x FROM (SELECT TIMESTAMP '2026-10-14' AS ts, lon, lat, zone AS home, cell_id, lon AS dwell_s FROM cells)"
    question = ask(sql)
    assert isinstance(question.outer, Public)
    (shown,) = question.columns
    assert shown.field.definition is not None
    assert len(write_expr(shown.field.definition)) <= expression_sql_size(shown.field.definition)
