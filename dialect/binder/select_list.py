"""Bind the select list: items, grouping, DISTINCT, ORDER BY and LIMIT.

`*` and `table.*` are expanded, with EXCLUDE, REPLACE and RENAME; ORDER BY, LIMIT, OFFSET and FETCH are typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from dialect.algebra.expressions import Expr, Field, Ref
from dialect.algebra.relations import OrderKey, PerPerson, Relation, Sort
from dialect.binder.from_clause import Queries
from dialect.binder.group_by import (
    GroupNames,
    Item,
    Keys,
    closed,
    group_by,
    grouping_field,
    groups,
    keyed,
    releases,
    widened,
)
from dialect.binder.scalars import Names, condition, scalar
from dialect.binder.scope import Column, RowNames, Scope, end_of, has_aggregate, has_window, inside_aggregates, is_row
from dialect.binder.subqueries import ScalarSubqueries
from dialect.binder.window_functions import WindowCalls, chosen, qualified, window_calls
from dialect.catalog.model import SqlType
from dialect.errors import Code, suggested
from dialect.parser.context import Reading, only, refusal
from dialect.parser.suggestions.windows import distinct_on_as_qualify
from dialect.stability import row_operators
from dialect.stability.row_operators import counted_instead

_MOST_ROWS = 10**9  # limit of LIMIT and OFFSET


def order_keys(tree: exp.Query, shown: Mapping[str, Expr], exprs: Sequence[Expr], names: Names) -> tuple[OrderKey, ...]:
    """Bind ORDER BY; `items_by_name` are the select list's columns, `exprs` the same in order."""
    clause = tree.args.get("order")
    if clause is None:
        return ()
    only(clause, "expressions")
    keys: list[OrderKey] = []
    for term in clause.expressions:
        only(term, "this", "desc", "nulls_first")
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        found = exprs if _is_all(term.this) else [_order_term(term.this, shown, exprs, names)]
        keys += [OrderKey(expr, descending, nulls_first) for expr in found]
    return tuple(keys)


def _is_all(node: exp.Expr) -> bool:
    """Return whether a term is ORDER BY ALL."""
    return isinstance(node, exp.Var) and node.name.upper() == "ALL"


def _order_term(node: exp.Expr, shown: Mapping[str, Expr], exprs: Sequence[Expr], names: Names) -> Expr:
    """Bind one ORDER BY term: a position, the name of a select item, which hides other columns, or an expression."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(exprs):
            raise refusal(Code.COLUMN, f"There is no column {node.this[:20]} in the select list.", "ORDER BY 1", node)
        return exprs[int(node.this) - 1]
    if isinstance(node, exp.Column) and not node.table:
        found = shown.get(node.name.lower())
        if found is not None:
            return found
    return scalar(node, names)


def sliced(tree: exp.Query, relation: Relation, order: tuple[OrderKey, ...]) -> Relation:
    """Apply ORDER BY, LIMIT and OFFSET; on rows of persons an order has no effect and LIMIT is refused."""
    limit, offset = _count(tree, "limit"), _count(tree, "offset")
    if not order and limit is None and not offset:
        return relation
    if isinstance(relation, PerPerson):
        if limit is None and not offset:
            return relation  # order does not matter to the aggregation above
        why = "Rows of people never leave, and can't be cut by LIMIT."
        whole = tree.copy()
        for clause in ("order", "limit", "offset"):
            whole.set(clause, None)
        counted = counted_instead(whole.sql("duckdb", comments=False), relation)
        raise replace(refusal(Code.SAMPLE, why, "LIMIT behind an aggregate", tree), rewrites=counted)
    return replace(relation, operator=Sort(relation, order, limit, offset or 0))


def _count(tree: exp.Query, clause: str) -> int | None:
    """Constant of LIMIT, OFFSET or FETCH; None without the clause."""
    node = tree.args.get(clause)
    if node is None:
        return None
    part = "count" if isinstance(node, exp.Fetch) else "expression"
    _check_fetch(node)
    only(node, part, "direction", "limit_options", code=Code.PARAM)
    value = node.args.get(part)
    whole = isinstance(value, exp.Literal) and not value.is_string and value.this.isascii() and value.this.isdigit()
    if not whole or len(value.this) > 20 or int(value.this) > _MOST_ROWS:
        why = f"{clause.upper()} takes a whole number of at most {_MOST_ROWS:,}."
        raise refusal(Code.PARAM, why, f"{clause.upper()} 10", node)
    return int(value.this)


def _check_fetch(node: exp.Expr) -> None:
    """Refuse percentages and ties: FETCH FIRST 10 ROWS ONLY is LIMIT 10."""
    options = node.args.get("limit_options")
    special = options is not None and any(options.args.get(name) for name in ("percent", "with_ties"))
    if special or node.args.get("direction") not in {None, "FIRST", "NEXT"}:
        raise refusal(Code.PARAM, "FETCH takes a number of first rows.", "FETCH FIRST 10 ROWS ONLY", node)


def is_star(node: exp.Expr) -> bool:
    """Return whether a select item is * or table.*."""
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def starred(node: exp.Expr, scope: Scope, polygons: bool) -> list[Item]:
    """Expand *; `allow_polygons` only in a subquery, whose outer query may use them in a point-in-polygon test."""
    star = node.this if isinstance(node, exp.Column) else node
    only(star, "except_", "replace", "rename", code=Code.ROWS)
    table = node.table.lower() if isinstance(node, exp.Column) and node.table else None
    columns = scope.columns(table)
    if not columns:
        raise refusal(Code.TABLE, "* has no table to stand for.", "add a FROM", node)
    return [item for item in _changed(star, columns) if polygons or not _is_polygon(item[1])]


def _is_polygon(item: exp.Expr | Field) -> bool:
    """Return whether an item is a polygon column."""
    return isinstance(item, Field) and item.type is SqlType.POLYGON


def _changed(star: exp.Expr, columns: Sequence[Column]) -> list[Item]:
    """Apply EXCLUDE, REPLACE and RENAME to the columns of *."""
    left_out = {part.name.lower() for part in star.args.get("except_") or ()}
    other = {part.alias.lower(): part.this for part in star.args.get("replace") or ()}
    names = {part.this.name.lower(): part.alias.lower() for part in star.args.get("rename") or ()}
    unknown = {*left_out, *other, *names} - {name for name, _ in columns}
    if unknown:
        raise refusal(Code.COLUMN, f"* has no column {min(unknown)[:40]}.", "a column of the tables in FROM", star)
    kept = [(name, f) for name, f in columns if name not in left_out]
    if not kept:
        raise refusal(Code.COLUMN, "EXCLUDE leaves no column.", "keep one of them", star)
    return [(names.get(name, name), other.get(name, f)) for name, f in kept]


Shown = tuple[Relation, tuple[Column, ...]]
_LONGEST_NAME = 60


def select_items(tree: exp.Select, scope: Scope, last: bool) -> list[Item]:
    """Select items by name, with * expanded; polygons are left out where the query is the outermost."""
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
    """Column name of an item without alias, as in DuckDB."""
    if isinstance(node, exp.Column):
        return node.name.lower()
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        return "count_star()"
    small = sum(1 for _ in zip(node.walk(), range(_LONGEST_NAME), strict=False)) < _LONGEST_NAME
    if not small:
        return "expression"
    return node.sql("duckdb", comments=False, unsupported_level=ErrorLevel.IGNORE)[:_LONGEST_NAME].lower()


def is_grouped(tree: exp.Select, items: Sequence[Item]) -> bool:
    """Return whether a SELECT has a GROUP BY, a HAVING or aggregates."""
    aggregated = any(isinstance(item, exp.Expr) and has_aggregate(item) for _, item in items)
    return aggregated or bool(tree.args.get("group") or tree.args.get("having"))


@dataclass(frozen=True)
class Place:
    """Input of a select list: the relation of FROM and WHERE, and whether the query is the outermost."""

    source: Relation
    scope: Scope
    last: bool
    reading: Reading
    queries: Queries


def rowwise(tree: exp.Select, items: Sequence[Item], place: Place) -> Shown:
    """Bind a SELECT without grouping."""
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
    """Bind a select item over rows; a plain column may be a polygon, to be used by the outer query."""
    if isinstance(item, Field):
        return Ref(item)
    return names.column(item) if isinstance(item, exp.Column) else scalar(item, names)


def grouped(tree: exp.Select, items: Sequence[Item], place: Place) -> Shown:
    """Bind a SELECT with grouping: its groups, then its items over them."""
    rows = ScalarSubqueries(place.reading, place.queries, place.scope)
    keys = _keys(tree, items, RowNames(place.scope, values=rows))
    for node in inside_aggregates(tree):
        rows.value(node)
    source, below = row_operators.compute(rows.joined(place.source), keys.written, place.reading)
    held = groups(source, below, keys.sets, place.reading, tree)
    pairs = list(zip(keys.written, held.shown, strict=True))
    values = ScalarSubqueries(place.reading, place.queries)
    tell = partial(grouping_field, held, place.reading) if len(held.sets) > 1 else None
    names = GroupNames(place.scope, source, pairs, place.reading, values=values, rows=rows, tell=tell)
    windows = window_calls(tree, names, widened(held), not releases(source, below), place.reading)
    above = replace(names, windows=windows)  # shares measures and aliases
    exprs = _each(items, above, lambda item: _group_item(item, above))
    above.aliases.update(_aliases(items, exprs))
    having = _having(tree, names, windows)
    test, order = qualified(tree, above), order_keys(tree, above.aliases, exprs, above)
    relation = values.joined(closed(held, above.measures, above.tellings, place.reading, tree))
    if having is not None:
        relation = row_operators.keep(relation, having)
    return _finish(tree, items, exprs, replace(place, source=chosen(relation, windows, test)), order)


def _having(tree: exp.Select, names: GroupNames, windows: WindowCalls) -> Expr | None:
    """Bind HAVING, which can't read windows."""
    clause = tree.args.get("having")
    if clause is None:
        return None
    test = condition(clause.this, names)
    windows.refuse_windows((test,), clause)
    return test


def _each(items: Sequence[Item], names: RowNames | GroupNames, read: Callable[[exp.Expr | Field], Expr]) -> list[Expr]:
    """Bind items in order; each can refer to earlier ones by name, unless the name is ambiguous."""
    counted = Counter(name for name, _ in items)
    exprs: list[Expr] = []
    for name, item in items:
        exprs.append(read(item))
        if counted[name] == 1:
            names.aliases[name] = exprs[-1]
    return exprs


def where_aliases(tree: exp.Select, scope: Scope) -> dict[str, Expr]:
    """Bind the select items that WHERE refers to by alias; columns of the same name take precedence."""
    clause = tree.args.get("where")
    if clause is None:
        return {}
    columns = {name for name, _ in scope.columns()}
    called = _unqualified(clause) - columns
    aliased = {each.alias.lower(): each.this for each in tree.expressions if isinstance(each, exp.Alias)}
    plain = {name: node for name, node in aliased.items() if name in called and is_row(node)}
    return {name: scalar(node, RowNames(scope)) for name, node in plain.items()}


def _aliases(items: Sequence[Item], exprs: Sequence[Expr]) -> dict[str, Expr]:
    """Bound items by name, the first of each name."""
    found: dict[str, Expr] = {}
    for (name, _), expr in zip(items, exprs, strict=True):
        found.setdefault(name, expr)
    return found


def _group_item(item: exp.Expr | Field, names: GroupNames) -> Expr:
    """Bind a select item over groups."""
    if isinstance(item, exp.Expr):
        return scalar(item, names)
    held = next((f for expr, f in names.keys if isinstance(expr, Ref) and expr.field == item), None)
    if held is None:
        raise refusal(Code.KEY, f"{item.name} comes with * but is no group key.", "name the columns you want")
    return Ref(held)


def _keys(tree: exp.Select, items: Sequence[Item], names: RowNames) -> Keys:
    """Bind GROUP BY; GROUP BY ALL groups by all items without aggregates."""
    clause = tree.args.get("group")
    if clause is None:
        return keyed([()])
    only(clause, "expressions", "all")
    if clause.args.get("all"):
        plain = _plain(items, names.scope)
        return keyed([_each(plain, names, lambda item: Ref(item) if isinstance(item, Field) else scalar(item, names))])
    return group_by(clause.expressions, items, names)


def _plain(items: Sequence[Item], scope: Scope) -> list[Item]:
    """Items that GROUP BY ALL groups by: without aggregates or windows, also in aliases that they refer to."""
    columns = {name for name, _ in scope.columns()}
    over: set[str] = set()  # names of items over groups
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
    """Columns whose confidence interval an expression reads."""
    return {end_of(part) for part in node.find_all(exp.Anonymous)}


def _unqualified(node: exp.Expr) -> set[str]:
    """Names of the unqualified columns in an expression."""
    return {column.name.lower() for column in node.find_all(exp.Column) if not column.table}


def _finish(
    tree: exp.Select, items: Sequence[Item], exprs: list[Expr], place: Place, order: tuple[OrderKey, ...]
) -> Shown:
    """Project the items, then apply DISTINCT, ORDER BY and LIMIT."""
    relation, fields = row_operators.compute(place.source, exprs, place.reading)
    columns = tuple((name, made) for (name, _), made in zip(items, fields, strict=True))
    if tree.args.get("distinct"):
        if tree.args["distinct"].args.get("on"):
            why, hint = (
                "DISTINCT ON keeps one whole row of several.",
                "GROUP BY, with MIN(x) or ARG_MIN(x, y) of the others",
            )
            raise replace(refusal(Code.ROWS, why, hint, tree), rewrites=suggested(distinct_on_as_qualify(tree)))
        relation = row_operators.distinct(relation, fields, place.last, tree)
        columns = tuple((name, next(f for f in relation.fields if f == made)) for name, made in columns)
        order = tuple(_over(key, exprs, fields, tree) for key in order)
    return sliced(tree, relation, order), columns


def _over(key: OrderKey, exprs: Sequence[Expr], fields: Sequence[Field], tree: exp.Select) -> OrderKey:
    """Resolve an ORDER BY key after DISTINCT, where only select items can be used."""
    for expr, made in zip(exprs, fields, strict=True):
        if key.expr in (expr, Ref(made)):
            return OrderKey(Ref(made), key.descending, key.nulls_first)
    raise refusal(Code.COLUMN, "After DISTINCT, ORDER BY takes columns of the select list.", "ORDER BY 1", tree)
