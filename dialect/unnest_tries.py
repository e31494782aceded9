"""What a refused list of rows may have meant: places in lists, and UNNEST for the words of other engines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from dialect.spans import question_with

_PLACE = "i"
_FROM_0 = re.compile(r"\bwith\s+offset\b", re.IGNORECASE)


def by_places(node: exp.Expr) -> tuple[str, ...]:
    """Write UNNEST(a, b) AS u(x, y), or UNNEST(a) WITH ORDINALITY AS u(x, n), as the places of the lists."""
    from_0 = bool(_FROM_0.search(str(node.root().meta.get("sql", ""))))

    def change(copied: exp.Expr) -> None:
        alias, offset = copied.args.get("alias"), copied.args.get("offset")
        place = offset.name if isinstance(offset, exp.Identifier) else _PLACE
        table, shown = copied.alias or "u", [each.name for each in alias.columns] if alias is not None else []
        at = exp.column(place, table=table)
        values = {name.lower(): _member(each, at) for name, each in zip(shown, copied.expressions, strict=False)}
        if from_0 and isinstance(offset, exp.Identifier):
            values[place.lower()] = exp.paren(exp.Sub(this=at.copy(), expression=exp.Literal.number(1)))
        select = copied.find_ancestor(exp.Select)
        if select is not None:
            _put(select, {table.lower(), ""}, values)
        copied.replace(_places(copied.expressions, table, place))

    return _written(node, change)


def calls_by_places(select: exp.Select) -> tuple[str, ...]:
    """Write SELECT UNNEST(a), UNNEST(b) FROM t as the places of both lists."""

    def change(copied: exp.Expr) -> None:
        calls = [call for item in copied.args["expressions"] for call in item.find_all(exp.Explode)]
        lists = [call.this.copy() for call in calls]
        for call in calls:
            call.replace(_member(call.this, exp.column(_PLACE, table="g")))
        copied.append("joins", exp.Join(this=_places(lists, "g", _PLACE)))

    return _written(select, change)


def flatten_as_unnest(node: exp.Lateral) -> tuple[str, ...]:
    """Write LATERAL FLATTEN(input => x) f as UNNEST(x) AS f(value)."""
    given = node.this.this if isinstance(node.this, exp.Flatten) else None
    if not isinstance(given, exp.Kwarg):
        return ()

    def change(copied: exp.Expr) -> None:
        copied.replace(_unnest(copied.this.this.expression, copied.alias or "f", "value"))

    return _written(node, change)


def lateral_as_value(node: exp.Lateral) -> tuple[str, ...]:
    """Write a LATERAL subquery of one value as that value in the place of its column."""
    tree = node.this.this if isinstance(node.this, exp.Subquery) else None
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or tree.args.get("group"):
        return ()  # there may be other rows than one
    if not tree.expressions[0].alias or tree.expressions[0].find(exp.AggFunc) is None:
        return ()

    def change(copied: exp.Expr) -> None:
        select, join, inner = copied.find_ancestor(exp.Select), copied.parent, copied.this.copy()
        (item,) = inner.this.expressions
        item.replace(item.this.copy())
        if select is not None and isinstance(join, exp.Join):
            join.pop()
            _put(select, {copied.alias.lower(), ""}, {item.alias.lower(): inner})

    return _written(node, change)


def views_as_unnest(select: exp.Select) -> tuple[str, ...]:
    """Write LATERAL VIEW EXPLODE(x) u AS y as UNNEST(x) AS u(y)."""
    views = select.args["laterals"]
    if not all(isinstance(view.this, exp.Explode) and len(view.args["alias"].columns) == 1 for view in views):
        return ()

    def change(copied: exp.Expr) -> None:
        for view in copied.args["laterals"]:
            listed = _unnest(view.this.this, view.alias or "u", view.args["alias"].columns[0].name)
            copied.append("joins", exp.Join(this=listed))
        copied.set("laterals", None)

    return _written(select, change)


def _written(node: exp.Expr, change: Callable[[exp.Expr], None]) -> tuple[str, ...]:
    written = question_with(node, change)
    return () if written is None else (written,)


def _unnest(listed: exp.Expr, table: str, column: str) -> exp.Unnest:
    alias = exp.TableAlias(this=exp.to_identifier(table), columns=[exp.to_identifier(column)])
    return exp.Unnest(expressions=[listed.copy()], alias=alias)


def _member(listed: exp.Expr, place: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="list_extract", expressions=[listed.copy(), place.copy()])


def _places(lists: Sequence[exp.Expr], table: str, column: str) -> exp.Table:
    lengths = [exp.Anonymous(this="len", expressions=[each.copy()]) for each in lists]
    end = exp.Greatest(this=lengths[0], expressions=lengths[1:], ignore_nulls=True) if len(lengths) > 1 else lengths[0]
    series = exp.GenerateSeries(start=exp.Literal.number(1), end=end)
    alias = exp.TableAlias(this=exp.to_identifier(table), columns=[exp.to_identifier(column)])
    return exp.Table(this=series, alias=alias)


def _put(select: exp.Select, tables: set[str], values: Mapping[str, exp.Expr]) -> None:
    """Put expressions in the place of columns, and let select items keep the names of theirs."""
    for column in list(_columns(select)):
        value = values.get(column.name.lower()) if column.table.lower() in tables else None
        if value is not None:
            shown = column.parent is select and column.arg_key == "expressions"
            column.replace(exp.alias_(value.copy(), column.name) if shown else value.copy())


def _columns(select: exp.Select) -> Iterator[exp.Column]:
    for key, part in select.args.items():
        for each in part if isinstance(part, list) else [part]:
            if isinstance(each, exp.Expr) and key != "from_":
                yield from each.find_all(exp.Column)
