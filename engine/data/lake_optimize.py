"""Building a lake's layout: rollups and eligible persons are read from the lake once, in parts that fit a driver."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
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
from engine.data.files.cache import publish, unfinished_copy
from engine.data.lake_layout import (
    eligible_person_queries,
    lake_layout_file,
    lake_layout_inputs,
    lake_layout_target,
    public_catalog,
)
from engine.data.layout import LayoutReport, open_layout_for_writing
from engine.data.materialized_rollups import StoredRollup, declared_rollups
from engine.data.open_data import open_lake
from engine.data.snapshot import copy_tables
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
    public = public_catalog(catalog)
    # opening checks the lake against the catalog
    with closing(open_lake(catalog, remote, cache, progress, PART_TIMEOUT_SECONDS)) as opened, _lake_answers():
        lake, inputs = opened.lake, lake_layout_inputs(catalog, opened.lake)
        file = lake_layout_file(inputs, cache)
        _check_change_tracking(catalog, lake)
        with unfinished_copy(cache, ".optimizing-") as unfinished:
            with open_layout_for_writing(unfinished) as connection:
                copy_tables(connection, public, public.tables, lambda what, _: progress(what, 0.0))
                _store_queries(connection, lake, _stored_queries(catalog, rollups), progress)
            if lake_layout_inputs(catalog, lake) != inputs:
                raise DataError("layout", "the public files changed while they were read.", "optimize again")
            publish(unfinished, file, catalog, inputs)
    progress("optimized", 1.0)
    return LayoutReport(file, time.perf_counter() - start, None, file.stat().st_size, len(rollups))


def _check_change_tracking(catalog: Catalog, lake: Lake) -> None:
    """Reject tables without change tracking: their rollups could still contain erased persons."""
    for table in (table for table in catalog.tables if table.private):
        if not lake.files_reflect_changes(lake_placeholder(table)):
            why = "its files do not tell when its rows change, so that a rollup of it could hold who was erased since."
            raise DataError(table.name, why, "ask without rollups; or store it as Parquet or ORC, and name these files")


@contextmanager
def _lake_answers() -> Iterator[None]:
    """Raise DataError where the lake does not answer, or changed during the read."""
    try:
        yield
    except ExecutionFailed:
        why = "the lake does not answer, or its files changed while they were read."
        raise DataError("layout", why, "start Spark Connect at the catalog's remote, and optimize again") from None


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
        count = int(lake.gather(row_count_sql(query.rows.text), broadcast).column("n")[0].as_py())
        parts = max(1, -(-count // ROWS_PER_PART))
        for part in range(parts):
            rows = lake.gather(partition_sql(query.rows.text, part, parts), broadcast)
            _store_rows(connection, query, rows, is_first=part == 0)
            progress("reading the lake", (place + (part + 1) / parts) / len(queries))


def _store_rows(connection: duckdb.DuckDBPyConnection, query: _StoredQuery, rows: pa.Table, is_first: bool) -> None:
    """Store one part of a query's rows; integers wider than 64 bits keep their width."""
    wide = {column.name for column in rows.schema if pa.types.is_decimal(column.type)}
    part, stored = quote_identifier(PART_TABLE), quote_identifier(query.table)
    select = f"SELECT * FROM {part}" if query.rollup is None else stored_rollup_sql(query.rollup, part, wide)
    begin = f"CREATE TABLE {stored} AS" if is_first else f"INSERT INTO {stored}"
    connection.register(PART_TABLE, rows)
    connection.execute(f"{begin} {select}")
    connection.unregister(PART_TABLE)
