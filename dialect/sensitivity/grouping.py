"""Grouping attributes of a plan: its keys and every attribute constant within each group.

The per-group distinct bound is how many values of a declared key one group can contain: 7 dates in a week, 12 hours in
a morning.

Terms: a fact is a predicate that is true of every row. Keys and attributes are compared as SQL text, as the catalog
declares them. A dated expression is a pair (date, time that it is the date of).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from dialect.algebra.expressions import Expr, Literal, Ref, equal_pairs, fields_of, reads_only_table
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import PrivatePlan
from dialect.analysis.date_bounds import event_time_predicates
from dialect.analysis.predicates import between, compared_expressions, declared_dates, predicate_cardinality
from dialect.analysis.time_granularity import date_of, determined_expressions, truncation_unit
from dialect.analysis.uniqueness import EXACT_TYPES, attribute_closure
from dialect.analysis.value_counts import event_time_of, possible_dates, times_in
from dialect.catalog.model import SqlType
from dialect.functions.emitter import plain_text
from dialect.functions.literals import MONTHS, SECONDS, parse_timestamp

_DAY_OR_COARSER = frozenset(unit for unit, seconds in SECONDS.items() if seconds >= SECONDS["day"]) | frozenset(MONTHS)
_DAY_OR_FINER = frozenset(unit for unit, seconds in SECONDS.items() if seconds <= SECONDS["day"])


def grouping_attributes(plan: PrivatePlan, known: Properties, table: str) -> frozenset[str]:
    """Return the grouping attributes of a plan, as text: its keys, and what is constant within each of its groups.

    Of a table's attributes, these are the ones that keys, predicates or public tables fix per group. Rows with one
    value of an attribute are one group by it, so the clip bound of a person's numbers is no larger than over all such
    groups. The date of a time is fixed if the time is restricted to one date, or if a key truncates the time to at most
    a day.
    """
    facts, keys = plan.source.predicates, known.of(_keys_and_equals, plan)
    fixed = (part for part in compared_expressions(facts, table) if predicate_cardinality(part, facts) == 1)
    parts = (part for key in keys for part in determined_expressions(key))
    dated = (
        day
        for day, time in known.of(_dates_and_times, plan, table)
        if _is_on_single_date(time, facts) or _truncates_within_day(keys, time)
    )
    single_valued = (text for text, value_bound in plan.distinct_bounds if value_bound == 1)
    return frozenset(
        {*(key.canonical_text for key in plan.keys), *single_valued, *map(plain_text, (*fixed, *parts, *dated))}
    )


def _dates_and_times(plan: PrivatePlan, _: Properties, table: str) -> tuple[tuple[Expr, Expr], ...]:
    """Return date expressions over a table, each with its time: declared date columns, and casts of times to dates."""
    facts, keys = plan.source.predicates, plan.key_exprs
    declared = ((Ref(day), time) for day, time in declared_dates(facts) if reads_only_table(Ref(day), table))
    times = dict.fromkeys(time for expr in (*facts, *keys) for time in times_in(expr) if reads_only_table(time, table))
    return (*declared, *((date_of(time), time) for time in times))


def key_equivalents(plan: PrivatePlan, known: Properties) -> frozenset[str]:
    """Return the plan's keys as text, with everything equal to one in every row, and date columns of grouped days."""
    keys = known.of(_keys_and_equals, plan)
    dates = (
        Ref(day)
        for day, time in declared_dates(plan.source.predicates)
        if any(truncation_unit(key, time) == "day" for key in keys)
    )
    return frozenset({*(key.canonical_text for key in plan.keys), *map(plain_text, (*keys, *dates))})


def key_determination_test(plan: PrivatePlan, known: Properties, table: str) -> Callable[[Collection[str]], bool]:
    """Return a test whether keys of a table, as text, functionally determine every key of the plan.

    If so, no group by those keys lies in two of the plan's groups. The test is called with the keys of each declared
    clip bound; everything that depends on the plan alone is computed once.
    """
    facts, keys, closure = plan.source.predicates, plan.key_exprs, attribute_closure(plan.source, known)
    read = dict.fromkeys(field for expr in (*facts, *keys) for field in fields_of(expr))
    table_fields = [(field, plain_text(Ref(field))) for field in read if reads_only_table(Ref(field), table)]
    days = [(plain_text(day), frozenset(fields_of(day)), time) for day, time in known.of(_dates_and_times, plan, table)]

    def determines_keys(texts: Collection[str]) -> bool:
        """Return whether some keys of the table, as text, determine every key of the plan."""
        fields = closure([field for field, text in table_fields if text in texts])
        fixed_times = [time for day, day_fields, time in days if day in texts or day_fields <= fields]

        def is_determined(expr: Expr) -> bool:
            """Return whether an expression has one value per combination of the known keys.

            It does if all its operands do, or if it truncates a time, whose date is known, to a day or more.
            """
            if isinstance(expr, Ref):
                return expr.field in fields or expr.field.is_constant_per_person
            if isinstance(expr, Literal) or (plain_text(expr) in texts and reads_only_table(expr, table)):
                return True
            return all(map(is_determined, expr.children)) or any(
                truncation_unit(expr, time) in _DAY_OR_COARSER for time in fixed_times
            )

        return all(map(is_determined, keys))

    return determines_keys


def _keys_and_equals(plan: PrivatePlan, _: Properties) -> tuple[Expr, ...]:
    """Return the keys, and expressions equal to one in every row: both sides of an equi-join; also transitively.

    Constants are left out, and equality must be exact.
    """
    found = list(plan.key_exprs)
    for known in found:  # also iterates over appended expressions
        for one, other in equal_pairs(plan.source.predicates):
            is_exact = one.type is other.type and one.type in EXACT_TYPES and not isinstance(other, Literal)
            if one == known and is_exact and other not in found:
                found.append(other)
    return tuple(found)


def is_single_date(plan: PrivatePlan, known: Properties, table: str) -> bool:
    """Return whether predicates restrict the rows to a single date, where a person is in fewer groups than overall."""
    return any(_is_on_single_date(time, plan.source.predicates) for _, time in known.of(_dates_and_times, plan, table))


def _is_on_single_date(time: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether the facts bound a time from both sides within one date."""
    ends = between(time, facts)
    return ends is not None and len({parse_timestamp(str(end.value)).date() for end in ends}) == 1


def _truncates_within_day(keys: Sequence[Expr], time: Expr) -> bool:
    """Return whether a key, or what it determines, truncates a time to a day or less: then it fixes the date."""
    return any(truncation_unit(part, time) in _DAY_OR_FINER for key in keys for part in determined_expressions(key))


def per_group_distinct_bounds(
    plan: PrivatePlan, known: Properties, table: str, texts: frozenset[str]
) -> Mapping[str, int]:
    """Bound how many values each of some columns or expressions of a table has in one group.

    `texts` are these, as SQL text; the result maps them to bounds, and unknown ones are absent. The smallest of several
    bounds counts. Dates are counted between bounds in the query or the catalog; values joined from public tables are
    counted there. Proof: proofs.md#usual-keys
    """
    facts, found = plan.source.predicates, dict[str, int]()
    counted = ((plain_text(part), predicate_cardinality(part, facts)) for part in compared_expressions(facts, table))
    dated = ((plain_text(day), day, time) for day, time in known.of(_date_expressions, plan, table))
    days = ((text, known.of(_max_dates_per_group, plan, day, time)) for text, day, time in dated if text in texts)
    for text, bound in (*counted, *days, *plan.distinct_bounds):
        if text in texts and bound is not None:
            found[text] = min(bound, found.get(text, bound))
    return found


def _date_expressions(plan: PrivatePlan, known: Properties, table: str) -> tuple[tuple[Expr, Expr], ...]:
    """Return date expressions over a table, each with the time it is the date of; a stored date is its own time."""
    read = dict.fromkeys(field for expr in (*plan.source.predicates, *plan.key_exprs) for field in fields_of(expr))
    stored = (Ref(field) for field in read if field.type is SqlType.DATE and reads_only_table(Ref(field), table))
    return (*known.of(_dates_and_times, plan, table), *((day, day) for day in stored))


def _max_dates_per_group(plan: PrivatePlan, _: Properties, day: Expr, time: Expr) -> int | None:
    """Count the dates of each group by the keys that are constant on a date, and return the largest count.

    None if the dates are unknown or too many to evaluate. A key that varies within a date is ignored, which makes
    groups larger. Counting has no privacy cost.
    """
    dates = possible_dates(day, time, plan.source.predicates, sum(key.size for key in plan.key_exprs))
    if dates is None:
        return None
    predicates = event_time_predicates(event_time_of(day, time), plan.source.predicates)
    keys = [key for key in plan.key_exprs if predicates.depends_on_date(key)]
    if not keys:
        return max(1, len(dates))
    groups = Counter(tuple(predicates.value_on(key, each) for key in keys) for each in dates)
    return max(groups.values(), default=1)
