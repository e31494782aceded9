"""By what the rows of a plan are parted: its keys, and whatever its conditions leave one value of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dialect.constants import SECONDS, moment
from dialect.expressions import Call, Expr, Field, Literal, Ref, expand, fields_of
from dialect.facts import between, dates_of
from dialect.plain_text import plain_text
from dialect.private_plan import PrivatePlan
from dialect.time_steps import step_of

_WITHIN_DAYS = frozenset(unit for unit, seconds in SECONDS.items() if seconds <= SECONDS["day"])


def parted_by(plan: PrivatePlan, table: str) -> frozenset[str]:
    """Name the plan's keys, and the columns of its widest table, or parts of them, that conditions set to one constant.

    Rows of one value of a column are one group of all by it: a person has no larger norm in them than over all groups.
    A date that is declared to be that of a time is set where the time is of one day, and parts where its steps do.
    """
    facts = plan.source.facts
    fixed = (part for fact in facts for part in _fixed(fact) if _is_of(part, table))
    keys = [expand(Ref(key.field)) for key in plan.keys]
    dates = (Ref(day) for day, time in dates_of(facts) if _on_one_day(time, facts) or _by_day(keys, time, _WITHIN_DAYS))
    dated = (day for day in dates if _is_of(day, table))
    return frozenset({*(key.text for key in plan.keys), *map(plain_text, (*fixed, *dated))})


def own_keys(plan: PrivatePlan) -> frozenset[str]:
    """Name the plan's keys, and the columns that are declared to be the dates of the days by which it groups."""
    keys = [expand(Ref(key.field)) for key in plan.keys]
    dates = (Ref(day) for day, time in dates_of(plan.source.facts) if _by_day(keys, time, ("day",)))
    return frozenset({*(key.text for key in plan.keys), *map(plain_text, dates)})


def _on_one_day(time: Expr, facts: Sequence[Expr]) -> bool:
    ends = between(time, facts)
    return ends is not None and len({moment(str(end.value)).date() for end in ends}) == 1


def _by_day(keys: Sequence[Expr], time: Expr, units: Collection[str]) -> bool:
    return any(step_of(key, time) in units for key in keys)


def fixed_field(fact: Expr) -> Field | None:
    """Find the field that a fact sets equal to a constant."""
    return next((part.field for part in _fixed(fact) if isinstance(part, Ref)), None)


def _fixed(fact: Expr) -> Iterator[Expr]:
    """Find what a fact sets equal to a constant: a column, or an expression such as the hour of a time."""
    if isinstance(fact, Call) and fact.name == "=":
        for one, other in (fact.arguments, fact.arguments[::-1]):
            if isinstance(other, Literal) and not isinstance(one, Literal):
                yield one


def _is_of(expr: Expr, table: str) -> bool:
    origins = [field.origin for field in fields_of(expr)]
    return bool(origins) and all(origin is not None and origin.table == table for origin in origins)
