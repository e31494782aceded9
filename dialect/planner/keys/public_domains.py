"""Public domains: public relations that contain every value a key expression can have.

A column of a set operation has the values of either side (`dialect/planner/proofs.md#set-operations`).

An integer key with public bounds, such as age // 10 or floor(dwell_min / 10), has all integers between its bounds
(`dialect/planner/proofs.md#key-sets`). Bounds are those declared for columns, narrowed by predicates. Rows may violate
declared bounds, so these lists are never closed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial, reduce

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Origin, Ref, case_values, children, fields_of
from dialect.algebra.intervals import UNKNOWN, known
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Padded,
    Project,
    Public,
    Scan,
    Series,
    SetOperation,
    Values,
    public_list,
    with_null_row,
)
from dialect.algebra.release_plan import KeySet, KeySource
from dialect.analysis.canonical_form import Canon
from dialect.analysis.predicates import between, dates_of, narrowed
from dialect.analysis.time_granularity import bucketed, count_steps, truncated
from dialect.catalog.model import Bounds, ColumnOf, SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment, text_of
from dialect.functions.emitter import plain_text
from dialect.functions.inference import FIRST_THAT_IS, range_of
from dialect.functions.literals import stored_literal
from dialect.functions.registry import function
from dialect.functions.scalar.casts import NARROW
from dialect.functions.signature import Partial
from dialect.parser.context import Reading

ONE_DAY = "1 day"


@dataclass(frozen=True)
class PublicList:
    """A public list of values for a subexpression of the keys."""

    stands_for: tuple[tuple[Expr, Expr], ...]  # (replaced key subexpression, expression over the relation)
    source: KeySource
    size: int | None = None  # number of values, if known statically
    optional: bool = False  # falls back to private keys if too long


def of_public(expr: Ref) -> PublicList | None:
    """Use the public relation that a field was joined from; combinations of its fields are preserved."""
    public = public_list(expr.field)
    if public is None:
        return None
    pairs = ((Ref(f), Ref(f)) for f in sorted(public.fields, key=lambda f: f.id))
    return PublicList(tuple(pairs), KeySource(public, _table_name(public), True))


def _table_name(public: Public) -> str:
    operator = public.operator
    while isinstance(operator, Padded | Filter | Project | Distinct):
        operator = operator.source.operator
    return operator.table.name if isinstance(operator, Scan) else "a public list"


def of_values(expr: Expr, values: Sequence[Literal], what: str, reading: Reading, closed: bool = True) -> PublicList:
    """Build a list of constants."""
    made = Field(reading.fresh(), None, expr.type, nullable=any(value.value is None for value in values))
    relation = Public(Values(tuple((value,) for value in values), (made,)), (made,))
    return PublicList(((expr, Ref(made)),), KeySource(relation, what, closed), len(values))


def literals(values: Sequence[object], kind: SqlType) -> tuple[Literal, ...]:
    """Make distinct literals of one type."""
    return tuple(dict.fromkeys(stored_literal(value, kind) for value in values))


def of_ends(expr: Expr, lower: Literal, upper: Literal, what: str, reading: Reading, closed: bool = True) -> PublicList:
    """Build the list of all integers, or all dates, between two ends."""
    if expr.type is SqlType.BIGINT:
        size = max(0, int(upper.value or 0) - int(lower.value or 0) + 1)
        return _series(expr, lower, upper, "1", size, what, reading, closed)
    first, last = (datetime.fromisoformat(str(end.value)[:10]) for end in (lower, upper))
    return of_times(expr, first, last, ONE_DAY, what, reading, closed)


def of_whole_numbers(expr: Expr, lower: int, upper: int, what: str, reading: Reading) -> PublicList:
    """Build the list of all integers between declared bounds, in the type of the expression; rows may violate it."""
    ends = Literal(lower, SqlType.BIGINT), Literal(upper, SqlType.BIGINT)
    listed = _series(expr, *ends, "1", max(0, upper - lower + 1), what, reading, closed=False)
    return replace(listed, optional=True)


def of_times(
    expr: Expr, first: datetime, last: datetime, step: str, what: str, reading: Reading, closed: bool = True
) -> PublicList:
    """Build the list of all time steps from first to last."""
    lower, upper = (Literal(text_of(end, expr.type), expr.type) for end in (first, last))
    return _series(expr, lower, upper, step, count_steps(step, first, last), what, reading, closed)


def _series(
    expr: Expr, lower: Literal, upper: Literal, step: str, size: int, what: str, reading: Reading, closed: bool
) -> PublicList:
    if size == 0:
        return of_values(expr, (), what, reading, closed)
    made = Field(reading.fresh(), None, expr.type, nullable=False)
    relation = Public(Series(lower, upper, step, made), (made,))
    return PublicList(((expr, Ref(made)),), KeySource(relation, what, closed), size)


def declared(expr: Ref, reading: Reading) -> PublicList | None:
    """Build the list of a private column's declared domain, with NULL if the column is nullable."""
    domain, field = expr.field.domain, expr.field
    closed = field.complete and domain is not None
    if domain is None and field.type is SqlType.BOOLEAN:
        domain = ValueList((False, True))
    if isinstance(domain, ValueList):
        values = literals((*domain.values, *((None,) if field.nullable else ())), field.type)
        return of_values(expr, values, f"the declared list of {_column(field)}", reading, closed)
    if isinstance(domain, ValueRange) and field.type in (SqlType.BIGINT, SqlType.DATE):
        ends = (stored_literal(domain.lower, field.type), stored_literal(domain.upper, field.type))
        return padded(of_ends(expr, *ends, f"the declared range of {_column(field)}", reading, closed), field.nullable)
    return padded(_column_of(expr, domain, reading, closed), field.nullable) if isinstance(domain, ColumnOf) else None


def _column(field: Field) -> str:
    return field.origin.column if field.origin is not None else field.name or "the key"


def _column_of(expr: Ref, domain: ColumnOf, reading: Reading, closed: bool) -> PublicList:
    relation = column_values(domain, reading)
    source = KeySource(relation, f"{domain.table}.{domain.column}", closed)
    return PublicList(((expr, Ref(relation.fields[0])),), source)


def column_values(domain: ColumnOf, reading: Reading) -> Public:
    """Return the distinct values of a public column, as a relation."""
    table = reading.catalog.table(domain.table)
    column = table.column(domain.column) if table is not None else None
    assert table is not None and column is not None  # noqa: S101  the catalog reader checks both
    wanted = Field(reading.fresh(), None, column.type, column.nullable, origin=Origin(table.name, column.name))
    return Public(Distinct(Public(Scan(table, (wanted,)), (wanted,)), (wanted,)), (wanted,))


def padded(found: PublicList, with_null: bool) -> PublicList:
    """Add NULL to a one-column list."""
    if not with_null:
        return found
    relation = with_null_row(found.source.relation)
    ((expr, _),) = found.stands_for
    size = None if found.size is None else found.size + 1
    source = replace(found.source, relation=relation)
    return replace(found, stands_for=((expr, Ref(relation.fields[0])),), source=source, size=size)


def of_time_steps(expr: Call, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """Build the list of truncated times between bounds in the query or the catalog; None without bounds."""
    place = expr.arguments[-1]
    ends = between(place, facts) or _declared_days(place, facts)
    if ends is None:
        return None
    closed = between(place, facts) is not None
    try:
        found = _between_times(expr, moment(str(ends[0].value)), moment(str(ends[1].value)), closed, reading)
    except OverflowError:  # outside the years of datetime
        return None
    own = _own(place)
    return padded(found, not closed and own is not None and own.nullable)


def of_images(expr: Call, unit: str, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """Build the list of a function's values on each time unit between known bounds; it must be constant per unit."""
    place = expr.arguments[0]
    ends, closed = between(place, facts), True
    if ends is None:
        ends, closed = _declared_days(place, facts), False
    if ends is None:
        return None
    unit = "day" if place.type is SqlType.DATE else unit
    try:
        first, last = (truncated(unit, moment(str(end.value))) for end in ends)
        times = of_times(place, first, last, f"1 {unit}", "a range of time", reading, closed)
    except OverflowError:  # outside the years of datetime
        return None
    ((_, time),) = times.stands_for
    made = Field(reading.fresh(), None, expr.type, nullable=False)
    image = Call(expr.function, (time, *expr.arguments[1:]), expr.type)
    below = times.source.relation
    relation = Public(Project(below, ((made, image),)), below.fields + (made,))
    source = replace(times.source, relation=Public(Distinct(relation, (made,)), (made,)))
    found = replace(times, stands_for=((expr, Ref(made)),), source=source)
    own = _own(place)
    return padded(found, not closed and own is not None and own.nullable)


def _between_times(expr: Call, first: datetime, last: datetime, closed: bool, reading: Reading) -> PublicList:
    what = "a range of time"
    if expr.name == "year":
        lower, upper = (Literal(end.year, SqlType.BIGINT) for end in (first, last))
        return of_ends(expr, lower, upper, what, reading, closed)
    if expr.name == "to_date":
        return of_times(expr, truncated("day", first), truncated("day", last), ONE_DAY, what, reading, closed)
    assert isinstance(expr.arguments[0], Literal)  # noqa: S101  units and widths are constants
    step = str(expr.arguments[0].value)
    if expr.name == "time_bucket":
        return of_times(expr, bucketed(step, first), bucketed(step, last), step, what, reading, closed)
    return of_times(expr, truncated(step, first), truncated(step, last), f"1 {step}", what, reading, closed)


def _declared_days(place: Expr, facts: Sequence[Expr]) -> tuple[Literal, Literal] | None:
    """Return the first and last moment of a declared date range, of a time column or of its date column."""
    dates = (day for day, time in dates_of(facts) if time == place)
    own = next((f for f in (_own(place), *dates) if f is not None and isinstance(f.domain, ValueRange)), None)
    if own is None or not isinstance(own.domain, ValueRange) or own.type is SqlType.BIGINT:
        return None
    days = own.domain
    last = str(days.upper) if own.type is SqlType.DATE else f"{days.upper} 23:59:59.999999"
    return stored_literal(days.lower, SqlType.TIMESTAMP), stored_literal(last, SqlType.TIMESTAMP)


def _own(place: Expr) -> Field | None:
    """Return the column that a time expression reads, directly or in its time zone."""
    own = place.arguments[0] if isinstance(place, Call) and place.name == "wall" else place
    return own.field if isinstance(own, Ref) else None


@dataclass(frozen=True)
class Listed:
    """Key set of one side of a set operation."""

    keys: KeySet
    size: int | None  # number of values, if known statically
    optional: bool  # falls back to private keys


def together(expr: Ref, lists: Sequence[Listed], reading: Reading) -> PublicList:
    """Build the union of lists of one column; equal lists are used once."""
    unique = tuple({_text(each.keys): each for each in lists}.values())
    relation = reduce(partial(_union, expr, reading), (each.keys.relation for each in unique))
    what = " and ".join(dict.fromkeys(source.what for each in unique for source in each.keys.sources)) or "constants"
    sizes = [each.size for each in unique]
    return PublicList(
        ((expr, Ref(relation.fields[0])),),
        KeySource(relation, what, all(each.keys.closed for each in unique)),
        None if None in sizes else sum(size for size in sizes if size is not None),
        any(each.optional for each in unique),
    )


def _union(expr: Ref, reading: Reading, left: Public, right: Public) -> Public:
    (one,), (other,) = left.fields, right.fields
    made = Field(reading.fresh(), None, expr.type, nullable=one.nullable or other.nullable)
    return Public(SetOperation(left, right, "union", True, ((one, other, made),)), (made,))


def _text(keys: KeySet) -> str:
    """Return the canonical text of a key set."""
    canon = Canon()
    rows = canon.relation(keys.relation)
    return f"{rows} by {', '.join(canon.names[f.id] for f in keys.keys)}"


MOST_OPTIONAL = 10_000  # longer integer ranges are probably sparse: private keys instead
MOST_COMBINED = 1_000_000  # combinations of integer column values, before deduplication
LARGEST = 2.0**53 - 1  # integers are exact in DOUBLE up to here
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_NULL_WHERE_TOO_LARGE = {"+", "-", "*", "negative", "abs", "round", "trunc", "gcd", "lcm"}
_NULL_WHERE_TOO_LARGE |= {"&", "|", "xor", "~", "<<", ">>", "bit_count"}
_GIVES_WHOLE = {"floor", "ceil", "trunc", "round"}


def is_whole(expr: Expr) -> bool:
    """Return whether a call always returns whole numbers."""
    if not isinstance(expr, Call):
        return False
    return expr.type is SqlType.BIGINT or (expr.name in _GIVES_WHOLE and len(expr.arguments) == 1)


def whole_numbers(expr: Expr, facts: Sequence[Expr], reading: Reading) -> tuple[PublicList, ...] | None:
    """List every integer that a call returns on values within their bounds; None if there may be too many."""
    narrow = narrowed(expr, facts) if is_whole(expr) else None
    if narrow is None or not any(f.type in _NUMBERS for f in fields_of(narrow)):
        return None
    ends = range_of(narrow)
    few = _exact(ends) and (expr.type is SqlType.DOUBLE or _between(ends) <= MOST_OPTIONAL)
    combined = _combined(narrow)
    if combined is not None and combined <= (MOST_COMBINED if few else MOST_OPTIONAL):
        return _of_columns(narrow, reading)
    if not few or not _computed_exactly(narrow):
        return None
    what = f"the range of {plain_text(expr)}"
    listed = of_whole_numbers(expr, math.ceil(ends.lower), math.floor(ends.upper), what, reading)
    return (padded(listed, _may_be_null(narrow)),)


def _exact(ends: Bounds | None) -> bool:
    return ends is not None and known(ends) and max(abs(ends.lower), abs(ends.upper)) <= LARGEST


def _between(ends: Bounds) -> int:
    return max(0, math.floor(ends.upper) - math.ceil(ends.lower) + 1)


def _combined(expr: Expr) -> int | None:
    """Count the combinations of the values of the integer columns that a call reads; None if it reads others."""
    columns = fields_of(expr)
    if not all(f.type is SqlType.BIGINT and _exact(f.bounds) for f in columns):
        return None
    return math.prod(_between(f.bounds) + f.nullable for f in set(columns) if f.bounds is not None)


def _of_columns(expr: Expr, reading: Reading) -> tuple[PublicList, ...]:
    """List the values of each integer column that a call reads; the keys are computed from their combinations."""
    lists: list[PublicList] = []
    for f in dict.fromkeys(fields_of(expr)):
        ends = f.bounds or UNKNOWN
        what = f"the bounds of {plain_text(Ref(f))}"
        lower, upper = math.ceil(ends.lower), math.floor(ends.upper)
        listed = of_whole_numbers(Ref(f), lower, upper, what, reading)
        lists.append(padded(listed, f.nullable))
    return tuple(lists)


def _computed_exactly(expr: Expr) -> bool:
    """Return whether all integer ranges in an expression are exact in DOUBLE."""
    if expr.type is SqlType.BIGINT:
        ends = range_of(expr)
        if any(LARGEST < abs(end) < math.inf for end in (ends.lower, ends.upper)):
            return False
    return all(map(_computed_exactly, children(expr)))


def _may_be_null(expr: Expr) -> bool:
    """Return whether a call can be NULL on values within their bounds; a range that fits cannot overflow."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(map(_may_be_null, case_values(expr)))
    if expr.name in FIRST_THAT_IS:
        return all(map(_may_be_null, expr.arguments))
    partial = function(expr.function).partial is Partial.VALUE and not _always_fits(expr)
    return partial or any(map(_may_be_null, expr.arguments))


def _always_fits(expr: Call) -> bool:
    if expr.name in {"//", "%"}:
        divisor = range_of(expr.arguments[1])
        return not divisor.lower <= 0 <= divisor.upper
    if expr.name == "<<" and range_of(expr.arguments[0]).lower < 0:
        return False
    lowest, largest = NARROW.get(expr.name.removeprefix("to_").upper(), (-LARGEST, LARGEST))
    ends = range_of(expr)
    only_then = expr.name in _NULL_WHERE_TOO_LARGE or expr.name.startswith("to_")
    return only_then and lowest <= ends.lower and ends.upper <= largest
