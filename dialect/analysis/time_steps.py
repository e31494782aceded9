"""Dates and times cut to units and buckets: by which expressions, and the same in Python, for the ends of lists."""

from __future__ import annotations

from datetime import datetime, timedelta

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.functions.constant_folding import MONTHS, SECONDS, later

_MONTH_ORIGIN = datetime(2000, 1, 1)
_DAY_ORIGIN = datetime(2000, 1, 3)  # a Monday


def step_of(expr: Expr, time: Expr) -> str | None:
    """Name the unit to whose beginning an expression cuts a time; None if it is no such expression."""
    if not isinstance(expr, Call) or expr.arguments[-1:] != (time,):
        return None
    if expr.name == "to_date":
        return "day"
    unit = expr.arguments[0].value if expr.name == "date_trunc" and isinstance(expr.arguments[0], Literal) else None
    return str(unit) if unit in {*SECONDS, *MONTHS} else None


def truncated(unit: str, moment: datetime) -> datetime:
    """Cut a time to the beginning of its year, quarter, ..., second."""
    if unit in MONTHS:
        months = MONTHS[unit]
        first = (moment.month - 1) // months * months + 1
        return datetime(moment.year, first, 1)
    if unit == "week":
        day = datetime(moment.year, moment.month, moment.day)
        return day - timedelta(days=day.weekday())
    return moment - (moment - datetime.min) % timedelta(seconds=SECONDS[unit])


def bucketed(step: str, moment: datetime) -> datetime:
    """Cut a time to the beginning of its bucket; buckets are counted from January 2000."""
    amount, unit = _amount(step)
    if unit in MONTHS:
        width = amount * MONTHS[unit]
        months = (moment.year - _MONTH_ORIGIN.year) * 12 + moment.month - 1
        return later(_MONTH_ORIGIN, months // width * width, "month")
    width_of_time = timedelta(seconds=amount * SECONDS[unit])
    return moment - (moment - _DAY_ORIGIN) % width_of_time


def count_steps(step: str, first: datetime, last: datetime) -> int:
    """Count the steps from first to last, both included; none where last lies before first."""
    amount, unit = _amount(step)
    if unit in MONTHS:
        months = (last.year - first.year) * 12 + last.month - first.month
        return max(0, months // (amount * MONTHS[unit]) + 1)
    return max(0, (last - first) // timedelta(seconds=amount * SECONDS[unit]) + 1)


def _amount(step: str) -> tuple[int, str]:
    amount, unit = step.split(" ")
    return int(amount), unit
