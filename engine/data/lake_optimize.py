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
from dialect.algebra import LakeSql, Rollup
from dialect.codegen import partition_sql, row_count_sql, stored_rollup_sql
from dialect.functions import quote_identifier
from engine.backends.protocol import Lake
from engine.data.checks.lake import lake_placeholder
from engine.data.files.cache import publish
from engine.data.lake_layout import (
    eligible_person_queries,
    lake_layout_file,
    lake_layout_inputs,
    lake_layout_target,
    public_catalog,
)
from engine.data.layout import DATA_FILE, LayoutReport, copy_tables, open_layout_for_writing
from engine.data.materialized_rollups import StoredRollup, declared_rollups
from engine.data.open_data import open_lake
from engine.data.snapshot import CopyInputs
from engine.errors import CatalogError, DataError, ExecutionFailed
from engine.progress import Progress

ROWS_PER_PART = 3_000_000  # rows per part, below spark.driver.maxResultSize (1 GB by default)
PART_TIMEOUT_SECONDS = 86_400.0  # limit for one part: the owner waits, and may interrupt it
PART_TABLE = "lake part"  # temporary table; no declared table has a space in its name


@dataclass(frozen=True)
class _StoredQuery:
    """A query of the lake, and the local table in which its result is stored."""

    table: str
    rows: LakeSql  # with a column `person`
    rollup: Rollup | None = None  # None: eligible persons


def optimize_lake(catalog: Catalog, remote: str, cache: Path, progress: Progress) -> LayoutReport:
    """Build the layout of a lake's rollups, and publish it atomically. Raises CatalogError, DataError.

    Claim: it holds the rows that the SQL of each rollup, and of each dataset's eligibility conditions, returns over the
    lake's files by which it is named. Symbols: none. Formula: a person's rows are in one part. Source:
    proofs.md#lake-layout.
    """
    start, rollups = time.perf_counter(), declared_rollups(catalog, lake_layout_target(catalog))
    if not rollups:
        why = "no dataset declares rollups, and nothing else of a lake is kept."
        raise CatalogError(catalog.path, "datasets", why, "write rollups = [...] in a dataset: docs/spark.md shows how")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(
        open_lake(catalog, remote, cache, progress, PART_TIMEOUT_SECONDS)
    ) as opened:  # checked against the catalog
        lake, inputs = opened.lake, _layout_inputs(catalog, opened.lake)
        file = lake_layout_file(inputs, cache)
        _check_change_tracking(catalog, lake)
        with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # created owner-only
            unfinished = Path(work) / DATA_FILE
            with open_layout_for_writing(unfinished) as connection:
                copy_tables(connection, public_catalog(catalog), lambda what, _: progress(what, 0.0))
                _store_queries(connection, lake, _stored_queries(catalog, rollups), progress)
            if _layout_inputs(catalog, lake) != inputs:
                raise DataError("layout", "the public files changed while they were read.", "optimize again")
            publish(unfinished, file, catalog, inputs)
    progress("optimized", 1.0)
    return LayoutReport(file, time.perf_counter() - start, None, file.stat().st_size, len(rollups))


def _check_change_tracking(catalog: Catalog, lake: Lake) -> None:
    """Reject tables without change tracking: their rollups could still contain erased persons."""
    for table in (table for table in catalog.tables if table.private):
        try:
            tracked = lake.files_reflect_changes(lake_placeholder(table))
        except ExecutionFailed:
            raise _no_answer() from None
        if not tracked:
            why = "its files do not tell when its rows change, so that a rollup of it could hold who was erased since."
            raise DataError(table.name, why, "ask without rollups; or store it as Parquet or ORC, and name these files")


def _layout_inputs(catalog: Catalog, lake: Lake) -> CopyInputs:
    """Return the inputs of the lake's layout. Raises DataError where the lake does not answer."""
    try:
        return lake_layout_inputs(catalog, lake)
    except ExecutionFailed:
        raise _no_answer() from None


def _no_answer() -> DataError:
    """Build the error for a lake that does not answer, or changed during the read."""
    why = "the lake does not answer, or its files changed while they were read."
    return DataError("layout", why, "start Spark Connect at the catalog's remote, and optimize again")


def _stored_queries(catalog: Catalog, rollups: Sequence[StoredRollup]) -> list[_StoredQuery]:
    """List the lake queries to store: eligible persons and rollups."""
    eligible_persons = [_StoredQuery(table, LakeSql(sql)) for sql, table in eligible_person_queries(catalog).items()]
    return eligible_persons + [_StoredQuery(each.table, each.rows, each.rollup) for each in rollups]


def _store_queries(
    connection: duckdb.DuckDBPyConnection, lake: Lake, queries: Sequence[_StoredQuery], progress: Progress
) -> None:
    """Run each query on the lake, part by part, and store its rows."""
    for place, query in enumerate({each.table: each for each in queries}.values()):
        broadcast = {what: connection.execute(sql).to_arrow_table() for what, sql in query.rows.broadcast.items()}
        progress("reading the lake", place / len(queries))
        parts = max(1, -(-_count_rows(lake, query.rows.text, broadcast) // ROWS_PER_PART))
        for part in range(parts):
            rows = _collect(lake, partition_sql(query.rows.text, part, parts), broadcast)
            _store_rows(connection, query, rows, is_first=part == 0)
            progress("reading the lake", (place + (part + 1) / parts) / len(queries))


def _count_rows(lake: Lake, text: str, broadcast: Mapping[str, pa.Table]) -> int:
    """Count the rows of a query in the lake."""
    return int(_collect(lake, row_count_sql(text), broadcast).column("n")[0].as_py())


def _collect(lake: Lake, text: str, broadcast: Mapping[str, pa.Table]) -> pa.Table:
    """Run a query on the lake and collect its rows. Raises DataError where the lake does not answer."""
    try:
        return lake.gather(text, broadcast)
    except ExecutionFailed:
        raise _no_answer() from None


def _store_rows(connection: duckdb.DuckDBPyConnection, query: _StoredQuery, rows: pa.Table, is_first: bool) -> None:
    """Store one part of a query's rows; integers wider than 64 bits keep their width."""
    wide = {column.name for column in rows.schema if pa.types.is_decimal(column.type)}
    select = (
        f"SELECT * FROM {quote_identifier(PART_TABLE)}"
        if query.rollup is None
        else stored_rollup_sql(query.rollup, quote_identifier(PART_TABLE), wide)
    )
    begin = (
        f"CREATE TABLE {quote_identifier(query.table)} AS"
        if is_first
        else f"INSERT INTO {quote_identifier(query.table)}"
    )
    connection.register(PART_TABLE, rows)
    connection.execute(f"{begin} {select}")
    connection.unregister(PART_TABLE)
