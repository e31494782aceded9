"""Whether a source holds every row of one stored table, so that what is publicly known of these holds of it."""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr, Literal, Ref
from dialect.algebra.relation_parts import holders
from dialect.algebra.relations import Distinct, Filter, Group, Project, Relation, Scan, SemiJoin
from dialect.catalog.catalog import SqlType

_SAYS_WHEN = {"and", "<", "<=", ">", ">=", "=", "in"}
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


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


def chosen_by_time(relation: Relation) -> bool:
    """Tell whether rows are left out by nothing but when they were: their share is that of windows, nearly."""
    operator = relation.operator
    if isinstance(operator, SemiJoin):
        return False
    if isinstance(operator, Filter):
        below = operator.source.operator
        of_windows = isinstance(below, Scan) and below.windowed
        if not of_windows and not _says_when(operator.condition):
            return False
    return all(map(chosen_by_time, holders(relation)))


def _says_when(condition: Expr) -> bool:
    """Tell whether a condition compares times with constants, and says nothing else."""
    if isinstance(condition, Call) and condition.name in _SAYS_WHEN:
        return all(map(_says_when, condition.arguments))
    return isinstance(condition, Literal) or (isinstance(condition, Ref) and condition.field.type in _TIMES)


def as_many_rows(relation: Relation) -> bool:
    """Tell whether rows are those of stored tables, but for those that are left out: none are put together."""
    if isinstance(relation.operator, Group | Distinct):
        return False
    return all(map(as_many_rows, holders(relation)))
