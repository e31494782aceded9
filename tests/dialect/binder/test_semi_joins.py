"""IN and EXISTS become semi-joins: inner conditions filter the subquery, correlated ones join."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import conjuncts
from dialect.algebra.relations import BoundQuery, Filter, Relation, Scan, SemiJoin, tables_of
from dialect.errors import Refusal

EVENTS = "SELECT subscriber_id FROM events e WHERE {}"
MINE = "f.subscriber_id = e.subscriber_id"
READ = {  # test -> how many conditions on pairs, whether the subquery's rows are chosen among, whether it is anti
    f"EXISTS (FROM events f WHERE {MINE})": (1, False, False),
    f"NOT EXISTS (FROM events f WHERE {MINE} AND f.lat > 1)": (1, True, True),
    f"NOT (NOT EXISTS (FROM events f WHERE {MINE} AND f.ts > e.ts))": (2, False, False),
    "subscriber_id IN (SELECT subscriber_id FROM subscribers)": (1, False, False),
    "e.subscriber_id IN (SELECT f.subscriber_id FROM events f WHERE f.lat > 1 AND f.ts > e.ts)": (2, True, False),
    "(cell_id, 'north') IN (SELECT cell_id, zone FROM cells)": (2, False, False),
    "EXISTS (FROM cells c WHERE c.zone = 'north' AND c.lat > e.lat)": (1, True, False),
}


def semi_join(relation: Relation) -> SemiJoin:
    operator = relation.operator
    while not isinstance(operator, SemiJoin):
        operator = operator.source.operator
    return operator


@pytest.mark.parametrize(("test", "read"), READ.items())
def test_exists_and_in_become_semi_joins(
    test: str, read: tuple[int, bool, bool], rows_of: Callable[[str], BoundQuery]
) -> None:
    made = semi_join(rows_of(EVENTS.format(test)).relation)
    pairs, chosen, anti = read
    assert (len(conjuncts(made.condition)), isinstance(inner(made.right), Filter), made.is_anti) == (
        pairs,
        chosen,
        anti,
    )


def inner(relation: Relation) -> object:
    """Find what a subquery's rows are before its select list."""
    operator = relation.operator
    while not isinstance(operator, Scan | Filter):
        operator = operator.source.operator
    return operator


def test_a_nested_semi_join_filters_the_inner_rows(rows_of: Callable[[str], BoundQuery]) -> None:
    nested = f"EXISTS (FROM events f WHERE {MINE} AND f.cell_id IN (SELECT cell_id FROM cells WHERE zone = 'north'))"
    made = semi_join(rows_of(EVENTS.format(nested)).relation)
    assert tables_of(semi_join(made.right).left) == {"events"} and tables_of(semi_join(made.right).right) == {"cells"}
    assert len(conjuncts(made.condition)) == 1


def test_only_a_plain_subquery_names_the_row_around_it(rows_of: Callable[[str], BoundQuery]) -> None:
    grouped = f"EXISTS (SELECT f.cell_id FROM events f WHERE {MINE} GROUP BY 1 HAVING COUNT(*) > 1)"
    with pytest.raises(Refusal, match="Only a plain SELECT"):
        rows_of(EVENTS.format(grouped))
