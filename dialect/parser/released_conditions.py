"""Conditions on released numbers, applied to groups of people's rows in place of the rows.

    SELECT day, zone, COUNT(*) AS n FROM visit
    JOIN (SELECT zone AS z, COUNT(*) AS m FROM visit GROUP BY zone ORDER BY m DESC LIMIT 5) AS top ON zone = z
    GROUP BY day, zone ORDER BY n DESC
    ->
    SELECT c0 AS day, c1 AS zone, c2 AS n FROM (SELECT day, zone, COUNT(*) AS n FROM visit GROUP BY day, zone)
    AS grouped(c0, c1, c2) JOIN (...) AS top ON c1 = top.z ORDER BY c2 DESC

Rows of people can't be chosen by numbers that do not exist yet. A condition on a key of the groups is the same for all
rows of a group, so that the groups can be chosen. BI tools send such joins for the largest series of a chart. Proof:
`dialect/binder/proofs.md#groups-chosen-by-released-numbers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect.errors import Span
from dialect.parser.spans import default_name, normalized_text, span_of

GROUPED = "grouped"  # alias of the groups
_PREFIX = "__grouped_"  # of their columns
_NOT_MOVED = ("distinct", "qualify", "windows", "sample")  # what a filter of the groups would change
_SEVERAL_GROUPINGS = (exp.GroupingSets, exp.Cube, exp.Rollup)


@dataclass(frozen=True)
class _Moved:
    """A condition of a SELECT that chooses rows by a key."""

    key: exp.Expr  # as written over the rows
    join: exp.Join | None  # the join, or
    test: exp.Expr | None  # the conjunct of WHERE
    column: str = ""  # of the joined subquery, that the key is equal to


def with_condition_after_grouping(tree: exp.Select, span: Span | None) -> exp.Select | None:
    """Move the condition at a span behind GROUP BY: a join with a grouped subquery, or IN with a subquery.

    None where the SELECT has no GROUP BY, the condition is not on one of its keys, or the groups would not be the same.
    The result is a copy, whose parent is that of the SELECT, so that names of CTEs and spans are found.
    """
    group = tree.args.get("group")
    moved = next((each for each in _candidates(tree) if span is not None and span in _spans(each)), None)
    is_kept = any(tree.args.get(part) for part in _NOT_MOVED) or any(_own(tree, exp.Window))
    if group is None or moved is None or is_kept or any(group.find_all(*_SEVERAL_GROUPINGS)) or _has_star(tree):
        return None
    names = [item.alias if isinstance(item, exp.Alias) else default_name(item) for item in tree.selects]
    if len({name.lower() for name in names}) < len(names) or not _is_key(moved.key, tree, names):
        return None
    return _moved_behind(tree, moved, names)


def _candidates(tree: exp.Select) -> Iterator[_Moved]:
    """Yield the joins and tests of a SELECT that compare a value of its rows with a subquery."""
    for join in tree.args.get("joins") or ():
        found = _equated(join, tree)
        if found is not None:
            yield found
    where = tree.args.get("where")
    for part in _conjuncts(where.this) if where is not None else ():
        test = part.unnest()
        inner = test.this.unnest() if isinstance(test, exp.Not) else test
        if isinstance(inner, exp.In) and inner.args.get("query") is not None:
            yield _Moved(inner.this, None, part)


def _spans(moved: _Moved) -> tuple[Span | None, ...]:
    """Spans that a refusal of a condition may have."""
    if moved.join is not None:
        return span_of(moved.join), span_of(moved.join.this)
    assert moved.test is not None  # noqa: S101  one of the two
    test = moved.test.unnest()
    return span_of(test), span_of(test.this)


def _equated(join: exp.Join, tree: exp.Select) -> _Moved | None:
    """Read an inner join that equates one value with the only key of a grouped subquery or CTE."""
    inner, alias = _joined_query(join.this, tree), join.this.alias_or_name
    if inner is None or join.side or join.kind not in ("", "INNER"):
        return None
    using: list[exp.Expr] = join.args.get("using") or []
    on, key = join.args.get("on"), join.this
    if len(using) == 1 and on is None:
        key, column = exp.column(using[0].name), str(using[0].name)
    elif isinstance(on, exp.Expr) and isinstance(test := on.unnest(), exp.EQ):
        shown = {name.lower() for name in inner.named_selects}
        theirs = [
            side
            for side in (test.left, test.right)
            if isinstance(side, exp.Column)
            and (side.table.lower() == alias.lower() or (not side.table and side.name.lower() in shown))
        ]
        if len(theirs) != 1:
            return None
        key, column = (test.right if theirs[0] is test.left else test.left), theirs[0].name
    else:
        return None
    columns = (each for each in _own(tree, exp.Column, join) if isinstance(each, exp.Column))
    is_read = any(_reads_joined(each, alias, column, inner, bool(using)) for each in columns)
    return _Moved(key, join, None, column) if not is_read and has_only_key(inner, column) else None


def _joined_query(joined: exp.Expr, tree: exp.Select) -> exp.Select | None:
    """Return the SELECT that a join reads, in brackets or by the name of a CTE."""
    if isinstance(joined, exp.Subquery):
        return joined.this if isinstance(joined.this, exp.Select) else None
    scope: exp.Expr | None = tree if isinstance(joined, exp.Table) else None
    while scope is not None:
        clause = scope.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            if cte.alias.lower() == joined.name.lower() and not cte.alias_column_names:
                return cte.this if isinstance(cte.this, exp.Select) else None
        scope = scope.parent
    return None


def _reads_joined(column: exp.Column, alias: str, key: str, inner: exp.Select, is_merged: bool) -> bool:
    """Return whether a column may be one of the joined subquery's: by its table, or by its name alone."""
    if column.table:
        return column.table.lower() == alias.lower()
    names = {name.lower() for name in inner.named_selects}
    return column.name.lower() in names - ({key.lower()} if is_merged else set())


def has_only_key(inner: exp.Expr, name: str) -> bool:
    """Return whether a SELECT is grouped by the one column of this name, so that each value has one row."""
    if not isinstance(inner, exp.Select):
        return False
    group = inner.args.get("group")
    keys = [] if group is None else group.expressions
    named = [each for each in inner.selects if each.alias_or_name.lower() == name.lower()]
    if len(named) != 1 or named[0].find(exp.AggFunc) is not None or any(inner.find_all(*_SEVERAL_GROUPINGS)):
        return False
    if group is not None and group.args.get("all"):
        return sum(each.find(exp.AggFunc) is None for each in inner.selects) == 1
    if len(keys) != 1:
        return group is None and bool(inner.args.get("distinct")) and len(inner.selects) == 1
    (key,) = keys
    if key.is_int:
        return 0 < int(key.name) <= len(inner.selects) and inner.selects[int(key.name) - 1] is named[0]
    value = named[0].unalias()
    return bool(value == key) or (_is_alias(key, name) and _is_aliased_key(value, key, inner))


def _is_alias(key: exp.Expr, name: str) -> bool:
    """Return whether a key may be an alias."""
    return isinstance(key, exp.Column) and not key.table and key.name == name


def _is_aliased_key(value: exp.Expr, key: exp.Expr, inner: exp.Select) -> bool:
    """Return whether a value with the name of a key has one row: a column of the rows goes before an alias.

    A value that reads such a column, or none, may be equal in several groups of it. Of others, either there is no such
    column, or the value is refused as it is no key.
    """
    if isinstance(value, exp.Column):
        return value.name.lower() != key.name.lower() or _is_same(value, key, inner)
    names = {column.name.lower() for column in value.find_all(exp.Column)}
    return bool(names) and key.name.lower() not in names


def _is_key(value: exp.Expr, tree: exp.Select, names: Sequence[str]) -> bool:
    """Return whether a value over the rows is one of the keys of a SELECT."""
    group, items = tree.args["group"], [item.unalias() for item in tree.selects]
    if group.args.get("all"):
        return any(_is_same(value, item, tree) for item in items)
    aliased = dict(zip((name.lower() for name in names), items, strict=True))
    for key in group.expressions:
        if key.is_int:
            found = items[int(key.name) - 1] if 0 < int(key.name) <= len(items) else None
        elif isinstance(key, exp.Column) and not key.table and key.name.lower() in aliased:
            found = aliased[key.name.lower()]  # a column of the rows goes before the alias of something else
            found = found if not isinstance(value, exp.Column) or _is_same(key, found, tree) else None
        else:
            found = key
        if found is not None and _is_same(value, found, tree):
            return True
    return False


def _is_same(one: exp.Expr, other: exp.Expr, tree: exp.Select) -> bool:
    """Return whether two expressions over the rows of a SELECT are written alike; a column may lack its table's name.

    Not one that USING of an outer join merges, which a row without a match lacks in one table.
    """
    if isinstance(one, exp.Column) and isinstance(other, exp.Column) and bool(one.table) != bool(other.table):
        return one.name.lower() == other.name.lower() and one.name.lower() not in _merged_by_outer_joins(tree)
    return normalized_text(one) == normalized_text(other)


def _merged_by_outer_joins(tree: exp.Select) -> frozenset[str]:
    """Names of the columns that USING of outer joins merges."""
    outer = (join for join in tree.args.get("joins") or () if join.side)
    return frozenset(column.name.lower() for join in outer for column in join.args.get("using") or ())


def _moved_behind(tree: exp.Select, moved: _Moved, names: Sequence[str]) -> exp.Select:
    """Write the groups as a subquery, and the condition, the order and the limit over them."""
    inner = _without_condition(tree, moved)
    hidden: list[exp.Expr] = []

    def column(value: exp.Expr) -> exp.Column:
        """Name a value of the groups, which are extended by it where they do not show it."""
        place = next((i for i, item in enumerate(tree.selects) if _is_same(value, item.unalias(), tree)), None)
        if place is None:
            place = len(names) + len(hidden)
            hidden.append(_named(value.copy(), _column(place).name))
        return _column(place)

    def ordered(term: exp.Expr) -> exp.Expr:
        """Write one term of ORDER BY over the groups; aliases and positions stay."""
        copied = term.copy()
        value = copied.this
        places = {name.lower(): place for place, name in enumerate(names)}
        if isinstance(value, exp.Column) and not value.table and value.name.lower() in places:
            copied.set("this", _column(places[value.name.lower()]))
        elif not value.is_int:
            copied.set("this", column(value))
        return copied

    key = column(moved.key)
    order = tree.args.get("order")
    terms = [] if order is None else [ordered(term) for term in order.expressions]
    items = [
        item if isinstance(item, exp.Alias) else _named(item, n) for item, n in zip(inner.selects, names, strict=True)
    ]
    inner.set("expressions", [*items, *hidden])
    # by names of their own, or the condition's subquery could read a number of the groups for a column of the rows
    columns = [_column(place).this for place in range(len(names) + len(hidden))]
    subquery = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(GROUPED), columns=columns))
    outer = exp.select(*(_named(_column(place), name) for place, name in enumerate(names))).from_(subquery, copy=False)
    if moved.join is not None:
        equal = exp.EQ(this=key, expression=exp.column(moved.column, moved.join.this.alias_or_name))
        outer.set("joins", [exp.Join(this=moved.join.this.copy(), kind=moved.join.kind, on=equal)])
    elif moved.test is not None:
        test = moved.test.copy()
        for each in (part for part in test.walk() if isinstance(part, exp.In) and part.this == moved.key):
            each.set("this", key)
            break
        outer.set("where", exp.Where(this=test))
    if terms:
        outer.set("order", exp.Order(expressions=terms))
    for part in ("limit", "offset"):
        outer.set(part, None if tree.args.get(part) is None else tree.args[part].copy())
    outer.parent, outer.arg_key = tree.parent, tree.arg_key
    return outer


def _without_condition(tree: exp.Select, moved: _Moved) -> exp.Select:
    """Copy a SELECT without a condition, and without what stands behind GROUP BY and HAVING."""
    inner = tree.copy()
    for part in ("with_", "order", "limit", "offset"):
        inner.set(part, None)
    joins = tree.args.get("joins") or []
    inner.set("joins", [each.copy() for each in joins if each is not moved.join] or None)
    if moved.test is not None:
        rest = [part.copy() for part in _conjuncts(tree.args["where"].this) if part is not moved.test]
        inner.set("where", exp.Where(this=exp.and_(*rest, copy=False)) if rest else None)
    return inner


def _named(value: exp.Expr, name: str) -> exp.Alias:
    """Alias a select item."""
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _column(place: int) -> exp.Column:
    """Name a column of the groups by its place."""
    return exp.column(exp.to_identifier(f"{_PREFIX}{place}", quoted=True), GROUPED)


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """Split a condition at its top-level ANDs."""
    inner = node.unnest()
    if isinstance(inner, exp.And):
        yield from _conjuncts(inner.this)
        yield from _conjuncts(inner.expression)
    else:
        yield node


def _own(tree: exp.Select, kind: type[exp.Expr], without: exp.Expr | None = None) -> Iterator[exp.Expr]:
    """Yield the nodes of a kind in a SELECT, without those of its subqueries, and of one join."""
    nodes = tree.walk(prune=lambda node: node is without or (isinstance(node, exp.Query) and node is not tree))
    return (node for node in nodes if isinstance(node, kind) and node is not without)


def _has_star(tree: exp.Select) -> bool:
    """Return whether a SELECT has an item that stands for several columns."""
    return any(item.is_star for item in tree.selects)
