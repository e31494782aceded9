"""Cardinality: how many rows one person's rows can grow to below a release, by declared limits and public counts.

Time that depends on one person's rows is a side channel; it is bounded by refusing plans in which one person may meet
too many rows (`proofs.md#most-rows`).

A relation that holds every row of one stored table has the cardinality that is publicly known of that table;
`every_row` decides which do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    SetOperation,
)
from dialect.algebra.traversal import all_below, holders, sources
from dialect.analysis.uniqueness import covers_primary_key, pinned
from dialect.catalog.model import SqlType

_SAYS_WHEN = {"and", "<", "<=", ">", ">=", "=", "in"}
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def every_row(relation: Relation) -> bool:
    """Tell whether each row of the windows that are read counts once: nothing is joined, left out or put together.

    The one filter below is that of whole windows, which stands on every scan of a table with time
    (`dialect.planner.window_charging`).
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


Fan = Callable[[Public, tuple[Field, ...]], int]  # most rows of a public relation with equal values in some fields


@dataclass(frozen=True)
class Most:
    """The most rows of one person: of one window of time, of all of them, and at any point so far."""

    each: int
    all: int
    peak: int
    windows: int = 0  # over which rows with time are spread; 0 of rows without

    def cut(self, rows: int, apart: bool) -> Most:
        """Keep so many rows, of each window if these are apart."""
        each = min(self.each, rows)
        return replace(self, each=each, all=min(self.all, each * max(1, self.windows) if apart else rows))


def most_rows(relation: Relation, fan: Fan) -> int:
    """Bound the rows that one person with at most R rows in each table has at any point below a boundary.

    Claim: no operator of the relation gives one person more rows than this, as long as no table holds more than its
    declared R of them, in each window of a table with time. `fan` is asked for public relations only. Formula: R times
    the windows that are read, products at joins, 1 where one row per person is proved; the largest of all operators.
    Raises nothing of its own. Proof: proofs.md#most-rows
    """
    return most_at(relation, fan).peak


def most_at(relation: Relation, fan: Fan) -> Most:
    """Bound the rows that one person has where a relation is made, and at any point below (proofs.md#most-rows)."""
    operator = relation.operator
    if not isinstance(relation, PerPerson):
        return Most(1, 1, 1)
    if isinstance(operator, Join):
        return _joined(relation, operator, fan)
    if isinstance(operator, SemiJoin):
        return _met(relation, operator, fan)
    below = [most_at(source, fan) for source in sources(relation) if isinstance(source, PerPerson)]
    if not below:
        return _stored(relation)
    most = _gathered(*below) if isinstance(operator, SetOperation) else below[0]
    if isinstance(operator, Cut):
        return most.cut(operator.max_rows, operator.window is not None)
    return most.cut(1, False) if isinstance(operator, Group | Distinct) and relation.one_row_per_person else most


def _stored(relation: PerPerson) -> Most:
    """Count the rows of a table, whose person may be found by a path."""
    windows = max(_windows(relation)) if relation.timed else 0
    rows = relation.max_rows * max(1, windows)
    return Most(relation.max_rows, rows, rows, windows)


def _windows(relation: Relation) -> Iterator[int]:
    return (each.operator.windows for each in all_below(relation) if isinstance(each.operator, Scan))


def _gathered(left: Most, right: Most) -> Most:
    """Add the rows of both sides, whatever is kept of them."""
    rows = left.all + right.all
    return Most(left.each + right.each, rows, max(left.peak, right.peak, rows), left.windows + right.windows)


def _joined(relation: Relation, join: Join | SemiJoin, fan: Fan) -> Most:
    left, right = (_side(side, join.condition, fan) for side in (join.left, join.right))
    if isinstance(join, Join) and join.how == "left":  # a row that meets none stays
        right = replace(right, each=max(1, right.each), all=max(1, right.all))
    each, rows = left.each * right.each, left.all * right.all
    if join.apart and left.windows and right.windows:
        rows = min(left.all * right.each, left.each * right.all)
    made = Most(each if join.apart else rows, rows, 1, max(left.windows, right.windows))
    if isinstance(relation, PerPerson) and relation.one_row_per_person:
        made = made.cut(1, False)
    return replace(made, peak=max(left.peak, right.peak, made.all))


def _side(side: Relation, condition: Expr, fan: Fan) -> Most:
    """Count the rows of one side: of a public one those that a row may meet."""
    if not isinstance(side, Public):
        return most_at(side, fan)
    rows = met_rows(side, condition, fan)
    return Most(rows, rows, 1)


def met_rows(public: Public, condition: Expr, fan: Fan) -> int:
    """Bound the rows of a public relation that one row may meet: one with its primary key, else those that agree."""
    met = pinned(public, condition)
    return 1 if covers_primary_key(public, met) else fan(public, tuple(sorted(met, key=lambda f: f.id)))


def pairs(relation: Relation, join: Join | SemiJoin, fan: Fan) -> int:
    """Bound the pairs of one person's rows that a join compares, whatever it keeps of them."""
    made = _joined(relation, join, fan)
    return max(made.all, most_at(join.left, fan).all if isinstance(join.left, PerPerson) else 0)


def _met(relation: Relation, join: SemiJoin, fan: Fan) -> Most:
    """Bound a semi-join: rows meet in pairs only where more than the person is compared."""
    left = most_at(join.left, fan)
    if isinstance(join.right, PerPerson) and len(conjuncts(join.condition)) == 1:
        return replace(left, peak=max(left.peak, most_at(join.right, fan).peak))
    return replace(left, peak=max(left.all, _joined(relation, join, fan).peak))
