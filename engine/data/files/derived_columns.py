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

from dialect.catalog import Column, H3Cell, SqlType, Table, stable_text
from dialect.functions import quote_identifier
from dialect.functions.scalar import POLYGON_TYPE
from engine.data.files.polygons import NoPolygonError, parse_polygon
from engine.errors import DataError

BATCH = 100_000  # places per progress update
DERIVATION_VERSION = "1"  # version of the derivation; changes with its results
FractionProgress = Callable[[float], None]  # progress callback; takes the completed fraction


def source_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns that the source contains; the others are looked up or computed."""
    looked_up = {join.column for join in table.source.joins}
    return tuple(c for c in table.columns if c.name not in looked_up and c.cell is None)


def is_derived(column: Column) -> bool:
    """Return whether a column is computed when data are opened."""
    return column.cell is not None or column.type is SqlType.POLYGON


def source_type(column: Column) -> str:
    """Return the type of a column in its source: polygons are text there."""
    return "VARCHAR" if column.type is SqlType.POLYGON else column.stored_type


def copy_type(column: Column) -> str:
    """Return the type of a column in a copy."""
    return POLYGON_TYPE if column.type is SqlType.POLYGON else column.stored_type


def derivation_identity(table: Table) -> str:
    """Return a text that identifies the derivation: declarations, stored form and library versions."""
    derived = tuple((c.name, c.type, c.cell) for c in table.columns if is_derived(c))
    if not derived:
        return ""
    return stable_text((DERIVATION_VERSION, POLYGON_TYPE, version("h3"), version("shapely"), derived))


def write_derived_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, rows: str, progress: FractionProgress
) -> str:
    """Write the SELECT of a table's rows with derived columns, from temporary tables.

    Raises DataError for a text that is no polygon.
    """
    derived = [column for column in table.columns if is_derived(column)]
    columns = [f"r.{quote_identifier(c.name)}" for c in table.columns if c not in derived]
    joins = ""
    for i, column in enumerate(derived):
        derived_table = f"derived_{i}"
        if column.cell is None:
            value = _create_polygon_table(connection, table, column, rows, derived_table)
            on = f"r.{quote_identifier(column.name)} = {derived_table}.wkt"
        else:
            within = partial(_report_column, progress, i, len(derived))
            value = _create_cell_table(connection, column, column.cell, rows, derived_table, within)
            lon, lat = _coordinate_casts(column.cell, "r.")
            on = f"{lon} = {derived_table}.lon AND {lat} = {derived_table}.lat"
        columns.append(f"{value} AS {quote_identifier(column.name)}")
        joins += f" LEFT JOIN temp.{derived_table} ON {on}"
    return f"SELECT {', '.join(columns)} FROM ({rows}) AS r{joins}" if derived else rows


def _report_column(progress: FractionProgress, done: int, columns: int, fraction: float) -> None:
    """Report the completed fraction of one column as a fraction of all derived columns."""
    progress((done + fraction) / columns)


def _coordinate_casts(cell: H3Cell, row: str = "") -> tuple[str, str]:
    """Write longitude and latitude of a cell column as DOUBLE."""
    lon, lat = (f"CAST({row}{quote_identifier(column)} AS DOUBLE)" for column in (cell.lon, cell.lat))
    return lon, lat


def _create_polygon_table(
    connection: duckdb.DuckDBPyConnection, table: Table, column: Column, rows: str, derived_table: str
) -> str:
    """Fill a temporary table (wkt, shape), and return the expression for the column. Raises DataError if no polygon."""
    text = quote_identifier(column.name)
    select = f"SELECT DISTINCT {text} FROM ({rows}) AS r WHERE {text} IS NOT NULL"
    texts = [text for (text,) in connection.execute(select).fetchall()]
    try:
        shapes = [parse_polygon(text) for text in texts]
    except NoPolygonError as error:
        why, cure = f"a text in {column.name} is no polygon: {error}.", "correct the text, or declare VARCHAR"
        raise DataError(table.name, why, cure) from None
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {derived_table} (wkt VARCHAR, shape {POLYGON_TYPE})")
    found = pa.table({"wkt": pa.array(texts, pa.string()), "shape": pa.array(shapes, SHAPE_TYPE)})
    _insert(connection, derived_table, found)
    return f"{derived_table}.shape"


def _create_cell_table(
    connection: duckdb.DuckDBPyConnection,
    column: Column,
    cell: H3Cell,
    rows: str,
    derived_table: str,
    progress: FractionProgress,
) -> str:
    """Fill a temporary table (lon, lat, cell) for valid coordinates, and return the expression for the column."""
    from h3.api.basic_int import latlng_to_cell  # lazy: needed only for cells

    lon, lat = _coordinate_casts(cell)
    places = f"SELECT DISTINCT {lon} AS lon, {lat} AS lat FROM ({rows}) AS r"
    places = f"SELECT * FROM ({places}) AS p WHERE lon BETWEEN -180 AND 180 AND lat BETWEEN -90 AND 90"
    found = connection.sql(places).to_arrow_table()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {derived_table} (lon DOUBLE, lat DOUBLE, cell BIGINT)")
    for first in range(0, found.num_rows, BATCH):
        batch = found.slice(first, BATCH)
        pairs = zip(batch["lat"].to_pylist(), batch["lon"].to_pylist(), strict=True)
        cells = [latlng_to_cell(north, east, cell.resolution) for north, east in pairs]
        _insert(connection, derived_table, batch.append_column("cell", pa.array(cells, pa.int64())))
        progress(first / found.num_rows)
    return f"lower(to_hex({derived_table}.cell))" if column.type is SqlType.VARCHAR else f"{derived_table}.cell"


def _insert(connection: duckdb.DuckDBPyConnection, derived_table: str, rows: pa.Table) -> None:
    """Append rows to a temporary table."""
    connection.register("batch", rows)
    connection.execute(f"INSERT INTO temp.{derived_table} SELECT * FROM batch")
    connection.unregister("batch")


_EDGE = pa.struct([(end, pa.float64()) for end in ("lon1", "lat1", "lon2", "lat2")])
_BOX = [(end, pa.float64()) for end in ("west", "east", "south", "north", "strips_per_degree")]
SHAPE_TYPE = pa.struct([*_BOX, ("strips", pa.list_(pa.list_(_EDGE)))])
