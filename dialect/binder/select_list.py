"""What a SELECT shows: its items, its groups, its order and its slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from dialect.algebra.directions import OrderKey
from dialect.algebra.expressions import Expr, Field, Ref
from dialect.algebra.relations import Relation
from dialect.binder.from_clause import Queries
from dialect.binder.group_by import Item, Keys, group_by, keyed
from dialect.binder.grouping import GroupNames, releases
from dialect.binder.grouping_sets import closed, grouping_field, groups, widened
from dialect.binder.names import Column, RowNames, Scope, end_of, has_aggregate, has_window, inside_aggregates, is_row
from dialect.binder.ordering import order_keys, sliced
from dialect.binder.scalar_subqueries import ScalarSubqueries
from dialect.binder.scalars import condition, scalar
from dialect.binder.stars import is_star, starred
from dialect.binder.window_clause import WindowCalls, chosen, qualified, window_calls
from dialect.errors import Code, suggested
from dialect.parser.context import Reading, only, refusal
from dialect.parser.suggestions.windows_below import distinct_on_as_qualify
from dialect.stability import rules

Shown = tuple[Relation, tuple[Column, ...]]
_LONGEST_NAME = 60


def select_items(tree: exp.Select, scope: Scope, last: bool) -> list[Item]:
    """List the select items by name, with * written out; `last`: for the answer, where no polygon can be shown."""
    if not tree.expressions:
        raise refusal(Code.PARSE, "This SELECT names nothing that it selects.", "SELECT COUNT(*) FROM ...", tree)
    items: list[Item] = []
    for node in tree.expressions:
        if is_star(node):
            items += starred(node, scope, polygons=not last)
        elif isinstance(node, exp.Alias):
            items.append((node.alias.lower(), node.this))
        else:
            items.append((_default_name(node), node))
    return items


def _default_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Column):
        return node.name.lower()
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        return "count_star()"
    small = sum(1 for _ in zip(node.walk(), range(_LONGEST_NAME), strict=False)) < _LONGEST_NAME
    if not small:
        return "expression"
    return node.sql("duckdb", comments=False, unsupported_level=ErrorLevel.IGNORE)[:_LONGEST_NAME].lower()


def is_grouped(tree: exp.Select, items: Sequence[Item]) -> bool:
    """Tell whether a SELECT aggregates."""
    aggregated = any(isinstance(item, exp.Expr) and has_aggregate(item) for _, item in items)
    return aggregated or bool(tree.args.get("group") or tree.args.get("having"))


@dataclass(frozen=True)
class Place:
    """Where a SELECT stands: what its FROM made, and whether its rows are the answer itself."""

    source: Relation
    scope: Scope
    last: bool
    reading: Reading
    queries: Queries


def rowwise(tree: exp.Select, items: Sequence[Item], place: Place) -> Shown:
    """Compute the items of a SELECT without groups."""
    values = ScalarSubqueries(place.reading, place.queries, place.scope)
    below = RowNames(place.scope, values=values)
    windows = window_calls(tree, below, place.source, True, place.reading)
    names = replace(below, windows=windows)
    exprs = _each(items, names, lambda item: _row_item(item, names))
    shown = _aliases(items, exprs)
    above = RowNames(place.scope, shown, values, windows)
    test, order = qualified(tree, above), order_keys(tree, shown, exprs, above)
    relation = chosen(values.joined(place.source), windows, test)
    return _finish(tree, items, exprs, replace(place, source=relation), order)


def _row_item(item: exp.Expr | Field, names: RowNames) -> Expr:
    """Type an item of rows; a column may be a polygon, which goes on to the query above."""
    if isinstance(item, Field):
        return Ref(item)
    return names.column(item) if isinstance(item, exp.Column) else scalar(item, names)


def grouped(tree: exp.Select, items: Sequence[Item], place: Place) -> Shown:
    """Group a source, then compute the items of the SELECT over its groups."""
    rows = ScalarSubqueries(place.reading, place.queries, place.scope)
    keys = _keys(tree, items, RowNames(place.scope, values=rows))
    for node in inside_aggregates(tree):
        rows.value(node)
    source, below = rules.compute(rows.joined(place.source), keys.written, place.reading)
    held = groups(source, below, keys.sets, place.reading, tree)
    pairs = list(zip(keys.written, held.shown, strict=True))
    values = ScalarSubqueries(place.reading, place.queries)
    tell = partial(grouping_field, held, place.reading) if len(held.sets) > 1 else None
    names = GroupNames(place.scope, source, pairs, place.reading, values=values, rows=rows, tell=tell)
    windows = window_calls(tree, names, widened(held), not releases(source, below), place.reading)
    above = replace(names, windows=windows)  # with the same measures and aliases
    exprs = _each(items, above, lambda item: _group_item(item, above))
    above.aliases.update(_aliases(items, exprs))
    having = _having(tree, names, windows)
    test, order = qualified(tree, above), order_keys(tree, above.aliases, exprs, above)
    relation = values.joined(closed(held, above.measures, above.tellings, place.reading, tree))
    if having is not None:
        relation = rules.keep(relation, having)
    return _finish(tree, items, exprs, replace(place, source=chosen(relation, windows, test)), order)


def _having(tree: exp.Select, names: GroupNames, windows: WindowCalls) -> Expr | None:
    clause = tree.args.get("having")
    if clause is None:
        return None
    test = condition(clause.this, names)
    windows.refuse_windows((test,), clause)
    return test


def _each(items: Sequence[Item], names: RowNames | GroupNames, read: Callable[[exp.Expr | Field], Expr]) -> list[Expr]:
    """Type the items one by one: each may name those before it, unless two have one name."""
    counted = Counter(name for name, _ in items)
    exprs: list[Expr] = []
    for name, item in items:
        exprs.append(read(item))
        if counted[name] == 1:
            names.aliases[name] = exprs[-1]
    return exprs


def where_aliases(tree: exp.Select, scope: Scope) -> dict[str, Expr]:
    """Type the select items that WHERE calls by their aliases; a column of the same name comes first."""
    clause = tree.args.get("where")
    if clause is None:
        return {}
    columns = {name for name, _ in scope.columns()}
    called = _unqualified(clause) - columns
    aliased = {each.alias.lower(): each.this for each in tree.expressions if isinstance(each, exp.Alias)}
    plain = {name: node for name, node in aliased.items() if name in called and is_row(node)}
    return {name: scalar(node, RowNames(scope)) for name, node in plain.items()}


def _aliases(items: Sequence[Item], exprs: Sequence[Expr]) -> dict[str, Expr]:
    found: dict[str, Expr] = {}
    for (name, _), expr in zip(items, exprs, strict=True):
        found.setdefault(name, expr)
    return found


def _group_item(item: exp.Expr | Field, names: GroupNames) -> Expr:
    if isinstance(item, exp.Expr):
        return scalar(item, names)
    held = next((f for expr, f in names.keys if isinstance(expr, Ref) and expr.field == item), None)
    if held is None:
        raise refusal(Code.KEY, f"{item.name} comes with * but is no group key.", "name the columns you want")
    return Ref(held)


def _keys(tree: exp.Select, items: Sequence[Item], names: RowNames) -> Keys:
    clause = tree.args.get("group")
    if clause is None:
        return keyed([()])
    only(clause, "expressions", "all")
    if clause.args.get("all"):
        plain = _plain(items, names.scope)
        return keyed([_each(plain, names, lambda item: Ref(item) if isinstance(item, Field) else scalar(item, names))])
    return group_by(clause.expressions, items, names)


def _plain(items: Sequence[Item], scope: Scope) -> list[Item]:
    """List the items that GROUP BY ALL groups by: those that hold no aggregate or window, and name none before them."""
    columns = {name for name, _ in scope.columns()}
    over: set[str] = set()  # names of what is over groups
    plain: list[Item] = []
    for name, item in items:
        if isinstance(item, exp.Expr) and (
            has_aggregate(item) or has_window(item) or (_unqualified(item) - columns) & over or _ends(item) & over
        ):
            over.add(name)
        else:
            plain.append((name, item))
    return plain


def _ends(node: exp.Expr) -> set[str]:
    return {end_of(part) for part in node.find_all(exp.Anonymous)}


def _unqualified(node: exp.Expr) -> set[str]:
    return {column.name.lower() for column in node.find_all(exp.Column) if not column.table}


def _finish(
    tree: exp.Select, items: Sequence[Item], exprs: list[Expr], place: Place, order: tuple[OrderKey, ...]
) -> Shown:
    relation, fields = rules.compute(place.source, exprs, place.reading)
    columns = tuple((name, made) for (name, _), made in zip(items, fields, strict=True))
    if tree.args.get("distinct"):
        if tree.args["distinct"].args.get("on"):
            why, hint = (
                "DISTINCT ON keeps one whole row of several.",
                "GROUP BY, with MIN(x) or ARG_MIN(x, y) of the others",
            )
            raise replace(refusal(Code.ROWS, why, hint, tree), rewrites=suggested(distinct_on_as_qualify(tree)))
        relation = rules.distinct(relation, fields, place.last, tree)
        columns = tuple((name, next(f for f in relation.fields if f == made)) for name, made in columns)
        order = tuple(_over(key, exprs, fields, tree) for key in order)
    return sliced(tree, relation, order), columns


def _over(key: OrderKey, exprs: Sequence[Expr], fields: Sequence[Field], tree: exp.Select) -> OrderKey:
    """After DISTINCT only what is shown can be ordered by."""
    for expr, made in zip(exprs, fields, strict=True):
        if key.expr in (expr, Ref(made)):
            return OrderKey(Ref(made), key.descending, key.nulls_first)
    raise refusal(Code.COLUMN, "After DISTINCT, ORDER BY takes columns of the select list.", "ORDER BY 1", tree)
