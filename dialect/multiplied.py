"""Whether one person's rows meet each other below a boundary: declared norms of a table say nothing of their pairs."""

from __future__ import annotations

from dialect.relation_parts import sources
from dialect.relations import Join, PerPerson, Relation, SemiJoin


def multiplies(relation: Relation) -> bool:
    """Tell whether a join of a person's several rows with several others stands below."""
    operator = relation.operator
    if isinstance(operator, Join) and all(
        isinstance(side, PerPerson) and not side.one_row_per_person for side in (operator.left, operator.right)
    ):
        return True
    if isinstance(operator, SemiJoin):
        return multiplies(operator.left)
    return any(multiplies(source) for source in sources(relation))
