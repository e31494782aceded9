"""Grouping attributes of a plan: its keys and every attribute constant within each group.

The per-group distinct bound is how many values of a declared key one group can contain: 7 dates in a week, 12 hours in
a morning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, timedelta

from dialect.algebra.expressions import Call, Expr, Literal, Ref, children, fields_of, is_of_table, size
from dialect.algebra.release_plan import PrivatePlan
from dialect.analysis.date_bounds import Clock, known_of
from dialect.analysis.functional_dependencies import telling
from dialect.analysis.predicates import between, dates_of, how_many, spoken_of
from dialect.analysis.time_granularity import date_of, step_of, told_parts
from dialect.analysis.uniqueness import EXACT_TYPES
from dialect.catalog.model import SqlType, ValueRange
from dialect.functions.constant_folding import MONTHS, SECONDS, moment
from dialect.functions.emitter import plain_text

_OF_DAYS = frozenset(unit for unit, seconds in SECONDS.items() if seconds >= SECONDS["day"]) | frozenset(MONTHS)
_WITHIN_DAYS = frozenset(unit for unit, seconds in SECONDS.items() if seconds <= SECONDS["day"])


def parted_by(plan: PrivatePlan, table: str) -> frozenset[str]:
    """Return the grouping attributes of a plan, as text: its keys, and what is constant within each of its groups.

    Of a table's attributes, these are the ones that keys, predicates or public tables fix per group. Rows with one
    value of an attribute are one group by it, so a person's norm over them is no larger than over all such groups. The
    date of a time is fixed if the time is restricted to one date, or if a key truncates the time to at most a day.
    """
    facts, keys = plan.source.facts, _same_as_keys(plan)
    fixed = (part for part in spoken_of(facts, table) if how_many(part, facts) == 1)
    parts = (part for key in keys for part in told_parts(key))
    dated = (day for day, time in days_and_times(plan, table) if _on_one_day(time, facts) or _by_day(keys, time))
    alone = (text for text, most in plan.most_values if most == 1)
    return frozenset({*(key.text for key in plan.keys), *alone, *map(plain_text, (*fixed, *parts, *dated))})


def days_and_times(plan: PrivatePlan, table: str) -> Iterator[tuple[Expr, Expr]]:
    """Yield date expressions over a table, each with its time: declared date columns, and casts of times to dates."""
    facts, keys = plan.source.facts, plan.key_exprs
    yield from ((Ref(day), time) for day, time in dates_of(facts) if is_of_table(Ref(day), table))
    times = dict.fromkeys(time for expr in (*facts, *keys) for time in _times_in(expr) if is_of_table(time, table))
    yield from ((date_of(time), time) for time in times)


def _times_in(expr: Expr) -> Iterator[Expr]:
    """Yield the wall-clock times that an expression reads."""
    if isinstance(expr, Ref) or (isinstance(expr, Call) and expr.name == "wall"):
        yield from (expr,) if expr.type is SqlType.TIMESTAMP else ()
    else:
        for part in children(expr):
            yield from _times_in(part)


def own_keys(plan: PrivatePlan) -> frozenset[str]:
    """Return the plan's keys as text, with everything equal to one in every row, and date columns of grouped days."""
    keys = _same_as_keys(plan)
    dates = (Ref(day) for day, time in dates_of(plan.source.facts) if any(step_of(key, time) == "day" for key in keys))
    return frozenset({*(key.text for key in plan.keys), *map(plain_text, (*keys, *dates))})


def told_by(plan: PrivatePlan, table: str) -> Callable[[Collection[str]], bool]:
    """Return a test whether keys of a table, as text, functionally determine every key of the plan.

    If so, no group by those keys lies in two of the plan's groups.
    """
    facts, keys, follows = plan.source.facts, plan.key_exprs, telling(plan.source)
    read = dict.fromkeys(field for expr in (*facts, *keys) for field in fields_of(expr))
    known = [(field, plain_text(Ref(field))) for field in read if is_of_table(Ref(field), table)]
    days = [(plain_text(day), frozenset(fields_of(day)), time) for day, time in days_and_times(plan, table)]

    def tell(texts: Collection[str]) -> bool:
        fields = follows([field for field, text in known if text in texts])
        times = [time for day, of, time in days if day in texts or of <= fields]

        def told(expr: Expr) -> bool:
            if isinstance(expr, Ref):
                return expr.field in fields or expr.field.of_person
            if isinstance(expr, Literal) or (plain_text(expr) in texts and is_of_table(expr, table)):
                return True
            return all(map(told, children(expr))) or any(step_of(expr, time) in _OF_DAYS for time in times)

        return all(map(told, keys))

    return tell


def _same_as_keys(plan: PrivatePlan) -> list[Expr]:
    """Return the keys, and expressions equal to one in every row: both sides of an equi-join."""
    found = list(plan.key_exprs)
    for same in found:  # also iterates over appended expressions
        found += [other for fact in plan.source.facts for other in _equals(fact, same) if other not in found]
    return found


def _equals(fact: Expr, expr: Expr) -> Iterator[Expr]:
    if not isinstance(fact, Call) or fact.name != "=":
        return
    for one, other in (fact.arguments, fact.arguments[::-1]):
        if one == expr and one.type is other.type and one.type in EXACT_TYPES and not isinstance(other, Literal):
            yield other


def is_of_one_day(plan: PrivatePlan, table: str) -> bool:
    """Return whether predicates restrict the rows to a single date, where a person is in fewer groups than overall."""
    return any(_on_one_day(time, plan.source.facts) for _, time in days_and_times(plan, table))


def _on_one_day(time: Expr, facts: Sequence[Expr]) -> bool:
    ends = between(time, facts)
    return ends is not None and len({moment(str(end.value)).date() for end in ends}) == 1


def _by_day(keys: Sequence[Expr], time: Expr) -> bool:
    return any(step_of(part, time) in _WITHIN_DAYS for key in keys for part in told_parts(key))


_MOST_DAYS = 1_100  # most dates to count
_MOST_STEPS = 200_000  # most evaluated subexpressions over all dates


def few_values(plan: PrivatePlan, table: str, texts: Collection[str]) -> dict[str, int]:
    """Bound how many values each of some columns or expressions of a table has in one group; unknown ones are absent.

    Dates are counted between bounds in the query or the catalog; values joined from public tables are counted there.
    Proof: proofs.md#usual-keys
    """
    facts, found = plan.source.facts, dict[str, int]()
    counted = ((plain_text(part), how_many(part, facts)) for part in spoken_of(facts, table))
    dated = ((plain_text(day), day, time) for day, time in _dates(plan, table))
    days = ((text, _most_days(plan, day, time)) for text, day, time in dated if text in texts)
    for text, most in (*counted, *days, *plan.most_values):
        if text in texts and most is not None:
            found[text] = min(most, found.get(text, most))
    return found


def _dates(plan: PrivatePlan, table: str) -> Iterator[tuple[Expr, Expr]]:
    """Yield date expressions over a table, each with the time it is the date of; a stored date is its own time."""
    yield from days_and_times(plan, table)
    for field in dict.fromkeys(field for expr in (*plan.source.facts, *plan.key_exprs) for field in fields_of(expr)):
        if field.type is SqlType.DATE and is_of_table(Ref(field), table):
            yield Ref(field), Ref(field)


def _most_days(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Return the largest number of dates in one group, computed once per plan; counting has no privacy cost."""
    about = (id(plan.source), plan.keys, day, time)
    if about not in plan.day_counts:
        # the source is stored too: while it is alive, no other object has its id
        plan.day_counts[about] = (plan.source, _days_counted(plan, day, time))
    return plan.day_counts[about][1]


def _days_counted(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Count the dates of each group by the keys that are constant on a date, and return the largest count."""
    stretch = _stretch(day, time, plan.source.facts)
    if stretch is None:
        return None
    clock = Clock(next(fields_of(time)), day.field if isinstance(day, Ref) else None)
    told, keys = known_of(clock, plan.source.facts), plan.key_exprs
    days = [stretch[0] + timedelta(days=i) for i in range((stretch[1] - stretch[0]).days + 1)]
    if len(days) * (told.parts + sum(map(size, keys))) > _MOST_STEPS:
        return None
    groups = Counter(tuple(told.value(key, each) for key in keys) for each in days if told.possible(each))
    return max(groups.values(), default=1)


def _stretch(day: Expr, time: Expr, facts: Sequence[Expr]) -> tuple[date, date] | None:
    """Return the first and last date that predicates allow, else those declared in the catalog."""
    said = between(day, facts) or between(time, facts)
    ends = _declared(day, time) if said is None else tuple(end.value for end in said)
    if ends is None:
        return None
    first, last = (moment(str(end)).date() for end in ends)
    return (first, last) if 0 <= (last - first).days < _MOST_DAYS else None


def _declared(day: Expr, time: Expr) -> tuple[object, ...] | None:
    """Return the ends of the declared range of a date, or of its time."""
    domains = (field.domain for part in (day, time) for field in fields_of(part))
    return next(((each.lower, each.upper) for each in domains if isinstance(each, ValueRange)), None)
