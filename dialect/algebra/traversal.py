"""Traversal of relations: the relations below, the stored tables at the bottom, the expressions in all.

`changed_exprs` rebuilds a released relation with every expression of the outer query mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    SetOperation,
    Sort,
    Window,
)
from dialect.catalog.model import Table

Change = Callable[[Expr, tuple[Relation, ...]], Expr]  # an expression, and the relations whose rows it looks at


def changed_exprs(relation: Relation, change: Change) -> Relation:
    """Change every expression of a released relation; those of public ones hold no noise, and stay."""
    if isinstance(relation, Public):
        return relation
    made = _CHANGES.get(type(relation.operator))
    return relation if made is None else replace(relation, operator=made(relation.operator, change))


def _filter(operator: Filter, change: Change) -> Filter:
    return Filter(changed_exprs(operator.source, change), change(operator.condition, (operator.source,)))


def _project(operator: Project, change: Change) -> Project:
    computed = tuple((f, change(e, (operator.source,))) for f, e in operator.computed)
    return Project(changed_exprs(operator.source, change), computed)


def _join(operator: Join | SemiJoin, change: Change) -> Join | SemiJoin:
    condition = change(operator.condition, (operator.left, operator.right))
    left, right = changed_exprs(operator.left, change), changed_exprs(operator.right, change)
    return replace(operator, left=left, right=right, condition=condition)


def _set_operation(operator: SetOperation, change: Change) -> SetOperation:
    return replace(operator, left=changed_exprs(operator.left, change), right=changed_exprs(operator.right, change))


def _sort(operator: Sort, change: Change) -> Sort:
    order = tuple(replace(key, expr=change(key.expr, (operator.source,))) for key in operator.order)
    return replace(operator, source=changed_exprs(operator.source, change), order=order)


def _distinct(operator: Distinct, change: Change) -> Distinct:
    return replace(operator, source=changed_exprs(operator.source, change))


def _group(operator: Group, change: Change) -> Group:
    looked_at = (operator.source,)
    measures = tuple(
        replace(
            m,
            arguments=tuple(change(argument, looked_at) for argument in m.arguments),
            condition=None if m.condition is None else change(m.condition, looked_at),
        )
        for m in operator.measures
    )
    return replace(operator, source=changed_exprs(operator.source, change), measures=measures)


def _window(operator: Window, change: Change) -> Window:
    def inside(expr: Expr) -> Expr:
        return change(expr, (operator.source,))

    calls = tuple(
        replace(
            call,
            arguments=tuple(map(inside, call.arguments)),
            condition=None if call.condition is None else inside(call.condition),
            partition=tuple(map(inside, call.partition)),
            order=tuple(replace(key, expr=inside(key.expr)) for key in call.order),
        )
        for call in operator.calls
    )
    return replace(operator, source=changed_exprs(operator.source, change), calls=calls)


_CHANGES: Mapping[type, Callable[..., Operator]] = {
    Filter: _filter,
    Project: _project,
    Join: _join,
    SetOperation: _set_operation,
    SemiJoin: _join,
    Sort: _sort,
    Distinct: _distinct,
    Group: _group,
    Window: _window,
}


# types of most parts of operators, in which no expression is
_NOTHING = frozenset({type(None), bool, int, float, str, dict, frozenset})


def tables_of(relation: Relation, compared: bool = True) -> frozenset[str]:
    """Name the stored tables below a relation; without `compared`, those whose rows it holds."""
    operator = relation.operator
    if isinstance(operator, Scan):
        return frozenset({operator.table.name})
    parts = holders(relation) if not compared else sources(relation)
    return frozenset().union(*(tables_of(part, compared) for part in parts))


def branches(relation: Relation) -> tuple[frozenset[str], ...]:
    """Name the private tables whose rows a relation holds, apart for each query that a union gathers."""
    operator = relation.operator
    if isinstance(relation, Public):
        return ()
    if isinstance(operator, Scan):
        return (frozenset({operator.table.name}),)
    parts = [branches(part) for part in holders(relation)]
    if isinstance(operator, SetOperation) and operator.how == "union":
        return tuple(names for part in parts for names in part)
    most = max(parts, key=len, default=())
    beside = frozenset().union(*(names for part in parts if part is not most for names in part))
    return tuple(names | beside for names in most)


def holders(relation: Relation) -> tuple[Relation, ...]:
    """List the relations below whose rows a relation holds: others only choose among them."""
    operator = relation.operator
    chosen = isinstance(operator, SemiJoin) or (isinstance(operator, SetOperation) and operator.how != "union")
    return sources(relation)[:1] if chosen else sources(relation)


def told_apart_by(fields: Sequence[Field]) -> list[Field]:
    """List the fields by which rows are told apart: all but those that are computed from others among them.

    A key of DISTINCT or GROUP BY keeps its definition although what it was computed from is gone: it tells rows apart
    itself then (`dialect/stability/proofs.md#relation-kinds`).
    """
    held = set(fields)
    return [f for f in fields if f.definition is None or not held.issuperset(fields_of(f.definition))]


def sources(relation: Relation) -> tuple[Relation, ...]:
    """List the relations that a relation is made from, the left one first."""
    return tuple(part for part in vars(relation.operator).values() if isinstance(part, Relation))


def all_below(relation: Relation) -> Iterator[Relation]:
    """Walk a relation and everything below it, the left side first; what several are made from comes again for each."""
    yield relation
    for part in sources(relation):
        yield from all_below(part)


def expressions_of(part: object) -> Iterator[Expr]:
    """Walk the expressions of all operators, each object once: relations share conditions and what is below them."""
    waiting, seen = [part], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Ref | Call | Case | Literal):
            yield part
        elif isinstance(part, tuple):
            waiting.extend(reversed(part))
        elif type(part) not in _NOTHING and is_dataclass(part) and not isinstance(part, Field | Table):
            waiting.extend(reversed(vars(part).values()))
