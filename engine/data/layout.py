"""Layouts: a copy of the data sorted by person, and the declared rollups; built from scratch or updated.

A layout has the same rows in another order: the integers of a query are a function of each person's rows, not of their
order (proofs.md#layout). A layout is named by a digest of its inputs, so that it is not found once data or declarations
change.

If files were added and nothing else differs, a copy of the previous layout is updated:

    rows       those of the new files are added, sorted by person within each file
    windows    the privacy windows of the new rows
    rollups    recomputed from all rows in these windows, or entirely if the rollup is not partitioned by window

Rows and rollups equal those of a layout built from scratch (proofs.md#renewed).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from dialect import Catalog, Target
from dialect.algebra import Rollup
from dialect.catalog import Table
from dialect.codegen import stored_time, write_rollup
from dialect.functions import quote_identifier, quote_text
from engine.catalog.sources import ingest_folder, stored_paths
from engine.data.checks.snapshot import check_sources, check_stored
from engine.data.files.cache import DATA_FILE, layouts_of, publish, unfinished_copy
from engine.data.files.stored_files import OFFLINE_CONFIG, connect_offline, connect_spilling
from engine.data.materialized_rollups import (
    LAYOUT_ALIAS,
    ROLLUP_PREFIX,
    StoredRollup,
    declared_rollups,
    layout_address,
    valid_rollups,
)
from engine.data.snapshot import (
    CopyInputs,
    Snapshot,
    copy_digest,
    copy_inputs,
    copy_table,
    copy_tables,
    open_snapshot,
    window_condition,
    window_starts,
)
from engine.errors import DataError
from engine.progress import Progress

NEW_ROWS, WINDOW_ROWS = "new rows", "window rows"  # temporary tables; no declared table has a space in its name


@dataclass(frozen=True)
class _LayoutUpdate:
    """An update in progress: the open layout, and the privacy windows with new rows."""

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    target: Target
    windows_with_new_rows: Mapping[str, tuple[date, ...]]  # table with new rows -> first days of their privacy windows


def update_layout(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    target: Target,
    added: Mapping[str, Sequence[str]],
    rollups: Sequence[StoredRollup],
    progress: Progress,
) -> None:
    """Update a layout with the files that were added to its tables. Raises DataError.

    Claim: afterwards it holds, of every table and rollup, the multiset of rows of a layout built from scratch. Symbols:
    windows w; the rows of a rollup in w are a function of the rows of its one timed table in w, and of tables that did
    not change. Formula: none. Source: proofs.md#renewed. Raises DataError for files that can't be read.
    """
    tables = [table for table in catalog.tables if table.name in added]
    windows_with_new_rows = {t.name: _append_files(connection, catalog, t, added[t.name]) for t in tables}
    layout = _LayoutUpdate(connection, catalog, target, windows_with_new_rows)
    stored = {table for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    for place, each in enumerate(rollups):
        progress("rolling up", place / len(rollups))
        build_rollup(connection, each) if each.table not in stored else _update_rollup(layout, each)
    for stale in stored - {each.table for each in rollups}:
        if stale.startswith(ROLLUP_PREFIX):
            connection.execute(f"DROP TABLE {quote_identifier(stale)}")


def build_rollup(connection: duckdb.DuckDBPyConnection, rollup: StoredRollup) -> None:
    """Build a rollup from all rows. Raises DataError."""
    _execute(connection, f"CREATE OR REPLACE TABLE {quote_identifier(rollup.table)} AS {rollup.rows.text}")


def _append_files(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, files: Sequence[str]
) -> tuple[date, ...]:
    """Append the rows of files to their table; return the first days of the privacy windows that they are in."""
    stretch, days = catalog.datasets_by_name[table.dataset].window_range, set[date]()
    for file in files:
        copy_table(connection, catalog, replace(table, name=NEW_ROWS, source=replace(table.source, path=file)))
        if stretch is not None and table.time_column is not None:
            days |= window_starts(connection, table, quote_identifier(NEW_ROWS), stretch)
        connection.execute(f"INSERT INTO {quote_identifier(table.name)} SELECT * FROM {quote_identifier(NEW_ROWS)}")
        connection.execute(f"DROP TABLE {quote_identifier(NEW_ROWS)}")
    return tuple(sorted(days))


def _update_rollup(layout: _LayoutUpdate, rollup: StoredRollup) -> None:
    """Recompute the rows of a rollup in the windows with new rows; all of them where windows are not independent.

    With new rows of visit in January 2026:

        DELETE FROM "rollup ..." WHERE win IN (DATE '2026-01-01');
        INSERT INTO "rollup ..." SELECT ... FROM visit restricted to January GROUP BY ...

    Windows are independent if new rows are in one table, whose window is a key of the rollup, and no other table that
    the rollup reads depends on time.
    """
    private = [table for table in layout.catalog.tables if table.private and _reads_table(layout, rollup, table)]
    changed = [table for table in private if table.name in layout.windows_with_new_rows]
    if not changed:
        return
    changed_table = changed[0]
    if (
        len(changed) > 1
        or any(map(_may_depend_on_time, (table for table in private if table != changed_table)))
        or not _is_partitioned_by_window(rollup, changed_table)
    ):
        build_rollup(layout.connection, rollup)
        return
    begins = layout.windows_with_new_rows[changed_table.name]
    rows, days = _rows_in_windows(layout, changed_table, begins), ", ".join(f"DATE '{begin}'" for begin in begins)
    stored, rolled_up = quote_identifier(rollup.table), _rollup_sql(layout, rollup, changed_table)
    _execute(layout.connection, f"CREATE OR REPLACE TEMP VIEW {quote_identifier(WINDOW_ROWS)} AS {rows}")
    _execute(layout.connection, f"DELETE FROM {stored} WHERE win IN ({days or 'NULL'})")
    _execute(layout.connection, f"INSERT INTO {stored} {rolled_up}")


def _is_partitioned_by_window(rollup: StoredRollup, table: Table) -> bool:
    """Return whether the rollup has a row's own window as a key, so that each window depends on its rows alone.

    Unit columns are the columns of a plan that identify the privacy unit: person, and `win` = first day of the window.
    """
    direct = table.person is not None and not table.person.through
    return direct and table.time_column is not None and "win" in rollup.rollup.plan.unit_columns


def _may_depend_on_time(table: Table) -> bool:
    """Return whether rows of a table may depend on a privacy window: by their own time or through another table."""
    return table.time_column is not None or table.person is None or bool(table.person.through)


def _rows_in_windows(layout: _LayoutUpdate, table: Table, begins: Sequence[date]) -> str:
    """Write the SELECT of a table's rows in some privacy windows."""
    stretch = layout.catalog.datasets_by_name[table.dataset].window_range
    assert stretch is not None  # noqa: S101  rows lie in windows
    day = f"CAST({stored_time(table)} AS DATE)"
    within = (window_condition(day, stretch.window, begin, begin) for begin in begins)
    return f"SELECT * FROM {layout.target.addresses[table.name]} WHERE {' OR '.join(within) or 'false'}"


def _reads_table(layout: _LayoutUpdate, rollup: StoredRollup, table: Table) -> bool:
    """Return whether the SQL of a rollup reads a table: whether another address of the table changes the SQL."""
    return _rollup_sql(layout, rollup, table) != rollup.rows.text


def _rollup_sql(layout: _LayoutUpdate, rollup: StoredRollup, table: Table) -> str:
    """Write a rollup's SQL with one table read from the view of its rows in windows with new rows."""
    address = f"temp.main.{quote_identifier(WINDOW_ROWS)}"
    target = replace(layout.target, addresses={**layout.target.addresses, table.name: address})
    return write_rollup(rollup.rollup.plan, rollup.rollup.bounds, target)


def _execute(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Execute the SQL of a rollup. Raises DataError."""
    try:
        connection.execute(sql)
    except duckdb.Error:
        why = "a rollup of it can't be made."
        raise DataError("rollups", why, "ask its question alone, and remove what fails") from None


@dataclass(frozen=True)
class LayoutReport:
    """The result of building a layout: its file, time, sizes and number of rollups."""

    file: Path
    seconds: float
    bytes_before: int | None  # of the source files; None: private rows are in a lake
    bytes_after: int
    rollups: int
    renewed: bool = False  # True: a previous layout was updated


@dataclass(frozen=True)
class _PreviousLayout:
    """A previous layout to update, and the files added since."""

    file: Path
    added_files: Mapping[str, Sequence[str]]  # table -> files


def layout_file(catalog: Catalog, cache: Path) -> Path:
    """Return the path of the layout of the current files. Raises DataError where files are missing."""
    return cache / f"layout-{copy_digest(catalog.tables)}" / DATA_FILE


def _layout_target(catalog: Catalog) -> Target:
    """Return the addresses of all tables in an attached layout."""
    return Target({table.name: layout_address(table.name) for table in catalog.tables})


def build_layout(catalog: Catalog, cache: Path, progress: Progress, *, rebuild: bool = True) -> LayoutReport:
    """Build the layout of a catalog's data, and publish it atomically. Raises CatalogError, DataError.

    Unless `rebuild`, a previous layout is updated if only ingested files were added.
    """
    with connect_offline() as connection:
        check_sources(connection, catalog)
    start, target, inputs = time.perf_counter(), layout_file(catalog, cache), copy_inputs(catalog.tables)
    previous = None if rebuild else _previous_layout(catalog, cache, inputs)
    rollups = declared_rollups(catalog, _layout_target(catalog))
    with unfinished_copy(cache, ".optimizing-") as unfinished:
        with open_layout_for_writing(unfinished, previous) as connection:
            if previous is None:
                _build_tables(connection, catalog, rollups, progress)
            else:
                added = previous.added_files
                update_layout(connection, catalog, _layout_target(catalog), added, rollups, progress)
        if layout_file(catalog, cache) != target:
            raise DataError("layout", "the files changed while they were read.", "optimize again")
        publish(unfinished, target, catalog, inputs)
    progress("optimized", 1.0)
    seconds, bytes_after = time.perf_counter() - start, target.stat().st_size
    return LayoutReport(target, seconds, _source_bytes(catalog), bytes_after, len(rollups), previous is not None)


def _previous_layout(catalog: Catalog, cache: Path, inputs: CopyInputs) -> _PreviousLayout | None:
    """Return a previous layout that can be updated: same declarations and files, except for ingested ones."""
    for folder, previous_inputs in layouts_of(catalog, cache):
        added = {table.name: _ingested_since(table, previous_inputs, inputs) for table in catalog.tables}
        if previous_inputs.keys() == inputs.keys() and None not in added.values() and (folder / DATA_FILE).exists():
            return _PreviousLayout(folder / DATA_FILE, {table: files for table, files in added.items() if files})
    return None


def _ingested_since(table: Table, previous_inputs: CopyInputs, inputs: CopyInputs) -> list[str] | None:
    """List the files ingested into a table since a layout was built; None if anything else differs."""
    previous, now = (each.get(table.name, {}) for each in (previous_inputs, inputs))
    old, new = ({tuple(file) for file in each.get("files", ())} for each in (previous, now))
    place, added = ingest_folder(table), sorted(str(path) for path, *_ in new - old)
    by_ingest = set() if place is None else {str(path) for path in place.ingested_files().values()}
    same = previous.get("declared") == now.get("declared") and old <= new and set(added) <= by_ingest
    return added if same else None


def has_layout(catalog: Catalog, cache: Path) -> bool:
    """Return whether a layout of the current files exists."""
    try:
        return layout_file(catalog, cache).exists()
    except DataError:  # a file is missing: opening the data reports it
        return False


def open_layout_or_snapshot(catalog: Catalog, cache: Path, progress: Progress) -> tuple[Snapshot, tuple[Rollup, ...]]:
    """Open the layout of the current files, or a snapshot if there is none. Raises DataError as for a snapshot."""
    if not has_layout(catalog, cache):
        return open_snapshot(catalog, cache, progress), ()
    file = layout_file(catalog, cache)
    layout = Snapshot({LAYOUT_ALIAS: str(file)}, dict(_layout_target(catalog).addresses))
    with connect_offline() as connection:
        check_sources(connection, catalog)
        check_stored(connection, catalog, layout.files, layout.addresses)
    # the rollups that the catalog still declares, with identical SQL
    stored, declared = layout_tables(file), valid_rollups(catalog, _layout_target(catalog))
    return layout, tuple(each.rollup for each in declared if each.table in stored)


def layout_tables(file: Path) -> set[str]:
    """List the tables of a layout. Raises DataError where it can't be opened."""
    try:
        with duckdb.connect(str(file), read_only=True, config=OFFLINE_CONFIG) as connection:
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    except duckdb.Error:
        cure = "run passersby catalog forget, and optimize again"
        raise DataError("layout", "DuckDB can't open its file.", cure) from None
    return {table for (table,) in found}


@contextmanager
def open_layout_for_writing(file: Path, previous: _PreviousLayout | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a new layout for writing, or a copy of a previous one. Raises DataError, without DuckDB's own text."""
    try:
        if previous is not None:
            shutil.copyfile(previous.file, file)
        with connect_spilling(file.parent) as connection:
            connection.execute(f"ATTACH {quote_text(str(file))} AS {LAYOUT_ALIAS}")
            connection.execute(f"USE {LAYOUT_ALIAS}")
            yield connection
    except (duckdb.Error, OSError):
        why = "it could not be written."
        raise DataError("layout", why, "make room in the cache folder, and run passersby catalog optimize") from None


def _build_tables(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, rollups: Sequence[StoredRollup], progress: Progress
) -> None:
    """Copy all tables and build all rollups."""
    tables, steps = len(catalog.tables), len(catalog.tables) + len(rollups)
    copy_tables(connection, catalog, catalog.tables, lambda what, part: progress(what, part * tables / steps))
    for place, each in enumerate(rollups, tables):
        progress("rolling up", place / steps)
        build_rollup(connection, each)


def _source_bytes(catalog: Catalog) -> int:
    """Return the total size of the source files."""
    paths = {path for table in catalog.tables for path in stored_paths(table.source.path)}
    return sum(os.stat(path).st_size for path in paths)  # noqa: PTH116
