"""Expression derivability: rewrite an expression over rows to one over group keys, where these determine it.

A function of time that is constant within each hour, day or month is computed from the beginning of that unit.

Terms: a cell is one group; the map `cells` has, per key expression over rows, the field of the group with its value. A
truncation is a time cut to the beginning of a unit, its step. An expression that no rule can compute from cells is
underivable.
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, substitute
from dialect.algebra.traversal import map_children
from dialect.analysis.time_granularity import hour_of, truncate_time, truncation_unit
from dialect.catalog.model import SqlType
from dialect.functions.literals import parse_timestamp
from dialect.functions.registry import OVERLOADS, OVERLOADS_BY_NAME
from dialect.functions.signatures import constant_values

Cells = Mapping[Expr, Field]  # key expression over the row -> field with its value
FINER = ("second", "minute", "hour", "day", "month", "quarter", "year")
_COARSER_UNITS = {unit: frozenset(FINER[i:]) for i, unit in enumerate(FINER)} | {"week": frozenset({"week"})}
_COARSER_UNITS |= {unit: _COARSER_UNITS[unit] | {"week"} for unit in ("second", "minute", "hour", "day")}
_IN = OVERLOADS_BY_NAME["in"][0].row_name
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP)
_CAST = {
    SqlType.TIMESTAMP: OVERLOADS_BY_NAME["to_timestamp"][0].row_name,
    SqlType.DATE: OVERLOADS_BY_NAME["to_date"][0].row_name,
}


class UnderivableError(Exception):
    """The available keys do not determine the expression."""


def rewrite_over_keys(expr: Expr, cells: Cells, truncations: Cells | None = None) -> Expr:
    """Rewrite an expression over available group keys.

        keys: date_trunc('hour', ts) AS h
        hour(ts)   ->   hour(h);    ts >= '2026-10-05'   ->   h >= '2026-10-05'

    `truncations` are the truncated times that may replace the time itself; by default all cells. Claim: on each row the
    result equals `expr`, if each field has the value of its key on that row, and each step is non-NULL wherever its
    time is. Raises: UnderivableError where the keys do not determine it. Proof: proofs.md#derivation
    """
    truncations = cells if truncations is None else truncations
    if expr in cells:
        return Ref(cells[expr])
    if isinstance(expr, Literal):
        return expr
    if isinstance(expr, Ref):
        raise UnderivableError
    return (
        _rewrite_by_truncation(expr, cells, truncations)
        or _rewrite_by_hour(expr, cells)
        or map_children(expr, lambda part: rewrite_over_keys(part, cells, truncations))
    )


def _rewrite_by_truncation(expr: Expr, cells: Cells, truncations: Cells) -> Expr | None:
    """Replace a time by its truncation, where the function has the same value on both; None if no key allows it.

    It has if it is constant within each step, or compares the time with a constant at the beginning of a step.
    """
    if not isinstance(expr, Call):
        return None
    for time in (part for part in expr.arguments if part.type in _TIMES and not isinstance(part, Literal)):
        for key_expr, field in cells.items():
            # a truncation may be NULL where its time is not, beyond the calendar; then only a truncation agrees with it
            step = (
                truncation_unit(key_expr, time)
                if key_expr in truncations or OVERLOADS[expr.function].has_step  # NULL exactly where the truncation is
                else None
            )
            if step is not None and (_is_constant_within(expr, time, step) or _splits_at_step(expr, time, step)):
                return substitute(expr, {time: _truncated_time(field, time)})
    return None


def _rewrite_by_hour(expr: Expr, cells: Cells) -> Expr | None:
    """Compute part_of_day(ts) from a key hour(ts), as a CASE over equal blocks of hours; None without such a key."""
    if not isinstance(expr, Call) or not OVERLOADS[expr.function].is_by_hour:
        return None
    hour = cells.get(hour_of(expr.arguments[0]))
    if hour is None:
        return None
    parts = OVERLOADS[expr.function].listed_values
    length = 24 // len(parts)
    within = [
        Call(_IN, (Ref(hour), *(Literal(at, SqlType.BIGINT) for at in range(first, first + length))), SqlType.BOOLEAN)
        for first in range(0, 24, length)
    ]
    texts = [Literal(part, expr.type) for part in parts]
    return Case(tuple(zip(within, texts, strict=True)), Literal(None, expr.type), expr.type)


def _is_constant_within(expr: Call, time: Expr, step: str) -> bool:
    """Return whether a function of a time is constant within each `step`, and reads nothing else but constants.

    It is if its own unit is the step or a coarser one. Weeks nest in no other unit.
    """
    if any(part != time and not isinstance(part, Literal) for part in expr.arguments):
        return False
    row = OVERLOADS[expr.function]
    on = row.constant_within
    within = on if isinstance(on, str) else on(*constant_values(row, expr.arguments))
    unit = truncation_unit(expr, time) or within or ""
    return unit in _COARSER_UNITS.get(step, ())


def _splits_at_step(expr: Call, time: Expr, step: str) -> bool:
    """Return whether a comparison with a constant splits time exactly at the beginning of a step.

    Then all moments of a step give the same result as its beginning. Only `>=` and `<`, with the time on the left,
    split there: `>` and `<=` separate the first moment from the others.
    """
    return any(
        operand == time and sign in (">=", "<") and end.value is not None and end.type in _TIMES
        and truncate_time(step, at := parse_timestamp(str(end.value))) == at
        for operand, sign, end in expr.compared_constants
    )  # fmt: skip


def _truncated_time(field: Field, time: Expr) -> Expr:
    """Return the truncated time, cast to the type of the time that it replaces."""
    return Ref(field) if field.type is time.type else Call(_CAST[time.type], (Ref(field),), time.type)
