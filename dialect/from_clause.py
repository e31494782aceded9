"""FROM and JOIN -> one relation and the names it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from dialect.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.expressions import TRUE, Field, Literal
from dialect.join_conditions import join_condition, met_in_where
from dialect.joins import How, join
from dialect.names import Column, RowNames, Scope
from dialect.reading import Reading, only, refusal
from dialect.relations import Public, Relation, Values
from dialect.rules import joined_in
from dialect.scalars import scalar
from dialect.scans import find_table, scan
from dialect.semi_joins import semi_join
from dialect.table_calls import TableCall, table_call


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
    clause = tree.args.get("from_")
    if clause is None:
        one_row = Public(Values(((),), ()), ())
        return one_row, Scope()
    only(clause, "this")
    relation, alias, columns = _table(clause.this, reading, queries)
    scope = Scope(((alias, columns),))
    for node in tree.args.get("joins") or ():
        if node.kind.upper() in _CHOOSING:
            relation = _chosen(relation, scope, node, reading, queries)
        else:
            relation, scope = _join(relation, scope, node, tree.args.get("where"), reading, queries)
    return relation, scope


def _table(node: exp.Expr, reading: Reading, queries: Queries) -> _Part:
    if node.args.get("sample"):
        raise refusal(Code.SAMPLE, "Samples are not in the dialect.", "leave TABLESAMPLE out", node)
    if isinstance(node, exp.Table):
        return _named(node, reading, queries)
    if isinstance(node, exp.Values):
        return _values(node, reading)
    if isinstance(node, exp.Subquery):
        only(node, "this", "alias", code=Code.TABLE)
        if isinstance(node.this, exp.Table):
            raise refusal(Code.JOIN, "Joins in brackets are not built yet.", "join the tables one by one", node)
        selected = queries.subquery(node.this, reading)
        alias = node.alias.lower() or f"subquery_{reading.fresh()}"
        return _prepared(selected.relation, alias, _renamed(selected.columns, node))
    raise refusal(Code.TABLE, "Only tables, subqueries and VALUES can stand in FROM.", "FROM a declared table", node)


def _named(node: exp.Table, reading: Reading, queries: Queries) -> _Part:
    if not isinstance(node.this, exp.Identifier):
        return _derived(node, reading, queries)
    name = node.name.lower()
    if node.args.get("db") or node.args.get("catalog"):
        raise refusal(Code.TABLE, "Tables have no schema in front.", f"FROM {name[:40]}", node)
    if node.args.get("joins"):
        raise refusal(Code.JOIN, "This JOIN stands inside another one.", "write each ON behind its JOIN", node)
    only(node, "this", "alias", code=Code.TABLE)
    alias = (node.alias or name).lower()
    cte = queries.read(name, reading, node)
    if cte is not None:
        return _prepared(cte.relation, alias, _renamed(cte.columns, node))
    relation = scan(find_table(reading.catalog, name, node), reading, node)
    columns = tuple((f.name, f) for f in relation.fields if f.name is not None)
    return _prepared(relation, alias, _renamed(columns, node))


def _derived(node: exp.Table, reading: Reading, queries: Queries) -> _Part:
    call = table_call(node)
    relation, _, columns = _table(call.rows, reading, queries)
    made = queries.over(relation, columns, call, reading)
    alias = (node.alias or call.function.name).lower()
    return _prepared(made.relation, alias, _renamed(made.columns, node))


def _prepared(relation: Relation, alias: str, columns: tuple[Column, ...]) -> _Part:
    joined = joined_in(relation)
    return joined, alias, _current(columns, joined)


def _current(columns: tuple[Column, ...], relation: Relation) -> tuple[Column, ...]:
    """Let names point at the fields as the relation knows them now."""
    held = {f.id: f for f in relation.fields}
    return tuple((name, held[f.id]) for name, f in columns)


def _renamed(columns: tuple[Column, ...], node: exp.Expr) -> tuple[Column, ...]:
    alias = node.args.get("alias")
    given = (alias.args.get("columns") or ()) if alias is not None else ()
    names = [part.name.lower() for part in given]
    if len(names) > len(columns):
        raise refusal(Code.COLUMN, "There are more names than columns.", "give one name per column", node)
    renamed = tuple((new, f) for new, (_, f) in zip(names, columns, strict=False))
    return renamed + columns[len(names) :]


def _values(node: exp.Values, reading: Reading) -> _Part:
    only(node, "expressions", "alias", code=Code.TABLE)
    rows = [[_constant(cell) for cell in row.expressions] for row in node.expressions if isinstance(row, exp.Tuple)]
    if len(rows) != len(node.expressions) or not rows or any(len(row) != len(rows[0]) for row in rows):
        raise refusal(Code.TABLE, "Every row of VALUES has the same number of constants.", "VALUES (1, 'a')", node)
    fields = []
    for position in range(len(rows[0])):
        column = [row[position] for row in rows]
        fields.append(Field(reading.fresh(), f"col{position}", _one_type(column, node), _has_null(column)))
    relation = Public(Values(tuple(tuple(row) for row in rows), tuple(fields)), tuple(fields))
    alias = node.alias.lower() or f"values_{reading.fresh()}"
    return _prepared(relation, alias, _renamed(tuple((f.name or "", f) for f in fields), node))


def _one_type(column: list[Literal], node: exp.Expr) -> SqlType:
    kinds = {cell.type for cell in column} - {SqlType.NULL}
    if len(kinds) > 1 and kinds != {SqlType.BIGINT, SqlType.DOUBLE}:
        raise refusal(Code.TABLE, "A column of VALUES has one type.", "VALUES (1), (2)", node)
    return SqlType.DOUBLE if len(kinds) > 1 else next(iter(kinds), SqlType.NULL)


def _has_null(column: list[Literal]) -> bool:
    return any(cell.value is None for cell in column)


def _constant(node: exp.Expr) -> Literal:
    typed = scalar(node, RowNames(Scope()))
    if not isinstance(typed, Literal):
        raise refusal(Code.TABLE, "VALUES holds constants.", "VALUES (1, 'a')", node)
    return typed


# (side, kind) as the parser has them -> how the dialect calls it
_CHOOSING = {"SEMI", "ANTI"}
_HOW: dict[tuple[str, str], How] = {
    ("", ""): "inner",
    ("", "INNER"): "inner",
    ("", "CROSS"): "cross",
    ("LEFT", ""): "left",
    ("LEFT", "OUTER"): "left",
}


def _chosen(left: Relation, scope: Scope, node: exp.Join, reading: Reading, queries: Queries) -> Relation:
    """Read SEMI JOIN and ANTI JOIN: the left rows that meet a right row, or those that meet none."""
    only(node, "this", "on", "using", "kind", code=Code.JOIN)
    right, alias, columns = _table(node.this, reading, queries)
    on, _ = join_condition(node, scope, Scope((*scope.tables, (alias, columns)), scope.merged), columns)
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
    right, alias, columns = _table(node.this, reading, queries)
    if alias in {name for name, _ in scope.tables}:
        raise refusal(Code.TABLE, f"{alias[:40]} stands twice in FROM.", f"JOIN ... AS {alias[:40]}2", node.this)
    both = Scope((*scope.tables, (alias, columns)), scope.merged)
    on, merged = join_condition(node, scope, both, columns)
    if how == "cross":
        on = met_in_where(where, both, columns)
        how = "cross" if on == TRUE else "inner"
    relation = join(left, right, how, on, node)
    tables = tuple((name, _current(shown, relation)) for name, shown in both.tables)
    return relation, Scope(tables, both.merged + merged)


def _how(node: exp.Join) -> How:
    only(node, "this", "on", "using", "side", "kind", code=Code.JOIN)
    side, kind = node.side.upper(), node.kind.upper()
    conditions = bool(node.args.get("on")) + bool(node.args.get("using"))
    how = _HOW.get((side, kind))
    if how is None:
        hint = "LEFT JOIN with the tables exchanged" if side == "RIGHT" else "JOIN ... ON ..."
        raise refusal(Code.JOIN, f"{side or kind} JOIN is not in the dialect.", hint, node)
    if conditions > 1 or (how == "left" and not conditions) or (how == "cross" and conditions):
        why = "CROSS JOIN has no condition, and every other JOIN has one ON or USING."
        raise refusal(Code.JOIN, why, "JOIN ... ON ...", node)
    return how if conditions else "cross"
