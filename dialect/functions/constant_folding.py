"""Constant folding: calls over constants are evaluated here where Python gives exactly the engine's value.

A range in WHERE can then be written `DATE '2026-10-01' + 7` as well as with the resulting date.

Dates, times and intervals are canonical texts: '2026-10-01', '7 day'. Each fold receives the call, for its type, and
the values of its arguments; it returns the value, or None where it does not fold.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import SqlType

MONTHS = {"month": 1, "quarter": 3, "year": 12}
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}


def fold_constants(call: Call) -> Expr:
    """Evaluate a call whose arguments are all constants; return it unchanged where that is not possible."""
    values = [argument.value for argument in call.arguments if isinstance(argument, Literal)]
    fold = _FOLDS.get(call.name)
    if fold is None or len(values) != len(call.arguments) or None in values:
        return call
    try:
        folded = fold(call, *values)
    except (ValueError, OverflowError):  # beyond Python's years
        return call
    return call if folded is None else Literal(folded, call.type)


def parse_timestamp(text: str) -> datetime:
    """Date or timestamp value of a canonical literal text."""
    return datetime.fromisoformat(text)


def format_time(value: datetime, type_: SqlType) -> str:
    """Canonical literal text of a date or timestamp."""
    return value.date().isoformat() if type_ is SqlType.DATE else value.isoformat(sep=" ")


Constant = bool | int | float | str


def _negative(call: Call, value: Constant) -> Constant | None:
    """Negate a number or an interval; None for -(-2^63), which does not fit 64 bits."""
    if call.type is SqlType.INTERVAL:
        return _multiply_interval(call, value, -1)
    if isinstance(value, bool | str):
        return None
    if call.type is SqlType.DOUBLE:
        return 0.0 - value  # in DuckDB the literal -0.0 is a decimal 0
    return None if value == -(2**63) else -value


def _multiply_interval(call: Call, one: Constant, other: Constant) -> Constant | None:
    """Multiply an interval by an integer, in either order; None for products of numbers."""
    interval, number = (one, other) if isinstance(one, str) else (other, one)
    if call.type is not SqlType.INTERVAL or not isinstance(interval, str) or not isinstance(number, int):
        return None
    amount, unit = interval.split(" ")
    return f"{int(amount) * number} {unit}"


def _add_step(call: Call, one: Constant, other: Constant) -> Constant | None:
    """Add days or an interval to a date or time."""
    return _shift_time(call, one, other, 1)


def _subtract_step(call: Call, one: Constant, other: Constant) -> Constant | None:
    """Subtract days or an interval from a date or time."""
    return _shift_time(call, one, other, -1)


def _shift_time(call: Call, start: Constant, step: Constant, sign: int) -> Constant | None:
    """Move a date or time by `sign` times a step: an interval (text), or a number of days.

    None where the result is no date or timestamp, or the first argument is the step.
    """
    if call.type not in (SqlType.DATE, SqlType.TIMESTAMP) or not isinstance(start, str):
        return None
    if isinstance(step, str):
        amount, unit = step.split(" ")
        return format_time(add_units(parse_timestamp(start), sign * int(amount), unit), call.type)
    return format_time(parse_timestamp(start) + timedelta(days=sign * int(step)), call.type)


def add_units(start: datetime, amount: int, unit: str) -> datetime:
    """Add whole units to a time; a day that the resulting month lacks becomes its last day, as in DuckDB."""
    if unit in SECONDS:
        return start + timedelta(seconds=amount * SECONDS[unit])
    months = start.year * 12 + start.month - 1 + amount * MONTHS[unit]
    year, month = divmod(months, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))


def _to_double(call: Call, value: Constant) -> Constant | None:
    """Convert a number to a double; text is left to the engine. All casts ignore the call: its name is enough."""
    return None if isinstance(value, str) else float(value)


def _to_date(call: Call, value: Constant) -> Constant | None:
    """Convert a date or time to its date."""
    return date.fromisoformat(str(value)[:10]).isoformat()


def _to_timestamp(call: Call, value: Constant) -> Constant | None:
    """Convert a date or time to a timestamp."""
    return format_time(parse_timestamp(str(value)), SqlType.TIMESTAMP)


_FOLDS: dict[str, Callable[..., Constant | None]] = {
    "negative": _negative,
    "*": _multiply_interval,
    "+": _add_step,
    "-": _subtract_step,
    "to_double": _to_double,
    "to_date": _to_date,
    "to_timestamp": _to_timestamp,
}
