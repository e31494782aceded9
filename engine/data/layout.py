"""Layouts: a copy of the data sorted by person, and the declared rollups; made at once, or brought up to date.

The same rows in another order: which integers a question has is a function of each person's rows, not of their order
(proofs.md#layout). The layout is named by what decides it, so that changed data or declarations find none.

Where files were added, and nothing else differs, a copy of the previous layout is brought up to them:

    rows       those of the new files are added, in the order of persons among themselves
    windows    those in which they lie
    rollups    the part of these windows is made anew from all rows; where windows do not stand apart, everything

The rows and rollups are those of a layout that is made at once (proofs.md#renewed).
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

NEW, PART = "new rows", "part of windows"  # no declared table can have such a name


@dataclass(frozen=True)
class _Layout:
    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    target: Target
    touched: Mapping[str, tuple[date, ...]]  # table with new rows -> begins of the windows that they lie in


def renew(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    target: Target,
    added: Mapping[str, Sequence[str]],
    rollups: Sequence[StoredRollup],
    progress: Progress,
) -> None:
    """Bring a layout up to the files that were added to tables; raises DataError.

    Claim: afterwards it holds, of every table and rollup, the multiset of rows that a layout made at once holds.
    Symbols: windows w; the rows of a rollup in w are a function of the rows of its one timed table in w, and of tables
    that did not change. Formula: none. Source: proofs.md#renewed. Raises DataError for files that can't be read.
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
    """Make a rollup from all rows; raises DataError."""
    _run(connection, f"CREATE OR REPLACE TABLE {name(each.table)} AS {each.rows.text}")


def _append(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, files: Sequence[str]
) -> tuple[date, ...]:
    """Add the rows of files to their table, and tell in which windows they lie."""
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
    """Make the part of a rollup that new rows change."""
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
    """Tell whether the windows of a rollup are those of the rows of a table, each for itself."""
    direct = table.person is not None and not table.person.through
    return direct and table.time_column is not None and "win" in each.rollup.plan.unit


def _may_be_timed(table: Table) -> bool:
    return table.time_column is not None or table.person is None or bool(table.person.through)


def _part(layout: _Layout, table: Table, begins: Sequence[date]) -> str:
    """Write the rows of a table that lie in some windows."""
    stretch = layout.catalog.dataset(table.dataset).stretch
    assert stretch is not None  # noqa: S101  rows lie in windows
    day = f"CAST({stored_time(table)} AS DATE)"
    within = (f"{day} >= DATE '{one}' AND {day} < DATE '{next_begin(stretch.window, one)}'" for one in begins)
    return f"SELECT * FROM {layout.target.addresses[table.name]} WHERE {' OR '.join(within) or 'false'}"


def _reads(layout: _Layout, each: StoredRollup, table: Table) -> bool:
    """Tell whether the SQL of a rollup reads a table: with another address of it, it is another one."""
    return _over(layout, each, table, f"temp.main.{name(PART)}") != each.rows.text


def _over(layout: _Layout, each: StoredRollup, table: Table, address: str) -> str:
    """Write a rollup's SQL over rows of a table that lie elsewhere."""
    elsewhere = replace(layout.target, addresses={**layout.target.addresses, table.name: address})
    return write_rollup(each.rollup.plan, each.rollup.bounds, elsewhere)


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        connection.execute(sql)
    except duckdb.Error:
        why = "a rollup of it can't be made."
        raise DataError("rollups", why, "ask its question alone, and remove what fails") from None


MEMORY = "4GB"
DATA = "data.duckdb"


@dataclass(frozen=True)
class Account:
    """What a layout cost, and where it lies."""

    file: Path
    seconds: float
    bytes_before: int | None  # of the raw files; None: people's rows lie in a lake
    bytes_after: int
    rollups: int
    renewed: bool = False  # a layout of before was brought up to new files


@dataclass(frozen=True)
class _Older:
    """A layout of the data of before, and the files that came since."""

    file: Path
    added: Mapping[str, Sequence[str]]  # by table


def layout_file(catalog: Catalog, cache: Path) -> Path:
    """Name the file of the layout of the data as they lie there now; raises DataError where there are none."""
    return cache / f"layout-{fingerprint(catalog.tables)}" / DATA


def addresses(catalog: Catalog) -> Mapping[str, str]:
    """Say where each table lies in a layout."""
    return {table.name: stored_at(table.name) for table in catalog.tables}


def optimize(catalog: Catalog, cache: Path, progress: Progress, *, anew: bool = True) -> Account:
    """Build the layout of a catalog's data beside them, in one step at the end; raises CatalogError, DataError.

    Unless it is to be made anew, what a layout of before has of the same files is kept.
    """
    with offline() as connection:
        check_sources(connection, catalog)
    start, target, made = time.perf_counter(), layout_file(catalog, cache), copied_from(catalog.tables)
    older = None if anew else _older(catalog, cache, made)
    rollups = declared_rollups(catalog, Target(addresses(catalog)))
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # its owner's alone
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
    """Find a layout of which all is kept: of the same declarations and files, but for those that ingest added."""
    for folder, noted in layouts_of(catalog, cache):
        added = {table.name: _more(table, noted, made) for table in catalog.tables}
        if noted.keys() == made.keys() and None not in added.values() and (folder / DATA).exists():
            return _Older(folder / DATA, {table: files for table, files in added.items() if files})
    return None


def _more(table: Table, noted: CopiedFrom, made: CopiedFrom) -> list[str] | None:
    """List the files that ingest added to a table since; None where anything else is another."""
    before, now = (each.get(table.name, {}) for each in (noted, made))
    old, new = ({tuple(file) for file in each.get("files", ())} for each in (before, now))
    place, more = place_of(table), sorted(str(path) for path, *_ in new - old)
    by_ingest = set() if place is None else {str(path) for path in place.added().values()}
    same = before.get("declared") == now.get("declared") and old <= new and set(more) <= by_ingest
    return more if same else None


def has_layout(catalog: Catalog, cache: Path) -> bool:
    """Tell whether there is a layout of the data as they lie there now."""
    try:
        return layout_file(catalog, cache).exists()
    except DataError:  # a file is missing: whoever opens it says so
        return False


def laid_out(catalog: Catalog, cache: Path, progress: Progress) -> tuple[Snapshot, tuple[Rollup, ...]]:
    """Open the layout of the data where there is one, else the data themselves; raises DataError as snapshot does."""
    if not has_layout(catalog, cache):
        return snapshot(catalog, cache, progress), ()
    file = layout_file(catalog, cache)
    made = Snapshot({LAYOUT: str(file)}, dict(addresses(catalog)))
    with offline() as connection:
        check_sources(connection, catalog)
        check_stored(connection, catalog, made.files, made.addresses)
    return made, found_rollups(catalog, file)


def found_rollups(catalog: Catalog, file: Path) -> tuple[Rollup, ...]:
    """Find the rollups of a layout that the catalog still declares, word for word in the SQL that made them."""
    stored, known = tables_in(file), readable_rollups(catalog, Target(addresses(catalog)))
    return tuple(each.rollup for each in known if each.table in stored)


def tables_in(file: Path) -> set[str]:
    """List the tables of a layout; raises DataError where it can't be opened."""
    try:
        with duckdb.connect(str(file), read_only=True, config=OFFLINE) as connection:
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    except duckdb.Error:
        cure = "run passersby catalog forget, and optimize again"
        raise DataError("layout", "DuckDB can't open its file.", cure) from None
    return {table for (table,) in found}


@contextmanager
def opened_layout(file: Path, older: _Older | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an unfinished layout, or the copy of one of before; none of DuckDB's own text is in an error."""
    try:
        if older is not None:
            shutil.copyfile(older.file, file)
        with offline(memory_limit=MEMORY, temp_directory=str(file.parent / "spill")) as connection:
            with suppress(duckdb.InvalidInputException):  # a notebook without widgets refuses to speak of a bar
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
    tables, steps = len(catalog.tables), len(catalog.tables) + len(rollups)
    copy_tables(connection, catalog, lambda what, part: progress(what, part * tables / steps))
    for place, each in enumerate(rollups, tables):
        progress("rolling up", place / steps)
        roll_up(connection, each)


def copy_tables(connection: duckdb.DuckDBPyConnection, catalog: Catalog, progress: Progress) -> None:
    """Copy every table into an unfinished layout; raises DataError."""
    ordered = sorted(catalog.tables, key=lambda table: table.private)  # public ones first: joins look them up
    for place, table in enumerate(ordered):
        within = partial(_within, progress, f"making columns of {table.name}", place, len(ordered))
        progress(f"copying {table.name}", place / len(ordered))
        copy_table(connection, catalog, table, within)


def _within(progress: Progress, what: str, place: int, steps: int, part: float) -> None:
    progress(what, (place + part) / steps)


def _bytes(catalog: Catalog) -> int:
    paths = {path for table in catalog.tables for path in glob(table.source.path, recursive=True)}  # noqa: PTH207
    return sum(os.stat(path).st_size for path in paths)  # noqa: PTH116
