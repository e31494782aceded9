"""Declared constraints on stored rows, as SQL that finds a violation; shared by DuckDB files and the lake.

Privacy rests on them (`engine/data/proofs.md#complete-lists`, `engine/data/proofs.md#stored-rows`), so all are checked
whenever data are opened: unique keys, complete value lists, and date columns that equal the date of the time column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialect.algebra import Literal
from dialect.catalog import Catalog, Column, ColumnValues, EngineName, Table, Value, ValueList, ValueRange
from dialect.codegen import ENGINE_DIALECTS, EngineDialect, stored_column, stored_time
from engine.data.files.stored_files import is_uuid, uuid_cure
from engine.errors import DataError


def outside_list_query(
    table: Table, column: Column, addresses: Mapping[str, str], engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write the query for rows with a value outside the column's complete list, or an undeclared NULL.

    Proof: engine/data/proofs.md#complete-lists
    """
    missing = "" if column.nullable else f" OR {stored_column(column, table, engine)} IS NULL"
    outside = outside_list_condition(column, addresses, table, engine)
    return f"SELECT 1 FROM {addresses[table.name]} WHERE ({outside}){missing} LIMIT 1"


def outside_list_condition(
    column: Column, addresses: Mapping[str, str], table: Table | None = None, engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write the condition that a row has a value outside the column's complete list."""
    stored, engine_dialect = stored_column(column, table, engine), ENGINE_DIALECTS[engine]
    return f"{stored} IS NOT NULL AND NOT ({_in_list_condition(column, stored, addresses, engine_dialect)})"


def _in_list_condition(column: Column, stored: str, addresses: Mapping[str, str], engine_dialect: EngineDialect) -> str:
    """Write the condition that a value is in the column's domain."""
    domain = column.domain

    def quoted(value: Value) -> str:
        return engine_dialect.emitter.quote(Literal(value, column.type))

    if isinstance(domain, ValueList):
        return f"{stored} IN ({', '.join(map(quoted, domain.values))})"
    if isinstance(domain, ValueRange):
        return f"{stored} BETWEEN {quoted(domain.lower)} AND {quoted(domain.upper)}"
    assert isinstance(domain, ColumnValues)  # noqa: S101  the catalog reader refuses complete without a domain
    return f"{stored} IN ({_public_values_query(domain, addresses, engine_dialect)})"


def _public_values_query(domain: ColumnValues, addresses: Mapping[str, str], engine_dialect: EngineDialect) -> str:
    """Write the query for a public column's values without NULL, as NOT IN over a NULL is never true."""
    column = engine_dialect.quote_identifier(domain.column)
    return f"SELECT {column} FROM {addresses[domain.table]} WHERE {column} IS NOT NULL"


DATE_MISMATCH = "a row is not on the date of its {}, or has none."
DATE_CURE = "correct the rows, or remove date_column"


def relies_on_date(table: Table, catalog: Catalog) -> bool:
    """Return whether queries use the date column as the date of the time column without checking each row.

    They do in datasets without privacy windows; with windows, each scan checks it.
    """
    dated = table.private and table.date_column is not None and table.time_column is not None
    return dated and catalog.datasets_by_name[table.dataset].window_range is None


def date_mismatch_condition(table: Table, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the condition that a row's date column differs from the date of its time, or is NULL."""
    date = ENGINE_DIALECTS[engine].quote_identifier(table.date_column or "")
    return f"({date} = CAST({stored_time(table, engine)} AS DATE)) IS NOT TRUE"


def date_mismatch_query(table: Table, address: str, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the query for rows with a date other than their time's.

    Proof: engine/data/proofs.md#declared-dates.
    """
    return f"SELECT 1 AS one FROM {address} WHERE {date_mismatch_condition(table, engine)} LIMIT 1"


IS_VIEW = "it is a view, and its rows may depend on other people's."


@dataclass(frozen=True)
class Constraint:
    """A constraint: the query for violating rows, and the error to raise."""

    violation_sql: str  # returns a row if the constraint is violated
    error: DataError  # without values
    public_list: ColumnValues | None = None  # the public value list that the SQL also reads


def constraints(
    table: Table, catalog: Catalog, addresses: Mapping[str, str], engine: EngineName = EngineName.DUCKDB
) -> Iterator[Constraint]:
    """Yield a table's constraints: unique non-NULL key, complete lists, dates that match times."""
    if is_key_enforced(table, catalog):
        why = f"its primary key ({', '.join(table.primary_key)}) is not unique or has NULLs."
        duplicate_key = DataError(table.name, why, "keep one row per key, or drop primary_key")
        for sql in _key_violation_queries(table, addresses[table.name], engine):
            yield Constraint(sql, duplicate_key)
    for column in (column for column in table.columns if column.complete):
        why = f"{column.name} is declared to be complete, and a row holds something that is not in its list."
        outside_list = DataError(table.name, why, "correct the list or the rows, or remove complete = true")
        public = column.domain if isinstance(column.domain, ColumnValues) else None
        yield Constraint(outside_list_query(table, column, addresses, engine), outside_list, public)
    if relies_on_date(table, catalog):
        date_mismatch = DataError(table.name, DATE_MISMATCH.format(table.time_column), DATE_CURE)
        yield Constraint(date_mismatch_query(table, addresses[table.name], engine), date_mismatch)


def is_key_enforced(table: Table, catalog: Catalog) -> bool:
    """Return whether the primary key must be checked: of public tables, person tables and foreign-key targets."""
    found = {target for other in catalog.tables if other.person for _, target in other.person.through}
    of_person = table.person is not None and table.primary_key == (table.person.column,)
    return bool(table.primary_key) and (of_person or table.name in found or not table.private)


def type_mismatch(table: Table, column: Column, kind: str) -> DataError:
    """Build the error for a column that is stored as another type."""
    why = f"{column.name} is stored as {kind} and declared as {column.stored_type}."
    if is_uuid(kind):
        return DataError(table.name, why, f"declare VARCHAR, and {uuid_cure(column.name, table.source.table)}")
    return DataError(table.name, why, "declare the stored type, or store the declared one")


def _key_violation_queries(table: Table, address: str, engine: EngineName) -> Iterator[str]:
    """Yield the queries for rows with a NULL key, and for keys of several rows."""
    columns = [column for column in table.columns if column.name in table.primary_key]
    read = [stored_column(column, table, engine) for column in columns]  # as read: stored values may become equal
    yield f"SELECT 1 AS one FROM {address} WHERE {' OR '.join(f'{text} IS NULL' for text in read)} LIMIT 1"
    yield f"SELECT 1 AS one FROM {address} GROUP BY {', '.join(read)} HAVING count(*) > 1 LIMIT 1"
