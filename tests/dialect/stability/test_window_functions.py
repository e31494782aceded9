"""Window functions: canonical texts, properties of values, row and SQL size bounds, and the place of row truncation."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect import compile_query
from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson, Relation, RowTruncation, Window
from dialect.algebra.traversal import walk
from dialect.analysis import work_bounds
from dialect.analysis.person_rows import row_bounds
from dialect.catalog.model import Bounds, Catalog, ValueList
from dialect.codegen.relations.relation import write_rows
from dialect.functions.emitter import DUCKDB

BY = "PARTITION BY subscriber_id"
VARIANTS = (
    f"row_number() OVER ({BY})",
    f"row_number() OVER ({BY} ORDER BY ts)",
    f"row_number() OVER ({BY} ORDER BY ts DESC)",
    f"row_number() OVER ({BY} ORDER BY ts NULLS FIRST)",
    f"row_number() OVER ({BY}, cell_id ORDER BY ts)",
    f"rank() OVER ({BY} ORDER BY ts)",
    f"lag(cell_id) OVER ({BY} ORDER BY ts)",
    f"lag(cell_id, 2) OVER ({BY} ORDER BY ts)",
    f"lag(cell_id, 1, 7) OVER ({BY} ORDER BY ts)",
    f"lag(cell_id IGNORE NULLS) OVER ({BY} ORDER BY ts)",
    f"lead(cell_id) OVER ({BY} ORDER BY ts)",
    f"first_value(cell_id) OVER ({BY} ORDER BY ts)",
    f"count(*) OVER ({BY} ORDER BY ts)",
    f"count(*) FILTER (WHERE cell_id = 1) OVER ({BY} ORDER BY ts)",
    f"count(*) FILTER (WHERE cell_id = 2) OVER ({BY} ORDER BY ts)",
    f"count(*) OVER ({BY} ORDER BY ts ROWS 1 PRECEDING)",
    f"count(*) OVER ({BY} ORDER BY ts GROUPS 1 PRECEDING)",
    f"count(*) OVER ({BY} ORDER BY ts ROWS 2 PRECEDING)",
    f"count(*) OVER ({BY} ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    f"count(*) OVER ({BY} ORDER BY ts ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING)",
    f"count(*) OVER ({BY} ORDER BY ts RANGE INTERVAL 1 HOUR PRECEDING)",
    f"count(*) OVER ({BY} ORDER BY ts RANGE INTERVAL 1 DAY PRECEDING)",
    f"count(ts) OVER ({BY} ORDER BY ts)",
    f"sum(cell_id) OVER ({BY} ORDER BY ts)",
)
COUNTED = "SELECT COUNT(*) FROM (SELECT {} AS w FROM events{}) WHERE w = 1"
SAME = (
    (
        f"SELECT COUNT(*) FROM (SELECT {VARIANTS[1]} AS w FROM events) WHERE w = 1",
        f"SELECT COUNT(*) FROM (SELECT row_number() OVER v AS x FROM events WINDOW u AS ({BY}), v AS (u ORDER BY ts)) WHERE 1 = x",
        f"SELECT COUNT(*) FROM (SELECT * FROM events AS e QUALIFY ROW_NUMBER() OVER ({BY} ORDER BY e.ts) = 1)",
    ),
)
Rows = Callable[[str], BoundQuery]


@pytest.fixture
def canonical(catalog: Catalog) -> Callable[[str], str]:
    return lambda sql: compile_query(sql, catalog).plans[0].canonical_text


def test_different_window_calls_have_different_canonical_texts(canonical: Callable[[str], str]) -> None:
    asked = [COUNTED.format(call, where) for call in VARIANTS for where in ("", " WHERE cell_id > 1")]
    asked += [f"SELECT COUNT(*) FROM (SELECT {VARIANTS[1]} AS w, cell_id FROM events) WHERE w = 1 AND cell_id > 1"]
    assert len({canonical(sql) for sql in asked}) == len(asked)


@pytest.mark.parametrize("ways", SAME)
def test_equivalent_window_calls_have_one_canonical_text(
    ways: tuple[str, ...], canonical: Callable[[str], str]
) -> None:
    assert len({canonical(sql) for sql in ways}) == 1


def _field(rows_of: Rows, call: str) -> Field:
    return rows_of(f"SELECT subscriber_id, {call} AS w FROM events e JOIN cells c USING (cell_id)").columns[1][1]


# call -> whether it may be NULL, its ends, whether all rows of a person have one
KNOWN = {
    f"row_number() OVER ({BY} ORDER BY ts)": (False, (1, 10_000), False),
    f"ntile(4) OVER ({BY} ORDER BY ts)": (False, (1, 4), False),
    f"cume_dist() OVER ({BY} ORDER BY ts)": (False, (0, 1), False),
    f"count(*) OVER ({BY})": (False, (0, 10_000), True),
    f"count(*) OVER ({BY}, cell_id)": (False, (0, 10_000), False),
    f"count(*) OVER ({BY} ORDER BY ts)": (False, (0, 10_000), False),
    f"count(*) OVER ({BY} ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)": (
        False,
        (0, 10_000),
        True,
    ),
    f"max(dwell_s) OVER ({BY})": (True, (0, 7200), True),
    f"lag(dwell_s, 1, -1) OVER ({BY} ORDER BY ts)": (True, (-1, 7200), False),
    f"lag(hour(ts), 1, 30) OVER ({BY} ORDER BY ts)": (True, (0, 30), False),
    f"last_value(dwell_s) OVER ({BY} ORDER BY ts)": (True, (0, 7200), False),
    f"sum(dwell_s) OVER ({BY})": (True, (0, 72_000_000), True),
}


@pytest.mark.parametrize("call", KNOWN)
def test_properties_of_a_window_value(call: str, rows_of: Rows) -> None:
    made = _field(rows_of, call)
    nullable, (lower, upper), of_person = KNOWN[call]
    assert (made.nullable, made.is_constant_per_person) == (nullable, of_person)
    assert made.bounds == Bounds(lower, upper)


def test_a_default_joins_the_list_of_a_declared_column(rows_of: Rows) -> None:
    selected = rows_of(
        "SELECT subscriber_id, lag(gender, 1, 'x') OVER (PARTITION BY subscriber_id) AS w FROM subscribers"
    )
    domain = selected.columns[1][1].domain
    assert isinstance(domain, ValueList) and set(domain.values) == {"f", "m", "x"}


def test_values_of_another_row_have_the_list_of_their_column_alone(rows_of: Rows) -> None:
    made = _field(rows_of, f"lag(c.zone) OVER ({BY} ORDER BY ts)")
    assert made.public_values is not None and len(made.public_values.fields) == 1


def _operators(relation: Relation, kind: type) -> int:
    return sum(isinstance(each.operator, kind) for each in walk(relation))


TWICE = f"SELECT *, sum(w) OVER ({BY} ORDER BY ts) AS v FROM (SELECT *, {VARIANTS[1]} AS w FROM events) WHERE w > 1"


def test_row_truncation_happens_once_and_before_the_first_window_function(rows_of: Rows) -> None:
    relation = rows_of(TWICE).relation
    assert (_operators(relation, Window), _operators(relation, RowTruncation)) == (2, 1)
    one_row = rows_of("SELECT subscriber_id, count(*) OVER (PARTITION BY subscriber_id) AS n FROM subscribers").relation
    assert (_operators(one_row, Window), _operators(one_row, RowTruncation)) == (1, 0)


def test_the_row_count_bound_uses_the_truncated_rows(rows_of: Rows) -> None:
    relation = rows_of(TWICE).relation
    assert isinstance(relation, PerPerson)
    assert Properties(lambda *_: 1).of(row_bounds, relation).peak == relation.max_rows


def _windows(rows_of: Rows, target: Target, calls: str) -> str:
    """Write the windows alone, without the numbers that the cut below them gives."""
    selected = rows_of(f"SELECT subscriber_id, {calls} FROM events")
    text = write_rows(selected.relation, [f for _, f in selected.columns], target)
    return text[: text.index("units_over_limit")]


ENDS = "row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS v, row_number() OVER ({} ORDER BY {}) AS w"


def test_only_windows_of_several_orders_number_rows(rows_of: Rows, target: Target) -> None:
    calls = {VARIANTS[1]: False, VARIANTS[5]: False, VARIANTS[15]: False, VARIANTS[11]: True}
    calls |= {ENDS.format(BY, "ts"): False, ENDS.format(BY, "ts DESC"): True, ENDS.format(f"{BY}, lat", "ts"): True}
    for written, numbered in calls.items():
        assert (
            " AS row_rank" in _windows(rows_of, target, f"{written} AS x" if " AS " not in written else written)
        ) is numbered


def test_tie_breaking_columns_end_with_the_columns_that_are_read(rows_of: Rows, target: Target) -> None:
    """Of a row's other columns none is read: two rows that agree in these may change their places."""
    text = _windows(rows_of, target, f"lag(ts) OVER ({BY} ORDER BY ts) AS w, cell_id")
    assert "ORDER BY c1 ASC NULLS LAST, c2_hash, c2)" in text and "c3" not in text


ONE_ORDER = f"lag(cell_id) OVER ({BY} ORDER BY hour(ts)) AS a, lead(ts) OVER ({BY} ORDER BY hour(ts)) AS b"


def test_calls_of_one_order_are_sorted_once(rows_of: Rows, target: Target, database: duckdb.DuckDBPyConnection) -> None:
    """Else ties could be ordered differently for each call, and values of different rows paired."""
    selected = rows_of(
        f"SELECT subscriber_id, {ONE_ORDER}, count(*) OVER ({BY} ORDER BY cell_id ROWS 1 PRECEDING) AS n FROM events"
    )
    assert " AS row_rank" in write_rows(selected.relation, [f for _, f in selected.columns], target)
    selected = rows_of(f"SELECT subscriber_id, {ONE_ORDER} FROM events")
    text = write_rows(selected.relation, [f for _, f in selected.columns], target)
    (_, found), *_ = database.execute(
        f"EXPLAIN (FORMAT JSON) SELECT * FROM ({text[: text.index('FROM (WITH')]} FROM (SELECT 1 AS c0, TIMESTAMP '2026-01-01' AS c1, 1 AS c2) AS h) AS w) AS t"
    ).fetchall()
    assert found.count('"WINDOW"') == 1


@pytest.mark.parametrize("call", VARIANTS)
def test_no_window_call_is_longer_than_its_predicted_size(call: str, rows_of: Rows, target: Target) -> None:
    relation = rows_of(
        f"SELECT subscriber_id, {call} AS w, lag(lat) OVER ({BY} ORDER BY lon + cell_id) AS v FROM events"
    ).relation
    assert len(write_rows(relation, relation.fields, target)) <= work_bounds._relation_sql_size(relation, DUCKDB)
