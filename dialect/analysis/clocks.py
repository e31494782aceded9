"""Ends of times that are moved by constants or shown on other clocks, and of numbers that count from one to another."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import Bounds, SqlType
from dialect.functions.literals import MONTHS, SECONDS, format_time, parse_timestamp
from dialect.functions.registry import OVERLOADS, is_local_time, time_zone_of, to_local_time
from dialect.functions.signatures import Difference

_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)
_DIRECTIONS = {"+": 1, "-": -1}
LARGEST_EXACT = 2**53  # integers are exact in DOUBLE up to here

Ends = tuple[Literal, Literal]  # least and largest moment that a time can be, on its own clock


def moved_time(expr: Call) -> tuple[Expr, timedelta] | None:
    """Return (time, distance) of a time that is moved by a constant; None for other calls.

    None also for months, which do not keep the order of times: 30 and 31 January are moved to the same day of February.
    """
    if expr.name not in _DIRECTIONS or expr.type not in (SqlType.DATE, SqlType.TIMESTAMP):
        return None
    time, step = expr.arguments
    if not isinstance(step, Literal) or step.value is None:
        return None
    amount, _, unit = (f"{step.value} day" if isinstance(step.value, int) else str(step.value)).partition(" ")
    return (time, timedelta(seconds=_DIRECTIONS[expr.name] * int(amount) * SECONDS[unit])) if unit in SECONDS else None


def move_time(end: Literal, distance: timedelta) -> Literal | None:
    """Move a date or time; None for NULL and outside the years of datetime."""
    try:
        at = parse_timestamp(str(end.value)) + distance
    except (ValueError, OverflowError):
        return None
    is_date = end.type is SqlType.DATE and not distance % _DAY
    return Literal(format_time(at, SqlType.DATE), SqlType.DATE) if is_date else timestamp_literal(at)


def epoch_bounds(epoch: Call, times: Ends) -> Bounds | None:
    """Bounds of the time since 1970-01-01 of times between two ends on their clock, in the unit of the call.

    Milliseconds are rounded, so that both ends are rounded outwards. None where microseconds are inexact in DOUBLE.
    """
    per_second = OVERLOADS[epoch.function].epochs_per_second
    micros = _micros_between(epoch.children[0], times)
    if per_second is None or micros is None:
        return None
    first, last = micros
    if epoch.type is SqlType.DOUBLE:
        return Bounds(first / 1_000_000, last / 1_000_000)
    return Bounds(float(first * per_second // 1_000_000), float(-(-last * per_second // 1_000_000)))


def difference_bounds(call: Call, start: Ends, end: Ends) -> Bounds | None:
    """Bounds of the difference from one time to another, each between its ends: units, days, or seconds of an interval.

    None for other units than those of whole seconds or months, and where microseconds are inexact in DOUBLE.
    """
    kind = OVERLOADS[call.function].difference
    if call.type is SqlType.INTERVAL:
        later, earlier = (_micros_between(*each) for each in zip(call.arguments, (end, start), strict=True))
        if later is None or earlier is None:
            return None
        return Bounds((later[0] - earlier[1]) / 1_000_000, (later[1] - earlier[0]) / 1_000_000)
    unit = "day" if kind is Difference.ELAPSED else getattr(call.arguments[0], "value", None)
    if unit not in {*SECONDS, *MONTHS}:
        return None
    pairs = (start[1], end[0]), (start[0], end[1])
    moments = [[parse_timestamp(str(each.value)) for each in pair] for pair in pairs]
    is_whole = kind is Difference.WHOLE
    count = _whole_units if is_whole and unit in SECONDS else _crossed_units
    lower, upper = (count(str(unit), first, last) for first, last in moments)
    if is_whole and unit in MONTHS:  # one whole month may be less than the ends of months, never more
        lower, upper = min(lower, max(lower - 1, 0)), max(upper, min(upper + 1, 0))
    return Bounds(float(lower), float(upper))


def _crossed_units(unit: str, first: datetime, last: datetime) -> int:
    """Count the ends of units from one moment to another; weeks are a seventh of the days, rounded towards zero."""
    if unit == "week":
        return math.trunc(_crossed_units("day", first, last) / 7)
    if unit in MONTHS:
        one, other = ((each.year * 12 + each.month - 1) // MONTHS[unit] for each in (first, last))
    else:
        one, other = ((each - datetime.min) // timedelta(seconds=SECONDS[unit]) for each in (first, last))
    return other - one


def _whole_units(unit: str, first: datetime, last: datetime) -> int:
    """Count the whole units of seconds from one moment to another."""
    whole = abs(last - first) // timedelta(seconds=SECONDS[unit])
    return whole if last >= first else -whole


def _micros_between(time: Expr, ends: Ends) -> tuple[int, int] | None:
    """Return the least and largest microseconds since 1970-01-01 in UTC of a time between two ends on its clock.

    Where a clock shows an end twice or never, both instants that it may be are between them. None where these are
    inexact in DOUBLE, and outside the years of datetime in the zone.
    """
    zone = ZoneInfo(time_zone_of(time) or "UTC") if time.type is SqlType.TIMESTAMPTZ else UTC
    try:
        micros = [each for end in ends for each in _micros_since_epoch(parse_timestamp(str(end.value)), zone)]
    except OverflowError:
        return None
    first, last = min(micros[:2]), max(micros[2:])
    return None if max(abs(first), abs(last)) >= LARGEST_EXACT else (first, last)


def _micros_since_epoch(at: datetime, zone: tzinfo) -> tuple[int, int]:
    """Microseconds since 1970-01-01 in UTC of a time on a clock, by the offsets before and after a change of it."""
    one, other = (
        (at - (at.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()) - _EPOCH) // timedelta(microseconds=1)
        for fold in (0, 1)
    )
    return one, other


def is_within_calendar(time: Literal) -> bool:
    """Return whether a constant is a date or time within the years of datetime."""
    try:
        return isinstance(time.value, str) and parse_timestamp(time.value) is not None
    except ValueError:
        return False


def own_clock(call: Call) -> Call | None:
    """Return an instant's local time in its own time zone, for its local time in another one; None for other calls."""
    own = to_local_time(call.arguments[0]) if is_local_time(call) else call
    return own if is_local_time(own) and own != call else None


def on_other_clock(end: Literal, own: Call, other: Expr) -> list[Literal]:
    """Return (lower, upper end): no instant whose own clock shows at least, or at most, a constant is beyond these.

    A clock may show a time twice or never, and jumps back may follow or precede the end within a day. Empty outside the
    years of datetime.
    """
    zone, other_zone = (ZoneInfo(str(getattr(each.children[1], "value", ""))) for each in (own, other))
    try:
        micros = _micros_since_epoch(parse_timestamp(str(end.value)), zone)
        first, last = (_EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=each) for each in sorted(micros))
        offsets = [
            at.astimezone(other_zone).utcoffset() or timedelta() for at in (first, first + _DAY, last, last - _DAY)
        ]
        shown = first + min(offsets[:2]), last + max(offsets[2:])
    except (ValueError, OverflowError):
        return []
    return [timestamp_literal(at.replace(tzinfo=None)) for at in shown]


def timestamp_literal(at: datetime) -> Literal:
    """Return a moment as a TIMESTAMP constant."""
    return Literal(format_time(at, SqlType.TIMESTAMP), SqlType.TIMESTAMP)
