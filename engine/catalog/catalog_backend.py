"""Where people's rows lie: in DuckDB, or in the lake of a Spark that the owner names; which sources each may have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.catalog.catalog import Catalog, SqlType, Table
from engine.catalog.catalog_mistakes import Mistakes
from engine.catalog.catalog_section import Section
from engine.errors import CatalogError

BACKENDS = ("duckdb", "spark")
LAKE_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,3}", re.ASCII)
URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.ASCII)  # of a folder or files that Spark reads
REMOTE = re.compile(r"sc://[^\s/]+(/;\S*)?", re.ASCII)
SECRET = "token="  # noqa: S105  a part of addresses that catalogs must not have


def read_remote(whole: Section) -> str | None:
    """Read which backend answers, and where its lake is; None for DuckDB."""
    backend = whole.text("backend") or "duckdb"
    if backend not in BACKENDS:
        raise whole.error("backend", f"there is no backend {backend}.", 'write backend = "duckdb" or "spark".')
    if backend == "duckdb":
        if "remote" in whole.entries:
            raise whole.error("remote", "DuckDB is not remote.", 'remove remote, or write backend = "spark".')
        return None
    whole.need("remote", 'write the address of a Spark Connect server: remote = "sc://host:15002".')
    remote = whole.text("remote") or ""
    if not REMOTE.fullmatch(remote):
        raise whole.error("remote", "this is no address of Spark Connect.", 'write e.g. remote = "sc://host:15002".')
    if SECRET in remote:
        cure = "remove it, and set PASSERSBY_SPARK_TOKEN in the environment."
        raise whole.error("remote", "a catalog holds no secrets.", cure)
    return remote


def check_backend(catalog: Catalog, mistakes: Mistakes) -> None:
    """Note every source that the backend can't read, and what a lake's tables can't have."""
    for table in catalog.tables:
        in_lake = table.private and catalog.remote is not None
        for part, why, cure in _of_lake(table) if in_lake else _of_files(table):
            mistakes.add(CatalogError(catalog.path, f"tables.{table.name}.{part}", why, cure))


def _of_files(table: Table) -> Iterator[tuple[str, str, str]]:
    if table.source.format == "spark" or "://" in table.source.path:
        why = "only people's tables of a Spark catalog lie in a lake; this source is a file on this machine."
        cure = 'copy the files, and give their path; or write backend = "spark" for private tables.'
        yield f"source.{table.source.format}", why, cure


def _of_lake(table: Table) -> Iterator[tuple[str, str, str]]:
    if table.source.format not in ("parquet", "spark"):
        yield "source", "Spark reads no such file.", 'write source = { parquet = "..." } or { spark = "schema.table" }.'
    if table.source.joins:
        yield (
            "joins",
            "nothing is looked up in a lake's tables.",
            "store the column, or join the public table in questions.",
        )
    for column in table.columns:
        at = f"columns.{column.name}"
        if column.cell is not None:
            yield at, "no cells are made of a lake's rows.", 'store the cell, and declare it as type = "VARCHAR".'
        elif column.type is SqlType.TIME:
            yield at, "Spark stores no time of day.", "store a TIMESTAMP, or whole microseconds as BIGINT."
