"""Traversal of relations: inputs, stored tables, expressions, and the mapping of expressions."""

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

Change = Callable[[Expr, tuple[Relation, ...]], Expr]  # (expression, relations whose rows it reads) -> new expression


def changed_exprs(relation: Relation, change: Change) -> Relation:
    """Copy a released relation with every expression mapped. Public relations hold no noise and stay as they are."""
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


# types of operator parameters that contain no expressions
_NOTHING = frozenset({type(None), bool, int, float, str, dict, frozenset})


def tables_of(relation: Relation, compared: bool = True) -> frozenset[str]:
    """Return the stored tables below a relation; without `include_filtering`, not those that only filter rows."""
    operator = relation.operator
    if isinstance(operator, Scan):
        return frozenset({operator.table.name})
    parts = holders(relation) if not compared else sources(relation)
    return frozenset().union(*(tables_of(part, compared) for part in parts))


def branches(relation: Relation) -> tuple[frozenset[str], ...]:
    """Private tables whose rows each branch of a union holds, one set of names per branch.

        SELECT * FROM trip UNION ALL SELECT * FROM stay JOIN home USING (person)

    gives {trip} and {stay, home}. A relation without a union has one branch; a public one has none.
    """
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
    """Return the inputs that contribute rows, without those that only filter, as of a semi-join or EXCEPT."""
    operator = relation.operator
    chosen = isinstance(operator, SemiJoin) or (isinstance(operator, SetOperation) and operator.how != "union")
    return sources(relation)[:1] if chosen else sources(relation)


def told_apart_by(fields: Sequence[Field]) -> list[Field]:
    """Fields that identify a row: all but those computed from other fields of the row.

    A key of DISTINCT or GROUP BY keeps its definition although the fields it was computed from are gone. It then
    identifies rows itself (`dialect/stability/proofs.md#relation-kinds`).
    """
    held = set(fields)
    return [f for f in fields if f.definition is None or not held.issuperset(fields_of(f.definition))]


def sources(relation: Relation) -> tuple[Relation, ...]:
    """Input relations of a relation, the left one first."""
    return tuple(part for part in vars(relation.operator).values() if isinstance(part, Relation))


def all_below(relation: Relation) -> Iterator[Relation]:
    """Iterate over a relation and all relations below it, left first; a shared input is visited once per reader."""
    yield relation
    for part in sources(relation):
        yield from all_below(part)


def expressions_of(part: object) -> Iterator[Expr]:
    """Iterate over the expressions of all operators below, visiting shared objects once."""
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
