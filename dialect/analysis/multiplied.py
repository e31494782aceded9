"""Whether rows of one person meet each other, or several public rows: a table's norms say nothing of such pairs."""

from __future__ import annotations

from dialect.algebra.expressions import Expr
from dialect.algebra.relation_parts import all_below, sources
from dialect.algebra.relations import Filter, Join, PerPerson, Public, Relation, Scan, SemiJoin
from dialect.analysis.one_row import set_equal
from dialect.analysis.told_apart import told_apart


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


def spreads(relation: Relation, above: tuple[Expr, ...] = ()) -> bool:
    """Tell whether a person's row may meet several public rows below, and is counted with each; `above` holds of all.

    A prediction rests on it and no bound: polygons, bands from one column to another, and spans of time or numbers
    beside an equal key are taken to lie apart.
    """
    operator = relation.operator
    if isinstance(operator, SemiJoin):
        return spreads(operator.left, above)
    if isinstance(operator, Filter | Join):
        above = (*above, operator.condition)
    if isinstance(operator, Join):
        sides = (operator.left, operator.right)
        public = [side for side in sides if isinstance(side, Public)]
        if len(public) == 1 and not told_apart(public[0], above):  # the other one is of people
            return True
    return any(spreads(source, above) for source in sources(relation))


def _several(join: Join) -> bool:
    sides = (join.left, join.right)
    return all(isinstance(side, PerPerson) and not side.one_row_per_person for side in sides)


def _met_whole(side: Relation, condition: Expr) -> bool:
    """Tell whether a join sets all of a stored table's declared primary key equal to what the other side holds."""
    met = {f.origin.column for f, _ in set_equal(side, condition) if f.origin is not None}
    tables = [each.operator.table for each in all_below(side) if isinstance(each.operator, Scan)]
    return len(tables) == 1 and bool(tables[0].primary_key) and set(tables[0].primary_key) <= met
