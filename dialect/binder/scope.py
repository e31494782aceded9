"""Name resolution: the columns of the tables in FROM, with those of the outer row inside a subquery.

Terms:

    resolver         what names mean in one clause; it binds columns, and nodes that not every clause allows
    alias            name of a select item, which later clauses may read; a column of the same name takes precedence
    merged           USING (k) merges the k of both tables into one unqualified column
    row expression   expression over a single row: no aggregate, window function or subquery
    correlated       a subquery is, if it reads columns of the row around it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref
from dialect.binder.special_calls import bind_cell_call, is_cell_call
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import near_names
from dialect.errors import Refusal, Suggestion, to_suggestions
from dialect.functions.aggregates import AGGREGATE_NODES, UNTYPED_AGGREGATES
from dialect.functions.scalar.numbers import HIGH, LOW
from dialect.parser.compile_context import is_in_default_schema, refusal
from dialect.parser.spans import sql_text
from dialect.parser.suggestions.columns import explain_unknown_column
from dialect.parser.suggestions.window_functions import where_as_qualify
from dialect.stability.typed_calls import unknown_function

NamedField = tuple[str, Field]  # (lower-case name, field)


@dataclass(frozen=True)
class Scope:
    """The tables of one FROM clause with their visible columns, in order.

    `tables` are (alias, columns). The unqualified name of a USING column means the first table's field after an inner
    or LEFT JOIN; after RIGHT and FULL JOIN, where that may be NULL, `merged_fields` has another field for it.
    """

    tables: tuple[tuple[str, tuple[NamedField, ...]], ...] = ()  # (alias, its columns)
    using_names: tuple[str, ...] = ()  # column names joined by USING: unqualified, the first table's field is used
    merged_fields: tuple[NamedField, ...] = ()  # fields of such names after RIGHT and FULL JOIN

    def columns(self, table: str | None = None) -> list[NamedField]:
        """Columns that `*` or `table.*` expands to: (name, field); `*` shows a column merged by USING once."""
        shown: list[NamedField] = []
        for alias, columns in self.tables:
            if table is None or alias == table:
                visible_names = {name for name, _ in shown}
                shown += [
                    c for c in columns if table is not None or c[0] not in self.using_names or c[0] not in visible_names
                ]
        merged = dict(self.merged_fields) if table is None else {}
        return [(name, merged.get(name, f)) for name, f in shown]

    def with_merged_fields(self, columns: tuple[NamedField, ...]) -> Scope:
        """Return the scope with other fields for the columns that USING merges."""
        others = tuple(each for each in self.merged_fields if each[0] not in dict(columns))
        return replace(self, merged_fields=columns + others)

    def resolve(self, name: str, table: str | None, node: exp.Expr) -> Field:
        """Resolve a column name; raises Refusal with E_TABLE or E_COLUMN.

        A name in several tables is ambiguous, unless USING merges it or all of them mean the same field.
        """
        if table is not None and table not in {alias for alias, _ in self.tables}:
            aliases = ", ".join(alias for alias, _ in self.tables)
            name_text = _identifier_text(node, table, "table")
            raise refusal(Kind.TABLE_NOT_IN_FROM, node, name=name_text, tables=aliases)
        if table is None and name in (merged := dict(self.merged_fields)):
            return merged[name]
        found = [f for alias, columns in self.tables if table in (None, alias) for n, f in columns if n == name]
        if len(found) > 1 and name not in self.using_names and len(set(found)) > 1:
            candidates = [f"{alias}.{name}" for alias, columns in self.tables if name in {n for n, _ in columns}]
            raise refusal(
                Kind.AMBIGUOUS_COLUMN,
                node,
                *to_suggestions(candidates[:2], f"{name} of the first of them"),
                name=name,
                candidates=" or ".join(candidates[:2]),
            )
        if not found:
            raise explain_unknown_column(self._unknown_column_refusal(name, table, node), node)
        return found[0]

    def qualified_name(self, field: Field) -> str:
        """Qualified name of a field, or its own name where it is not visible."""
        shown = [f"{alias}.{name}" for alias, columns in self.tables for name, f in columns if f == field]
        return shown[0] if shown else field.name or "person"

    def _unknown_column_refusal(self, name: str, table: str | None, node: exp.Expr) -> Refusal:
        """Refusal of an unknown column, with the visible name closest to it, else a list of the columns."""
        column_names, written = [n for n, _ in self.columns()], _identifier_text(node, name, "this")
        if not column_names:
            return refusal(Kind.COLUMN_WITHOUT_TABLE, node, name=written)
        close = near_names(name, column_names)
        if not close:
            return refusal(Kind.UNKNOWN_COLUMN, node, name=written, columns=", ".join(column_names[:12]))
        replacement = Suggestion(f"{table}.{close[0]}" if table else close[0], f"{close[0]} is a near name")
        return refusal(Kind.MISSPELT_COLUMN, node, replacement, name=written, near=close[0])


class WindowBinder(Protocol):
    """Binds window functions, in clauses that allow them."""

    def bind(self, node: exp.Window) -> Expr:
        """Typed result field of a window function and its OVER clause."""


class SubqueryBinder(Protocol):
    """Binds scalar subqueries and predicates with subqueries, in clauses that allow them."""

    def bind(self, node: exp.Expr) -> Expr:
        """Bind a scalar subquery, IN or EXISTS."""
        ...

    def is_bound(self, node: exp.Expr) -> bool:
        """Return whether all subqueries of an expression are bound already."""
        ...


def is_subquery_expression(node: exp.Expr) -> bool:
    """Return whether a node is a scalar subquery, or IN or EXISTS with a subquery."""
    if isinstance(node, exp.Subquery):
        return True
    if isinstance(node, exp.Exists):
        return isinstance(node.this, exp.Query)
    return isinstance(node, exp.In) and node.args.get("query") is not None


def subqueries_in_aggregates(tree: exp.Select) -> Iterator[exp.Expr]:
    """Iterate over the subqueries inside the aggregate calls of a SELECT."""
    clauses = (*tree.expressions, *(tree.args.get(name) for name in ("having", "qualify", "order")))
    for clause in clauses:
        if clause is not None:
            yield from _aggregated_subqueries(clause, False)


def _aggregated_subqueries(node: exp.Expr, is_aggregated: bool) -> Iterator[exp.Expr]:
    """Iterate over the subqueries of a node that are inside an aggregate call.

    A subquery itself ends the search. The aggregate of a window function is no aggregate over groups, but its arguments
    may contain one: SUM(COUNT(x)) OVER ().
    """
    if is_subquery_expression(node) or isinstance(node, exp.Query):
        yield from (node,) * is_aggregated
        return
    inside_aggregate = is_aggregated or (aggregate_name(node) is not None and not isinstance(node, exp.Window))
    for part in _window_parts(node) if isinstance(node, exp.Window) else node.iter_expressions():
        yield from _aggregated_subqueries(part, inside_aggregate)


@dataclass(frozen=True)
class RowResolver:
    """Name resolution over single rows, where aggregates are not allowed."""

    scope: Scope
    aliases: dict[str, Expr] = field(default_factory=dict)  # select aliases that the clause can refer to
    subqueries: SubqueryBinder | None = None  # None: no subqueries
    windows: WindowBinder | None = None  # None: no window functions

    def resolve_column(self, node: exp.Column) -> Expr:
        """Resolve a column of the tables, else a select alias."""
        name, table = column_and_table(node)
        if table is None and name in self.aliases and name not in {n for n, _ in self.scope.columns()}:
            return self.aliases[name]
        return Ref(self.scope.resolve(name, table, node))

    def bind_special(self, node: exp.Expr) -> Expr | None:
        """Bind a scalar subquery, window function or H3 cell; None for ordinary nodes.

        Raises Refusal for what a single row does not have: aggregates, and subqueries and windows where the clause
        allows none.
        """
        if isinstance(node, exp.Window) and self.windows is not None:
            return self.windows.bind(node)
        if self.subqueries is not None and is_subquery_expression(node):
            return self.subqueries.bind(node)
        refuse_non_row_nodes(node)
        if isinstance(node, exp.Anonymous) and is_cell_call(node):
            return bind_cell_call(node, self.resolve_column, (f for _, f in self.scope.columns()))
        if aggregate_name(node) is not None:
            raise refusal(Kind.AGGREGATE_HERE, node)
        return None


def column_and_table(node: exp.Column) -> tuple[str, str | None]:
    """Name and table of a column, in lower case: (name, table or None); raises Refusal for longer paths."""
    if not is_in_default_schema(node):
        raise refusal(Kind.COLUMN_PARTS, node)
    if not isinstance(node.this, exp.Identifier):
        raise refusal(Kind.COLUMN_QUALIFIERS, node)
    return node.name.lower(), node.table.lower() or None


def _identifier_text(node: exp.Expr, name: str, slot: str) -> str:
    """Spelling of an identifier in the text, else the name itself."""
    identifier = node.args.get(slot) if isinstance(node, exp.Column) else None
    return (identifier.name if isinstance(identifier, exp.Identifier) else name)[:40]


def refuse_non_row_nodes(node: exp.Expr) -> None:
    """Refuse a window function, subquery or * where a row expression is required; returns for other nodes.

    Called for every node that a clause has not bound itself. = ANY of a list and coun(*) have refusals of their own.
    """
    if isinstance(node, exp.Window):
        refused = refusal(Kind.WINDOW_HERE, node)
        raise replace(
            refused,
            rewrites=to_suggestions(
                where_as_qualify(node), "windows are computed over all rows, then every condition chooses"
            ),
        )
    if isinstance(node, exp.Any) and isinstance(node.parent, exp.EQ) and node.find(exp.Query) is None:
        list_node, value = node.this.unnest(), node.parent.this
        replacement = f"list_contains({list_node.sql('duckdb', comments=False)}, {value.sql('duckdb', comments=False)})"
        raise refusal(
            Kind.ANY_OF_LIST, node.parent, Suggestion(replacement), list=sql_text(list_node), value=sql_text(value)
        )
    if isinstance(node, exp.Subquery | exp.Select | exp.Exists | exp.Any | exp.All):
        raise refusal(Kind.SUBQUERY_HERE, node)
    if isinstance(node, exp.Star):
        if isinstance(node.parent, exp.Anonymous):  # coun(*)
            raise unknown_function(node.parent.name.lower(), node.parent)
        raise refusal(Kind.STAR_HERE, node)


def aggregate_name(node: exp.Expr) -> str | None:
    """Name of the aggregate function that a node calls, supported or not; None for other nodes.

    Looks inside FILTER, IGNORE NULLS and WITHIN GROUP.
    """
    call = node
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        call = call.this
    if type(call) in AGGREGATE_NODES:
        return AGGREGATE_NODES[type(call)]
    if isinstance(call, exp.AggFunc):
        return call.key.lower()
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc) and str(call.this).lower() in UNTYPED_AGGREGATES:
        return str(call.this).lower()
    return None


def has_aggregate(node: exp.Expr) -> bool:
    """Return whether an expression contains an aggregate over groups, not counting subqueries.

    Of a window function only the parts that it reads count: SUM(x) OVER () is none, SUM(COUNT(*)) OVER () contains one.
    """
    if isinstance(node, exp.Subquery | exp.Select):
        return False
    if isinstance(node, exp.Window):
        return any(map(has_aggregate, _window_parts(node)))
    return aggregate_name(node) is not None or any(has_aggregate(part) for part in node.iter_expressions())


def interval_end_column(node: exp.Expr) -> str:
    """Column whose confidence interval DP_INTERVAL_LOW or DP_INTERVAL_HIGH returns an end of; '' for other nodes.

    Only an unqualified name counts, as it means a select item: DP_INTERVAL_LOW(n) with COUNT(*) AS n.
    """
    if not isinstance(node, exp.Anonymous) or str(node.this).lower() not in (LOW, HIGH) or len(node.expressions) != 1:
        return ""
    (shown,) = node.expressions
    return shown.name.lower() if isinstance(shown, exp.Column) and not shown.table else ""


def is_row_expression(node: exp.Expr) -> bool:
    """Return whether an expression reads a single row: it has no aggregate, window function or subquery."""
    return not has_aggregate(node) and node.find(exp.Window, exp.Query) is None


def split_conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Split a condition at its top-level ANDs, also inside parentheses, from left to right."""
    stack = [node]
    while stack:
        part = stack.pop()
        inner = part.unnest() if isinstance(part, exp.Paren) else part
        if isinstance(inner, exp.And):
            stack += [inner.expression, inner.this]
        else:
            yield part


def has_window(node: exp.Expr) -> bool:
    """Return whether an expression contains a window function, not counting subqueries."""
    if isinstance(node, exp.Subquery | exp.Select):
        return False
    return isinstance(node, exp.Window) or any(map(has_window, node.iter_expressions()))


def _window_parts(node: exp.Window) -> Iterator[exp.Expr]:
    """Iterate over the parts that a window function reads: arguments, FILTER, PARTITION BY, ORDER BY, frame."""
    inner = node.this
    while isinstance(inner, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        if isinstance(inner, exp.Filter | exp.WithinGroup):
            yield inner.expression
        inner = inner.this
    yield from inner.iter_expressions()
    yield from (part for part in node.iter_expressions() if part is not node.this)


@dataclass(frozen=True)
class CorrelatedResolver:
    """Name resolution inside a correlated subquery: its own tables first, then those of the outer query."""

    inner: Scope
    outer: Scope

    def resolve_column(self, node: exp.Column) -> Expr:
        """Resolve a column of the subquery, else of the outer row."""
        name, table = column_and_table(node)
        is_outer = not _has_column(self.inner, name, table) and _has_column(self.outer, name, table)
        return Ref((self.outer if is_outer else self.inner).resolve(name, table, node))

    def bind_special(self, node: exp.Expr) -> Expr | None:
        """Bind a node as over a single row of the subquery."""
        return RowResolver(self.inner).bind_special(node)


def _has_column(scope: Scope, name: str, table: str | None) -> bool:
    """Return whether a scope has a table of this name, or for unqualified names the column."""
    if table is not None:
        return table in {alias for alias, _ in scope.tables}
    return any(visible_name == name for visible_name, _ in scope.columns())
