"""A plain subquery -> the rows that its own conditions keep, and its conditions on the row around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, conjuncts, fields_of
from dialect.algebra.relations import Relation
from dialect.binder.names import Scope
from dialect.binder.nested_names import NestedNames
from dialect.binder.scalars import condition
from dialect.stability.calls import call
from dialect.stability.rules import keep


def reaches_out(tree: exp.Expr, scope: Scope) -> bool:
    """Tell whether a query names tables of the query around it."""
    around = {alias for alias, _ in scope.tables}
    inside = {part.alias_or_name.lower() for part in tree.find_all(exp.Table, exp.Subquery)}
    return any(column.table.lower() in around - inside for column in tree.find_all(exp.Column))


def before_in(node: exp.Expr) -> list[exp.Expr]:
    """List what stands before IN."""
    return list(node.this.expressions) if isinstance(node.this, exp.Tuple) else [node.this]


def conditions(parts: Iterable[exp.Expr], names: NestedNames) -> list[Expr]:
    """Type the conditions of a subquery, each by itself."""
    return [each for part in parts for each in conjuncts(condition(part, names))]


def own_rows(relation: Relation, typed: Sequence[Expr], node: exp.Expr) -> tuple[Relation, tuple[Expr, ...]]:
    """Let conditions that name the subquery alone choose its rows; what reads the row around it is of pairs of rows."""
    own = [each for each in typed if within(each, relation.fields)]
    if own:
        relation = keep(relation, own[0] if len(own) == 1 else call("and", own, node), node)
    return relation, tuple(each for each in typed if each not in own)


def within(expr: Expr, fields: Sequence[Field]) -> bool:
    """Tell whether an expression reads these fields alone."""
    return all(f in fields for f in fields_of(expr))
