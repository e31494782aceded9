"""Catalog check: compare a catalog with its files, and report what is not as declared to the steward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dialect.catalog import MAX_PERSON_CHARACTERS, Catalog, Column, ColumnValues, Source, SqlType, Table
from dialect.codegen import DUCKDB_DIALECT
from dialect.functions import quote_identifier
from engine.catalog.sources import stored_paths
from engine.catalog.toml_section import suggestion
from engine.data.checks.declared import (
    DATE_CURE,
    DATE_MISMATCH,
    date_mismatch_query,
    outside_list_condition,
    relies_on_date,
)
from engine.data.files.csv_files import UnreadableError, csv_header_fault, first_csv_fault
from engine.data.files.derived_columns import source_columns, source_type
from engine.data.files.polygons import is_polygon
from engine.data.files.stored_files import (
    StoredFiles,
    is_copied_as,
    is_integer_range_within,
    is_type_compatible,
    is_uuid,
    typed_value,
    uuid_cure,
)
from engine.errors import CatalogError


def check_catalog(catalog: Catalog) -> tuple[CatalogError, ...]:
    """Check files, columns, types, primary keys and foreign keys. Reads every row, and shows none.

    Errors contain no values, and a count of rows only if they are skipped.
    Lake tables are skipped: they are checked when they are opened.
    """
    local_tables = [table for table in catalog.tables if not (table.private and catalog.remote)]
    with StoredFiles() as files:
        checks = {table.name: _TableCheck(catalog, table, files) for table in local_tables}
        found = {name: list(check.shape()) for name, check in checks.items()}
        readable = {name: check for name, check in checks.items() if not found[name]}
        rows = [finding for check in readable.values() for finding in check.all_rows(readable)]
    return (*(finding for findings in found.values() for finding in findings), *rows)


RowCheck = tuple[str, str, str, str]  # SELECT that returns rows only if something is not as declared; key, why, cure


class _TableCheck:
    """The checks of one table against its source."""

    def __init__(self, catalog: Catalog, table: Table, files: StoredFiles) -> None:
        self.catalog, self.table, self.files, self.columns = catalog, table, files, source_columns(table)

    def finding(self, key: str, why: str, cure: str) -> CatalogError:
        """Return a finding at a key of the table."""
        return CatalogError(self.catalog.path, f"tables.{self.table.name}.{key}", why, cure)

    @property
    def rows(self) -> str:
        """The relation of the table's rows with the declared types."""
        return self.files.typed_relation(self.table.source, {c.name: source_type(c) for c in self.columns})

    def shape(self) -> Iterator[CatalogError]:
        """Check that the source exists, and has the declared columns and types."""
        source = self.table.source
        if not stored_paths(source.path) and not Path(source.path).exists():
            cure = "give the path relative to the catalog's folder."
            yield self.finding("source", f"there is no file {source.path}.", cure)
            return
        try:
            found = {name.lower(): kind for name, kind in self.files.columns(source).items()}
        except UnreadableError:
            what = f"table {source.table} of a DuckDB file" if source.table else f"{source.format} files"
            cure = "check the path, and that no other program writes to it."
            if source.format == "csv" and (fault := csv_header_fault(source.path)) is not None:
                what, cure = f"{what}: {fault}", "give all files the same first line of names, or take the file out."
            yield self.finding("source", f"{source.path} cannot be read as {what}.", cure)
            return
        yield from self.persons_in_public(found)
        for column in self.columns:
            key = f"columns.{column.name}"
            if column.name not in found:
                why = f"the source has no column {column.name}."
                yield self.finding(key, why, suggestion(column.name, found, "remove it from the catalog."))
            elif not _is_stored_as(column, source, found[column.name]):
                stored = found[column.name].partition("(")[0]
                why = f"the source stores {stored}, the catalog says {column.stored_type}."
                cure = "declare the stored type, or store the declared one."
                if is_uuid(found[column.name]):
                    cure = f"declare VARCHAR, and {uuid_cure(column.name, source.table)}."
                yield self.finding(f"{key}.type", why, cure)

    def persons_in_public(self, found: Mapping[str, str]) -> Iterator[CatalogError]:
        """Check that the files of a public table have no column with the name of a person column; not of `id`."""
        persons = {each.person.column: each.name for each in self.catalog.tables if each.person is not None}
        for name in sorted(found.keys() & persons.keys() - {"id"}) if not self.table.private else ():
            why = f"everybody sees a public table, and {name} names the persons of {persons[name]}."
            cure = "declare the table private; where the column names no person, rename it in the file."
            yield self.finding("kind", why, cure)

    def all_rows(self, readable: Mapping[str, _TableCheck]) -> Iterator[CatalogError]:
        """Run the row checks, each a yes-or-no query; `readable` are the tables that can be referenced."""
        for select, key, why, cure in (
            *self.types(),
            *self.primary_key(),
            *self.foreign_keys(readable),
            *self.complete_lists(readable),
            *self.dates(),
        ):
            try:
                failed = self.files.has_rows(select)
            except UnreadableError:
                yield self.finding("source", *_read_failure(self.table))
                return
            if failed:
                yield self.finding(key, why, cure)
        yield from self.skipped_persons()
        for column in (c for c in self.columns if c.type is SqlType.POLYGON):
            texts = f"SELECT {quote_identifier(column.name)} FROM {self.rows}"
            if not self.files.all_texts_satisfy(texts, is_polygon):
                why = f"a text in {column.name} is no polygon, or crosses itself."
                cure = "correct it: POLYGON or MULTIPOLYGON text in degrees, longitude first."
                yield self.finding(f"columns.{column.name}.type", why, cure)

    def skipped_persons(self) -> Iterator[CatalogError]:
        """Report the number of rows that are skipped because no objection could name their person."""
        person = self.table.text_person_column if self.table.private else None
        if person is None:
            return
        column = quote_identifier(person)
        unnameable = f"{column} IS NOT NULL AND NOT ({DUCKDB_DIALECT.is_objectable.format(column)})"
        unread = self.files.count(f"SELECT 1 FROM {self.rows} WHERE {unnameable}")
        if unread:
            rows = "1 row is" if unread == 1 else f"{unread:,} rows are"
            why = f"{rows} not read: {person} names nobody who could object."
            cure = f"name persons by 1 to {MAX_PERSON_CHARACTERS:,} characters without NUL."
            yield self.finding(f"columns.{person}", why, cure)

    def types(self) -> Iterator[RowCheck]:
        """Yield checks that every value has the declared type, and that non-nullable columns contain no NULL."""
        stored = self.files.raw_relation(self.table.source)
        for column in self.columns:
            name, key = quote_identifier(column.name), f"columns.{column.name}"
            typed = typed_value(self.table.source, name, source_type(column))
            wrong = f"SELECT 1 FROM {stored} WHERE {name} IS NOT NULL AND {typed} IS NULL"
            why = f"a value of {column.name} is no {column.stored_type}."
            yield wrong, f"{key}.type", why, _type_cure(column)
            if not column.nullable:
                cure = "correct the files, or declare nullable = true."
                null = f"SELECT 1 FROM {self.rows} WHERE {name} IS NULL"
                yield null, f"{key}.nullable", f"{column.name} holds NULL.", cure

    def dates(self) -> Iterator[RowCheck]:
        """Yield the check that each row's date column is the date of its time, where queries rely on it."""
        if relies_on_date(self.table, self.catalog):
            why = DATE_MISMATCH.format(self.table.time_column)
            yield date_mismatch_query(self.table, self.rows), "date_column", why, f"{DATE_CURE}."

    def primary_key(self) -> Iterator[RowCheck]:
        """Yield checks that the primary key is unique and not NULL."""
        key = self.table.primary_key
        if not key or not set(key) <= {column.name for column in self.columns}:
            return
        cure = "correct the files, or declare another primary key."
        some_null = " OR ".join(f"{quote_identifier(name)} IS NULL" for name in key)
        yield f"SELECT 1 FROM {self.rows} WHERE {some_null}", "primary_key", "the primary key holds NULL.", cure
        names = ", ".join(map(quote_identifier, key))
        cure = f"keep one row of each, as DuckDB's SELECT DISTINCT ON ({names}) * does, or declare another primary key."
        several = f"SELECT 1 FROM {self.rows} GROUP BY {names} HAVING count(*) > 1"
        yield several, "primary_key", "the primary key names more than one row.", cure

    def foreign_keys(self, readable: Mapping[str, _TableCheck]) -> Iterator[RowCheck]:
        """Yield checks that every foreign key references an existing row."""
        keys = [(f"joins[{i}]", join.join_column, join.table) for i, join in enumerate(self.table.source.joins)]
        # later steps of a path are foreign keys of other tables, checked there
        through = self.table.person.through[:1] if self.table.person else ()
        for key, own, name in [*keys, *(("person.through[0]", *step) for step in through)]:
            target = readable.get(name)
            if target is None or self.table.columns_by_name.get(own) is None:
                continue
            key_column, own_column = quote_identifier(target.table.primary_key[0]), quote_identifier(own)
            missing = (
                f"SELECT 1 FROM {self.rows} AS referencing WHERE referencing.{own_column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT 1 FROM {target.rows} AS referenced"
                f" WHERE referenced.{key_column} = referencing.{own_column})"
            )
            cure = f"complete {name}; until then such rows are not admitted, or have NULL where they look something up."
            yield missing, key, f"a value of {own} is not in {name}.", cure

    def complete_lists(self, readable: Mapping[str, _TableCheck]) -> Iterator[RowCheck]:
        """Yield checks that complete value lists contain every value, as when the data are opened."""
        for column in (c for c in self.columns if c.complete):
            listed = column.domain.table if isinstance(column.domain, ColumnValues) else self.table.name
            if listed not in readable:
                continue
            addresses = {listed: readable[listed].rows, self.table.name: self.rows}
            outside = outside_list_condition(column, addresses, self.table)
            why = f"{column.name} holds a value that its list does not, and the list is declared complete."
            cure = "add the value to the list, correct the files, or remove complete: then such rows are left out."
            yield f"SELECT 1 FROM {self.rows} WHERE {outside}", f"columns.{column.name}.complete", why, cure


def _is_stored_as(column: Column, source: Source, stored: str) -> bool:
    """Return whether a stored type matches the declaration; in files that are copied, integers may be wider."""
    kind = SqlType.VARCHAR if column.type is SqlType.POLYGON else column.type  # polygons are text in their source
    narrow = source.format != "duckdb" or is_integer_range_within(column.stored_type, stored)
    fits = is_type_compatible if source.format == "duckdb" else is_copied_as
    return source.format == "csv" or (fits(stored, kind) and narrow)


def _type_cure(column: Column) -> str:
    """Return the cure for a text that is no value of its declared type: of times, how they are written."""
    if column.type in (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE):
        return "write times as 2026-10-17 09:30:00, dates as 2026-10-17; passersby catalog convert does it."
    return "correct the files, or declare a wider type."


def _read_failure(table: Table) -> tuple[str, str]:
    """Return why the rows can't be read, and the cure; for CSV with line and cause, without values."""
    fault = first_csv_fault(table.source.path) if table.source.format == "csv" else None
    if fault is None:
        return "the rows cannot be read to the end.", "check that the files are whole."
    return f"the rows cannot be read to the end: {fault}.", "correct the file."
