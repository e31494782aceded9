"""Cells and polygons: cost of each method for a million places, whose results are compared first."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import duckdb
import h3
import pyarrow as pa

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.functions.registry import OVERLOADS_BY_NAME
from engine.data.files.derived_columns import SHAPE_TYPE
from engine.data.files.polygons import parse_polygon
from tests.bench.machine import table

PLACES, PLACES_IN_ZONES = 1_000_000, 100_000
ZONES = 57
CORNERS = (4, 200, 2_000)
LON, LAT, SHAPE = "lon", "lat", "shape"
KINDS = {
    LON: SqlType.DOUBLE,
    LAT: SqlType.DOUBLE,
    SHAPE: SqlType.POLYGON,
    "cell": SqlType.BIGINT,
    "text": SqlType.VARCHAR,
}
CROSSED = (
    "d.lat1 <= e.lat AND e.lat < d.lat2 AND (e.lon - d.lon1) * (d.lat2 - d.lat1) < (e.lat - d.lat1) * (d.lon2 - d.lon1)"
)


def main(events: int, runs: int) -> None:
    """Print the cost of cells, and of methods to find the polygon of a place."""
    del events
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"CREATE TABLE e AS SELECT i, 9 + (i * 7919 % 1000003) / 1000003.0 AS lon, 50 + (i * 104729 % 1000033) / 1000033.0 AS lat"
            f" FROM range({PLACES}) t(i)"
        )
        table(("cells of 1e6 places", "seconds"), _cells(connection, runs))
        connection.execute(f"DELETE FROM e WHERE i >= {PLACES_IN_ZONES}")
        rows = [row for corners in CORNERS for row in _time_methods(connection, corners, runs)]
    print()
    table((f"{PLACES_IN_ZONES:,} places in {ZONES} polygons", "corners", "seconds"), rows)


def _written(name: str, form: int, *arguments: str | int) -> str:
    parts: tuple[Expr, ...] = tuple(
        Literal(a, SqlType.BIGINT) if isinstance(a, int) else Ref(Field(a, None, KINDS[a])) for a in arguments
    )
    row = OVERLOADS_BY_NAME[name][form]
    return write_expr(Call(row.row_name, parts, row.result))


def _seconds(work: Callable[[], object], runs: int) -> float:
    """Take the median time of warm runs."""
    work()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _cells(connection: duckdb.DuckDBPyConnection, runs: int) -> list[tuple[object, ...]]:
    places = connection.sql("SELECT lat, lon FROM e").fetchall()
    start = time.perf_counter()
    cells = [h3.latlng_to_cell(lat, lon, 9) for lat, lon in places]
    library = time.perf_counter() - start
    connection.register("found", pa.table({"text": cells}))
    connection.execute("CREATE TABLE c AS SELECT text, CAST('0x' || text AS BIGINT) AS cell FROM found")
    asked = {
        "square cells of 250 m (grid_cell)": f"SELECT max({_written('grid_cell', 0, LON, LAT, 250)}) FROM e",
        "geohash of 7 characters": f"SELECT max({_written('geohash', 0, LON, LAT, 7)}) FROM e",
        "geohash of 12 characters": f"SELECT max({_written('geohash', 0, LON, LAT, 12)}) FROM e",
        "h3_parent of integers": f"SELECT max({_written('h3_parent', 1, 'cell', 7)}) FROM c",
        "h3_parent of text": f"SELECT max({_written('h3_parent', 0, 'text', 7)}) FROM c",
    }
    rows: list[tuple[object, ...]] = [("H3 by the library, once, when data are opened", library)]
    return rows + [
        (name, _seconds(lambda s=sql: connection.execute(s).fetchall(), runs)) for name, sql in asked.items()
    ]  # type: ignore[misc]


def _time_methods(connection: duckdb.DuckDBPyConnection, corners: int, runs: int) -> list[tuple[object, ...]]:
    """Time each method and compare its counts with those of the first."""
    made = pa.array([parse_polygon(_star(zone, corners)) for zone in range(ZONES)], SHAPE_TYPE)
    connection.register("shapes", pa.table({"zone": range(ZONES), "shape": made}))
    edges = "list_distinct(flatten(shape.strips)) AS edges"
    connection.execute("CREATE OR REPLACE TABLE z AS SELECT zone, shape FROM shapes")
    connection.execute(f"CREATE OR REPLACE TABLE whole AS SELECT zone, shape, {edges} FROM z")
    connection.execute("CREATE OR REPLACE TABLE g AS SELECT zone, unnest(edges) AS d FROM whole")
    expected, rows = None, list[tuple[object, ...]]()
    for name, (most, source) in _sources().items():
        if corners > most:
            continue  # minutes
        sql = f"SELECT zone, count(*) FROM {source} GROUP BY zone ORDER BY zone"
        seconds = _seconds(lambda sql=sql: connection.execute(sql).fetchall(), runs)  # type: ignore[misc]
        found = connection.execute(sql).fetchall()
        expected = expected or found
        assert found == expected, name
        rows.append((name, corners, seconds))
    return rows


def _sources() -> dict[str, tuple[int, str]]:
    """Each method with the most corners for which it ends soon, and its rows."""
    box = "e.lon >= shape.west AND e.lon < shape.east AND e.lat >= shape.south AND e.lat < shape.north"
    within = _written("within_polygon", 0, LON, LAT, SHAPE)
    odd = f"SELECT zone, i FROM e JOIN g ON {CROSSED} GROUP BY zone, i HAVING count(*) % 2 = 1"
    every = f"CASE WHEN {box} THEN len(list_filter(edges, lambda d: {CROSSED})) % 2 = 1 END"
    return {
        "within_polygon: box, then the edges of a strip": (10_000, f"e JOIN z ON {within}"),
        "box, then all edges": (200, f"e JOIN whole ON {every}"),
        "box as conditions of the join, then the edges of a strip": (4, f"e JOIN z ON {box} AND {within}"),
        "a join with edges, then an odd number of them": (4, f"({odd})"),
    }


def _star(zone: int, corners: int) -> str:
    """Write one of the zones, each around its own middle, overlapping its neighbours."""
    lon, lat = 9 + 0.125 * (zone % 8) + 0.0625, 50 + 0.125 * (zone // 8) + 0.0625
    turns = [2 * math.pi * k / corners for k in range(corners)]
    ring = [
        (lon + r * math.cos(t), lat + r * math.sin(t)) for k, t in enumerate(turns) for r in [0.08 - 0.03 * (k % 2)]
    ]
    return f"POLYGON (({', '.join(f'{x} {y}' for x, y in [*ring, ring[0]])}))"
