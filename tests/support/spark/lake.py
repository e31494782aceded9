"""Private tables of a catalog as Parquet files of a lake, and the same catalog with Spark as its backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb

from dialect.catalog.model import Catalog, Source, Table
from dialect.functions.emitter import quote_identifier, quote_text

FILES = 3  # files per table, shared by readers


def as_lake(
    catalog: Catalog, folder: Path, remote: str, files: Mapping[str, str], addresses: Mapping[str, str]
) -> Catalog:
    """Write the rows of every private table as Parquet, and set Spark as the backend."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for alias, path in files.items():
            connection.execute(f"ATTACH ? AS {alias} (READ_ONLY)", [path])
        return of_connection(connection, catalog, folder, remote, addresses)


def of_connection(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, folder: Path, remote: str, addresses: Mapping[str, str]
) -> Catalog:
    """Write rows that are visible to a connection."""
    made = []
    for table in catalog.tables:
        if table.private:
            _write(connection, table, addresses[table.name], folder / table.name)
        source = Source("parquet", str(folder / table.name)) if table.private else table.source
        made.append(replace(table, source=source))
    return replace(catalog, tables=tuple(made), remote=remote)


def _write(connection: duckdb.DuckDBPyConnection, table: Table, address: str, folder: Path) -> None:
    """Write a table into several files of one folder."""
    folder.mkdir(parents=True)
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    numbered = f"SELECT {columns}, row_number() OVER () % {FILES} AS part FROM {address}"
    for part in range(FILES):
        rows = f"SELECT {columns} FROM ({numbered}) WHERE part = {part}"
        connection.execute(f"COPY ({rows}) TO {quote_text(str(folder / f'{part}.parquet'))} (FORMAT parquet)")
