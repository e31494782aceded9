"""What a relation is made from: the relations below it, and the stored tables at the bottom."""

from __future__ import annotations

from dialect.relations import (
    Boundary,
    Cut,
    Distinct,
    Filter,
    Grained,
    Group,
    Join,
    Padded,
    Project,
    Ranked,
    Relation,
    Scan,
    SemiJoin,
    Sort,
)
from dialect.set_operation import SetOperation


def tables_of(relation: Relation, compared: bool = True) -> frozenset[str]:
    """Name the stored tables below a relation; without `compared`, those whose rows it holds."""
    operator = relation.operator
    if isinstance(operator, Scan):
        return frozenset({operator.table.name})
    parts = (operator.left,) if isinstance(operator, SemiJoin) and not compared else sources(relation)
    return frozenset().union(*(tables_of(part, compared) for part in parts))


def sources(relation: Relation) -> tuple[Relation, ...]:
    """List the relations that a relation is made from."""
    operator = relation.operator
    if isinstance(operator, Join | SemiJoin | SetOperation):
        return (operator.left, operator.right)
    if isinstance(operator, Filter | Project | Group | Boundary | Distinct | Cut | Padded | Grained | Ranked | Sort):
        return (operator.source,)
    return ()
