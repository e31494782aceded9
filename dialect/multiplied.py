"""Whether one person's rows meet each other below a boundary: declared norms of a table say nothing of their pairs."""

from __future__ import annotations

from dialect.expressions import Expr
from dialect.one_row import set_equal
from dialect.relation_parts import all_below, sources
from dialect.relations import Join, PerPerson, Relation, Scan, SemiJoin


def multiplies(relation: Relation) -> bool:
    """Tell whether a join of a person's several rows with several others stands below."""
    operator = relation.operator
    if isinstance(operator, Join) and _several(operator):
        return True
    if isinstance(operator, SemiJoin):
        return multiplies(operator.left)
    return any(multiplies(source) for source in sources(relation))


def pairs_rows(relation: Relation) -> bool:
    """Tell whether a person's several rows each meet several below: neither side is met by its whole primary key."""
    operator = relation.operator
    if isinstance(operator, SemiJoin):
        return pairs_rows(operator.left)
    if isinstance(operator, Join) and _several(operator):
        sides = (operator.left, operator.right)
        if not any(_met_whole(side, operator.condition) for side in sides):
            return True
    return any(pairs_rows(source) for source in sources(relation))


def _several(join: Join) -> bool:
    sides = (join.left, join.right)
    return all(isinstance(side, PerPerson) and not side.one_row_per_person for side in sides)


def _met_whole(side: Relation, condition: Expr) -> bool:
    """Tell whether a join sets all of a stored table's declared primary key equal to what the other side holds."""
    met = {f.origin.column for f, _ in set_equal(side, condition) if f.origin is not None}
    tables = [each.operator.table for each in all_below(side) if isinstance(each.operator, Scan)]
    return len(tables) == 1 and bool(tables[0].primary_key) and set(tables[0].primary_key) <= met
