"""* and table.* of a select list, with EXCLUDE, REPLACE and RENAME."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dialect.algebra.expressions import Field
from dialect.binder.group_by import Item
from dialect.binder.names import Column, Scope
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.parser.context import only, refusal


def is_star(node: exp.Expr) -> bool:
    """Tell whether a select item is * or table.*."""
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def starred(node: exp.Expr, scope: Scope, polygons: bool) -> list[Item]:
    """List what * stands for; `polygons`: in a subquery, where they can go on to what is held against them."""
    star = node.this if isinstance(node, exp.Column) else node
    only(star, "except_", "replace", "rename", code=Code.ROWS)
    table = node.table.lower() if isinstance(node, exp.Column) and node.table else None
    columns = scope.columns(table)
    if not columns:
        raise refusal(Code.TABLE, "* has no table to stand for.", "add a FROM", node)
    return [item for item in _changed(star, columns) if polygons or not _is_polygon(item[1])]


def _is_polygon(item: exp.Expr | Field) -> bool:
    return isinstance(item, Field) and item.type is SqlType.POLYGON


def _changed(star: exp.Expr, columns: Sequence[Column]) -> list[Item]:
    """Apply EXCLUDE, REPLACE and RENAME to what * stands for."""
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
