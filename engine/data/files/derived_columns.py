"""Columns that are made when data are opened: H3 cells of places, and polygons in the form that SQL tests.

Each is a function of its own row and of nothing else (`engine/data/proofs.md#derived`). It is computed once for every
different input, in a table beside, and looked up there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import duckdb
import pyarrow as pa

from dialect.catalog import CellOf, Column, SqlType, Table
from dialect.functions import name
from dialect.functions.scalar import STORED
from engine.data.files.polygons import NoPolygonError, polygon
from engine.errors import DataError

ENDS = ("lon", "lat")
BATCH = 100_000  # places between two signs of progress
MADE = "1"  # moves when the same declaration makes other values
Part = Callable[[float], None]  # told which part of the work is done


def stored_columns(table: Table) -> tuple[Column, ...]:
    """Give the columns that lie in the source; the others are looked up or made."""
    looked_up = {join.column for join in table.source.joins}
    return tuple(c for c in table.columns if c.name not in looked_up and c.cell is None)


def is_derived(column: Column) -> bool:
    """Tell whether a column is made when data are opened."""
    return column.cell is not None or column.type is SqlType.POLYGON


def source_type(column: Column) -> str:
    """Say as what a column lies in its source: polygons are text there."""
    return "VARCHAR" if column.type is SqlType.POLYGON else column.stored_type


def copied_type(column: Column) -> str:
    """Say as what a column lies in a copy."""
    return STORED if column.type is SqlType.POLYGON else column.stored_type


def identity(table: Table) -> str:
    """Name what decides derived values beside the rows: declarations, forms, versions of the libraries."""
    made = tuple((c.name, c.type, c.cell) for c in table.columns if is_derived(c))
    return repr((MADE, STORED, version("h3"), version("shapely"), made)) if made else ""


def derive(connection: duckdb.DuckDBPyConnection, table: Table, rows: str, progress: Part) -> str:
    """Write the rows of a table with its derived columns, made in tables beside; raises DataError for no polygon."""
    derived = [column for column in table.columns if is_derived(column)]
    columns = [f"r.{name(c.name)}" for c in table.columns if c not in derived]
    joins = ""
    for i, column in enumerate(derived):
        made = f"made_{i}"
        if column.cell is None:
            value = _polygons(connection, table, column, rows, made)
            on = f"r.{name(column.name)} = {made}.wkt"
        else:
            value = _cells(connection, column, column.cell, rows, made, partial(_within, progress, i, len(derived)))
            on = " AND ".join(
                f"{one} = {made}.{end}" for one, end in zip(_degrees(column.cell, "r."), ENDS, strict=True)
            )
        columns.append(f"{value} AS {name(column.name)}")
        joins += f" LEFT JOIN temp.{made} ON {on}"
    return f"SELECT {', '.join(columns)} FROM ({rows}) AS r{joins}" if derived else rows


def _within(progress: Part, done: int, columns: int, part: float) -> None:
    progress((done + part) / columns)


def _degrees(cell: CellOf, row: str = "") -> tuple[str, str]:
    lon, lat = (f"CAST({row}{name(column)} AS DOUBLE)" for column in (cell.lon, cell.lat))
    return lon, lat


def _polygons(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, rows: str, made: str) -> str:
    """Fill a table (wkt, shape), and say what to take of it."""
    select = f"SELECT DISTINCT {name(column.name)} FROM ({rows}) AS r WHERE {name(column.name)} IS NOT NULL"
    texts = [text for (text,) in connection.execute(select).fetchall()]
    try:
        shapes = [polygon(text) for text in texts]
    except NoPolygonError as error:
        why, cure = f"a text in {column.name} is no polygon: {error}.", "correct the text, or declare VARCHAR"
        raise DataError(table.name, why, cure) from None
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {made} (wkt VARCHAR, shape {STORED})")
    _insert(connection, made, pa.table({"wkt": pa.array(texts, pa.string()), "shape": pa.array(shapes, ARROW)}))
    return f"{made}.shape"


def _cells(
    connection: duckdb.DuckDBPyConnection, column: Column, cell: CellOf, rows: str, made: str, progress: Part
) -> str:
    """Fill a table (lon, lat, cell) with the places on earth, and say what to take of it; no other place has a cell."""
    from h3.api.basic_int import latlng_to_cell  # late: only catalogs with cells wait for it

    lon, lat = _degrees(cell)
    places = f"SELECT DISTINCT {lon} AS lon, {lat} AS lat FROM ({rows}) AS r"
    places = f"SELECT * FROM ({places}) AS p WHERE lon BETWEEN -180 AND 180 AND lat BETWEEN -90 AND 90"
    found = connection.sql(places).to_arrow_table()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {made} (lon DOUBLE, lat DOUBLE, cell BIGINT)")
    for first in range(0, found.num_rows, BATCH):
        batch = found.slice(first, BATCH)
        pairs = zip(batch["lat"].to_pylist(), batch["lon"].to_pylist(), strict=True)
        cells = [latlng_to_cell(north, east, cell.resolution) for north, east in pairs]
        _insert(connection, made, batch.append_column("cell", pa.array(cells, pa.int64())))
        progress(first / found.num_rows)
    return f"lower(to_hex({made}.cell))" if column.type is SqlType.VARCHAR else f"{made}.cell"


def _insert(connection: duckdb.DuckDBPyConnection, made: str, rows: pa.Table) -> None:
    connection.register("batch", rows)
    connection.execute(f"INSERT INTO temp.{made} SELECT * FROM batch")
    connection.unregister("batch")


_EDGE = pa.struct([(end, pa.float64()) for end in ("lon1", "lat1", "lon2", "lat2")])
_BOX = [(end, pa.float64()) for end in ("west", "east", "south", "north", "strips_per_degree")]
ARROW = pa.struct([*_BOX, ("strips", pa.list_(pa.list_(_EDGE)))])
