"""What is known of an expression without any row: its range, whether it can be NULL, whose it is."""

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

MAX_DEFINITION = 200  # nodes; a longer one makes its field opaque to inference

FIRST_THAT_IS = {"coalesce", "least", "greatest"}  # NULL only where all arguments are
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
    """Tell whether an expression may be NULL; `far`: for dates and times beyond all calendars too."""
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
    """Tell whether an expression is NULL of dates and times beyond all calendars alone, somewhere in it."""
    here = isinstance(expr, Call) and function(expr.function).partial is Partial.FAR
    return here or any(map(goes_far, children(expr)))


def vanishes(expr: Expr) -> bool:
    """Tell whether an expression is NULL for certain where all fields that it reads are."""
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
    """Tell whether all rows of one person have the same value in a field.

    Proof: `dialect/stability/proofs.md#relation-kinds`.
    """
    return field.of_person or (field.is_person and not field.nullable)


def of_person(expr: Expr) -> bool:
    """Tell whether an expression has one value per person: everything it reads is a function of the person."""
    return all(fixed_by_person(field) for field in fields_of(expr))


def definition(expr: Expr) -> Expr | None:
    """Write out an expression over undefined fields, unless that is too long to reason about."""
    return expand(expr) if _expanded_size(expr) <= MAX_DEFINITION else None


def _expanded_size(expr: Expr) -> int:
    if size(expr) > MAX_DEFINITION:
        return size(expr)
    if isinstance(expr, Ref):
        return 1 if expr.field.definition is None else size(expr.field.definition)
    return 1 + sum(_expanded_size(part) for part in children(expr))


def computed_field(id_: str, name: str | None, expr: Expr) -> Field:
    """Describe the field that holds an expression's value."""
    instant = expr.field.time_zone if isinstance(expr, Ref) else None
    return Field(
        id_, name, expr.type, nullable(expr), range_of(expr), definition=definition(expr), of_person=of_person(expr),
        time_zone=instant,
    )  # fmt: skip


def null_extended(field: Field, certain: bool = False) -> Field:
    """Describe a field of a LEFT JOIN's right side, which is NULL where the left row found no partner.

    `certain`: whether it finds one depends on the person alone. A definition stays only if it vanishes together with
    the fields it reads; else the value is no longer what it says, and only a list of constants is kept of it
    (`proofs.md#left-joins`).
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
    """Add NULL to what a column of a set operation may be."""
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
