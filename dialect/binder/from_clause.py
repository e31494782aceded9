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
from dialect.algebra.relations import BoundQuery, JoinKind, Public, Relation, Values
from dialect.binder.scalars import bind_condition, bind_scalar
from dialect.binder.scope import NamedField, RowResolver, Scope, split_conjuncts
from dialect.binder.table_functions import TableFunctionCall, parse_table_function
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal
from dialect.functions.literals import add_units, format_time, parse_timestamp
from dialect.parser.compile_context import CompileContext, check_parts, is_in_default_schema, refusal
from dialect.stability.joins import JoinResult, join_relations, semi_join
from dialect.stability.row_operators import prepare_for_join, project
from dialect.stability.scans import find_table, scan_table, schema_refusal
from dialect.stability.typed_calls import apply_function


def bind_join_condition(
    node: exp.Join, left: Scope, joined_scope: Scope, columns: tuple[NamedField, ...]
) -> tuple[Expr, tuple[str, ...]]:
    """Bind ON or USING: (join predicate, column names that USING merges).

    `left` are the tables before the join, `joined_scope` those with the joined table, `columns` the joined table's.
    Without either clause the predicate is TRUE.
    """
    using = [part.name.lower() for part in node.args.get("using") or ()]
    if using:
        right = Scope((("right", columns),))
        pairs = [(left.resolve(name, None, node), right.resolve(name, None, node)) for name in using]
        return conjunction(tuple(_using_equality([Ref(a), Ref(b)], node) for a, b in pairs)), tuple(using)
    if node.args.get("on") is None:
        return TRUE, ()
    try:
        return bind_condition(node.args["on"], RowResolver(joined_scope)), ()
    except Refusal as refused:
        if refused.code is not Code.PERSON_KEY:
            raise
        raise Kind.PERSON_JOIN_NOT_EQUALITY.at(refused.span) from None


def _using_equality(pair: list[Expr], node: exp.Join) -> Expr:
    """Equality of two columns of USING; raises Refusal with E_JOIN where their types differ."""
    try:
        return apply_function("=", pair, node)
    except Refusal as refused:
        raise Kind.USING_OF_OTHER_TYPES.at(refused.span, comparison=refused) from None


def join_equalities_in_where(where: exp.Where | None, joined_scope: Scope, columns: tuple[NamedField, ...]) -> Expr:
    """Equalities of WHERE that join a comma-separated table; they stay in WHERE too.

        FROM visit, zone WHERE visit.zone_id = zone.id

    An equality of two columns counts if exactly one of them is the new table's (`columns`); TRUE where there is none.
    """
    right = [f for _, f in columns]
    found: list[Expr] = []
    for part in split_conjuncts(where.this) if where is not None else ():
        node = part.unnest() if isinstance(part, exp.Paren) else part
        if not (isinstance(node, exp.EQ) and all(isinstance(side, exp.Column) for side in node.iter_expressions())):
            continue
        with suppress(Refusal):  # reads a later table, or is invalid: reported when WHERE is bound
            typed = bind_condition(node, RowResolver(joined_scope))
            if {f in right for f in fields_of(typed)} == {True, False}:  # one side is the new table's
                found.append(typed)
    return conjunction(tuple(found))


def resolve_merged_columns(
    joined_relation: JoinResult,
    scope: Scope,
    pairs: Mapping[str, tuple[Field, ...]],
    node: exp.Join,
    context: CompileContext,
) -> tuple[Relation, Scope]:
    """Resolve the columns merged by USING after RIGHT JOIN to the right side, after FULL JOIN to COALESCE of both.

    The left side's column would be NULL in rows without a left match. `pairs`: merged name -> (left field, right
    field).
    """
    if node.side.upper() == "RIGHT":
        return joined_relation.relation, scope.with_merged_fields(
            tuple((name, right) for name, (_, right) in pairs.items())
        )
    exprs = [_coalesced(pair, joined_relation, node) for pair in pairs.values()]
    relation, fields = project(joined_relation.relation, exprs, context)
    return relation, scope.with_merged_fields(tuple(zip(pairs, fields, strict=True)))


def _coalesced(pair: tuple[Field, ...], joined_relation: JoinResult, node: exp.Join) -> Expr:
    """COALESCE of two merged columns.

    A person key can't be an argument of COALESCE; after a FULL JOIN of private tables it is the joined row's person.
    """
    if joined_relation.person is not None and all(f.is_person_key for f in pair):
        return Ref(joined_relation.person)
    return apply_function("coalesce", [Ref(f) for f in pair], node)


def split_joins(node: exp.Expr) -> tuple[exp.Expr, list[exp.Join]]:
    """Separate a table from the joins that sqlglot attaches to it: (table without joins, joins).

    The table is a copy, whose parent stays, so that refusals find their span.
    """
    joins: list[exp.Join] = node.args.get("joins") or []
    if not joins:
        return node, []
    first = node.copy()
    first.set("joins", None)
    first.parent = node.parent
    return first, joins


def bind_values(node: exp.Values, context: CompileContext) -> Public:
    """Bind VALUES to a public relation with columns col0, col1, ...; raises Refusal with E_TABLE."""
    check_parts(node, "expressions", "alias", code=Code.TABLE)
    rows = [[bind_constant(cell) for cell in row.expressions] for row in node.expressions if isinstance(row, exp.Tuple)]
    if len(rows) != len(node.expressions) or not rows or any(len(row) != len(rows[0]) for row in rows):
        raise refusal(Kind.UNEQUAL_VALUES_ROWS, node)
    fields = []
    for position in range(len(rows[0])):
        column = [row[position] for row in rows]
        fields.append(Field(context.new_field_id(), f"col{position}", common_type(column, node), _has_null(column)))
    return Public(Values(tuple(tuple(row) for row in rows), tuple(fields)), tuple(fields))


def common_type(column: list[Literal], node: exp.Expr) -> SqlType:
    """Return the common type of the constants in one column; raises Refusal with E_TABLE where they differ."""
    types = {cell.type for cell in column} - {SqlType.NULL}
    if len(types) > 1 and types != {SqlType.BIGINT, SqlType.DOUBLE}:
        raise refusal(Kind.VALUES_OF_SEVERAL_TYPES, node)
    return SqlType.DOUBLE if len(types) > 1 else next(iter(types), SqlType.NULL)


def _has_null(column: list[Literal]) -> bool:
    """Return whether a column of constants contains NULL."""
    return any(cell.value is None for cell in column)


def bind_constant(node: exp.Expr) -> Literal:
    """Bind a constant expression; raises Refusal with E_TABLE for any other."""
    typed = bind_scalar(node, RowResolver(Scope()))
    if not isinstance(typed, Literal):
        raise refusal(Kind.VALUES_NOT_CONSTANT, node)
    return typed


MAX_LIST_VALUES = 5_000  # written as literals into the generated SQL
_TIMES = {SqlType.DATE, SqlType.TIMESTAMP}


def bind_series(node: exp.Expr, context: CompileContext) -> tuple[Public, str]:
    """Bind range, generate_series or unnest to (public relation of one column, its alias); raises Refusal with E_TABLE.

    The values are written into the generated SQL as constants, so their number is limited, and columns are refused.
    """
    check_parts(node, "this", "expressions", "alias", code=Code.TABLE)
    if (column := node.find(exp.Column)) is not None:
        raise _series_refusal(column)
    call = node.this if isinstance(node, exp.Table) else _only_argument(node)
    values = list(islice(_series_values(call), MAX_LIST_VALUES + 1))
    if len(values) > MAX_LIST_VALUES:
        raise refusal(Kind.LIST_TOO_LONG, node, limit=MAX_LIST_VALUES)
    name = "unnest" if isinstance(node, exp.Unnest) else _series_name(call)
    alias = node.alias.lower() or name
    field = Field(context.new_field_id(), alias, common_type(values, node), any(each.value is None for each in values))
    return Public(Values(tuple((each,) for each in values), (field,)), (field,)), alias


def _series_name(call: exp.Expr) -> str:
    """Return the function name of a series: range, or generate_series, which includes its end."""
    return "range" if call.args.get("is_end_exclusive") else "generate_series"


def _only_argument(node: exp.Expr) -> exp.Expr:
    """Return the only argument of unnest."""
    if len(node.expressions) != 1:
        raise _series_refusal(node)
    return node.expressions[0]


def _series_refusal(node: exp.Expr) -> Refusal:
    """Build the refusal of a series that is not made of constants."""
    return refusal(Kind.LIST_OF_CONSTANTS, node)


def _series_values(call: exp.Expr) -> Iterator[Literal]:
    """Iterate over the constants of a series: a list, integers with a step, or times with an interval as step.

    Raises Refusal for other types, and for a step of 0, which would never end.
    """
    if isinstance(call, exp.Array):
        return iter([bind_constant(each) for each in call.expressions])
    if not isinstance(call, exp.GenerateSeries):
        raise _series_refusal(call)
    check_parts(call, "start", "end", "step", "is_end_exclusive", code=Code.TABLE)
    start, end = bind_constant(call.args["start"]), bind_constant(call.args["end"])
    step = bind_constant(_step_node(call.args["step"])) if call.args.get("step") else Literal(1, SqlType.BIGINT)
    end_types = {start.type, end.type}
    if end_types | {step.type} == {SqlType.BIGINT} and step.value:
        return _integers(start, end, int(step.value), call)
    amount, _, unit = str(step.value).partition(" ")
    if end_types <= _TIMES and step.type is SqlType.INTERVAL and int(amount):
        return _times(start, end, int(amount), unit, call)
    raise _series_refusal(call)


def _step_node(node: exp.Expr) -> exp.Expr:
    """Convert a quoted step such as '1 day' to an interval."""
    amount, _, unit = node.name.partition(" ")
    is_interval_text = isinstance(node, exp.Literal) and node.is_string and amount.isdecimal() and unit.isalpha()
    return exp.Interval(this=exp.Literal.string(amount), unit=exp.var(unit.upper())) if is_interval_text else node


def _integers(start: Literal, end: Literal, step: int, call: exp.Expr) -> Iterator[Literal]:
    """Iterate over an integer series; generate_series includes its end, range does not."""
    first, last = int(start.value or 0), int(end.value or 0)
    stop = last if _series_name(call) == "range" else last + (1 if step > 0 else -1)
    return (Literal(value, SqlType.BIGINT) for value in range(first, stop, step))


def _times(start: Literal, end: Literal, amount: int, unit: str, call: exp.Expr) -> Iterator[Literal]:
    """Iterate over a time series, each value computed from the one before, as DuckDB does for months.

    A step may be negative. The values are timestamps, also where the ends are dates.
    """
    current, last = parse_timestamp(str(start.value)), parse_timestamp(str(end.value))
    try:
        while (current < last if amount > 0 else current > last) or (current == last and _series_name(call) != "range"):
            yield Literal(format_time(current, SqlType.TIMESTAMP), SqlType.TIMESTAMP)
            current = add_units(current, amount, unit)
    except (ValueError, OverflowError):  # beyond Python's range of years
        raise _series_refusal(call) from None


class QueryBinder(Protocol):
    """Binds subqueries, CTEs and table functions."""

    def bind_cte(self, name: str, context: CompileContext, node: exp.Expr) -> BoundQuery | None:
        """Bind the CTE of this name; None where there is none."""
        ...

    def bind_subquery(self, tree: exp.Expr, context: CompileContext) -> BoundQuery:
        """Bind a subquery of FROM to a relation whose rows have an alias."""
        ...

    def bind_table_function(
        self, relation: Relation, columns: tuple[NamedField, ...], call: TableFunctionCall, context: CompileContext
    ) -> BoundQuery:
        """Bind a table function over bound rows."""
        ...


_FromItem = tuple[Relation, str, tuple[NamedField, ...]]  # relation, alias, visible columns


def bind_from(tree: exp.Select, context: CompileContext, queries: QueryBinder) -> tuple[Relation, Scope]:
    """Bind FROM with all its joins, left to right: (relation, scope of its tables).

    Without FROM the relation has one row and no columns.
    """
    clause = tree.args.get("from_")
    if clause is None:
        single_row = Public(Values(((),), ()), ())
        return single_row, Scope()
    check_parts(clause, "this")
    first, attached_joins = split_joins(clause.this)  # sqlglot attaches those of FROM a JOIN b SELECT ... to the table
    return _bind_joins(
        first, [*attached_joins, *(tree.args.get("joins") or ())], tree.args.get("where"), context, queries
    )


def _bind_joins(
    first: exp.Expr, joins: Sequence[exp.Join], where: exp.Where | None, context: CompileContext, queries: QueryBinder
) -> tuple[Relation, Scope]:
    """Bind a table and the tables joined to it, left to right: (relation, scope of its tables).

    `where`: a comma-separated table finds its join predicate there; None for joins in parentheses, which no WHERE
    reaches.
    """
    relation, scope = _bind_table_or_joins(first, context, queries)
    for node in joins:
        if node.kind.upper() in _SEMI_JOIN_KINDS:
            relation = _bind_semi_join(relation, scope, node, context, queries)
        else:
            relation, scope = _bind_join(relation, scope, node, where, context, queries)
    return relation, scope


def _bind_table_or_joins(node: exp.Expr, context: CompileContext, queries: QueryBinder) -> tuple[Relation, Scope]:
    """Bind a table, or joins in parentheses, whose tables keep their names.

    sqlglot parses (a JOIN b ...) as a subquery node around the first table, to which the joins are attached.
    """
    inside = node.this if isinstance(node, exp.Subquery) else None
    if isinstance(inside, exp.Table) and not inside.args.get("joins"):
        raise refusal(Kind.BRACKETS_IN_FROM, node, name=inside.name[:40])
    if not (isinstance(inside, exp.Table | exp.Subquery) and inside.args.get("joins")):
        relation, alias, columns = _bind_table(node, context, queries)
        return relation, Scope(((alias, columns),))
    if node.args.get("alias"):
        raise refusal(Kind.NAMED_JOIN_BRACKETS, node)
    check_parts(node, "this", code=Code.JOIN)
    return _bind_joins(*split_joins(inside), None, context, queries)


def _bind_table(node: exp.Expr, context: CompileContext, queries: QueryBinder) -> _FromItem:
    """Bind one table of FROM: a declared table, CTE, subquery, VALUES, series or table function.

    A table without a name gets a generated alias, which the query can't write.
    """
    if node.args.get("sample"):
        raise refusal(Kind.TABLE_SAMPLE, node)
    if isinstance(node, exp.Unnest) or (isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries)):
        relation, name = bind_series(node, context)
        shown = tuple((f.name or "", f) for f in relation.fields)
        return _from_item(relation, name, rename_columns(shown, node))
    if isinstance(node, exp.Table):
        return _bind_named_table(node, context, queries)
    if isinstance(node, exp.Values):
        relation = bind_values(node, context)
        shown = tuple((f.name or "", f) for f in relation.fields)
        return _from_item(
            relation, node.alias.lower() or f"values_{context.new_field_id()}", rename_columns(shown, node)
        )
    if isinstance(node, exp.Subquery):
        check_parts(node, "this", "alias", code=Code.TABLE)
        bound = queries.bind_subquery(node.this, context)
        alias = node.alias.lower() or f"subquery_{context.new_field_id()}"
        return _from_item(bound.relation, alias, rename_columns(bound.columns, node))
    raise refusal(Kind.LATERAL_IN_FROM if isinstance(node, exp.Lateral) else Kind.UNKNOWN_FROM_ITEM, node)


def _bind_named_table(node: exp.Table, context: CompileContext, queries: QueryBinder) -> _FromItem:
    """Bind a named table: a CTE, else a declared table, whose hidden columns (without a name) are not in scope."""
    if not isinstance(node.this, exp.Identifier):
        return _bind_table_function(node, context, queries)
    name = node.name.lower()
    if not is_in_default_schema(node):
        raise schema_refusal(node, name)
    if node.args.get("joins"):
        raise refusal(Kind.NESTED_JOIN, node)
    check_parts(node, "this", "db", "alias", code=Code.TABLE)
    alias = (node.alias or name).lower()
    cte = None if node.args.get("db") else queries.bind_cte(name, context, node)  # no CTE is in a schema
    if cte is not None:
        return _from_item(cte.relation, alias, rename_columns(cte.columns, node))
    relation = scan_table(find_table(context.catalog, name, node), context, node)
    columns = tuple((f.name, f) for f in relation.fields if f.name is not None)
    return _from_item(relation, alias, rename_columns(columns, node))


def _bind_table_function(node: exp.Table, context: CompileContext, queries: QueryBinder) -> _FromItem:
    """Bind a table function: its input rows as a table of FROM, then the query that it expands to over them."""
    call = parse_table_function(node)
    relation, _, columns = _bind_table(call.rows, context, queries)
    bound = queries.bind_table_function(relation, columns, call, context)
    alias = (node.alias or call.function.name).lower()
    return _from_item(bound.relation, alias, rename_columns(bound.columns, node))


def _from_item(relation: Relation, alias: str, columns: tuple[NamedField, ...]) -> _FromItem:
    """Make a relation joinable under an alias: fields of a public relation take its rows as their key set."""
    joinable = prepare_for_join(relation)
    return joinable, alias, _fields_after_join(columns, {f.id: f for f in joinable.fields})


def _fields_after_join(columns: tuple[NamedField, ...], fields_by_id: Mapping[str, Field]) -> tuple[NamedField, ...]:
    """Resolve columns to the fields that have their ids after a join."""
    return tuple((name, fields_by_id[f.id]) for name, f in columns)


def rename_columns(columns: tuple[NamedField, ...], node: exp.Expr) -> tuple[NamedField, ...]:
    """Rename columns by the column list of a table alias or CTE, `AS t(a, b)`; further columns keep their names."""
    alias = node.args.get("alias")
    alias_columns = (alias.args.get("columns") or ()) if alias is not None else ()
    names = [part.name.lower() for part in alias_columns]
    if len(names) > len(columns):
        raise refusal(Kind.MORE_NAMES_THAN_COLUMNS, node)
    renamed = tuple((new, f) for new, (_, f) in zip(names, columns, strict=False))
    return renamed + columns[len(names) :]


# sqlglot's (side, kind) -> join type
_SEMI_JOIN_KINDS = {"SEMI", "ANTI"}
_JOIN_TYPES: dict[tuple[str, str], JoinKind] = {
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


def _bind_semi_join(
    left: Relation, scope: Scope, node: exp.Join, context: CompileContext, queries: QueryBinder
) -> Relation:
    """Bind SEMI JOIN and ANTI JOIN: left rows with or without a match; the scope stays, as no columns are added.

    Refusals of the semi-join rule get the code E_JOIN, since no subquery is written.
    """
    check_parts(node, "this", "on", "using", "kind", code=Code.JOIN)
    right, alias, columns = _bind_table(node.this, context, queries)
    on, _ = bind_join_condition(node, scope, replace(scope, tables=(*scope.tables, (alias, columns))), columns)
    if on == TRUE:
        raise refusal(Kind.SEMI_JOIN_WITHOUT_CONDITION, node, kind=node.kind.upper())
    try:
        return semi_join(left, right, on, node.kind.upper() == "ANTI", node)
    except Refusal as refused:
        raise replace(refused, code=Code.JOIN) from None


def _bind_join(
    left: Relation, scope: Scope, node: exp.Join, where: exp.Where | None, context: CompileContext, queries: QueryBinder
) -> tuple[Relation, Scope]:
    """Bind one join: the joined relation and the scope of both sides.

    A RIGHT JOIN is a LEFT JOIN with the sides exchanged. Joins may change fields, e.g. to nullable ones, so the columns
    of the scope are looked up again by field id in the result.
    """
    join_type = _join_type(node)
    right, right_scope = _bind_table_or_joins(node.this, context, queries)
    columns = tuple(right_scope.columns())
    joined_scope = _combine_scopes(scope, right_scope, node)
    on, merged = bind_join_condition(node, scope, joined_scope, columns)
    if join_type == "cross":
        on = join_equalities_in_where(where, joined_scope, columns)
        join_type = "cross" if on == TRUE else "inner"
    sides = (right, left) if node.side.upper() == "RIGHT" else (left, right)  # RIGHT is planned as LEFT
    joined_relation = join_relations(*sides, join_type, on, node, context)
    tables = tuple(
        (name, _fields_after_join(shown, joined_relation.output_fields)) for name, shown in joined_scope.tables
    )
    shown = Scope(
        tables,
        joined_scope.using_names + merged,
        _fields_after_join(joined_scope.merged_fields, joined_relation.output_fields),
    )
    if node.side.upper() not in ("RIGHT", "FULL") or not merged:
        return joined_relation.relation, shown
    pairs = [
        tuple(joined_relation.output_fields[each.resolve(name, None, node).id] for each in (scope, right_scope))
        for name in merged
    ]
    return resolve_merged_columns(joined_relation, shown, dict(zip(merged, pairs, strict=True)), node, context)


def _combine_scopes(scope: Scope, right_scope: Scope, node: exp.Join) -> Scope:
    """Combine the scopes of both sides of a join; raises Refusal where a table alias is repeated.

    Refused too where USING in parentheses on the right merges a name that the left side has: which of the three columns
    the name means would be unclear.
    """
    duplicate = next((alias for alias, _ in right_scope.tables if alias in {name for name, _ in scope.tables}), None)
    if duplicate is not None:
        raise refusal(Kind.TABLE_TWICE, node.this, name=duplicate[:40])
    if set(right_scope.using_names) & {name for name, _ in scope.columns()}:
        raise refusal(Kind.MERGED_NAME_TWICE, node.this)
    return Scope(
        (*scope.tables, *right_scope.tables),
        scope.using_names + right_scope.using_names,
        scope.merged_fields + right_scope.merged_fields,
    )


def _join_type(node: exp.Join) -> JoinKind:
    """Type of a join; raises Refusal where its conditions do not fit it.

    A plain JOIN without condition is a cross join; LEFT and FULL JOIN need a condition.
    """
    if node.method:
        raise refusal(Kind.JOIN_WITHOUT_EQUALITY, node, method=node.method.upper())
    check_parts(node, "this", "on", "using", "side", "kind", code=Code.JOIN)
    side, kind = node.side.upper(), node.kind.upper()
    conditions = bool(node.args.get("on")) + bool(node.args.get("using"))
    join_type = _JOIN_TYPES.get((side, kind))
    if join_type is None:
        raise refusal(Kind.UNKNOWN_JOIN, node, kind=side or kind)
    if conditions > 1 or (join_type in ("left", "full") and not conditions) or (join_type == "cross" and conditions):
        raise refusal(Kind.JOIN_CONDITIONS, node)
    return join_type if conditions else "cross"
