"""A copy of the layout of before, and files of new rows -> the layout of now, without making all of it again.

    rows       those of the new files are added, in the order of persons among themselves
    windows    those in which they lie
    rollups    the part of these windows is made anew from all rows; where windows do not stand apart, everything

The rows and rollups are those of a layout that is made at once (proofs.md#renewed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from dialect import Catalog, Target
from dialect.catalog.catalog import Table
from dialect.catalog.privacy_windows import begin_of, next_begin
from dialect.codegen.retention import stored_time
from dialect.codegen.rollups import write_rollup
from dialect.functions.write_expr import name
from engine.data.rollups import ROLLUP, StoredRollup
from engine.data.snapshot import copy_table
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
