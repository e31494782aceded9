"""Bind FROM and JOIN to one relation and the scope of its columns.

The join predicate is ON, USING, or the equalities of WHERE for a comma-separated table. VALUES, and range,
generate_series and unnest of constants, become public relations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Protocol

from sqlglot import exp

from dialect.algebra.expressions import TRUE, Expr, Field, Literal, Ref, conjunction, fields_of
from dialect.algebra.relations import How, Public, Relation, Values
from dialect.binder.scalars import condition, scalar
from dialect.binder.scope import Column, RowNames, Scope, anded
from dialect.binder.table_functions import TableCall, table_call
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.constant_folding import later, moment, text_of
from dialect.parser.context import Reading, only, refusal
from dialect.stability.calls import call
from dialect.stability.full_joins import Joined, joined
from dialect.stability.joins import semi_join
from dialect.stability.row_operators import compute, joined_in
from dialect.stability.scans import find_table, scan, with_schema


def join_condition(
    node: exp.Join, left: Scope, both: Scope, columns: tuple[Column, ...]
) -> tuple[Expr, tuple[str, ...]]:
    """Bind ON or USING: the predicate, and the column names that USING merges."""
    using = [part.name.lower() for part in node.args.get("using") or ()]
    if using:
        right = Scope((("right", columns),))
        pairs = [(left.find(name, None, node), right.find(name, None, node)) for name in using]
        return conjunction(tuple(_met([Ref(a), Ref(b)], node) for a, b in pairs)), tuple(using)
    if node.args.get("on") is None:
        return TRUE, ()
    try:
        return condition(node.args["on"], RowNames(both)), ()
    except Refusal as refused:
        if refused.code is not Code.PERSON_KEY:
            raise
        why = "A person key can only be joined on its equality with another person key."
        raise Refusal(Code.JOIN, why, "JOIN ... USING (the person key)", refused.span) from None


def _met(pair: list[Expr], node: exp.Join) -> Expr:
    """Equality of two columns of USING; raises Refusal with E_JOIN where their types differ."""
    try:
        return call("=", pair, node)
    except Refusal as refused:
        raise Refusal(Code.JOIN, refused.why, "ON with values of one type", refused.span) from None


def met_in_where(where: exp.Where | None, both: Scope, columns: tuple[Column, ...]) -> Expr:
    """Equalities of WHERE that join a comma-separated table; they stay in WHERE too.

    FROM visit, zone WHERE visit.zone_id = zone.id
    """
    right = [f for _, f in columns]
    found: list[Expr] = []
    for part in anded(where.this) if where is not None else ():
        node = part.unnest() if isinstance(part, exp.Paren) else part
        if not (isinstance(node, exp.EQ) and all(isinstance(side, exp.Column) for side in node.iter_expressions())):
            continue
        with suppress(Refusal):  # reads a later table, or is invalid: reported when WHERE is bound
            typed = condition(node, RowNames(both))
            if {f in right for f in fields_of(typed)} == {True, False}:
                found.append(typed)
    return conjunction(tuple(found))


def standing(
    made: Joined, scope: Scope, pairs: Mapping[str, tuple[Field, ...]], node: exp.Join, reading: Reading
) -> tuple[Relation, Scope]:
    """Resolve the columns merged by USING after RIGHT JOIN to the right side, after FULL JOIN to COALESCE of both."""
    if node.side.upper() == "RIGHT":
        return made.relation, scope.with_instead(tuple((name, right) for name, (_, right) in pairs.items()))
    exprs = [_either(pair, made, node) for pair in pairs.values()]
    relation, fields = compute(made.relation, exprs, reading)
    return relation, scope.with_instead(tuple(zip(pairs, fields, strict=True)))


def _either(pair: tuple[Field, ...], made: Joined, node: exp.Join) -> Expr:
    """COALESCE of two merged columns; for two person keys the joined row's person."""
    if made.person is not None and all(f.is_person for f in pair):
        return Ref(made.person)
    return call("coalesce", [Ref(f) for f in pair], node)


def apart(node: exp.Expr) -> tuple[exp.Expr, list[exp.Join]]:
    """Separate a table from the joins that sqlglot attaches to it."""
    joins: list[exp.Join] = node.args.get("joins") or []
    if not joins:
        return node, []
    first = node.copy()
    first.set("joins", None)
    first.parent = node.parent
    return first, joins


def listed_values(node: exp.Values, reading: Reading) -> Public:
    """Bind VALUES to a public relation; raises Refusal with E_TABLE."""
    only(node, "expressions", "alias", code=Code.TABLE)
    rows = [[constant(cell) for cell in row.expressions] for row in node.expressions if isinstance(row, exp.Tuple)]
    if len(rows) != len(node.expressions) or not rows or any(len(row) != len(rows[0]) for row in rows):
        raise refusal(Code.TABLE, "Every row of VALUES has the same number of constants.", "VALUES (1, 'a')", node)
    fields = []
    for position in range(len(rows[0])):
        column = [row[position] for row in rows]
        fields.append(Field(reading.fresh(), f"col{position}", listed_column(column, node), _has_null(column)))
    return Public(Values(tuple(tuple(row) for row in rows), tuple(fields)), tuple(fields))


def listed_column(column: list[Literal], node: exp.Expr) -> SqlType:
    """Return the common type of the constants in one column; raises Refusal with E_TABLE where they differ."""
    kinds = {cell.type for cell in column} - {SqlType.NULL}
    if len(kinds) > 1 and kinds != {SqlType.BIGINT, SqlType.DOUBLE}:
        raise refusal(Code.TABLE, "A column of VALUES has one type.", "VALUES (1), (2)", node)
    return SqlType.DOUBLE if len(kinds) > 1 else next(iter(kinds), SqlType.NULL)


def _has_null(column: list[Literal]) -> bool:
    return any(cell.value is None for cell in column)


def constant(node: exp.Expr) -> Literal:
    """Bind a constant expression; raises Refusal with E_TABLE for any other."""
    typed = scalar(node, RowNames(Scope()))
    if not isinstance(typed, Literal):
        raise refusal(Code.TABLE, "VALUES holds constants.", "VALUES (1, 'a')", node)
    return typed


MOST_VALUES = 5_000  # written as literals into the generated SQL
_TIMES = {SqlType.DATE, SqlType.TIMESTAMP}
_EXAMPLE = "range(24), generate_series(DATE '2026-10-01', DATE '2026-10-07', INTERVAL 1 DAY) or unnest(['a', 'b'])"


def is_series(node: exp.Expr) -> bool:
    """Return whether a table in FROM is a call of range, generate_series or unnest."""
    return isinstance(node, exp.Unnest) or (isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries))


def series_below(tree: exp.Select) -> exp.From | None:
    """Move the unnest of a SELECT without FROM into its FROM; None where there is none.

    SELECT unnest(range(24)) AS h  ->  SELECT unnest AS h FROM unnest(range(24))
    """
    found = [node for item in tree.expressions for node in item.find_all(exp.Explode)]
    if len(found) != 1 or any(tree.args.get(clause) for clause in ("where", "group", "having")):
        return None
    (call,) = found
    name = exp.to_identifier("unnest")
    made = exp.From(this=exp.Unnest(expressions=[call.this], alias=exp.TableAlias(this=name, columns=[name.copy()])))
    call.replace(exp.column(name.copy()))
    tree.set("from_", made)
    return made


def listed_series(node: exp.Expr, reading: Reading) -> tuple[Public, str]:
    """Bind range, generate_series or unnest to a public relation of one column, with its alias; raises Refusal."""
    only(node, "this", "expressions", "alias", code=Code.TABLE)
    if (column := node.find(exp.Column)) is not None:
        raise _unread(column)
    call = node.this if isinstance(node, exp.Table) else _single(node)
    values = list(islice(_values(call), MOST_VALUES + 1))
    if len(values) > MOST_VALUES:
        raise refusal(Code.TABLE, f"A list in FROM has at most {MOST_VALUES:,} values.", _EXAMPLE, node)
    name = "unnest" if isinstance(node, exp.Unnest) else _called(call)
    alias = node.alias.lower() or name
    field = Field(reading.fresh(), alias, listed_column(values, node), any(each.value is None for each in values))
    return Public(Values(tuple((each,) for each in values), (field,)), (field,)), alias


def _called(call: exp.Expr) -> str:
    """Return the function name of a series: range, or generate_series, which includes its end."""
    return "range" if call.args.get("is_end_exclusive") else "generate_series"


def _single(node: exp.Expr) -> exp.Expr:
    """Return the only argument of unnest."""
    if len(node.expressions) != 1:
        raise _unread(node)
    call: exp.Expr = node.expressions[0]
    return call


def _unread(node: exp.Expr) -> Refusal:
    return refusal(Code.TABLE, "A list in FROM is made of constants of one kind, and a step is not 0.", _EXAMPLE, node)


def _values(call: exp.Expr) -> Iterator[Literal]:
    """Iterate over the constants of a series."""
    if isinstance(call, exp.Array):
        return iter([constant(each) for each in call.expressions])
    if not isinstance(call, exp.GenerateSeries):
        raise _unread(call)
    only(call, "start", "end", "step", "is_end_exclusive", code=Code.TABLE)
    start, end = constant(call.args["start"]), constant(call.args["end"])
    step = constant(_step(call.args["step"])) if call.args.get("step") else Literal(1, SqlType.BIGINT)
    kinds = {start.type, end.type}
    if kinds | {step.type} == {SqlType.BIGINT} and step.value:
        return _integers(start, end, int(step.value), call)
    amount, _, unit = str(step.value).partition(" ")
    if kinds <= _TIMES and step.type is SqlType.INTERVAL and int(amount):
        return _times(start, end, int(amount), unit, call)
    raise _unread(call)


def _step(written: exp.Expr) -> exp.Expr:
    """Convert a quoted step such as '1 day' to an interval."""
    amount, _, unit = written.name.partition(" ")
    named = isinstance(written, exp.Literal) and written.is_string and amount.isdecimal() and unit.isalpha()
    return exp.Interval(this=exp.Literal.string(amount), unit=exp.var(unit.upper())) if named else written


def _integers(start: Literal, end: Literal, step: int, call: exp.Expr) -> Iterator[Literal]:
    """Iterate over an integer series."""
    first, last = int(start.value or 0), int(end.value or 0)
    behind = last if _called(call) == "range" else last + (1 if step > 0 else -1)
    return (Literal(value, SqlType.BIGINT) for value in range(first, behind, step))


def _times(start: Literal, end: Literal, amount: int, unit: str, call: exp.Expr) -> Iterator[Literal]:
    """Iterate over a time series, each value computed from the one before, as DuckDB does for months."""
    place, last = moment(str(start.value)), moment(str(end.value))
    try:
        while (place < last if amount > 0 else place > last) or (place == last and _called(call) != "range"):
            yield Literal(text_of(place, SqlType.TIMESTAMP), SqlType.TIMESTAMP)
            place = later(place, amount, unit)
    except (ValueError, OverflowError):  # beyond Python's range of years
        raise _unread(call) from None


class SelectedRows(Protocol):
    """A bound query: its relation and its visible columns."""

    @property
    def relation(self) -> Relation:
        """Relation of the query."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Visible columns, by name."""
        ...


class Queries(Protocol):
    """Binds subqueries, CTEs and table functions."""

    def read(self, name: str, reading: Reading, node: exp.Expr) -> SelectedRows | None:
        """Bind the CTE of this name; None where there is none."""
        ...

    def subquery(self, tree: exp.Expr, reading: Reading) -> SelectedRows:
        """Bind a derived table."""
        ...

    def over(self, relation: Relation, columns: tuple[Column, ...], call: TableCall, reading: Reading) -> SelectedRows:
        """Bind a table function over bound rows."""
        ...


_Part = tuple[Relation, str, tuple[Column, ...]]


def from_clause(tree: exp.Select, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    """Bind FROM with all its joins, left to right."""
    clause = tree.args.get("from_") or series_below(tree)
    if clause is None:
        one_row = Public(Values(((),), ()), ())
        return one_row, Scope()
    only(clause, "this")
    first, hung = apart(clause.this)  # sqlglot attaches the joins of FROM a JOIN b SELECT ... to the table
    return _joined(first, [*hung, *(tree.args.get("joins") or ())], tree.args.get("where"), reading, queries)


def _joined(
    first: exp.Expr, joins: Sequence[exp.Join], where: exp.Where | None, reading: Reading, queries: Queries
) -> tuple[Relation, Scope]:
    """Bind a table and the tables joined to it, left to right."""
    relation, scope = _tables(first, reading, queries)
    for node in joins:
        if node.kind.upper() in _CHOOSING:
            relation = _chosen(relation, scope, node, reading, queries)
        else:
            relation, scope = _join(relation, scope, node, where, reading, queries)
    return relation, scope


def _tables(node: exp.Expr, reading: Reading, queries: Queries) -> tuple[Relation, Scope]:
    """Bind a table, or joins in parentheses, whose tables keep their names."""
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
    """Bind one table of FROM: a declared table, CTE, subquery, VALUES, series or table function."""
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
    """Bind a named table: a CTE, else a declared table."""
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
    """Bind a table function."""
    call = table_call(node)
    relation, _, columns = _table(call.rows, reading, queries)
    made = queries.over(relation, columns, call, reading)
    alias = (node.alias or call.function.name).lower()
    return _prepared(made.relation, alias, renamed(made.columns, node))


def _prepared(relation: Relation, alias: str, columns: tuple[Column, ...]) -> _Part:
    """Make a relation joinable under an alias: fields of a public relation take its rows as their key set."""
    held = joined_in(relation)
    return held, alias, _standing(columns, {f.id: f for f in held.fields})


def _standing(columns: tuple[Column, ...], held: Mapping[str, Field]) -> tuple[Column, ...]:
    """Resolve columns to the fields that have their ids after a join."""
    return tuple((name, held[f.id]) for name, f in columns)


def renamed(columns: tuple[Column, ...], node: exp.Expr) -> tuple[Column, ...]:
    """Rename columns by the column list of a table alias or CTE."""
    alias = node.args.get("alias")
    given = (alias.args.get("columns") or ()) if alias is not None else ()
    names = [part.name.lower() for part in given]
    if len(names) > len(columns):
        raise refusal(Code.COLUMN, "There are more names than columns.", "give one name per column", node)
    renamed = tuple((new, f) for new, (_, f) in zip(names, columns, strict=False))
    return renamed + columns[len(names) :]


# sqlglot's (side, kind) -> join type
_CHOOSING = {"SEMI", "ANTI"}
_HOW: dict[tuple[str, str], How] = {
    ("", ""): "inner",
    ("", "INNER"): "inner",
    ("", "CROSS"): "cross",
    ("LEFT", ""): "left",
    ("LEFT", "OUTER"): "left",
    ("RIGHT", ""): "left",  # with the sides exchanged
    ("RIGHT", "OUTER"): "left",
    ("FULL", ""): "full",
    ("FULL", "OUTER"): "full",
}


def _chosen(left: Relation, scope: Scope, node: exp.Join, reading: Reading, queries: Queries) -> Relation:
    """Bind SEMI JOIN and ANTI JOIN."""
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
    """Bind one join: its predicate, the joined relation and the scope of both sides."""
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
    """Combine the scopes of both sides of a join; raises Refusal where a table alias is repeated."""
    twice = next((alias for alias, _ in inside.tables if alias in {name for name, _ in scope.tables}), None)
    if twice is not None:
        raise refusal(Code.TABLE, f"{twice[:40]} stands twice in FROM.", f"JOIN ... AS {twice[:40]}2", node.this)
    if set(inside.merged) & {name for name, _ in scope.columns()}:
        why = "A name that USING merges in brackets stands outside of them too."
        raise refusal(Code.JOIN, why, "join the tables one by one", node.this)
    return Scope((*scope.tables, *inside.tables), scope.merged + inside.merged, scope.instead + inside.instead)


def _how(node: exp.Join) -> How:
    """Type of a join; raises Refusal where its conditions do not fit it."""
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
