"""Time granularity: truncation units and time buckets, and the expressions that a truncated key determines.

Truncations are recognised in expressions, and evaluated in Python for the ends of key sets. A key determines itself,
and its parts where the function is injective on them or coarser ones follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import SqlType
from dialect.functions.literals import MONTHS, SECONDS, add_units
from dialect.functions.registry import OVERLOADS, OVERLOADS_BY_NAME
from dialect.functions.signatures import Truncation

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
