"""Derived columns, computed when data are opened: H3 cells of coordinates, and polygons in an indexed form.

Each is a function of its own row alone (`engine/data/proofs.md#derived`). It is computed once per distinct input, in a
temporary table, and joined to the rows.
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
BATCH = 100_000  # places per progress update
MADE = "1"  # version of the derivation; changes with its results
Part = Callable[[float], None]  # progress callback; takes the completed fraction


def stored_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that the source contains; the others are looked up or computed."""
    looked_up = {join.column for join in table.source.joins}
    return tuple(c for c in table.columns if c.name not in looked_up and c.cell is None)


def is_derived(column: Column) -> bool:
    """Return whether a column is computed when data are opened."""
    return column.cell is not None or column.type is SqlType.POLYGON


def source_type(column: Column) -> str:
    """Return the type of a column in its source: polygons are text there."""
    return "VARCHAR" if column.type is SqlType.POLYGON else column.stored_type


def copied_type(column: Column) -> str:
    """Return the type of a column in a copy."""
    return STORED if column.type is SqlType.POLYGON else column.stored_type


def identity(table: Table) -> str:
    """Return a text that identifies the derivation: declarations, stored form and library versions."""
    made = tuple((c.name, c.type, c.cell) for c in table.columns if is_derived(c))
    return repr((MADE, STORED, version("h3"), version("shapely"), made)) if made else ""


def derive(connection: duckdb.DuckDBPyConnection, table: Table, rows: str, progress: Part) -> str:
    """Write the SELECT of a table's rows with derived columns, from temporary tables.

    Raises DataError for a text that is no polygon.
    """
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
    """Report the completed fraction of one column as a fraction of all derived columns."""
    progress((done + part) / columns)


def _degrees(cell: CellOf, row: str = "") -> tuple[str, str]:
    """Write longitude and latitude of a cell column as DOUBLE."""
    lon, lat = (f"CAST({row}{name(column)} AS DOUBLE)" for column in (cell.lon, cell.lat))
    return lon, lat


def _polygons(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, rows: str, made: str) -> str:
    """Fill a temporary table (wkt, shape), and return the expression for the column. Raises DataError if no polygon."""
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
    """Fill a temporary table (lon, lat, cell) for valid coordinates, and return the expression for the column."""
    from h3.api.basic_int import latlng_to_cell  # lazy: needed only for cells

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
    """Append rows to a temporary table."""
    connection.register("batch", rows)
    connection.execute(f"INSERT INTO temp.{made} SELECT * FROM batch")
    connection.unregister("batch")


_EDGE = pa.struct([(end, pa.float64()) for end in ("lon1", "lat1", "lon2", "lat2")])
_BOX = [(end, pa.float64()) for end in ("west", "east", "south", "north", "strips_per_degree")]
ARROW = pa.struct([*_BOX, ("strips", pa.list_(pa.list_(_EDGE)))])
