"""Allowed rows: dates, times and spans. Wall-clock parts of an instant go through `wall` and its time zone.

A stored date or time may lie so far away that the engine raises when it moves or converts it: such rows say NULL.
"""

from __future__ import annotations

from dialect import ranges
from dialect.catalog import SqlType
from dialect.function_row import Function, Partial

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_MONTHS = "(datepart('year', {0}) * 12 + datepart('month', {0}))"
# a month is 30 days, as in every comparison: intervals that are equal have one length, whichever of them was met first
EPOCH_OF_SPAN = f"(epoch({{0}}) + {_MONTHS} * 2592000 - epoch(to_months(CAST({_MONTHS} AS INTEGER))))"
_STAMP, _DATE, _SPAN = SqlType.TIMESTAMP, SqlType.DATE, SqlType.INTERVAL
_FAR = Partial.FAR
UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

EARLIEST, LATEST = "280000-01-01 (BC)", "280000-01-01"  # a thousand years further the engine can still compute
_LATE_ENOUGH = f"CASE WHEN {{1}} >= TIMESTAMP '{EARLIEST} 00:00:00' THEN "
_WITHIN = "CASE WHEN {0} BETWEEN " + f"TIMESTAMP '{EARLIEST} 00:00:00' AND TIMESTAMP '{LATEST} 00:00:00' THEN "
_DATE_WITHIN = "CASE WHEN {0} BETWEEN " + f"DATE '{EARLIEST}' AND DATE '{LATEST}' THEN "
_INSTANT_WITHIN = _WITHIN.replace("TIMESTAMP", "TIMESTAMPTZ").replace("00:00:00", "00:00:00+00")
_FINITE = "CASE WHEN isfinite({0}) AND isfinite({1}) THEN "
WALL = _INSTANT_WITHIN + "timezone({1}, {0}) END"
_AS_STAMP = "TRY_CAST({0} AS TIMESTAMP)"


def _part(name: str, lower: int, upper: int) -> Function:
    few = tuple(range(lower, upper + 1)) if upper < 400 else ()
    return Function(name, ("time",), _INT, f"{name}({{0}})", ranges.constant(lower, upper), few, _FAR)


def _moved(sign: str) -> tuple[Function, ...]:
    """Write a date or time moved by a constant."""
    far_date = _AS_STAMP.join(_WITHIN.split("{0}")) + f"{_AS_STAMP} {sign} {{1}} END"
    return (
        Function(sign, ("date", "days!"), _DATE, f"{_DATE_WITHIN}{{0}} {sign} {{1}} END", partial=_FAR),
        Function(sign, ("stamp", "span!"), _STAMP, f"{_WITHIN}{{0}} {sign} {{1}} END", partial=_FAR),
        Function(sign, ("date", "span!"), _STAMP, far_date, partial=_FAR),
    )


TIMES: tuple[Function, ...] = (
    _part("year", 1, 9999),
    _part("quarter", 1, 4),
    _part("month", 1, 12),
    _part("week", 1, 53),
    _part("day", 1, 31),
    _part("dayofyear", 1, 366),
    _part("dayofweek", 0, 6),
    _part("isodow", 1, 7),
    _part("hour", 0, 23),
    _part("minute", 0, 59),
    _part("second", 0, 59),
    Function("dayname", ("time",), _TEXT, "dayname({0})", values=DAYS, partial=_FAR),
    Function("monthname", ("time",), _TEXT, "monthname({0})", values=MONTHS, partial=_FAR),
    Function("date_trunc", ("text!", "stamp"), _STAMP, _LATE_ENOUGH + "date_trunc({0}, {1}) END", partial=_FAR),
    Function(
        "date_trunc", ("text!", "date"), _STAMP,
        _LATE_ENOUGH.replace("{1}", "TRY_CAST({1} AS TIMESTAMP)") + "date_trunc({0}, TRY_CAST({1} AS TIMESTAMP)) END",
        partial=_FAR,
    ),
    Function("time_bucket", ("period!", "stamp"), _STAMP, _LATE_ENOUGH + "time_bucket({0}, {1}) END", partial=_FAR),
    Function(
        "time_bucket", ("period!", "date"), _DATE,
        _LATE_ENOUGH.replace("{1}", "TRY_CAST({1} AS TIMESTAMP)")
        + "CAST(time_bucket({0}, TRY_CAST({1} AS TIMESTAMP)) AS DATE) END",
        partial=_FAR,
    ),
    Function("epoch", ("instant",), _DOUBLE, "epoch({0})", partial=_FAR),
    Function("epoch", ("time",), _DOUBLE, "epoch({0})", partial=_FAR),
    Function("epoch", ("span",), _DOUBLE, EPOCH_OF_SPAN),
    Function("date_diff", ("text!", "date", "date"), _INT, "date_diff({0}, {1}, {2})", partial=_FAR),
    Function(
        "date_diff", ("text!", "time", "time"), _INT,
        "date_diff({0}, TRY_CAST({1} AS TIMESTAMP), TRY_CAST({2} AS TIMESTAMP))", partial=_FAR,
    ),
    Function("-", ("date", "date"), _INT, _FINITE + "CAST({0} - {1} AS BIGINT) END", partial=_FAR),
    Function("-", ("instant", "instant"), _SPAN, _FINITE + "{0} - {1} END", partial=_FAR),
    Function(
        "-", ("time", "time"), _SPAN, _FINITE + "TRY_CAST({0} AS TIMESTAMP) - TRY_CAST({1} AS TIMESTAMP) END",
        partial=_FAR,
    ),
    *_moved("+"),
    *_moved("-"),
    Function("wall", ("instant", "text!"), _STAMP, WALL, partial=_FAR, written=False),
)  # fmt: skip
