"""Registry of the function allow-list: all overloads of each name; a function without a row is refused.

The rows are declared in `dialect.functions.scalar`. Every form is total: it never raises, for any stored value
(`proofs.md#total-forms`).

Each row also has a total form for Spark, or the reason why there is none: Spark 4.1 in ANSI mode, with the functions of
https://spark.apache.org/docs/latest/api/sql/ and the rules for types and overflow of
https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html. `make nightly` compares every form with DuckDB's.
Some forms are generated from a call's constant arguments, where Spark would interpret these differently.

A row is one overload: a function name with the kinds of its arguments (`dialect.functions.signatures`). Its row name is
"name#n", where n counts the overloads of the name in their order of declaration.

Builders make the calls that the compiler itself generates, by the rows of their functions: they have the same forms as
the analyst's.

Static properties of expressions follow from these rows: value range, nullability, and dependence on the person alone.
A definition of a field is the expression that it holds, over fields without definition. Far times are dates and times
over 280,000 years away, for which total forms return NULL (`Partial.BEYOND_CALENDAR`). A strict function is NULL if
any argument is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from sqlglot import exp

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
)
from dialect.algebra.relations import public_values_of, with_null_row
from dialect.algebra.traversal import walk
from dialect.catalog.model import Bounds, SqlType, ValueList
from dialect.functions.scalar.casts import CASTS
from dialect.functions.scalar.geography import CELLS, PLACES, POLYGONS
from dialect.functions.scalar.logic import LOGIC
from dialect.functions.scalar.numbers import INTERVALS, NUMBERS
from dialect.functions.scalar.text import LISTS, TEXT
from dialect.functions.scalar.time import TIMES
from dialect.functions.signatures import VARIADIC, Function, Nulls, Partial, Truncation


def _by_name(rows: tuple[Function, ...]) -> dict[str, tuple[Function, ...]]:
    """Group rows by function name, in order; each gets its row name."""
    forms: dict[str, tuple[Function, ...]] = {}
    for row in rows:
        earlier = forms.get(row.name, ())
        forms[row.name] = (*earlier, replace(row, row_name=f"{row.name}#{len(earlier)}"))
    return forms


# name -> its overloads, most specific first; a function without a row is not allowed
OVERLOADS_BY_NAME = _by_name(INTERVALS + LOGIC + NUMBERS + CASTS + TEXT + LISTS + TIMES + PLACES + CELLS + POLYGONS)
OVERLOADS = {form.row_name: form for forms in OVERLOADS_BY_NAME.values() for form in forms}  # by unique row name


def _nodes(row: Function) -> tuple[type[exp.Expr], ...]:
    """Return sqlglot's nodes of a row: as declared, else the node of its name, if it is callable and has one."""
    if row.nodes is not None or not row.is_callable:
        return row.nodes or ()
    node = exp.FUNCTION_BY_NAME.get(row.name.upper())
    return () if node is None else (node,)


def _slots(name: str, node: type[exp.Expr]) -> tuple[str, ...]:
    """Return the parts of a node that are arguments: the first ones; of a variadic function, all up to its list."""
    kinds, parts = [row.argument_kinds for row in OVERLOADS_BY_NAME[name]], tuple(node.arg_types)
    if any(each and each[-1].endswith(VARIADIC) for each in kinds):
        return parts[: next(i for i, part in enumerate(parts) if part.startswith("expression")) + 1]
    return parts[: max(map(len, kinds))]


# sqlglot's node -> (function name, parts of the node that are its arguments)
NODE_FUNCTIONS = {node: (row.name, _slots(row.name, node)) for row in OVERLOADS.values() for node in _nodes(row)}
OTHER_NAMES = {other: row.name for row in OVERLOADS.values() for other in row.other_names}
# part as written -> function name
DATE_PARTS = {part: row.name for row in OVERLOADS.values() for part in row.date_parts}
# type as sqlglot names it -> (the dialect's type, function name of the cast)
CAST_TYPES = {type_: (row.result, row.name) for row in OVERLOADS.values() for type_ in row.cast_types}


def is_date(expr: Expr) -> TypeGuard[Call]:
    """Return whether an expression is the date of a time."""
    return isinstance(expr, Call) and OVERLOADS[expr.function].truncation is Truncation.DAY


def is_since_epoch(expr: Expr) -> bool:
    """Return whether an expression is the seconds, milliseconds or microseconds of a time since 1970-01-01."""
    return isinstance(expr, Call) and OVERLOADS[expr.function].epochs_per_second is not None


def is_local_time(expr: Expr) -> TypeGuard[Call]:
    """Return whether an expression is the local time of an instant in a time zone, its second argument."""
    return isinstance(expr, Call) and OVERLOADS[expr.function].is_local_time


def all_overloads() -> tuple[Function, ...]:
    """Return every row of the allow-list."""
    return tuple(OVERLOADS.values())


def callable_names() -> tuple[str, ...]:
    """Return every function name that an analyst may write, sorted."""
    return tuple(sorted(name for name, forms in OVERLOADS_BY_NAME.items() if forms[0].is_callable))


def _row_name(name: str, *arguments: str) -> str:
    """Return the row name of the overload of a function with exactly these argument kinds."""
    return next(form.row_name for form in OVERLOADS_BY_NAME[name] if form.argument_kinds == arguments)


_DOUBLES = {
    **{name: _row_name(name, "num", "num") for name in ("+", "-", "*", "/")},
    **{name: _row_name(name, "num") for name in ("abs", "sqrt", "ceil", "floor")},
    **{name: _row_name(name, "any*") for name in ("greatest", "least")},
}
_INTEGERS = {**{name: _row_name(name, "int", "int") for name in ("+", "//")}, "least": _row_name("least", "any*")}
_COMPARISONS = {sign: _row_name(sign, "num", "num") for sign in (">", ">=", "<=", "<")}
_IS_NOT_DISTINCT = _row_name("is not distinct from", "num", "num")  # the same form for any two values of one type
_IS_NULL, _NOT = _row_name("is null", "any"), _row_name("not", "bool")
_TO_BIGINT, _TO_DOUBLE = _row_name("to_bigint", "num"), _row_name("to_double", "num")
_LOCAL_TIMESTAMP = _row_name("wall", "instant", "zone!")


def double_call(name: str, *arguments: Expr) -> Call:
    """Build a DOUBLE from numbers: + - * / abs sqrt ceil floor greatest least."""
    return Call(_DOUBLES[name], arguments, SqlType.DOUBLE)


def integer_call(name: str, *arguments: Expr) -> Call:
    """Build a BIGINT from integers: + // least."""
    return Call(_INTEGERS[name], arguments, SqlType.BIGINT)


def comparison(sign: str, one: Expr, other: Expr) -> Call:
    """Build a comparison of two numbers: > >= <= <."""
    return Call(_COMPARISONS[sign], (one, other), SqlType.BOOLEAN)


def is_not_distinct(one: Expr, other: Expr) -> Call:
    """Build `one IS NOT DISTINCT FROM other`, for two values of one type."""
    return Call(_IS_NOT_DISTINCT, (one, other), SqlType.BOOLEAN)


def is_null(value: Expr) -> Call:
    """Build `value IS NULL`."""
    return Call(_IS_NULL, (value,), SqlType.BOOLEAN)


def is_not_null(value: Expr) -> Call:
    """Build `value IS NOT NULL`."""
    return Call(_NOT, (is_null(value),), SqlType.BOOLEAN)


def to_bigint(number: Expr) -> Call:
    """Build a rounding cast to BIGINT; NULL where the number does not fit."""
    return Call(_TO_BIGINT, (number,), SqlType.BIGINT)


def to_double(number: Expr) -> Call:
    """Build a cast to DOUBLE."""
    return Call(_TO_DOUBLE, (number,), SqlType.DOUBLE)


def local_timestamp(instant: Expr, zone: str) -> Call:
    """Build the local timestamp of an instant in a time zone."""
    return Call(_LOCAL_TIMESTAMP, (instant, Literal(zone, SqlType.VARCHAR)), SqlType.TIMESTAMP)


def time_zone_of(expr: Expr) -> str | None:
    """Return the time zone on whose clock an instant is read: its column's, or that of all columns it is computed from.

    None for other expressions, and where the columns have several time zones.
    """
    if expr.type is not SqlType.TIMESTAMPTZ:
        return None
    zones = {field.time_zone for field in fields_of(expr) if field.type is SqlType.TIMESTAMPTZ}
    return zones.pop() if len(zones) == 1 else None


def to_local_time(time: Expr) -> Expr:
    """Convert an instant to the local time of its time zone, UTC without one; other expressions are unchanged."""
    return local_timestamp(time, time_zone_of(time) or "UTC") if time.type is SqlType.TIMESTAMPTZ else time


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
    if expr.size > MAX_DEFINITION:
        return expr.size
    if isinstance(expr, Ref):
        return 1 if expr.field.definition is None else expr.field.definition.size
    return 1 + sum(_expanded_size(part) for part in expr.children)


def computed_field(id_: str, expr: Expr) -> Field:
    """Build the unnamed field that holds an expression's value, with its inferred properties.

    Instants keep the time zone of the columns that they are computed from. Domain and public values are not copied:
    they follow from the definition.
    """
    return Field(
        id_, None, expr.type, may_be_null(expr), range_of(expr), definition=definition_of(expr),
        is_constant_per_person=is_function_of_person(expr),
        time_zone=expr.field.time_zone if isinstance(expr, Ref) else time_zone_of(expr),
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
