"""Grouping attributes of a plan: its keys and every attribute constant within each group.

The per-group distinct bound is how many values of a declared key one group may hold: few dates in a week, few hours in
the morning.
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
    """Name the plan's keys, and what of a table has one value in each group, by keys, conditions, public tables.

    Rows of one value of a column are one group of all by it: a person has no larger norm in them than over all groups.
    A date that is declared to be that of a time is set where the time is of one day, and parts where its steps do.
    """
    facts, keys = plan.source.facts, _same_as_keys(plan)
    fixed = (part for part in spoken_of(facts, table) if how_many(part, facts) == 1)
    parts = (part for key in keys for part in told_parts(key))
    dated = (day for day, time in days_and_times(plan, table) if _on_one_day(time, facts) or _by_day(keys, time))
    alone = (text for text, most in plan.most_values if most == 1)
    return frozenset({*(key.text for key in plan.keys), *alone, *map(plain_text, (*fixed, *parts, *dated))})


def days_and_times(plan: PrivatePlan, table: str) -> Iterator[tuple[Expr, Expr]]:
    """Walk the days on which rows of a table happened, each with its time: declared dates of times, and times' own."""
    facts, keys = plan.source.facts, plan.key_exprs
    yield from ((Ref(day), time) for day, time in dates_of(facts) if is_of_table(Ref(day), table))
    times = dict.fromkeys(time for expr in (*facts, *keys) for time in _times_in(expr) if is_of_table(time, table))
    yield from ((date_of(time), time) for time in times)


def _times_in(expr: Expr) -> Iterator[Expr]:
    """Walk the times on a clock of their own that an expression reads."""
    if isinstance(expr, Ref) or (isinstance(expr, Call) and expr.name == "wall"):
        yield from (expr,) if expr.type is SqlType.TIMESTAMP else ()
    else:
        for part in children(expr):
            yield from _times_in(part)


def own_keys(plan: PrivatePlan) -> frozenset[str]:
    """Name the plan's keys, what equals one in every row, and the dates of the days by which it groups."""
    keys = _same_as_keys(plan)
    dates = (Ref(day) for day, time in dates_of(plan.source.facts) if any(step_of(key, time) == "day" for key in keys))
    return frozenset({*(key.text for key in plan.keys), *map(plain_text, (*keys, *dates))})


def told_by(plan: PrivatePlan, table: str) -> Callable[[Collection[str]], bool]:
    """Give what tells of keys of a table, by their names, whether they tell each of the plan's.

    Then no group of theirs lies in two of the plan's.
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
    """List the keys, and what every row that counts has equal to one: a column, and the public one that it meets."""
    found = list(plan.key_exprs)
    for same in found:  # goes on over what is appended
        found += [other for fact in plan.source.facts for other in _equals(fact, same) if other not in found]
    return found


def _equals(fact: Expr, expr: Expr) -> Iterator[Expr]:
    if not isinstance(fact, Call) or fact.name != "=":
        return
    for one, other in (fact.arguments, fact.arguments[::-1]):
        if one == expr and one.type is other.type and one.type in EXACT_TYPES and not isinstance(other, Literal):
            yield other


def is_of_one_day(plan: PrivatePlan, table: str) -> bool:
    """Tell whether conditions leave rows of one day alone, on which people are in fewer groups than on all."""
    return any(_on_one_day(time, plan.source.facts) for _, time in days_and_times(plan, table))


def _on_one_day(time: Expr, facts: Sequence[Expr]) -> bool:
    ends = between(time, facts)
    return ends is not None and len({moment(str(end.value)).date() for end in ends}) == 1


def _by_day(keys: Sequence[Expr], time: Expr) -> bool:
    return any(step_of(part, time) in _WITHIN_DAYS for key in keys for part in told_parts(key))


_MOST_DAYS = 1_100  # that are looked at
_MOST_STEPS = 200_000  # parts of conditions, on all days


def few_values(plan: PrivatePlan, table: str, texts: Collection[str]) -> dict[str, int]:
    """Bound the values that columns of a table, or expressions over it, have in one group; of others nothing is known.

    Days are those of a stretch that the question or the catalog says; what public tables leave was counted there.
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
    """Walk the days on which rows of a table happened, each with the time of which it is the date, or itself."""
    yield from days_and_times(plan, table)
    for field in dict.fromkeys(field for expr in (*plan.source.facts, *plan.key_exprs) for field in fields_of(expr)):
        if field.type is SqlType.DATE and is_of_table(Ref(field), table):
            yield Ref(field), Ref(field)


def _most_days(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Count days once for all numbers and norms of a plan: nothing is charged for it."""
    about = (id(plan.source), plan.keys, day, time)
    if about not in plan.day_counts:
        plan.day_counts[about] = (plan.source, _days_counted(plan, day, time))  # which keeps the source, and so its id
    return plan.day_counts[about][1]


def _days_counted(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Count the days of each group by what each key is on a day, where it is one thing; of other keys any."""
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
    """Find the first and last day that conditions leave, else that the catalog declares."""
    said = between(day, facts) or between(time, facts)
    ends = _declared(day, time) if said is None else tuple(end.value for end in said)
    if ends is None:
        return None
    first, last = (moment(str(end)).date() for end in ends)
    return (first, last) if 0 <= (last - first).days < _MOST_DAYS else None


def _declared(day: Expr, time: Expr) -> tuple[object, ...] | None:
    """Find the ends that the catalog declares of a day, or of its time."""
    domains = (field.domain for part in (day, time) for field in fields_of(part))
    return next(((each.lower, each.upper) for each in domains if isinstance(each, ValueRange)), None)
