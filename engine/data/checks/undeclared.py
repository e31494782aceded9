"""Hints on an accepted catalog: what its columns suggest and nothing declares. Names and types are read, no data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.catalog import Catalog, Column, SqlType, Table
from engine.data.checks.person_names import names_people, row_name
from engine.data.files.text_types import TIME_LIKE

_CONSENT = re.compile(
    r"consent|opt_?in|opt_?out|objected|objection|permission|agree|einwillig|zustimm|widerspr", re.IGNORECASE
)
_NAMES = frozenset({SqlType.BIGINT, SqlType.VARCHAR})
_NUMBERS = frozenset({SqlType.BIGINT, SqlType.DOUBLE})
LARGEST_USUAL_RHO = 1  # that of the bundled operator, whose people are made up
_TIMES = frozenset({SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE})


def undeclared_hints(catalog: Catalog) -> tuple[str, ...]:
    """List what a steward may have overlooked, the gravest first."""
    private = [table for table in catalog.tables if table.private]
    kinds = (_other_people, _consent, _primary_key, _key_sets, _bounds, _times, _missing_keys)
    hints = tuple(hint for hints in kinds for table in private for hint in hints(table, catalog))
    return (*_people_in_public_tables(catalog), *_budgets(catalog), *_public_keys(catalog), *hints)


def _budgets(catalog: Catalog) -> Iterator[str]:
    """Yield a dataset whose ceiling limits next to nothing: somebody may become 99.99% sure of a person."""
    for dataset in catalog.datasets:
        if dataset.budget.rho > LARGEST_USUAL_RHO:
            yield (
                f"{dataset.name}: budget.rho = {float(dataset.budget.rho):g} is no meaningful limit for people, and is"
                " fixed at the first question. Real data should get at most 0.2 (docs/budget.md)."
            )


def _people_in_public_tables(catalog: Catalog) -> Iterator[str]:
    """Yield a public table whose key is named like a person: all of its rows can be read."""
    for table in catalog.tables:
        if not table.private and any(map(names_people, table.primary_key)):
            yield (
                f"{table.name} is public, so all of its rows can be read, and its key {', '.join(table.primary_key)}"
                ' may name people. Then kind = "private" is right, or leave the table out.'
            )


def _public_keys(catalog: Catalog) -> Iterator[str]:
    """Yield public tables without a primary key whose rows a private table's column may refer to."""
    open_columns = [(table.name, each) for table in catalog.tables if table.private for each in _open_columns(table)]
    for table in catalog.tables:
        if table.private or table.primary_key:
            continue
        similar = [
            (key, f"{t}.{own.name}") for key in table.columns for t, own in open_columns if _is_named_after(own, key)
        ]
        if similar:
            key, own = similar[0]
            yield (
                f"{table.name}: no primary_key. Where no two rows have the same {key.name},"
                f' primary_key = ["{key.name}"] lets it be joined, and {own} be a key whose groups are all shown.'
            )


def _is_named_after(column: Column, key: Column) -> bool:
    """Return whether a column is named like the key of a public table, also as in pickup_zone, and has its type."""
    name, row = row_name(column.name), row_name(key.name)
    return key.type is column.type and not names_people(key.name) and (name == row or name.endswith(f"_{row}"))


def _other_people(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield columns that may name somebody else than the person, and another table's person of another name."""
    if table.person is None:
        return
    person = table.person.column
    for column in _visible(table):
        if column.domain is None and column.type in _NAMES and names_people(column.name):
            yield (
                f"{table.name}.{column.name} may name other people than {person}, and {person} alone is protected: the"
                f" others can be grouped by and singled out. Leave {column.name} out, or declare visible = false."
            )
    first = next(each for each in catalog.tables if each.person and each.dataset == table.dataset)
    if first.person and row_name(first.person.column) != row_name(person):
        yield (
            f"{table.name}: who has the same value in {person} as in {first.person.column} of {first.name} is one"
            " person. Where these are different people, as drivers and passengers, make them datasets of their own."
        )


def _consent(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield a column named like consent, in a dataset that declares none: people who refused are counted."""
    declared = any(each.consent is not None for each in catalog.tables if each.dataset == table.dataset)
    for column in () if declared else _visible(table):
        if _CONSENT.search(column.name):
            yield (
                f"{table.name}.{column.name} may be people's consent, and none is declared: all are counted, also who"
                f' refused. Cure: consent = {{ column = "{column.name}", admitted = [...] }} in [tables.{table.name}].'
            )


def _primary_key(table: Table, _: Catalog) -> Iterator[str]:
    """Yield a table without a primary key and a time of its rows: nothing declares whether a person has one row."""
    if table.person is None or table.person.through or table.primary_key or table.time_column:
        return
    key = f'primary_key = ["{table.person.column}"]'
    yield (
        f"{table.name}: no primary_key. Where a person has one row, {key} makes counts of it as exact as those of"
        " people, and lets other tables be joined with it."
    )


def _key_sets(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield a column named like a public table's key, without a key set: small groups are hidden, for a delta."""
    for column in _open_columns(table):
        if (source := _public_key(column, catalog)) is not None:
            yield f'{table.name}.{column.name}: values_of = "{source}" would show all groups, without a threshold.'


def _public_key(column: Column, catalog: Catalog) -> str | None:
    """Return the key of a public table after which a column is named, also as in pickup_zone; None if there is none."""
    keys = [
        (table.name, table.columns_by_name[table.primary_key[0]])
        for table in catalog.tables
        if not table.private and len(table.primary_key) == 1
    ]
    name = row_name(column.name)
    similar = [
        (key.name != column.name, row_name(key.name) != name, f"{table}.{key.name}")
        for table, key in keys
        if _is_named_after(column, key)
    ]
    return min(similar)[2] if similar else None


def _bounds(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield numbers without bounds, other than ids and those that are named like a public table's key."""
    numbers = [column for column in _open_columns(table) if column.type in _NUMBERS and _may_be_summed(column)]
    names = [column.name for column in numbers if _public_key(column, catalog) is None]
    if names:
        yield (
            f"{table.name}: no bounds of {', '.join(names)}. A column is summed or averaged only within bounds, as"
            ' bounds = [0, 100]; values beyond count as these ends. bounds = "measure" has passersby catalog calibrate'
            " find them."
        )


def _times(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield times without a range, if no time of the table has one: questions by day, week or month name their ends.

    Declared privacy windows are such ends of a table's time. Where no column is a time, yield texts that are named so.
    """
    texts = [c.name for c in _open_columns(table) if c.type is SqlType.VARCHAR and TIME_LIKE.search(c.name)]
    if texts and not any(column.type in _TIMES for column in table.columns):
        yield (
            f"{table.name}: no column is a time, and {', '.join(texts)} is text. TIMESTAMP reads 2026-10-17 09:30;"
            " passersby catalog convert stores other texts as times."
        )
    dataset = catalog.datasets_by_name.get(table.dataset or "")
    windowed = table.time_column is not None and dataset is not None and dataset.window_range is not None
    if windowed or any(column.domain is not None for column in table.columns if column.type in _TIMES):
        return
    timed = [column for column in _open_columns(table) if column.type in _TIMES]
    if timed:
        names = ", ".join(column.name for column in timed)
        days = 'range = ["2026-01-01", "2026-12-31"]'
        yield f"{table.name}: no range of {names}, as {days}. Questions by day have to name their ends."


def _missing_keys(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield the likely keys of a private table that may be NULL: those with a key set, and its time.

    Rows without a time lie in no declared privacy window.
    """
    dataset = catalog.datasets_by_name.get(table.dataset or "")
    has_times = dataset is not None and dataset.window_range is not None
    names = [
        column.name
        for column in _visible(table)
        if column.nullable and (column.domain is not None or column.name == table.time_column)
        if column.name != table.time_column or not has_times
    ]
    if names:
        yield (
            f"{table.name}: {', '.join(names)} may be NULL, and answers by {'it' if len(names) == 1 else 'them'} have a"
            " group for that. nullable = false saves the group, where every row has a value."
        )


def _may_be_summed(column: Column) -> bool:
    """Return whether a number may be an amount: its bounds are not measured, and it is not named like an id."""
    return not column.measures_bounds and not column.name.endswith("id")


def _visible(table: Table) -> list[Column]:
    """Columns that analysts see, but the person's."""
    return [column for column in table.columns if column.visible and column.name not in _keys(table)]


def _open_columns(table: Table) -> list[Column]:
    """Visible columns that are neither key nor person, and have neither bounds nor a list or range of values."""
    return [column for column in _visible(table) if column.domain is None and column.bounds is None]


def _keys(table: Table) -> set[str]:
    """Columns that name a row or a person."""
    return {*table.primary_key, *((table.person.column,) if table.person else ())}
