"""How many values of a declared key one group of a plan may hold: few dates in a week, few hours in the morning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from dialect.catalog import SqlType, ValueRange
from dialect.constants import moment
from dialect.expressions import Expr, Ref, expand, fields_of, size
from dialect.facts import between
from dialect.parted import days_of, how_many, spoken_of
from dialect.plain_text import plain_text
from dialect.possible_days import Clock, known
from dialect.private_plan import PrivatePlan

_MOST_DAYS = 1_100  # that are looked at
_MOST_STEPS = 200_000  # parts of conditions, on all days


def most_values(plan: PrivatePlan, table: str, text: str) -> int | None:
    """Bound the values that a column of a table, or an expression over it, has in one group; None for any number.

    Days are those of a stretch that the question or the catalog says; what public tables leave was counted there.
    Proof: proofs.md#usual-keys
    """
    facts = plan.source.facts
    counted = [how_many(part, facts) for part in spoken_of(facts, table) if plain_text(part) == text]
    days = [_most_days(plan, day, time) for day, time in _dates(plan, table) if plain_text(day) == text]
    met = [most for column, most in plan.most_values if column == text]
    return min((n for n in (*counted, *days, *met) if n is not None), default=None)


def _dates(plan: PrivatePlan, table: str) -> Iterator[tuple[Expr, Expr]]:
    """Walk the days on which rows of a table happened, each with the time of which it is the date, or itself."""
    yield from days_of(plan, table)
    keys = (expand(Ref(key.field)) for key in plan.keys)
    for field in dict.fromkeys(field for expr in (*plan.source.facts, *keys) for field in fields_of(expr)):
        if field.type is SqlType.DATE and field.origin is not None and field.origin.table == table:
            yield Ref(field), Ref(field)


def _most_days(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Count days once for all numbers and norms of a plan: nothing is charged for it."""
    about = (id(plan.source), plan.keys, day, time)
    if about not in plan.counted:
        plan.counted[about] = (plan.source, _days_counted(plan, day, time))  # which keeps the source, and so its id
    return plan.counted[about][1]


def _days_counted(plan: PrivatePlan, day: Expr, time: Expr) -> int | None:
    """Count the days of each group by what each key is on a day, where it is one thing; of other keys any."""
    stretch = _stretch(day, time, plan.source.facts)
    if stretch is None:
        return None
    clock = Clock(next(fields_of(time)), day.field if isinstance(day, Ref) else None)
    told, keys = known(clock, plan.source.facts), [expand(Ref(key.field)) for key in plan.keys]
    days = [stretch[0] + timedelta(days=i) for i in range((stretch[1] - stretch[0]).days + 1)]
    if len(days) * (told.parts + sum(map(size, keys))) > _MOST_STEPS:
        return None
    groups = Counter(tuple(told.value(key, each) for key in keys) for each in days if told.possible(each))
    return max(groups.values(), default=1)


def _stretch(day: Expr, time: Expr, facts: Sequence[Expr]) -> tuple[date, date] | None:
    """Find the first and last day that conditions leave, else that the catalog declares."""
    ends = between(day, facts) or between(time, facts)
    values = [end.value for end in ends or ()]
    declared = next(
        (f.domain for part in (day, time) for f in fields_of(part) if isinstance(f.domain, ValueRange)), None
    )
    if not values and declared is not None:
        values = [declared.lower, declared.upper]
    first, last = (moment(str(value)).date() for value in values) if values else (date.max, date.min)
    return (first, last) if 0 <= (last - first).days < _MOST_DAYS else None
