"""Bind the select list: items, grouping, DISTINCT, ORDER BY and LIMIT.

`*` and `table.*` are expanded, with EXCLUDE, REPLACE and RENAME; ORDER BY, LIMIT, OFFSET and FETCH are typed.

Terms:

    SelectItem      (name, syntax node, or a field that * expands to)
    resolver        what names mean in one clause: RowResolver over rows, GroupResolver over groups
    alias           name of a select item that other items and clauses refer to
    release point   GROUP BY over private rows without the person key: its result is released with noise
    measure         an aggregate call of a GROUP BY
    outermost       the query that is answered, not a subquery: its columns are output
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref
from dialect.algebra.relations import BoundQuery, OrderKey, PerPerson, Relation, Sort
from dialect.binder.from_clause import QueryBinder
from dialect.binder.group_by import (
    GroupKeys,
    GroupResolver,
    SelectItem,
    bind_group_by,
    build_grouping_sets,
    grouping_field,
    index_keys,
    is_release_point,
    prepare_grouping,
    with_group_bound,
)
from dialect.binder.scalars import NameResolver, bind_condition, bind_scalar
from dialect.binder.scope import (
    NamedField,
    RowResolver,
    Scope,
    has_aggregate,
    has_window,
    interval_end_column,
    is_row_expression,
    subqueries_in_aggregates,
)
from dialect.binder.subqueries import ScalarSubqueries
from dialect.binder.window_functions import WindowCalls, apply_windows, bind_qualify, collect_window_calls
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, to_suggestions
from dialect.parser.compile_context import CompileContext, check_parts, is_in_default_schema, refusal
from dialect.parser.spans import default_name, sql_text
from dialect.parser.suggestions.window_functions import distinct_on_as_qualify
from dialect.stability import row_operators
from dialect.stability.row_operators import counting_suggestions

_MAX_LIMIT = 10**9  # limit of LIMIT and OFFSET


def bind_order_by(
    tree: exp.Query, items_by_name: Mapping[str, Expr], exprs: Sequence[Expr], resolver: NameResolver
) -> tuple[OrderKey, ...]:
    """Bind ORDER BY; `items_by_name` are the select list's columns, `exprs` the same in order.

    ORDER BY ALL orders by every item, in order.
    """
    clause = tree.args.get("order")
    if clause is None:
        return ()
    check_parts(clause, "expressions")
    keys: list[OrderKey] = []
    for term in clause.expressions:
        check_parts(term, "this", "desc", "nulls_first")
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        found = exprs if _is_all(term.this) else [_bind_order_term(term.this, items_by_name, exprs, resolver)]
        keys += [OrderKey(expr, descending, nulls_first) for expr in found]
    return tuple(keys)


def _is_all(node: exp.Expr) -> bool:
    """Return whether a term is ORDER BY ALL."""
    return isinstance(node, exp.Var) and node.name.upper() == "ALL"


def _bind_order_term(
    node: exp.Expr, items_by_name: Mapping[str, Expr], exprs: Sequence[Expr], resolver: NameResolver
) -> Expr:
    """Bind one ORDER BY term: a position, the name of a select item, which hides other columns, or an expression."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(exprs):
            raise refusal(Kind.NO_SUCH_ORDER_POSITION, node, number=node.this[:20])
        return exprs[int(node.this) - 1]
    if isinstance(node, exp.Column) and not node.table:
        found = items_by_name.get(node.name.lower())
        if found is not None:
            return found
    return bind_scalar(node, resolver)


def apply_order_and_limit(tree: exp.Query, relation: Relation, order: tuple[OrderKey, ...]) -> Relation:
    """Apply ORDER BY, LIMIT and OFFSET.

    Over private rows an order alone has no effect, as aggregates above do not see it; LIMIT is refused, with
    suggestions that count the rows, because which rows remain would depend on other persons' rows.
    """
    limit, offset = _limit_value(tree, "limit"), _limit_value(tree, "offset")
    if not order and limit is None and not offset:
        return relation
    if isinstance(relation, PerPerson):
        if limit is None and not offset:
            return relation  # order does not matter to the aggregation above
        unordered = tree.copy()
        for clause in ("order", "limit", "offset"):
            unordered.set(clause, None)
        rewrites = counting_suggestions(sql_text(unordered), relation)
        raise replace(refusal(Kind.LIMIT_OF_PRIVATE_ROWS, tree), rewrites=rewrites)
    return relation.with_operator(Sort(relation, order, limit, offset or 0))


def _limit_value(tree: exp.Query, clause: str) -> int | None:
    """Constant of LIMIT, OFFSET or FETCH; None without the clause.

    The length of the text is checked before it is converted to an integer.
    """
    node = tree.args.get(clause)
    if node is None:
        return None
    slot = "count" if isinstance(node, exp.Fetch) else "expression"
    _check_fetch(node)
    check_parts(node, slot, "direction", "limit_options", code=Code.PARAM)
    value = node.args.get(slot)
    is_integer = (
        isinstance(value, exp.Literal) and not value.is_string and value.this.isascii() and value.this.isdigit()
    )
    if not is_integer or len(value.this) > 20 or int(value.this) > _MAX_LIMIT:
        raise refusal(Kind.LIMIT_TOO_LARGE, node, clause=clause.upper(), limit=_MAX_LIMIT)
    return int(value.this)


def _check_fetch(node: exp.Expr) -> None:
    """Refuse percentages and ties: FETCH FIRST 10 ROWS ONLY is LIMIT 10."""
    options = node.args.get("limit_options")
    is_unsupported = options is not None and any(options.args.get(name) for name in ("percent", "with_ties"))
    if is_unsupported or node.args.get("direction") not in {None, "FIRST", "NEXT"}:
        raise refusal(Kind.FETCH_WITHOUT_NUMBER, node)


def is_star(node: exp.Expr) -> bool:
    """Return whether a select item stands for several columns: `*` or `table.*`."""
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def expand_star(node: exp.Expr, scope: Scope, allow_polygons: bool) -> list[SelectItem]:
    """Expand *; `allow_polygons` only in a subquery, whose outer query may use them in a point-in-polygon test."""
    star = node.this if isinstance(node, exp.Column) else node
    check_parts(star, "except_", "replace", "rename", code=Code.ROWS)
    if isinstance(node, exp.Column) and not is_in_default_schema(node):
        raise refusal(Kind.COLUMN_PARTS, node)
    table = node.table.lower() if isinstance(node, exp.Column) and node.table else None
    columns = scope.columns(table)
    if not columns:
        raise refusal(Kind.STAR_WITHOUT_TABLE, node)
    return [item for item in _apply_star_modifiers(star, columns) if allow_polygons or not _is_polygon(item[1])]


def _is_polygon(item: exp.Expr | Field) -> bool:
    """Return whether an item is a polygon column."""
    return isinstance(item, Field) and item.type is SqlType.POLYGON


def _apply_star_modifiers(star: exp.Expr, columns: Sequence[NamedField]) -> list[SelectItem]:
    """Apply EXCLUDE, REPLACE and RENAME to the columns of *; raises Refusal for names that * does not have."""
    left_out = {part.name.lower() for part in star.args.get("except_") or ()}
    replacements = {part.alias.lower(): part.this for part in star.args.get("replace") or ()}
    names = {part.this.name.lower(): part.alias.lower() for part in star.args.get("rename") or ()}
    unknown = {*left_out, *replacements, *names} - {name for name, _ in columns}
    if unknown:
        raise refusal(Kind.NO_SUCH_STAR_COLUMN, star, name=min(unknown)[:40])
    remaining = [(name, f) for name, f in columns if name not in left_out]
    if not remaining:
        raise refusal(Kind.EXCLUDE_LEAVES_NOTHING, star)
    return [(names.get(name, name), replacements.get(name, f)) for name, f in remaining]


def expand_select_items(tree: exp.Select, scope: Scope, is_outermost: bool) -> list[SelectItem]:
    """Select items by name, with * expanded: (lower-case name, node or field).

    Polygons can't be output, so * of the outermost query leaves them out.
    """
    if not tree.expressions:
        raise refusal(Kind.EMPTY_SELECT, tree)
    items: list[SelectItem] = []
    for node in tree.expressions:
        if is_star(node):
            items += expand_star(node, scope, allow_polygons=not is_outermost)
        elif isinstance(node, exp.Alias):
            items.append((node.alias.lower(), node.this))
        else:
            items.append((default_name(node), node))
    return items


def is_grouped(tree: exp.Select, items: Sequence[SelectItem]) -> bool:
    """Return whether a SELECT has a GROUP BY, a HAVING or aggregates."""
    aggregated = any(isinstance(item, exp.Expr) and has_aggregate(item) for _, item in items)
    return aggregated or bool(tree.args.get("group") or tree.args.get("having"))


@dataclass(frozen=True)
class SelectInput:
    """Input of a select list: the relation of FROM and WHERE, and whether the query is the outermost."""

    source: Relation
    scope: Scope
    is_outermost: bool
    context: CompileContext
    queries: QueryBinder


def bind_ungrouped(tree: exp.Select, items: Sequence[SelectItem], select_input: SelectInput) -> BoundQuery:
    """Bind a SELECT without grouping: its items, QUALIFY and ORDER BY over rows, then DISTINCT and LIMIT.

    Subqueries and windows are collected while items are bound, and computed below the projection.
    """
    subqueries = ScalarSubqueries(select_input.context, select_input.queries, select_input.scope)
    base_resolver = RowResolver(select_input.scope, subqueries=subqueries)
    windows = collect_window_calls(tree, base_resolver, select_input.source, True, select_input.context)
    resolver = replace(base_resolver, windows=windows)
    exprs = _bind_items(items, resolver, lambda item: _bind_row_item(item, resolver))
    items_by_name = _items_by_name(items, exprs)
    alias_resolver = RowResolver(select_input.scope, items_by_name, subqueries, windows)
    test, order = bind_qualify(tree, alias_resolver), bind_order_by(tree, items_by_name, exprs, alias_resolver)
    relation = apply_windows(subqueries.join_to(select_input.source), windows, test)
    return _project_items(tree, items, exprs, replace(select_input, source=relation), order)


def _bind_row_item(item: exp.Expr | Field, resolver: RowResolver) -> Expr:
    """Bind a select item over rows; a plain column may be a polygon, to be used by the outer query."""
    if isinstance(item, Field):
        return Ref(item)
    return resolver.resolve_column(item) if isinstance(item, exp.Column) else bind_scalar(item, resolver)


def bind_grouped(tree: exp.Select, items: Sequence[SelectItem], select_input: SelectInput) -> BoundQuery:
    """Bind a SELECT with grouping: its groups, then its items over them.

    There are two kinds of subqueries: `key_subqueries` in keys and in aggregate arguments are joined to the rows before
    grouping, and may be correlated; `subqueries` in other items are joined to the groups, and may not. Measures and
    fields of GROUPING calls are collected by the resolver while items, HAVING, QUALIFY and ORDER BY are bound.
    """
    key_subqueries = ScalarSubqueries(select_input.context, select_input.queries, select_input.scope)
    keys = _bind_keys(tree, items, RowResolver(select_input.scope, subqueries=key_subqueries))
    for node in subqueries_in_aggregates(tree):
        key_subqueries.bind(node)
    source, source_keys = row_operators.project(
        key_subqueries.join_to(select_input.source), keys.key_exprs, select_input.context
    )
    grouping = prepare_grouping(source, source_keys, keys.sets, select_input.context, tree)
    # (key expression over rows, its field in the result)
    pairs = list(zip(keys.key_exprs, grouping.result_keys, strict=True))
    subqueries = ScalarSubqueries(select_input.context, select_input.queries)
    make_grouping_field = partial(grouping_field, grouping, select_input.context) if len(grouping.sets) > 1 else None
    resolver = GroupResolver(
        select_input.scope,
        source,
        pairs,
        select_input.context,
        subqueries=subqueries,
        key_subqueries=key_subqueries,
        make_grouping_field=make_grouping_field,
    )
    windows = collect_window_calls(
        tree, resolver, with_group_bound(grouping), not is_release_point(source, source_keys), select_input.context
    )
    # a second resolver that allows windows, for items, QUALIFY and ORDER BY; it shares measures and aliases
    group_resolver = replace(resolver, windows=windows)
    exprs = _bind_items(items, group_resolver, lambda item: _bind_group_item(item, group_resolver))
    group_resolver.aliases.update(_items_by_name(items, exprs))
    having = _having(tree, resolver, windows)
    test, order = bind_qualify(tree, group_resolver), bind_order_by(tree, group_resolver.aliases, exprs, group_resolver)
    relation = subqueries.join_to(
        build_grouping_sets(
            grouping, group_resolver.measures, group_resolver.grouping_fields, select_input.context, tree
        )
    )
    if having is not None:
        relation = row_operators.filter_rows(relation, having, select_input.context.properties)
    return _project_items(
        tree, items, exprs, replace(select_input, source=apply_windows(relation, windows, test)), order
    )


def _having(tree: exp.Select, resolver: GroupResolver, windows: WindowCalls) -> Expr | None:
    """Bind HAVING, which can't read windows."""
    clause = tree.args.get("having")
    if clause is None:
        return None
    test = bind_condition(clause.this, resolver)
    windows.refuse_window_fields((test,), clause)
    return test


def _bind_items(
    items: Sequence[SelectItem], resolver: RowResolver | GroupResolver, bind: Callable[[exp.Expr | Field], Expr]
) -> list[Expr]:
    """Bind items in order; each can refer to earlier ones by name, unless the name is ambiguous."""
    name_counts = Counter(name for name, _ in items)
    exprs: list[Expr] = []
    for name, item in items:
        exprs.append(bind(item))
        if name_counts[name] == 1:
            resolver.aliases[name] = exprs[-1]
    return exprs


def bind_where_aliases(tree: exp.Select, scope: Scope) -> dict[str, Expr]:
    """Bind the select items that WHERE refers to by alias: lower-case alias -> expression.

    Columns of the same name take precedence. Only items over single rows: aggregates and windows are computed after
    WHERE.
    """
    clause = tree.args.get("where")
    if clause is None:
        return {}
    columns = {name for name, _ in scope.columns()}
    used_names = _unqualified_names(clause) - columns
    aliased = {each.alias.lower(): each.this for each in tree.expressions if isinstance(each, exp.Alias)}
    row_items = {name: node for name, node in aliased.items() if name in used_names and is_row_expression(node)}
    return {name: bind_scalar(node, RowResolver(scope)) for name, node in row_items.items()}


def _items_by_name(items: Sequence[SelectItem], exprs: Sequence[Expr]) -> dict[str, Expr]:
    """Bound items by name; of several items of one name the first."""
    found: dict[str, Expr] = {}
    for (name, _), expr in zip(items, exprs, strict=True):
        found.setdefault(name, expr)
    return found


def _bind_group_item(item: exp.Expr | Field, resolver: GroupResolver) -> Expr:
    """Bind a select item over groups; a column that * expands to must be a group key."""
    if isinstance(item, exp.Expr):
        return bind_scalar(item, resolver)
    key_field = next((f for expr, f in resolver.keys if isinstance(expr, Ref) and expr.field == item), None)
    if key_field is None:
        raise refusal(Kind.STAR_COLUMN_NOT_GROUPED, name=item.name)
    return Ref(key_field)


def _bind_keys(tree: exp.Select, items: Sequence[SelectItem], resolver: RowResolver) -> GroupKeys:
    """Bind GROUP BY; GROUP BY ALL groups by all items without aggregates.

    Without the clause there is one grouping set without keys: one group of all rows.
    """
    clause = tree.args.get("group")
    if clause is None:
        return index_keys([()])
    check_parts(clause, "expressions", "all")
    if clause.args.get("all"):
        key_items = _group_by_all_items(items, resolver.scope)
        return index_keys(
            [
                _bind_items(
                    key_items,
                    resolver,
                    lambda item: Ref(item) if isinstance(item, Field) else bind_scalar(item, resolver),
                )
            ]
        )
    return bind_group_by(clause.expressions, items, resolver)


def _group_by_all_items(items: Sequence[SelectItem], scope: Scope) -> list[SelectItem]:
    """Items that GROUP BY ALL groups by: without aggregates or windows, also in aliases that they refer to.

    An item that reads the interval of an aggregate's column is computed over groups too.
    """
    columns = {name for name, _ in scope.columns()}
    aggregated_names: set[str] = set()  # names of items over groups
    key_items: list[SelectItem] = []
    for name, item in items:
        if isinstance(item, exp.Expr) and (
            has_aggregate(item)
            or has_window(item)
            or (_unqualified_names(item) - columns) & aggregated_names
            or {interval_end_column(part) for part in item.find_all(exp.Anonymous)} & aggregated_names
        ):
            aggregated_names.add(name)
        else:
            key_items.append((name, item))
    return key_items


def _unqualified_names(node: exp.Expr) -> set[str]:
    """Names of the unqualified columns in an expression."""
    return {column.name.lower() for column in node.find_all(exp.Column) if not column.table}


def _project_items(
    tree: exp.Select,
    items: Sequence[SelectItem],
    exprs: list[Expr],
    select_input: SelectInput,
    order: tuple[OrderKey, ...],
) -> BoundQuery:
    """Project the items, then apply DISTINCT, ORDER BY and LIMIT.

    DISTINCT may replace fields, so columns and ORDER BY keys are resolved to its output.
    """
    relation, fields = row_operators.project(select_input.source, exprs, select_input.context)
    columns = tuple((name, field) for (name, _), field in zip(items, fields, strict=True))
    if tree.args.get("distinct"):
        if tree.args["distinct"].args.get("on"):
            raise replace(refusal(Kind.DISTINCT_ON, tree), rewrites=to_suggestions(distinct_on_as_qualify(tree)))
        relation = row_operators.apply_distinct(relation, fields, select_input.is_outermost, tree)
        columns = tuple((name, next(f for f in relation.fields if f == field)) for name, field in columns)
        order = tuple(_order_key_after_distinct(key, exprs, fields, tree) for key in order)
    return BoundQuery(apply_order_and_limit(tree, relation, order), columns)


def _order_key_after_distinct(
    key: OrderKey, exprs: Sequence[Expr], fields: Sequence[Field], tree: exp.Select
) -> OrderKey:
    """Resolve an ORDER BY key after DISTINCT, where only select items can be used."""
    for expr, field in zip(exprs, fields, strict=True):
        if key.expr in (expr, Ref(field)):
            return OrderKey(Ref(field), key.descending, key.nulls_first)
    raise refusal(Kind.ORDER_AFTER_DISTINCT, tree)
