"""Time granularity: truncation units and time buckets, and the expressions that a truncated key determines.

Truncations are recognised in expressions, and evaluated in Python for the ends of key sets. A key determines itself,
and its parts where the function is injective on them or coarser ones follow from it.

An expression over rows is rewritten to one over group keys, where these determine it: a function of time that is
constant within each hour, day or month is computed from the beginning of that unit. Terms: a cell is one group; the map
`cells` has, per key expression over rows, the field of the group with its value. A truncation is a time cut to the
beginning of a unit, its step. An expression that no rule can compute from cells is underivable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, substitute
from dialect.catalog.model import SqlType
from dialect.functions.literals import MONTHS, SECONDS, add_units, parse_timestamp
from dialect.functions.registry import OVERLOADS, OVERLOADS_BY_NAME
from dialect.functions.signatures import Truncation, constant_values

_MONTH_ORIGIN = datetime(2000, 1, 1)
_DAY_ORIGIN = datetime(2000, 1, 3)  # a Monday


def truncation_unit(expr: Expr, time: Expr) -> str | None:
    """Return the unit to which an expression truncates a time (`to_date`: 'day'); None for other expressions."""
    if not isinstance(expr, Call) or expr.arguments[-1:] != (time,):
        return None
    match OVERLOADS[expr.function].truncation, expr.arguments[0]:
        case Truncation.DAY, _:
            return "day"
        case Truncation.UNIT, Literal(unit) if unit in {*SECONDS, *MONTHS}:
            return str(unit)
    return None


def truncate_time(unit: str, moment: datetime) -> datetime:
    """Return the beginning of the year, quarter, month, week, ..., second that contains a moment.

    Weeks begin on Monday.
    """
    if unit in MONTHS:
        months = MONTHS[unit]
        first = (moment.month - 1) // months * months + 1
        return datetime(moment.year, first, 1)
    if unit == "week":
        day = datetime(moment.year, moment.month, moment.day)
        return day - timedelta(days=day.weekday())
    return moment - (moment - datetime.min) % timedelta(seconds=SECONDS[unit])


def bucket_start(step: str, moment: datetime) -> datetime:
    """Return the beginning of the time bucket that contains a moment. Buckets are aligned to January 2000.

    `step` is a number and a unit. Buckets of months are counted from 1 January, all others from Monday, 3 January.
    """
    amount, unit = _amount(step)
    if unit in MONTHS:
        width = amount * MONTHS[unit]
        months = (moment.year - _MONTH_ORIGIN.year) * 12 + moment.month - 1
        return add_units(_MONTH_ORIGIN, months // width * width, "month")
    width_of_time = timedelta(seconds=amount * SECONDS[unit])
    return moment - (moment - _DAY_ORIGIN) % width_of_time


def count_steps(step: str, first: datetime, last: datetime) -> int:
    """Count the steps from first to last, both inclusive; 0 if last precedes first."""
    amount, unit = _amount(step)
    if unit in MONTHS:
        months = (last.year - first.year) * 12 + last.month - first.month
        return max(0, months // (amount * MONTHS[unit]) + 1)
    return max(0, (last - first) // timedelta(seconds=amount * SECONDS[unit]) + 1)


def _amount(step: str) -> tuple[int, str]:
    """Split a step such as '15 minute' into its number and its unit."""
    amount, unit = step.split(" ")
    return int(amount), unit


_INTEGER_OR_DATE = (SqlType.BIGINT, SqlType.DATE)
_HOUR, _DATE = OVERLOADS_BY_NAME["hour"][0].row_name, OVERLOADS_BY_NAME["to_date"][0].row_name


def determined_expressions(key: Expr) -> Iterator[Expr]:
    """Yield the expressions that are functionally determined by a group key, itself first.

    strftime(ts, '%Y-%m-%d %H')   ->   itself, hour(ts), to_date(ts)
    """
    yield key
    if not isinstance(key, Call):
        return
    inner = _injective_operand(key)
    if inner is not None:
        yield from determined_expressions(inner)
    else:
        determined = (OVERLOADS_BY_NAME[name][0] for name in OVERLOADS[key.function].determines)
        yield from (Call(row.row_name, key.arguments, row.result) for row in determined)
        yield from _determined_of_time(key)


def hour_of(time: Expr) -> Expr:
    """Return the hour of a time, in the time zone of that time."""
    return Call(_HOUR, (time,), SqlType.BIGINT)


def date_of(time: Expr) -> Expr:
    """Return the date of a time, in the time zone of that time."""
    return Call(_DATE, (time,), SqlType.DATE)


def _injective_operand(key: Call) -> Expr | None:
    """Return the integer or date, and only operand that is no constant, of an injective function; else None."""
    inner = [part for part in key.arguments if not isinstance(part, Literal)]
    if len(inner) != 1 or inner[0].type not in _INTEGER_OR_DATE:
        return None
    return inner[0] if OVERLOADS[key.function].is_injective else None


def _determined_of_time(key: Call) -> Iterator[Expr]:
    """Yield hour and date of a time, where the key determines them.

    A truncation does if its steps divide an hour or a day, and strftime if its format writes them.
    """
    if not key.arguments:  # pi()
        return
    time = key.arguments[-1] if OVERLOADS[key.function].has_step else key.arguments[0]
    seconds, format_ = _step_seconds(key), _strftime_format(key)
    if (seconds and SECONDS["hour"] % seconds == 0) or "%H" in format_:
        yield hour_of(time)
    if (seconds and SECONDS["day"] % seconds == 0) or "%Y-%m-%d" in format_:
        yield date_of(time)


def _step_seconds(key: Call) -> int:
    """Width in seconds of the steps to which a key truncates a time, aligned to midnight; 0 for other keys."""
    step = str(getattr(key.arguments[0], "value", "")) if OVERLOADS[key.function].has_step else ""
    amount, _, unit = step.rpartition(" ")
    return int(amount or 1) * SECONDS.get(unit, 0)


def _strftime_format(key: Call) -> str:
    """Return the format of strftime; empty for other functions."""
    return str(getattr(key.arguments[-1], "value", "")) if OVERLOADS[key.function].takes("format!") else ""


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
        or expr.with_children([rewrite_over_keys(part, cells, truncations) for part in expr.children])
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
