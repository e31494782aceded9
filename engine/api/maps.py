"""Public tables with polygons as GeoJSON, for maps. Private tables are refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dialect import Code, Refusal
from dialect.catalog import SqlType, Table
from engine.api.session import Desk
from engine.backends.sandbox import public_table
from engine.data.files.polygons import Shape
from engine.errors import uncharged
from engine.problems import Refused, problem

Corner = tuple[float, float]
SHOWN = (str, int, float, bool, type(None))  # JSON scalars; other values become text


def outlines(desk: Desk, table_name: str) -> dict[str, Any]:
    """Return a public table as a GeoJSON FeatureCollection.

    Geometry is the first visible polygon column, id the primary key, properties all other columns. Raises Refused for a
    table without polygons; private tables have none.
    """
    (told,) = desk.tables(table_name)
    table = desk.engine.catalog.table(told["name"])
    shape = next((c.name for c in table.columns if c.type is SqlType.POLYGON and c.visible), None) if table else None
    if table is None or table.private or shape is None:
        why = f"{told['name']} has no polygons."
        raise Refused(problem(Refusal(Code.TABLE, why, "a public table with a column of type POLYGON"), None))
    try:
        with uncharged("The polygons can't be read"):
            rows = public_table(table.name, desk.engine.catalog, desk.engine.backend).to_pylist()
    except Refusal as error:
        raise Refused(problem(error, None)) from error
    return {"type": "FeatureCollection", "features": [_feature(table, row, shape) for row in rows]}


def _feature(table: Table, row: dict[str, Any], shape: str) -> dict[str, Any]:
    plain = [c.name for c in table.columns if c.visible and c.type is not SqlType.POLYGON]
    told = {name: row[name] if isinstance(row[name], SHOWN) else str(row[name]) for name in plain}
    key = [str(row[name]) for name in table.primary_key]
    made = {"type": "Feature", "properties": told, "geometry": None if row[shape] is None else _geometry(row[shape])}
    return {**made, "id": " ".join(key)} if key else made


def _geometry(stored: Shape) -> dict[str, Any]:
    """Rebuild a polygon from its stored edges and the horizontal edges, which are not stored."""
    import shapely  # late: slow to import, used by maps only

    edges = {
        ((edge["lon1"], edge["lat1"]), (edge["lon2"], edge["lat2"])) for strip in stored["strips"] for edge in strip
    }
    lines = shapely.multilinestrings([*edges, *_level(edges)])
    area = shapely.build_area(shapely.node(lines))
    made: dict[str, Any] = shapely.geometry.mapping(area)
    return made


def _level(edges: Iterable[tuple[Corner, Corner]]) -> list[tuple[Corner, Corner]]:
    """Horizontal edges of a polygon whose other edges are given.

    A closed ring has an even number of edges at each corner. Corners with an odd number therefore lack a horizontal
    one; on each latitude they are joined in pairs, from west to east.
    """
    met: dict[Corner, int] = defaultdict(int)
    for edge in edges:
        for corner in edge:
            met[corner] += 1
    loose: dict[float, list[float]] = defaultdict(list)
    for (lon, lat), times in met.items():
        if times % 2:
            loose[lat].append(lon)
    return [
        ((west, lat), (east, lat))
        for lat, found in loose.items()
        for west, east in zip(sorted(found)[::2], sorted(found)[1::2], strict=True)
    ]
