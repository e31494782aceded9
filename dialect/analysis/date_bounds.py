"""Date bounds: a superset of the dates on which rows that satisfy the predicates can lie (`proofs.md#touched-windows`).

Three-valued interval arithmetic over the predicates, one date at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.catalog.model import SqlType
from dialect.functions.constant_folding import moment

Value = datetime | int | float
Span = tuple[Value, Value]  # smallest and largest value of an expression on a date
Truth = tuple[bool, bool]  # can be true, can be false

_UNKNOWN: Truth = (True, True)
_LEFT_OUT = {"hour": 3_600, "minute": 60, "second": 1}  # truncation units in seconds
_PARTS: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "quarter": lambda at: (at.month + 2) // 3,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "dayofyear": lambda at: at.timetuple().tm_yday,
    "dayofweek": lambda at: at.isoweekday() % 7,
    "isodow": lambda at: at.isoweekday(),
    "week": lambda at: at.isocalendar().week,
    "isoyear": lambda at: at.isocalendar().year,
}
_NAMES = {"dayname": "isodow", "monthname": "month"}  # a name determines the same as its number
PARTS_OF_A_DATE = frozenset((*_PARTS, *_NAMES))  # functions constant within a date


@dataclass(frozen=True)
class Clock:
    """Event-time columns of a table."""

    time: Field  # event time: DATE, TIMESTAMP or TIMESTAMPTZ, never NULL
    day: Field | None = None  # column with the date of the event time

    def __contains__(self, field: Field) -> bool:
        """Return whether a field is one of the event-time columns."""
        return field in (self.time, self.day)


@dataclass(frozen=True)
class Known:
    """Predicates on event time that every counted row satisfies, and columns that they equate with event time."""

    clock: Clock
    facts: tuple[Expr, ...]
    same: Mapping[Ref, Expr]

    @property
    def parts(self) -> int:
        """Upper bound on the expressions evaluated per date, with equated expressions substituted."""
        return sum(_parts(fact, self.same) for fact in self.facts)

    def possible(self, day: date) -> bool:
        """Return whether a row of this date can satisfy all predicates."""
        return all(self._truth(fact, day)[0] for fact in self.facts)

    def certain(self, day: date) -> bool:
        """Return whether every row of this date satisfies all predicates.

        Predicates on event time alone are never NULL.
        """
        return all(not self._truth(fact, day)[1] for fact in self.facts)

    def value(self, expr: Expr, day: date) -> Value | None:
        """Return the single value of an expression in all rows of a date; None if it may vary."""
        if isinstance(expr, Call) and expr.name in _NAMES:
            given = self._span(expr.arguments[-1], day)
            span = None if given is None else _part(_NAMES[expr.name], given)
        else:
            span = self._span(expr, day)
        return span[0] if span is not None and span[0] == span[1] else None

    def _truth(self, fact: Expr, day: date) -> Truth:
        if not isinstance(fact, Call):
            return _UNKNOWN
        if fact.name in ("and", "or", "not"):
            return _connected(fact.name, [self._truth(part, day) for part in fact.arguments])
        if fact.name not in _COMPARED:
            return _UNKNOWN
        one, *others = (self._span(argument, day) for argument in fact.arguments)
        return _compared(fact.name, one, others)

    def _span(self, expr: Expr, day: date) -> Span | None:
        if isinstance(expr, Literal):
            return _constant(expr)
        if isinstance(expr, Ref):
            return self._span(self.same[expr], day) if expr in self.same else _of_field(expr.field, self.clock, day)
        return self._of_call(expr, day) if isinstance(expr, Call) else None

    def _of_call(self, expr: Call, day: date) -> Span | None:
        if expr.name == "wall" and expr.arguments[0] == Ref(self.clock.time):
            return _whole(day) if _is_own(expr.arguments[1], self.clock.time) else None
        given = self._span(expr.arguments[-1], day)
        return None if given is None else _computed(expr, given)


def _parts(expr: Expr, same: Mapping[Ref, Expr]) -> int:
    """Return the number of subexpressions evaluated per date."""
    if isinstance(expr, Ref) and expr in same:
        return 1 + _parts(same[expr], same)
    return 1 + sum(_parts(each, same) for each in expr.arguments) if isinstance(expr, Call) else 1


def known_of(clock: Clock, facts: Sequence[Expr]) -> Known:
    """Conjuncts that may restrict event time, and the columns equated with it."""
    parts = tuple(part for fact in facts for part in conjuncts(fact))
    pairs = [part.arguments for part in parts if isinstance(part, Call) and part.name == "="]
    same = {
        one: other
        for pair in pairs
        for one, other in (pair, pair[::-1])
        if isinstance(one, Ref) and one.field not in clock and _is_of(clock, other)
        and one.type is other.type and one.type is not SqlType.TIMESTAMPTZ
    }  # fmt: skip
    heard = {*(each.field for each in same), clock.time, clock.day}
    return Known(clock, tuple(part for part in parts if heard.intersection(fields_of(part))), same)


def _is_of(clock: Clock, expr: Expr) -> bool:
    """Return whether an expression reads event time and nothing else."""
    read = list(fields_of(expr))
    return bool(read) and all(field in clock for field in read)


def _of_field(field: Field, clock: Clock, day: date) -> Span | None:
    if field == clock.time and field.type is SqlType.TIMESTAMP:
        return _whole(day)
    midnight = datetime.combine(day, time.min)
    return (midnight, midnight) if field in clock and field.type is SqlType.DATE else None


def _whole(day: date) -> Span:
    return datetime.combine(day, time.min), datetime.combine(day, time.max)


def _is_own(zone: Expr, field: Field) -> bool:
    return isinstance(zone, Literal) and zone.value == (field.time_zone or "UTC")


@lru_cache(maxsize=1_024)
def _constant(literal: Literal) -> Span | None:
    value = literal.value
    if isinstance(value, str) and literal.type in (SqlType.DATE, SqlType.TIMESTAMP):
        try:
            at = moment(value)
        except ValueError:  # outside the years of datetime
            return None
        return at, at
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _computed(expr: Call, given: Span) -> Span | None:
    """Range of a monotone function of time from its end points; a date part is known only within a single date."""
    low, high = given
    if not isinstance(low, datetime) or not isinstance(high, datetime):
        return None
    if expr.name == "to_timestamp":
        return given
    if expr.name in ("to_date", "date_trunc"):
        unit = "day" if expr.name == "to_date" else str(getattr(expr.arguments[0], "value", ""))
        ends = _floor(low, unit), _floor(high, unit)
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    return _part(expr.name, given)


def _part(name: str, given: Span) -> Span | None:
    """Range of a date part (month, isodow, ...), known only if both ends lie on one date."""
    (low, high), part = given, _PARTS.get(name)
    if part is None or not isinstance(low, datetime) or not isinstance(high, datetime) or low.date() != high.date():
        return None
    return part(low), part(high)


def _floor(at: datetime, unit: str) -> datetime | None:
    if unit in _LEFT_OUT:
        since = at.hour * 3_600 + at.minute * 60 + at.second
        return datetime.combine(at.date(), time.min) + timedelta(seconds=since - since % _LEFT_OUT[unit])
    day = at.date()
    begins = {
        "day": day,
        "week": date.fromordinal(max(1, day.toordinal() - day.weekday())),
        "month": day.replace(day=1),
        "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
        "year": day.replace(month=1, day=1),
    }
    return datetime.combine(begins[unit], time.min) if unit in begins else None


def _connected(name: str, parts: Sequence[Truth]) -> Truth:
    if name == "not":
        return parts[0][::-1]
    trues, falses = [part[0] for part in parts], [part[1] for part in parts]
    return (all(trues), any(falses)) if name == "and" else (any(trues), all(falses))


def _compared(name: str, one: Span | None, others: Sequence[Span | None]) -> Truth:
    """Truth values that a comparison of ranges can have; both if a range is unknown or the types differ."""
    if one is None or any(other is None or not _alike(one, other) for other in others):
        return _UNKNOWN
    found = [_COMPARED[name](one, other) for other in others if other is not None]
    return any(can for can, _ in found), all(cannot for _, cannot in found)


def _alike(one: Span, other: Span) -> bool:
    return isinstance(one[0], datetime) == isinstance(other[0], datetime)


def _equal(one: Span, other: Span) -> Truth:
    fixed = one[0] == one[1] == other[0] == other[1]
    return _least(one) <= _greatest(other) and _least(other) <= _greatest(one), not fixed


def _below(one: Span, other: Span) -> Truth:
    return _least(one) < _greatest(other), _greatest(one) >= _least(other)


def _at_most(one: Span, other: Span) -> Truth:
    return _least(one) <= _greatest(other), _greatest(one) > _least(other)


def _least(span: Span) -> int | float:
    return _number(span[0])


def _greatest(span: Span) -> int | float:
    return _number(span[1])


_BEFORE_ALL = datetime(1, 1, 1)


def _number(value: Value) -> int | float:
    """Return a time as an integer of microseconds, and a number as it is."""
    if not isinstance(value, datetime):
        return value
    apart = value - _BEFORE_ALL
    return (apart.days * 86_400 + apart.seconds) * 1_000_000 + apart.microseconds


_COMPARED: Mapping[str, Callable[[Span, Span], Truth]] = {
    "=": _equal,
    "in": _equal,
    "<>": lambda one, other: _equal(one, other)[::-1],
    "<": _below,
    "<=": _at_most,
    ">": lambda one, other: _below(other, one),
    ">=": lambda one, other: _at_most(other, one),
}
