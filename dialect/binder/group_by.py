"""GROUP BY -> the keys over rows, and by which of them each set of groups is formed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref
from dialect.binder.names import RowNames, has_aggregate
from dialect.binder.scalars import scalar
from dialect.errors import Code, Refusal
from dialect.parser.context import only, refusal

MAX_SETS = 32  # of one GROUP BY: each may be a release of its own

Item = tuple[str, exp.Expr | Field]  # what it is called; how it is written, or the field that * stands for


@dataclass(frozen=True)
class Keys:
    """What GROUP BY says: every key once, and the positions of those in each set."""

    written: tuple[Expr, ...]  # over rows
    sets: tuple[tuple[int, ...], ...]


def group_by(nodes: Sequence[exp.Expr], items: Sequence[Item], names: RowNames) -> Keys:
    """Read the terms of a GROUP BY: keys, lists of keys, GROUPING SETS, ROLLUP and CUBE, all of them crossed."""
    crossed = _crossed([_sets(node, items, names) for node in nodes], nodes)
    return keyed(crossed)


def keyed(sets: Sequence[Sequence[Expr]]) -> Keys:
    """Give every key of some sets a number, in the order in which they come first."""
    written = tuple(dict.fromkeys(key for keys in sets for key in keys))
    places = {key: place for place, key in enumerate(written)}
    return Keys(written, tuple(tuple(dict.fromkeys(places[key] for key in keys)) for keys in sets))


def _crossed(terms: Sequence[list[tuple[Expr, ...]]], nodes: Sequence[exp.Expr]) -> list[tuple[Expr, ...]]:
    many = 1
    for sets, node in zip(terms, nodes, strict=True):
        many *= len(sets)
        if many > MAX_SETS:
            raise _too_many(node)
    return [tuple(key for keys in combined for key in keys) for combined in product(*terms)]


def _sets(node: exp.Expr, items: Sequence[Item], names: RowNames) -> list[tuple[Expr, ...]]:
    """List the sets of keys that one term of a GROUP BY stands for."""
    if isinstance(node, exp.GroupingSets):
        only(node, "expressions")
        return [keys for part in node.expressions for keys in _sets(part, items, names)]
    if isinstance(node, exp.Rollup | exp.Cube):
        only(node, "expressions")
        parts = [_listed(part, items, names) for part in node.expressions]
        if len(parts) > MAX_SETS or (isinstance(node, exp.Cube) and 2 ** len(parts) > MAX_SETS):
            raise _too_many(node)
        return [tuple(key for part in chosen for key in part) for chosen in _chosen(parts, isinstance(node, exp.Cube))]
    return [_listed(node, items, names)]


def _chosen(parts: Sequence[tuple[Expr, ...]], cube: bool) -> list[tuple[tuple[Expr, ...], ...]]:
    """List the parts that each set of a ROLLUP or CUBE has, the finest first."""
    sizes = range(len(parts), -1, -1)
    if not cube:
        return [tuple(parts[:size]) for size in sizes]
    return [chosen for size in sizes for chosen in combinations(parts, size)]


def _listed(node: exp.Expr, items: Sequence[Item], names: RowNames) -> tuple[Expr, ...]:
    if isinstance(node, exp.Tuple):
        return tuple(_key(part, items, names) for part in node.expressions)
    return (_key(node, items, names),)


def _too_many(node: exp.Expr) -> Refusal:
    why = f"This GROUP BY has more than {MAX_SETS} sets of keys."
    return refusal(Code.COMPLEX, why, "GROUPING SETS with the sets that you want", node)


def _key(written: exp.Expr, items: Sequence[Item], names: RowNames) -> Expr:
    node = written.unnest()
    if isinstance(node, exp.Cube | exp.Rollup | exp.GroupingSets | exp.Tuple):
        raise refusal(Code.KEY, "A list of keys can't stand inside another one.", "GROUP BY ROLLUP (a, b)", node)
    found: exp.Expr | Field = node
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(items):
            raise refusal(Code.KEY, f"There is no column {node.this[:20]} in the select list.", "GROUP BY 1", node)
        found = items[int(node.this) - 1][1]
    elif isinstance(node, exp.Column) and not node.table:
        name = node.name.lower()
        if name not in {n for n, _ in names.scope.columns()}:
            found = next((item for alias, item in items if alias == name), node)
    if isinstance(found, Field):
        return Ref(found)
    if has_aggregate(found):
        raise refusal(Code.AGG, "An aggregate can't be a group key.", "GROUP BY the other columns", node)
    return scalar(found, names)
