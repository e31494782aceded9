"""Public domains: public relations that contain every value a key expression can have.

A column of a set operation has the values of either side (`dialect/planner/proofs.md#set-operations`).

An integer key with public bounds, such as age // 10 or floor(dwell_min / 10), has all integers between its bounds
(`dialect/planner/proofs.md#key-sets`). Bounds are those declared for columns, narrowed by predicates. Rows may violate
declared bounds, so these lists are never closed.

Terms: a fact is a predicate that is true of every row. A list is exhaustive (closed) if no row can have a value outside
it, and open if rows may violate it. Steps are the units (an hour, a day, 15 minutes) of a truncated time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial, reduce

from dialect.algebra import relations as rel
from dialect.algebra.expressions import (
    Call,
    Case,
    Expr,
    Field,
    Literal,
    Origin,
    Ref,
    case_values,
    fields_of,
)
from dialect.algebra.relations import public_values_of, with_null_row
from dialect.algebra.release_plan import KeySet, KeySource
from dialect.algebra.traversal import walk
from dialect.algebra.value_ranges import UNKNOWN
from dialect.analysis.canonical_form import CanonicalForm
from dialect.analysis.predicates import (
    between,
    declared_between,
    narrow_expression,
    narrowed_range,
)
from dialect.analysis.time_granularity import bucket_start, count_steps, truncate_time, truncation_unit
from dialect.catalog.model import Bounds, ColumnValues, SqlType, ValueList, ValueRange
from dialect.functions.emitter import plain_text
from dialect.functions.literals import format_time, literal_of, parse_timestamp
from dialect.functions.registry import OVERLOADS, range_of
from dialect.functions.signatures import Nulls, Partial
from dialect.parser.compile_context import CompileContext

ONE_DAY = "1 day"


@dataclass(frozen=True)
class PublicList:
    """A public list of values for a subexpression of the keys.

    The relation of `source` has a row per value; `replacements` name the fields or expressions over it.
    """

    replacements: tuple[tuple[Expr, Expr], ...]  # (replaced key subexpression, expression over the relation)
    source: KeySource
    size: int | None = None  # number of values, if known statically
    allows_private: bool = False  # falls back to private keys if too long


def list_of_public_relation(expr: Ref) -> PublicList | None:
    """Use the public relation that a field was joined from as its list; None if it comes from elsewhere.

    All fields of that relation are replaced together, so that only combinations that occur in one of its rows are keys.
    """
    public = public_values_of(expr.field)
    return None if public is None else list_of_rows(public)


def list_of_rows(public: rel.Public) -> PublicList:
    """Use the rows of a public relation as a list that replaces all of its fields."""
    pairs = ((Ref(f), Ref(f)) for f in sorted(public.fields, key=lambda f: f.id))
    return PublicList(tuple(pairs), KeySource(public, _table_name(public), True))


def _table_name(public: rel.Public) -> str:
    """Return the name of the table that a public relation reads, for the description of its list."""
    operator = public.operator
    while isinstance(operator, rel.NullRowPadded | rel.Filter | rel.Project | rel.Distinct):
        operator = operator.source.operator
    return operator.table.name if isinstance(operator, rel.Scan) else "a public list"


def list_of_values(
    expr: Expr, values: Sequence[Literal], description: str, context: CompileContext, is_exhaustive: bool = True
) -> PublicList:
    """Build a list of constants, described as `description` in explanations."""
    field = Field(context.new_field_id(), None, expr.type, nullable=any(value.value is None for value in values))
    relation = rel.Public(rel.Values(tuple((value,) for value in values), (field,)), (field,))
    return PublicList(((expr, Ref(field)),), KeySource(relation, description, is_exhaustive), len(values))


def distinct_literals(values: Sequence[object], kind: SqlType) -> tuple[Literal, ...]:
    """Convert values to constants of one type, without duplicates and in their order."""
    return tuple(dict.fromkeys(literal_of(value, kind) for value in values))


def list_of_range(
    expr: Expr, lower: Literal, upper: Literal, description: str, context: CompileContext, is_exhaustive: bool = True
) -> PublicList:
    """Build the list of all integers, or all dates, between two ends."""
    if expr.type is SqlType.BIGINT:
        size = max(0, int(upper.value or 0) - int(lower.value or 0) + 1)
        return _series(expr, lower, upper, "1", size, description, context, is_exhaustive)
    first, last = (datetime.fromisoformat(str(end.value)[:10]) for end in (lower, upper))
    return list_of_times(expr, first, last, ONE_DAY, description, context, is_exhaustive)


def list_of_integers(expr: Expr, lower: int, upper: int, description: str, context: CompileContext) -> PublicList:
    """Build the list of all integers between declared bounds, in the type of the expression; rows may violate it."""
    ends = Literal(lower, SqlType.BIGINT), Literal(upper, SqlType.BIGINT)
    listed = _series(expr, *ends, "1", max(0, upper - lower + 1), description, context, is_exhaustive=False)
    return replace(listed, allows_private=True)


def list_of_times(
    expr: Expr,
    first: datetime,
    last: datetime,
    step: str,
    description: str,
    context: CompileContext,
    is_exhaustive: bool = True,
) -> PublicList:
    """Build the list of all time steps from first to last, in the type of the expression.

    `step` is a number and a unit, such as '15 minute'; `first` must be the beginning of a step.
    """
    lower, upper = (Literal(format_time(end, expr.type), expr.type) for end in (first, last))
    return _series(expr, lower, upper, step, count_steps(step, first, last), description, context, is_exhaustive)


def _series(
    expr: Expr,
    lower: Literal,
    upper: Literal,
    step: str,
    size: int,
    description: str,
    context: CompileContext,
    is_exhaustive: bool,
) -> PublicList:
    """Build the list of equally spaced values from `lower` to `upper`; `size` is their number.

    Without values it is an empty list of constants.
    """
    if size == 0:
        return list_of_values(expr, (), description, context, is_exhaustive)
    field = Field(context.new_field_id(), None, expr.type, nullable=False)
    relation = rel.Public(rel.Series(lower, upper, step, field), (field,))
    return PublicList(((expr, Ref(field)),), KeySource(relation, description, is_exhaustive), size)


def list_of_declared_domain(expr: Ref, context: CompileContext) -> PublicList | None:
    """Build the list of a private column's declared domain, with NULL if the column is nullable.

    None without a domain, for a range of DOUBLEs or times. A Boolean column needs none. The list is exhaustive only if
    the domain is enforced for every row.
    """
    domain, field = expr.field.domain, expr.field
    is_exhaustive = field.domain_is_complete and domain is not None
    if domain is None and field.type is SqlType.BOOLEAN:
        domain = ValueList((False, True))
    if isinstance(domain, ValueList):
        values = distinct_literals((*domain.values, *((None,) if field.nullable else ())), field.type)
        return list_of_values(expr, values, f"the declared list of {_column_name(field)}", context, is_exhaustive)
    if isinstance(domain, ValueRange) and field.type in (SqlType.BIGINT, SqlType.DATE):
        ends = (literal_of(domain.lower, field.type), literal_of(domain.upper, field.type))
        return add_null(
            list_of_range(expr, *ends, f"the declared range of {_column_name(field)}", context, is_exhaustive),
            field.nullable,
        )
    if isinstance(domain, ColumnValues):
        return add_null(_list_of_column_domain(expr, domain, context, is_exhaustive), field.nullable)
    return None


def _column_name(field: Field) -> str:
    """Return the name of a column for descriptions."""
    return field.origin.column if field.origin is not None else field.name or "the key"


def _list_of_column_domain(expr: Ref, domain: ColumnValues, context: CompileContext, is_exhaustive: bool) -> PublicList:
    """Build the list of the values of a public column that the catalog declares as a column's domain."""
    relation = column_values(domain, context)
    source = KeySource(relation, f"{domain.table}.{domain.column}", is_exhaustive)
    return PublicList(((expr, Ref(relation.fields[0])),), source)


def column_values(domain: ColumnValues, context: CompileContext) -> rel.Public:
    """Return the distinct values of a public column as a relation with one field."""
    table = context.catalog.tables_by_name.get(domain.table)
    column = table.columns_by_name.get(domain.column) if table is not None else None
    assert table is not None and column is not None  # noqa: S101  the catalog reader checks both
    wanted = Field(context.new_field_id(), None, column.type, column.nullable, origin=Origin(table.name, column.name))
    return rel.Public(rel.Distinct(rel.Public(rel.Scan(table, (wanted,)), (wanted,)), (wanted,)), (wanted,))


def add_null(public_list: PublicList, with_null: bool) -> PublicList:
    """Add NULL to a one-column list if `with_null`; otherwise return the list unchanged."""
    if not with_null:
        return public_list
    relation = with_null_row(public_list.source.relation)
    ((expr, _),) = public_list.replacements
    size = None if public_list.size is None else public_list.size + 1
    source = replace(public_list.source, relation=relation)
    return replace(public_list, replacements=((expr, Ref(relation.fields[0])),), source=source, size=size)


def list_of_truncations(expr: Call, facts: Sequence[Expr], context: CompileContext) -> PublicList | None:
    """Build the list of truncated times between bounds in the query or the catalog; None without bounds.

    Bounds in the query make it exhaustive, as no other row is counted. Bounds in the catalog may be violated, and the
    time may be NULL, so NULL is listed if the column is nullable.
    """
    time = expr.arguments[-1]
    ends = between(time, facts) or declared_between(time, facts)
    if ends is None:
        return None
    is_exhaustive = between(time, facts) is not None
    try:
        found = _list_between(
            expr, parse_timestamp(str(ends[0].value)), parse_timestamp(str(ends[1].value)), is_exhaustive, context
        )
    except OverflowError:  # outside the years of datetime
        return None
    return add_null(found, not is_exhaustive and any(f.nullable for f in fields_of(time)))


def list_of_function_values(expr: Call, unit: str, facts: Sequence[Expr], context: CompileContext) -> PublicList | None:
    """Build the list of a function's values on each time unit between known bounds.

    The function must be constant per unit, and is computed for the beginning of each. None without bounds. NULL and
    exhaustiveness are as for `list_of_truncations`.
    """
    time_expr = expr.arguments[0]
    ends, is_exhaustive = between(time_expr, facts), True
    if ends is None:
        ends, is_exhaustive = declared_between(time_expr, facts), False
    if ends is None:
        return None
    unit = "day" if time_expr.type is SqlType.DATE else unit
    try:
        first, last = (truncate_time(unit, parse_timestamp(str(end.value))) for end in ends)
        times = list_of_times(time_expr, first, last, f"1 {unit}", "a range of time", context, is_exhaustive)
    except OverflowError:  # outside the years of datetime
        return None
    ((_, time),) = times.replacements
    field = Field(context.new_field_id(), None, expr.type, nullable=False)
    image = Call(expr.function, (time, *expr.arguments[1:]), expr.type)
    below = times.source.relation
    relation = rel.Public(rel.Project(below, ((field, image),)), below.fields + (field,))
    source = replace(times.source, relation=rel.Public(rel.Distinct(relation, (field,)), (field,)))
    found = replace(times, replacements=((expr, Ref(field)),), source=source)
    return add_null(found, not is_exhaustive and any(f.nullable for f in fields_of(time_expr)))


def _list_between(
    expr: Call, first: datetime, last: datetime, is_exhaustive: bool, context: CompileContext
) -> PublicList:
    """Build the list of the steps of a truncated time that begin between the steps of the first and the last moment."""
    what = "a range of time"
    if expr.type is SqlType.BIGINT:
        lower, upper = (Literal(end.year, SqlType.BIGINT) for end in (first, last))
        return list_of_range(expr, lower, upper, what, context, is_exhaustive)
    unit = truncation_unit(expr, expr.arguments[-1])
    step = f"1 {unit}" if unit is not None else str(getattr(expr.arguments[0], "value", ""))
    begin, end = (truncate_time(unit, at) if unit is not None else bucket_start(step, at) for at in (first, last))
    return list_of_times(expr, begin, end, step, what, context, is_exhaustive)


@dataclass(frozen=True)
class SideKeySet:
    """Key set of one side of a set operation."""

    keys: KeySet
    size: int | None  # number of values, if known statically
    allows_private: bool  # falls back to private keys


def union_lists(expr: Expr, lists: Sequence[SideKeySet], context: CompileContext) -> PublicList:
    """Build the union of lists of one column, one per side of a set operation; equal lists are used once."""
    unique = tuple({_key_set_text(each.keys): each for each in lists}.values())
    relation = reduce(partial(_union, expr, context), (each.keys.relation for each in unique))
    description = (
        " and ".join(dict.fromkeys(source.description for each in unique for source in each.keys.sources))
        or "constants"
    )
    sizes = [each.size for each in unique]
    return PublicList(
        ((expr, Ref(relation.fields[0])),),
        KeySource(relation, description, all(each.keys.is_exhaustive for each in unique)),
        None if None in sizes else sum(size for size in sizes if size is not None),
        any(each.allows_private for each in unique),
    )


def _union(expr: Expr, context: CompileContext, left: rel.Public, right: rel.Public) -> rel.Public:
    """Build the union of two one-column relations, without duplicates."""
    (one,), (other,) = left.fields, right.fields
    field = Field(context.new_field_id(), None, expr.type, nullable=one.nullable or other.nullable)
    return rel.Public(rel.SetOperation(left, right, "union", True, ((one, other, field),)), (field,))


def _key_set_text(keys: KeySet) -> str:
    """Return the canonical text of a key set, equal for equal lists."""
    canon = CanonicalForm()
    rows = canon.relation_text(keys.relation)
    return f"{rows} by {', '.join(canon.names[f.id] for f in keys.keys)}"


MAX_SPARSE_INTEGERS = 10_000  # longer integer ranges are probably sparse: private keys instead
MAX_COLUMN_COMBINATIONS = 1_000_000  # combinations of integer column values, before deduplication
MAX_EXACT_INTEGER = 2.0**53 - 1  # integers are exact in DOUBLE up to here
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)


def returns_integer(expr: Expr) -> bool:
    """Return whether a call always returns whole numbers, in BIGINT or in DOUBLE."""
    return isinstance(expr, Call) and (expr.type is SqlType.BIGINT or OVERLOADS[expr.function].is_integral)


def integer_lists(expr: Expr, facts: Sequence[Expr], context: CompileContext) -> tuple[PublicList, ...] | None:
    """List every integer that a call returns on values within their bounds; None if there may be too many.

    One list of the range if it is short and computed exactly. Else a list for each integer column that the call reads:
    the keys are computed from their combinations, so that integers which no combination gives are not listed.
    """
    if not returns_integer(expr):
        return None
    narrow = narrow_expression(expr, facts)
    if not any(f.type in _NUMBERS for f in fields_of(narrow)):
        return None
    ends = range_of(narrow)
    is_short = _is_exact(ends) and (expr.type is SqlType.DOUBLE or _count_integers(ends) <= MAX_SPARSE_INTEGERS)
    combined = _count_column_combinations(narrow)
    if combined is not None and combined <= (MAX_COLUMN_COMBINATIONS if is_short else MAX_SPARSE_INTEGERS):
        return _column_lists(narrow, context)
    if not is_short or not _is_computed_exactly(narrow):
        return None
    what = f"the range of {plain_text(expr)}"
    listed = list_of_integers(expr, math.ceil(ends.lower), math.floor(ends.upper), what, context)
    return (add_null(listed, _may_be_null(narrow)),)


def list_of_counts(expr: Ref, facts: Sequence[Expr], context: CompileContext) -> PublicList | None:
    """List the integers that a number of each person can be, as COUNT(DISTINCT date) is; None for other fields.

    Its declared values follow from those of the counted column. If other keys make the list too long, keys are private.
    """
    field = expr.field
    is_number = field.type is SqlType.BIGINT and field.origin is None and isinstance(field.domain, ValueRange)
    ends = narrowed_range(expr, facts)
    if not is_number or not _is_exact(ends):  # bins of a histogram have no range
        return None
    what = f"the range of {plain_text(expr)}"
    listed = list_of_integers(expr, math.ceil(ends.lower), math.floor(ends.upper), what, context)
    return add_null(listed, field.nullable)


def _is_exact(ends: Bounds | None) -> bool:
    """Return whether both ends of a range are known and exact in DOUBLE."""
    return ends is not None and ends.is_finite and max(abs(ends.lower), abs(ends.upper)) <= MAX_EXACT_INTEGER


def _count_integers(ends: Bounds) -> int:
    """Count the integers of a range."""
    return max(0, math.floor(ends.upper) - math.ceil(ends.lower) + 1)


def _count_column_combinations(expr: Expr) -> int | None:
    """Count the combinations of the values of the integer columns that a call reads.

    None if it reads any other column, or one without exact bounds.
    """
    columns = fields_of(expr)
    if not all(f.type is SqlType.BIGINT and _is_exact(f.bounds) for f in columns):
        return None
    return math.prod(_count_integers(f.bounds) + f.nullable for f in set(columns) if f.bounds is not None)


def _column_lists(expr: Expr, context: CompileContext) -> tuple[PublicList, ...]:
    """List the values of each integer column that a call reads; the keys are computed from their combinations."""
    lists: list[PublicList] = []
    for f in dict.fromkeys(fields_of(expr)):
        ends = f.bounds or UNKNOWN
        what = f"the bounds of {plain_text(Ref(f))}"
        lower, upper = math.ceil(ends.lower), math.floor(ends.upper)
        listed = list_of_integers(Ref(f), lower, upper, what, context)
        lists.append(add_null(listed, f.nullable))
    return tuple(lists)


def _is_computed_exactly(expr: Expr) -> bool:
    """Return whether all integer ranges in an expression are exact in DOUBLE."""
    ranges = (range_of(part) for part in walk(expr) if part.type is SqlType.BIGINT)
    return not any(MAX_EXACT_INTEGER < abs(end) < math.inf for each in ranges for end in (each.lower, each.upper))


def _may_be_null(expr: Expr) -> bool:
    """Return whether a call can be NULL on values within their bounds; a range that fits cannot overflow."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(map(_may_be_null, case_values(expr)))
    row = OVERLOADS[expr.function]
    if row.nulls is Nulls.ALL:
        return all(map(_may_be_null, expr.arguments))
    partial = row.partial.is_ordinary and not _never_overflows(expr)
    return partial or any(map(_may_be_null, expr.arguments))


def _never_overflows(expr: Call) -> bool:
    """Return whether a function that is NULL on overflow or division by 0 cannot be NULL on its known ranges.

    False for functions that are NULL for other reasons, and for a left shift of negative numbers, which has no range.
    """
    row, ends = OVERLOADS[expr.function], range_of(expr)
    if row.partial is Partial.BY_ZERO:
        divisor = range_of(expr.arguments[1])
        return not divisor.lower <= 0 <= divisor.upper
    if expr.name == "<<" and range_of(expr.arguments[0]).lower < 0:
        return False
    lowest, largest = row.limits or (-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
    return row.partial is Partial.BEYOND_RANGE and lowest <= ends.lower and ends.upper <= largest
