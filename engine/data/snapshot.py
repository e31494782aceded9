"""Snapshots: DuckDB files of the declared tables, opened read-only: one consistent, checked copy of the sources.

Tables of a DuckDB file are used in place. Parquet and CSV files, and tables with lookup columns, are copied once, typed
and sorted by person, into the owner-only cache folder; changed files make a new copy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from dialect.catalog import (
    Catalog,
    PrivacyWindow,
    Source,
    Table,
    WindowRange,
    first_day_of_window,
    next_window_start,
    stable_text,
)
from dialect.codegen import stored_time
from dialect.functions import quote_identifier, quote_text
from engine.catalog.sources import stored_paths
from engine.data.checks.snapshot import CHECK_CURE, check_sources, check_stored
from engine.data.files.cache import DATA_FILE, publish, unfinished_copy
from engine.data.files.csv_files import UnreadableError
from engine.data.files.derived_columns import (
    FractionProgress,
    copy_type,
    derivation_identity,
    is_derived,
    source_columns,
    source_type,
    write_derived_rows,
)
from engine.data.files.stored_files import connect_offline, files_relation, typed_columns
from engine.errors import DataError
from engine.progress import Progress

CopyInputs = dict[str, dict[str, Any]]  # the inputs of a copy, as JSON
WAL_SUFFIX = ".wal"  # suffix of a DuckDB file's write-ahead log


@dataclass(frozen=True)
class Snapshot:
    """Files to attach, and the address of every declared table in them."""

    files: dict[str, str]  # alias -> path
    addresses: dict[str, str]  # table -> alias.schema.table


def open_snapshot(catalog: Catalog, cache: Path, progress: Progress) -> Snapshot:
    """Build or find the snapshot of a catalog. Raises DataError where files are not as declared."""
    with connect_offline() as connection:  # one for all checks: starting DuckDB takes as long as they do
        check_sources(connection, catalog)
        located = _locate_tables(catalog, cache, progress)
        check_stored(connection, catalog, located.files, located.addresses)
    return located


def _locate_tables(catalog: Catalog, cache: Path, progress: Progress) -> Snapshot:
    """Assign an address to every table: in its own DuckDB file, or in a copy."""
    copied = [table for table in catalog.tables if table.source.format != "duckdb" or _has_added_columns(table)]
    files: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for table in (table for table in catalog.tables if table not in copied):
        alias = next((a for a, path in files.items() if path == table.source.path), f"stored{len(files)}")
        files[alias] = table.source.path
        addresses[table.name] = f"{alias}.main.{quote_identifier(table.source.table or table.name)}"
    if copied:
        files["copied"] = str(_copy_tables(catalog, copied, cache, progress))
        addresses |= {table.name: f"copied.main.{quote_identifier(table.name)}" for table in copied}
    return Snapshot(files, addresses)


def _has_added_columns(table: Table) -> bool:
    """Return whether a table has columns that its source lacks: lookups or derived columns."""
    return bool(table.source.joins) or any(map(is_derived, table.columns))


def _copy_tables(catalog: Catalog, tables: list[Table], cache: Path, progress: Progress) -> Path:
    """Copy tables into the cache, unless an identical copy exists; return the file."""
    looked_up = {join.table for table in tables for join in table.source.joins}
    needed = [table for table in catalog.tables if table in tables or table.name in looked_up]
    target = cache / f"snapshot-{copy_digest(needed)}" / DATA_FILE
    if target.exists():
        return target
    with unfinished_copy(cache, ".copying-") as unfinished:
        with connect_offline(str(unfinished)) as connection:
            copy_tables(connection, catalog, needed, progress)
        if cache / f"snapshot-{copy_digest(needed)}" != target.parent:
            raise DataError("snapshot", "the files changed while they were read.", "open them again")
        publish(unfinished, target, catalog)
    progress("copied", 1.0)
    return target


def copy_tables(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, tables: Iterable[Table], progress: Progress
) -> None:
    """Copy tables, public ones first, as lookups read them. Raises DataError."""
    ordered = sorted(tables, key=lambda table: table.private)
    for place, table in enumerate(ordered):
        progress(f"copying {table.name}", place / len(ordered))
        copy_table(connection, catalog, table, partial(_report_step, progress, table, place, len(ordered)))


def _report_step(progress: Progress, table: Table, place: int, tables: int, fraction: float) -> None:
    """Report the completed fraction of one table as a fraction of all tables."""
    progress(f"making columns of {table.name}", (place + fraction) / tables)


def copy_table(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    table: Table,
    progress: FractionProgress = lambda part: None,
) -> None:
    """Copy a table with its declared types, lookup columns and derived columns. Raises DataError.

    The error contains none of DuckDB's own text.
    """
    columns = [typed_columns(table.source, {c.name: source_type(c) for c in source_columns(table)}, "t.")]
    joins = ""
    for i, join in enumerate(table.source.joins):
        key, own = quote_identifier(single_key_name(catalog, join.table)), quote_identifier(join.join_column)
        columns.append(f"j{i}.{quote_identifier(join.source_column)} AS {quote_identifier(join.column)}")
        joins += f" LEFT JOIN {quote_identifier(join.table)} AS j{i} ON t.{own} = j{i}.{key}"
    person = table.person.column if table.person is not None and not table.person.through else None
    order = f" ORDER BY {quote_identifier(person)}" if person else ""
    types = ", ".join(f"{quote_identifier(c.name)} {copy_type(c)}" for c in table.columns)
    try:
        rows = f"SELECT {', '.join(columns)} FROM {_source_relation(connection, table.source)} AS t{joins}"
        connection.execute(f"CREATE TABLE {quote_identifier(table.name)} ({types})")
        select = write_derived_rows(connection, table, rows, progress)
        connection.execute(f"INSERT INTO {quote_identifier(table.name)} BY NAME {select}{order}")
    except (duckdb.Error, UnreadableError):
        raise DataError(table.name, "its files can't be read as declared.", CHECK_CURE) from None
    _check_cells(connection, table)


def window_starts(connection: duckdb.DuckDBPyConnection, table: Table, rows: str, windows: WindowRange) -> set[date]:
    """Return the first days of the privacy windows in which some rows of a table are."""
    day = f"CAST({stored_time(table)} AS DATE)"
    days = connection.execute(f"SELECT DISTINCT {day} AS day FROM {rows} WHERE day IS NOT NULL").fetchall()
    return {first_day_of_window(windows.window, day) for (day,) in days}


def window_condition(day: str, window: PrivacyWindow, first: date, last: date) -> str:
    """Write the condition that a day is in the privacy windows that begin from one day to another, inclusive."""
    return f"{day} >= DATE '{first}' AND {day} < DATE '{next_window_start(window, last)}'"


def _check_cells(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Reject NULL cells in a non-nullable column: a place outside the valid coordinates has no cell."""
    for column in (c for c in table.columns if c.cell is not None and not c.nullable):
        if connection.execute(
            f"SELECT 1 FROM {quote_identifier(table.name)} WHERE {quote_identifier(column.name)} IS NULL LIMIT 1"
        ).fetchall():
            why = f"{column.name} is declared to be never NULL, and a row has no place on earth."
            raise DataError(table.name, why, "correct the files, or write nullable = true")


def single_key_name(catalog: Catalog, public: str) -> str:
    """Return the single primary key column of a public lookup table."""
    table = catalog.tables_by_name.get(public)
    assert table is not None  # noqa: S101  the catalog was checked
    return table.primary_key[0]


def _source_relation(connection: duckdb.DuckDBPyConnection, source: Source) -> str:
    """Write the relation that reads a source; a DuckDB file is attached once, read-only."""
    if source.format != "duckdb":
        return files_relation(source)
    alias = f"source_{hashlib.sha256(source.path.encode()).hexdigest()[:16]}"
    connection.execute(f"ATTACH IF NOT EXISTS {quote_text(source.path)} AS {alias} (READ_ONLY)")
    return f"{alias}.main.{quote_identifier(source.table or '')}"


def copy_digest(tables: Iterable[Table]) -> str:
    """Return a digest of everything that determines a copy. Raises DataError where there is no file."""
    return inputs_digest(copy_inputs(tables))


def inputs_digest(inputs: Mapping[str, object]) -> str:
    """Return a digest of a copy's inputs."""
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def copy_inputs(tables: Iterable[Table]) -> CopyInputs:
    """Return the inputs of a copy: DuckDB's minor version, and each table's declarations, file sizes and times.

    Raises DataError where there is no file.
    """
    version = {"duckdb": duckdb.__version__.rsplit(".", 1)[0]}
    return {"": version, **{table.name: _table_inputs(table) for table in tables}}


def declaration_text(table: Table) -> str:
    """Return a text of the declarations that a copy of a table depends on. Names in the code are no part of it."""
    person = None if table.person is None else table.person.column
    columns = [(c.name, c.stored_type) for c in table.columns]
    return stable_text((table.source, person, table.primary_key, columns)) + derivation_identity(table)


def _table_inputs(table: Table) -> dict[str, Any]:
    """Return a table's declarations, and the size and time of each file. Raises DataError where there is no file."""
    paths = stored_paths(table.source.path)
    if not paths:
        raise DataError(table.name, f"there is no file {table.source.path}.", "correct source in the catalog")
    return {
        "declared": declaration_text(table),
        "files": [[path, *file_stat(path), *file_stat(f"{path}{WAL_SUFFIX}")] for path in paths],
    }


def file_stat(path: str | Path) -> tuple[int, ...]:
    """Return the size and modification time of a file; () if it does not exist."""
    try:
        facts = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return ()
    return facts.st_size, facts.st_mtime_ns
