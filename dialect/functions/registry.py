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
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.model import SqlType
from dialect.functions.scalar.casts import CASTS
from dialect.functions.scalar.geography import CELLS, PLACES, POLYGONS
from dialect.functions.scalar.logic import LOGIC
from dialect.functions.scalar.numbers import INTERVALS, NUMBERS
from dialect.functions.scalar.text import LISTS, TEXT
from dialect.functions.scalar.time import TIMES
from dialect.functions.signatures import VARIADIC, Function, Truncation


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
