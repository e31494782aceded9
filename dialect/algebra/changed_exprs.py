"""A released relation -> the same one with other expressions: what is done to every expression of the outer part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dialect.algebra.expressions import Expr
from dialect.algebra.relations import Distinct, Filter, Group, Join, Operator, Project, Public, Relation, SemiJoin, Sort
from dialect.algebra.set_operation import SetOperation
from dialect.algebra.window import Window

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
