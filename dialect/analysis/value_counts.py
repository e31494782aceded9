"""Value counts: how many different values an expression can have, by declared domains, dates and predicates.

A fact is a predicate that is true of every row. NULL is no value. Counts are of declared values: stored rows may have
others, so a count may clamp values, and decides no sensitivity by itself (`proofs.md#value-counts`). The date of a time
is written as a pair (date, time).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, case_values, fields_of
from dialect.algebra.relations import Distinct, Filter, Group, Project, Relation
from dialect.algebra.traversal import walk
from dialect.analysis.date_bounds import EventTime, event_time_predicates
from dialect.analysis.predicates import between, declared_dates, narrowed_range, predicate_cardinality
from dialect.analysis.time_granularity import date_of, truncation_unit
from dialect.catalog.model import SqlType, ValueList, ValueRange
from dialect.functions.literals import SECONDS, parse_timestamp
from dialect.functions.registry import definition_of, is_constant_per_person, is_local_time, may_be_null

MAX_DATES = 1_100  # most dates to count
MAX_EVALUATIONS = 200_000  # most evaluated subexpressions over all dates
MAX_SIZE = 20  # nodes of an expression whose values are counted by date or by its arguments


def count_values(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Bound the different values, without NULL, of an expression in one person's rows; None if unknown.

    Claim: declared values of rows that satisfy the facts have no more. Formula: the least of what predicates, the
    declared domain, an integer range, the possible dates and the values of the arguments allow.
    Proof: proofs.md#value-counts. Raises: nothing.
    """
    if isinstance(expr, Ref) and is_constant_per_person(expr.field):
        return 1
    written = definition_of(expr)
    expr = expr if written is None else written
    found = (
        predicate_cardinality(expr, facts),
        _count_domain(expr),
        _count_integers(expr, facts),
        _count_by_date(expr, facts),
        _count_results(expr, facts),
    )
    return min((each for each in found if each is not None), default=None)


def count_combinations(exprs: Sequence[Expr], facts: Sequence[Expr]) -> int | None:
    """Bound the combinations of the values of expressions, NULL among them; None if one is unknown."""
    counts = [count_values(expr, facts) for expr in exprs]
    known = [count + may_be_null(expr) for expr, count in zip(exprs, counts, strict=True) if count is not None]
    return math.prod(known) if len(known) == len(exprs) else None


def count_grouped_rows(relation: Relation) -> int | None:
    """Bound one person's rows below a GROUP BY or DISTINCT by the combinations of its keys; None without one."""
    operator, facts = relation.operator, relation.predicates
    while isinstance(operator, Project | Filter):
        operator = operator.source.operator
    if not isinstance(operator, Group | Distinct):
        return None
    return count_combinations([Ref(key) for key in operator.keys], facts)


def possible_dates(day: Expr, time: Expr, facts: Sequence[Expr], evaluations: int = 0) -> list[date] | None:
    """List the dates of a time that the facts allow, from its first to its last one; None if unknown or too many.

    Ends are those of predicates, else the declared ones. `evaluations` are the subexpressions that the caller evaluates
    on each date.
    """
    implied = between(day, facts) or between(time, facts)
    ends = _declared_ends(day, time) if implied is None else tuple(end.value for end in implied)
    found = None if ends is None else _dates_between(ends, day, time, facts, evaluations)
    return None if found is None else list(found)


def _dates_between(
    ends: Sequence[object], day: Expr, time: Expr, facts: Sequence[Expr], evaluations: int = 0
) -> Iterator[date] | None:
    """Find the dates between two ends that the facts allow; None if there are none or too many between the ends."""
    first, last = (parse_timestamp(str(end)).date() for end in ends)
    predicates = event_time_predicates(event_time_of(day, time), facts)
    days = (last - first).days + 1
    if not 1 <= days <= MAX_DATES or days * (predicates.evaluations_per_date + evaluations) > MAX_EVALUATIONS:
        return None
    dates, predicates = (first + timedelta(days=i) for i in range(days)), predicates.between(first, last)
    return filter(predicates.is_possible, dates) if predicates.may_exclude_dates else dates


def excluded_ranges(facts: Sequence[Expr]) -> Iterator[tuple[Field, ValueRange]]:
    """Yield the columns whose declared range has no date that the facts allow, with that range.

    Claim: no row that lies within the declared range satisfies the facts. Proof: proofs.md#value-counts.
    """
    pairs: list[tuple[Field, Expr, Expr]] = [(day, Ref(day), time) for day, time in declared_dates(facts)]
    if len(pairs) == len(facts):
        return  # facts that only say of which time a column is the date exclude none
    read = dict.fromkeys(field for fact in facts for field in fields_of(fact))
    pairs += [(field, date_of(Ref(field)), Ref(field)) for field in read if field.type is SqlType.TIMESTAMP]
    pairs += [(field, Ref(field), Ref(field)) for field in read if field.type is SqlType.DATE]
    for field, day, time in pairs:
        range_ = field.domain
        if not isinstance(range_, ValueRange) or not isinstance(range_.lower, str):
            continue
        found = _dates_between((range_.lower, range_.upper), day, time, facts)
        if found is not None and not any(found):  # the first one is enough
            yield field, range_


def event_time_of(day: Expr, time: Expr) -> EventTime:
    """Return the event-time columns of a date and the time that it is the date of."""
    return EventTime(fields_of(time)[0], day.field if isinstance(day, Ref) else None)


def times_in(expr: Expr) -> Iterator[Expr]:
    """Yield the wall-clock times that an expression reads: TIMESTAMP columns, and columns in their time zone."""
    parts = walk(expr, lambda part: () if is_local_time(part) else part.children)
    return (part for part in parts if part.type is SqlType.TIMESTAMP and (isinstance(part, Ref) or is_local_time(part)))


def _declared_ends(day: Expr, time: Expr) -> tuple[object, ...] | None:
    """Return the ends of the declared range of a date, or of its time; None without one."""
    domains = (field.domain for part in (day, time) for field in fields_of(part))
    return next(((each.lower, each.upper) for each in domains if isinstance(each, ValueRange)), None)


def _count_domain(expr: Expr) -> int | None:
    """Count the values of a declared list, of a Boolean, or of a CASE whose values are constants."""
    if isinstance(expr, Ref) and isinstance(expr.field.domain, ValueList):
        return len(set(expr.field.domain.values) - {None})
    if isinstance(expr, Case) and all(isinstance(value, Literal) for value in case_values(expr)):
        return len({value.value for value in case_values(expr) if isinstance(value, Literal)} - {None})
    return 2 if expr.type is SqlType.BOOLEAN else None


def _count_integers(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the integers in the range of an integer expression; None if it has no two ends."""
    if expr.type is not SqlType.BIGINT:
        return None
    domain = expr.field.domain if isinstance(expr, Ref) else None
    found = narrowed_range(expr, facts)
    lower, upper = found.lower, found.upper
    if isinstance(domain, ValueRange):
        lower, upper = max(lower, float(domain.lower)), min(upper, float(domain.upper))
    return max(0, math.floor(upper) - math.ceil(lower) + 1) if math.isfinite(upper - lower) else None


def _count_by_date(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the values of an expression of one date or time, from those dates that are possible; None for others.

    An expression that is constant on a date has the values that it has on these dates; one that truncates a time to
    less than a day has as many on each date as there are such steps in a day.
    """
    if len(set(fields_of(expr))) != 1 or expr.size > MAX_SIZE:
        return None
    counts = (_count_on_dates(expr, day, time, facts) for day, time in _dates_and_times(expr, facts))
    return min((each for each in counts if each is not None), default=None)


def _dates_and_times(expr: Expr, facts: Sequence[Expr]) -> Iterator[tuple[Expr, Expr]]:
    """Yield the dates and times that an expression may be of: declared pairs, and its own dates and times."""
    read = set(fields_of(expr))
    yield from ((Ref(day), time) for day, time in declared_dates(facts) if read <= {day, *fields_of(time)})
    yield from ((Ref(field), Ref(field)) for field in read if field.type is SqlType.DATE)
    yield from ((date_of(time), time) for time in dict.fromkeys(times_in(expr)))


def _count_on_dates(expr: Expr, day: Expr, time: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the values of an expression over the possible dates of a time; None if it varies on a date otherwise."""
    dates = possible_dates(day, time, facts, expr.size)
    if dates is None:
        return None
    predicates = event_time_predicates(event_time_of(day, time), facts)
    values = [predicates.value_on(expr, each) for each in dates]
    if None not in values:
        return len(set(values))
    seconds = SECONDS.get(truncation_unit(expr, time) or "", 0)
    return len(dates) * (SECONDS["day"] // seconds) if 1 <= seconds <= SECONDS["day"] else None


def _count_results(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the combinations of a call's arguments: it has one result for each; None for other expressions."""
    if not isinstance(expr, Call) or not expr.arguments or expr.size > MAX_SIZE:
        return None
    return count_combinations([each for each in expr.arguments if not isinstance(each, Literal)], facts)
