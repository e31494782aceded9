"""How many values of a declared key one group of a plan may hold: few dates in a week, few hours in the morning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

from dialect.algebra.expressions import Expr, Ref, fields_of, is_of_table, size
from dialect.algebra.private_plan import PrivatePlan
from dialect.analysis.date_bounds import Clock, known_of
from dialect.analysis.facts import between
from dialect.analysis.values_left import how_many, spoken_of
from dialect.catalog.catalog import SqlType, ValueRange
from dialect.functions.constant_folding import moment
from dialect.functions.plain_text import plain_text
from dialect.sensitivity.parted import days_and_times

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
