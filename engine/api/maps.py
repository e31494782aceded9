"""Public tables with polygons as GeoJSON, for maps. Private tables are refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dialect.catalog import SqlType, Table
from engine.api.session import Session
from engine.backends.lockdown import public_table
from engine.data.files.polygons import IndexedPolygon
from engine.errors import EngineKind, TooLarge, refusals, refuse_before_charge

Corner = tuple[float, float]
JSON_TYPES = (str, int, float, bool, type(None))  # JSON scalars; other values become text


@refusals()
def outlines(session: Session, table_name: str) -> dict[str, Any]:
    """Return a public table as a GeoJSON FeatureCollection.

    Geometry is the first visible polygon column, id the primary key, properties all other columns. Raises Refused for a
    table without polygons; private tables have none.
    """
    (description,) = session.tables(table_name)
    table = session.engine.catalog.tables_by_name.get(description["name"])
    polygon_column = (
        next((c.name for c in table.columns if c.type is SqlType.POLYGON and c.visible), None) if table else None
    )
    if table is None or table.private or polygon_column is None:
        raise EngineKind.NO_POLYGONS.at(table=description["name"])
    with refuse_before_charge(TooLarge.POLYGONS):
        rows = public_table(table.name, session.engine.catalog, session.engine.backend).to_pylist()
    return {"type": "FeatureCollection", "features": [_feature(table, row, polygon_column) for row in rows]}


def _feature(table: Table, row: dict[str, Any], polygon_column: str) -> dict[str, Any]:
    """GeoJSON feature of a row: its visible columns as properties, its polygon (or null) and its key as id."""
    property_names = [c.name for c in table.columns if c.visible and c.type is not SqlType.POLYGON]
    properties = {name: row[name] if isinstance(row[name], JSON_TYPES) else str(row[name]) for name in property_names}
    key = [str(row[name]) for name in table.primary_key]
    feature = {
        "type": "Feature",
        "properties": properties,
        "geometry": None if row[polygon_column] is None else _geometry(row[polygon_column]),
    }
    return {**feature, "id": " ".join(key)} if key else feature


def _geometry(stored: IndexedPolygon) -> dict[str, Any]:
    """Rebuild a polygon from its stored edges and the horizontal edges, which are not stored."""
    import shapely  # late: slow to import, used by maps only

    edges = {
        ((edge["lon1"], edge["lat1"]), (edge["lon2"], edge["lat2"])) for strip in stored["strips"] for edge in strip
    }
    lines = shapely.multilinestrings([*edges, *_horizontal_edges(edges)])
    area = shapely.build_area(shapely.node(lines))
    return shapely.geometry.mapping(area)


def _horizontal_edges(edges: Iterable[tuple[Corner, Corner]]) -> list[tuple[Corner, Corner]]:
    """Horizontal edges of a polygon whose other edges are given.

    A closed ring has an even number of edges at each corner. Corners with an odd number therefore lack a horizontal
    one; on each latitude they are joined in pairs, from west to east.
    """
    edge_counts: dict[Corner, int] = defaultdict(int)
    for edge in edges:
        for corner in edge:
            edge_counts[corner] += 1
    odd_corners: dict[float, list[float]] = defaultdict(list)
    for (lon, lat), count in edge_counts.items():
        if count % 2:
            odd_corners[lat].append(lon)
    return [
        ((west, lat), (east, lat))
        for lat, longitudes in odd_corners.items()
        for west, east in zip(sorted(longitudes)[::2], sorted(longitudes)[1::2], strict=True)
    ]
