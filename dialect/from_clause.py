"""FROM and JOIN -> one relation and the names it shows."""

from __future__ import annotations

from typing import Protocol

from sqlglot import exp

from dialect import rules
from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import TRUE, Expr, Field, Literal, Ref, conjunction
from dialect.names import Column, RowNames, Scope
from dialect.reading import Reading, only, refusal
from dialect.relations import Public, Relation, Values
from dialect.scalars import call, condition, scalar


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

    def read(self, name: str, reading: Reading) -> SelectedRows | None:
        """Read the CTE of this name, if there is one."""
        ...

    def subquery(self, tree: exp.Expression, reading: Reading) -> SelectedRows:
        """Read a derived table."""
        ...


_Part = tuple[Relation, str, tuple[Column, ...]]


def from_clause(tree: exp.Select, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    """Read FROM with all its joins, left to right."""
    clause = tree.args.get("from_")
    if clause is None:
        one_row = Public(Values(((),), ()), ())
        return one_row, Scope()
    relation, alias, columns = _table(clause.this, reading, queries)
    scope = Scope(((alias, columns),))
    for join in [*(clause.this.args.get("joins") or ()), *(tree.args.get("joins") or ())]:
        relation, scope = _join(relation, scope, join, reading, queries)
    return relation, scope


def _table(node: exp.Expression, reading: Reading, queries: Queries) -> _Part:
    if isinstance(node, exp.Table):
        return _named(node, reading, queries)
    if isinstance(node, exp.Subquery):
        only(node, "this", "alias", "joins")
        selected = queries.subquery(node.this, reading)
        alias = node.alias.lower() or f"subquery_{reading.fresh()}"
        return _prepared(selected.relation, alias, _renamed(selected.columns, node))
    if isinstance(node, exp.Values):
        return _values(node, reading)
    raise refusal(Code.TABLE, "Only tables, subqueries and VALUES can stand in FROM.", "FROM a declared table", node)


def _named(node: exp.Table, reading: Reading, queries: Queries) -> _Part:
    only(node, "this", "alias", "joins", code=Code.TABLE)
    if not isinstance(node.this, exp.Identifier):
        raise refusal(Code.TABLE, "Table functions are not in the dialect.", "FROM a declared table", node)
    name = node.name.lower()
    alias = (node.alias or name).lower()
    cte = queries.read(name, reading)
    if cte is not None:
        return _prepared(cte.relation, alias, _renamed(cte.columns, node))
    relation = rules.scan(rules.find_table(reading.catalog, name, node), reading)
    columns = tuple((f.name, f) for f in relation.fields if f.name is not None)
    return _prepared(relation, alias, _renamed(columns, node))


def _prepared(relation: Relation, alias: str, columns: tuple[Column, ...]) -> _Part:
    joined = rules.joined_in(relation)
    return joined, alias, _current(columns, joined)


def _current(columns: tuple[Column, ...], relation: Relation) -> tuple[Column, ...]:
    """Let names point at the fields as the relation knows them now."""
    held = {f.id: f for f in relation.fields}
    return tuple((name, held[f.id]) for name, f in columns)


def _renamed(columns: tuple[Column, ...], node: exp.Expression) -> tuple[Column, ...]:
    alias = node.args.get("alias")
    names = [part.name.lower() for part in alias.args.get("columns") or ()] if alias is not None else []
    if len(names) > len(columns):
        raise refusal(Code.COLUMN, "There are more names than columns.", "give one name per column", node)
    return tuple(
        (new or old, f) for new, (old, f) in zip(names + [""] * (len(columns) - len(names)), columns, strict=True)
    )


def _values(node: exp.Values, reading: Reading) -> _Part:
    only(node, "expressions", "alias", code=Code.TABLE)
    rows = [[_constant(cell) for cell in row.expressions] for row in node.expressions if isinstance(row, exp.Tuple)]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise refusal(Code.TABLE, "Every row of VALUES has the same number of constants.", "VALUES (1, 'a')", node)
    fields = []
    for position in range(len(rows[0])):
        kinds = {row[position].type for row in rows} - {SqlType.NULL}
        if len(kinds) > 1 and kinds != {SqlType.BIGINT, SqlType.DOUBLE}:
            raise refusal(Code.TABLE, "A column of VALUES has one type.", "VALUES (1), (2)", node)
        kind = SqlType.DOUBLE if len(kinds) > 1 else next(iter(kinds), SqlType.NULL)
        fields.append(Field(reading.fresh(), f"col{position}", kind, any(row[position].value is None for row in rows)))
    relation = Public(Values(tuple(tuple(row) for row in rows), tuple(fields)), tuple(fields))
    alias = node.alias.lower() or f"values_{reading.fresh()}"
    return _prepared(relation, alias, _renamed(tuple((f.name or "", f) for f in fields), node))


def _constant(node: exp.Expression) -> Literal:
    typed = scalar(node, RowNames(Scope()))
    if not isinstance(typed, Literal):
        raise refusal(Code.TABLE, "VALUES holds constants.", "VALUES (1, 'a')", node)
    return typed


_SIDES = {"": "inner", "INNER": "inner", "LEFT": "left", "CROSS": "cross"}


def _join(left: Relation, scope: Scope, node: exp.Join, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    only(node, "this", "on", "using", "side", "kind", code=Code.JOIN)
    side = node.side.upper() or node.kind.upper().replace("OUTER", "")
    if side not in _SIDES or (node.side and node.kind.upper() not in {"", "OUTER"}):
        hint = "LEFT JOIN with the tables exchanged" if side == "RIGHT" else "JOIN ... ON ..."
        raise refusal(Code.JOIN, f"{side} JOIN is not in the dialect.", hint, node)
    right, alias, columns = _table(node.this, reading, queries)
    if alias in {name for name, _ in scope.tables}:
        raise refusal(Code.TABLE, f"{alias} stands twice in FROM.", f"JOIN ... AS {alias}2", node.this)
    both = Scope((*scope.tables, (alias, columns)), scope.merged)
    condition_, merged = _on(node, scope, both, columns)
    how = "inner" if _SIDES[side] == "cross" and condition_ is not TRUE else _SIDES[side]
    relation = rules.join(left, right, how if condition_ is not TRUE or how == "left" else "cross", condition_, node)  # type: ignore[arg-type]
    tables = tuple((name, _current(shown, relation)) for name, shown in both.tables)
    return relation, Scope(tables, both.merged + merged)


def _on(node: exp.Join, left: Scope, both: Scope, columns: tuple[Column, ...]) -> tuple[Expr, tuple[str, ...]]:
    using = [part.name.lower() for part in node.args.get("using") or ()]
    if using:
        right = Scope(((("right"), columns),))
        pairs = [(left.find(name, None, node), right.find(name, None, node)) for name in using]
        return conjunction(tuple(call("=", [Ref(a), Ref(b)], node) for a, b in pairs)), tuple(using)
    if node.args.get("on") is None:
        return TRUE, ()
    return condition(node.args["on"], RowNames(both)), ()
