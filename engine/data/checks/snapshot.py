"""Snapshot checks: tables in DuckDB files against the catalog, for all that privacy rests on.

A table is stored, not a view; its columns have the declared types, no collation, and are not generated; keys of
persons, foreign keys and public keys are unique; complete lists are complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from dialect.catalog import Catalog, SqlType, Table
from dialect.functions import quote_identifier, quote_text
from engine.data.checks.declared import IS_VIEW, constraints, type_mismatch
from engine.data.files.derived_columns import copy_type
from engine.data.files.stored_files import is_integer_range_within, is_type_compatible
from engine.errors import DataError

CHECK_CURE = "run passersby catalog check, which says what is wrong"


def check_sources(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Reject DuckDB files that are broken or being written, and tables with rows computed on read. Raises DataError.

    The check also runs where a copy is read, as the copy has the source's rows. Nothing stays attached.
    """
    aliases: dict[str, str] = {}
    for table in (table for table in catalog.tables if table.source.format == "duckdb"):
        path = table.source.path
        if path not in aliases:
            aliases[path] = f"stored{len(aliases)}"
            _attach(connection, path, aliases[path], table.name)
        _check_source(connection, table, aliases[path])
    for alias in aliases.values():
        connection.execute(f"DETACH {alias}")


def _attach(connection: duckdb.DuckDBPyConnection, path: str, alias: str, table: str) -> None:
    """Attach a DuckDB file read-only. Raises DataError."""
    try:
        connection.execute(f"ATTACH {quote_text(path)} AS {alias} (READ_ONLY)")
    except duckdb.Error:
        why = f"its file {path} can't be opened."
        raise DataError(table, why, "make the data, or correct source in the catalog") from None


def check_stored(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, files: Mapping[str, str], addresses: Mapping[str, str]
) -> None:
    """Attach the files, and check types, collations and constraints of every table. Raises DataError.

    `files` maps aliases to paths, `addresses` tables to alias.schema.table.
    """
    for alias, path in files.items():
        table = next(t for t in catalog.tables if addresses[t.name].startswith(f"{alias}."))
        _attach(connection, path, alias, table.name)
    for table in sorted(catalog.tables, key=lambda table: table.private):  # public tables first
        _check_types(connection, table, addresses[table.name])
        _check_collations(connection, table, addresses[table.name])
        for constraint in constraints(table, catalog, addresses):
            if connection.execute(constraint.violation_sql).fetchall():
                raise constraint.error


def _check_source(connection: duckdb.DuckDBPyConnection, table: Table, alias: str) -> None:
    """Reject views and generated columns, with values that are computed when they are read.

    Claim: a table's rows are those that are stored, each time they are read. Symbols: the table's own SQL in its file.
    Formula: none. Source: engine/data/proofs.md#stored-rows. Raises DataError.
    """
    condition = f"WHERE database_name = {quote_text(alias)} AND schema_name = 'main' AND lower({{0}}) = lower(?)"
    stored = table.source.table or table.name
    if connection.execute(f"SELECT 1 FROM duckdb_views() {condition.format('view_name')}", [stored]).fetchall():
        raise DataError(table.name, IS_VIEW, "store its rows: CREATE TABLE ... AS FROM the view")
    definitions = connection.execute(
        f"SELECT sql FROM duckdb_tables() {condition.format('table_name')}", [stored]
    ).fetchall()
    if any("GENERATED ALWAYS AS" in _unquoted(sql) for (sql,) in definitions):
        why = "a column of it is generated, and may say something else each time it is read."
        raise DataError(table.name, why, "store its values: CREATE TABLE ... AS FROM the table")


def _unquoted(sql: str) -> str:
    """Return SQL in upper case without quoted names and string literals."""
    return re.sub("\"[^\"]*\"|'[^']*'", "", sql).upper()


def _check_types(connection: duckdb.DuckDBPyConnection, table: Table, address: str) -> None:
    """Reject missing columns and other types: SQL written for the declared type could fail on a row."""
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    try:
        described = connection.execute(f"SELECT {columns} FROM {address} LIMIT 0").description or []
    except duckdb.Error:
        raise DataError(table.name, "the table, or a declared column of it, is not there.", CHECK_CURE) from None
    for column, (_, stored, *_) in zip(table.columns, described, strict=True):
        is_polygon_form = column.type is SqlType.POLYGON and str(stored) == copy_type(column)
        if not is_polygon_form and not (
            is_type_compatible(str(stored), column.type) and is_integer_range_within(column.stored_type, str(stored))
        ):
            raise type_mismatch(table, column, str(stored).partition("(")[0])


def _check_collations(connection: duckdb.DuckDBPyConnection, table: Table, address: str) -> None:
    """Reject text columns with a collation: DuckDB would treat different persons or keys as equal.

    Claim: two values of a text are one value only where they are the same characters. Symbols: the schema of an empty
    copy of the table. Formula: none. Source: engine/data/proofs.md#one-value. Raises DataError.
    """
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE empty_copy AS SELECT {columns} FROM {address} LIMIT 0")
    created = connection.execute(
        "SELECT sql FROM duckdb_tables() WHERE temporary AND table_name = 'empty_copy'"
    ).fetchall()
    if "COLLATE" in _unquoted(created[0][0]).split():
        why = "a text of it is stored with a collation, by which different texts are one."
        raise DataError(table.name, why, "store it as VARCHAR, without COLLATE")
