"""FROM and JOIN -> one relation and the names it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from dialect.algebra.expressions import TRUE, Field
from dialect.algebra.relations import How, Public, Relation, Values
from dialect.binder.join_conditions import apart, join_condition, met_in_where, standing
from dialect.binder.listed_series import is_series, listed_series, series_below
from dialect.binder.listed_values import listed_values
from dialect.binder.names import Column, Scope
from dialect.binder.table_calls import TableCall, table_call
from dialect.errors import Code, Refusal
from dialect.parser.context import Reading, only, refusal
from dialect.stability.joined import joined
from dialect.stability.rules import joined_in
from dialect.stability.scans import find_table, scan, with_schema
from dialect.stability.semi_joins import semi_join


class SelectedRows(Protocol):
    """A query that was read: its relation and what it shows."""

    @property
    def relation(self) -> Relation:
        """The rows."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """The names that can be used of it."""
        ...


class Queries(Protocol):
    """Reads subqueries and the CTEs in sight."""

    def read(self, name: str, reading: Reading, node: exp.Expr) -> SelectedRows | None:
        """Read the CTE of this name, if there is one."""
        ...

    def subquery(self, tree: exp.Expr, reading: Reading) -> SelectedRows:
        """Read a derived table."""
        ...

    def over(self, relation: Relation, columns: tuple[Column, ...], call: TableCall, reading: Reading) -> SelectedRows:
        """Read what a table function makes of rows."""
        ...


_Part = tuple[Relation, str, tuple[Column, ...]]


def from_clause(tree: exp.Select, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    """Read FROM with all its joins, left to right."""
    clause = tree.args.get("from_") or series_below(tree)
    if clause is None:
        one_row = Public(Values(((),), ()), ())
        return one_row, Scope()
    only(clause, "this")
    first, hung = apart(clause.this)  # as the parser has FROM a JOIN b SELECT ...
    return _joined(first, [*hung, *(tree.args.get("joins") or ())], tree.args.get("where"), reading, queries)


def _joined(
    first: exp.Expr, joins: Sequence[exp.Join], where: exp.Where | None, reading: Reading, queries: Queries
) -> tuple[Relation, Scope]:
    """Read a table and what is joined to it, left to right."""
    relation, scope = _tables(first, reading, queries)
    for node in joins:
        if node.kind.upper() in _CHOOSING:
            relation = _chosen(relation, scope, node, reading, queries)
        else:
            relation, scope = _join(relation, scope, node, where, reading, queries)
    return relation, scope


def _tables(node: exp.Expr, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    """Read a table, or joins in brackets, whose tables keep their names."""
    inside = node.this if isinstance(node, exp.Subquery) else None
    if isinstance(inside, exp.Table) and not inside.args.get("joins"):
        raise refusal(Code.TABLE, "Brackets in FROM hold a subquery or a JOIN.", f"FROM {inside.name[:40]}", node)
    if not (isinstance(inside, exp.Table | exp.Subquery) and inside.args.get("joins")):
        relation, alias, columns = _table(node, reading, queries)
        return relation, Scope(((alias, columns),))
    if node.args.get("alias"):
        why = "Joins in brackets have no name of their own."
        raise refusal(Code.JOIN, why, "(SELECT ... FROM ... JOIN ...) AS name", node)
    only(node, "this", code=Code.JOIN)
    return _joined(*apart(inside), None, reading, queries)


def _table(node: exp.Expr, reading: Reading, queries: Queries) -> _Part:
    if node.args.get("sample"):
        raise refusal(Code.SAMPLE, "Samples are not in the dialect.", "leave TABLESAMPLE out", node)
    if is_series(node):
        relation, name = listed_series(node, reading)
        shown = tuple((f.name or "", f) for f in relation.fields)
        return _prepared(relation, name, renamed(shown, node))
    if isinstance(node, exp.Table):
        return _named(node, reading, queries)
    if isinstance(node, exp.Values):
        relation = listed_values(node, reading)
        shown = tuple((f.name or "", f) for f in relation.fields)
        return _prepared(relation, node.alias.lower() or f"values_{reading.fresh()}", renamed(shown, node))
    if isinstance(node, exp.Subquery):
        only(node, "this", "alias", code=Code.TABLE)
        selected = queries.subquery(node.this, reading)
        alias = node.alias.lower() or f"subquery_{reading.fresh()}"
        return _prepared(selected.relation, alias, renamed(selected.columns, node))
    per_row = (
        "a subquery that groups by what it is joined on; QUALIFY ROW_NUMBER() OVER (...) = 1 keeps the first of each"
    )
    hint = per_row if isinstance(node, exp.Lateral) else "FROM a declared table"
    raise refusal(Code.TABLE, "Only tables, subqueries and VALUES can stand in FROM.", hint, node)


def _named(node: exp.Table, reading: Reading, queries: Queries) -> _Part:
    if not isinstance(node.this, exp.Identifier):
        return _derived(node, reading, queries)
    name = node.name.lower()
    if node.args.get("db") or node.args.get("catalog"):
        raise with_schema(node, name)
    if node.args.get("joins"):
        raise refusal(Code.JOIN, "This JOIN stands inside another one.", "write each ON behind its JOIN", node)
    only(node, "this", "alias", code=Code.TABLE)
    alias = (node.alias or name).lower()
    cte = queries.read(name, reading, node)
    if cte is not None:
        return _prepared(cte.relation, alias, renamed(cte.columns, node))
    relation = scan(find_table(reading.catalog, name, node), reading, node)
    columns = tuple((f.name, f) for f in relation.fields if f.name is not None)
    return _prepared(relation, alias, renamed(columns, node))


def _derived(node: exp.Table, reading: Reading, queries: Queries) -> _Part:
    call = table_call(node)
    relation, _, columns = _table(call.rows, reading, queries)
    made = queries.over(relation, columns, call, reading)
    alias = (node.alias or call.function.name).lower()
    return _prepared(made.relation, alias, renamed(made.columns, node))


def _prepared(relation: Relation, alias: str, columns: tuple[Column, ...]) -> _Part:
    held = joined_in(relation)
    return held, alias, _standing(columns, {f.id: f for f in held.fields})


def _standing(columns: tuple[Column, ...], held: Mapping[str, Field]) -> tuple[Column, ...]:
    """Let names point at the fields that stand for theirs now, by the ids of these."""
    return tuple((name, held[f.id]) for name, f in columns)


def renamed(columns: tuple[Column, ...], node: exp.Expr) -> tuple[Column, ...]:
    """Name columns as the list behind a table's, subquery's or CTE's name says."""
    alias = node.args.get("alias")
    given = (alias.args.get("columns") or ()) if alias is not None else ()
    names = [part.name.lower() for part in given]
    if len(names) > len(columns):
        raise refusal(Code.COLUMN, "There are more names than columns.", "give one name per column", node)
    renamed = tuple((new, f) for new, (_, f) in zip(names, columns, strict=False))
    return renamed + columns[len(names) :]


# (side, kind) as the parser has them -> how the dialect calls it
_CHOOSING = {"SEMI", "ANTI"}
_HOW: dict[tuple[str, str], How] = {
    ("", ""): "inner",
    ("", "INNER"): "inner",
    ("", "CROSS"): "cross",
    ("LEFT", ""): "left",
    ("LEFT", "OUTER"): "left",
    ("RIGHT", ""): "left",  # of the sides exchanged
    ("RIGHT", "OUTER"): "left",
    ("FULL", ""): "full",
    ("FULL", "OUTER"): "full",
}


def _chosen(left: Relation, scope: Scope, node: exp.Join, reading: Reading, queries: Queries) -> Relation:
    """Read SEMI JOIN and ANTI JOIN: the left rows that meet a right row, or those that meet none."""
    only(node, "this", "on", "using", "kind", code=Code.JOIN)
    right, alias, columns = _table(node.this, reading, queries)
    on, _ = join_condition(node, scope, replace(scope, tables=(*scope.tables, (alias, columns))), columns)
    if on == TRUE:
        raise refusal(Code.JOIN, f"{node.kind.upper()} JOIN has an ON or USING.", "SEMI JOIN ... USING (...)", node)
    try:
        return semi_join(left, right, on, node.kind.upper() == "ANTI", node)
    except Refusal as refused:
        raise replace(refused, code=Code.JOIN) from None


def _join(
    left: Relation, scope: Scope, node: exp.Join, where: exp.Where | None, reading: Reading, queries: Queries
) -> tuple[Relation, Scope]:
    how = _how(node)
    right, inside = _tables(node.this, reading, queries)
    columns = tuple(inside.columns())
    both = _beside(scope, inside, node)
    on, merged = join_condition(node, scope, both, columns)
    if how == "cross":
        on = met_in_where(where, both, columns)
        how = "cross" if on == TRUE else "inner"
    sides = (right, left) if node.side.upper() == "RIGHT" else (left, right)
    made = joined(*sides, how, on, node, reading)
    tables = tuple((name, _standing(shown, made.standing)) for name, shown in both.tables)
    shown = Scope(tables, both.merged + merged, _standing(both.instead, made.standing))
    if node.side.upper() not in ("RIGHT", "FULL") or not merged:
        return made.relation, shown
    pairs = [tuple(made.standing[each.find(name, None, node).id] for each in (scope, inside)) for name in merged]
    return standing(made, shown, dict(zip(merged, pairs, strict=True)), node, reading)


def _beside(scope: Scope, inside: Scope, node: exp.Join) -> Scope:
    """Put the names of joined tables beside those before them."""
    twice = next((alias for alias, _ in inside.tables if alias in {name for name, _ in scope.tables}), None)
    if twice is not None:
        raise refusal(Code.TABLE, f"{twice[:40]} stands twice in FROM.", f"JOIN ... AS {twice[:40]}2", node.this)
    if set(inside.merged) & {name for name, _ in scope.columns()}:
        why = "A name that USING merges in brackets stands outside of them too."
        raise refusal(Code.JOIN, why, "join the tables one by one", node.this)
    return Scope((*scope.tables, *inside.tables), scope.merged + inside.merged, scope.instead + inside.instead)


def _how(node: exp.Join) -> How:
    if node.method:
        why = f"{node.method.upper()} JOIN is not in the dialect: a join says which columns are equal."
        raise refusal(Code.JOIN, why, "JOIN ... USING (...)", node)
    only(node, "this", "on", "using", "side", "kind", code=Code.JOIN)
    side, kind = node.side.upper(), node.kind.upper()
    conditions = bool(node.args.get("on")) + bool(node.args.get("using"))
    how = _HOW.get((side, kind))
    if how is None:
        raise refusal(Code.JOIN, f"{side or kind} JOIN is not in the dialect.", "JOIN ... ON ...", node)
    if conditions > 1 or (how in ("left", "full") and not conditions) or (how == "cross" and conditions):
        why = "CROSS JOIN has no condition, and every other JOIN has one ON or USING."
        raise refusal(Code.JOIN, why, "JOIN ... ON ...", node)
    return how if conditions else "cross"
