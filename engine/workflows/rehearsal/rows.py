"""Synthetic rows: SQL that generates private tables from declarations and public tables alone.

lists    the values of public columns to draw from, as SQL variables
rows     numbered rows, each of one synthetic person
columns  one value per column: engine/workflows/rehearsal/values.py
joined   the public columns that the catalog looks up
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from dialect.catalog import Catalog, Column, ColumnOf, Stretch, Table, ValueRange, next_begin
from dialect.functions import name
from engine.catalog.columns import DATED
from engine.data.snapshot import only_key
from engine.workflows.rehearsal.values import DATES, Place, draw, identity, macros, variable, written

PERSONS = 3_000
ROWS_PER_PERSON = 20  # on average
NUMBERED = {"TINYINT": 127, "UTINYINT": 255, "SMALLINT": 32_767}  # small integer types -> number of distinct keys
LONGEST_LIST = 10_000  # maximum number of public values to draw from


def made_up(catalog: Catalog) -> Iterator[str]:
    """Yield the SQL statements that generate every private table; the public tables must exist already."""
    yield from macros()
    for table in (table for table in catalog.tables if table.private):
        for column in table.columns:
            source = _drawn_from(catalog, table, column)
            if source is not None:
                values = f"SELECT DISTINCT {name(source.column)} AS v FROM {name(source.table)}"
                values = f"SELECT v FROM ({values}) AS d WHERE v IS NOT NULL ORDER BY v LIMIT {LONGEST_LIST}"
                yield f"SET VARIABLE {variable(table, column)} = (SELECT list(v ORDER BY v) FROM ({values}) AS l)"
        yield f"CREATE TABLE {name(table.name)} AS {_rows(catalog, table)}"


def row_count(catalog: Catalog, table: Table) -> int:
    """Return the number of synthetic rows of a private table."""
    if table.person is not None and table.primary_key == (table.person.column,):
        return _person_count(catalog)
    rows = _person_count(catalog) * min(ROWS_PER_PERSON, table.max_rows_per_person or ROWS_PER_PERSON)
    numbered = table.primary_key if len(table.primary_key) == 1 else ()
    return min([rows, *(_numbered(table, key) for key in numbered)])


def _person_count(catalog: Catalog) -> int:
    """Return the number of synthetic persons, limited by the smallest person key type."""
    own = [t for t in catalog.tables if t.person is not None and not t.person.through]
    return min([PERSONS, *(_numbered(t, t.person.column) for t in own if t.person is not None)])


def _numbered(table: Table, column_name: str) -> int:
    """Return the number of distinct values that a column's integer type allows."""
    column = table.column(column_name)
    return PERSONS * ROWS_PER_PERSON if column is None else NUMBERED.get(column.stored_type.upper(), 2**31)


def _rows(catalog: Catalog, table: Table) -> str:
    """Write the SELECT that generates the rows of a table, with lookup columns joined and in sort order."""
    looked_up = {join.column: f"j{i}.{name(join.take)}" for i, join in enumerate(table.source.joins)}
    joins = "".join(
        f" LEFT JOIN {name(join.table)} AS j{i} ON b.{name(join.on)} = j{i}.{name(only_key(catalog, join.table))}"
        for i, join in enumerate(table.source.joins)
    )
    made = [column for column in table.columns if column.name not in looked_up]
    columns = ", ".join(f"{_value(catalog, table, column)} AS {name(column.name)}" for column in made)
    rows = f"SELECT {columns} FROM range(1, {row_count(catalog, table) + 1}) AS t(r)"
    shown = ", ".join(f"{looked_up.get(c.name, f'b.{name(c.name)}')} AS {name(c.name)}" for c in table.columns)
    order = f" ORDER BY {', '.join(map(name, table.sorted_by))}" if table.sorted_by else ""
    return f"SELECT {shown} FROM ({rows}) AS b{joins}{order}"


def _value(catalog: Catalog, table: Table, column: Column) -> str:
    """Write the SQL of one column: a key number as an identifier, or a drawn value."""
    number = _number(catalog, table, column)
    if number is not None:
        return identity(column, number)
    return written(_place(catalog, table, column))


def _number(catalog: Catalog, table: Table, column: Column) -> str | None:
    """Write the number behind a key: the row number of a primary key, a random draw for a person or foreign key."""
    if table.primary_key == (column.name,):
        return "r"
    if table.person is None:
        return None
    targets = dict(table.person.through)
    if column.name in targets:
        target = catalog.table(targets[column.name])
        assert target is not None  # noqa: S101  the catalog was checked
        return f"1 + pick({draw(table, column)}, {row_count(catalog, target)})"
    if column.name == table.person.column and not targets:
        return f"1 + pick({draw(table, column)}, {_person_count(catalog)})"
    return None


def _place(catalog: Catalog, table: Table, column: Column) -> Place:
    """Collect what determines a column's values: domain, consent states, date range, order among times."""
    drawn = _drawn_from(catalog, table, column) is not None
    states = table.consent.admitted if table.consent is not None and table.consent.column == column.name else ()
    times = [c.name for c in table.columns if c.type in DATED]
    later = times.index(column.name) if column.name in times else 0
    return Place(table, column, drawn, states, _dates(catalog, table, column), later)


def _drawn_from(catalog: Catalog, table: Table, column: Column) -> ColumnOf | None:
    """Return the public column to draw values from: the declared domain, or the key of a lookup; None otherwise."""
    if isinstance(column.domain, ColumnOf):
        return column.domain
    join = next((join for join in table.source.joins if join.on == column.name), None)
    return None if join is None else ColumnOf(join.table, only_key(catalog, join.table))


def _dates(catalog: Catalog, table: Table, column: Column) -> ValueRange:
    """Return the date range of a column: its own, else one declared in the table, else in the catalog.

    The time and date columns of a table stay within the declared privacy windows.
    """
    stretch = catalog.dataset(table.dataset).stretch
    if stretch is not None and column.name in (table.time_column, table.date_column):
        return _within(stretch, (c for c in table.columns if c.name in (table.time_column, table.date_column)))
    columns = (column, *table.columns, *(c for t in catalog.tables for c in t.columns))
    domains = (c.domain for c in columns if c.type in DATED and isinstance(c.domain, ValueRange))
    return next(domains, DATES)


def _within(stretch: Stretch, columns: Iterable[Column]) -> ValueRange:
    """Return the dates of the declared privacy windows, intersected with the given columns' ranges."""
    last = next_begin(stretch.window, stretch.last) - timedelta(days=1)
    domains = [c.domain for c in columns if isinstance(c.domain, ValueRange)]
    lower = max([stretch.first.isoformat(), *(str(each.lower) for each in domains)])
    upper = min([last.isoformat(), *(str(each.upper) for each in domains)])
    return ValueRange(lower, max(lower, upper))
