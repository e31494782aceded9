"""Whether a source holds every row of one stored table, so that what is publicly known of these holds of it."""

from __future__ import annotations

from dialect.relation_parts import holders
from dialect.relations import Distinct, Filter, Group, Project, Relation, Scan


def every_row(relation: Relation) -> bool:
    """Tell whether each row of the windows that are read counts once: nothing is joined, left out or put together.

    The one filter below is that of whole windows, which stands on every scan of a table with time (`timed_scans`).
    """
    while isinstance(relation.operator, Project):
        relation = relation.operator.source
    operator = relation.operator
    if isinstance(operator, Filter):
        below = operator.source.operator
        return isinstance(below, Scan) and below.windowed
    return isinstance(operator, Scan)


def as_many_rows(relation: Relation) -> bool:
    """Tell whether rows are those of stored tables, but for those that are left out: none are put together."""
    if isinstance(relation.operator, Group | Distinct):
        return False
    return all(map(as_many_rows, holders(relation)))
