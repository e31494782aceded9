"""Bind queries: syntax tree -> typed relations, each Public, PerPerson or Released.

WHERE filters rows; its predicates with subqueries are bound in `dialect.binder.subqueries`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra.expressions import Ref
from dialect.algebra.relations import Relation
from dialect.binder.from_clause import from_clause, renamed
from dialect.binder.scalars import condition
from dialect.binder.scope import Column, RowNames, Scope, anded
from dialect.binder.select_list import (
    Place,
    grouped,
    is_grouped,
    order_keys,
    rowwise,
    select_items,
    sliced,
    where_aliases,
)
from dialect.binder.subqueries import Outer, ScalarSubqueries, as_test, chosen
from dialect.binder.table_functions import SOURCE, TableCall, derived_columns, derived_query, sightings
from dialect.errors import Code, Refusal, suggested
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import question_with, span_of
from dialect.stability.calls import call
from dialect.stability.joins import unmet
from dialect.stability.row_operators import keep
from dialect.stability.set_operations import Queried, set_operation


def where_clause(tree: exp.Select, outer: Outer) -> Relation:
    """Apply WHERE; IN and EXISTS with subqueries between its top-level ANDs become semi-joins."""
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
    """Filter a relation by conditions, joined with the scalar subqueries that they read."""
    values = ScalarSubqueries(outer.reading, outer.queries, outer.scope)
    typed = [condition(part, RowNames(outer.scope, dict(outer.aliases), values)) for part in parts]
    test = typed[0] if len(typed) == 1 else call("and", typed, clause)
    return keep(values.joined(unmet(relation, test, clause)), test, clause)


MAX_LEVELS = 24  # nested queries; a CTE counts where it is used


@dataclass(frozen=True)
class Selected:
    """A bound query: its relation and its visible columns, in order; other fields can't be named."""

    relation: Relation
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Environment:
    """CTEs in scope of a query. A CTE is bound at each use, so that every use has its own fields."""

    queries: Mapping[str, tuple[exp.Expr, Environment]] = field(default_factory=dict)
    level: int = 0
    given: Mapping[str, Selected] = field(default_factory=dict)  # relations that are bound already
    used: set[str] = field(default_factory=set, compare=False)

    def read(self, name: str, reading: Reading, node: exp.Expr) -> Selected | None:
        """Bind the CTE of this name; None where there is none."""
        if name in self.given:
            return self.given[name]
        if name not in self.queries:
            return None
        self.used.add(name)
        cte, outer = self.queries[name]
        selected = kinds(cte.this, reading, self.below(node, outer))
        return Selected(selected.relation, renamed(selected.columns, cte))

    def subquery(self, tree: exp.Expr, reading: Reading) -> Selected:
        """Bind a derived table."""
        return kinds(tree, reading, self.below(tree, self))

    def over(self, relation: Relation, columns: tuple[Column, ...], call: TableCall, reading: Reading) -> Selected:
        """Bind the query that a table function expands to, over bound rows."""
        seen = sightings(relation, columns, reading.catalog, call.node)
        given = {SOURCE: Selected(relation, columns)}
        inner = Environment(level=self.below(call.node, self).level, given=given)
        try:
            made = kinds(derived_query(call, seen), reading, inner)
        except Refusal as refused:  # its span is in generated text
            raise replace(refused, span=span_of(call.node), rewrites=()) from None
        return Selected(*derived_columns(made.relation, made.columns, seen.table))

    def below(self, node: exp.Expr, scope: Environment) -> Environment:
        """Environment of a nested query, with the CTEs of `scope`; raises Refusal beyond the nesting limit."""
        if self.level >= MAX_LEVELS:
            why = f"More than {MAX_LEVELS} queries stand inside each other."
            raise refusal(Code.COMPLEX, why, "join the tables in one query", node)
        return Environment(scope.queries, self.level + 1, scope.given, scope.used)


def kinds(tree: exp.Expr, reading: Reading, environment: Environment | None = None) -> Selected:
    """Bind a query; raises Refusal where an operator is not supported."""
    outer = environment or Environment()
    inner = _with_ctes(tree, outer)
    selected = _query(tree, reading, inner)
    for name, query in inner.queries.items():
        if query is not outer.queries.get(name) and name not in inner.used:
            inner.read(name, reading, tree)  # unused CTEs are checked too
    return selected


def _query(tree: exp.Expr, reading: Reading, environment: Environment) -> Selected:
    """Bind a SELECT, a set operation or a parenthesized query."""
    if isinstance(tree, exp.Subquery):
        only(tree, "this", "with_", "alias")
        return kinds(tree.this, reading, environment)
    if isinstance(tree, exp.Select):
        return _select(tree, reading, environment)
    if isinstance(tree, exp.SetOperation):
        return _set_operation(tree, reading, environment)
    raise refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", tree)


def _set_operation(tree: exp.SetOperation, reading: Reading, environment: Environment) -> Selected:
    """Bind UNION, INTERSECT or EXCEPT, with ORDER BY and LIMIT of the result."""
    left, right = (kinds(side, reading, environment) for side in (tree.this, tree.expression))
    relation, columns = set_operation(
        tree, Queried(left.relation, left.columns), Queried(right.relation, right.columns), reading
    )
    exprs = [Ref(f) for _, f in columns]
    shown = dict(zip((name for name, _ in columns), exprs, strict=True))
    order = order_keys(tree, shown, exprs, RowNames(Scope((("", columns),))))
    return Selected(sliced(tree, relation, order), columns)


def _with_ctes(tree: exp.Expr, environment: Environment) -> Environment:
    """Environment extended by the CTEs of a WITH clause."""
    clause = tree.args.get("with_")
    if clause is None:
        return environment
    if clause.args.get("recursive"):
        raise _recursive(clause)
    only(clause, "expressions")
    here: set[str] = set()
    used: set[str] = set()
    for cte in clause.expressions:
        only(cte, "this", "alias", "materialized")
        name = cte.alias.lower()
        if name in here:
            raise refusal(Code.STMT, f"{name[:40]} stands twice in WITH.", "give each subquery its own name", cte)
        here.add(name)
        queries = {**environment.queries, name: (cte, environment)}
        environment = Environment(queries, environment.level, environment.given, used)
    return environment


def _recursive(clause: exp.Expr) -> Refusal:
    """Refuse recursion; suggest WITH without RECURSIVE where no CTE refers to itself."""
    refers = [
        cte.alias
        for cte in clause.expressions
        if any(table.name.lower() == cte.alias.lower() for table in cte.this.find_all(exp.Table))
    ]
    why = "Recursion is not in the dialect."
    if refers:
        why = f"Recursion is not in the dialect, and {refers[0][:40]} names itself."
        return refusal(Code.STMT, why, f"{_LISTED_IN_PLACE}, or a JOIN for each step", clause)

    def plain(copied: exp.Expr) -> None:
        copied.set("recursive", False)

    written = question_with(clause, plain)
    refused = refusal(Code.STMT, why, "WITH without RECURSIVE", clause)
    return replace(refused, rewrites=suggested(() if written is None else (written,)))


_LISTED_IN_PLACE = "range(24) or generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) in FROM"
_CLAUSES = (
    "with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "windows", "qualify", "order",
    "limit", "offset",
)  # fmt: skip


def _select(tree: exp.Select, reading: Reading, environment: Environment) -> Selected:
    """Bind a SELECT, clause by clause."""
    if tree.args.get("sample"):
        raise refusal(Code.SAMPLE, "Samples are not in the dialect.", "leave SAMPLE out", tree.args["sample"])
    only(tree, *_CLAUSES)
    source, scope = from_clause(tree, reading, environment)
    source = where_clause(tree, Outer(source, scope, reading, environment, where_aliases(tree, scope)))
    items = select_items(tree, scope, environment.level == 0)
    place = Place(source, scope, environment.level == 0, reading, environment)
    return Selected(*(grouped(tree, items, place) if is_grouped(tree, items) else rowwise(tree, items, place)))
