"""A declared table -> what no row of it may be, and the words that refuse it: the same of files and of a lake.

Privacy rests on it (`proofs.md#complete-lists`, `proofs.md#stored-rows`): whoever opens data asks all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialect.catalog.catalog import Catalog, Column, ColumnOf, Table
from dialect.catalog.engine_name import EngineName
from dialect.codegen.stored_column import stored_column
from engine.data.checks.complete_lists import rows_outside
from engine.data.checks.declared_dates import CURE, WHY, rests_on_date, rows_on_other_dates
from engine.errors import DataError

IS_VIEW = "it is a view, and its rows may depend on other people's."


@dataclass(frozen=True)
class Unfit:
    """Rows that a table must not have."""

    sql: str  # gives a row if there is one
    error: DataError  # says what is wrong, and nothing of a row
    public: ColumnOf | None = None  # the public list that the SQL reads beside the table


def unfit_rows(
    table: Table, catalog: Catalog, addresses: Mapping[str, str], engine: EngineName = EngineName.DUCKDB
) -> Iterator[Unfit]:
    """Walk what no row of a table may be: without a key or with another's, outside a complete list, on another date."""
    if is_enforced(table, catalog):
        why = f"its primary key ({', '.join(table.primary_key)}) is not unique or has NULLs."
        twice = DataError(table.name, why, "keep one row per key, or drop primary_key")
        yield from (Unfit(sql, twice) for sql in _not_one_row(table, addresses[table.name], engine))
    for column in (column for column in table.columns if column.complete):
        why = f"{column.name} is declared to be complete, and a row holds something that is not in its list."
        outside = DataError(table.name, why, "correct the list or the rows, or remove complete = true")
        public = column.domain if isinstance(column.domain, ColumnOf) else None
        yield Unfit(rows_outside(table, column, addresses, engine), outside, public)
    if rests_on_date(table, catalog):
        other = DataError(table.name, WHY.format(table.time_column), CURE)
        yield Unfit(rows_on_other_dates(table, addresses[table.name], engine), other)


def is_enforced(table: Table, catalog: Catalog) -> bool:
    """Tell whether anything rests on a primary key: of a public table, of a person, or by which rows find theirs."""
    found = {target for other in catalog.tables if other.person for _, target in other.person.through}
    of_person = table.person is not None and table.primary_key == (table.person.column,)
    return bool(table.primary_key) and (of_person or table.name in found or not table.private)


def stored_otherwise(table: Table, column: Column, kind: str) -> DataError:
    """Say that a column is stored as another type."""
    why = f"{column.name} is stored as {kind} and declared as {column.stored_type}."
    return DataError(table.name, why, "declare the stored type, or store the declared one")


def _not_one_row(table: Table, address: str, engine: EngineName) -> Iterator[str]:
    """Write the rows without a key, and those with the same one."""
    columns = [column for column in table.columns if column.name in table.primary_key]
    read = [stored_column(column, table, engine) for column in columns]  # as questions do: two stored values may be one
    yield f"SELECT 1 AS one FROM {address} WHERE {' OR '.join(f'{text} IS NULL' for text in read)} LIMIT 1"
    yield f"SELECT 1 AS one FROM {address} GROUP BY {', '.join(read)} HAVING count(*) > 1 LIMIT 1"
