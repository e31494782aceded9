"""A subquery's own conditions choose its rows; what reads the row around it is kept for pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlglot import exp, parse_one

from dialect.algebra.expressions import Ref, conjuncts
from dialect.algebra.relations import Filter
from dialect.binder.query import Selected
from dialect.binder.scalars import condition
from dialect.binder.scope import RowNames, Scope
from dialect.binder.subqueries import before_in, own_rows, reaches_out, within

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
def test_a_query_reaches_out_by_the_names_around_it(sql: str, out: bool) -> None:
    assert reaches_out(parse_one(sql, dialect="duckdb"), AROUND) is out


def test_what_stands_before_in() -> None:
    for sql, names in (("a IN (SELECT 1)", ["a"]), ("(a, b) IN (SELECT 1, 2)", ["a", "b"])):
        assert [part.name for part in before_in(parse_one(sql, dialect="duckdb"))] == names


def test_conditions_are_split_by_whose_columns_they_read(rows_of: Callable[[str], Selected]) -> None:
    inner, outer = rows_of("SELECT h FROM hours"), rows_of("SELECT age FROM subscribers")
    names = RowNames(Scope((("i", inner.columns), ("o", outer.columns))))
    # ids of two readings may be equal, so that the outer column is looked for by name
    own = conjuncts(condition(parse_one("i.h > 3", dialect="duckdb"), names))
    made, pairs = own_rows(inner.relation, own, exp.true())
    assert isinstance(made.operator, Filter) and pairs == ()
    (column,) = (field for _, field in inner.columns)
    assert within(Ref(column), inner.relation.fields) and not within(Ref(column), ())
    kept, left = own_rows(inner.relation, [], exp.true())
    assert kept is inner.relation and left == ()
