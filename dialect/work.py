"""How many rows one person's rows can grow to below a boundary, from declared limits and public counts alone.

Time that depends on one person's rows is a channel (DESIGN 1); it is bounded by refusing plans in which one person may
meet too many rows (`proofs.md#most-rows`).
"""

from __future__ import annotations

from collections.abc import Callable

from dialect.expressions import Field, conjuncts
from dialect.one_row import covers_primary_key, pinned
from dialect.relation_parts import sources
from dialect.relations import Cut, Distinct, Group, Join, PerPerson, Public, Relation, Scan, SemiJoin
from dialect.set_operation import SetOperation

Fan = Callable[[Public, tuple[Field, ...]], int]  # most rows of a public relation with equal values in some fields


def most_rows(relation: Relation, fan: Fan) -> int:
    """Bound the rows that one person with at most R rows in each table has at any point below a boundary.

    Claim: no operator of the relation gives one person more rows than this, as long as no table holds more than its
    declared R of them. `fan` is asked for public relations only. Formula: products at joins, 1 where one row per person
    is proved; the largest of all operators. Raises nothing of its own. Proof: proofs.md#most-rows
    """
    _, peak = _walk(relation, fan)
    return peak


def _walk(relation: Relation, fan: Fan) -> tuple[int, int]:
    """Give the rows here, and the most rows at or below here."""
    operator = relation.operator
    if isinstance(operator, Scan):
        rows = relation.max_rows if isinstance(relation, PerPerson) else 1
        return rows, rows
    if isinstance(operator, Join):
        return _joined(relation, operator, fan)
    if isinstance(operator, SemiJoin):
        return _met(relation, operator, fan)
    below = [_walk(source, fan) for source in sources(relation)]
    rows, peak = max((rows for rows, _ in below), default=1), max((peak for _, peak in below), default=1)
    if isinstance(operator, SetOperation):  # both sides' rows are gathered, whatever is kept of them
        rows = sum(rows for rows, _ in below)
        peak = max(peak, rows)
    if isinstance(operator, Cut):
        rows = min(rows, operator.max_rows)
    if isinstance(operator, Group | Distinct) and isinstance(relation, PerPerson) and relation.one_row_per_person:
        rows = 1
    return rows, peak


def _joined(relation: Relation, join: Join | SemiJoin, fan: Fan) -> tuple[int, int]:
    rows, peak = 1, 1
    for side in (join.left, join.right):
        if isinstance(side, Public):
            met = pinned(side, join.condition)
            rows *= 1 if covers_primary_key(side, met) else fan(side, tuple(sorted(met, key=lambda f: f.id)))
            continue
        side_rows, side_peak = _walk(side, fan)
        rows, peak = rows * side_rows, max(peak, side_peak)
    if isinstance(relation, PerPerson) and relation.one_row_per_person:
        rows = 1
    return rows, max(peak, rows)


def _met(relation: Relation, join: SemiJoin, fan: Fan) -> tuple[int, int]:
    """Bound a semi-join: rows meet in pairs only where more than the person is compared."""
    rows, left_peak = _walk(join.left, fan)
    if isinstance(join.right, PerPerson) and len(conjuncts(join.condition)) == 1:
        return rows, max(left_peak, _walk(join.right, fan)[1])
    return rows, max(rows, _joined(relation, join, fan)[1])
