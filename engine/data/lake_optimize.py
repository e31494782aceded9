"""Building a lake's layout: rollups and eligible persons are read from the lake once, in parts that fit a driver."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from dialect import Catalog
from dialect.algebra import LakeRows, Rollup
from dialect.codegen import counted, in_part, stored_rows
from dialect.functions import name
from engine.backends.protocol import Lake
from engine.data.checks.lake import table_place
from engine.data.files.cache import publish
from engine.data.lake_layout import layout_file, layout_target, made_of, public_part, states
from engine.data.layout import DATA, Account, copy_tables, opened_layout
from engine.data.materialized_rollups import StoredRollup, declared_rollups
from engine.data.open import open_lake
from engine.data.snapshot import CopiedFrom
from engine.errors import CatalogError, DataError, ExecutionFailed
from engine.progress import Progress

ROWS_OF_PART = 3_000_000  # rows per part, below spark.driver.maxResultSize (1 GB by default)
SECONDS = 86_400.0  # limit for one part: the owner waits, and may interrupt it
PART = "part of lake"  # temporary table; no declared table has a space in its name


@dataclass(frozen=True)
class _Kept:
    """A query of the lake, and the local table in which its result is stored."""

    table: str
    rows: LakeRows  # with a column `person`
    rollup: Rollup | None = None  # None: eligible persons


def optimize_lake(catalog: Catalog, remote: str, cache: Path, progress: Progress) -> Account:
    """Build the layout of a lake's rollups, and publish it atomically. Raises CatalogError, DataError.

    Claim: it holds the rows that the SQL of each rollup, and of each dataset's eligibility conditions, returns over the
    lake's files by which it is named. Symbols: none. Formula: a person's rows are in one part. Source:
    proofs.md#lake-layout.
    """
    start, rollups = time.perf_counter(), declared_rollups(catalog, layout_target(catalog))
    if not rollups:
        why = "no dataset declares rollups, and nothing else of a lake is kept."
        raise CatalogError(catalog.path, "datasets", why, "write rollups = [...] in a dataset: docs/spark.md shows how")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(open_lake(catalog, remote, cache, progress, SECONDS)) as opened:  # checked against the catalog
        lake, made = opened.lake, _made_of(catalog, opened.lake)
        file = layout_file(made, cache)
        _check_told(catalog, lake)
        with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # created owner-only
            unfinished = Path(work) / DATA
            with opened_layout(unfinished) as connection:
                copy_tables(connection, public_part(catalog), lambda what, _: progress(what, 0.0))
                _keep(connection, lake, _wanted(catalog, rollups), progress)
            if _made_of(catalog, lake) != made:
                raise DataError("layout", "the public files changed while they were read.", "optimize again")
            publish(unfinished, file, catalog, made)
    progress("optimized", 1.0)
    return Account(file, time.perf_counter() - start, None, file.stat().st_size, len(rollups))


def _check_told(catalog: Catalog, lake: Lake) -> None:
    """Reject tables without change tracking: their rollups could still contain erased persons."""
    for table in (table for table in catalog.tables if table.private):
        try:
            told = lake.tells_changes(table_place(table))
        except ExecutionFailed:
            raise _silent() from None
        if not told:
            why = "its files do not tell when its rows change, so that a rollup of it could hold who was erased since."
            raise DataError(table.name, why, "ask without rollups; or store it as Parquet or ORC, and name these files")


def _made_of(catalog: Catalog, lake: Lake) -> CopiedFrom:
    """Return the inputs of the lake's layout. Raises DataError where the lake does not answer."""
    try:
        return made_of(catalog, lake)
    except ExecutionFailed:
        raise _silent() from None


def _silent() -> DataError:
    """Build the error for a lake that does not answer, or changed during the read."""
    why = "the lake does not answer, or its files changed while they were read."
    return DataError("layout", why, "start Spark Connect at the catalog's remote, and optimize again")


def _wanted(catalog: Catalog, rollups: Sequence[StoredRollup]) -> list[_Kept]:
    """List the lake queries to store: eligible persons and rollups."""
    of_states = [_Kept(table, LakeRows(sql)) for sql, table in states(catalog).items()]
    return of_states + [_Kept(each.table, each.rows, each.rollup) for each in rollups]


def _keep(connection: duckdb.DuckDBPyConnection, lake: Lake, wanted: Sequence[_Kept], progress: Progress) -> None:
    """Run each query on the lake, part by part, and store its rows."""
    for place, kept in enumerate({each.table: each for each in wanted}.values()):
        handed = {what: connection.execute(sql).to_arrow_table() for what, sql in kept.rows.handed.items()}
        progress("reading the lake", place / len(wanted))
        parts = max(1, -(-_count(lake, kept.rows.text, handed) // ROWS_OF_PART))
        for part in range(parts):
            rows = _gathered(lake, in_part(kept.rows.text, part, parts), handed)
            _put(connection, kept, rows, anew=part == 0)
            progress("reading the lake", (place + (part + 1) / parts) / len(wanted))


def _count(lake: Lake, text: str, handed: Mapping[str, pa.Table]) -> int:
    """Count the rows of a query in the lake."""
    return int(_gathered(lake, counted(text), handed).column("n")[0].as_py())


def _gathered(lake: Lake, text: str, handed: Mapping[str, pa.Table]) -> pa.Table:
    """Run a query on the lake and collect its rows. Raises DataError where the lake does not answer."""
    try:
        return lake.gather(text, handed)
    except ExecutionFailed:
        raise _silent() from None


def _put(connection: duckdb.DuckDBPyConnection, kept: _Kept, rows: pa.Table, anew: bool) -> None:
    """Store one part of a query's rows; integers wider than 64 bits keep their width."""
    wide = {column.name for column in rows.schema if pa.types.is_decimal(column.type)}
    select = f"SELECT * FROM {name(PART)}" if kept.rollup is None else stored_rows(kept.rollup, name(PART), wide)
    begin = f"CREATE TABLE {name(kept.table)} AS" if anew else f"INSERT INTO {name(kept.table)}"
    connection.register(PART, rows)
    connection.execute(f"{begin} {select}")
    connection.unregister(PART)
