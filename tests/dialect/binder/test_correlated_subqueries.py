"""A correlated subquery is joined to its outer row: as groups by the correlated columns, or as one row looked up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import conjuncts
from dialect.algebra.relations import BoundQuery, Group, Join, Relation
from dialect.errors import Refusal
from dialect.functions.emitter import plain_text

PEOPLE = "SELECT subscriber_id, {} AS v FROM subscribers s"
MINE = "FROM events e WHERE e.subscriber_id = s.subscriber_id"
GROUPED = {  # value -> by how many keys its groups are formed, what is shown
    f"(SELECT COUNT(*) {MINE})": (1, "coalesce(count_star(), 0)"),
    f"(SELECT AVG(e.lat) {MINE} AND e.lon > 1)": (1, "avg(lat)"),
    f"(SELECT SUM(e.dwell_s) {MINE} AND s.age = e.cell_id)": (2, "sum(dwell_s)"),
    f"EXISTS (SELECT 1 {MINE} AND e.lon > 1)": (1, "(coalesce(count_star(), 0) > 0)"),
    f"CASE WHEN s.age IN (SELECT e.cell_id {MINE} AND e.lon > 1) THEN 1 END": (2, "case ... end"),
}
REFUSED = {
    f"(SELECT COUNT(*) {MINE} AND e.lat > s.age)": "tied to the row around it by equalities alone",
    f"(SELECT e.lat {MINE})": "is an aggregate, or looks a row up by its primary key",
    f"(SELECT MIN(e.lat), MAX(e.lat) {MINE})": "selects one value",
    "(SELECT c.lon FROM cells c WHERE c.cell_id = s.age)": "looks a row up by its primary key",  # it has none
    "EXISTS (SELECT 1 FROM cells)": "the same for every row",
    f"s.age IN (SELECT e.cell_id {MINE})": "compares columns that are never NULL",  # NULL would be shown
    f"CASE WHEN NOT s.age IN (SELECT e.cell_id {MINE}) THEN 1 END": "compares columns that are never NULL",
    f"CASE s.age > 3 WHEN s.age IN (SELECT e.cell_id {MINE}) THEN 1 END": "compares columns that are never NULL",
    f"CASE WHEN s.age IN (SELECT s.age {MINE}) THEN 1 END": "values of the row around it",
    f"CASE WHEN s.age IN (SELECT 7 {MINE}) THEN 1 END": "or constants",
    f"CASE WHEN s.age IN (SELECT e.cell_id {MINE} UNION ALL SELECT 3) THEN 1 END": "Only a plain SELECT",
}


def joined(relation: Relation) -> Join:
    operator = relation.operator
    return operator if isinstance(operator, Join) else joined(relation.children[0])


@pytest.mark.parametrize("value", GROUPED)
def test_a_correlated_aggregate_is_decorrelated_to_a_grouped_join(
    value: str, rows_of: Callable[[str], BoundQuery]
) -> None:
    made = rows_of(PEOPLE.format(value))
    join = joined(made.relation)
    while not isinstance(group := join.right.operator, Group):
        join = Join(join.left, join.right.children[0], join.kind, join.condition)
    keys, shown = GROUPED[value]
    assert (join.kind, len(group.keys), len(conjuncts(join.condition))) == ("left", keys, keys)
    field = dict(made.columns)["v"]
    assert (field.name if field.definition is None else plain_text(field.definition)) == shown


def test_a_row_of_a_public_primary_key_is_looked_up(rows_of: Callable[[str], BoundQuery]) -> None:
    join = joined(rows_of(PEOPLE.format("(SELECT h FROM hours WHERE h = s.age AND h > 3)")).relation)
    assert join.kind == "left" and len(conjuncts(join.condition)) == 2


@pytest.mark.parametrize("value", REFUSED)
def test_a_subquery_that_may_match_several_rows_is_refused(value: str, rows_of: Callable[[str], BoundQuery]) -> None:
    with pytest.raises(Refusal, match=REFUSED[value]):
        rows_of(PEOPLE.format(value))
