"""A subquery inside an expression is joined once, gives one row at most, and of people's rows nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery, Join, Relation
from dialect.errors import Code, Refusal

Rows = Callable[[str], BoundQuery]


def joins(relation: Relation) -> list[Join]:
    own = [relation.operator] if isinstance(relation.operator, Join) else []
    return own + [join for source in relation.children for join in joins(source)]


def test_a_scalar_subquery_becomes_a_left_join_with_a_nullable_column(rows_of: Rows) -> None:
    made = rows_of("SELECT h + (SELECT MAX(h) FROM hours) AS x FROM hours")
    (join,) = joins(made.relation)
    assert join.kind == "left"
    assert dict(made.columns)["x"].nullable  # of no rows the value is NULL


def test_each_subquery_is_joined_where_it_is_read(rows_of: Rows) -> None:
    two = rows_of("SELECT (SELECT MAX(h) FROM hours) AS a, (SELECT MIN(h) FROM hours) AS b FROM hours")
    assert len(joins(two.relation)) == 2


@pytest.mark.parametrize(
    ("sql", "code", "why"),
    [
        ("SELECT (SELECT age FROM subscribers) AS x FROM hours", Code.SUBQUERY, "would be one person's"),
        ("SELECT (SELECT h FROM hours) AS x FROM hours", Code.SUBQUERY, "for certain no second row"),
        ("SELECT (SELECT MIN(h), MAX(h) FROM hours) AS x FROM hours", Code.SUBQUERY, "gives one column"),
        (
            "SELECT COUNT(*) FROM events WHERE cell_id > (SELECT COUNT(*) FROM events)",
            Code.SUBQUERY,
            "released in the same statement",
        ),
        ("SELECT h, h IN (SELECT h FROM hours) AS x FROM hours", None, ""),
        (
            "SELECT COUNT(*) AS n FROM hours HAVING COUNT(*) IN (SELECT h FROM hours)",
            Code.SUBQUERY,
            "not beside groups",
        ),
    ],
)
def test_values_of_many_rows_or_of_people_are_refused(sql: str, code: Code | None, why: str, rows_of: Rows) -> None:
    if code is None:
        assert joins(rows_of(sql).relation)
        return
    with pytest.raises(Refusal, match=why) as refused:
        rows_of(sql)
    assert refused.value.code is code


@pytest.mark.parametrize("value", ["(SELECT 1)", "(SELECT h FROM hours WHERE h = 3)", "(SELECT h FROM hours LIMIT 1)"])
def test_one_row_at_most_is_seen_from_the_text(value: str, rows_of: Rows) -> None:
    assert joins(rows_of(f"SELECT {value} AS x FROM hours").relation)
