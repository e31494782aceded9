"""Date bounds: a superset of the dates on which rows that satisfy the predicates can lie (`proofs.md#touched-windows`).

Three-valued interval arithmetic over the predicates, one date at a time.

A fact is a conjunct that is true of every row. Truths are pairs (can be true, can be false) over all rows of a date:
both are possible if nothing is known. A value range is the pair (smallest, largest value) on a date, or None if
unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, equal_pairs, fields_of
from dialect.analysis.time_granularity import date_of, truncate_time, truncation_unit
from dialect.catalog.model import SqlType
from dialect.functions.literals import parse_timestamp
from dialect.functions.registry import OVERLOADS, is_local_time

Value = datetime | int | float
ValueRangeOnDate = tuple[Value, Value]  # smallest and largest value of an expression on a date
PossibleTruths = tuple[bool, bool]  # can be true, can be false

_UNKNOWN: PossibleTruths = (True, True)


@dataclass(frozen=True)
class EventTime:
    """Event-time columns of a table."""

    time: Field  # event time: DATE, TIMESTAMP or TIMESTAMPTZ, never NULL
    day: Field | None = None  # column with the date of the event time

    def __contains__(self, field: Field) -> bool:
        """Return whether a field is one of the event-time columns."""
        return field in (self.time, self.day)


@dataclass(frozen=True)
class EventTimePredicates:
    """Predicates on event time that every counted row satisfies, and columns that they equate with event time."""

    event_time: EventTime
    predicates: tuple[Expr, ...]
    equated: Mapping[Ref, Expr]

    @property
    def evaluations_per_date(self) -> int:
        """Upper bound on the expressions evaluated per date, with equated columns replaced.

        Callers multiply it by the number of dates, and refuse or skip what would take too long.
        """
        return sum(_count_evaluations(fact, self.equated) for fact in self.predicates)

    def depends_on_date(self, expr: Expr) -> bool:
        """Return whether an expression reads event time, or a column equated with it."""
        return any(field in self.event_time or Ref(field) in self.equated for field in fields_of(expr))

    @property
    def may_exclude_dates(self) -> bool:
        """Whether some date may be impossible; not if all predicates define columns by event time, or are unknown."""
        definitions: set[tuple[Expr, Expr]] = set(self.equated.items())
        if self.event_time.day is not None:
            definitions.add((Ref(self.event_time.day), date_of(Ref(self.event_time.time))))
        return any(
            definitions.isdisjoint(equal_pairs((fact,))) and not self._is_unknown(fact) for fact in self.predicates
        )

    def _is_unknown(self, fact: Expr) -> bool:
        """Return whether a predicate compares with something of unknown range that is the same on every date."""
        return (
            isinstance(fact, Call)
            and fact.name in _COMPARISONS
            and any(not self.depends_on_date(part) and self._range(part, date.min) is None for part in fact.arguments)
        )

    def between(self, first: date, last: date) -> EventTimePredicates:
        """Leave out the predicates that rows of every date between two ends can satisfy, as those of both ends can.

        Of a comparison of event time itself with a constant, the dates on which it can be true lie side by side.
        """
        return replace(self, predicates=tuple(each for each in self.predicates if not self._admits(each, first, last)))

    def _admits(self, fact: Expr, first: date, last: date) -> bool:
        """Return whether a predicate compares event time with a constant, and can be true on both dates."""
        compares = any(
            isinstance(operand, Ref) and operand.field in self.event_time for operand, *_ in fact.compared_constants
        )
        return compares and self._truth(fact, first)[0] and self._truth(fact, last)[0]

    def is_possible(self, day: date) -> bool:
        """Return whether a row of this date can satisfy all predicates."""
        return all(self._truth(fact, day)[0] for fact in self.predicates)

    def is_certain(self, day: date) -> bool:
        """Return whether every row of this date satisfies all predicates.

        Predicates on event time alone are never NULL.
        """
        return all(not self._truth(fact, day)[1] for fact in self.predicates)

    def value_on(self, expr: Expr, day: date) -> Value | None:
        """Return the single value of an expression in all rows of a date; None if it may vary.

        For a weekday or month name it is the number of the name, which distinguishes groups as well.
        """
        if isinstance(expr, Call) and expr.type is SqlType.VARCHAR and OVERLOADS[expr.function].part_of is not None:
            range_ = self._range(expr.arguments[-1], day)
            span = None if range_ is None else _date_part_range(expr, range_)
        else:
            span = self._range(expr, day)
        return span[0] if span is not None and span[0] == span[1] else None

    def _truth(self, fact: Expr, day: date) -> PossibleTruths:
        """Truths that a predicate can have in the rows of a date; both for one of a form that is not understood."""
        if not isinstance(fact, Call):
            return _UNKNOWN
        if fact.name in ("and", "or", "not"):
            return _combine_truths(fact.name, [self._truth(part, day) for part in fact.arguments])
        if fact.name not in _COMPARISONS:
            return _UNKNOWN
        one, *others = (self._range(argument, day) for argument in fact.arguments)
        return _compare_ranges(fact.name, one, others)

    def _range(self, expr: Expr, day: date) -> ValueRangeOnDate | None:
        """Range of an expression on a date; None if unknown. An equated column has the range of its equal."""
        if isinstance(expr, Literal):
            return _constant_range(expr)
        if isinstance(expr, Ref):
            if expr in self.equated:
                return self._range(self.equated[expr], day)
            return _field_range(expr.field, self.event_time, day)
        return self._call_range(expr, day) if isinstance(expr, Call) else None

    def _call_range(self, expr: Call, day: date) -> ValueRangeOnDate | None:
        """Range of a call from the range of its last argument, which is the time; None if unknown.

        The wall-clock time of another time zone than the column's own may lie on a neighbouring date, so it is unknown.
        """
        if is_local_time(expr) and expr.arguments[0] == Ref(self.event_time.time):
            return _whole_day(day) if _is_own_time_zone(expr.arguments[1], self.event_time.time) else None
        range_ = self._range(expr.arguments[-1], day)
        return None if range_ is None else _function_range(expr, range_)


def _count_evaluations(expr: Expr, equated: Mapping[Ref, Expr]) -> int:
    """Return the number of subexpressions evaluated per date; an equated column counts with its expression."""
    if isinstance(expr, Ref) and expr in equated:
        return 1 + _count_evaluations(equated[expr], equated)
    return 1 + sum(_count_evaluations(each, equated) for each in expr.arguments) if isinstance(expr, Call) else 1


def event_time_predicates(event_time: EventTime, facts: Sequence[Expr]) -> EventTimePredicates:
    """Collect the conjuncts that may restrict event time, and the columns that are equated with it.

    A column equated with an expression over event time alone, of the same type, is evaluated by that expression; so
    conjuncts on it count too. TIMESTAMPTZ is left out, as its date depends on a time zone.
    """
    parts = tuple(part for fact in facts for part in conjuncts(fact))
    equated = {
        one: other
        for one, other in equal_pairs(parts)
        if isinstance(one, Ref) and one.field not in event_time and _reads_event_time_only(event_time, other)
        and one.type is other.type and one.type is not SqlType.TIMESTAMPTZ
    }  # fmt: skip
    unfiltered = EventTimePredicates(event_time, parts, equated)
    return replace(unfiltered, predicates=tuple(filter(unfiltered.depends_on_date, parts)))


def _reads_event_time_only(event_time: EventTime, expr: Expr) -> bool:
    """Return whether an expression reads event time and nothing else."""
    read = list(fields_of(expr))
    return bool(read) and all(field in event_time for field in read)


def _field_range(field: Field, event_time: EventTime, day: date) -> ValueRangeOnDate | None:
    """Range of an event-time column on a date; None for other columns. A TIMESTAMPTZ is known only through `wall`."""
    if field == event_time.time and field.type is SqlType.TIMESTAMP:
        return _whole_day(day)
    midnight = datetime.combine(day, time.min)
    return (midnight, midnight) if field in event_time and field.type is SqlType.DATE else None


def _whole_day(day: date) -> ValueRangeOnDate:
    """Range from the first to the last microsecond of a date."""
    return datetime.combine(day, time.min), datetime.combine(day, time.max)


def _is_own_time_zone(zone: Expr, field: Field) -> bool:
    """Return whether a constant names the time zone that a column's dates are declared in."""
    return isinstance(zone, Literal) and zone.value == (field.time_zone or "UTC")


@lru_cache(maxsize=1_024)
def _constant_range(literal: Literal) -> ValueRangeOnDate | None:
    """Range of a constant, which is both ends; None for text, Booleans, NULL, and times outside datetime's years."""
    value = literal.value
    if isinstance(value, str) and literal.type in (SqlType.DATE, SqlType.TIMESTAMP):
        try:
            at = parse_timestamp(value)
        except ValueError:  # outside the years of datetime
            return None
        return at, at
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _function_range(expr: Call, range_: ValueRangeOnDate) -> ValueRangeOnDate | None:
    """Range of a monotone function of time from its end points; a date part is known only within a single date."""
    low, high = range_
    if not isinstance(low, datetime) or not isinstance(high, datetime):
        return None
    row = OVERLOADS[expr.function]
    if row.keeps_moment:
        return range_
    if (unit := truncation_unit(expr, expr.arguments[-1])) is not None:
        return truncate_time(unit, low), truncate_time(unit, high)
    return None if expr.type is SqlType.VARCHAR else _date_part_range(expr, range_)


def _date_part_range(expr: Call, range_: ValueRangeOnDate) -> ValueRangeOnDate | None:
    """Range of a date part (month, isodow, ...), known only if both ends lie on one date."""
    (low, high), part = range_, OVERLOADS[expr.function].part_of
    if part is None or not isinstance(low, datetime) or not isinstance(high, datetime) or low.date() != high.date():
        return None
    return part(low), part(high)


def _combine_truths(name: str, parts: Sequence[PossibleTruths]) -> PossibleTruths:
    """Truths of NOT, AND and OR from those of their parts: AND can be true only if every part can."""
    if name == "not":
        return parts[0][::-1]
    trues, falses = [part[0] for part in parts], [part[1] for part in parts]
    return (all(trues), any(falses)) if name == "and" else (any(trues), all(falses))


def _compare_ranges(
    name: str, one: ValueRangeOnDate | None, others: Sequence[ValueRangeOnDate | None]
) -> PossibleTruths:
    """Truths that a comparison can have between ranges; both if a range is unknown or the types differ.

    Several `others` are the values of IN: it can be true if one equality can be, and false only if all can be false.
    """
    if one is None or any(
        other is None or isinstance(one[0], datetime) != isinstance(other[0], datetime) for other in others
    ):
        return _UNKNOWN
    found = [_COMPARISONS[name](one, other) for other in others if other is not None]
    return any(can for can, _ in found), all(cannot for _, cannot in found)


def _can_equal(one: ValueRangeOnDate, other: ValueRangeOnDate) -> PossibleTruths:
    """Truths of `=`: it can be false unless both ranges are the same single value."""
    fixed = one[0] == one[1] == other[0] == other[1]
    return _lower(one) <= _upper(other) and _lower(other) <= _upper(one), not fixed


def _can_be_below(one: ValueRangeOnDate, other: ValueRangeOnDate) -> PossibleTruths:
    """Truths of `<` between two ranges."""
    return _lower(one) < _upper(other), _upper(one) >= _lower(other)


def _can_be_at_most(one: ValueRangeOnDate, other: ValueRangeOnDate) -> PossibleTruths:
    """Truths of `<=` between two ranges."""
    return _lower(one) <= _upper(other), _upper(one) > _lower(other)


def _lower(span: ValueRangeOnDate) -> int | float:
    return _number(span[0])


def _upper(span: ValueRangeOnDate) -> int | float:
    return _number(span[1])


_EPOCH = datetime(1, 1, 1)


def _number(value: Value) -> int | float:
    """Return a time as an integer of microseconds, and a number as it is."""
    if not isinstance(value, datetime):
        return value
    elapsed = value - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


_COMPARISONS: Mapping[str, Callable[[ValueRangeOnDate, ValueRangeOnDate], PossibleTruths]] = {
    "=": _can_equal,
    "in": _can_equal,
    "<>": lambda one, other: _can_equal(one, other)[::-1],
    "<": _can_be_below,
    "<=": _can_be_at_most,
    ">": lambda one, other: _can_be_below(other, one),
    ">=": lambda one, other: _can_be_at_most(other, one),
}
