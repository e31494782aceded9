"""WHERE -> the rows that meet its conditions; tests by subqueries between its ANDs are read in `subquery_tests`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dialect.algebra.relations import Relation
from dialect.binder.names import RowNames, anded
from dialect.binder.scalar_subqueries import ScalarSubqueries
from dialect.binder.scalars import condition
from dialect.binder.subquery_tests import Outer, as_test, chosen
from dialect.stability.calls import call
from dialect.stability.rules import keep
from dialect.stability.unmet import unmet


def where_clause(tree: exp.Select, outer: Outer) -> Relation:
    """Keep the rows that WHERE keeps; tests by subqueries between its top-level ANDs are semi-joins."""
    clause = tree.args.get("where")
    if clause is None:
        return outer.relation
    tests = [test for test in map(as_test, anded(clause.this)) if test is not None]
    if not tests:
        return _kept(outer.relation, [clause.this], outer, clause)
    plain = [part for part in anded(clause.this) if as_test(part) is None]
    relation = outer.relation
    if plain:
        relation = _kept(relation, plain, outer, clause)
    for node, negated in tests:
        relation = chosen(relation, node, negated, outer)
    return relation


def _kept(relation: Relation, parts: Sequence[exp.Expr], outer: Outer, clause: exp.Expr) -> Relation:
    values = ScalarSubqueries(outer.reading, outer.queries, outer.scope)
    typed = [condition(part, RowNames(outer.scope, dict(outer.aliases), values)) for part in parts]
    test = typed[0] if len(typed) == 1 else call("and", typed, clause)
    return keep(values.joined(unmet(relation, test, clause)), test, clause)
