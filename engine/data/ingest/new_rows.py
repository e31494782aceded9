"""Validation of new rows against a declared table: accepted rows, and rejected rows with the reason of each.

Rows go from file to file within DuckDB; only counts and privacy windows come out. Errors contain none of DuckDB's own
text, which may quote a value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dialect.catalog import Catalog, Column, ColumnValues, Source, SqlType, Table, ValueRange, WindowRange, window_name
from dialect.codegen import DUCKDB_DIALECT, stored_column, stored_time
from dialect.functions import quote_identifier, quote_text
from engine.catalog.columns import sql_type
from engine.catalog.sources import stored_paths
from engine.data.checks.declared import (
    date_mismatch_condition,
    outside_list_condition,
    outside_list_query,
    relies_on_date,
)
from engine.data.checks.snapshot import CHECK_CURE
from engine.data.files.csv_files import UnreadableError, csv_fault
from engine.data.files.derived_columns import source_columns, source_type
from engine.data.files.stored_files import (
    files_relation,
    is_copied_as,
    is_type_compatible,
    is_uuid,
    typed_columns,
    typed_value,
)
from engine.data.snapshot import copy_table, copy_tables, window_condition, window_starts
from engine.errors import DataError
from engine.progress import Progress, ignore_progress

DIGESTS_KEY = "passersby_files"  # metadata key: digests of the ingested files
WINDOWS_KEY = "passersby_windows"  # metadata key: declared privacy windows of the delivery
# no declared column has a space in its name
TEXT_PREFIX, FILE_COLUMN, REASON_COLUMN = "original ", "of file", "why refused"
KEY_PREFIX, ROW_COLUMN, COPY_COLUMN = "key ", "row values", "copy number"
DUPLICATE_REASON = "it repeats another new row in every column"
INCOMPLETE_CURE = "give whole Parquet files, or CSV with a header"


@dataclass(frozen=True)
class NewRows:
    """New rows of a table, validated one by one."""

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    table: Table
    paths: Sequence[Path]
    declared_windows: tuple[str, ...] = ()  # privacy windows declared for the delivery; () for any

    def create_typed_view(self) -> None:
        """Create the view `typed_rows` over all files. Raises DataError for a file that is not as declared."""
        with self._readable():
            kinds = self._storage_types()
            rows = " UNION ALL ".join(self._file_select(path, kinds) for path in self.paths)
            self.connection.execute(f"CREATE TEMP VIEW typed_rows AS {rows}")

    def candidate_windows(self, stretch: WindowRange) -> frozenset[str]:
        """Return the declared privacy windows of all rows, before validation: only the time column is read."""
        with self._readable():
            found = self._windows_of("typed_rows", stretch)
        return frozenset(found) & frozenset(stretch.window_names())

    def split(
        self, taken: Path, refused: Path, digests: Sequence[str], progress: Progress
    ) -> tuple[int, dict[str, int]]:
        """Write accepted and rejected rows to files; return the number accepted, and counts of the others by reason.

        Raises DataError.
        """
        progress("judging rows", 0.2)
        self.validate()
        progress("writing rows", 0.3)
        count = self.write_accepted(taken, digests)
        progress("writing what is refused", 0.7)
        reasons = self.write_rejected(refused)
        progress("checking", 0.8)
        self.check_derived_columns(taken)
        return count, reasons

    def validate(self) -> None:
        """Create the view `validated_rows`: each row with its reason for rejection, or NULL.

        Raises DataError for unreadable files.
        """
        with self._readable():
            copy_tables(self.connection, self.catalog, self._public_lists(), ignore_progress)
            clauses = " ".join(f"WHEN {when} THEN {quote_text(why)}" for when, why in self._rejection_rules())
            rows, otherwise = "typed_rows AS r", "NULL"
            if self.table.primary_key:
                rows, otherwise = self._rows_with_key_conflicts()
            reason = f'CASE {clauses} ELSE {otherwise} END AS "{REASON_COLUMN}"'
            self.connection.execute(f"CREATE TEMP VIEW validated_rows AS SELECT r.*, {reason} FROM {rows}")

    def write_accepted(self, taken: Path, digests: Sequence[str]) -> int:
        """Write the accepted rows to a file, with the delivery in its metadata; return their number."""
        columns = ", ".join(quote_identifier(column.name) for column in source_columns(self.table))
        noted = {DIGESTS_KEY: list(digests), WINDOWS_KEY: list(self.declared_windows)}
        pairs = ", ".join(f"{key}: {quote_text(json.dumps(texts))}" for key, texts in noted.items())
        options = f"COMPRESSION zstd, KV_METADATA {{{pairs}}}"
        accepted = f'SELECT {columns} FROM validated_rows WHERE "{REASON_COLUMN}" IS NULL'
        return self._write_parquet(accepted, taken, options)

    def write_rejected(self, refused: Path) -> dict[str, int]:
        """Write the rejected rows as text, with file and reason; return counts by reason."""
        texts = [f'"{TEXT_PREFIX}{c.name}" AS {quote_identifier(c.name)}' for c in source_columns(self.table)]
        columns = ", ".join([*texts, f'"{FILE_COLUMN}"', f'"{REASON_COLUMN}"'])
        rejected = f'SELECT {columns} FROM validated_rows WHERE "{REASON_COLUMN}" IS NOT NULL'
        self._write_parquet(rejected, refused, "COMPRESSION zstd")
        sql = f'SELECT "{REASON_COLUMN}", count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 1'
        return dict(self.connection.execute(sql, [str(refused)]).fetchall())

    def accepted_windows(self, taken: Path, stretch: WindowRange) -> tuple[str, ...]:
        """Return the privacy windows of the accepted rows."""
        return self._windows_of(f"({_typed_rows(self.table, str(taken))})", stretch)

    def _windows_of(self, rows: str, stretch: WindowRange) -> tuple[str, ...]:
        """Return the privacy windows of a relation's rows."""
        begins = window_starts(self.connection, self.table, rows, stretch)
        return tuple(window_name(stretch.window, begin) for begin in sorted(begins))

    def check_derived_columns(self, taken: Path) -> None:
        """Compute lookup and derived columns of the accepted rows, as opening will. Raises DataError."""
        accepted = replace(self.table, source=replace(self.table.source, path=str(taken)))
        if len(source_columns(accepted)) == len(accepted.columns):
            return
        copied = {public.name for public in self._public_lists()}
        missing = {join.table for join in accepted.source.joins} - copied
        looked_up = [table for table in self.catalog.tables if table.name in missing]
        copy_tables(self.connection, self.catalog, looked_up, ignore_progress)
        copy_table(self.connection, self.catalog, accepted)
        addresses = {table.name: quote_identifier(table.name) for table in self.catalog.tables}
        for column in (column for column in accepted.columns if column.complete):
            if self.connection.execute(outside_list_query(accepted, column, addresses)).fetchall():
                why = f"{column.name} is declared to be complete, and a new row has something that is not in its list."
                raise DataError(accepted.name, why, "complete the list, or correct the rows")

    def _write_parquet(self, select: str, to: Path, options: str) -> int:
        """Write a SELECT to a Parquet file; return the number of rows."""
        with self._readable():
            copy = f"COPY ({select}) TO {quote_text(str(to))} (FORMAT parquet, {options})"
            ((count,),) = self.connection.execute(copy).fetchall()
        return int(count)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Raise DataError where DuckDB fails, with fixed texts."""
        try:
            yield
        except (duckdb.Error, UnreadableError):
            raise DataError(self.table.name, *self._read_failure()) from None

    def _read_failure(self) -> tuple[str, str]:
        """Return why the files can't be read, and the cure: file, line and reason, without values."""
        for path in self.paths:
            found = csv_fault(path) if path.suffix == ".csv" else None
            if found is not None:
                line, why = found
                return f"{path.name} can't be read to its end: line {line:,}: {why}.", "correct it, and give it again"
            if not self._is_readable(path):
                return f"{path.name} can't be read to its end.", INCOMPLETE_CURE
        return "new rows can't be read and kept.", "give whole files, and room on the disk beside the data"

    def _is_readable(self, path: Path) -> bool:
        """Return whether a file can be read to its end."""
        try:
            self.connection.execute(f"SELECT count(COLUMNS(*)) FROM {files_relation(_file_source(path))}").fetchall()
        except (duckdb.Error, UnreadableError):
            return False
        return True

    def _public_lists(self) -> list[Table]:
        """Return the public tables with complete value lists for this table's columns."""
        list_names = {c.domain.table for c in self.table.columns if c.complete and isinstance(c.domain, ColumnValues)}
        return [table for table in self.catalog.tables if table.name in list_names]

    def _storage_types(self) -> dict[str, str]:
        """Return the type in which to store each column: that of existing files, as one reader reads both."""
        declared = {column.name: source_type(column) for column in source_columns(self.table)}
        if not stored_paths(self.table.source.path):
            return declared
        found = self._source_types(self.table.source)
        for column in source_columns(self.table):
            if not is_type_compatible(found.get(column.name, ""), column.type):
                stored_as_uuid = is_uuid(found.get(column.name, ""))
                cure = f"write the files anew with CAST({column.name} AS VARCHAR)" if stored_as_uuid else CHECK_CURE
                raise DataError(self.table.name, f"{column.name} is not stored as declared.", cure)
        return {column: found[column] for column in declared}

    def _source_types(self, source: Source) -> dict[str, str]:
        """Return the name and type of each column of a source."""
        sql = f"SELECT * FROM {files_relation(source)} LIMIT 0"
        return {column.lower(): str(kind) for column, kind, *_ in self.connection.execute(sql).description or ()}

    def _file_select(self, path: Path, kinds: dict[str, str]) -> str:
        """Write the SELECT of one file's rows: each column typed, and as its original text."""
        source = _file_source(path)
        found, expressions = self._source_types(source), [f"{quote_text(path.name)} AS {quote_identifier(FILE_COLUMN)}"]
        for column in source_columns(self.table):
            stored_type = found.get(column.name)
            if stored_type is None:
                cure = "write one in every file; passersby catalog convert gives raw files these names"
                raise DataError(self.table.name, f"{path.name} has no column {column.name}.", cure)
            if not is_copied_as(stored_type, column.type) and sql_type(stored_type) is not SqlType.VARCHAR:
                kind = stored_type.partition("(")[0]
                why = f"{path.name} stores {column.name} as {kind}, declared is {column.stored_type}."
                raise DataError(
                    self.table.name, why, "store the declared type, or text, as passersby catalog convert does"
                )
            quoted = quote_identifier(column.name)
            typed = typed_value(source, quoted, source_type(column))
            expressions.append(f"TRY_CAST({typed} AS {kinds[column.name]}) AS {quoted}")
            expressions.append(f'CAST({quoted} AS VARCHAR) AS "{TEXT_PREFIX}{column.name}"')
        return f"SELECT {', '.join(expressions)} FROM {files_relation(source)}"

    def _rejection_rules(self) -> Iterator[tuple[str, str]]:
        """Yield (condition, reason) for each rule that rejects a row; reasons contain no values."""
        addresses = {public.name: quote_identifier(public.name) for public in self._public_lists()}
        for column in source_columns(self.table):
            typed, text = quote_identifier(column.name), f'"{TEXT_PREFIX}{column.name}"'
            non_empty_text = text if column.type is SqlType.VARCHAR else f"nullif({text}, '')"
            yield f"{non_empty_text} IS NOT NULL AND {typed} IS NULL", f"{column.name} is no {column.stored_type}"
            if not column.nullable or column.name in self.table.primary_key:
                yield f"{typed} IS NULL", f"{column.name} is NULL"
            if column.name == self.table.text_person_column:
                nameless = f"NOT ({DUCKDB_DIALECT.is_objectable.format(typed)})"
                yield nameless, f"{column.name} names nobody who could object"
            if column.complete:
                yield outside_list_condition(column, addresses), f"{column.name} is not in its list"
        if self.table.time_column is not None:
            yield from self._time_rules(self.table.time_column)

    def _time_rules(self, column: str) -> Iterator[tuple[str, str]]:
        """Yield the rules on the time column: declared windows and range, the delivery's windows, matching date."""
        day = f"CAST({stored_time(self.table)} AS DATE)"
        stretch = self.catalog.datasets_by_name[self.table.dataset].window_range
        domain, ranges = _declared_column(self.table, column).domain, []
        if stretch is not None:
            ranges.append(window_condition(day, stretch.window, stretch.first, stretch.last))
        if isinstance(domain, ValueRange):
            ranges.append(f"{day} BETWEEN DATE '{domain.lower}' AND DATE '{domain.upper}'")
        for inside in ranges:
            outside = f"{quote_identifier(column)} IS NOT NULL AND NOT coalesce({inside}, false)"
            yield outside, f"{column} is out of range"
        if stretch is not None and self.declared_windows:
            windows = zip(stretch.first_days(), stretch.window_names(), strict=True)
            begins = [begin for begin, name in windows if name in self.declared_windows]
            inside = " OR ".join(window_condition(day, stretch.window, begin, begin) for begin in begins)
            yield f"({inside}) IS NOT TRUE", f"{column} is in none of the delivery's windows"
        if self.table.date_column is not None:
            differs = f"{quote_identifier(self.table.date_column)} <> {day}"
            if relies_on_date(self.table, self.catalog):  # otherwise the table could not be opened
                differs = date_mismatch_condition(self.table)
            yield differs, f"{self.table.date_column} is not the date of {column}"

    def _rows_with_key_conflicts(self) -> tuple[str, str]:
        """Return the relation `r` of new rows, joined to conflicts of their keys, and the reason for rejection then."""
        stored = [stored_column(_declared_column(self.table, column)) for column in self.table.primary_key]
        parts = {f'"{KEY_PREFIX}{i}"': column for i, column in enumerate(stored)}
        keys, keyed = ", ".join(parts), ", ".join(f"{column} AS {key}" for key, column in parts.items())
        self._create_duplicates(keys, keyed)
        self._create_key_conflicts(keys, keyed)
        is_duplicate, in_conflict = (
            " AND ".join(f"{column} = {other}.{key}" for key, column in parts.items()) for other in ("d", "t")
        )
        once = (
            f'SELECT *, 1 AS "{COPY_COLUMN}" FROM typed_rows'
            f" ANTI JOIN (SELECT DISTINCT {keys} FROM duplicate_keys) AS d ON {is_duplicate}"
        )
        rows = f'{once} UNION ALL BY NAME SELECT * EXCLUDE ("{ROW_COLUMN}", {keys}) FROM duplicate_keys'
        copy = f'CASE WHEN "{COPY_COLUMN}" > 1 THEN {quote_text(DUPLICATE_REASON)} END'
        return f"({rows}) AS r LEFT JOIN key_conflicts AS t ON {in_conflict}", f'coalesce(t."{REASON_COLUMN}", {copy})'

    def _create_duplicates(self, keys: str, keyed: str) -> None:
        """Create the table `duplicate_keys`: new rows with a duplicate key, numbered among exact duplicates.

        Unreadable values count as different from NULL, but not from each other.
        """
        row_columns = [quote_identifier(column.name) for column in source_columns(self.table)]
        row_columns += [f'"{TEXT_PREFIX}{column.name}" IS NULL' for column in source_columns(self.table)]
        self.connection.execute(
            "CREATE TEMP TABLE duplicate_keys AS SELECT *,"
            f' row_number() OVER (PARTITION BY {keys}, "{ROW_COLUMN}" ORDER BY "{FILE_COLUMN}") AS "{COPY_COLUMN}"'
            f' FROM (SELECT *, {keyed}, row({", ".join(row_columns)}) AS "{ROW_COLUMN}" FROM typed_rows)'
            f" SEMI JOIN (SELECT {keyed} FROM typed_rows GROUP BY ALL HAVING count(*) > 1) USING ({keys})"
        )

    def _create_key_conflicts(self, keys: str, keyed: str) -> None:
        """Create the table `key_conflicts`: keys that exist already, and keys of several different new rows."""
        several = f'SELECT {keys} FROM duplicate_keys GROUP BY ALL HAVING count(DISTINCT "{ROW_COLUMN}") > 1'
        sql = f"SELECT {keys}, 'the primary key names several new rows' AS \"{REASON_COLUMN}\" FROM ({several})"
        if stored_paths(self.table.source.path):
            existing = f"SELECT {keyed} FROM ({_typed_rows(self.table, self.table.source.path)})"
            known = (
                f"SELECT DISTINCT {keys} FROM (SELECT {keyed} FROM typed_rows) SEMI JOIN ({existing}) USING ({keys})"
            )
            sql = (
                f"SELECT *, 'the primary key is there already' AS \"{REASON_COLUMN}\" FROM ({known})"
                f" UNION ALL (SELECT * FROM ({sql}) ANTI JOIN ({known}) USING ({keys}))"
            )
        self.connection.execute(f"CREATE TEMP TABLE key_conflicts AS {sql}")


def _file_source(path: Path) -> Source:
    """Return a file as a CSV or Parquet source."""
    return Source("csv" if path.suffix == ".csv" else "parquet", str(path))


def _declared_column(table: Table, column: str) -> Column:
    """Return a declared column."""
    found = table.columns_by_name.get(column)
    assert found is not None  # noqa: S101  the catalog was checked
    return found


def _typed_rows(table: Table, path: str) -> str:
    """Write the relation of stored files with their declared types."""
    columns = typed_columns(table.source, {c.name: source_type(c) for c in source_columns(table)})
    return f"SELECT {columns} FROM {files_relation(replace(table.source, path=path))}"
