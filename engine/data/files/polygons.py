"""Polygons: parse WKT into a form that SQL tests fast: edges indexed by horizontal strips.

Proof: `dialect/functions/proofs.md#polygons`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from shapely import Geometry

EDGES_PER_STRIP = 2  # for edges of equal height; fewer are no faster
MAX_STRIPS_PER_EDGE = 8  # average number of strips per edge


class Edge(TypedDict):
    """One edge from its south end to its north end, in degrees; horizontal edges are dropped."""

    lon1: float
    lat1: float
    lon2: float
    lat2: float


class IndexedPolygon(TypedDict):
    """A polygon as stored: its bounding box, and its edges by strip (dialect.functions.scalar.geography.STORED)."""

    west: float
    east: float
    south: float
    north: float
    strips_per_degree: float
    strips: list[list[Edge]]


class NoPolygonError(Exception):
    """A text that is not a valid polygon; the message gives the reason, and quotes nothing."""


def parse_polygon(text: str) -> IndexedPolygon:
    """Parse POLYGON or MULTIPOLYGON text in degrees, longitude first. Raises NoPolygonError."""
    geometry = _parse_valid(text)
    rings = [ring for member in _members(geometry) for ring in (member.exterior, *member.interiors)]
    edges = [edge for ring in rings for edge in _edges(list(ring.coords))]
    if not edges:
        return IndexedPolygon(west=0.0, east=0.0, south=0.0, north=0.0, strips_per_degree=0.0, strips=[])
    west, south, east, north = (float(end) for end in geometry.bounds)
    per_degree = _strips_per_degree(edges, south, north - south)
    crossed = [_strips_crossed(edge, south, per_degree) for edge in edges]
    strips: list[list[Edge]] = [[] for _ in range(max(found.stop for found in crossed))]
    for edge, found in zip(edges, crossed, strict=True):
        for strip in found:
            strips[strip].append(edge)
    return IndexedPolygon(west=west, east=east, south=south, north=north, strips_per_degree=per_degree, strips=strips)


def is_polygon(text: str) -> bool:
    """Return whether a text is a valid polygon."""
    try:
        _parse_valid(text)
    except NoPolygonError:
        return False
    return True


def _parse_valid(text: str) -> Geometry:
    """Parse and validate WKT. Raises NoPolygonError."""
    import shapely  # lazy: needed only for polygons

    try:
        with np.errstate(invalid="ignore"):  # NaN corners are rejected below
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


def _members(geometry: Geometry) -> list[Geometry]:
    """Return the polygons of a geometry."""
    return list(geometry.geoms) if geometry.geom_type == "MultiPolygon" else [geometry] if not geometry.is_empty else []


def _edges(corners: list[tuple[float, float]]) -> list[Edge]:
    """Return the edges, each oriented to the north: an edge shared by two polygons has the same numbers in both."""
    ordered = (sorted(pair, key=lambda corner: corner[1]) for pair in pairwise(corners))
    return [Edge(lon1=lon1, lat1=lat1, lon2=lon2, lat2=lat2) for (lon1, lat1), (lon2, lat2) in ordered if lat1 < lat2]


def _strips_per_degree(edges: list[Edge], south: float, height: float) -> float:
    """Choose the strip density: few edges in each strip, and no edge in too many strips; 0 is one strip."""
    count = len(edges) // EDGES_PER_STRIP
    while count > 1:
        per_degree = count / height
        fits = math.isfinite(per_degree) and _copies(edges, south, per_degree) <= MAX_STRIPS_PER_EDGE * len(edges)
        if fits:
            return per_degree
        count //= 2
    return 0.0


def _copies(edges: list[Edge], south: float, per_degree: float) -> int:
    """Count the entries of all edges in all strips."""
    return sum(len(_strips_crossed(edge, south, per_degree)) for edge in edges)


def _strips_crossed(edge: Edge, south: float, per_degree: float) -> range:
    """Return the strips that an edge crosses, by the formula that also finds the strip of a point."""
    first, last = (math.floor((lat - south) * per_degree) for lat in (edge["lat1"], edge["lat2"]))
    return range(first, last + 1)
