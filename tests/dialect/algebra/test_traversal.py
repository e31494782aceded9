"""Traversal: expressions and relations in their order, each shared expression once, unchanged subtrees kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass

import pytest

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, map_fields, substitute
from dialect.algebra.relations import BoundQuery, Filter, Public, Relation, Scan, walk_expressions
from dialect.algebra.traversal import fold, map_children, map_parts, transform_down, walk
from dialect.catalog.model import SqlType, Table

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
    met = list(walk(relation))
    assert met[0] is relation
    scans = [each.operator for each in met if isinstance(each.operator, Scan)]
    assert [scan.table.name for scan in scans] == ["events", "subscribers"]


def test_an_unchanged_tree_is_the_same_object(rows_of: Callable[[str], BoundQuery]) -> None:
    for sql in SHARED:
        relation = rows_of(sql).relation
        assert transform_down(relation, lambda each: each) is relation
        assert map_parts(relation.operator, lambda part: part) is relation.operator
        for expr in walk_expressions(relation):
            assert transform_down(expr, lambda each: each) is expr
            assert map_fields(expr, lambda _: None) is expr
            assert substitute(expr, {}) is expr


def test_a_change_copies_the_path_to_it_and_nothing_else(rows_of: Callable[[str], BoundQuery]) -> None:
    relation = rows_of("SELECT a.dwell_s FROM events a JOIN cells c USING (cell_id) WHERE a.dwell_s > 5").relation
    public = next(each for each in walk(relation) if isinstance(each, Public))
    renamed = Public(public.operator, public.fields[:1])
    changed = transform_down(relation, lambda each: renamed if each is public else each)
    assert changed is not relation
    assert type(changed) is type(relation)
    before, after = list(walk(relation)), list(walk(changed))
    assert [one is other for one, other in zip(before, after, strict=True)].count(False) == sum(
        public in walk(each) for each in before
    )


def test_parents_are_transformed_before_their_children(rows_of: Callable[[str], BoundQuery]) -> None:
    relation, met = rows_of(SHARED[0]).relation, list[Relation]()
    transform_down(relation, lambda each: met.append(each) or each)
    assert met == list(walk(relation))


def test_a_fold_combines_the_values_of_children(rows_of: Callable[[str], BoundQuery]) -> None:
    expr = next(e for e in walk_expressions(rows_of(SHARED[0]).relation) if isinstance(e, Call))
    assert fold(expr, lambda _, sizes: 1 + sum(sizes)) == expr.size == len(list(walk(expr)))


def test_children_can_be_chosen(rows_of: Callable[[str], BoundQuery]) -> None:
    relation = rows_of(SHARED[1]).relation
    lefts = list(walk(relation, lambda each: each.children[:1]))
    assert len(lefts) < len(list(walk(relation)))
    assert isinstance(lefts[-1].operator, Scan)


def test_other_children_take_the_places_of_the_first_ones(rows_of: Callable[[str], BoundQuery]) -> None:
    relation = rows_of(SHARED[1]).relation
    join = next(each for each in walk(relation) if len(each.children) == 2)
    left, right = join.children
    assert join.with_children((right, left)).children == (right, left)
    case = Case(
        ((Literal(True, SqlType.BOOLEAN), Literal(1, SqlType.BIGINT)),), Literal(2, SqlType.BIGINT), SqlType.BIGINT
    )
    assert map_children(case, lambda part: part) is case
    assert case.with_children(case.children[::-1]).children == case.children[::-1]
    assert relation.with_columns(()) is relation
    assert isinstance(relation.with_filter(case).operator, Filter)
