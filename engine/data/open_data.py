"""Opening a catalog's data: check them, and return the backend that the catalog names."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from dialect import Catalog
from engine.backends.duckdb import DuckDBBackend
from engine.backends.lake import LakeBackend
from engine.backends.lockdown import declared_columns
from engine.backends.protocol import Backend
from engine.catalog.sources import with_ingest_digest
from engine.data.checks.lake import bit_cast_person_columns, check_lake, lake_placeholder, lake_target
from engine.data.lake_layout import open_local_tables
from engine.data.layout import open_layout_or_snapshot
from engine.errors import DataError
from engine.progress import Progress

QUERY_TIMEOUT_SECONDS = 600.0  # limit for one query of a lake


def open_data(catalog: Catalog, cache: Path, progress: Progress) -> Backend:
    """Open the data of a catalog. Raises DataError where they are not as declared."""
    if catalog.remote is not None:
        return open_lake(catalog, catalog.remote, cache, progress)
    snapshot, rollups = open_layout_or_snapshot(catalog, cache, progress)
    if with_ingest_digest(catalog) != catalog:  # otherwise release keys would contain the old version
        raise DataError(catalog.name, "data were added while it was opened.", "open it again")
    return DuckDBBackend.open(snapshot.files, snapshot.addresses, cache, rollups=rollups)


def open_lake(
    catalog: Catalog, remote: str, cache: Path, progress: Progress, seconds: float = QUERY_TIMEOUT_SECONDS
) -> LakeBackend:
    """Open private tables in a lake, and local tables in DuckDB. Raises DataError where they are not as declared.

    `seconds` limits one statement in the lake.
    """
    try:
        from engine.backends.spark.backend import SparkLake  # lazy: the Spark client is optional
    except ImportError:
        why, cure = "Spark's client is not installed.", "install passersby with the extra [spark]"
        raise DataError(catalog.name, why, cure) from None
    sources = {lake_placeholder(table): table.source for table in catalog.tables if table.private}
    with ExitStack() as opened:
        lake = opened.enter_context(closing(SparkLake(remote, sources, bit_cast_person_columns(catalog), seconds)))
        local_tables = open_local_tables(catalog, cache, lake, progress)
        local = opened.enter_context(closing(DuckDBBackend.open(local_tables.files, local_tables.addresses, cache)))
        target = lake_target(catalog, local_tables.addresses, local_tables.rollups, local_tables.eligible)
        backend = LakeBackend(target, local, lake, declared_columns(table for table in catalog.tables if table.private))
        progress("checking the lake", 0.0)
        check_lake(catalog, backend)
        opened.pop_all()
    return backend
