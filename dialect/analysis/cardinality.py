"""Cardinality: how many rows one person can have below a release, from declared limits and public row counts.

Execution time that depends on one person's rows is a side channel. It is bounded by refusing plans in which one person
may have too many rows (`proofs.md#most-rows`).

A relation that contains every row of one stored table has that table's publicly declared cardinality; `is_full_scan`
decides which do.
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
    """Return whether a relation is a full table scan: each row of the scanned privacy windows exactly once.

    The only filter allowed is the privacy-window filter above every scan of a table with event time
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
    """Do all filters restrict event time only? Then the share of selected rows is about that of the selected time."""
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
    """Return whether a condition compares only times with constants."""
    if isinstance(condition, Call) and condition.name in _SAYS_WHEN:
        return all(map(_says_when, condition.arguments))
    return isinstance(condition, Literal) or (isinstance(condition, Ref) and condition.field.type in _TIMES)


def as_many_rows(relation: Relation) -> bool:
    """Return whether rows are stored rows or joins of them, without aggregation or DISTINCT below."""
    if isinstance(relation.operator, Group | Distinct):
        return False
    return all(map(as_many_rows, holders(relation)))


Fan = Callable[[Public, tuple[Field, ...]], int]  # public relation, fields -> largest number of rows that agree in them


@dataclass(frozen=True)
class Most:
    """Upper bounds on one person's rows: per privacy window, over all windows, and at any operator so far."""

    each: int
    all: int
    peak: int
    windows: int = 0  # number of privacy windows the rows fall in; 0 without event time

    def cut(self, rows: int, apart: bool) -> Most:
        """Bounds after row truncation; `per_window` truncates each privacy window separately."""
        each = min(self.each, rows)
        return replace(self, each=each, all=min(self.all, each * max(1, self.windows) if apart else rows))


def most_rows(relation: Relation, fan: Fan) -> int:
    """Upper bound on the rows of one person in any operator below the release point.

    Claim: no operator of the relation gives one person more rows than this, if no table holds more than its declared R
    rows of a person, in each privacy window for a table with event time. `fan_out` is called for public relations only.
    Formula: R times the windows that are scanned, products at joins, 1 where one row per person is proved; the maximum
    over all operators. Raises nothing of its own. Proof: proofs.md#most-rows
    """
    return most_at(relation, fan).peak


def most_at(relation: Relation, fan: Fan) -> Most:
    """Bounds on one person's rows in this relation, and at any operator below it (proofs.md#most-rows)."""
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
    """Row bounds of a stored table; its person may come from a foreign-key path."""
    windows = max(_windows(relation)) if relation.timed else 0
    rows = relation.max_rows * max(1, windows)
    return Most(relation.max_rows, rows, rows, windows)


def _windows(relation: Relation) -> Iterator[int]:
    """Yield the number of privacy windows that each scan below reads."""
    return (each.operator.windows for each in all_below(relation) if isinstance(each.operator, Scan))


def _gathered(left: Most, right: Most) -> Most:
    """Row bounds of a set operation: the sum of both sides, also for INTERSECT and EXCEPT."""
    rows = left.all + right.all
    return Most(left.each + right.each, rows, max(left.peak, right.peak, rows), left.windows + right.windows)


def _joined(relation: Relation, join: Join | SemiJoin, fan: Fan) -> Most:
    """Row bounds of a join: products, per privacy window where the join equates the window."""
    left, right = (_side(side, join.condition, fan) for side in (join.left, join.right))
    if isinstance(join, Join) and join.how == "left":  # a left row without a match stays
        right = replace(right, each=max(1, right.each), all=max(1, right.all))
    each, rows = left.each * right.each, left.all * right.all
    if join.apart and left.windows and right.windows:
        rows = min(left.all * right.each, left.each * right.all)
    made = Most(each if join.apart else rows, rows, 1, max(left.windows, right.windows))
    if isinstance(relation, PerPerson) and relation.one_row_per_person:
        made = made.cut(1, False)
    return replace(made, peak=max(left.peak, right.peak, made.all))


def _side(side: Relation, condition: Expr, fan: Fan) -> Most:
    """Row bounds of one join side; of a public side, the rows that one row can match."""
    if not isinstance(side, Public):
        return most_at(side, fan)
    rows = met_rows(side, condition, fan)
    return Most(rows, rows, 1)


def met_rows(public: Public, condition: Expr, fan: Fan) -> int:
    """Rows of a public relation that one row can match: 1 on its primary key, else the largest group of equal keys."""
    met = pinned(public, condition)
    return 1 if covers_primary_key(public, met) else fan(public, tuple(sorted(met, key=lambda f: f.id)))


def pairs(relation: Relation, join: Join | SemiJoin, fan: Fan) -> int:
    """Upper bound on the pairs of one person's rows that a join compares, before its condition filters them."""
    made = _joined(relation, join, fan)
    return max(made.all, most_at(join.left, fan).all if isinstance(join.left, PerPerson) else 0)


def _met(relation: Relation, join: SemiJoin, fan: Fan) -> Most:
    """Row bounds of a semi-join: it compares pairs only if the condition has more than the person equality."""
    left = most_at(join.left, fan)
    if isinstance(join.right, PerPerson) and len(conjuncts(join.condition)) == 1:
        return replace(left, peak=max(left.peak, most_at(join.right, fan).peak))
    return replace(left, peak=max(left.all, _joined(relation, join, fan).peak))
