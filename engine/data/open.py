"""Opening a catalog's data: check them, and return the backend that the catalog names."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from dialect import Catalog
from engine.backends.duckdb import DuckDBBackend
from engine.backends.empty_tables import declared
from engine.backends.lake import LakeBackend
from engine.backends.protocol import Backend
from engine.catalog.sources import with_ingested
from engine.data.checks.lake import check_lake, lake_target, persons_of_bits, table_place
from engine.data.lake_layout import beside_lake
from engine.data.layout import laid_out
from engine.errors import DataError
from engine.progress import Progress

QUESTION_SECONDS = 600.0  # limit for one query of a lake


def open_data(catalog: Catalog, cache: Path, progress: Progress) -> Backend:
    """Open the data of a catalog. Raises DataError where they are not as declared."""
    if catalog.remote is not None:
        return open_lake(catalog, catalog.remote, cache, progress)
    made, rollups = laid_out(catalog, cache, progress)
    if with_ingested(catalog) != catalog:  # otherwise release keys would contain the old version
        raise DataError(catalog.name, "data were added while it was opened.", "open it again")
    return DuckDBBackend.open(made.files, made.addresses, cache, rollups=rollups)


def open_lake(
    catalog: Catalog, remote: str, cache: Path, progress: Progress, seconds: float = QUESTION_SECONDS
) -> LakeBackend:
    """Open private tables in a lake, and local tables in DuckDB. Raises DataError where they are not as declared.

    `seconds` limits one statement in the lake.
    """
    try:
        from engine.backends.spark.backend import (
            SparkLake,  # lazy: the Spark client is optional
        )
    except ImportError:
        why, cure = "Spark's client is not installed.", "install passersby with the extra [spark]"
        raise DataError(catalog.name, why, cure) from None
    sources = {table_place(table): table.source for table in catalog.tables if table.private}
    with ExitStack() as opened:
        lake = opened.enter_context(closing(SparkLake(remote, sources, persons_of_bits(catalog), seconds)))
        made = beside_lake(catalog, cache, lake, progress)
        beside = opened.enter_context(closing(DuckDBBackend.open(made.files, made.addresses, cache)))
        target = lake_target(catalog, made.addresses, made.rollups, made.eligible)
        backend = LakeBackend(target, beside, lake, declared(table for table in catalog.tables if table.private))
        progress("checking the lake", 0.0)
        check_lake(catalog, backend)
        opened.pop_all()
    return backend
