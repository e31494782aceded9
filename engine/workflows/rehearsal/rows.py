"""catalog -> SQL that makes rows of people up, from declarations and public tables and nothing else.

lists    the values of public columns that are drawn from, as variables
rows     numbered rows, each of one made-up person
columns  one value a column: engine/workflows/rehearsal/values.py
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
NUMBERED = {"TINYINT": 127, "UTINYINT": 255, "SMALLINT": 32_767}  # how many rows the smallest types can tell apart
LONGEST_LIST = 10_000  # values of a public column that are drawn from


def made_up(catalog: Catalog) -> Iterator[str]:
    """Write the statements that make every private table beside public tables that are already there."""
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
    """Say how many rows a private table gets."""
    if table.person is not None and table.primary_key == (table.person.column,):
        return _person_count(catalog)
    rows = _person_count(catalog) * min(ROWS_PER_PERSON, table.max_rows_per_person or ROWS_PER_PERSON)
    numbered = table.primary_key if len(table.primary_key) == 1 else ()
    return min([rows, *(_numbered(table, key) for key in numbered)])


def _person_count(catalog: Catalog) -> int:
    own = [t for t in catalog.tables if t.person is not None and not t.person.through]
    return min([PERSONS, *(_numbered(t, t.person.column) for t in own if t.person is not None)])


def _numbered(table: Table, column_name: str) -> int:
    column = table.column(column_name)
    return PERSONS * ROWS_PER_PERSON if column is None else NUMBERED.get(column.stored_type.upper(), 2**31)


def _rows(catalog: Catalog, table: Table) -> str:
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
    number = _number(catalog, table, column)
    if number is not None:
        return identity(column, number)
    return written(_place(catalog, table, column))


def _number(catalog: Catalog, table: Table, column: Column) -> str | None:
    """Choose the number of what a column names: a row by its place; a person, a row of another table by a draw."""
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
    drawn = _drawn_from(catalog, table, column) is not None
    states = table.consent.admitted if table.consent is not None and table.consent.column == column.name else ()
    times = [c.name for c in table.columns if c.type in DATED]
    later = times.index(column.name) if column.name in times else 0
    return Place(table, column, drawn, states, _dates(catalog, table, column), later)


def _drawn_from(catalog: Catalog, table: Table, column: Column) -> ColumnOf | None:
    """Find the public column whose values are drawn: the declared domain, or the key that a look-up needs."""
    if isinstance(column.domain, ColumnOf):
        return column.domain
    join = next((join for join in table.source.joins if join.on == column.name), None)
    return None if join is None else ColumnOf(join.table, only_key(catalog, join.table))


def _dates(catalog: Catalog, table: Table, column: Column) -> ValueRange:
    """Find dates for a column: its own, else the first that its table declares, else the catalog.

    What says when a row happened lies in the declared windows.
    """
    stretch = catalog.dataset(table.dataset).stretch
    if stretch is not None and column.name in (table.time_column, table.date_column):
        return _within(stretch, (c for c in table.columns if c.name in (table.time_column, table.date_column)))
    columns = (column, *table.columns, *(c for t in catalog.tables for c in t.columns))
    domains = (c.domain for c in columns if c.type in DATED and isinstance(c.domain, ValueRange))
    return next(domains, DATES)


def _within(stretch: Stretch, columns: Iterable[Column]) -> ValueRange:
    """Find the dates of the declared windows that a time and its date both may have."""
    last = next_begin(stretch.window, stretch.last) - timedelta(days=1)
    domains = [c.domain for c in columns if isinstance(c.domain, ValueRange)]
    lower = max([stretch.first.isoformat(), *(str(each.lower) for each in domains)])
    upper = min([last.isoformat(), *(str(each.upper) for each in domains)])
    return ValueRange(lower, max(lower, upper))
