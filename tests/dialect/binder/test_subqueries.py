"""A subquery's own conditions choose its rows; what reads the row around it is kept for pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlglot import exp, parse_one

from dialect.algebra.expressions import Ref, conjuncts
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, Filter
from dialect.binder.scalars import bind_condition
from dialect.binder.scope import RowResolver, Scope
from dialect.binder.subqueries import apply_own_conditions, is_correlated, left_of_in, reads_only

AROUND = Scope((("s", ()), ("z", ())))


@pytest.mark.parametrize(
    ("sql", "out"),
    [
        ("SELECT 1 FROM e WHERE e.a = s.a", True),
        ("SELECT 1 FROM e WHERE a = 3", False),
        ("SELECT s.a FROM events s", False),  # its own table hides the one around it
        ("SELECT 1 FROM (SELECT * FROM e) s WHERE s.a = 1", False),
        ("SELECT 1 FROM e WHERE a IN (SELECT b FROM f WHERE f.c = Z.c)", True),
        ("SELECT 1 FROM e WHERE other.a = 1", False),
    ],
)
def test_a_subquery_resolves_outer_names(sql: str, out: bool) -> None:
    assert is_correlated(parse_one(sql, dialect="duckdb"), AROUND) is out


def test_the_left_operands_of_in_are_listed() -> None:
    for sql, names in (("a IN (SELECT 1)", ["a"]), ("(a, b) IN (SELECT 1, 2)", ["a", "b"])):
        assert [part.name for part in left_of_in(parse_one(sql, dialect="duckdb"))] == names


def test_conditions_are_split_into_inner_and_correlated_ones(rows_of: Callable[[str], BoundQuery]) -> None:
    inner, outer = rows_of("SELECT h FROM hours"), rows_of("SELECT age FROM subscribers")
    names = RowResolver(Scope((("i", inner.columns), ("o", outer.columns))))
    # ids of two readings may be equal, so that the outer column is looked for by name
    own = conjuncts(bind_condition(parse_one("i.h > 3", dialect="duckdb"), names))
    made, pairs = apply_own_conditions(inner.relation, own, Properties(), exp.true())
    assert isinstance(made.operator, Filter) and pairs == ()
    (column,) = (field for _, field in inner.columns)
    assert reads_only(Ref(column), inner.relation.fields) and not reads_only(Ref(column), ())
    kept, left = apply_own_conditions(inner.relation, [], Properties(), exp.true())
    assert kept is inner.relation and left == ()
