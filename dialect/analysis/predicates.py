"""Predicates: the list of values, the range, or the number of values that known facts imply for an expression.

A fact is a conjunct that is true of every row. Narrower ranges of the columns in an expression narrow the range of the
expression (`dialect/algebra/proofs.md#ranges`). Predicate cardinality is the number of values that remain possible.

Disjunctive equi-joins: a join on `a = b OR c = d` runs as a union of hash joins, not as a nested loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dialect.algebra.expressions import (
    FLIPPED,
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Ref,
    conjuncts,
    equal_pairs,
    fields_of,
    map_fields,
    operands,
    reads_only_table,
)
from dialect.algebra.relations import (
    DictionaryEncoded,
    Filter,
    FixedPointEncoded,
    Join,
    Project,
    Relation,
    Scan,
    Series,
    Values,
)
from dialect.algebra.traversal import walk
from dialect.analysis.clocks import (
    LARGEST_EXACT,
    Ends,
    difference_bounds,
    epoch_bounds,
    is_within_calendar,
    move_time,
    moved_time,
    on_other_clock,
    own_clock,
    timestamp_literal,
)
from dialect.analysis.time_granularity import truncate_time, truncation_unit
from dialect.catalog.model import Bounds, SqlType, ValueRange
from dialect.functions.emitter import plain_text
from dialect.functions.literals import (
    add_units,
    cast_literal,
    format_time,
    interval_seconds,
    literal_of,
    parse_timestamp,
)
from dialect.functions.registry import (
    OVERLOADS,
    definition_of,
    is_date,
    is_local_time,
    is_not_null,
    is_since_epoch,
    may_be_null,
    range_of,
    time_zone_of,
    to_local_time,
)
from dialect.functions.signatures import Difference

_COMPARABLE = {
    SqlType.BIGINT: (SqlType.BIGINT,),
    SqlType.DATE: (SqlType.DATE, SqlType.TIMESTAMP),
    SqlType.TIMESTAMP: (SqlType.DATE, SqlType.TIMESTAMP),
}


def listed_values(expr: Expr, facts: Sequence[Expr]) -> tuple[Literal, ...] | None:
    """Constants that the facts restrict an expression to, cast to its type; None without a finite list.

    level IN ('A', 'B')   ->   ('A', 'B')
    """
    for fact in facts:
        options = _in_list(expr, fact)
        if options is not None and not any(_is_ambiguous_integer(option, expr.type) for option in options):
            literals = (cast_literal(option, expr.type) for option in options)
            return tuple(dict.fromkeys(literal for literal in literals if literal is not None))
    return None


def _in_list(expr: Expr, fact: Expr) -> tuple[Literal, ...] | None:
    """Return the constants that one fact restricts an expression to, by IN or by equality; None without such a list."""
    if isinstance(fact, Call) and fact.name == "in" and fact.arguments[0] == expr:
        options = tuple(option for option in fact.arguments[1:] if isinstance(option, Literal))
        return options if len(options) == len(fact.arguments) - 1 else None
    return next(((end,) for sign, end in _comparisons(fact, expr) if sign == "="), None)


def _is_ambiguous_integer(value: Literal, kind: SqlType) -> bool:
    """Return whether several BIGINT values can equal a DOUBLE constant: compared as DOUBLE, exact below 2^53."""
    return kind is SqlType.BIGINT and isinstance(value.value, float) and not abs(value.value) < LARGEST_EXACT


def between(expr: Expr, facts: Sequence[Expr]) -> Ends | None:
    """Constant lower and upper end, both inclusive, that the facts imply for an expression; None if one is missing."""
    lower, upper = _implied_ends(expr, facts)
    return None if lower is None or upper is None else (lower, upper)


def declared_between(time: Expr, facts: Sequence[Expr]) -> Ends | None:
    """Return the declared ends of a time, both inclusive, or what the facts imply within them; None without any."""
    ends = declared_range(time, facts)
    if ends is None:
        return None
    lower, upper = _implied_ends(time, facts)
    first = max(filter(None, (ends[0], lower)), key=_sort_key)
    last = min(filter(None, (ends[1], upper)), key=_sort_key)
    return (first, last) if _sort_key(first) <= _sort_key(last) else ends


def _implied_ends(expr: Expr, facts: Sequence[Expr]) -> tuple[Literal | None, Literal | None]:
    """Largest lower and smallest upper end that the facts imply for an expression; None for one that they don't."""
    lowers: list[Literal] = []
    uppers: list[Literal] = []
    for sign, end in _comparisons_with_steps(expr, facts):
        if end.type not in _COMPARABLE.get(expr.type, ()) or end.value is None:
            continue
        if sign in {">", ">=", "="}:
            lowers.append(end)
        if sign in {"<", "<=", "="}:
            uppers.append(_largest_below(end) if sign == "<" else end)
    if isinstance(expr, Call) and (own := own_clock(expr)) is not None:
        first, last = _implied_ends(own, facts)
        lowers += [] if first is None else on_other_clock(first, own, expr)[:1]
        uppers += [] if last is None else on_other_clock(last, own, expr)[-1:]
    return max(lowers, key=_sort_key, default=None), min(uppers, key=_sort_key, default=None)


def _comparisons_with_steps(expr: Expr, facts: Sequence[Expr]) -> Iterator[tuple[str, Literal]]:
    """Yield (operator, constant) for the comparisons of an expression.

    Bounds on a truncated time (day, hour, month) bound the time itself, and are rewritten to bounds on it. Bounds on a
    time bound the time moved by a constant.
    """
    for fact in facts:
        yield from _comparisons(fact, expr)
    if isinstance(expr, Call) and (moved := moved_time(expr)) is not None:
        for sign, end in _comparisons_with_steps(moved[0], facts):
            if end.type in _COMPARABLE[SqlType.DATE] and (moved_end := move_time(end, moved[1])) is not None:
                yield sign, moved_end
    steps = _truncations_of(expr, facts) if expr.type is SqlType.TIMESTAMP else {}
    for step, unit in steps.items():
        for sign, end in (comparison for fact in facts for comparison in _comparisons_and_lists(fact, step)):
            yield from _bounds_from_step(sign, end, unit)


def is_time_bound(fact: Expr, time: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether a fact only bounds a time, directly or through a truncation of it."""
    return any(True for part in (time, *_truncations_of(time, facts)) for _ in _comparisons(fact, part))


def _truncations_of(time: Expr, facts: Sequence[Expr]) -> dict[Expr, str]:
    """Map the truncations of a time in the facts, and expressions equated with one, to their units."""
    comparisons = [fact for fact in facts if isinstance(fact, Call) and fact.name in {*FLIPPED, "in"}]
    found = {
        part: unit
        for fact in comparisons
        for part in fact.arguments
        if (unit := truncation_unit(part, time)) is not None
    }
    for one, other in equal_pairs(comparisons):
        if one in found and not isinstance(other, Literal):
            found.setdefault(other, found[one])
    return found


def declared_dates(facts: Sequence[Expr]) -> Iterator[tuple[Field, Expr]]:
    """Columns that a fact equates with the date of a time: (column, time in its own time zone)."""
    for day, of in equal_pairs(facts):
        if isinstance(day, Ref) and is_date(of):
            yield day.field, of.arguments[-1]


def declared_range(time_expr: Expr, facts: Sequence[Expr]) -> Ends | None:
    """Return (first, last) moment of a declared date range, of a time column or of its date column; else None.

    A time that is moved by a constant has the moved ends.
    """
    if isinstance(time_expr, Call) and (moved := moved_time(time_expr)) is not None:
        ends = [move_time(end, moved[1]) for end in declared_range(moved[0], facts) or ()]
        return (ends[0], ends[1]) if ends and ends[0] is not None and ends[1] is not None else None
    if isinstance(time_expr, Call) and (clock := own_clock(time_expr)) is not None:
        shown = [on_other_clock(end, clock, time_expr) for end in declared_range(clock, facts) or ()]
        return (shown[0][0], shown[1][-1]) if shown and all(shown) else None
    dates = (day for day, time in declared_dates(facts) if time == time_expr)
    own = next(
        (f for f in (_column_of_time(time_expr), *dates) if f is not None and isinstance(f.domain, ValueRange)), None
    )
    if own is None or not isinstance(own.domain, ValueRange) or own.type is SqlType.BIGINT:
        return None
    days = own.domain
    last = str(days.upper) if time_expr.type is SqlType.DATE else f"{days.upper} 23:59:59.999999"
    return literal_of(days.lower, SqlType.TIMESTAMP), literal_of(last, SqlType.TIMESTAMP)


def _column_of_time(time_expr: Expr) -> Field | None:
    """Return the column that a time expression reads, directly or in its time zone."""
    own = time_expr.arguments[0] if is_local_time(time_expr) else time_expr
    return own.field if isinstance(own, Ref) else None


def _comparisons_and_lists(fact: Expr, expr: Expr) -> Iterator[tuple[str, Literal]]:
    """Comparisons of an expression with constants; an IN list counts as its smallest and largest value."""
    yield from _comparisons(fact, expr)
    options = _in_list(expr, fact) if isinstance(fact, Call) and fact.name == "in" else None
    ends = [option for option in options or () if option.value is not None and option.type in _COMPARABLE[SqlType.DATE]]
    if ends:
        yield ">=", min(ends, key=_sort_key)
        yield "<=", max(ends, key=_sort_key)


def _bounds_from_step(sign: str, end: Literal, unit: str) -> Iterator[tuple[str, Literal]]:
    """Yield (operator, constant) for bounds on a time, equivalent to a comparison of its truncation to a unit.

        date_trunc('day', ts) > '2026-10-05'   ->   ts >= '2026-10-06 00:00:00'

    A constant within a unit is no truncation, so that comparisons with it are moved to the next beginning of a unit.
    """
    if end.value is None or end.type not in _COMPARABLE[SqlType.DATE]:
        return
    at = parse_timestamp(str(end.value))
    try:
        begin = truncate_time(unit, at)
        next_begin = add_units(begin, 1, unit)
    except (ValueError, OverflowError):  # outside the years of datetime
        return
    first = begin if begin == at else next_begin  # first unit that begins at or after the constant
    if sign in {">", ">=", "="}:
        yield ">=", timestamp_literal(next_begin if sign == ">" else first)
    if sign in {"<", "<=", "="}:
        yield "<", timestamp_literal(first if sign == "<" else next_begin)


def is_implied(condition: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether the facts imply a condition. Sound but incomplete: it understands lists, ranges, AND and OR.

    False means not known.
    """
    if condition in facts:
        return True
    if not isinstance(condition, Call):
        return False
    if condition.name in ("and", "or"):
        parts = [is_implied(part, facts) for part in condition.arguments]
        return all(parts) if condition.name == "and" else any(parts)
    compared = condition.arguments if len(condition.arguments) == 2 else ()
    return _is_listed(condition, facts) or any(_range_implies(condition, part, facts) for part in compared)


def _is_listed(condition: Call, facts: Sequence[Expr]) -> bool:
    """Return whether every value that the facts allow is an element of the condition's list."""
    expr = condition.arguments[0]
    options, allowed = _in_list(expr, condition), listed_values(expr, facts)
    return (
        options is not None and allowed is not None and {each.value for each in allowed} <= {o.value for o in options}
    )


def _range_implies(condition: Call, expr: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether the range that the facts imply for an expression satisfies the whole comparison."""
    found = [each for each in _comparisons(condition, expr) if each[1].type in _COMPARABLE.get(expr.type, ())]
    ends = between(expr, facts)
    if not found or ends is None or found[0][1].value is None:
        return False
    (sign, end), (lower, upper) = found[0], map(_sort_key, ends)
    at = _sort_key(end)
    return {">": lower > at, ">=": lower >= at, "<": upper < at, "<=": upper <= at}.get(sign, lower == at == upper)


def numeric_bounds(expr: Expr, facts: Sequence[Expr]) -> Bounds | None:
    """Numeric bounds that comparisons with constants imply for an expression; None without such a comparison.

    Those of an interval are in seconds.
    """
    found: list[tuple[str, float]] = []
    for fact in facts:
        for sign, end in _comparisons(fact, expr):
            if isinstance(end.value, int | float) and not isinstance(end.value, bool):
                found.append((sign, float(end.value)))
            elif end.type is SqlType.INTERVAL and end.value is not None:
                found.append((sign, float(interval_seconds(str(end.value)))))
    # >, >= and = bound from below, <, <= and = from above
    lowers = [
        _exclusive_end(end, math.inf, expr.type) if sign == ">" else end for sign, end in found if "<" not in sign
    ]
    uppers = [
        _exclusive_end(end, -math.inf, expr.type) if sign == "<" else end for sign, end in found if ">" not in sign
    ]
    return Bounds(max(lowers, default=-math.inf), min(uppers, default=math.inf)) if found else None


def _exclusive_end(end: float, towards: float, kind: SqlType) -> float:
    """Nearest value inside an exclusive bound: the next double, or the next integer for BIGINT."""
    following = math.nextafter(end, towards)
    if kind is not SqlType.BIGINT or not math.isfinite(following):
        return following
    return float(math.ceil(following) if towards > 0 else math.floor(following))


def _comparisons(fact: Expr, expr: Expr) -> Iterator[tuple[str, Literal]]:
    """Yield (operator, constant) if a fact compares the expression with a constant on either side.

    The operator is written with the expression on the left.
    """
    return ((sign, end) for operand, sign, end in fact.compared_constants if operand == expr)


def _sort_key(end: Literal) -> tuple[int, str]:
    """Sort key of constants of one type: integers, or dates and times."""
    if isinstance(end.value, int):
        return end.value, ""
    return 0, format_time(parse_timestamp(str(end.value)), SqlType.TIMESTAMP)


def _largest_below(end: Literal) -> Literal:
    """Largest value below an exclusive upper end, at the resolution of the type."""
    if isinstance(end.value, int):
        return Literal(end.value - 1, SqlType.BIGINT)
    at = parse_timestamp(str(end.value))
    below = at - timedelta(microseconds=1) if at > datetime.min else at
    return timestamp_literal(below)


def narrowed_range(expr: Expr, facts: Sequence[Expr]) -> Bounds:
    """Predicate-narrowed range of an expression: its inferred range in rows that satisfy the facts."""
    written = definition_of(expr) if facts or not range_of(expr).is_finite else None
    narrow = range_of(expr) if written is None else range_of(narrow_expression(written, facts))
    return narrow if narrow.lower <= narrow.upper else range_of(expr)  # empty: the facts contradict each other


def narrow_expression(expr: Expr, facts: Sequence[Expr]) -> Expr:
    """Return a copy of an expression whose parts carry the ranges that the facts imply. A compared part is never NULL.

    Where these give it no finite range, numbers that count from one time to another, or from 1970, have the ranges that
    the ends of the times imply. The copy is for range inference alone: a part with a range of its own becomes a field
    that exists nowhere.
    """
    narrow = _narrow_parts(expr, facts, are_times_counted=False)
    ends = range_of(narrow)
    if not expr.children or (math.isfinite(ends.lower) and math.isfinite(ends.upper)):
        return narrow
    return _narrow_parts(expr, facts, are_times_counted=True)


def _narrow_parts(expr: Expr, facts: Sequence[Expr], are_times_counted: bool) -> Expr:
    """Narrow the parts of an expression and itself, with or without the ranges of numbers that count times."""
    bounds = numeric_bounds(expr, facts)
    counted = _counted_bounds(expr, facts) if are_times_counted and isinstance(expr, Call) else None
    parts = [_narrow_parts(part, facts, are_times_counted) for part in expr.children]
    narrowed_parts = expr.with_children(parts) if parts else expr
    if (bounds is None and counted is None) or isinstance(expr, Literal):
        return narrowed_parts
    ends = range_of(narrowed_parts)
    for each in filter(None, (bounds, counted)):
        ends = _intersect(ends, each)
    if isinstance(expr, Ref):
        return Ref(replace(expr.field, bounds=ends, nullable=False))
    nullable = bounds is None and any(map(may_be_null, expr.children))
    return Ref(Field(f"({plain_text(expr)})", None, SqlType.DOUBLE, nullable, bounds=ends))


def _counted_bounds(expr: Call, facts: Sequence[Expr]) -> Bounds | None:
    """Bounds of a number that counts from one time to another, or from 1970, by the ends of the times; else None."""
    difference = OVERLOADS[expr.function].difference
    if difference is None:
        times = ends_of_time(expr.arguments[0], facts) if is_since_epoch(expr) else None
        return None if times is None else epoch_bounds(expr, times)
    start, end = reversed(expr.arguments) if difference is Difference.ELAPSED else expr.arguments[1:]
    starts, ends = ends_of_time(start, facts), ends_of_time(end, facts)
    return None if starts is None or ends is None else difference_bounds(expr, starts, ends)


def counts_time(expr: Expr) -> bool:
    """Return whether an expression reads a number that counts from one time to another."""
    return any(isinstance(part, Call) and OVERLOADS[part.function].difference for part in walk(expr))


def ends_of_time(time: Expr, facts: Sequence[Expr]) -> Ends | None:
    """Least and largest moment of a time: as the facts imply, or as the catalog declares; None without both.

    A truncated time has those of the time. One that is another one in some row, as LAG and one person's MIN are, has
    those of that one in all rows.
    """
    if isinstance(time, Literal):
        return (time, time) if is_within_calendar(time) else None
    found = between(to_local_time(time), facts) or declared_between(to_local_time(time), facts)
    if found is not None or isinstance(time, Case):
        return found
    if isinstance(time, Ref):
        return _ends_of_alternatives(time)
    row = OVERLOADS[time.function]
    inner = ends_of_time(time.arguments[-1], facts) if row.truncation or row.keeps_moment else None
    unit = truncation_unit(time, time.arguments[-1])
    if inner is None or unit is None:
        return inner if row.keeps_moment else None
    return timestamp_literal(truncate_time(unit, parse_timestamp(str(inner[0].value)))), inner[1]


def _ends_of_alternatives(time: Ref) -> Ends | None:
    """Return the ends of a time that is one of several; None unless each but NULL has ends on the same clock."""
    values = [each for each in time.field.alternatives if each.expr != Literal(None, time.type)]
    found = [
        ends_of_time(written, each.predicates)
        for each in values
        if (written := definition_of(each.expr)) is not None and time_zone_of(written) == time_zone_of(time)
    ]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(values):
        return None
    return min((first for first, _ in known), key=_sort_key), max((last for _, last in known), key=_sort_key)


def without_null(exprs: Sequence[Expr], facts: Sequence[Expr]) -> list[Expr]:
    """Return expressions whose fields are marked as never NULL where the facts are TRUE for no NULL of them."""
    known = {field: Ref(replace(field, nullable=False)) for fact in facts for field in null_rejected_fields(fact)}
    return [map_fields(expr, known.get) for expr in exprs] if known else list(exprs)


def null_rejected_fields(fact: Expr) -> Iterator[Field]:
    """Fields that are not NULL where a condition is TRUE: strict functions read them, or IS NOT NULL tests these."""
    tested = fact.arguments[0].children if isinstance(fact, Call) and fact.arguments else ()
    is_test = len(tested) == 1 and fact == is_not_null(tested[0])
    return strict_fields(tested[0] if is_test else fact)


def strict_fields(expr: Expr) -> Iterator[Field]:
    """Fields whose NULL makes an expression NULL: it reads them by strict functions alone."""
    if isinstance(expr, Ref):
        yield expr.field
    elif isinstance(expr, Call) and OVERLOADS[expr.function].is_strict:
        for part in expr.arguments:
            yield from strict_fields(part)


def _intersect(one: Bounds, other: Bounds) -> Bounds:
    """Intersection of two ranges."""
    return Bounds(max(one.lower, other.lower), min(one.upper, other.upper))


ConstantSet = frozenset[object]
_MAX_COUNTED = 10_000  # values of a range, at most


def constant_field(fact: Expr) -> Field | None:
    """Return the field that a fact restricts to a single constant; None if there is none.

    The fact may be `x = 1`, or an AND or OR that leaves one value.
    """
    return next(
        (
            part.field
            for part in _compared_with_constants(fact)
            if isinstance(part, Ref) and predicate_cardinality(part, [fact]) == 1
        ),
        None,
    )


def compared_expressions(facts: Sequence[Expr], table: str) -> Iterator[Expr]:
    """Expressions over one table's columns that the facts compare with constants, such as `hour(ts)`."""
    return (
        part
        for fact in facts
        for part in dict.fromkeys(_compared_with_constants(fact))
        if reads_only_table(part, table)
    )


def _compared_with_constants(fact: Expr) -> Iterator[Expr]:
    """Operands that a fact compares with constants, below AND and OR too."""
    if not isinstance(fact, Call):
        return
    if fact.name in ("and", "or"):
        for part in fact.arguments:
            yield from _compared_with_constants(part)
    elif any(isinstance(argument, Literal) for argument in fact.arguments):
        yield from (argument for argument in fact.arguments if not isinstance(argument, Literal))


def predicate_cardinality(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the values of an expression that the facts leave possible, an upper bound; None if unbounded.

    At least 1, also if the facts contradict each other.
    """
    listed = [values for fact in facts if (values := _allowed_constants(expr, fact)) is not None]
    ends = numeric_bounds(expr, facts)
    found = [len(frozenset.intersection(*listed))] if listed else []
    if ends is not None and ends.lower == ends.upper:
        found.append(1)
    elif ends is not None and expr.type is SqlType.BIGINT and ends.upper - ends.lower < _MAX_COUNTED:
        found.append(int(ends.upper // 1 - -(-ends.lower // 1)) + 1)
    return max(1, min(found)) if found else None


def _allowed_constants(expr: Expr, fact: Expr) -> ConstantSet | None:
    """Return the constants that one fact allows an expression to equal; None if it allows others.

    An OR allows what either operand does, if both have a list; an AND what all operands with a list do.
    """
    if not isinstance(fact, Call):
        return None
    if fact.name in ("and", "or"):
        parts = [_allowed_constants(expr, part) for part in fact.arguments]
        constant_sets = [part for part in parts if part is not None]
        if fact.name == "or":
            return frozenset[object]().union(*constant_sets) if len(constant_sets) == len(parts) else None
        return frozenset.intersection(*constant_sets) if constant_sets else None
    one, *others = fact.arguments
    if fact.name == "=" and others[0] == expr:
        one, others = others[0], [one]
    if fact.name not in ("=", "in") or one != expr:
        return None
    constants = [other.value for other in others if isinstance(other, Literal) and other.type is expr.type]
    return frozenset(constants) if len(constants) == len(others) else None


# operators that are cheap to read twice
_CHEAP_OPERATORS = Scan, Filter, Project, Join, DictionaryEncoded, FixedPointEncoded, Series, Values
_MAX_EQUALITIES = 3  # largest number of equalities


def times_written(join: Join) -> int:
    """Return how often the sides of a join are written in DuckDB SQL: once per equality of its OR, else once."""
    return max(1, len(split_equalities(join)))


def split_equalities(join: Join) -> tuple[Expr, ...]:
    """Return the equalities of the OR that a join is split by; empty if the join is not split.

    Each part of the union reads both sides again, so a join is split only if both are cheap to read.
    """
    found = _disjunctive_equalities(join)
    return found if found and all(map(_is_cheap, (join.left, join.right))) else ()


def _disjunctive_equalities(join: Join) -> tuple[Expr, ...]:
    """Equalities of the first conjunct that is an OR of two or three equalities between both sides."""
    # an outer join would pad a row without a match once in every part of the union
    if join.kind != "inner":
        return ()
    found = (disjuncts(part) for part in conjuncts(join.condition))
    return next(
        (
            each
            for each in found
            if 1 < len(each) <= _MAX_EQUALITIES and all(_equates_both_sides(e, join) for e in each)
        ),
        (),
    )


def _is_cheap(relation: Relation) -> bool:
    """Return whether a relation is cheap to read several times; a join that is itself split is not.

    Nested splits would multiply the number of reads.
    """
    operators = (each.operator for each in walk(relation))
    return all(
        isinstance(each, _CHEAP_OPERATORS) and not (isinstance(each, Join) and _disjunctive_equalities(each))
        for each in operators
    )


def disjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Operands of the top-level ORs of a condition."""
    return operands(expr, "or")


def _equates_both_sides(expr: Expr, join: Join) -> bool:
    """Return whether a condition equates an expression of one join side with one of the other."""
    if not isinstance(expr, Call) or expr.name != "=":
        return False
    one, other = (set(fields_of(argument)) for argument in expr.arguments)
    left, right = set(join.left.fields), set(join.right.fields)
    return bool(one and other) and ((one <= left and other <= right) or (one <= right and other <= left))
