"""Ends of times that are moved by constants, shown on other clocks, or counted from 1970, from those of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import Bounds, SqlType
from dialect.functions.literals import SECONDS, format_time, parse_timestamp
from dialect.functions.registry import OVERLOADS, is_local_time, time_zone_of, to_local_time

_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)
_DIRECTIONS = {"+": 1, "-": -1}
LARGEST_EXACT = 2**53  # integers are exact in DOUBLE up to here


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


def epoch_bounds(epoch: Expr, times: tuple[Literal, Literal]) -> Bounds | None:
    """Bounds of the time since 1970-01-01 of times between two ends on their clock, in the unit of the call.

    Milliseconds are rounded, so that both ends are rounded outwards. Where a clock shows an end twice or never, both
    instants that it may be are between the ends. None where microseconds are inexact in DOUBLE.
    """
    per_second = OVERLOADS[epoch.function].epochs_per_second if isinstance(epoch, Call) else None
    time = epoch.children[0]
    zone = ZoneInfo(time_zone_of(time) or "UTC") if time.type is SqlType.TIMESTAMPTZ else UTC
    try:
        micros = [each for end in times for each in _micros_since_epoch(parse_timestamp(str(end.value)), zone)]
    except OverflowError:  # outside the years of datetime in the zone
        return None
    first, last = min(micros[:2]), max(micros[2:])
    if per_second is None or max(abs(first), abs(last)) >= LARGEST_EXACT:
        return None
    if epoch.type is SqlType.DOUBLE:
        return Bounds(first / 1_000_000, last / 1_000_000)
    return Bounds(float(first * per_second // 1_000_000), float(-(-last * per_second // 1_000_000)))


def _micros_since_epoch(at: datetime, zone: tzinfo) -> tuple[int, int]:
    """Microseconds since 1970-01-01 in UTC of a time on a clock, by the offsets before and after a change of it."""
    one, other = (
        (at - (at.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()) - _EPOCH) // timedelta(microseconds=1)
        for fold in (0, 1)
    )
    return one, other


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
