"""Allowed rows: dates, times and spans. Wall-clock parts of an instant go through `wall` and its time zone."""

from __future__ import annotations

from dialect import ranges
from dialect.catalog import SqlType
from dialect.function_row import Function

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_STAMP, _DATE, _SPAN = SqlType.TIMESTAMP, SqlType.DATE, SqlType.INTERVAL
UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")

# years in which no date arithmetic of ours can leave what the engine can store
_WITHIN = "CASE WHEN {0} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31' THEN "
_FINITE = "CASE WHEN isfinite({0}) AND isfinite({1}) THEN "


def _part(name: str, lower: int, upper: int, kinds: tuple[str, ...] = ("time",)) -> Function:
    few = tuple(range(lower, upper + 1)) if upper < 400 else ()
    return Function(name, kinds, _INT, f"{name}({{0}})", ranges.constant(lower, upper), few)


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
    Function("dayname", ("time",), _TEXT, "dayname({0})"),
    Function("monthname", ("time",), _TEXT, "monthname({0})"),
    Function(
        "hour_of_week",
        ("time",),
        _INT,
        "((isodow({0}) - 1) * 24 + hour({0}))",
        ranges.constant(0, 167),
        tuple(range(168)),
    ),
    Function("is_weekend", ("time",), _BOOLEAN, "(isodow({0}) >= 6)"),
    Function("date_trunc", ("text!", "time"), _STAMP, "date_trunc({0}, CAST({1} AS TIMESTAMP))"),
    Function("time_bucket", ("span!", "time"), _STAMP, "time_bucket({0}, CAST({1} AS TIMESTAMP))"),
    Function("epoch", ("instant",), _DOUBLE, "epoch({0})"),
    Function("epoch", ("time",), _DOUBLE, "epoch(CAST({0} AS TIMESTAMP))"),
    Function("epoch", ("span",), _DOUBLE, "epoch({0})"),
    Function("date_diff", ("text!", "time", "time"), _INT, "date_diff({0}, {1}, {2})"),
    Function("-", ("date", "date"), _INT, _FINITE + "CAST({0} - {1} AS BIGINT) END"),
    Function("-", ("instant", "instant"), _SPAN, _FINITE + "{0} - {1} END"),
    Function("-", ("time", "time"), _SPAN, _FINITE + "CAST({0} AS TIMESTAMP) - CAST({1} AS TIMESTAMP) END"),
    Function("+", ("date", "int!"), _DATE, _WITHIN + "{0} + CAST({1} AS INTEGER) END"),
    Function("-", ("date", "int!"), _DATE, _WITHIN + "{0} - CAST({1} AS INTEGER) END"),
    Function("+", ("time", "span!"), _STAMP, _WITHIN + "CAST({0} AS TIMESTAMP) + {1} END"),
    Function("-", ("time", "span!"), _STAMP, _WITHIN + "CAST({0} AS TIMESTAMP) - {1} END"),
    Function("to_date", ("time",), _DATE, "CAST({0} AS DATE)"),
    Function("to_timestamp", ("time",), _STAMP, "CAST({0} AS TIMESTAMP)"),
    Function("wall", ("instant", "text!"), _STAMP, "timezone({1}, {0})"),
    Function("instant", ("time", "text!"), SqlType.TIMESTAMPTZ, "timezone({1}, CAST({0} AS TIMESTAMP))"),
)
