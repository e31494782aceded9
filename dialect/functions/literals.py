"""Literals of the analyst's SQL: constants, parsed and checked at binding.

Dates and times have one accepted form. A refusal suggests the intended time in that form, or shows the form alone.
An interval is held as canonical text: an integer and one unit of MAX_AMOUNTS, such as '90 minute'.

Calls over constants are folded where Python gives exactly the engine's value: a range in WHERE can then be written
`DATE '2026-10-01' + 7` as well as with the resulting date. Each fold receives the call, for its type, and the values of
its arguments, dates and times as canonical texts; it returns the value, or None where it does not fold.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlglot import exp

from dialect.algebra.expressions import NULL, Call, Expr, Literal
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, to_suggestions
from dialect.parser.compile_context import refusal

_FORMS = {"DATE": "'YYYY-MM-DD'", "TIMESTAMP": "'YYYY-MM-DD HH:MM:SS'", "TIME": "'HH:MM:SS'"}
_DAY = re.compile(
    r"(?:(\d{4})([./-])(\d\d?)\2(\d\d?)|(\d\d?)([./-])(\d\d?)\6(\d{4})|(\d{4})(\d\d)(\d\d))"
    r"(?:[ T](\d\d?):(\d\d)(?::(\d\d))?)?",
    re.ASCII,
)


def clock_text(instant: str, zone: str) -> str | None:
    """Write an instant as the clock of a time zone shows it; text without an offset is read on that clock.

        '2026-03-10 00:00:00+00' in Europe/Madrid -> '2026-03-10 01:00:00'

    None for other texts, and for times that the clock shows twice or never: they name no single instant.
    """
    try:
        moment = datetime.fromisoformat(instant)
        if moment.tzinfo is not None:
            moment = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except (ValueError, OverflowError):  # no time, or beyond the years 1 to 9999 on that clock
        return None
    offsets = {moment.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}
    return moment.isoformat(" ") if len(offsets) == 1 else None


OFFSET = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$", re.ASCII)  # of a time from UTC


def instant_text(seconds: float) -> str | None:
    """Write the instant a number of seconds after 1970-01-01 00:00:00+00; None beyond the years 1 to 9999."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat(" ")
    except (ValueError, OverflowError):
        return None


def iso_suggestion(text: str, type_name: str) -> str | None:
    """Rewrite a date in a foreign format as a quoted ISO date; None if it is none, or ambiguous.

        '24.12.2025' -> '2025-12-24'    '12/24/2025' -> '2025-12-24'    '5/6/2025' -> None

    A date with dots is read day first; with slashes or dashes it is accepted where only one order is possible.
    """
    found = _DAY.fullmatch(text)
    if found is None or type_name not in ("DATE", "TIMESTAMP"):
        return None
    days = {day for day in _possible_dates(found) if day is not None}
    hour, minute, second = found.groups()[-3:]
    if len(days) != 1 or (hour is not None and (int(hour) > 23 or max(int(minute), int(second or 0)) > 59)):
        return None
    clock = f" {int(hour):02}:{minute}:{second or '00'}" if hour is not None and type_name == "TIMESTAMP" else ""
    return f"'{days.pop().isoformat()}{clock}'"


def _possible_dates(found: re.Match[str]) -> tuple[date | None, ...]:
    """Return the dates that a match of _DAY can mean, None for impossible ones.

    One where the year is first or dots separate (day first); two, day first and month first, with slashes or dashes.
    The groups of _DAY: year-first 1, 3, 4; year-last 5, 7, 8 with its separator 6; eight digits 9 to 11.
    """
    if found[5] is None:
        year, month, day = (found[1], found[3], found[4]) if found[1] is not None else found.group(9, 10, 11)
        return (_date_of_parts(year, month, day),)
    first, second, year = found[5], found[7], found[8]
    day_first = _date_of_parts(year, second, first)
    return (day_first,) if found[6] == "." else (day_first, _date_of_parts(year, first, second))


def _date_of_parts(year: str, month: str, day: str) -> date | None:
    """Return the date of three texts of digits; None if there is no such day."""
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


_NUMBER = re.compile(r"\d+", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_INTERVAL_PART = re.compile(r"(-?\d{1,9})\s*([a-z]+?)s?(?![a-z])", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)
_TIME = re.compile(r"\d\d?:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_CLOCK_UNITS = ("hour", "minute", "second")
_DERIVED_UNITS = {"decade": (10, "year"), "century": (100, "year"), "centurie": (100, "year"), "min": (1, "minute")}
# 1,000 years in each unit: the longest interval; a time moved by it stays within the engine's range
MAX_AMOUNTS = {
    "year": 1_000,
    "quarter": 4_000,
    "month": 12_000,
    "week": 52_000,
    "day": 365_000,
    "hour": 8_760_000,
    "minute": 525_600_000,
    "second": 10**9,
}


def parse_constant(node: exp.Expr) -> Literal | None:
    """Parse a node that is a constant; None for any other node.

    Raises Refusal for numbers and intervals that are not accepted. Negative numbers are a call of negation over a
    constant, except -2^63.
    """
    if isinstance(node, exp.Null):
        return NULL
    if isinstance(node, exp.Boolean):
        return Literal(bool(node.this), SqlType.BOOLEAN)
    if isinstance(node, exp.Literal):
        return Literal(node.this, SqlType.VARCHAR) if node.is_string else parse_number(node)
    if isinstance(node, exp.Interval):
        return parse_interval(node)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and node.this.this == str(2**63):
        return Literal(-(2**63), SqlType.BIGINT)  # its digits without the sign do not fit 64 bits
    return None


def parse_number(node: exp.Literal) -> Literal:
    """Parse a number: BIGINT where it fits 64 bits, else DOUBLE. Raises Refusal with E_PARSE."""
    text = node.this
    if _NUMBER.fullmatch(text) and len(text) <= 30 and int(text) < 2**63:
        return Literal(int(text), SqlType.BIGINT)
    try:
        value = float(text)
    except ValueError:
        raise refusal(Kind.NOT_A_NUMBER, node, text=text[:40]) from None
    if not math.isfinite(value):
        raise refusal(Kind.NUMBER_TOO_LARGE, node)
    return Literal(value, SqlType.DOUBLE)


def parse_interval(node: exp.Interval) -> Literal:
    """Parse a constant interval: one unit, or several with a common unit ('1 day 2 hours', '01:30:00').

    The sign may stand before the constant, and the unit within the text or after it. Raises Refusal with E_FUNC.
    """
    inner = node.this.unnest() if isinstance(node.this, exp.Expr) else None
    sign = "-" if isinstance(inner, exp.Neg) else ""
    inner = inner.this if isinstance(inner, exp.Neg) else inner
    written = str(inner.this) if isinstance(inner, exp.Literal) else ""
    return _interval_of_text(f"{sign}{written} {node.args.get('unit') or ''}".strip(), node)


def _interval_of_text(text: str, node: exp.Expr) -> Literal:
    """Parse the text of an interval: a clock 'hh:mm:ss', or parts of an amount and a unit.

    Text that is neither, and a minus sign before several parts (it would be unclear to which it belongs), get the unit
    "", which `interval_literal` refuses.
    """
    parts = [(int(amount), unit.lower()) for amount, unit in _INTERVAL_PART.findall(text)]
    clock = _CLOCK.fullmatch(text)
    if clock:
        parts = [(int(amount or 0), unit) for amount, unit in zip(clock.groups(), _CLOCK_UNITS, strict=True)]
    elif not parts or _INTERVAL_PART.sub("", text).strip() or (text.startswith("-") and len(parts) > 1):
        parts = [(0, "")]
    return interval_literal(*_in_one_unit(parts), node)


def _in_one_unit(parts: list[tuple[int, str]]) -> tuple[int, str]:
    """Sum the parts of an interval that are all multiples of a month, or all multiples of a second.

    A mixture has no common unit, because months differ in length: its unit is "", which is refused.
    """
    if len(parts) == 1:
        return parts[0]
    for lengths, unit in ((SECONDS, "second"), (MONTHS, "month")):
        if all(each in lengths for _, each in parts):
            return sum(amount * lengths[each] for amount, each in parts), unit
    return 0, ""


def interval_refusal(node: exp.Expr) -> Refusal:
    """Build the refusal of an expression that is not a constant interval."""
    return refusal(Kind.INTERVAL_FORM, node)


def interval_literal(amount: int, unit: str, node: exp.Expr) -> Literal:
    """INTERVAL literal of a number and a unit; raises Refusal (E_FUNC) for other units and beyond the longest.

    Decades, centuries and `min` are converted to the units of MAX_AMOUNTS; "centurie" is "centuries" without its s.
    """
    factor, base_unit = _DERIVED_UNITS.get(unit, (1, unit))
    if base_unit not in MAX_AMOUNTS:
        raise interval_refusal(node)
    if is_too_long(f"{amount * factor} {base_unit}"):
        raise refusal(Kind.INTERVAL_TOO_LONG, node)
    return Literal(f"{amount * factor} {base_unit}", SqlType.INTERVAL)


def interval_seconds(text: str) -> int:
    """Length of a constant interval; a month has 30 days, as where intervals are compared and in their epochs."""
    amount, unit = text.split(" ")
    return int(amount) * (MONTHS[unit] * 30 * SECONDS["day"] if unit in MONTHS else SECONDS[unit])


def is_too_long(text: str) -> bool:
    """Return whether an interval is longer than 1,000 years, the limit for moving a time."""
    amount, unit = text.split(" ")
    return abs(int(amount)) > MAX_AMOUNTS[unit]


def parse_as(text: str, target: SqlType, node: exp.Expr) -> Literal:
    """Parse constant text as another type; raises Refusal with E_PARSE where it does not fit.

    The refusal suggests the date in the accepted form where the text can be read as one. `node` locates it.
    """
    if target is SqlType.INTERVAL:
        return _interval_of_text(text.strip(), node)
    try:
        return Literal(_READERS[target](text.strip()), target)
    except (ValueError, KeyError):
        suggestion = iso_suggestion(text.strip(), target)
        replacements = () if suggestion is None else to_suggestions((suggestion, f"{target} {suggestion}"))
        # the literal itself, if `node` is a comparison
        located = next((part for part in node.find_all(exp.Literal) if part.this == text), node)
        if not replacements and target not in _FORMS:
            raise refusal(Kind.NOT_IN_DIGITS, located, text=text[:40], type=target) from None
        raise refusal(
            Kind.NOT_OF_TYPE,
            located,
            *replacements,
            text=text[:40],
            type=target,
            form=replacements[-1] if replacements else f"{target} {_FORMS[target]}",
        ) from None


def _parse_timestamp(text: str) -> datetime:
    """Parse a date with an optional time of day; raises ValueError for other text and impossible dates."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    return datetime(year, month, day, hour, minute, second, int((found[7] or "").ljust(6, "0")))


def _date_text(text: str) -> str:
    """Canonical text of a date; a time of day is dropped."""
    return _parse_timestamp(text).date().isoformat()


def _timestamp_text(text: str) -> str:
    """Canonical text of a timestamp."""
    return _parse_timestamp(text).isoformat(sep=" ")


def _time_text(text: str) -> str:
    """Canonical text of a time of day; an hour of one digit gets a leading zero."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return time.fromisoformat(text.zfill(8) if text.count(":") == 2 and "." not in text else text).isoformat()


def _parse_integer(text: str) -> int:
    """Parse a 64-bit integer; raises ValueError for other text."""
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _parse_finite(text: str) -> float | None:
    """Parse a double; infinities and NaN are NULL, and -0.0 becomes 0.0."""
    value = float(text)
    return value + 0.0 if math.isfinite(value) else None  # infinities and NaN are NULL everywhere


def _parse_boolean(text: str) -> bool:
    """Parse true or false; raises KeyError for other text."""
    return {"true": True, "false": False}[text.lower()]


_READERS: dict[SqlType, Callable[[str], bool | int | float | str | None]] = {
    SqlType.DATE: _date_text,
    SqlType.TIMESTAMP: _timestamp_text,
    SqlType.TIME: _time_text,
    SqlType.BIGINT: _parse_integer,
    SqlType.DOUBLE: _parse_finite,
    SqlType.VARCHAR: str,
    SqlType.BOOLEAN: _parse_boolean,
}


def literal_of(value: object, kind: SqlType) -> Literal:
    """Build a typed constant from a catalog's or a list's value; raises TypeError for an unsupported value."""
    if value is None:
        return Literal(None, kind)
    if kind in (SqlType.DATE, SqlType.TIMESTAMP):
        return Literal(_READERS[kind](str(value)), kind)
    if isinstance(value, bool | int | float | str):
        return Literal(value, kind)
    raise TypeError(f"a constant can't be a {type(value).__name__}")


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


def cast_literal(value: Literal, kind: SqlType) -> Literal | None:
    """Return a constant as a value of a type; None if no value of the type equals it."""
    if value.value is None or value.type is kind:
        return None if value.value is None else value
    if isinstance(value.value, int | float) and not isinstance(value.value, bool):
        return _cast_number(value.value, kind)
    if {value.type, kind} == {SqlType.DATE, SqlType.TIMESTAMP} and isinstance(value.value, str):
        same = Literal(format_time(parse_timestamp(value.value), kind), kind)
        return same if parse_timestamp(str(same.value)) == parse_timestamp(value.value) else None
    return None


def _cast_number(value: float, kind: SqlType) -> Literal | None:
    """Return a number in a numeric type; None for a fraction as BIGINT, and for other types."""
    if kind is SqlType.DOUBLE:
        return Literal(float(value), kind)
    return Literal(int(value), kind) if kind is SqlType.BIGINT and value == int(value) else None


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
