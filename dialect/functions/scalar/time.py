"""Functions of dates, times and intervals, for DuckDB and Spark.

Parts of an instant are read from its local time, by `wall` with a time zone. A stored date or time may be so far away
that the engine raises when it is moved or converted: the forms return NULL there, beyond the calendar from EARLIEST to
LATEST.

Spark sessions run in UTC. A timestamp is a TIMESTAMP_NTZ and an instant a TIMESTAMP, both in microseconds. Times of day
and intervals are integer microseconds, because Spark cannot compare intervals and DuckDB's day has a 24:00:00. A month
of an interval is 30 days.

Kinds of arguments (`dialect.functions.signatures`): "stamp" is a local timestamp, "time" a date or timestamp, "instant"
a timestamp with time zone, "clock" a time of day, "span" an interval, as a constant '<amount> <unit>'. `place` is the
index of an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.functions.literals import MONTHS, SECONDS, interval_seconds, is_too_long
from dialect.functions.scalar.time_formats import format_mistake, granularity_of_format, spark_strftime
from dialect.functions.signatures import (
    SAME,
    Cost,
    Difference,
    Effect,
    Function,
    KeySetRule,
    Partial,
    SparkForm,
    Truncation,
)

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_MONTHS = "(datepart('year', {0}) * 12 + datepart('month', {0}))"
# a month is 30 days, as in comparisons, so that equal intervals give equal results
EPOCH_OF_INTERVAL = f"(epoch({{0}}) + {_MONTHS} * 2592000 - epoch(to_months(CAST({_MONTHS} AS INTEGER))))"
MICROSECONDS_OF_INTERVAL = (
    f"((CAST({_MONTHS} * 30 + datepart('day', {{0}}) AS HUGEINT) * 24 + datepart('hour', {{0}})) * 3600000000"
    " + datepart('minute', {0}) * 60000000 + datepart('microsecond', {0}))"
)
_STAMP, _DATE, _SPAN = SqlType.TIMESTAMP, SqlType.DATE, SqlType.INTERVAL
_BEYOND_CALENDAR = Partial.BEYOND_CALENDAR
TIME_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

EARLIEST, LATEST = "280000-01-01 (BC)", "280000-01-01"  # 1,000 years within the engine's range
_IF_AFTER_EARLIEST = f"CASE WHEN {{1}} >= TIMESTAMP '{EARLIEST} 00:00:00' THEN "
_IF_WITHIN_CALENDAR = (
    "CASE WHEN {0} BETWEEN " + f"TIMESTAMP '{EARLIEST} 00:00:00' AND TIMESTAMP '{LATEST} 00:00:00' THEN "
)
_IF_DATE_WITHIN_CALENDAR = "CASE WHEN {0} BETWEEN " + f"DATE '{EARLIEST}' AND DATE '{LATEST}' THEN "
_IF_INSTANT_WITHIN_CALENDAR = _IF_WITHIN_CALENDAR.replace("TIMESTAMP", "TIMESTAMPTZ").replace("00:00:00", "00:00:00+00")
_IF_BOTH_FINITE = "CASE WHEN isfinite({0}) AND isfinite({1}) THEN "
LOCAL_TIMESTAMP = _IF_INSTANT_WITHIN_CALENDAR + "timezone({1}, {0}) END"
_AS_STAMP = "TRY_CAST({0} AS TIMESTAMP)"
# DuckDB also evaluates its own epoch_ms on column statistics, outside of any CASE, where it may raise
_EPOCH_MS = "(epoch_us({0}) + CASE WHEN epoch_us({0}) < 0 THEN -500 ELSE 500 END) // 1000"

_INSTANT = _IF_WITHIN_CALENDAR + "timezone({1}, {0}) END"
MAX_EPOCH_SECONDS = 8_000_000_000_000  # the year 255,479
_INSTANT_OF_EPOCH = (
    f"to_timestamp(CASE WHEN {{0}} BETWEEN -{MAX_EPOCH_SECONDS} AND {MAX_EPOCH_SECONDS} THEN CAST({{0}} AS DOUBLE) END)"
)
# arguments are clamped to valid ones, because the engine may evaluate them before the condition
_FIRST_OF_MONTH = (
    "make_date(CAST(greatest(1, least(9999, {0})) AS INTEGER), CAST(greatest(1, least(12, {1})) AS INTEGER), 1)"
)
_MAKE_DATE = (
    "CASE WHEN {0} BETWEEN 1 AND 9999 AND {1} BETWEEN 1 AND 12"
    f" AND {{2}} BETWEEN 1 AND day(last_day({_FIRST_OF_MONTH}))"
    f" THEN {_FIRST_OF_MONTH} + CAST(greatest(0, least(30, TRY_CAST({{2}} AS BIGINT) - 1)) AS INTEGER) END"
)


def _timestamp_of_units(name: str, microseconds: int) -> str:
    """Write a conversion from integer units since 1970; NULL outside the calendar."""
    limit = MAX_EPOCH_SECONDS * 1_000_000 // microseconds
    return f"{name}(CASE WHEN {{0}} BETWEEN -{limit} AND {limit} THEN CAST({{0}} AS BIGINT) END)"


PartOf = Callable[[datetime], int]


def _date_part(
    name: str, lower: int, upper: int, spark: SparkForm, *part_names: str, unit: str = "", part_of: PartOf | None = None
) -> Function:
    """Declare a date part of a date or timestamp, an integer from `lower` to `upper`.

    Parts with fewer than 400 values list them, so that group keys computed by them have a public key set.
    """
    listed_values = tuple(range(lower, upper + 1)) if upper < 400 else ()
    return Function(
        name, ("time",), _INT, f"{name}({{0}})", spark, ranges.constant(lower, upper), listed_values, _BEYOND_CALENDAR,
        date_parts=(name, *part_names), constant_within=unit, part_of=part_of,
        key_set=KeySetRule.VALUES if part_of is None else KeySetRule.DAYS,
    )  # fmt: skip


def _date_part_of_day(name: str, lower: int, upper: int, spark: SparkForm, *part_names: str) -> Function:
    """Declare a date part that is constant within a day; its key set follows from the days in range."""
    part = _date_part(name, lower, upper, spark, *part_names, unit="day")
    return replace(part, listed_values=(), key_set=KeySetRule.UNITS)


def _clock_part(name: str, upper: int, spark: SparkForm) -> Function:
    """Declare a part of a time of day, an integer from 0 to `upper`; few values are listed."""
    return replace(_date_part(name, 0, upper, spark), argument_kinds=("clock",), partial=Partial.NEVER)


def _multiple_mistake(one: int | str, other: int | str) -> Refusal | None:
    """Return why a multiple of an interval is too long to move a time by; None if it is not."""
    span, factor = (one, other) if isinstance(one, str) else (other, one)
    amount, unit = str(span).split(" ")
    return Kind.INTERVAL_MULTIPLE.at() if is_too_long(f"{int(amount) * int(factor)} {unit}") else None


_TRY = {"+": "try_add", "-": "try_subtract"}  # Spark's total operators


def _interval_sum(sign: str) -> Function:
    """Declare the sum or difference of two intervals; a month is 30 days, so that equal intervals have equal sums."""
    other = MICROSECONDS_OF_INTERVAL.replace("{0}", "{1}")
    form = f"to_microseconds(TRY_CAST({MICROSECONDS_OF_INTERVAL} {sign} {other} AS BIGINT))"
    return Function(sign, ("span", "span"), _SPAN, form, f"{_TRY[sign]}({{0}}, {{1}})", partial=Partial.FOR_SOME_VALUES)


def _time_plus_constant(sign: str) -> tuple[Function, ...]:
    """Declare a date or time plus or minus a constant; NULL for times beyond the calendar.

    A date plus days is a date; a date plus an interval is a timestamp, as in DuckDB.
    """
    far_date = _AS_STAMP.join(_IF_WITHIN_CALENDAR.split("{0}")) + f"{_AS_STAMP} {sign} {{1}} END"
    days, moved = f"date_{'add' if sign == '+' else 'sub'}({{0}}, CAST({{1}} AS INT))", f"{{0}} {sign} {{1}} END"
    span = _spark_time_plus_constant(sign)
    rows = (
        Function(sign, ("date", "days!"), _DATE, _IF_DATE_WITHIN_CALENDAR + moved, days, is_injective=True),
        Function(sign, ("stamp", "span!"), _STAMP, _IF_WITHIN_CALENDAR + moved, span),
        Function(sign, ("date", "span!"), _STAMP, far_date, span),
    )
    return tuple(replace(row, partial=_BEYOND_CALENDAR) for row in rows)


MOST_DAYS = 10_000_000  # that a number of each row moves a date by: 27,000 years


def _date_plus_number(sign: str) -> Function:
    """Declare a date plus or minus a number of days; NULL beyond MOST_DAYS and for dates beyond the calendar.

    The number is clamped, because engines may evaluate the sum before the condition.
    """
    number = f"CAST(greatest(-{MOST_DAYS}, least({MOST_DAYS}, {{1}})) AS {{type}})"
    condition = f"{{1}} BETWEEN -{MOST_DAYS} AND {MOST_DAYS}"
    duckdb = _IF_DATE_WITHIN_CALENDAR.replace(" THEN ", f" AND {condition} THEN ") + f"{{0}} {sign} {number} END"
    spark = f"CASE WHEN {condition} THEN date_{'add' if sign == '+' else 'sub'}({{0}}, {number}) END"
    return Function(
        sign, ("date", "days"), _DATE, duckdb.replace("{type}", "INTEGER"), spark.replace("{type}", "INT"),
        partial=Partial.FOR_SOME_VALUES,
    )  # fmt: skip


_DAY, _SECOND = 86_400_000_000, 1_000_000


def microseconds(span: str) -> int:
    """Convert a constant interval to microseconds."""
    return interval_seconds(span) * _SECOND


def microseconds_of_day(clock: str) -> int:
    """Convert a time of day to microseconds since midnight."""
    at = time.fromisoformat(clock)
    return ((at.hour * 60 + at.minute) * 60 + at.second) * _SECOND + at.microsecond


def _spark_timestamp(place: int) -> str:
    """Write an argument as a TIMESTAMP_NTZ; dates become midnights."""
    return f"TRY_CAST({{{place}}} AS TIMESTAMP_NTZ)"


def _spark_microseconds(place: int) -> str:
    """Write an argument as microseconds since 1970."""
    return f"unix_micros(TRY_CAST({{{place}}} AS TIMESTAMP))"


def _spark_timestamp_of_microseconds(micros: str) -> str:
    """Write microseconds since 1970 as a TIMESTAMP_NTZ."""
    return f"CAST(timestamp_micros({micros}) AS TIMESTAMP_NTZ)"


def _floor_divide(number: str, part: int) -> str:
    """Write an integer division rounded down; `/` would convert to double."""
    return f"(try_subtract({number}, pmod({number}, {part}L)) div {part}L)"


def _milliseconds(micros: str) -> str:
    """Write a conversion to milliseconds that rounds halves away from zero, as DuckDB does."""
    return f"(try_add({micros}, CASE WHEN {micros} < 0L THEN -500L ELSE 500L END) div 1000L)"


def _spark_part(name: str) -> str:
    """Write a date part of the first argument as BIGINT."""
    return f"CAST({name}({_spark_timestamp(0)}) AS BIGINT)"


def _spark_time_plus_constant(sign: str) -> Callable[[str], str]:
    """Return the form of a time moved by a constant: months in the calendar, other units in microseconds.

    It is a function of the constant interval; {0} is the time.
    """

    def form(span: str) -> str:
        """Write the form for a constant interval '<amount> <unit>'."""
        amount, unit = span.split(" ")
        if unit in MONTHS:
            return f"({_spark_timestamp(0)} {sign} make_ym_interval(0, {int(amount) * MONTHS[unit]}))"
        return _spark_timestamp_of_microseconds(f"{_TRY[sign]}({_spark_microseconds(0)}, {microseconds(span)}L)")

    return form


_SINCE_2000 = "((year({1}) * 12L + month({1}) - 1) - 24000L)"


def _spark_time_bucket(span: str) -> str:
    """Write time_bucket, counting buckets of months from 2000-01-01 and others from Monday 2000-01-03.

    `span` is the constant width; 946857600000000 are the microseconds from 1970 to that Monday.
    """
    amount, unit = span.split(" ")
    if unit in MONTHS:
        months = f"({_SINCE_2000} - pmod({_SINCE_2000}, {int(amount) * MONTHS[unit]}L))"
        return f"CAST(add_months(DATE '2000-01-01', CAST({months} AS INT)) AS TIMESTAMP_NTZ)"
    since = f"try_subtract({_spark_microseconds(1)}, 946857600000000L)"
    return _spark_timestamp_of_microseconds(
        f"try_subtract({_spark_microseconds(1)}, pmod({since}, {microseconds(span)}L))"
    )


def _spark_date_diff(unit: str) -> str:
    """Write date_diff: the number of unit boundaries from time {1} to time {2}.

    Months are counted from year and month, weeks as days divided by 7, and units up to hours by rounding both times
    down.
    """
    if unit in MONTHS:
        later, earlier = (f"(year({{{place}}}) * 12L + month({{{place}}}) - 1)" for place in (2, 1))
        return f"({later} div {MONTHS[unit]}L - {earlier} div {MONTHS[unit]}L)"
    if unit in ("week", "day"):
        return f"(datediff({{2}}, {{1}}) div {SECONDS[unit] // SECONDS['day']}L)"
    return (
        f"({_floor_divide(_spark_microseconds(2), SECONDS[unit] * _SECOND)} -"
        f" {_floor_divide(_spark_microseconds(1), SECONDS[unit] * _SECOND)})"
    )


def _spark_date_sub(unit: str) -> str:
    """Write date_sub: the number of whole units from time {1} to time {2}.

    Months differ in length, so that they are counted by `_whole_months`.
    """
    if unit not in MONTHS:
        return f"(try_subtract({_spark_microseconds(2)}, {_spark_microseconds(1)}) div {SECONDS[unit] * _SECOND}L)"
    return f"({_SIGNED_WHOLE_MONTHS} div {MONTHS[unit]}L)"


def _whole_months(earlier: str, later: str) -> str:
    """Write the whole months from an earlier to a later time; a missing day counts as the last of its month.

    One month less where the later day, or on the same day the later time, is not reached yet.
    """
    months = "(year({b}) * 12L + month({b}) - year({a}) * 12L - month({a}))"
    last = "day({b}) = day(last_day(CAST({b} AS DATE)))"
    day = f"CASE WHEN {last} AND day({{a}}) > day({{b}}) THEN day({{b}}) ELSE day({{a}}) END"
    clock = "pmod(unix_micros(CAST({x} AS TIMESTAMP)), 86400000000L)"
    of_a, of_b = clock.replace("{x}", "{a}"), clock.replace("{x}", "{b}")
    is_month_incomplete = f"{day} > day({{b}}) OR ({day} = day({{b}}) AND {of_a} > {of_b})"
    return f"({months} - CASE WHEN {is_month_incomplete} THEN 1 ELSE 0 END)".replace("{a}", earlier).replace(
        "{b}", later
    )


_SIGNED_WHOLE_MONTHS = (
    f"CASE WHEN {_spark_timestamp(2)} >= {_spark_timestamp(1)}"
    f" THEN {_whole_months(_spark_timestamp(1), _spark_timestamp(2))}"
    f" WHEN {_spark_timestamp(2)} < {_spark_timestamp(1)}"
    f" THEN -{_whole_months(_spark_timestamp(2), _spark_timestamp(1))} END"
)


# DuckDB reads an ambiguous local hour as its second occurrence, whose offset is that of three hours later: no zone has
# two transitions as close as that
_FIRST_OCCURRENCE = "to_utc_timestamp(CAST({0} AS TIMESTAMP), {1})"
_THREE_HOURS_LATER = f"timestamp_micros(try_add(unix_micros({_FIRST_OCCURRENCE}), 10800000000L))"
_SECOND_OCCURRENCE = (
    f"timestamp_micros(try_add({_spark_microseconds(0)}, try_subtract(unix_micros({_THREE_HOURS_LATER}),"
    f" unix_micros(from_utc_timestamp({_THREE_HOURS_LATER}, {{1}})))))"
)
_SPARK_INSTANT = (
    f"CASE WHEN from_utc_timestamp({_SECOND_OCCURRENCE}, {{1}}) = CAST({{0}} AS TIMESTAMP) THEN {_SECOND_OCCURRENCE}"
    f" ELSE {_FIRST_OCCURRENCE} END"
)


def _spark_timestamp_of_units(micros: int) -> str:
    """Write a conversion from integer units of `micros` microseconds since 1970; NULL outside the calendar."""
    limit = MAX_EPOCH_SECONDS * _SECOND // micros
    return _spark_timestamp_of_microseconds(
        f"CASE WHEN {{0}} BETWEEN -{limit}L AND {limit}L THEN {{0}} END * {micros}L"
    )


SPARK_LOCAL_TIMESTAMP = "CAST(from_utc_timestamp({0}, {1}) AS TIMESTAMP_NTZ)"
_YEAR = "CAST(year({0}) AS BIGINT)"

# arguments are clamped to valid ones, because Spark may evaluate them before the condition
_SPARK_FIRST_OF_MONTH = (
    "make_date(CAST(greatest(1, least(9999, {0})) AS INT), CAST(greatest(1, least(12, {1})) AS INT), 1)"
)
_SPARK_MAKE_DATE = (
    "CASE WHEN {0} BETWEEN 1 AND 9999 AND {1} BETWEEN 1 AND 12"
    f" AND {{2}} BETWEEN 1 AND day(last_day({_SPARK_FIRST_OF_MONTH}))"
    f" THEN date_add({_SPARK_FIRST_OF_MONTH}, CAST(greatest(1, least(31, {{2}})) - 1 AS INT)) END"
)


_DATE_AS_STAMP = "TRY_CAST({1} AS TIMESTAMP)"
_DATE_TRUNC = Function(
    "date_trunc", ("text!", "stamp"), _STAMP, _IF_AFTER_EARLIEST + "date_trunc({0}, {1}) END",
    "CAST(date_trunc({0}, CAST({1} AS TIMESTAMP)) AS TIMESTAMP_NTZ)", partial=_BEYOND_CALENDAR,
    nodes=(exp.TimestampTrunc, exp.DateTrunc), key_set=KeySetRule.STEPS, truncation=Truncation.UNIT,
)  # fmt: skip
_TIME_BUCKET = Function(
    "time_bucket", ("period!", "stamp"), _STAMP, _IF_AFTER_EARLIEST + "time_bucket({0}, {1}) END",
    _spark_time_bucket, partial=_BEYOND_CALENDAR, nodes=(exp.DateBin,),
    key_set=KeySetRule.STEPS, truncation=Truncation.WIDTH,
)  # fmt: skip

TIMES: tuple[Function, ...] = (
    replace(_date_part("year", 1, 9999, _YEAR, unit="year", part_of=lambda at: at.year), key_set=KeySetRule.STEPS),
    replace(
        _date_part_of_day("isoyear", 1, 9999, "CAST(extract(YEAROFWEEK FROM {0}) AS BIGINT)"),
        part_of=lambda at: at.isocalendar().year,
    ),
    _date_part_of_day("decade", 0, 999, f"({_YEAR} div 10L)"),
    _date_part_of_day("century", 1, 100, f"(({_YEAR} - 1L) div 100L + 1L)", "centuries", "cent"),
    _date_part_of_day("millennium", 1, 10, f"(({_YEAR} - 1L) div 1000L + 1L)", "millennia"),
    _date_part_of_day(
        "yearweek", 101, 999953, "CAST(extract(YEAROFWEEK FROM {0}) * 100 + weekofyear({0}) AS BIGINT)"
    ),
    _date_part("quarter", 1, 4, "CAST(quarter({0}) AS BIGINT)", unit="quarter", part_of=lambda at: (at.month + 2) // 3),
    _date_part("month", 1, 12, "CAST(month({0}) AS BIGINT)", unit="month", part_of=lambda at: at.month),
    replace(
        _date_part(
            "week", 1, 53, "CAST(weekofyear({0}) AS BIGINT)", "weekofyear", unit="week",
            part_of=lambda at: at.isocalendar().week,
        ),
        nodes=(exp.Week, exp.WeekOfYear)
    ),
    replace(
        _date_part("day", 1, 31, "CAST(day({0}) AS BIGINT)", unit="day", part_of=lambda at: at.day),
        nodes=(exp.Day, exp.DayOfMonth), other_names=("dayofmonth",),
    ),
    _date_part(
        "dayofyear", 1, 366, "CAST(dayofyear({0}) AS BIGINT)", "doy", unit="day",
        part_of=lambda at: at.timetuple().tm_yday,
    ),
    replace(
        _date_part(
            "dayofweek", 0, 6, "CAST(dayofweek({0}) - 1 AS BIGINT)", "dow", "weekday", unit="day",
            part_of=lambda at: at.isoweekday() % 7,
        ),
        other_names=("weekday",)
    ),
    _date_part("isodow", 1, 7, "CAST(weekday({0}) + 1 AS BIGINT)", unit="day", part_of=datetime.isoweekday),
    _date_part("hour", 0, 23, _spark_part("hour"), unit="hour"),
    _date_part("minute", 0, 59, _spark_part("minute"), unit="minute"),
    _date_part("second", 0, 59, _spark_part("second"), unit="second"),
    replace(
        _date_part("millisecond", 0, 59_999, f"(pmod({_spark_microseconds(0)}, 60000000L) div 1000L)", "ms", "msec"),
        other_names=("milliseconds",),
    ),
    replace(
        _date_part("microsecond", 0, 59_999_999, f"pmod({_spark_microseconds(0)}, 60000000L)", "us", "usec"),
        other_names=("microseconds",),
    ),
    _clock_part("hour", 23, "({0} div 3600000000L)"),
    _clock_part("minute", 59, "({0} div 60000000L % 60L)"),
    _clock_part("second", 59, "({0} div 1000000L % 60L)"),
    _clock_part("millisecond", 59_999, "({0} % 60000000L div 1000L)"),
    _clock_part("microsecond", 59_999_999, "({0} % 60000000L)"),
    Function(
        "last_day", ("time",), _DATE, _AS_STAMP.join(_IF_WITHIN_CALENDAR.split("{0}")) + f"last_day({_AS_STAMP}) END",
        "last_day(CAST({0} AS DATE))", partial=_BEYOND_CALENDAR, constant_within="day",
        key_set=KeySetRule.UNITS,
    ),
    Function(
        "julian", ("time",), _DOUBLE, "julian({0})", f"({_spark_microseconds(0)} / {_DAY}D + 2440588D)",
        partial=_BEYOND_CALENDAR, date_parts=("julian",),
    ),
    Function(
        "strftime", ("time", "format!"), _TEXT, "strftime({0}, {1})", spark_strftime, check_constants=format_mistake,
        constant_within=granularity_of_format, key_set=KeySetRule.UNITS, nodes=(exp.TimeToStr,),
        cost=Cost(per_call=200.0),
    ),
    Function(
        "make_date", ("int", "int", "int"), _DATE, _MAKE_DATE, _SPARK_MAKE_DATE, partial=Partial.FOR_SOME_VALUES,
        nodes=(exp.DateFromParts,),
    ),
    *(
        Function(
            name, ("int",), _STAMP, _timestamp_of_units(name, micros), _spark_timestamp_of_units(micros),
            partial=Partial.FOR_SOME_VALUES,
        )
        for name, micros in (("make_timestamp", 1), ("epoch_ms", 1_000))
    ),
    Function(
        "from_epoch", ("num",), SqlType.TIMESTAMPTZ, _INSTANT_OF_EPOCH,
        "timestamp_micros(CAST(rint(CASE WHEN {0} BETWEEN"
        f" -{MAX_EPOCH_SECONDS} AND {MAX_EPOCH_SECONDS} THEN CAST({{0}} AS DOUBLE) END * 1e6D) AS BIGINT))",
        partial=Partial.FOR_SOME_VALUES, is_callable=False,
    ),
    Function(
        "dayname", ("time",), _TEXT, "dayname({0})", "date_format({0}, 'EEEE')", listed_values=DAY_NAMES,
        partial=_BEYOND_CALENDAR, constant_within="day", key_set=KeySetRule.DAYS, part_of=datetime.isoweekday,
        cost=Cost(per_call=200.0),
    ),
    Function(
        "monthname", ("time",), _TEXT, "monthname({0})", "date_format({0}, 'MMMM')", listed_values=MONTH_NAMES,
        partial=_BEYOND_CALENDAR, constant_within="month", key_set=KeySetRule.DAYS, part_of=lambda at: at.month,
        cost=Cost(per_call=200.0),
    ),
    _DATE_TRUNC,
    replace(_DATE_TRUNC, argument_kinds=("text!", "date"), duckdb=_DATE_TRUNC.duckdb.replace("{1}", _DATE_AS_STAMP)),
    _TIME_BUCKET,
    replace(
        _TIME_BUCKET, argument_kinds=("period!", "date"), result=_DATE,
        duckdb=f"{_IF_AFTER_EARLIEST}CAST(time_bucket({{0}}, {{1}}) AS DATE) END".replace("{1}", _DATE_AS_STAMP),
        spark=lambda span: f"CAST({_spark_time_bucket(span)} AS DATE)",
    ),
    Function(
        "epoch", ("instant",), _DOUBLE, "epoch({0})", "(unix_micros({0}) / 1e6D)", partial=_BEYOND_CALENDAR,
        nodes=(exp.TimeToUnix,), date_parts=("epoch",), reads_instants=True, epochs_per_second=1,
    ),
    Function(
        "epoch", ("time",), _DOUBLE, "epoch({0})", f"({_spark_microseconds(0)} / 1e6D)", partial=_BEYOND_CALENDAR,
        epochs_per_second=1,
    ),
    Function("epoch", ("span",), _DOUBLE, EPOCH_OF_INTERVAL, "({0} / 1e6D)", ranges.first_argument),
    Function("epoch", ("clock",), _DOUBLE, "epoch({0})", "({0} / 1e6D)", ranges.constant(0, 86_400)),
    Function(
        "epoch_ms", ("instant",), _INT, _IF_INSTANT_WITHIN_CALENDAR + _EPOCH_MS + " END",
        _milliseconds("unix_micros({0})"), partial=_BEYOND_CALENDAR, date_parts=("epoch_ms",), reads_instants=True,
        epochs_per_second=1_000,
    ),
    Function(
        "epoch_ms", ("stamp",), _INT, _IF_WITHIN_CALENDAR + _EPOCH_MS + " END", _milliseconds(_spark_microseconds(0)),
        partial=_BEYOND_CALENDAR, epochs_per_second=1_000,
    ),
    Function(
        "epoch_ms", ("date",), _INT, _IF_DATE_WITHIN_CALENDAR + "epoch_ms({0}) END",
        _floor_divide(_spark_microseconds(0), 1_000), partial=_BEYOND_CALENDAR, epochs_per_second=1_000,
    ),
    Function(
        "epoch_us", ("instant",), _INT, "epoch_us({0})", "unix_micros({0})", partial=_BEYOND_CALENDAR,
        date_parts=("epoch_us",), reads_instants=True, epochs_per_second=1_000_000,
    ),
    Function(
        "epoch_us", ("time",), _INT, f"epoch_us({_AS_STAMP})", _spark_microseconds(0), partial=_BEYOND_CALENDAR,
        epochs_per_second=1_000_000,
    ),
    Function(
        "date_diff", ("text!", "date", "date"), _INT, "date_diff({0}, {1}, {2})", _spark_date_diff,
        partial=_BEYOND_CALENDAR, difference=Difference.CROSSED,
    ),
    Function(
        "date_diff", ("text!", "time", "time"), _INT,
        "date_diff({0}, TRY_CAST({1} AS TIMESTAMP), TRY_CAST({2} AS TIMESTAMP))", _spark_date_diff,
        partial=_BEYOND_CALENDAR, difference=Difference.CROSSED,
    ),
    Function(
        "date_sub", ("text!", "time", "time"), _INT,
        "date_sub({0}, TRY_CAST({1} AS TIMESTAMP), TRY_CAST({2} AS TIMESTAMP))", _spark_date_sub, nodes=(),
        partial=_BEYOND_CALENDAR, difference=Difference.WHOLE,
    ),
    Function(
        "-", ("date", "date"), _INT, _IF_BOTH_FINITE + "CAST({0} - {1} AS BIGINT) END",
        "CAST(datediff({0}, {1}) AS BIGINT)", partial=_BEYOND_CALENDAR, is_injective=True,
        difference=Difference.ELAPSED,
    ),
    Function(
        "-", ("instant", "instant"), _SPAN, _IF_BOTH_FINITE + "{0} - {1} END",
        "try_subtract(unix_micros({0}), unix_micros({1}))", partial=_BEYOND_CALENDAR, reads_instants=True,
        difference=Difference.ELAPSED,
    ),
    Function(
        "-", ("time", "time"), _SPAN, _IF_BOTH_FINITE + "TRY_CAST({0} AS TIMESTAMP) - TRY_CAST({1} AS TIMESTAMP) END",
        f"try_subtract({_spark_microseconds(0)}, {_spark_microseconds(1)})", partial=_BEYOND_CALENDAR,
        difference=Difference.ELAPSED,
    ),
    *_time_plus_constant("+"),
    *_time_plus_constant("-"),
    _date_plus_number("+"),
    _date_plus_number("-"),
    _interval_sum("+"),
    _interval_sum("-"),
    Function("*", ("span!", "int!"), _SPAN, "({0} * {1})", "try_multiply({0}, {1})", check_constants=_multiple_mistake),
    Function("*", ("int!", "span!"), _SPAN, "({0} * {1})", "try_multiply({0}, {1})", check_constants=_multiple_mistake),
    Function(
        "negative", ("span!",), _SPAN, "(-{0})", SAME, is_callable=False, effect=Effect.NEGATES, is_injective=True,
    ),
    Function(
        "instant", ("stamp", "zone!"), SqlType.TIMESTAMPTZ, _INSTANT, _SPARK_INSTANT, partial=_BEYOND_CALENDAR,
        is_callable=False,
    ),
    Function(
        "wall", ("instant", "zone!"), _STAMP, LOCAL_TIMESTAMP, SPARK_LOCAL_TIMESTAMP,
        partial=_BEYOND_CALENDAR, is_callable=False, cost=Cost(per_call=200.0), reads_instants=True, is_local_time=True,
    ),
)  # fmt: skip
