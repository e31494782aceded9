"""When a row happened: its clock, its window, and what else tells of its window (`proofs.md#kept-windows`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjunction, conjuncts
from dialect.analysis.date_bounds import Clock
from dialect.catalog.catalog import SqlType, Table
from dialect.catalog.privacy_windows import INSIDE, Stretch, Window, next_begin
from dialect.functions.inference import definition
from dialect.stability.calls import call, wall

_NOWHERE = exp.Null()  # these expressions stand nowhere in the question
_MOST_RANGES = 100  # apart in one scan; beyond them what lies between is read, and charged, too


def clock_of(table: Table, fields: Sequence[Field]) -> Clock | None:
    """Find the columns that say when rows of a stored table happened."""
    found = {f.origin.column: f for f in fields if f.origin is not None}
    if table.time_column is None:
        return None
    return Clock(found[table.time_column], found.get(table.date_column or ""))


def window_of(clock: Clock, window: Window) -> Expr:
    """Write the time at which the window of a row begins, on the clock of its own zone."""
    unit = Literal(str(window), SqlType.VARCHAR)
    return call("date_trunc", [unit, wall(Ref(clock.time))], _NOWHERE)


def during(clock: Clock, stretch: Stretch, begins: Sequence[date]) -> Expr:
    """Write that a row lies in some windows, and on the date that it says: NULL, and every other time, fails."""
    at = wall(Ref(clock.time))
    parts = [_between(at, first, end) for first, end in ranges_of(stretch, begins)]
    tests = [parts[0] if len(parts) == 1 else call("or", parts, _NOWHERE), *on_date(clock)]
    return conjunction(tuple(part for test in tests for part in conjuncts(test)))


def on_date(clock: Clock) -> tuple[Expr, ...]:
    """Write that a row lies on the date that it says, where it says one."""
    if clock.day is None:
        return ()
    return (call("=", [Ref(clock.day), call("to_date", [wall(Ref(clock.time))], _NOWHERE)], _NOWHERE),)


def ranges_of(stretch: Stretch, begins: Sequence[date]) -> list[tuple[date, date]]:
    """Join neighbouring windows: the first day of each run, and the first day behind it."""
    made: list[tuple[date, date]] = []
    for begin in begins:
        end = next_begin(stretch.window, begin)
        if made and made[-1][1] == begin:
            made[-1] = made[-1][0], end
        else:
            made.append((begin, end))
    return made


def without_gaps(stretch: Stretch, begins: Sequence[date]) -> tuple[date, ...]:
    """Fill what lies between windows where they are too far scattered to be named each."""
    if len(ranges_of(stretch, begins)) <= _MOST_RANGES:
        return tuple(begins)
    return Stretch(stretch.window, begins[0], begins[-1]).begins()


def _between(at: Expr, first: date, end: date) -> Expr:
    kind = at.type
    ends = [Literal(day.isoformat() if kind is SqlType.DATE else f"{day} 00:00:00", kind) for day in (first, end)]
    return call("and", [call(">=", [at, ends[0]], _NOWHERE), call("<", [at, ends[1]], _NOWHERE)], _NOWHERE)


def in_same_window(one: Field, other: Field) -> Expr:
    """Write that two rows lie in one window."""
    return call("=", [Ref(one), Ref(other)], _NOWHERE)


def tells_window(expr: Expr, clocks: Iterable[Field], window: Window) -> bool:
    """Tell whether the value of an expression lies in the window in which its row does, whatever the row."""
    known = definition(expr)
    return known is not None and _tells(known, frozenset(clocks), window)


def _tells(expr: Expr, clocks: frozenset[Field], window: Window) -> bool:
    if isinstance(expr, Ref):
        return expr.field in clocks
    if not isinstance(expr, Call):
        return False
    first = expr.arguments[0]
    if expr.name == "wall":
        own = isinstance(first, Ref) and expr.arguments[1] == wall_zone(first.field)
        return own and _tells(first, clocks, window)
    if expr.name in ("to_date", "to_timestamp"):
        return _tells(first, clocks, window)
    inside = expr.name == "date_trunc" and isinstance(first, Literal) and first.value in INSIDE[window]
    return inside and _tells(expr.arguments[1], clocks, window)


def wall_zone(field: Field) -> Literal:
    """Name the zone on whose clock an instant is read unless a question says another one."""
    return Literal(field.time_zone or "UTC", SqlType.VARCHAR)


def equal_windows(condition: Expr, left: Iterable[Field], right: Iterable[Field], window: Window) -> bool:
    """Tell whether rows that meet a condition lie in one window: it equates values that tell the window of each."""
    sides = frozenset(left), frozenset(right)
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "=" and part.arguments[0].type is part.arguments[1].type:
            for one, other in (part.arguments, part.arguments[::-1]):
                if tells_window(one, sides[0], window) and tells_window(other, sides[1], window):
                    return _comparable(one, other)
    return False


def _comparable(one: Expr, other: Expr) -> bool:
    """Tell whether equal values are equal times on the clocks that decide the windows: instants need one zone."""
    if one.type is not SqlType.TIMESTAMPTZ:
        return True
    return isinstance(one, Ref) and isinstance(other, Ref) and one.field.time_zone == other.field.time_zone
