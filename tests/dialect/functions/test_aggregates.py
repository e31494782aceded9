"""One person's aggregates are exact and deterministic; public ones are the same in every run."""

from __future__ import annotations

import math
from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import BoundQuery
from dialect.catalog.model import SqlType
from dialect.codegen.relations.relation import write_rows
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import AGGREGATES, per_person_sql, public_sql
from tests.support.ties import tied_first, tied_last

DOUBLES = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf, 1e300, None]), max_size=30)
GRAIN = 1 << 20


def _inside(name: str, values: list[float | None], database: duckdb.DuckDBPyConnection) -> float | None:
    sql = per_person_sql(AGGREGATES[name], AggregateOperands(["v"], [SqlType.DOUBLE], grain=GRAIN))
    (found,) = database.execute(f"SELECT {sql} FROM (SELECT unnest($1::DOUBLE[]) AS v)", [values]).fetchall()
    return found[0]


def _all_equal(values: list[float | None]) -> float | None:
    """The common value of all rows; a mean of it is the value itself in any grain."""
    some = {v for v in values if v is not None}
    return some.pop() if len(some) == 1 and all(map(math.isfinite, some)) else None


@given(values=DOUBLES)
def test_sums_and_means_of_one_person_are_counted_in_grains(
    values: list[float | None], database: duckdb.DuckDBPyConnection
) -> None:
    whole = [v for v in values if v is not None and math.isfinite(v) and abs(v) < 2**42]
    exact = sum(math.copysign(math.floor(abs(v * GRAIN) + 0.5), v) for v in whole)
    expected = exact / GRAIN if whole else None
    for order in (values, values[::-1]):
        assert _inside("sum", order, database) == expected
        mean = _inside("avg", order, database)
        alike = _all_equal(values)
        assert mean == (alike if alike is not None else None if expected is None else expected / len(whole))


@given(values=DOUBLES)
def test_public_sums_do_not_depend_on_order(values: list[float | None], database: duckdb.DuckDBPyConnection) -> None:
    for name in ("sum", "avg", "stddev_samp", "var_pop"):
        sql = public_sql(AGGREGATES[name], AggregateOperands(["v"], [SqlType.DOUBLE]))
        rows = "SELECT unnest($1::DOUBLE[]) AS v"
        one, other = (database.execute(f"SELECT {sql} FROM ({rows})", [v]).fetchall() for v in (values, values[::-1]))
        assert repr(one) == repr(other)


@pytest.mark.parametrize("name", ["sum", "avg", "stddev_samp", "var_pop"])
def test_public_aggregates_of_integers_do_not_depend_on_order(name: str, database: duckdb.DuckDBPyConnection) -> None:
    sql = public_sql(AGGREGATES[name], AggregateOperands(["v"], [SqlType.BIGINT]))
    found = set()
    for order in ("v", "-v", "hash(v)", "hash(v, 1)"):
        rows = f"SELECT v FROM (SELECT (range * 7919) % 1000003 AS v FROM range(50000)) ORDER BY {order}"
        found.add(repr(database.execute(f"SELECT {sql} FROM ({rows})").fetchall()))
    assert len(found) == 1


BOUNDS = {
    "COUNT(*)": (1, 200),
    "COUNT(DISTINCT cell_id)": (0, 200),
    "SUM(dwell_s)": (0, 7200 * 200),
    "SUM(lat)": (-90 * 200, 90 * 200),
    "AVG(lat)": (-90, 90),
    "MAX(dwell_s)": (0, 7200),
    "arg_min(lat, ts)": (-90, 90),
    "SUM(CASE WHEN lat > 1 THEN 1 ELSE 0 END)": (0, 200),
}


@pytest.mark.parametrize("aggregate", BOUNDS)
def test_the_range_of_one_persons_aggregate(aggregate: str, rows_of: Callable[[str], BoundQuery]) -> None:
    field = rows_of(f"SELECT subscriber_id, {aggregate} AS x FROM events GROUP BY 1").columns[1][1]
    assert field.bounds is not None
    assert (field.bounds.lower, field.bounds.upper) == BOUNDS[aggregate]


def test_ties_are_broken_by_a_hash_of_the_person_and_the_value(
    rows_of: Callable[[str], BoundQuery], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    """Find the one of equal times in the person's own order, where DuckDB takes whichever a thread met first."""
    selected = rows_of(
        "SELECT subscriber_id, arg_min(cell_id, hour(ts)) AS a, arg_max(cell_id, hour(ts)) AS b FROM events GROUP BY 1"
    )
    shown = [f for _, f in selected.columns]
    ours = database.execute(
        f"SELECT {', '.join(f.id for f in shown)} FROM ({write_rows(selected.relation, shown, target)})"
    ).fetchall()
    truth = database.execute(
        "SELECT subscriber_id, list(cell_id) FILTER (WHERE h = lo), list(cell_id) FILTER (WHERE h = hi) FROM (SELECT *, hour(ts) AS h,"
        " min(hour(ts)) OVER (PARTITION BY subscriber_id) AS lo, max(hour(ts)) OVER (PARTITION BY subscriber_id) AS hi"
        " FROM events WHERE subscriber_id IS NOT NULL AND cell_id IS NOT NULL) GROUP BY 1"
    ).fetchall()
    expected = [(p, tied_first(p, low), tied_last(p, high)) for p, low, high in truth]
    assert sorted(ours) == sorted(expected)
