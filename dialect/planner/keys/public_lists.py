"""Public lists: relations without private data that hold every value which an expression can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dialect.algebra.expressions import Call, Expr, Field, Literal, Origin, Ref
from dialect.algebra.private_plan import KeySource
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Padded,
    Project,
    Public,
    Scan,
    Series,
    Values,
    public_list,
    with_null_row,
)
from dialect.analysis.facts import between, dates_of
from dialect.analysis.time_steps import bucketed, count_steps, truncated
from dialect.catalog.catalog import ColumnOf, SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment, text_of
from dialect.functions.literals import stored_literal
from dialect.parser.context import Reading

ONE_DAY = "1 day"


@dataclass(frozen=True)
class PublicList:
    """A public list of values that stands for a sub-expression of the keys."""

    stands_for: tuple[tuple[Expr, Expr], ...]  # what is replaced -> reference into the relation
    source: KeySource
    size: int | None = None  # how many values, where that is known before anything runs
    optional: bool = False  # keys may as well be private, where there would be too many


def of_public(expr: Ref) -> PublicList | None:
    """Use the public relation that a field was joined from; its fields keep their combinations."""
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
    """Use values given one by one."""
    made = Field(reading.fresh(), None, expr.type, nullable=any(value.value is None for value in values))
    relation = Public(Values(tuple((value,) for value in values), (made,)), (made,))
    return PublicList(((expr, Ref(made)),), KeySource(relation, what, closed), len(values))


def literals(values: Sequence[object], kind: SqlType) -> tuple[Literal, ...]:
    """Make constants of one type, each once."""
    return tuple(dict.fromkeys(stored_literal(value, kind) for value in values))


def of_ends(expr: Expr, lower: Literal, upper: Literal, what: str, reading: Reading, closed: bool = True) -> PublicList:
    """Use all integers, or all dates, between two ends."""
    if expr.type is SqlType.BIGINT:
        size = max(0, int(upper.value or 0) - int(lower.value or 0) + 1)
        return _series(expr, lower, upper, "1", size, what, reading, closed)
    first, last = (datetime.fromisoformat(str(end.value)[:10]) for end in (lower, upper))
    return of_times(expr, first, last, ONE_DAY, what, reading, closed)


def of_whole_numbers(expr: Expr, lower: int, upper: int, what: str, reading: Reading) -> PublicList:
    """Use all whole numbers between two ends that rows may break, in the expression's own type."""
    ends = Literal(lower, SqlType.BIGINT), Literal(upper, SqlType.BIGINT)
    listed = _series(expr, *ends, "1", max(0, upper - lower + 1), what, reading, closed=False)
    return replace(listed, optional=True)


def of_times(
    expr: Expr, first: datetime, last: datetime, step: str, what: str, reading: Reading, closed: bool = True
) -> PublicList:
    """Use all steps of time from the first to the last."""
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
    """Use the domain that the steward declared for a private column; NULL is in it where the column allows it."""
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
    """List the values of a public column, each once."""
    table = reading.catalog.table(domain.table)
    column = table.column(domain.column) if table is not None else None
    assert table is not None and column is not None  # noqa: S101  the catalog reader checks both
    wanted = Field(reading.fresh(), None, column.type, column.nullable, origin=Origin(table.name, column.name))
    return Public(Distinct(Public(Scan(table, (wanted,)), (wanted,)), (wanted,)), (wanted,))


def padded(found: PublicList, with_null: bool) -> PublicList:
    """Add NULL to a list of one column."""
    if not with_null:
        return found
    relation = with_null_row(found.source.relation)
    ((expr, _),) = found.stands_for
    size = None if found.size is None else found.size + 1
    source = replace(found.source, relation=relation)
    return replace(found, stands_for=((expr, Ref(relation.fields[0])),), source=source, size=size)


def of_time_steps(expr: Call, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """Use all units of time between ends that the question or the catalog says."""
    place = expr.arguments[-1]
    ends = between(place, facts) or _declared_days(place, facts)
    if ends is None:
        return None
    closed = between(place, facts) is not None
    try:
        found = _between_times(expr, moment(str(ends[0].value)), moment(str(ends[1].value)), closed, reading)
    except OverflowError:  # outside of the years that Python can say
        return None
    own = _own(place)
    return padded(found, not closed and own is not None and own.nullable)


def of_images(expr: Call, unit: str, facts: Sequence[Expr], reading: Reading) -> PublicList | None:
    """Use what a function gives on each unit of time between known ends, having one value on each of them."""
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
    except OverflowError:  # outside of the years that Python can say
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
    """Find the first and last moment of the days that a declared range names: of a column, or of its date."""
    dates = (day for day, time in dates_of(facts) if time == place)
    own = next((f for f in (_own(place), *dates) if f is not None and isinstance(f.domain, ValueRange)), None)
    if own is None or not isinstance(own.domain, ValueRange) or own.type is SqlType.BIGINT:
        return None
    days = own.domain
    last = str(days.upper) if own.type is SqlType.DATE else f"{days.upper} 23:59:59.999999"
    return stored_literal(days.lower, SqlType.TIMESTAMP), stored_literal(last, SqlType.TIMESTAMP)


def _own(place: Expr) -> Field | None:
    """Find the column that a time is, as it is stored or on the clock of its zone."""
    own = place.arguments[0] if isinstance(place, Call) and place.name == "wall" else place
    return own.field if isinstance(own, Ref) else None
