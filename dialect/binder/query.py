"""Bind queries: syntax tree -> typed relations, each Public, PerPerson or Released.

WHERE filters rows; its predicates with subqueries are bound in `dialect.binder.subqueries`.

Terms:

    resolver       what names mean in one clause: columns, select aliases, subqueries, windows
    outer rows     the rows of FROM that WHERE filters; a subquery in it may read their columns (is correlated)
    environment    the CTEs that a query can name, and its nesting depth; the outermost query has depth 0
    NamedField     (lower-case name, field)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra.expressions import Ref
from dialect.algebra.relations import BoundQuery, Relation
from dialect.binder.from_clause import bind_from, rename_columns
from dialect.binder.scalars import bind_condition
from dialect.binder.scope import NamedField, RowResolver, Scope, split_conjuncts
from dialect.binder.select_list import (
    SelectInput,
    apply_order_and_limit,
    bind_grouped,
    bind_order_by,
    bind_ungrouped,
    bind_where_aliases,
    expand_select_items,
    is_grouped,
)
from dialect.binder.subqueries import OuterRows, ScalarSubqueries, apply_semi_join, as_subquery_predicate
from dialect.binder.table_functions import (
    SOURCE_NAME,
    TableFunctionCall,
    attach_movement_columns,
    build_sightings,
    expand_table_function,
)
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, to_suggestions
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.released_conditions import with_condition_after_grouping
from dialect.parser.spans import span_of, with_tree_changed
from dialect.stability.joins import rewrite_as_anti_join
from dialect.stability.row_operators import filter_rows
from dialect.stability.set_operations import build_set_operation
from dialect.stability.typed_calls import apply_function


def apply_where(tree: exp.Select, outer: OuterRows) -> Relation:
    """Apply WHERE; IN and EXISTS with subqueries between its top-level ANDs become semi-joins.

    The other conditions filter first. `tests` are pairs (IN or EXISTS node, is it negated).
    """
    clause = tree.args.get("where")
    if clause is None:
        return outer.relation
    tests = [test for test in map(as_subquery_predicate, split_conjuncts(clause.this)) if test is not None]
    if not tests:
        return _filtered(outer.relation, [clause.this], outer, clause)
    plain = [part for part in split_conjuncts(clause.this) if as_subquery_predicate(part) is None]
    relation = outer.relation
    if plain:
        relation = _filtered(relation, plain, outer, clause)
    for node, negated in tests:
        relation = apply_semi_join(relation, node, negated, outer)
    return relation


def _filtered(relation: Relation, parts: Sequence[exp.Expr], outer: OuterRows, clause: exp.Expr) -> Relation:
    """Filter a relation by conditions, joined with the scalar subqueries that they read.

    Binding collects the subqueries, so they are joined after it. A test for NULL of a LEFT JOIN's right side makes the
    LEFT JOIN an anti join first, while it is still the topmost operator.
    """
    values = ScalarSubqueries(outer.context, outer.queries, outer.scope)
    typed = [bind_condition(part, RowResolver(outer.scope, dict(outer.aliases), values)) for part in parts]
    test = typed[0] if len(typed) == 1 else apply_function("and", typed, clause)
    joined = values.join_to(rewrite_as_anti_join(relation, test, clause))
    return filter_rows(joined, test, outer.context.properties, clause)


MAX_QUERY_DEPTH = 24  # nested queries; a CTE counts where it is used


@dataclass(frozen=True)
class CteEnvironment:
    """CTEs in scope of a query. A CTE is bound at each use, so that every use has its own fields.

    `ctes`: name -> (its node, the environment in which it was defined: it sees only the CTEs before it).
    """

    ctes: Mapping[str, tuple[exp.Expr, CteEnvironment]] = field(default_factory=dict)
    depth: int = 0
    bound_queries: Mapping[str, BoundQuery] = field(default_factory=dict)  # relations that are bound already
    used_ctes: set[str] = field(default_factory=set, compare=False)

    def bind_cte(self, name: str, context: CompileContext, node: exp.Expr) -> BoundQuery | None:
        """Bind the CTE of this name; None where there is none. `node` is the table in FROM that names it."""
        if name in self.bound_queries:
            return self.bound_queries[name]
        if name not in self.ctes:
            return None
        self.used_ctes.add(name)
        cte, outer = self.ctes[name]
        selected = bind_query(cte.this, context, self.nested(node, outer))
        return replace(selected, columns=rename_columns(selected.columns, cte))

    def bind_subquery(self, tree: exp.Expr, context: CompileContext) -> BoundQuery:
        """Bind a subquery of FROM to a relation whose rows have an alias."""
        return bind_query(tree, context, self.nested(tree, self))

    def bind_table_function(
        self, relation: Relation, columns: tuple[NamedField, ...], call: TableFunctionCall, context: CompileContext
    ) -> BoundQuery:
        """Bind the query that a table function expands to, over bound rows.

        The function is generated SQL over a table named `SOURCE_NAME`, which is known here as a query that is bound
        already. Refusals inside it point at the call, as the analyst has not written the generated text.
        """
        seen_rows = build_sightings(relation, columns, context.catalog, call.node)
        bound_queries = {SOURCE_NAME: BoundQuery(relation, columns)}
        inner = CteEnvironment(depth=self.nested(call.node, self).depth, bound_queries=bound_queries)
        try:
            bound = bind_query(expand_table_function(call, seen_rows), context, inner)
        except Refusal as refused:  # its span is in generated text
            raise replace(refused, span=span_of(call.node), rewrites=()) from None
        return attach_movement_columns(bound, seen_rows.table)

    def nested(self, node: exp.Expr, scope: CteEnvironment) -> CteEnvironment:
        """Environment of a nested query, with the CTEs of `scope`; raises Refusal beyond the nesting limit.

        The depth is counted from where the query is used (`self`), the CTEs are those visible where it is written
        (`scope`).
        """
        if self.depth >= MAX_QUERY_DEPTH:
            raise refusal(Kind.TOO_MANY_NESTED_QUERIES, node, limit=MAX_QUERY_DEPTH)
        return CteEnvironment(scope.ctes, self.depth + 1, scope.bound_queries, scope.used_ctes)


def bind_query(tree: exp.Expr, context: CompileContext, environment: CteEnvironment | None = None) -> BoundQuery:
    """Bind a query; raises Refusal where an operator is not supported.

    CTEs of its WITH that nothing has used are bound too, so that their mistakes are refused.
    """
    outer = environment or CteEnvironment()
    inner = _with_ctes(tree, outer)
    bound = _bind_query_node(tree, context, inner)
    for name, query in inner.ctes.items():
        if query is not outer.ctes.get(name) and name not in inner.used_ctes:
            inner.bind_cte(name, context, tree)  # unused CTEs are checked too
    return bound


def _bind_query_node(tree: exp.Expr, context: CompileContext, environment: CteEnvironment) -> BoundQuery:
    """Bind a SELECT, a set operation or a parenthesized query."""
    if isinstance(tree, exp.Subquery):
        check_parts(tree, "this", "with_", "alias")
        return bind_query(tree.this, context, environment)
    if isinstance(tree, exp.Select):
        return _bind_select(tree, context, environment)
    if isinstance(tree, exp.SetOperation):
        return _bind_set_operation(tree, context, environment)
    raise refusal(Kind.PIVOT_STATEMENT if isinstance(tree, exp.Pivot) else Kind.NOT_A_SELECT, tree)


def _bind_set_operation(tree: exp.SetOperation, context: CompileContext, environment: CteEnvironment) -> BoundQuery:
    """Bind UNION, INTERSECT or EXCEPT, with ORDER BY and LIMIT of the result.

    Its ORDER BY sees the output columns only, without a table name.
    """
    left, right = (bind_query(side, context, environment) for side in (tree.this, tree.expression))
    combined = build_set_operation(tree, left, right, context)
    shown = {name: Ref(f) for name, f in combined.columns}
    exprs = [Ref(f) for _, f in combined.columns]
    order = bind_order_by(tree, shown, exprs, RowResolver(Scope((("", combined.columns),))))
    return replace(combined, relation=apply_order_and_limit(tree, combined.relation, order))


def _with_ctes(tree: exp.Expr, environment: CteEnvironment) -> CteEnvironment:
    """Environment extended by the CTEs of a WITH clause, in order: each sees those before it.

    All of them share one set of used names, by which unused CTEs are found.
    """
    clause = tree.args.get("with_")
    if clause is None:
        return environment
    if clause.args.get("recursive"):
        raise _recursion_refusal(clause)
    check_parts(clause, "expressions")
    cte_names: set[str] = set()
    used_ctes: set[str] = set()
    for cte in clause.expressions:
        check_parts(cte, "this", "alias", "materialized")
        name = cte.alias.lower()
        if name in cte_names:
            raise refusal(Kind.CTE_TWICE, cte, name=name[:40])
        cte_names.add(name)
        queries = {**environment.ctes, name: (cte, environment)}
        environment = CteEnvironment(queries, environment.depth, environment.bound_queries, used_ctes)
    return environment


def _recursion_refusal(clause: exp.Expr) -> Refusal:
    """Refuse recursion; suggest WITH without RECURSIVE where no CTE refers to itself.

    For those that do, the hint is a series in FROM, which most recursions are written for.
    """
    refers = [
        cte.alias
        for cte in clause.expressions
        if any(table.name.lower() == cte.alias.lower() for table in cte.this.find_all(exp.Table))
    ]
    if refers:
        return refusal(Kind.RECURSION_BY_NAME, clause, name=refers[0][:40])

    def drop_recursive(copied: exp.Expr) -> None:
        """Remove RECURSIVE from the WITH clause."""
        copied.set("recursive", False)

    rewrites = to_suggestions(with_tree_changed(clause, drop_recursive))
    return replace(refusal(Kind.RECURSION, clause), rewrites=rewrites)


_SELECT_CLAUSES = (
    "with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "windows", "qualify", "order",
    "limit", "offset",
)  # fmt: skip


_BY_RELEASED = (Kind.JOIN_WITH_RELEASED, Kind.ROWS_BY_RELEASED_NUMBERS)


def _bind_select(tree: exp.Select, context: CompileContext, environment: CteEnvironment) -> BoundQuery:
    """Bind a SELECT; one whose rows released numbers would choose is bound with groups chosen in their place.

    The number of fields limits how often that is tried (`CompileContext.new_field_ids`).
    """
    try:
        return _bind_clauses(tree, context, environment)
    except Refusal as refused:
        changed = with_condition_after_grouping(tree, refused.span) if refused.kind in _BY_RELEASED else None
        if changed is None:
            raise
        return _bind_select(changed, context, environment)


def _bind_clauses(tree: exp.Select, context: CompileContext, environment: CteEnvironment) -> BoundQuery:
    """Bind a SELECT, clause by clause: FROM, WHERE, then the select list over rows or over groups.

    In the outermost query (depth 0), * leaves polygons out, and DISTINCT over private rows may be a release.
    """
    if tree.args.get("sample"):
        raise refusal(Kind.SELECT_SAMPLE, tree.args["sample"])
    check_parts(tree, *_SELECT_CLAUSES)
    source, scope = bind_from(tree, context, environment)
    source = apply_where(tree, OuterRows(source, scope, context, environment, bind_where_aliases(tree, scope)))
    items = expand_select_items(tree, scope, environment.depth == 0)
    select_input = SelectInput(source, scope, environment.depth == 0, context, environment)
    bind = bind_grouped if is_grouped(tree, items) else bind_ungrouped
    return bind(tree, items, select_input)
