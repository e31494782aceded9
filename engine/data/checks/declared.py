"""Declared tables: the conditions that no stored row may meet, and their refusals; the same for files and for a lake.

Privacy rests on them (`engine/data/proofs.md#complete-lists`, `engine/data/proofs.md#stored-rows`): whoever opens data
checks all of them. Complete lists: SQL that finds a row that holds something else. Dates declared to be those of
times: SQL that finds a row on another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialect.algebra import Literal
from dialect.catalog import Catalog, Column, ColumnOf, EngineName, Table, Value, ValueList, ValueRange
from dialect.codegen import WORDS, Words, stored_column, stored_time
from engine.errors import DataError


def rows_outside(
    table: Table, column: Column, addresses: Mapping[str, str], engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write the rows in which a column holds a value outside its complete list, or a NULL that is not declared.

    Proof: engine/data/proofs.md#complete-lists
    """
    missing = "" if column.nullable else f" OR {stored_column(column, table, engine)} IS NULL"
    outside = is_outside(column, addresses, table, engine)
    return f"SELECT 1 FROM {addresses[table.name]} WHERE ({outside}){missing} LIMIT 1"


def is_outside(
    column: Column, addresses: Mapping[str, str], table: Table | None = None, engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write that a row holds a value outside a complete list."""
    stored, said = stored_column(column, table, engine), WORDS[engine]
    return f"{stored} IS NOT NULL AND NOT ({_listed(column, stored, addresses, said)})"


def _listed(column: Column, stored: str, addresses: Mapping[str, str], said: Words) -> str:
    domain = column.domain

    def quoted(value: Value) -> str:
        return said.emitter.quote(Literal(value, column.type))

    if isinstance(domain, ValueList):
        return f"{stored} IN ({', '.join(map(quoted, domain.values))})"
    if isinstance(domain, ValueRange):
        return f"{stored} BETWEEN {quoted(domain.lower)} AND {quoted(domain.upper)}"
    assert isinstance(domain, ColumnOf)  # noqa: S101  the catalog reader refuses complete without a domain
    return f"{stored} IN ({_public(domain, addresses, said)})"


def _public(domain: ColumnOf, addresses: Mapping[str, str], said: Words) -> str:
    """Write a public column without NULL, beside which no value would count as missing."""
    column = said.name(domain.column)
    return f"SELECT {column} FROM {addresses[domain.table]} WHERE {column} IS NOT NULL"


WHY = "a row is not on the date of its {}, or has none."
CURE = "correct the rows, or remove date_column"


def rests_on_date(table: Table, catalog: Catalog) -> bool:
    """Tell whether questions take a row's date for that of its time unasked: where windows are, each scan asks."""
    dated = table.private and table.date_column is not None and table.time_column is not None
    return dated and catalog.dataset(table.dataset).stretch is None


def is_on_other_date(table: Table, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write that a row is on another date than that of its time, or says none."""
    return f"({WORDS[engine].name(table.date_column or '')} = CAST({stored_time(table, engine)} AS DATE)) IS NOT TRUE"


def rows_on_other_dates(table: Table, address: str, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the rows on another date than that of their time. Proof: engine/data/proofs.md#declared-dates."""
    return f"SELECT 1 AS one FROM {address} WHERE {is_on_other_date(table, engine)} LIMIT 1"


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
