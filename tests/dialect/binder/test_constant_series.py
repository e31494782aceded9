"""range, generate_series and unnest of constants are public lists, each no longer than may be written."""

from __future__ import annotations

import duckdb
import pytest

from dialect import Catalog, Code, Refusal, compile_query
from dialect.algebra.relations import Project, Public, Relation, Sort, Values
from dialect.binder.from_clause import MAX_LIST_VALUES


def _rows(sql: str, catalog: Catalog) -> list[object]:
    question = compile_query(sql, catalog)
    assert isinstance(question.outer, Public) and not question.plans
    relation: Relation = question.outer
    while isinstance(relation.operator, Project | Sort):
        relation = relation.operator.source
    assert isinstance(relation.operator, Values)
    return [value.value for (value,) in relation.operator.rows]


@pytest.mark.parametrize(
    "call",
    [
        "range(5)",
        "range(2, 9, 3)",
        "range(9, 2, -3)",
        "range(3, 1)",
        "generate_series(3)",
        "generate_series(2, 8, 3)",
        "generate_series(8, 2, -3)",
        "unnest([4, 2, NULL])",
        "unnest(['b', 'a'])",
        "unnest(generate_series(1, 3))",
        "generate_series(DATE '2026-01-29', DATE '2026-06-29', INTERVAL 1 MONTH)",
        "generate_series(DATE '2026-01-31', DATE '2025-06-29', INTERVAL (-1) MONTH)",
        "generate_series(DATE '2026-10-01', DATE '2026-10-09', '2 days')",
        "range(DATE '2026-10-01', TIMESTAMP '2026-10-02 12:00:00', INTERVAL 6 HOUR)",
    ],
)
def test_a_series_has_duckdbs_values(call: str, catalog: Catalog) -> None:
    with duckdb.connect() as connection:
        plain = [value for (value,) in connection.execute(f"SELECT * FROM {call}").fetchall()]
    ours = _rows(f"SELECT * FROM {call}", catalog)
    assert ours == [value if isinstance(value, int | str | None) else str(value) for value in plain]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT * FROM range(2)", ["range"]),
        ("SELECT * FROM generate_series(2) AS g", ["g"]),
        ("SELECT * FROM unnest([1]) AS t(x)", ["x"]),
        ("SELECT 2 * unnest(range(3)) AS twice, 7 AS seven", ["twice", "seven"]),
    ],
)
def test_it_is_called_as_duckdb_calls_it(sql: str, names: list[str], catalog: Catalog) -> None:
    assert [shown.name for shown in compile_query(sql, catalog).columns] == names


def test_the_longest_list_is_taken_and_no_longer_one(catalog: Catalog) -> None:
    assert len(_rows(f"SELECT * FROM range({MAX_LIST_VALUES})", catalog)) == MAX_LIST_VALUES
    with pytest.raises(Refusal) as refused:
        compile_query(f"SELECT * FROM range({MAX_LIST_VALUES + 1})", catalog)
    assert refused.value.code is Code.TABLE


def test_many_long_lists_are_too_much_text(catalog: Catalog) -> None:
    lists = " UNION ALL ".join([f"SELECT * FROM range({MAX_LIST_VALUES})"] * 12)
    with pytest.raises(Refusal) as refused:
        compile_query(lists, catalog)
    assert refused.value.code is Code.COMPLEX


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM range(1, 5, 0)",
        "SELECT * FROM range(NULL)",
        "SELECT * FROM range(DATE '2026-10-01', DATE '2026-10-05')",
        "SELECT * FROM generate_series(DATE '9990-01-01', DATE '9999-12-31', INTERVAL 1 YEAR)",
        "SELECT * FROM unnest([1, 2], [3, 4])",
        "SELECT * FROM unnest(['a', 1])",
        "SELECT * FROM generate_series(1, 1000000000000000000)",
        "SELECT COUNT(*) FROM events e, range(e.cell_id)",
        "SELECT unnest([cell_id]) FROM cells",
    ],
)
def test_a_series_of_non_constants_is_refused(sql: str, catalog: Catalog) -> None:
    with pytest.raises(Refusal):
        compile_query(sql, catalog)


def test_people_are_counted_by_a_list(catalog: Catalog) -> None:
    sql = "SELECT h, COUNT(e.subscriber_id) AS n FROM range(24) AS h LEFT JOIN events e ON hour(e.ts) = h GROUP BY h"
    (plan,) = compile_query(sql, catalog).plans
    assert plan.keys is not None
