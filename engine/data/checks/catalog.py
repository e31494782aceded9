"""Catalog check: compare a catalog with its files, and report what is not as declared to the steward."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dialect.catalog import MAX_PERSON_CHARACTERS, Catalog, Column, ColumnValues, Source, SqlType, Table
from dialect.codegen import DUCKDB_DIALECT, text_person_column
from dialect.functions import quote_identifier
from engine.catalog.toml_section import suggestion
from engine.data.checks.declared import (
    DATE_CURE,
    DATE_MISMATCH,
    date_mismatch_query,
    outside_list_condition,
    relies_on_date,
)
from engine.data.files.csv_files import UnreadableError, csv_fault
from engine.data.files.derived_columns import source_columns, source_type
from engine.data.files.polygons import is_polygon
from engine.data.files.stored_files import StoredFiles, is_integer_range_within, is_type_compatible, typed_value


@dataclass(frozen=True)
class Finding:
    """A difference between files and catalog, for the steward: no values; a count of rows only if they are skipped."""

    file: str  # the catalog file
    key: str  # dotted path inside the catalog
    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.why} Cure: {self.cure}"


def check_catalog(catalog: Catalog) -> tuple[Finding, ...]:
    """Check files, columns, types, primary keys and foreign keys. Reads every row, and shows none.

    Lake tables are skipped: they are checked when they are opened.
    """
    local_tables = [table for table in catalog.tables if not (table.private and catalog.remote)]
    with StoredFiles() as files:
        found = [finding for table in local_tables for finding in _check_shape(catalog, table, files)]
        broken = {finding.key.split(".")[1] for finding in found}
        readable = {table.name: table for table in local_tables if table.name not in broken}
        for table in readable.values():
            found += _check_rows(catalog, table, readable, files)
    return tuple(found)


def _check_shape(catalog: Catalog, table: Table, files: StoredFiles) -> Iterator[Finding]:
    """Check that the source exists, and has the declared columns and types."""
    source, key = table.source, f"tables.{table.name}"
    if not glob.glob(source.path, recursive=True) and not Path(source.path).exists():  # noqa: PTH207  an absolute pattern
        why = f"there is no file {source.path}."
        yield Finding(catalog.path, f"{key}.source", why, "give the path relative to the catalog's folder.")
        return
    try:
        found = {name.lower(): kind for name, kind in files.columns(source).items()}
    except UnreadableError:
        what = f"table {source.table} of a DuckDB file" if source.table else f"{source.format} files"
        cure = "check the path, and that no other program writes to it."
        yield Finding(catalog.path, f"{key}.source", f"{source.path} cannot be read as {what}.", cure)
        return
    for column in source_columns(table):
        place = f"{key}.columns.{column.name}"
        if column.name not in found:
            why = f"the source has no column {column.name}."
            yield Finding(catalog.path, place, why, suggestion(column.name, found, "remove it from the catalog."))
        elif not _is_stored_as(column, source, found[column.name]):
            why = f"the source stores {found[column.name].partition('(')[0]}, the catalog says {column.stored_type}."
            yield Finding(catalog.path, f"{place}.type", why, "declare the stored type, or store the declared one.")


def _is_stored_as(column: Column, source: Source, stored: str) -> bool:
    """Return whether a stored type matches the declaration; in files that are copied, integers may be wider."""
    narrow = source.format != "duckdb" or is_integer_range_within(column.stored_type, stored)
    return source.format == "csv" or (is_type_compatible(stored, _source_sql_type(column)) and narrow)


def _check_rows(catalog: Catalog, table: Table, readable: dict[str, Table], files: StoredFiles) -> Iterator[Finding]:
    """Run the row checks of a table, each a yes-or-no query."""
    for check in (
        *_type_checks(table, files),
        *_key_checks(table, files),
        *_foreign_key_checks(table, readable, files),
        *_complete_list_checks(table, readable, files),
        *_date_checks(table, catalog, files),
    ):
        try:
            failed = files.has_rows(check.select)
        except UnreadableError:
            yield Finding(catalog.path, f"tables.{table.name}.source", *_read_failure(table))
            return
        if failed:
            yield Finding(catalog.path, f"tables.{table.name}.{check.key}", check.why, check.cure)
    yield from _skipped_persons(catalog, table, files)
    for column in (c for c in source_columns(table) if c.type is SqlType.POLYGON):
        if not files.all_texts_satisfy(
            f"SELECT {quote_identifier(column.name)} FROM {_typed_relation(table, files)}", is_polygon
        ):
            why = f"a text in {column.name} is no polygon, or crosses itself."
            cure = "correct it: POLYGON or MULTIPOLYGON text in degrees, longitude first."
            yield Finding(catalog.path, f"tables.{table.name}.columns.{column.name}.type", why, cure)


def _skipped_persons(catalog: Catalog, table: Table, files: StoredFiles) -> Iterator[Finding]:
    """Report the number of rows that are skipped because no objection could name their person."""
    person = text_person_column(table) if table.private else None
    if person is None:
        return
    column = quote_identifier(person)
    unnameable = f"{column} IS NOT NULL AND NOT ({DUCKDB_DIALECT.is_objectable.format(column)})"
    unread = files.count(f"SELECT 1 FROM {_typed_relation(table, files)} WHERE {unnameable}")
    if unread:
        rows = "1 row is" if unread == 1 else f"{unread:,} rows are"
        why = f"{rows} not read: {person} names nobody who could object."
        cure = f"name persons by 1 to {MAX_PERSON_CHARACTERS:,} characters without NUL."
        yield Finding(catalog.path, f"tables.{table.name}.columns.{person}", why, cure)


def _read_failure(table: Table) -> tuple[str, str]:
    """Return why the rows can't be read, and the cure; for CSV with line and cause, without values."""
    path = Path(table.source.path)
    fault = csv_fault(path) if table.source.format == "csv" and path.is_file() else None
    if fault is None:
        return "the rows cannot be read to the end.", "check that the files are whole."
    line, why = fault
    return f"the rows cannot be read to the end: line {line:,}: {why}.", "correct the file."


@dataclass(frozen=True)
class _RowCheck:
    """A SELECT that returns rows only if something is not as declared."""

    select: str
    key: str
    why: str
    cure: str


def _source_sql_type(column: Column) -> SqlType:
    """Return the type of a column in its source: polygons are text."""
    return SqlType.VARCHAR if column.type is SqlType.POLYGON else column.type


def _typed_relation(table: Table, files: StoredFiles) -> str:
    """Write the relation of a table's rows with the declared types."""
    return files.typed_relation(table.source, {column.name: source_type(column) for column in source_columns(table)})


def _type_checks(table: Table, files: StoredFiles) -> Iterator[_RowCheck]:
    """Yield checks that every value has the declared type, and that non-nullable columns contain no NULL."""
    for column in source_columns(table):
        name, key = quote_identifier(column.name), f"columns.{column.name}"
        typed = typed_value(table.source, name, source_type(column))
        yield _RowCheck(
            f"SELECT 1 FROM {files.raw_relation(table.source)} WHERE {name} IS NOT NULL AND {typed} IS NULL",
            f"{key}.type",
            f"a value of {column.name} is no {column.stored_type}.",
            "correct the files, or declare a wider type.",
        )
        if not column.nullable:
            yield _RowCheck(
                f"SELECT 1 FROM {_typed_relation(table, files)} WHERE {name} IS NULL",
                f"{key}.nullable",
                f"{column.name} holds NULL.",
                "correct the files, or declare nullable = true.",
            )


def _date_checks(table: Table, catalog: Catalog, files: StoredFiles) -> Iterator[_RowCheck]:
    """Yield the check that each row's date column is the date of its time, where queries rely on it."""
    if relies_on_date(table, catalog) and table.time_column is not None:
        select = date_mismatch_query(table, _typed_relation(table, files))
        yield _RowCheck(select, "date_column", DATE_MISMATCH.format(table.time_column), f"{DATE_CURE}.")


def _key_checks(table: Table, files: StoredFiles) -> Iterator[_RowCheck]:
    """Yield checks that the primary key is unique and not NULL."""
    stored = {column.name for column in source_columns(table)}
    if not table.primary_key or not set(table.primary_key) <= stored:
        return
    keys = ", ".join(map(quote_identifier, table.primary_key))
    some_null = " OR ".join(f"{quote_identifier(name)} IS NULL" for name in table.primary_key)
    rows = _typed_relation(table, files)
    cure = "correct the files, or declare another primary key."
    yield _RowCheck(f"SELECT 1 FROM {rows} WHERE {some_null}", "primary_key", "the primary key holds NULL.", cure)
    yield _RowCheck(
        f"SELECT 1 FROM {rows} GROUP BY {keys} HAVING count(*) > 1",
        "primary_key",
        "the primary key names more than one row.",
        cure,
    )


def _foreign_key_checks(table: Table, readable: dict[str, Table], files: StoredFiles) -> Iterator[_RowCheck]:
    """Yield checks that every foreign key references an existing row."""
    for key, own, name in _foreign_keys(table):
        target = readable.get(name)
        if target is None or table.column(own) is None:
            continue
        key_column, own_column = quote_identifier(target.primary_key[0]), quote_identifier(own)
        yield _RowCheck(
            f"SELECT 1 FROM {_typed_relation(table, files)} AS referencing WHERE referencing.{own_column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM {_typed_relation(target, files)} AS referenced"
            f" WHERE referenced.{key_column} = referencing.{own_column})",
            key,
            f"a value of {own} is not in {name}.",
            f"complete {name}; until then such rows are not admitted, or have NULL where they look something up.",
        )


def _complete_list_checks(table: Table, readable: dict[str, Table], files: StoredFiles) -> Iterator[_RowCheck]:
    """Yield checks that complete value lists contain every value, as when the data are opened."""
    for column in (c for c in source_columns(table) if c.complete):
        listed = column.domain.table if isinstance(column.domain, ColumnValues) else table.name
        if listed not in readable:
            continue
        addresses = {each: _typed_relation(readable[each], files) for each in {listed, table.name}}
        yield _RowCheck(
            f"SELECT 1 FROM {addresses[table.name]} WHERE {outside_list_condition(column, addresses, table)}",
            f"columns.{column.name}.complete",
            f"{column.name} holds a value that its list does not, and the list is declared complete.",
            "add the value to the list, correct the files, or remove complete: then such rows are left out.",
        )


def _foreign_keys(table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield (catalog key, own column, referenced table) of each foreign key."""
    for i, join in enumerate(table.source.joins):
        yield f"joins[{i}]", join.join_column, join.table
    # later steps of a path are foreign keys of other tables, checked there
    for own, name in table.person.through[:1] if table.person else ():
        yield "person.through[0]", own, name
