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
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from glob import glob
from pathlib import Path

import duckdb

from dialect import Catalog, Target
from dialect.algebra import Rollup
from dialect.catalog import Table, begin_of, next_begin
from dialect.codegen import stored_time, write_rollup
from dialect.functions import name, quote_text
from engine.catalog.sources import place_of
from engine.data.checks.snapshot import check_sources, check_stored
from engine.data.files.cache import layouts_of, publish
from engine.data.files.files import OFFLINE, offline
from engine.data.materialized_rollups import LAYOUT, ROLLUP, StoredRollup, declared_rollups, readable_rollups, stored_at
from engine.data.snapshot import CopiedFrom, Snapshot, copied_from, copy_table, fingerprint, snapshot
from engine.errors import DataError
from engine.progress import Progress

NEW, PART = "new rows", "part of windows"  # temporary tables; no declared table has a space in its name


@dataclass(frozen=True)
class _Layout:
    """An update in progress: the open layout, and the privacy windows with new rows."""

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    target: Target
    touched: Mapping[str, tuple[date, ...]]  # table with new rows -> first days of their privacy windows


def renew(
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
    touched = {table.name: _append(connection, catalog, table, added[table.name]) for table in tables}
    layout = _Layout(connection, catalog, target, touched)
    there = {table for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    for place, each in enumerate(rollups):
        progress("rolling up", place / len(rollups))
        roll_up(connection, each) if each.table not in there else _roll_on(layout, each)
    for left in there - {each.table for each in rollups}:
        if left.startswith(ROLLUP):
            connection.execute(f"DROP TABLE {name(left)}")


def roll_up(connection: duckdb.DuckDBPyConnection, each: StoredRollup) -> None:
    """Build a rollup from all rows. Raises DataError."""
    _run(connection, f"CREATE OR REPLACE TABLE {name(each.table)} AS {each.rows.text}")


def _append(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, files: Sequence[str]
) -> tuple[date, ...]:
    """Append the rows of files to their table; return the first days of the privacy windows that they are in."""
    stretch, days = catalog.dataset(table.dataset).stretch, set[date]()
    for file in files:
        copy_table(connection, catalog, replace(table, name=NEW, source=replace(table.source, path=file)))
        if stretch is not None and table.time_column is not None:
            found = f"SELECT DISTINCT CAST({stored_time(table)} AS DATE) AS day FROM {name(NEW)} WHERE day IS NOT NULL"
            days |= {begin_of(stretch.window, day) for (day,) in connection.execute(found).fetchall()}
        connection.execute(f"INSERT INTO {name(table.name)} SELECT * FROM {name(NEW)}")
        connection.execute(f"DROP TABLE {name(NEW)}")
    return tuple(sorted(days))


def _roll_on(layout: _Layout, each: StoredRollup) -> None:
    """Recompute the rows of a rollup in the windows with new rows; all of them where windows are not independent.

    With new rows of visit in January 2026:

        DELETE FROM "rollup ..." WHERE win IN (DATE '2026-01-01');
        INSERT INTO "rollup ..." SELECT ... FROM visit restricted to January GROUP BY ...
    """
    private = [table for table in layout.catalog.tables if table.private and _reads(layout, each, table)]
    changed = [table for table in private if table.name in layout.touched]
    if not changed:
        return
    only = changed[0]
    if (
        len(changed) > 1
        or any(map(_may_be_timed, (table for table in private if table != only)))
        or not _stands_apart(each, only)
    ):
        roll_up(layout.connection, each)
        return
    begins = layout.touched[only.name]
    _run(layout.connection, f"CREATE OR REPLACE TEMP VIEW {name(PART)} AS {_part(layout, only, begins)}")
    days = ", ".join(f"DATE '{begin}'" for begin in begins)
    _run(layout.connection, f"DELETE FROM {name(each.table)} WHERE win IN ({days or 'NULL'})")
    _run(layout.connection, f"INSERT INTO {name(each.table)} {_over(layout, each, only, f'temp.main.{name(PART)}')}")


def _stands_apart(each: StoredRollup, table: Table) -> bool:
    """Return whether the rollup has a row's own window as a key, so that each window depends on its rows alone."""
    direct = table.person is not None and not table.person.through
    return direct and table.time_column is not None and "win" in each.rollup.plan.unit


def _may_be_timed(table: Table) -> bool:
    """Return whether rows of a table may depend on a privacy window: by their own time or through another table."""
    return table.time_column is not None or table.person is None or bool(table.person.through)


def _part(layout: _Layout, table: Table, begins: Sequence[date]) -> str:
    """Write the SELECT of a table's rows in some privacy windows."""
    stretch = layout.catalog.dataset(table.dataset).stretch
    assert stretch is not None  # noqa: S101  rows lie in windows
    day = f"CAST({stored_time(table)} AS DATE)"
    within = (f"{day} >= DATE '{one}' AND {day} < DATE '{next_begin(stretch.window, one)}'" for one in begins)
    return f"SELECT * FROM {layout.target.addresses[table.name]} WHERE {' OR '.join(within) or 'false'}"


def _reads(layout: _Layout, each: StoredRollup, table: Table) -> bool:
    """Return whether the SQL of a rollup reads a table: whether another address of the table changes the SQL."""
    return _over(layout, each, table, f"temp.main.{name(PART)}") != each.rows.text


def _over(layout: _Layout, each: StoredRollup, table: Table, address: str) -> str:
    """Write a rollup's SQL with one table read from another address."""
    elsewhere = replace(layout.target, addresses={**layout.target.addresses, table.name: address})
    return write_rollup(each.rollup.plan, each.rollup.bounds, elsewhere)


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Execute the SQL of a rollup. Raises DataError."""
    try:
        connection.execute(sql)
    except duckdb.Error:
        why = "a rollup of it can't be made."
        raise DataError("rollups", why, "ask its question alone, and remove what fails") from None


MEMORY = "4GB"
DATA = "data.duckdb"


@dataclass(frozen=True)
class Account:
    """The result of building a layout: its file, time, sizes and number of rollups."""

    file: Path
    seconds: float
    bytes_before: int | None  # of the source files; None: private rows are in a lake
    bytes_after: int
    rollups: int
    renewed: bool = False  # True: a previous layout was updated


@dataclass(frozen=True)
class _Older:
    """A previous layout to update, and the files added since."""

    file: Path
    added: Mapping[str, Sequence[str]]  # table -> files


def layout_file(catalog: Catalog, cache: Path) -> Path:
    """Return the path of the layout of the current files. Raises DataError where files are missing."""
    return cache / f"layout-{fingerprint(catalog.tables)}" / DATA


def addresses(catalog: Catalog) -> Mapping[str, str]:
    """Return the address of each table in an attached layout."""
    return {table.name: stored_at(table.name) for table in catalog.tables}


def optimize(catalog: Catalog, cache: Path, progress: Progress, *, anew: bool = True) -> Account:
    """Build the layout of a catalog's data, and publish it atomically. Raises CatalogError, DataError.

    Unless `rebuild`, a previous layout is updated if only ingested files were added.
    """
    with offline() as connection:
        check_sources(connection, catalog)
    start, target, made = time.perf_counter(), layout_file(catalog, cache), copied_from(catalog.tables)
    older = None if anew else _older(catalog, cache, made)
    rollups = declared_rollups(catalog, Target(addresses(catalog)))
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # created owner-only
        unfinished = Path(work) / DATA
        with opened_layout(unfinished, older) as connection:
            if older is None:
                _build(connection, catalog, rollups, progress)
            else:
                renew(connection, catalog, Target(addresses(catalog)), older.added, rollups, progress)
        if layout_file(catalog, cache) != target:
            raise DataError("layout", "the files changed while they were read.", "optimize again")
        publish(unfinished, target, catalog, made)
    progress("optimized", 1.0)
    seconds = time.perf_counter() - start
    return Account(target, seconds, _bytes(catalog), target.stat().st_size, len(rollups), older is not None)


def _older(catalog: Catalog, cache: Path, made: CopiedFrom) -> _Older | None:
    """Return a previous layout that can be updated: same declarations and files, except for ingested ones."""
    for folder, noted in layouts_of(catalog, cache):
        added = {table.name: _more(table, noted, made) for table in catalog.tables}
        if noted.keys() == made.keys() and None not in added.values() and (folder / DATA).exists():
            return _Older(folder / DATA, {table: files for table, files in added.items() if files})
    return None


def _more(table: Table, noted: CopiedFrom, made: CopiedFrom) -> list[str] | None:
    """List the files ingested into a table since a layout was built; None if anything else differs."""
    before, now = (each.get(table.name, {}) for each in (noted, made))
    old, new = ({tuple(file) for file in each.get("files", ())} for each in (before, now))
    place, more = place_of(table), sorted(str(path) for path, *_ in new - old)
    by_ingest = set() if place is None else {str(path) for path in place.added().values()}
    same = before.get("declared") == now.get("declared") and old <= new and set(more) <= by_ingest
    return more if same else None


def has_layout(catalog: Catalog, cache: Path) -> bool:
    """Return whether a layout of the current files exists."""
    try:
        return layout_file(catalog, cache).exists()
    except DataError:  # a file is missing: opening the data reports it
        return False


def laid_out(catalog: Catalog, cache: Path, progress: Progress) -> tuple[Snapshot, tuple[Rollup, ...]]:
    """Open the layout of the current files, or a snapshot if there is none. Raises DataError as for a snapshot."""
    if not has_layout(catalog, cache):
        return snapshot(catalog, cache, progress), ()
    file = layout_file(catalog, cache)
    made = Snapshot({LAYOUT: str(file)}, dict(addresses(catalog)))
    with offline() as connection:
        check_sources(connection, catalog)
        check_stored(connection, catalog, made.files, made.addresses)
    return made, found_rollups(catalog, file)


def found_rollups(catalog: Catalog, file: Path) -> tuple[Rollup, ...]:
    """Return the rollups stored in a layout that the catalog still declares, with identical SQL."""
    stored, known = tables_in(file), readable_rollups(catalog, Target(addresses(catalog)))
    return tuple(each.rollup for each in known if each.table in stored)


def tables_in(file: Path) -> set[str]:
    """List the tables of a layout. Raises DataError where it can't be opened."""
    try:
        with duckdb.connect(str(file), read_only=True, config=OFFLINE) as connection:
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    except duckdb.Error:
        cure = "run passersby catalog forget, and optimize again"
        raise DataError("layout", "DuckDB can't open its file.", cure) from None
    return {table for (table,) in found}


@contextmanager
def opened_layout(file: Path, older: _Older | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a new layout for writing, or a copy of a previous one. Raises DataError, without DuckDB's own text."""
    try:
        if older is not None:
            shutil.copyfile(older.file, file)
        with offline(memory_limit=MEMORY, temp_directory=str(file.parent / "spill")) as connection:
            with suppress(duckdb.InvalidInputException):  # fails in notebooks without widgets
                connection.execute("SET enable_progress_bar = false")
            connection.execute(f"ATTACH {quote_text(str(file))} AS {LAYOUT}")
            connection.execute(f"USE {LAYOUT}")
            yield connection
    except (duckdb.Error, OSError):
        why = "it could not be written."
        raise DataError("layout", why, "make room in the cache folder, and run passersby catalog optimize") from None


def _build(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, rollups: Sequence[StoredRollup], progress: Progress
) -> None:
    """Copy all tables and build all rollups."""
    tables, steps = len(catalog.tables), len(catalog.tables) + len(rollups)
    copy_tables(connection, catalog, lambda what, part: progress(what, part * tables / steps))
    for place, each in enumerate(rollups, tables):
        progress("rolling up", place / steps)
        roll_up(connection, each)


def copy_tables(connection: duckdb.DuckDBPyConnection, catalog: Catalog, progress: Progress) -> None:
    """Copy every table into a new layout. Raises DataError."""
    ordered = sorted(catalog.tables, key=lambda table: table.private)  # public tables first: lookups read them
    for place, table in enumerate(ordered):
        within = partial(_within, progress, f"making columns of {table.name}", place, len(ordered))
        progress(f"copying {table.name}", place / len(ordered))
        copy_table(connection, catalog, table, within)


def _within(progress: Progress, what: str, place: int, steps: int, part: float) -> None:
    """Report the completed fraction of one step as a fraction of all steps."""
    progress(what, (place + part) / steps)


def _bytes(catalog: Catalog) -> int:
    """Return the total size of the source files."""
    paths = {path for table in catalog.tables for path in glob(table.source.path, recursive=True)}  # noqa: PTH207
    return sum(os.stat(path).st_size for path in paths)  # noqa: PTH116
