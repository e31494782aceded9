"""Static properties of expressions: value range, nullability, and dependence on the person alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialect.algebra import intervals as ranges
from dialect.algebra.expressions import (
    Alternative,
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Ref,
    case_values,
    children,
    expand,
    fields_of,
    rebuild,
    size,
)
from dialect.algebra.relations import public_list, with_null_row
from dialect.catalog.model import Bounds, ValueList
from dialect.functions.registry import function
from dialect.functions.signature import Partial

MAX_DEFINITION = 200  # nodes; the field of a longer definition is opaque to inference

FIRST_THAT_IS = {"coalesce", "least", "greatest"}  # NULL only if all arguments are
_NEVER_NULL = {"is null", "is true", "is false", "is distinct from", "is not distinct from", "concat"}


def range_of(expr: Expr) -> Bounds:
    """Infer the numeric range of an expression from declared bounds (`dialect/algebra/proofs.md#ranges`)."""
    if isinstance(expr, Ref):
        return expr.field.bounds or ranges.UNKNOWN
    if isinstance(expr, Literal):
        value = expr.value
        return Bounds(float(value), float(value)) if isinstance(value, int | float) else ranges.UNKNOWN
    if isinstance(expr, Case):
        return _hull(case_values(expr))
    return _call_range(expr)


def _hull(values: Sequence[Expr]) -> Bounds:
    some = [range_of(value) for value in values if not _always_null(value)]
    return ranges.hull(some) if some else ranges.UNKNOWN


def _always_null(expr: Expr) -> bool:
    if isinstance(expr, Call):
        return function(expr.function).strict and any(map(_always_null, expr.arguments))
    return isinstance(expr, Literal) and expr.value is None


def _call_range(expr: Call) -> Bounds:
    row = function(expr.function)
    if row.name == "coalesce":
        return _hull(expr.arguments)
    if row.name in {"least", "greatest"}:
        certain = [not nullable(argument) for argument in expr.arguments]
        combine = ranges.least if row.name == "least" else ranges.greatest
        return combine([range_of(argument) for argument in expr.arguments], certain)
    if row.name == "*" and expr.arguments[0] == expr.arguments[1]:
        return ranges.square(range_of(expr.arguments[0]))
    if row.range is None:
        return ranges.UNKNOWN
    return row.range(*(range_of(argument) for argument in expr.arguments))


def nullable(expr: Expr, far: bool = True) -> bool:
    """Return whether an expression may be NULL; `include_far`: also for dates and times beyond any calendar."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(nullable(value, far) for value in case_values(expr))
    row = function(expr.function)
    if row.name in _NEVER_NULL:
        return False
    if row.name in FIRST_THAT_IS:
        return all(nullable(argument, far) for argument in expr.arguments)
    partial = row.partial is Partial.VALUE or (far and row.partial is Partial.FAR)
    return partial or any(nullable(argument, far) for argument in expr.arguments)


def goes_far(expr: Expr) -> bool:
    """Return whether a subexpression is NULL for dates and times beyond any calendar."""
    here = isinstance(expr, Call) and function(expr.function).partial is Partial.FAR
    return here or any(map(goes_far, children(expr)))


def vanishes(expr: Expr) -> bool:
    """Return whether an expression is certainly NULL in a row where all fields that it reads are NULL."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return True
    if isinstance(expr, Case):
        return all(vanishes(value) for value in case_values(expr))
    if function(expr.function).strict:
        return any(vanishes(argument) for argument in expr.arguments)
    return expr.name in FIRST_THAT_IS | {"and", "or"} and all(vanishes(argument) for argument in expr.arguments)


def fixed_by_person(field: Field) -> bool:
    """Return whether all rows of one person have the same value in a field.

    Proof: `dialect/stability/proofs.md#relation-kinds`.
    """
    return field.of_person or (field.is_person and not field.nullable)


def of_person(expr: Expr) -> bool:
    """Return whether an expression has one value per person: every field that it reads is constant per person."""
    return all(fixed_by_person(field) for field in fields_of(expr))


def definition(expr: Expr) -> Expr | None:
    """Expand an expression to fields without definition; None where the result is too long to analyse."""
    return expand(expr) if _expanded_size(expr) <= MAX_DEFINITION else None


def _expanded_size(expr: Expr) -> int:
    if size(expr) > MAX_DEFINITION:
        return size(expr)
    if isinstance(expr, Ref):
        return 1 if expr.field.definition is None else size(expr.field.definition)
    return 1 + sum(_expanded_size(part) for part in children(expr))


def computed_field(id_: str, name: str | None, expr: Expr) -> Field:
    """Build the field that holds an expression's value, with its inferred properties."""
    instant = expr.field.time_zone if isinstance(expr, Ref) else None
    return Field(
        id_, name, expr.type, nullable(expr), range_of(expr), definition=definition(expr), of_person=of_person(expr),
        time_zone=instant,
    )  # fmt: skip


def null_extended(field: Field, certain: bool = False) -> Field:
    """Build a field of a LEFT JOIN's right side, which is NULL in rows without a match.

        SELECT coalesce(h.zone, 'none') FROM stay s LEFT JOIN home h USING (person)

    `match_depends_on_person` states that whether a row has a match depends on the person alone. The definition is kept
    only if it is NULL together with the fields it reads; otherwise its value is no longer the definition's, and only a
    list of constants is kept as its domain (`proofs.md#left-joins`).
    """
    extended = replace(_nullable(field), of_person=certain and fixed_by_person(field))
    if field.definition is None:
        return extended
    if vanishes(field.definition):
        return replace(extended, definition=_nullable_refs(field.definition))
    return replace(extended, definition=None, domain=_constants(field.definition))


def _nullable(field: Field) -> Field:
    listed = public_list(field)
    public = None if listed is None else with_null_row(listed)
    return replace(field, nullable=True, public=public, alternatives=alternatives_or_null(field))


def alternatives_or_null(field: Field) -> tuple[Alternative, ...]:
    """Add NULL to the alternatives of a set operation's column."""
    return (*field.alternatives, Alternative(Literal(None, field.type), ())) if field.alternatives else ()


def _nullable_refs(expr: Expr) -> Expr:
    if isinstance(expr, Ref):
        return Ref(_nullable(expr.field))
    return rebuild(expr, _nullable_refs)


def _constants(expr: Expr) -> ValueList | None:
    values = case_values(expr) if isinstance(expr, Case) else ()
    if not values or not all(isinstance(value, Literal) for value in values):
        return None
    return ValueList(tuple(dict.fromkeys(value.value for value in values if isinstance(value, Literal))))
