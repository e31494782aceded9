"""Traversal of a relation: expressions visited once, relations in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass

import pytest

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref
from dialect.algebra.relations import Scan
from dialect.algebra.traversal import walk_expressions, walk_relations
from dialect.binder.query import BoundQuery
from dialect.catalog.model import Table

SHARED = (
    "SELECT hour(ts) AS h, dwell_s FROM events WHERE dwell_s BETWEEN 10 AND 60 AND hour(ts) < 12",
    "SELECT a.dwell_s FROM events a JOIN events b USING (subscriber_id) WHERE a.dwell_s > 5 AND hour(a.ts) = hour(b.ts)",
    "WITH q AS (SELECT * FROM events WHERE dwell_s > 5) SELECT q.dwell_s FROM q WHERE hour(q.ts) IN (1, 2) AND q.dwell_s < 60",
)


def every(part: object) -> Iterator[Expr]:
    """Walk them as often as they are met."""
    if isinstance(part, Ref | Call | Case | Literal):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from every(each)
    elif is_dataclass(part) and not isinstance(part, Field | Table):
        yield from every(tuple(vars(part).values()))


@pytest.mark.parametrize("sql", SHARED)
def test_a_shared_expression_is_visited_once(sql: str, rows_of: Callable[[str], BoundQuery]) -> None:
    relation = rows_of(sql).relation
    met = [id(expr) for expr in every(relation)]
    assert len(met) > len(set(met)), "some are shared"
    assert [id(expr) for expr in walk_expressions(relation)] == list(dict.fromkeys(met))


def test_traversal_is_preorder_with_the_left_input_first(rows_of: Callable[[str], BoundQuery]) -> None:
    relation = rows_of("SELECT a.dwell_s FROM events a JOIN subscribers s USING (subscriber_id)").relation
    met = list(walk_relations(relation))
    assert met[0] is relation
    scans = [each.operator for each in met if isinstance(each.operator, Scan)]
    assert [scan.table.name for scan in scans] == ["events", "subscribers"]
