"""Synthetic rows: SQL that generates private tables from declarations and public tables alone.

lists    the values of public columns to draw from, as SQL variables
rows     numbered rows, each of one synthetic person
columns  one value per column, of its declared type, domain, bounds or dates
joined   the public columns that the catalog looks up

Every draw is a pure function of (row, table, column), by integer hashing: a catalog always generates the same rows.
Draws are skewed: a few persons have many rows and a few keys are common, as in real mobility data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

from dialect.algebra import Literal
from dialect.catalog import (
    Catalog,
    Column,
    ColumnValues,
    SqlType,
    Table,
    ValueList,
    ValueRange,
    WindowRange,
    next_window_start,
)
from dialect.functions import quote_identifier, quote_literal
from engine.catalog.columns import DATED_TYPES
from engine.data.snapshot import single_key_name

NULL_FREQUENCY = 10  # one nullable value in so many is NULL, one person in so many has no consent
DEFAULT_DATES = ValueRange("2026-01-01", "2026-01-31")  # default where the catalog declares no dates
MINUTES_APART = 20  # between the timestamps of one row, in declaration order
EXCLUDED_STATE = "made-up refusal"

MACROS = """
fold_1(x) AS xor(x, x >> 16)
fold_2(x) AS (x * 2146121005::UBIGINT) & 4294967295::UBIGINT
fold_3(x) AS xor(x, x >> 15)
fold_4(x) AS (x * 2221713035::UBIGINT) & 4294967295::UBIGINT
first_draw(r, salt) AS (r::UBIGINT * 2654435761::UBIGINT + salt::UBIGINT * 3266489917::UBIGINT) & 4294967295::UBIGINT
draw(r, salt) AS fold_1(fold_4(fold_3(fold_2(fold_1(first_draw(r, salt))))))
part(d) AS (d::DOUBLE + 0.5) / 4294967296.0
pick(d, n) AS CAST(floor(part(d) * part(d) * n) AS BIGINT)
syllable(i) AS ['ba','ce','di','fo','gu','ha','je','ki','lo','mu','na','pe','ri','so','tu','va'][1 + i]
word(d) AS syllable(pick(d, 256) // 16) || syllable(pick(d, 256) % 16)
""".strip().split("\n")  # part: in (0, 1); pick: 0 to n - 1, small numbers more often


@dataclass(frozen=True)
class ValueContext:
    """The declarations that determine the values of one column."""

    table: Table
    column: Column
    is_drawn: bool  # from a public column's values, in an SQL variable
    admitted: tuple[str | bool, ...]  # consent states that admit a person; () for other columns
    dates: ValueRange
    times_before: int  # number of time columns declared before this one


def create_macros() -> tuple[str, ...]:
    """Return the SQL macros that all generated values use."""
    return tuple(f"CREATE TEMP MACRO {macro}" for macro in MACROS)


def draw(table: Table, column: Column | None, purpose: str = "value") -> str:
    """Write a 32-bit random integer per row; without a column, all columns of a row share the draw."""
    what = f"{table.name}.{'' if column is None else column.name}.{purpose}"
    return f"draw(r, {crc32(what.encode())})"


def list_variable(table: Table, column: Column) -> str:
    """Return the SQL variable that contains the public values of a column."""
    return f"list_{table.name}_{column.name}"


def write_identifier(column: Column, number: str) -> str:
    """Write the identifier of a numbered person or row; equal numbers give equal identifiers in every table."""
    written_as = f"'id-' || ({number})" if column.type is SqlType.VARCHAR else f"({number})"
    return f"TRY_CAST({written_as} AS {column.stored_type})"


def write_value(place: ValueContext) -> str:
    """Write a column's value, NULL in one of NULL_FREQUENCY rows if the column is nullable."""
    value = f"TRY_CAST({_value(place)} AS {place.column.stored_type})"
    if not place.column.nullable or place.admitted:
        return value
    return f"CASE WHEN {draw(place.table, place.column, 'null')} % {NULL_FREQUENCY} <> 0 THEN {value} END"


def _value(place: ValueContext) -> str:
    """Write a column's value from the most specific declaration: public list, consent, cell, domain, type."""
    d, column = draw(place.table, place.column), place.column
    if place.is_drawn:
        values = f"getvariable('{list_variable(place.table, column)}')"
        return f"{values}[1 + pick({d}, len({values}))]"
    if place.admitted:
        return _consent_state(place, d)
    if column.cell is not None:
        return _cell(column, column.cell.resolution, d)
    if isinstance(column.domain, ValueList):
        values = ", ".join(quote_literal(Literal(value, column.type)) for value in column.domain.values)
        return f"[{values}][1 + pick({d}, {len(column.domain.values)})]"
    if column.type in DATED_TYPES:
        return _date(place) if column.type is SqlType.DATE else _time(place)
    return _number(column, d) if column.type in (SqlType.BIGINT, SqlType.DOUBLE) else _plain_value(column.type, d)


def _cell(column: Column, resolution: int, d: str) -> str:
    """Write a random H3 cell: the centre of one of the 122 base cells, at the column's resolution."""
    lowest, beyond = (128 + resolution) << 52, (1 << (45 - 3 * resolution)) - 1
    index = f"({lowest} + (pick({d}, 122) << 45) + {beyond})"
    return f"lower(to_hex({index}))" if column.type is SqlType.VARCHAR else index


def _consent_state(place: ValueContext, d: str) -> str:
    """Write a state of consent; in one of NULL_FREQUENCY rows it does not admit."""
    boolean = place.column.type is SqlType.BOOLEAN
    kind = SqlType.BOOLEAN if boolean else SqlType.VARCHAR
    states = ", ".join(quote_literal(Literal(state, kind)) for state in place.admitted)
    refusal = quote_literal(Literal(True not in place.admitted if boolean else EXCLUDED_STATE, kind))
    if boolean and len(place.admitted) == 2:
        refusal = "NULL"
    return (
        f"CASE WHEN {d} % {NULL_FREQUENCY} = 0 THEN {refusal} ELSE [{states}][1 + pick({d}, {len(place.admitted)})] END"
    )


def _number(column: Column, d: str) -> str:
    """Write a number within the column's range or bounds; small doubles are more frequent."""
    lower, upper = 0.0, 100.0
    if isinstance(column.domain, ValueRange):
        lower, upper = float(column.domain.lower), float(column.domain.upper)
    elif column.bounds is not None:
        lower, upper = column.bounds.lower, column.bounds.upper
    if column.type is SqlType.DOUBLE:
        return f"{lower!r}::DOUBLE + part({d}) * part({d}) * {upper - lower!r}::DOUBLE"
    first, last = math.ceil(lower), math.floor(upper)
    return f"{first}::HUGEINT + CAST(floor(part({d}) * {last - first + 1}::DOUBLE) AS HUGEINT)"


def _date(place: ValueContext) -> str:
    """Write a date; columns of one table with the same range share it in a row."""
    first, last = (date.fromisoformat(str(end)) for end in (place.dates.lower, place.dates.upper))
    when = draw(place.table, None, "date")
    return f"CAST('{first}' AS DATE) + CAST(floor(part({when}) * {(last - first).days + 1}) AS INTEGER)"


def _time(place: ValueContext) -> str:
    """Write a timestamp in the column's time zone; columns declared later get later times."""
    seconds = f"CAST(floor(part({draw(place.table, None, 'clock')}) * 86400) AS BIGINT)"
    moment = f"CAST({_date(place)} AS TIMESTAMP) + to_seconds({seconds} + {place.times_before * MINUTES_APART * 60})"
    moment = f"least({moment}, TIMESTAMP '{place.dates.upper} 23:59:59')"
    column = place.column
    zone = quote_literal(Literal(column.time_zone or "UTC", SqlType.VARCHAR))
    if column.type is SqlType.TIMESTAMPTZ:
        return f"timezone({zone}, {moment})"
    return f"timezone('UTC', timezone({zone}, {moment}))" if column.stored_utc else moment


def _plain_value(kind: SqlType, d: str) -> str:
    """Write a value of a type without domain: boolean, time of day, list or text."""
    forms = {
        SqlType.BOOLEAN: f"{d} % 2 = 0",
        SqlType.TIME: f"CAST(TIMESTAMP '2000-01-01' + to_seconds(CAST(floor(part({d}) * 86400) AS BIGINT)) AS TIME)",
        SqlType.VARCHAR_LIST: f"[word({d}), word({d} + 1), word({d} + 2)][1 : 1 + {d} % 3]",
        SqlType.BIGINT_LIST: f"[pick({d}, 100), {d} % 100][1 : 1 + {d} % 2]",
    }
    return forms.get(kind, f"word({d})")


PERSONS = 3_000
ROWS_PER_PERSON = 20  # on average
# small integer types -> number of distinct keys
MAX_KEYS_BY_TYPE = {"TINYINT": 127, "UTINYINT": 255, "SMALLINT": 32_767}
MAX_LIST_LENGTH = 10_000  # maximum number of public values to draw from


def synthetic_statements(catalog: Catalog) -> Iterator[str]:
    """Yield the SQL statements that generate every private table; the public tables must exist already."""
    yield from create_macros()
    for table in (table for table in catalog.tables if table.private):
        for column in table.columns:
            source = _source_column(catalog, table, column)
            if source is not None:
                values = f"SELECT DISTINCT {quote_identifier(source.column)} AS v FROM {quote_identifier(source.table)}"
                values = f"SELECT v FROM ({values}) AS d WHERE v IS NOT NULL ORDER BY v LIMIT {MAX_LIST_LENGTH}"
                yield f"SET VARIABLE {list_variable(table, column)} = (SELECT list(v ORDER BY v) FROM ({values}) AS l)"
        yield f"CREATE TABLE {quote_identifier(table.name)} AS {_table_select(catalog, table)}"


def row_count(catalog: Catalog, table: Table) -> int:
    """Return the number of synthetic rows of a private table."""
    if table.person is not None and table.primary_key == (table.person.column,):
        return _person_count(catalog)
    rows = _person_count(catalog) * min(ROWS_PER_PERSON, table.max_rows_per_person or ROWS_PER_PERSON)
    numbered = table.primary_key if len(table.primary_key) == 1 else ()
    return min([rows, *(_max_keys(table, key) for key in numbered)])


def _person_count(catalog: Catalog) -> int:
    """Return the number of synthetic persons, limited by the smallest person key type."""
    own = [t for t in catalog.tables if t.person is not None and not t.person.through]
    return min([PERSONS, *(_max_keys(t, t.person.column) for t in own if t.person is not None)])


def _max_keys(table: Table, column_name: str) -> int:
    """Return the number of distinct values that a column's integer type allows."""
    column = table.columns_by_name.get(column_name)
    return PERSONS * ROWS_PER_PERSON if column is None else MAX_KEYS_BY_TYPE.get(column.stored_type.upper(), 2**31)


def _table_select(catalog: Catalog, table: Table) -> str:
    """Write the SELECT that generates the rows of a table, with lookup columns joined and in sort order."""
    looked_up = {
        join.column: f"j{i}.{quote_identifier(join.source_column)}" for i, join in enumerate(table.source.joins)
    }
    joins = "".join(
        f" LEFT JOIN {quote_identifier(join.table)} AS j{i} ON b.{quote_identifier(join.join_column)} ="
        f" j{i}.{quote_identifier(single_key_name(catalog, join.table))}"
        for i, join in enumerate(table.source.joins)
    )
    generated = [column for column in table.columns if column.name not in looked_up]
    columns = ", ".join(
        f"{_column_value(catalog, table, column)} AS {quote_identifier(column.name)}" for column in generated
    )
    rows = f"SELECT {columns} FROM range(1, {row_count(catalog, table) + 1}) AS t(r)"
    shown = ", ".join(
        f"{looked_up.get(c.name, f'b.{quote_identifier(c.name)}')} AS {quote_identifier(c.name)}" for c in table.columns
    )
    order = f" ORDER BY {', '.join(map(quote_identifier, table.sorted_by))}" if table.sorted_by else ""
    return f"SELECT {shown} FROM ({rows}) AS b{joins}{order}"


def _column_value(catalog: Catalog, table: Table, column: Column) -> str:
    """Write the SQL of one column: a key number as an identifier, or a drawn value."""
    number = _key_number(catalog, table, column)
    if number is not None:
        return write_identifier(column, number)
    return write_value(_value_context(catalog, table, column))


def _key_number(catalog: Catalog, table: Table, column: Column) -> str | None:
    """Write the number behind a key: the row number of a primary key, a random draw for a person or foreign key."""
    if table.primary_key == (column.name,):
        return "r"
    if table.person is None:
        return None
    targets = dict(table.person.through)
    if column.name in targets:
        target = catalog.tables_by_name.get(targets[column.name])
        assert target is not None  # noqa: S101  the catalog was checked
        return f"1 + pick({draw(table, column)}, {row_count(catalog, target)})"
    if column.name == table.person.column and not targets:
        return f"1 + pick({draw(table, column)}, {_person_count(catalog)})"
    return None


def _value_context(catalog: Catalog, table: Table, column: Column) -> ValueContext:
    """Collect what determines a column's values: domain, consent states, date range, order among times."""
    drawn = _source_column(catalog, table, column) is not None
    states = table.consent.eligible_values if table.consent is not None and table.consent.column == column.name else ()
    times = [c.name for c in table.columns if c.type in DATED_TYPES]
    later = times.index(column.name) if column.name in times else 0
    return ValueContext(table, column, drawn, states, _date_range(catalog, table, column), later)


def _source_column(catalog: Catalog, table: Table, column: Column) -> ColumnValues | None:
    """Return the public column to draw values from: the declared domain, or the key of a lookup; None otherwise."""
    if isinstance(column.domain, ColumnValues):
        return column.domain
    join = next((join for join in table.source.joins if join.join_column == column.name), None)
    return None if join is None else ColumnValues(join.table, single_key_name(catalog, join.table))


def _date_range(catalog: Catalog, table: Table, column: Column) -> ValueRange:
    """Return the date range of a column: its own, else one declared in the table, else in the catalog.

    The time and date columns of a table stay within the declared privacy windows.
    """
    stretch = catalog.datasets_by_name[table.dataset].window_range
    if stretch is not None and column.name in (table.time_column, table.date_column):
        return _window_dates(stretch, (c for c in table.columns if c.name in (table.time_column, table.date_column)))
    columns = (column, *table.columns, *(c for t in catalog.tables for c in t.columns))
    domains = (c.domain for c in columns if c.type in DATED_TYPES and isinstance(c.domain, ValueRange))
    return next(domains, DEFAULT_DATES)


def _window_dates(stretch: WindowRange, columns: Iterable[Column]) -> ValueRange:
    """Return the dates of the declared privacy windows, intersected with the given columns' ranges."""
    last = next_window_start(stretch.window, stretch.last) - timedelta(days=1)
    domains = [c.domain for c in columns if isinstance(c.domain, ValueRange)]
    lower = max([stretch.first.isoformat(), *(str(each.lower) for each in domains)])
    upper = min([last.isoformat(), *(str(each.upper) for each in domains)])
    return ValueRange(lower, max(lower, upper))
