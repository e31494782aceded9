"""Hints on an accepted catalog: what its columns suggest and nothing declares. Names and types are read, no data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.catalog import Catalog, Column, SqlType, Table

_CONSENT = re.compile(r"consent|opt_?in|opt_?out|objected|objection|permission|agree", re.IGNORECASE)
_TIME_LIKE = re.compile(r"time|date|stamp|zeit|datum|fecha|heure|(?:^|_)(?:ts|at|day|tag)$", re.IGNORECASE)
_NUMBERS = frozenset({SqlType.BIGINT, SqlType.DOUBLE})
_TIMES = frozenset({SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE})


def undeclared_hints(catalog: Catalog) -> tuple[str, ...]:
    """List what a steward may have overlooked, the gravest first: consent, keys, key sets, bounds, ranges of time."""
    private = [table for table in catalog.tables if table.private]
    kinds = (_consent, _primary_key, _key_sets, _bounds, _times)
    return tuple(hint for hints in kinds for table in private for hint in hints(table, catalog))


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
    """Yield a table without a primary key and without times: nothing declares whether a person has one row."""
    if (
        table.person is None
        or table.person.through
        or table.primary_key
        or any(column.type in _TIMES for column in table.columns)
    ):
        return
    key = f'primary_key = ["{table.person.column}"]'
    yield (
        f"{table.name}: no primary_key. Where a person has one row, {key} makes counts of it as exact as those of"
        " people, and lets other tables be joined with it."
    )


def _key_sets(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield a column named like a public table's key, without a key set: small groups are hidden, for a delta."""
    keys = {
        each.primary_key[0]: each.name for each in catalog.tables if not each.private and len(each.primary_key) == 1
    }
    for column in _open_columns(table):
        if column.name in keys:
            source = f"{keys[column.name]}.{column.name}"
            yield f'{table.name}.{column.name}: values_of = "{source}" would show all groups, without a threshold.'


def _bounds(table: Table, _: Catalog) -> Iterator[str]:
    """Yield numbers without bounds, other than those named like ids."""
    names = [column.name for column in _open_columns(table) if column.type in _NUMBERS and _may_be_summed(column)]
    if names:
        yield (
            f"{table.name}: no bounds of {', '.join(names)}. A column is summed or averaged only within bounds, as"
            " bounds = [0, 100]; values beyond count as these ends."
        )


def _times(table: Table, catalog: Catalog) -> Iterator[str]:
    """Yield times without a range, if no time of the table has one: questions by day, week or month name their ends.

    Declared privacy windows are such ends of a table's time. Where no column is a time, yield texts that are named so.
    """
    texts = [c.name for c in _open_columns(table) if c.type is SqlType.VARCHAR and _TIME_LIKE.search(c.name)]
    if texts and not any(column.type in _TIMES for column in table.columns):
        yield (
            f"{table.name}: no column is a time, and {', '.join(texts)} is text. TIMESTAMP reads 2026-10-17 09:30;"
            " docs/ingest.md, A table of CSV, tells how to store other texts as times."
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
