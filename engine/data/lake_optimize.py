"""A lake -> its layout: the declared rollups and who meets every state, read once, in parts that a driver can hold."""

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

ROWS_OF_PART = 3_000_000  # a driver gives no more than spark.driver.maxResultSize at once, by default 1 GB
SECONDS = 86_400.0  # of one part: an owner waits, and may stop it
PART = "part of lake"  # no declared table can have such a name


@dataclass(frozen=True)
class _Kept:
    """Rows of a lake that are kept, and how they are put away."""

    table: str
    rows: LakeRows  # with a column `person`
    rollup: Rollup | None = None  # else persons alone


def optimize_lake(catalog: Catalog, remote: str, cache: Path, progress: Progress) -> Account:
    """Build the layout of a lake's rollups, in one step at the end; raises CatalogError, DataError.

    Claim: it holds the rows that the SQL of each rollup, and of each dataset's states, gives over the lake's files by
    which it is named. Symbols: none. Formula: a person's rows are in one part. Source: proofs.md#lake-layout.
    """
    start, rollups = time.perf_counter(), declared_rollups(catalog, layout_target(catalog))
    if not rollups:
        why = "no dataset declares rollups, and nothing else of a lake is kept."
        raise CatalogError(catalog.path, "datasets", why, "write rollups = [...] in a dataset: docs/spark.md shows how")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(open_lake(catalog, remote, cache, progress, SECONDS)) as opened:  # held against the catalog
        lake, made = opened.lake, _made_of(catalog, opened.lake)
        file = layout_file(made, cache)
        _check_told(catalog, lake)
        with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # its owner's alone
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
    """Refuse tables of which nothing tells when their rows change: who was erased there would stay in rollups."""
    for table in (table for table in catalog.tables if table.private):
        try:
            told = lake.tells_changes(table_place(table))
        except ExecutionFailed:
            raise _silent() from None
        if not told:
            why = "its files do not tell when its rows change, so that a rollup of it could hold who was erased since."
            raise DataError(table.name, why, "ask without rollups; or store it as Parquet or ORC, and name these files")


def _made_of(catalog: Catalog, lake: Lake) -> CopiedFrom:
    try:
        return made_of(catalog, lake)
    except ExecutionFailed:
        raise _silent() from None


def _silent() -> DataError:
    why = "the lake does not answer, or its files changed while they were read."
    return DataError("layout", why, "start Spark Connect at the catalog's remote, and optimize again")


def _wanted(catalog: Catalog, rollups: Sequence[StoredRollup]) -> list[_Kept]:
    """List what is kept of a lake."""
    of_states = [_Kept(table, LakeRows(sql)) for sql, table in states(catalog).items()]
    return of_states + [_Kept(each.table, each.rows, each.rollup) for each in rollups]


def _keep(connection: duckdb.DuckDBPyConnection, lake: Lake, wanted: Sequence[_Kept], progress: Progress) -> None:
    """Read everything that is wanted, one part behind the other."""
    for place, kept in enumerate({each.table: each for each in wanted}.values()):
        handed = {what: connection.execute(sql).to_arrow_table() for what, sql in kept.rows.handed.items()}
        progress("reading the lake", place / len(wanted))
        parts = max(1, -(-_count(lake, kept.rows.text, handed) // ROWS_OF_PART))
        for part in range(parts):
            rows = _gathered(lake, in_part(kept.rows.text, part, parts), handed)
            _put(connection, kept, rows, anew=part == 0)
            progress("reading the lake", (place + (part + 1) / parts) / len(wanted))


def _count(lake: Lake, text: str, handed: Mapping[str, pa.Table]) -> int:
    """Count rows, which the driver does not have to hold."""
    return int(_gathered(lake, counted(text), handed).column("n")[0].as_py())


def _gathered(lake: Lake, text: str, handed: Mapping[str, pa.Table]) -> pa.Table:
    try:
        return lake.gather(text, handed)
    except ExecutionFailed:
        raise _silent() from None


def _put(connection: duckdb.DuckDBPyConnection, kept: _Kept, rows: pa.Table, anew: bool) -> None:
    """Put a part of rows away; whole numbers of more than 64 bits stay as wide as they are."""
    wide = {column.name for column in rows.schema if pa.types.is_decimal(column.type)}
    select = f"SELECT * FROM {name(PART)}" if kept.rollup is None else stored_rows(kept.rollup, name(PART), wide)
    begin = f"CREATE TABLE {name(kept.table)} AS" if anew else f"INSERT INTO {name(kept.table)}"
    connection.register(PART, rows)
    connection.execute(f"{begin} {select}")
    connection.unregister(PART)
