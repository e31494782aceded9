"""Validation of new rows against a declared table: accepted rows, and rejected rows with the reason of each.

Rows go from file to file within DuckDB; only counts and privacy windows come out. Errors contain none of DuckDB's own
text, which may quote a value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

import duckdb

from dialect.catalog import (
    Catalog,
    Column,
    ColumnOf,
    Source,
    SqlType,
    Stretch,
    Table,
    ValueRange,
    begin_of,
    next_begin,
    window_name,
)
from dialect.codegen import OF_DUCKDB, stored_column, stored_time, text_person
from dialect.functions import name, quote_text
from engine.catalog.columns import sql_type
from engine.data.checks.declared import is_on_other_date, is_outside, rests_on_date, rows_outside
from engine.data.checks.snapshot import CHECK
from engine.data.files.csv import UnreadableError, csv_fault
from engine.data.files.derived_columns import source_type, stored_columns
from engine.data.files.files import OFFLINE, cast, fits, read_files
from engine.data.snapshot import copy_table
from engine.errors import DataError

MEMORY = "4GB"
DIGESTS = "passersby_files"  # metadata key: digests of the ingested files
WINDOWS = "passersby_windows"  # metadata key: declared privacy windows of the delivery
GIVEN, FILE, WHY, KEY = "given ", "of file", "why refused", "key "  # no declared column has a space in its name
WHOLE_ROW, COPY = "whole row", "which copy"
REPEATED = "it repeats another new row in every column"
NOT_WHOLE = "give whole Parquet files, or CSV with a header"


@contextmanager
def working(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB that spills into a folder."""
    config = {**OFFLINE, "memory_limit": MEMORY, "temp_directory": str(folder / "spill")}
    with duckdb.connect(str(folder / "work"), config=config) as connection:
        with suppress(duckdb.InvalidInputException):  # fails in notebooks without widgets
            connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def listed_in(connection: duckdb.DuckDBPyConnection, file: Path, key: str) -> tuple[str, ...]:
    """Read a list of texts from an added file's metadata, by key: DIGESTS_KEY or WINDOWS_KEY."""
    sql = "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = ?"
    found = connection.execute(sql, [str(file), key]).fetchall()
    return tuple(json.loads(found[0][0])) if found else ()


@dataclass(frozen=True)
class NewRows:
    """New rows of a table, validated one by one."""

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    table: Table
    paths: Sequence[Path]
    declared: tuple[str, ...] = ()  # privacy windows declared for the delivery; () for any

    def open(self) -> None:
        """Create the view `typed` over the rows of all files. Raises DataError for a file that is not as declared."""
        try:
            kinds = self._kinds()
            rows = " UNION ALL ".join(self._file(path, kinds) for path in self.paths)
            self.connection.execute(f"CREATE TEMP VIEW typed AS {rows}")
        except (duckdb.Error, UnreadableError):
            raise DataError(self.table.name, *self._unread()) from None

    def given_windows(self, stretch: Stretch) -> frozenset[str]:
        """Return the declared privacy windows of all rows, before validation: only the time column is read."""
        try:
            return frozenset(self._windows("typed", stretch)) & frozenset(stretch.names())
        except duckdb.Error:
            raise DataError(self.table.name, *self._unread()) from None

    def judge(self) -> None:
        """Create the view `judged`: each row with its reason for rejection, or NULL.

        Raises DataError for unreadable files.
        """
        try:
            for public in self._lists():
                copy_table(self.connection, self.catalog, public)
            self._find_keys()
            copy = f'CASE WHEN "{COPY}" > 1 THEN {quote_text(REPEATED)} END'
            clauses = " ".join(f"WHEN {when} THEN {quote_text(why)}" for when, why in self._reasons())
            on = " AND ".join(f"{key} = t.{column}" for key, column in self._keys()) or "false"
            sql = (
                f'SELECT r.*, CASE {clauses} ELSE coalesce(t."{WHY}", {copy}) END AS "{WHY}" FROM'
                f" ({self._numbered()}) AS r LEFT JOIN taken AS t ON {on}"
            )
            self.connection.execute(f"CREATE TEMP VIEW judged AS {sql}")
        except (duckdb.Error, UnreadableError):
            raise DataError(self.table.name, *self._unread()) from None

    def write(self, taken: Path, digests: Sequence[str]) -> int:
        """Write the accepted rows to a file, with the delivery in its metadata; return their number."""
        columns = ", ".join(name(column.name) for column in stored_columns(self.table))
        noted = {DIGESTS: list(digests), WINDOWS: list(self.declared)}
        pairs = ", ".join(f"{key}: {quote_text(json.dumps(texts))}" for key, texts in noted.items())
        said = f"COMPRESSION zstd, KV_METADATA {{{pairs}}}"
        return self._copy(f'SELECT {columns} FROM judged WHERE "{WHY}" IS NULL', taken, said)

    def write_refused(self, refused: Path) -> dict[str, int]:
        """Write the rejected rows as text, with file and reason; return counts by reason."""
        given = [f'"{GIVEN}{column.name}" AS {name(column.name)}' for column in stored_columns(self.table)]
        columns = ", ".join([*given, f'"{FILE}"', f'"{WHY}"'])
        self._copy(f'SELECT {columns} FROM judged WHERE "{WHY}" IS NOT NULL', refused, "COMPRESSION zstd")
        sql = f'SELECT "{WHY}", count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 1'
        return dict(self.connection.execute(sql, [str(refused)]).fetchall())

    def windows(self, taken: Path, stretch: Stretch) -> tuple[str, ...]:
        """Return the privacy windows of the accepted rows."""
        return self._windows(f"({_declared(self.table, str(taken))})", stretch)

    def _windows(self, rows: str, stretch: Stretch) -> tuple[str, ...]:
        """Return the privacy windows of a relation's rows."""
        day = f"CAST({stored_time(self.table)} AS DATE)"
        days = self.connection.execute(f"SELECT DISTINCT {day} AS day FROM {rows} WHERE day IS NOT NULL").fetchall()
        return tuple(window_name(stretch.window, day) for day in sorted({begin_of(stretch.window, d) for (d,) in days}))

    def check(self, taken: Path) -> None:
        """Compute lookup and derived columns of the accepted rows, as opening will. Raises DataError."""
        made = replace(self.table, source=replace(self.table.source, path=str(taken)))
        if len(stored_columns(made)) == len(made.columns):
            return
        wanted = {join.table for join in made.source.joins} - {public.name for public in self._lists()}
        for public in (table for table in self.catalog.tables if table.name in wanted):
            copy_table(self.connection, self.catalog, public)
        copy_table(self.connection, self.catalog, made)
        addresses = {table.name: name(table.name) for table in self.catalog.tables}
        for column in (column for column in made.columns if column.complete):
            if self.connection.execute(rows_outside(made, column, addresses)).fetchall():
                why = f"{column.name} is declared to be complete, and a new row has something that is not in its list."
                raise DataError(made.name, why, "complete the list, or correct the rows")

    def _copy(self, select: str, to: Path, options: str) -> int:
        """Write a SELECT to a Parquet file; return the number of rows."""
        try:
            done = self.connection.execute(f"COPY ({select}) TO {quote_text(str(to))} (FORMAT parquet, {options})")
            return int(done.fetchall()[0][0])
        except duckdb.Error:
            raise DataError(self.table.name, *self._unread()) from None

    def _unread(self) -> tuple[str, str]:
        """Return why the files can't be read, and the cure: file, line and reason, without values."""
        for path in self.paths:
            found = csv_fault(path) if path.suffix == ".csv" else None
            if found is not None:
                line, why = found
                return f"{path.name} can't be read to its end: line {line:,}: {why}.", "correct it, and give it again"
            if not self._is_whole(path):
                return f"{path.name} can't be read to its end.", NOT_WHOLE
        return "new rows can't be read and kept.", "give whole files, and room on the disk beside the data"

    def _is_whole(self, path: Path) -> bool:
        """Return whether a file can be read to its end."""
        try:
            self.connection.execute(f"SELECT count(COLUMNS(*)) FROM {read_files(_source(path))}").fetchall()
        except (duckdb.Error, UnreadableError):
            return False
        return True

    def _lists(self) -> list[Table]:
        """Return the public tables with complete value lists for this table's columns."""
        named = {c.domain.table for c in self.table.columns if c.complete and isinstance(c.domain, ColumnOf)}
        return [table for table in self.catalog.tables if table.name in named]

    def _kinds(self) -> dict[str, str]:
        """Return the type in which to store each column: that of existing files, as one reader reads both."""
        declared = {column.name: source_type(column) for column in stored_columns(self.table)}
        if not glob(self.table.source.path):  # noqa: PTH207  a stored pattern, not a folder to walk
            return declared
        found = self._described(self.table.source)
        for column in stored_columns(self.table):
            if not fits(found.get(column.name, ""), column.type):
                raise DataError(self.table.name, f"{column.name} is not stored as declared.", CHECK)
        return {column: found[column] for column in declared}

    def _described(self, source: Source) -> dict[str, str]:
        """Return the name and type of each column of a source."""
        sql = f"SELECT * FROM {read_files(source)} LIMIT 0"
        return {column.lower(): str(kind) for column, kind, *_ in self.connection.execute(sql).description or ()}

    def _file(self, path: Path, kinds: dict[str, str]) -> str:
        """Write the SELECT of one file's rows: each column typed, and as its original text."""
        source = _source(path)
        found, parts = self._described(source), [f"{quote_text(path.name)} AS {name(FILE)}"]
        for column in stored_columns(self.table):
            own = found.get(column.name)
            if own is None:
                raise DataError(self.table.name, f"{path.name} has no column {column.name}.", "write one in every file")
            if not fits(own, column.type) and sql_type(own) is not SqlType.VARCHAR:
                why = f"{path.name} stores {column.name} as {own.partition('(')[0]}, declared is {column.stored_type}."
                raise DataError(self.table.name, why, "store the declared type, or text")
            typed, given = cast(source, name(column.name), source_type(column)), f"CAST({name(column.name)} AS VARCHAR)"
            parts.append(f"TRY_CAST({typed} AS {kinds[column.name]}) AS {name(column.name)}")
            parts.append(f'{given} AS "{GIVEN}{column.name}"')
        return f"SELECT {', '.join(parts)} FROM {read_files(source)}"

    def _reasons(self) -> Iterator[tuple[str, str]]:
        """Yield (condition, reason) for each rule that rejects a row; reasons contain no values."""
        addresses = {public.name: name(public.name) for public in self._lists()}
        for column in stored_columns(self.table):
            own, text = name(column.name), f'"{GIVEN}{column.name}"'
            given = text if column.type is SqlType.VARCHAR else f"nullif({text}, '')"
            yield f"{given} IS NOT NULL AND {own} IS NULL", f"{column.name} is no {column.stored_type}"
            if not column.nullable or column.name in self.table.primary_key:
                yield f"{own} IS NULL", f"{column.name} is NULL"
            if column.name == text_person(self.table):
                yield f"NOT ({OF_DUCKDB.can_object.format(own)})", f"{column.name} names nobody who could object"
            if column.complete:
                yield is_outside(column, addresses), f"{column.name} is not in its list"
        if self.table.time_column is not None:
            yield from self._times(self.table.time_column)

    def _times(self, column: str) -> Iterator[tuple[str, str]]:
        """Yield the rules on the time column: declared windows and range, the delivery's windows, matching date."""
        day, stretch = f"CAST({stored_time(self.table)} AS DATE)", self.catalog.dataset(self.table.dataset).stretch
        domain, ranges = _column(self.table, column).domain, []
        if stretch is not None:
            ranges.append(
                f"{day} >= DATE '{stretch.first}' AND {day} < DATE '{next_begin(stretch.window, stretch.last)}'"
            )
        if isinstance(domain, ValueRange):
            ranges.append(f"{day} BETWEEN DATE '{domain.lower}' AND DATE '{domain.upper}'")
        for inside in ranges:
            yield f"{name(column)} IS NOT NULL AND NOT coalesce({inside}, false)", f"{column} is out of range"
        if stretch is not None and self.declared:
            begins = [begin for begin in stretch.begins() if window_name(stretch.window, begin) in self.declared]
            inside = " OR ".join(
                f"{day} >= DATE '{begin}' AND {day} < DATE '{next_begin(stretch.window, begin)}'" for begin in begins
            )
            yield f"({inside}) IS NOT TRUE", f"{column} is in none of the delivery's windows"
        if self.table.date_column is not None:
            strict = rests_on_date(self.table, self.catalog)  # otherwise the table could not be opened
            differs = is_on_other_date(self.table) if strict else f"{name(self.table.date_column)} <> {day}"
            yield differs, f"{self.table.date_column} is not the date of {column}"

    def _keys(self) -> list[tuple[str, str]]:
        """Pair each primary key column, as queries read it, with its name in the table of key conflicts."""
        parts = [stored_column(_column(self.table, part)) for part in self.table.primary_key]
        return [(part, f'"{KEY}{i}"') for i, part in enumerate(parts)]

    def _find_keys(self) -> None:
        """Create the table `taken`: keys that exist already, and keys of several different new rows."""
        keys = self._keys() or [("NULL", f'"{KEY}0"')]
        named, columns = ", ".join(f"{part} AS {key}" for part, key in keys), ", ".join(key for _, key in keys)
        twice = f"SELECT {named} FROM typed GROUP BY ALL HAVING count(*) > 1"
        if self.table.primary_key:
            self._find_repeats(named, columns, twice)
            twice = f'SELECT {columns} FROM repeats GROUP BY ALL HAVING count(DISTINCT "{WHOLE_ROW}") > 1'
        sql = f"SELECT {columns}, 'the primary key names several new rows' AS \"{WHY}\" FROM ({twice})"
        if not self.table.primary_key:
            sql += " WHERE false"
        elif glob(self.table.source.path):  # noqa: PTH207  a stored pattern, not a folder to walk
            there = f"SELECT {named} FROM ({_declared(self.table, self.table.source.path)})"
            known = f"SELECT DISTINCT {columns} FROM (SELECT {named} FROM typed) SEMI JOIN ({there}) USING ({columns})"
            sql = (
                f"SELECT *, 'the primary key is there already' AS \"{WHY}\" FROM ({known}) UNION ALL (SELECT * FROM"
                f" ({sql}) ANTI JOIN ({known}) USING ({columns}))"
            )
        self.connection.execute(f"CREATE TEMP TABLE taken AS {sql}")

    def _find_repeats(self, named: str, columns: str, twice: str) -> None:
        """Create the table `repeats`: new rows with a duplicate key, numbered among exact duplicates.

        Unreadable values count as different from NULL, but not from each other.
        """
        whole = [name(column.name) for column in stored_columns(self.table)]
        whole += [f'"{GIVEN}{column.name}" IS NULL' for column in stored_columns(self.table)]
        self.connection.execute(
            f'CREATE TEMP TABLE repeats AS SELECT *, row_number() OVER (PARTITION BY {columns}, "{WHOLE_ROW}" ORDER BY'
            f' "{FILE}") AS "{COPY}" FROM (SELECT *, {named}, row({", ".join(whole)}) AS "{WHOLE_ROW}" FROM typed)'
            f" SEMI JOIN ({twice}) USING ({columns})"
        )

    def _numbered(self) -> str:
        """Write all new rows with a copy number: 1, or the position among exact duplicates."""
        keys = self._keys()
        if not keys:
            return f'SELECT *, 1 AS "{COPY}" FROM typed'
        on = " AND ".join(f"{part} = d.{key}" for part, key in keys)
        named = ", ".join(key for _, key in keys)
        dropped = ", ".join([f'"{WHOLE_ROW}"', *(key for _, key in keys)])
        once = f'SELECT *, 1 AS "{COPY}" FROM typed ANTI JOIN (SELECT DISTINCT {named} FROM repeats) AS d ON {on}'
        return f"{once} UNION ALL BY NAME SELECT * EXCLUDE ({dropped}) FROM repeats"


def _source(path: Path) -> Source:
    """Return a file as a CSV or Parquet source."""
    return Source("csv" if path.suffix == ".csv" else "parquet", str(path))


def _column(table: Table, column: str) -> Column:
    """Return a declared column."""
    found = table.column(column)
    assert found is not None  # noqa: S101  the catalog was checked
    return found


def _declared(table: Table, path: str) -> str:
    """Write the relation of stored files with their declared types."""
    columns = (f"TRY_CAST({name(c.name)} AS {source_type(c)}) AS {name(c.name)}" for c in stored_columns(table))
    return f"SELECT {', '.join(columns)} FROM {read_files(replace(table.source, path=path))}"
