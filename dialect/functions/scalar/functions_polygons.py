"""Allowed rows: which polygon a place is in, by the even-odd rule in doubles (`proofs.md#polygons`).

A polygon is stored as the box around it and its edges, cut into strips of latitude of one height: each strip holds all
edges that reach into it, in any order, so that a test looks at few of them however many there are.
"""

from __future__ import annotations

from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function

EDGE = "STRUCT(lon1 DOUBLE, lat1 DOUBLE, lon2 DOUBLE, lat2 DOUBLE)"  # lat1 < lat2
STORED = (
    "STRUCT(west DOUBLE, east DOUBLE, south DOUBLE, north DOUBLE,"
    f" strips_per_degree DOUBLE, strips {EDGE}[][])"  # strip k begins at south + k / strips_per_degree
)


def _part(name: str, whole: str = "{2}") -> str:
    return f"struct_extract({whole}, '{name}')"


_LON, _LAT = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"
_IN_BOX = (
    f"{_LON} >= {_part('west')} AND {_LON} < {_part('east')} AND {_LAT} >= {_part('south')}"
    f" AND {_LAT} < {_part('north')}"
)
_STRIP = f"{_part('strips')}[CAST(floor(({_LAT} - {_part('south')}) * {_part('strips_per_degree')}) AS BIGINT) + 1]"
_LON1, _LAT1, _LON2, _LAT2 = (_part(name, "edge") for name in ("lon1", "lat1", "lon2", "lat2"))
_CROSSED = (
    f"{_LAT} >= {_LAT1} AND {_LAT} < {_LAT2}"
    f" AND ({_LON} - {_LON1}) * ({_LAT2} - {_LAT1}) < ({_LAT} - {_LAT1}) * ({_LON2} - {_LON1})"
)
_WITHIN = (
    f"CASE WHEN {_IN_BOX} THEN len(list_filter({_STRIP}, lambda edge: {_CROSSED})) % 2 = 1"
    " WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND {2} IS NOT NULL THEN FALSE END"
)

POLYGONS: tuple[Function, ...] = (
    Function(
        "within_polygon", ("lon", "lat", "polygon"), SqlType.BOOLEAN, _WITHIN,
        meaning="whether a way east from the place crosses an odd number of the polygon's edges, each from its south"
        " end, included, to its north end, excluded; a place on an edge belongs to what lies east or north of it",
    ),
)  # fmt: skip
