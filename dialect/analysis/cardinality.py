"""Cardinality: how many rows one person can have below a release, from declared limits and public row counts.

Execution time that depends on one person's rows is a side channel. It is bounded by refusing plans in which one person
may have too many rows (`proofs.md#most-rows`).

A relation that contains every row of one stored table has that table's publicly declared cardinality; `is_full_scan`
decides which do.

Row bounds are upper bounds on one person's rows. The fan-out of a public relation is the largest number of its rows
that agree in some fields. A path is the foreign keys from a table to the table that has the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, Literal, Ref, conjuncts
from dialect.algebra.properties import Properties
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    RowOrigin,
    RowTruncation,
    Scan,
    SemiJoin,
    SetOperation,
    row_inputs,
)
from dialect.algebra.traversal import walk
from dialect.analysis.uniqueness import covers_primary_key, exactly_equated_fields
from dialect.catalog.model import SqlType

_TIME_PREDICATES = {"and", "<", "<=", ">", ">=", "=", "in"}
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def is_full_scan(relation: Relation) -> bool:
    """Return whether a relation is a full table scan: each row of the scanned privacy windows exactly once.

    The only filter allowed is the privacy-window filter above every scan of a table with event time
    (`dialect.planner.window_charging`).
    """
    while isinstance(relation.operator, Project):
        relation = relation.operator.source
    operator = relation.operator
    return isinstance(operator, Scan) or (isinstance(operator, Filter) and _is_windows_filter(operator))


def filters_time_only(relation: Relation) -> bool:
    """Do all filters restrict event time only? Then the share of selected rows is about that of the selected time.

    Privacy-window filters above scans are of this kind. A semi-join selects rows by another table, so it is not.
    """
    return all(
        not isinstance(each.operator, SemiJoin)
        and (
            not isinstance(each.operator, Filter)
            or _is_windows_filter(each.operator)
            or _compares_time_only(each.operator.condition)
        )
        for each in walk(relation, row_inputs)
    )


def _is_windows_filter(operator: Filter) -> bool:
    """Return whether a filter is the privacy-window filter above a scan."""
    return isinstance(scan := operator.source.operator, Scan) and scan.reads_whole_windows


def _compares_time_only(condition: Expr) -> bool:
    """Return whether a condition compares only times with constants."""
    if isinstance(condition, Call) and condition.name in _TIME_PREDICATES:
        return all(map(_compares_time_only, condition.arguments))
    return isinstance(condition, Literal) or (isinstance(condition, Ref) and condition.field.type in _TIMES)


def has_stored_rows_only(relation: Relation) -> bool:
    """Return whether each row is a stored row or a join of stored rows: no GROUP BY or DISTINCT below."""
    return not any(isinstance(each.operator, Group | Distinct) for each in walk(relation, row_inputs))


@dataclass(frozen=True)
class RowBounds:
    """Upper bounds on one person's rows: per privacy window, over all windows, and at any operator so far."""

    per_window: int
    total: int
    peak: int
    window_count: int = 0  # number of privacy windows the rows fall in; 0 without event time

    def truncated(self, rows: int, per_window: bool) -> RowBounds:
        """Return the bounds after row truncation to `rows` rows per person.

        `per_window`: the truncation is applied in each privacy window separately, so the total is that many times the
        number of windows. The peak stays, as the source has its rows before truncation.
        """
        window_rows = min(self.per_window, rows)
        return replace(
            self,
            per_window=window_rows,
            total=min(self.total, window_rows * max(1, self.window_count) if per_window else rows),
        )


def row_bounds(relation: Relation, known: Properties) -> RowBounds:
    """Row bounds of one person in a relation; the peak also covers every operator below it.

    Public relations count as one row, since their rows are bounded at the join that reads them.

    Claim: no operator of the relation gives one person more rows than the peak, if no table holds more than its
    declared R rows of a person, in each privacy window for a table with event time. Fan-outs are asked of public
    relations only. Formula: R times the windows that are scanned, products at joins, 1 where one row per person is
    proved; the maximum over all operators. Raises nothing of its own. Proof: proofs.md#most-rows
    """
    operator = relation.operator
    if not isinstance(relation, PerPerson):
        return RowBounds(1, 1, 1)
    if isinstance(operator, Join):
        return _join_bounds(relation, operator, known)
    if isinstance(operator, SemiJoin):
        return _semi_join_bounds(relation, operator, known)
    below = [known.of(row_bounds, source) for source in relation.children if isinstance(source, PerPerson)]
    if not below:
        return _scan_bounds(relation)
    bounds = _set_operation_bounds(*below) if isinstance(operator, SetOperation) else below[0]
    if isinstance(operator, RowTruncation):
        return bounds.truncated(operator.max_rows, operator.window is not None)
    has_one_row = operator.row_origin is RowOrigin.GROUPS and relation.has_one_row_per_person
    return bounds.truncated(1, False) if has_one_row else bounds


def reduced_row_limits(relation: Relation) -> Iterator[int]:
    """Yield the row limits per person of sides of joins that are below the limits which the catalog sets."""
    for each in walk(relation):
        for side in each.children if isinstance(each.operator, Join | SemiJoin) else ():
            limited = side.operator
            if isinstance(limited, RowTruncation) and isinstance(limited.source, PerPerson):
                yield from (limited.max_rows,) if limited.max_rows < limited.source.max_rows else ()


def _scan_bounds(relation: PerPerson) -> RowBounds:
    """Row bounds of a stored table; its person may come from a foreign-key path.

    The declared limit R is per privacy window if the table has event time, else in total.
    """
    scans = (each.operator for each in walk(relation) if isinstance(each.operator, Scan))
    windows = max(scan.window_count for scan in scans) if relation.per_window_factors else 0
    total = relation.max_rows * max(1, windows)
    return RowBounds(relation.max_rows, total, total, windows)


def _set_operation_bounds(left: RowBounds, right: RowBounds) -> RowBounds:
    """Row bounds of a set operation: the sum of both sides, also for INTERSECT and EXCEPT.

    These compare the rows of both sides, and have no more rows than that.
    """
    total = left.total + right.total
    return RowBounds(
        left.per_window + right.per_window,
        total,
        max(left.peak, right.peak, total),
        left.window_count + right.window_count,
    )


def _join_bounds(relation: Relation, join: Join | SemiJoin, known: Properties) -> RowBounds:
    """Row bounds of a join: products, per privacy window where the join equates the window.

    If both sides have windows, each row meets at most the other side's rows of its own window.
    """
    left, right = (_side_bounds(side, join.condition, known) for side in (join.left, join.right))
    if isinstance(join, Join) and join.kind == "left":  # a left row without a match stays
        right = replace(right, per_window=max(1, right.per_window), total=max(1, right.total))
    per_window, total = left.per_window * right.per_window, left.total * right.total
    if join.is_per_window and left.window_count and right.window_count:
        total = min(left.total * right.per_window, left.per_window * right.total)
    # the peak is set last, when the rows of the join are known
    joined = RowBounds(
        per_window if join.is_per_window else total, total, 1, max(left.window_count, right.window_count)
    )
    if isinstance(relation, PerPerson) and relation.has_one_row_per_person:
        joined = joined.truncated(1, False)
    return replace(joined, peak=max(left.peak, right.peak, joined.total))


def _side_bounds(side: Relation, condition: Expr, known: Properties) -> RowBounds:
    """Row bounds of one join side; of a public side, the rows that one row can match."""
    if not isinstance(side, Public):
        return known.of(row_bounds, side)
    rows = max_matching_rows(side, condition, known)
    return RowBounds(rows, rows, 1)


def max_matching_rows(public: Public, condition: Expr, known: Properties) -> int:
    """Rows of a public relation that one row can match: 1 on its primary key, else the largest group of equal keys."""
    equated = exactly_equated_fields(public, condition)
    return (
        1 if covers_primary_key(public, equated) else known.fan_out(public, tuple(sorted(equated, key=lambda f: f.id)))
    )


def max_compared_pairs(relation: Relation, join: Join | SemiJoin, known: Properties) -> int:
    """Upper bound on the pairs of one person's rows that a join compares, before its condition filters them.

    Each left row is read at least once, even if there is nothing to compare it with.
    """
    joined = _join_bounds(relation, join, known)
    return max(joined.total, known.of(row_bounds, join.left).total if isinstance(join.left, PerPerson) else 0)


def _semi_join_bounds(relation: Relation, join: SemiJoin, known: Properties) -> RowBounds:
    """Row bounds of a semi-join: it compares pairs only if the condition has more than the person equality."""
    left = known.of(row_bounds, join.left)
    # a single conjunct is the equality of persons
    if isinstance(join.right, PerPerson) and len(conjuncts(join.condition)) == 1:
        return replace(left, peak=max(left.peak, known.of(row_bounds, join.right).peak))
    return replace(left, peak=max(left.total, _join_bounds(relation, join, known).peak))
