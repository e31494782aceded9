"""WKT text -> the form of a polygon that SQL tests fast; what is no polygon is refused.

Proof: `dialect/functions/proofs.md#polygons`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from shapely import Geometry

EDGES_PER_STRIP = 2  # of a polygon with edges of one height: fewer are no faster
MOST_COPIES = 8  # of an edge, on average, in the strips that it reaches into


class Edge(TypedDict):
    """One edge from its south end to its north end, in degrees; level ones are left out."""

    lon1: float
    lat1: float
    lon2: float
    lat2: float


class Shape(TypedDict):
    """A polygon as it is stored: dialect.functions.scalar.places.STORED."""

    west: float
    east: float
    south: float
    north: float
    strips_per_degree: float
    strips: list[list[Edge]]


class NoPolygonError(Exception):
    """A text that is no polygon; the message says why, and quotes nothing."""


def polygon(text: str) -> Shape:
    """Read POLYGON or MULTIPOLYGON text in degrees, longitude first; raises NoPolygonError."""
    geometry = _valid(text)
    rings = [ring for part in _parts(geometry) for ring in (part.exterior, *part.interiors)]
    edges = [edge for ring in rings for edge in _edges(list(ring.coords))]
    if not edges:
        return Shape(west=0.0, east=0.0, south=0.0, north=0.0, strips_per_degree=0.0, strips=[])
    west, south, east, north = (float(end) for end in geometry.bounds)
    per_degree = _strips_per_degree(edges, south, north - south)
    reached = [_reached(edge, south, per_degree) for edge in edges]
    strips: list[list[Edge]] = [[] for _ in range(max(found.stop for found in reached))]
    for edge, found in zip(edges, reached, strict=True):
        for strip in found:
            strips[strip].append(edge)
    return Shape(west=west, east=east, south=south, north=north, strips_per_degree=per_degree, strips=strips)


def is_polygon(text: str) -> bool:
    """Tell whether a text is a polygon."""
    try:
        _valid(text)
    except NoPolygonError:
        return False
    return True


def _valid(text: str) -> Geometry:
    import shapely  # late: only catalogs with polygons wait for it

    try:
        with np.errstate(invalid="ignore"):  # a corner that is no number is told below
            geometry = shapely.force_2d(shapely.from_wkt(text))
    except shapely.errors.ShapelyError:
        raise NoPolygonError("it is no WKT text") from None
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        raise NoPolygonError(f"it is a {geometry.geom_type}")
    degrees = shapely.get_coordinates(geometry)
    if not ((abs(degrees[:, 0]) <= 180).all() and (abs(degrees[:, 1]) <= 90).all()):
        raise NoPolygonError("it has corners that are no degrees, longitude first")
    if not geometry.is_valid:
        raise NoPolygonError(shapely.is_valid_reason(geometry).partition("[")[0].lower())
    return geometry


def _parts(geometry: Geometry) -> list[Geometry]:
    return list(geometry.geoms) if geometry.geom_type == "MultiPolygon" else [geometry] if not geometry.is_empty else []


def _edges(corners: list[tuple[float, float]]) -> list[Edge]:
    """Turn every edge to the north: where two polygons share one, both hold the same numbers."""
    ordered = (sorted(pair, key=lambda corner: corner[1]) for pair in pairwise(corners))
    return [Edge(lon1=lon1, lat1=lat1, lon2=lon2, lat2=lat2) for (lon1, lat1), (lon2, lat2) in ordered if lat1 < lat2]


def _strips_per_degree(edges: list[Edge], south: float, height: float) -> float:
    """Choose how fine the strips are: few edges in each, and no edge in too many; 0 is one strip."""
    count = len(edges) // EDGES_PER_STRIP
    while count > 1:
        per_degree = count / height
        fits = math.isfinite(per_degree) and _copies(edges, south, per_degree) <= MOST_COPIES * len(edges)
        if fits:
            return per_degree
        count //= 2
    return 0.0


def _copies(edges: list[Edge], south: float, per_degree: float) -> int:
    return sum(len(_reached(edge, south, per_degree)) for edge in edges)


def _reached(edge: Edge, south: float, per_degree: float) -> range:
    """List the strips that an edge reaches into, by the very formula that finds the strip of a place."""
    first, last = (math.floor((lat - south) * per_degree) for lat in (edge["lat1"], edge["lat2"]))
    return range(first, last + 1)
