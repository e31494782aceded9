"""What is known of an expression without any row: its range, whether it can be NULL, whose it is."""

from __future__ import annotations

from dialect import ranges
from dialect.catalog import Bounds, SqlType
from dialect.expressions import Call, Case, Expr, Field, Literal, Ref, children, expand, fields_of, size
from dialect.functions import function

MAX_DEFINITION = 200  # nodes; a longer one makes its field opaque to inference


def range_of(expr: Expr) -> Bounds:
    """Infer the numeric range of an expression from declared bounds."""
    if isinstance(expr, Ref):
        return expr.field.bounds or ranges.UNKNOWN
    if isinstance(expr, Literal):
        number = isinstance(expr.value, int | float)
        return Bounds(float(expr.value), float(expr.value)) if number else ranges.UNKNOWN  # type: ignore[arg-type]
    if isinstance(expr, Case):
        return _hull([value for _, value in expr.branches] + [expr.otherwise])
    return _call_range(expr)


def _hull(values: list[Expr]) -> Bounds:
    some = [range_of(value) for value in values if value.type is not SqlType.NULL]
    return ranges.hull(some) if some else ranges.UNKNOWN


def _call_range(expr: Call) -> Bounds:
    row = function(expr.function)
    if row.name == "coalesce":
        return _hull(list(expr.arguments))
    if row.name in {"least", "greatest"}:
        certain = [not nullable(argument) for argument in expr.arguments]
        combine = ranges.least if row.name == "least" else ranges.greatest
        return combine([range_of(argument) for argument in expr.arguments], certain)
    if row.name == "*" and expr.arguments[0] == expr.arguments[1]:
        return ranges.square(range_of(expr.arguments[0]))
    if row.range is None:
        return ranges.UNKNOWN
    return row.range(*(range_of(argument) for argument in expr.arguments))


def nullable(expr: Expr) -> bool:
    """Tell whether an expression may be NULL; constants other than NULL are certain, stored values are not."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(nullable(value) for _, value in expr.branches) or nullable(expr.otherwise)
    name = function(expr.function).name
    if name in {"is null", "is true", "is false", "is distinct from", "is not distinct from", "pi"}:
        return False
    if name in {"coalesce", "least", "greatest"}:
        return all(nullable(argument) for argument in expr.arguments)
    partial = name in {"//", "%", "nullif", "date_diff"} or "TRY_CAST" in function(expr.function).duckdb
    return partial or any(nullable(argument) for argument in expr.arguments)


def of_person(expr: Expr) -> bool:
    """Tell whether an expression has one value per person: everything it reads is a function of the person."""
    return all(f.of_person for f in fields_of(expr))


def definition(expr: Expr) -> Expr | None:
    """Write out an expression over undefined fields, unless that is too long to reason about."""
    expanded = expand(expr)
    return expanded if _small(expanded) else None


def _small(expr: Expr) -> bool:
    waiting, seen = [expr], 0
    while waiting:
        seen += 1
        if seen > MAX_DEFINITION:
            return False
        waiting.extend(children(waiting.pop()))
    return True


def computed_field(id_: str, name: str | None, expr: Expr) -> Field:
    """Describe the field that holds an expression's value."""
    instant = expr.field.time_zone if isinstance(expr, Ref) else None
    return Field(
        id_, name, expr.type, nullable(expr), range_of(expr), definition=definition(expr), of_person=of_person(expr),
        time_zone=instant,
    )  # fmt: skip


__all__ = ["computed_field", "definition", "nullable", "of_person", "range_of", "size"]
