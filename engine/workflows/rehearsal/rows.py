"""Synthetic rows: SQL that generates private tables from declarations and public tables alone.

lists    the values of public columns to draw from, as SQL variables
rows     numbered rows, each of one synthetic person
columns  one value per column: engine/workflows/rehearsal/values.py
joined   the public columns that the catalog looks up
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from dialect.catalog import Catalog, Column, ColumnValues, Table, ValueRange, WindowRange, next_window_start
from dialect.functions import quote_identifier
from engine.catalog.columns import DATED_TYPES
from engine.data.snapshot import single_key_name
from engine.workflows.rehearsal.values import (
    DEFAULT_DATES,
    ValueContext,
    create_macros,
    draw,
    list_variable,
    write_identifier,
    write_value,
)

PERSONS = 3_000
ROWS_PER_PERSON = 20  # on average
MAX_KEYS_BY_TYPE = {
    "TINYINT": 127,
    "UTINYINT": 255,
    "SMALLINT": 32_767,
}  # small integer types -> number of distinct keys
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
