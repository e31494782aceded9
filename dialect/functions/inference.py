"""Static properties of expressions: value range, nullability, and dependence on the person alone.

A definition of a field is the expression that it holds, over fields without definition. Far times are dates and times
over 280,000 years away, for which total forms return NULL (`Partial.BEYOND_CALENDAR`). A strict function is NULL if any
argument is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialect.algebra import value_ranges as ranges
from dialect.algebra.expressions import (
    Alternative,
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Ref,
    case_values,
    expand_definitions,
    fields_of,
    map_fields,
    size,
)
from dialect.algebra.relations import public_values_of, with_null_row
from dialect.algebra.traversal import walk
from dialect.catalog.model import Bounds, ValueList
from dialect.functions.registry import OVERLOADS
from dialect.functions.signatures import Nulls, Partial

MAX_DEFINITION = 200  # nodes; the field of a longer definition is opaque to inference


def range_of(expr: Expr) -> Bounds:
    """Infer the numeric range of an expression from declared bounds (`dialect/algebra/proofs.md#ranges`).

    It holds for values that are not NULL; unknown (infinite ends) for all that is not a number.
    """
    if isinstance(expr, Ref):
        return expr.field.bounds or ranges.UNKNOWN
    if isinstance(expr, Literal):
        value = expr.value
        return Bounds(float(value), float(value)) if isinstance(value, int | float) else ranges.UNKNOWN
    if isinstance(expr, Case):
        return _hull_of(case_values(expr))
    return _call_range(expr)


def _hull_of(values: Sequence[Expr]) -> Bounds:
    """Smallest range of several possible values; those that are always NULL add nothing."""
    value_ranges = [range_of(value) for value in values if not _is_always_null(value)]
    return ranges.hull(value_ranges) if value_ranges else ranges.UNKNOWN


def _is_always_null(expr: Expr) -> bool:
    """Return whether an expression is NULL in every row: a NULL, or a strict call with such an argument."""
    if isinstance(expr, Call):
        return OVERLOADS[expr.function].is_strict and any(map(_is_always_null, expr.arguments))
    return isinstance(expr, Literal) and expr.value is None


def _call_range(expr: Call) -> Bounds:
    """Infer the range of a call by its row's range rule.

    COALESCE, LEAST and GREATEST ignore NULL arguments, and x * x is a square: these need the arguments themselves.
    """
    row = OVERLOADS[expr.function]
    if row.name == "coalesce":
        return _hull_of(expr.arguments)
    if row.name in {"least", "greatest"}:
        never_null = [not may_be_null(argument) for argument in expr.arguments]
        combine_ranges = ranges.least if row.name == "least" else ranges.greatest
        return combine_ranges([range_of(argument) for argument in expr.arguments], never_null)
    if row.name == "*" and expr.arguments[0] == expr.arguments[1]:
        return ranges.square(range_of(expr.arguments[0]))
    if row.range_rule is None:
        return ranges.UNKNOWN
    return row.range_rule(*(range_of(argument) for argument in expr.arguments))


def may_be_null(expr: Expr, include_far: bool = True) -> bool:
    """Return whether an expression may be NULL; `include_far`: also where only far dates and times make it so.

    A call may be NULL if its function may be for ordinary arguments (`partial`), or if an argument may be.
    """
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(may_be_null(value, include_far) for value in case_values(expr))
    row = OVERLOADS[expr.function]
    if row.nulls is Nulls.NEVER:
        return False
    if row.nulls is Nulls.ALL:
        return all(may_be_null(argument, include_far) for argument in expr.arguments)
    partial = row.partial.is_ordinary or (include_far and row.partial is Partial.BEYOND_CALENDAR)
    return partial or any(may_be_null(argument, include_far) for argument in expr.arguments)


def is_null_beyond_calendar(expr: Expr) -> bool:
    """Return whether a subexpression is NULL for dates and times beyond any calendar."""
    calls = (part for part in walk(expr) if isinstance(part, Call))
    return any(OVERLOADS[call.function].partial is Partial.BEYOND_CALENDAR for call in calls)


def is_null_if_inputs_null(expr: Expr) -> bool:
    """Return whether an expression is certainly NULL in a row where all fields that it reads are NULL.

    AND, OR and COALESCE are NULL only if all arguments are; other functions that are not strict may give a value.
    """
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return True
    if isinstance(expr, Case):
        return all(is_null_if_inputs_null(value) for value in case_values(expr))
    parts, nulls = map(is_null_if_inputs_null, expr.arguments), OVERLOADS[expr.function].nulls
    return any(parts) if nulls is Nulls.ANY else nulls in (Nulls.ALL, Nulls.ALL_OR_SOME) and all(parts)


def is_constant_per_person(field: Field) -> bool:
    """Return whether a field is constant per person, as a function of the person key or by a unique key.

    A person key that may be NULL is not: it is NULL in rows without a match, whose person is another field.

    Proof: `dialect/stability/proofs.md#relation-kinds`.
    """
    return field.is_constant_per_person or (field.is_person_key and not field.nullable)


def is_function_of_person(expr: Expr) -> bool:
    """Return whether an expression has one value per person: every field that it reads is constant per person."""
    return all(is_constant_per_person(field) for field in fields_of(expr))


def definition_of(expr: Expr) -> Expr | None:
    """Expand an expression to fields without definition; None where the result is too long to analyse."""
    return expand_definitions(expr) if _expanded_size(expr) <= MAX_DEFINITION else None


def _expanded_size(expr: Expr) -> int:
    """Count the nodes of an expression with definitions inlined; stops early where it is too long already."""
    if size(expr) > MAX_DEFINITION:
        return size(expr)
    if isinstance(expr, Ref):
        return 1 if expr.field.definition is None else size(expr.field.definition)
    return 1 + sum(_expanded_size(part) for part in expr.children)


def computed_field(id_: str, name: str | None, expr: Expr) -> Field:
    """Build the field that holds an expression's value, with its inferred properties.

    A plain reference keeps its time zone. Domain and public values are not copied: they follow from the definition.
    """
    time_zone = expr.field.time_zone if isinstance(expr, Ref) else None
    return Field(
        id_, name, expr.type, may_be_null(expr), range_of(expr), definition=definition_of(expr),
        is_constant_per_person=is_function_of_person(expr),
        time_zone=time_zone,
    )  # fmt: skip


def null_extended(field: Field, match_depends_on_person: bool = False) -> Field:
    """Build a field of a LEFT JOIN's right side, which is NULL in rows without a match.

        SELECT coalesce(h.zone, 'none') FROM stay s LEFT JOIN home h USING (person)

    `match_depends_on_person` states that whether a row has a match depends on the person alone. The definition is kept
    only if it is NULL together with the fields it reads; otherwise its value is no longer the definition's, and only a
    list of constants is kept as its domain (`proofs.md#left-joins`).
    """
    extended = replace(
        _null_extended_field(field), is_constant_per_person=match_depends_on_person and is_constant_per_person(field)
    )
    if field.definition is None:
        return extended
    if is_null_if_inputs_null(field.definition):
        return replace(extended, definition=map_fields(field.definition, lambda read: Ref(_null_extended_field(read))))
    return replace(extended, definition=None, domain=_case_constants(field.definition))


def _null_extended_field(field: Field) -> Field:
    """Make a field nullable, and add NULL to its public values and to the alternatives of a set operation."""
    listed_values = public_values_of(field)
    public_values = None if listed_values is None else with_null_row(listed_values)
    return replace(field, nullable=True, public_values=public_values, alternatives=with_null_alternative(field))


def with_null_alternative(field: Field) -> tuple[Alternative, ...]:
    """Add NULL to the alternatives of a set operation's column."""
    return (*field.alternatives, Alternative(Literal(None, field.type), ())) if field.alternatives else ()


def _case_constants(expr: Expr) -> ValueList | None:
    """Return the values of a CASE as a domain if all of them are constants; None otherwise."""
    values = case_values(expr) if isinstance(expr, Case) else ()
    if not values or not all(isinstance(value, Literal) for value in values):
        return None
    return ValueList(tuple(dict.fromkeys(value.value for value in values if isinstance(value, Literal))))
