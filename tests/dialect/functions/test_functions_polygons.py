"""Places and polygons, held against a plain reading of the rule and, away from edges, against shapely."""

from __future__ import annotations

import itertools
import math
import random

import duckdb
import pyarrow as pa
import pytest
import shapely

from dialect.algebra.expressions import Call, Field, Ref
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.functions.registry import OVERLOADS_BY_NAME
from dialect.functions.scalar.geography import POLYGON_TYPE
from engine.data.files.derived_columns import SHAPE_TYPE
from engine.data.files.polygons import parse_polygon

Place = tuple[float | None, float | None]
(FORM,) = OVERLOADS_BY_NAME["within_polygon"]
ARGUMENTS = (("lon", SqlType.DOUBLE), ("lat", SqlType.DOUBLE), ("shape", SqlType.POLYGON))
WITHIN = write_expr(Call(FORM.row_name, tuple(Ref(Field(name, None, kind)) for name, kind in ARGUMENTS), FORM.result))
EXTREME = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -0.0, 180.0, -180.0, None)


def _asked(wkt: str, places: list[Place], threads: int = 2) -> list[bool | None]:
    return _asked_of([wkt], places, threads)[0]


def _asked_of(wkts: list[str], places: list[Place], threads: int = 2) -> list[list[bool | None]]:
    """Places that each polygon contains."""
    with duckdb.connect(config={"threads": threads}) as connection:
        rows = pa.table(
            {
                "n": range(len(places)),
                "lon": pa.array([p[0] for p in places], pa.float64()),
                "lat": pa.array([p[1] for p in places], pa.float64()),
            }
        )
        one = pa.table({"z": range(len(wkts)), "shape": pa.array([parse_polygon(wkt) for wkt in wkts], SHAPE_TYPE)})
        connection.register("rows", rows)
        connection.register("one", one)
        connection.execute(f"CREATE TABLE z AS SELECT z, CAST(shape AS {POLYGON_TYPE}) AS shape FROM one")
        found = connection.execute(f"SELECT {WITHIN} FROM rows, z ORDER BY z, n").fetchall()
        return [[inside for (inside,) in rows] for rows in zip(*[iter(found)] * len(places), strict=True)]


def _read(wkt: str, place: Place) -> bool | None:
    """Follow the rule edge by edge: no boxes, no strips."""
    lon, lat = place
    if lon is None or lat is None:
        return None
    crossed = 0
    for ring in _rings(wkt):
        for one, other in itertools.pairwise(ring):
            (lon1, lat1), (lon2, lat2) = sorted((one, other), key=lambda corner: corner[1])
            if lat1 <= lat < lat2 and (lon - lon1) * (lat2 - lat1) < (lat - lat1) * (lon2 - lon1):
                crossed += 1
    return crossed % 2 == 1


def _rings(wkt: str) -> list[list[tuple[float, float]]]:
    geometry = shapely.from_wkt(wkt)
    parts = geometry.geoms if geometry.geom_type == "MultiPolygon" else [geometry]
    return [list(ring.coords) for part in parts if not part.is_empty for ring in (part.exterior, *part.interiors)]


def _star(drawn: random.Random, corners: int, lon: float, lat: float, size: float) -> list[tuple[float, float]]:
    turns = sorted(drawn.uniform(0, 2 * math.pi) for _ in range(corners))
    far = [size * drawn.uniform(0.3, 1) for _ in turns]
    return [(lon + r * math.cos(turn), lat + r * math.sin(turn)) for turn, r in zip(turns, far, strict=True)]


def _drawn(seed: int) -> str:
    """Draw a polygon: few corners or many, with a hole, of several parts, on a coarse grid so that places meet edges."""
    drawn = random.Random(seed)
    size, corners = drawn.choice([0.01, 1, 60]), drawn.choice([3, 4, 7, 40, 200])
    lon, lat = drawn.uniform(-60, 60), drawn.uniform(-25, 25)
    shape = shapely.make_valid(shapely.Polygon(_star(drawn, corners, lon, lat, size)))
    if seed % 3 == 0:
        shape = shape.difference(shapely.Polygon(_star(drawn, 5, lon, lat, size / 4)))
    if seed % 4 == 0:
        shape = shape.union(shapely.Polygon(_star(drawn, corners, lon + 1.5 * size, lat, size / 3)))
    if seed % 5 == 0:
        shape = shapely.set_precision(shape, size / 8)
    kept = [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]
    made = shapely.make_valid(shapely.MultiPolygon(kept) if len(kept) > 1 else kept[0])
    return (
        made.wkt if made.geom_type in {"Polygon", "MultiPolygon"} else shapely.box(lon, lat, lon + size, lat + size).wkt
    )


def _places(wkt: str, seed: int) -> list[Place]:
    """Draw places in and around the box, on corners, between them, level with them, and beyond the earth."""
    drawn = random.Random(seed)
    corners = [corner for ring in _rings(wkt) for corner in ring]
    west, south, east, north = shapely.from_wkt(wkt).bounds
    pairs = [drawn.sample(corners, 2) for _ in range(60)]
    places: list[Place] = [(drawn.uniform(west - 1, east + 1), drawn.uniform(south - 1, north + 1)) for _ in range(200)]
    places += [(drawn.uniform(west, east), drawn.uniform(south, north)) for _ in range(400)]
    places += [*corners, *((a[0], b[1]) for a, b in pairs), *(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs)]
    places += [(math.nextafter(x, 999), y) for x, y in corners] + [(x, math.nextafter(y, -999)) for x, y in corners]
    return places + [*itertools.product(EXTREME, EXTREME), (east, south), (west, north), (corners[0][0], math.nan)]


@pytest.mark.parametrize("seed", range(24))
def test_a_place_is_in_a_polygon_by_the_rule(seed: int) -> None:
    wkt = _drawn(seed)
    places = _places(wkt, seed)
    found = _asked(wkt, places)
    assert found == [_read(wkt, place) for place in places]
    geometry = shapely.from_wkt(wkt)
    clear = [
        (i, shapely.Point(p))
        for i, p in enumerate(places)
        if None not in p and all(map(math.isfinite, p)) and max(map(abs, p)) < 1e3
    ]  # type: ignore[arg-type]
    clear = [(i, point) for i, point in clear if geometry.boundary.distance(point) > 1e-9]
    assert len(clear) > 300
    assert [found[i] for i, _ in clear] == [geometry.contains(point) for _, point in clear]
    assert True in found and False in found


@pytest.mark.parametrize("seed", range(5))
def test_polygons_that_share_their_edges_divide_the_places_among_them(seed: int) -> None:
    """Every place inside of a mesh lies in one of its triangles, those on shared edges and corners too."""
    drawn = random.Random(seed)
    points = [(drawn.randrange(-40, 40) / 4, drawn.randrange(-40, 40) / 4) for _ in range(60)]
    triangles = [
        t.wkt for t in shapely.delaunay_triangles(shapely.MultiPoint(points)).geoms if t.is_valid and t.area > 0
    ]
    hull = shapely.MultiPoint(points).convex_hull.buffer(-1e-6)
    places: list[Place] = [(drawn.randrange(-80, 80) / 8, drawn.randrange(-80, 80) / 8) for _ in range(400)]
    places = [place for place in [*places, *points] if hull.contains(shapely.Point(place))]
    met = [sum(map(bool, one)) for one in zip(*_asked_of(triangles, places), strict=True)]
    assert set(met) == {1} and len(met) > 100


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ((0, 0), True),
        ((1, 0), True),
        ((2, 0), False),
        ((0, 1), True),
        ((0, 2), False),
        ((2, 2), False),
        ((1, 2), False),
        ((2, 1), False),
    ],
)
def test_an_edge_belongs_to_what_lies_east_or_north(place: Place, inside: bool) -> None:
    assert _asked("POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))", [place]) == [inside]


def test_nothing_is_in_an_empty_polygon_and_nothing_is_known_of_none() -> None:
    assert _asked("POLYGON EMPTY", [(0, 0), (None, 0), (math.nan, 0)]) == [False, None, False]
    with duckdb.connect() as connection:
        select = f"SELECT {WITHIN} FROM (SELECT 1.0 AS lon, 1.0 AS lat, CAST(NULL AS {POLYGON_TYPE}) AS shape)"
        assert connection.execute(select).fetchall() == [(None,)]


def test_threads_change_nothing() -> None:
    wkt = _drawn(3)
    places = _places(wkt, 3)
    assert _asked(wkt, places, 1) == _asked(wkt, places, 4)
