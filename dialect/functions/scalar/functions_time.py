"""Allowed rows: dates, times and spans. Wall-clock parts of an instant go through `wall` and its time zone.

A stored date or time may lie so far away that the engine raises when it moves or converts it: such rows say NULL.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra import intervals as ranges
from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial
from dialect.functions.literals import too_long
from dialect.functions.scalar.time_formats import bad_format, unit_of

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_MONTHS = "(datepart('year', {0}) * 12 + datepart('month', {0}))"
# a month is 30 days, as in every comparison: intervals that are equal have one length, whichever of them was met first
EPOCH_OF_SPAN = f"(epoch({{0}}) + {_MONTHS} * 2592000 - epoch(to_months(CAST({_MONTHS} AS INTEGER))))"
MICROSECONDS_OF_SPAN = (
    f"((CAST({_MONTHS} * 30 + datepart('day', {{0}}) AS HUGEINT) * 24 + datepart('hour', {{0}})) * 3600000000"
    " + datepart('minute', {0}) * 60000000 + datepart('microsecond', {0}))"
)
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
# DuckDB asks its own epoch_ms of a column's least and greatest value too, which no CASE guards, and there it raises
_MILLIS = "(epoch_us({0}) + CASE WHEN epoch_us({0}) < 0 THEN -500 ELSE 500 END) // 1000"

_INSTANT = _WITHIN + "timezone({1}, {0}) END"
MOST_SECONDS = 8_000_000_000_000  # the year 255,479
_INSTANT_OF_EPOCH = (
    f"to_timestamp(CASE WHEN {{0}} BETWEEN -{MOST_SECONDS} AND {MOST_SECONDS} THEN CAST({{0}} AS DOUBLE) END)"
)
# no part reaches the engine that it would not take, whatever it computes first
_FIRST = "make_date(CAST(greatest(1, least(9999, {0})) AS INTEGER), CAST(greatest(1, least(12, {1})) AS INTEGER), 1)"
_MADE_DATE = (
    f"CASE WHEN {{0}} BETWEEN 1 AND 9999 AND {{1}} BETWEEN 1 AND 12 AND {{2}} BETWEEN 1 AND day(last_day({_FIRST}))"
    f" THEN {_FIRST} + CAST(greatest(0, least(30, TRY_CAST({{2}} AS BIGINT) - 1)) AS INTEGER) END"
)


def _made_stamp(name: str, microseconds: int) -> str:
    """Write the time that many units after 1970 began, where it is in a calendar."""
    most = MOST_SECONDS * 1_000_000 // microseconds
    return f"{name}(CASE WHEN {{0}} BETWEEN -{most} AND {most} THEN CAST({{0}} AS BIGINT) END)"


def _part(name: str, lower: int, upper: int) -> Function:
    few = tuple(range(lower, upper + 1)) if upper < 400 else ()
    return Function(name, ("time",), _INT, f"{name}({{0}})", ranges.constant(lower, upper), few, _FAR)


def _of_day(name: str, lower: int, upper: int) -> Function:
    """Write a part of a date that each day has one of: its keys are those of the days in question."""
    return replace(_part(name, lower, upper), values=(), constant_on="day")


def _clock(name: str, lower: int, upper: int) -> Function:
    few = tuple(range(lower, upper + 1)) if upper < 400 else ()
    return Function(name, ("clock",), _INT, f"{name}({{0}})", ranges.constant(lower, upper), few)


def _too_long(one: int | str, other: int | str) -> str | None:
    """Say that a multiple of an interval is too long to move a time by."""
    span, times = (one, other) if isinstance(one, str) else (other, one)
    amount, unit = str(span).split(" ")
    return "The interval is longer than 1,000 years." if too_long(f"{int(amount) * int(times)} {unit}") else None


def _sum_of_spans(sign: str) -> Function:
    """Write a sum of intervals; a month is 30 days in it, so that equal intervals have equal sums."""
    other = MICROSECONDS_OF_SPAN.replace("{0}", "{1}")
    form = f"to_microseconds(TRY_CAST({MICROSECONDS_OF_SPAN} {sign} {other} AS BIGINT))"
    return Function(sign, ("span", "span"), _SPAN, form, partial=Partial.VALUE)


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
    _of_day("isoyear", 1, 9999),
    _of_day("decade", 0, 999),
    _of_day("century", 1, 100),
    _of_day("millennium", 1, 10),
    _of_day("yearweek", 101, 999953),
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
    _part("millisecond", 0, 59_999),
    _part("microsecond", 0, 59_999_999),
    _clock("hour", 0, 23),
    _clock("minute", 0, 59),
    _clock("second", 0, 59),
    _clock("millisecond", 0, 59_999),
    _clock("microsecond", 0, 59_999_999),
    Function(
        "last_day", ("time",), _DATE, _AS_STAMP.join(_WITHIN.split("{0}")) + f"last_day({_AS_STAMP}) END", partial=_FAR,
        constant_on="day",
    ),
    Function("julian", ("time",), _DOUBLE, "julian({0})", partial=_FAR),
    Function(
        "strftime", ("time", "format!"), _TEXT, "strftime({0}, {1})", suits=bad_format, constant_on=unit_of,
    ),
    Function("make_date", ("int", "int", "int"), _DATE, _MADE_DATE, partial=Partial.VALUE),
    Function("make_timestamp", ("int",), _STAMP, _made_stamp("make_timestamp", 1), partial=Partial.VALUE),
    Function("epoch_ms", ("int",), _STAMP, _made_stamp("epoch_ms", 1_000), partial=Partial.VALUE),
    Function("from_epoch", ("num",), SqlType.TIMESTAMPTZ, _INSTANT_OF_EPOCH, partial=Partial.VALUE, written=False),
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
    Function("epoch", ("clock",), _DOUBLE, "epoch({0})", ranges.constant(0, 86_400)),
    Function("epoch_ms", ("instant",), _INT, _INSTANT_WITHIN + _MILLIS + " END", partial=_FAR),
    Function("epoch_ms", ("stamp",), _INT, _WITHIN + _MILLIS + " END", partial=_FAR),
    Function("epoch_ms", ("date",), _INT, _DATE_WITHIN + "epoch_ms({0}) END", partial=_FAR),
    Function("epoch_us", ("instant",), _INT, "epoch_us({0})", partial=_FAR),
    Function("epoch_us", ("time",), _INT, f"epoch_us({_AS_STAMP})", partial=_FAR),
    Function("date_diff", ("text!", "date", "date"), _INT, "date_diff({0}, {1}, {2})", partial=_FAR),
    Function(
        "date_diff", ("text!", "time", "time"), _INT,
        "date_diff({0}, TRY_CAST({1} AS TIMESTAMP), TRY_CAST({2} AS TIMESTAMP))", partial=_FAR,
    ),
    Function(
        "date_sub", ("text!", "time", "time"), _INT,
        "date_sub({0}, TRY_CAST({1} AS TIMESTAMP), TRY_CAST({2} AS TIMESTAMP))", partial=_FAR,
    ),
    Function("-", ("date", "date"), _INT, _FINITE + "CAST({0} - {1} AS BIGINT) END", partial=_FAR),
    Function("-", ("instant", "instant"), _SPAN, _FINITE + "{0} - {1} END", partial=_FAR),
    Function(
        "-", ("time", "time"), _SPAN, _FINITE + "TRY_CAST({0} AS TIMESTAMP) - TRY_CAST({1} AS TIMESTAMP) END",
        partial=_FAR,
    ),
    *_moved("+"),
    *_moved("-"),
    _sum_of_spans("+"),
    _sum_of_spans("-"),
    Function("*", ("span!", "int!"), _SPAN, "({0} * {1})", suits=_too_long),
    Function("*", ("int!", "span!"), _SPAN, "({0} * {1})", suits=_too_long),
    Function("negative", ("span!",), _SPAN, "(-{0})", written=False),
    Function("instant", ("stamp", "zone!"), SqlType.TIMESTAMPTZ, _INSTANT, partial=_FAR, written=False),
    Function("wall", ("instant", "zone!"), _STAMP, WALL, partial=_FAR, written=False),
)  # fmt: skip
