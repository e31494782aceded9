"""Allowed rows: distances, directions and cells on the earth, a sphere of 6,371 km; bands of stays and of the day.

Degrees are WGS 84, longitude first. Nothing is looked up: every form is arithmetic of its arguments, with the same
value for the same place in every question.
"""

from __future__ import annotations

import math

from dialect.algebra import intervals as ranges
from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
EARTH_RADIUS_M = 6_371_000  # mean radius, IUGG
METRES_PER_DEGREE = EARTH_RADIUS_M * math.pi / 180
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
PARTS_OF_DAY = ("night", "morning", "afternoon", "evening")
DWELL_BANDS = ("<5", "5-10", "11-20", "21-60", "61-120", "121-240", ">240")
_FROM_TO = ("lon", "lat", "lon", "lat")


def _double(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE)"


_LON1, _LAT1, _LON2, _LAT2 = (f"CAST({{{place}}} AS DOUBLE)" for place in range(4))
_HAVERSINE = (
    f"(pow(sin(radians({_LAT2} - {_LAT1}) / 2), 2) + cos(radians({_LAT1})) * cos(radians({_LAT2}))"
    f" * pow(sin(radians({_LON2} - {_LON1}) / 2), 2))"
)
# rounding can lift the haversine of opposite places above 1; what is above 1 is taken off, and NaN stays NaN
_DISTANCE = f"({2 * EARTH_RADIUS_M} * asin(sqrt({_HAVERSINE} - greatest({_HAVERSINE} - 1, 0))))"
_EAST = f"(sin(radians({_LON2} - {_LON1})) * cos(radians({_LAT2})) + CAST(0 AS DOUBLE))"
_NORTH = (
    f"(cos(radians({_LAT1})) * sin(radians({_LAT2})) - sin(radians({_LAT1})) * cos(radians({_LAT2}))"
    f" * cos(radians({_LON2} - {_LON1})) + CAST(0 AS DOUBLE))"
)
_BEARING = f"((degrees(atan2({_EAST}, {_NORTH})) + 360) % 360)"
_TURN = "(CAST({0} AS DOUBLE) % 360)"
SECTOR = f"floor(({_TURN} + CASE WHEN {_TURN} < 0 THEN 360 ELSE 0 END + 22.5) % 360 / 45)"
_COMPASS = f"[{', '.join(map(repr, COMPASS))}][TRY_CAST({SECTOR} AS INTEGER) + 1]"
_DWELL = (
    "CASE WHEN {0} < 5 THEN '<5' WHEN {0} <= 10 THEN '5-10' WHEN {0} <= 20 THEN '11-20' WHEN {0} <= 60 THEN '21-60'"
    " WHEN {0} <= 120 THEN '61-120' WHEN {0} <= 240 THEN '121-240' WHEN {0} > 240 THEN '>240' END"
)
_BETWEEN = (
    "CASE WHEN isfinite({0}) AND isfinite({1}) THEN"
    " epoch(TRY_CAST({1} AS TIMESTAMP) - TRY_CAST({0} AS TIMESTAMP)) / 60 END"
)
_ON_EARTH = f"CASE WHEN {_LON1} BETWEEN -180 AND 180 AND {_LAT1} BETWEEN -90 AND 90 THEN "
_ROW = f"floor(({_LAT1} + 90) * {_double(METRES_PER_DEGREE)} / {{2}})"
_MIDDLE = f"(({_ROW} + 0.5) * {{2}} / {_double(METRES_PER_DEGREE)} - 90)"
_COLUMN = f"floor(({_LON1} + 180) * abs(cos(radians({_MIDDLE}))) * {_double(METRES_PER_DEGREE)} / {{2}})"
_GRID = f"{_ON_EARTH}CAST({_ROW} AS BIGINT) * 100000000 + CAST({_COLUMN} AS BIGINT) END"

PLACES: tuple[Function, ...] = (
    Function(
        "haversine_m", _FROM_TO, _DOUBLE, _DISTANCE, ranges.over_sphere(EARTH_RADIUS_M),
        meaning="metres of the shortest way over the sphere from one place to the other",
    ),
    Function(
        "within_m", (*_FROM_TO, "num"), _BOOLEAN, f"({_DISTANCE} <= {{4}})",
        meaning="whether two places are so many metres apart or less",
    ),
    Function(
        "bearing_deg", _FROM_TO, _DOUBLE, _BEARING, ranges.constant(0, 360),
        meaning="direction in which the way to the second place begins: 0 is north, 90 east",
    ),
    Function(
        "compass8", ("num",), _TEXT, _COMPASS, values=COMPASS, partial=Partial.FAR,
        meaning="direction as one of eight, each 45 degrees wide: N from 337.5 to 22.5",
    ),
    Function(
        "grid_cell", ("lon", "lat", "metres!"), _INT, _GRID, ranges.constant(0, 20_015_087 * 10**8 + 10**8),
        partial=Partial.VALUE,
        meaning="square of that width: rows counted from the south pole, times 100,000,000, plus columns counted from"
        " 180 degrees west, as wide as the row's middle says",
    ),
    Function(
        "hour_of_week", ("time",), _INT, "((isodow({0}) - 1) * 24 + hour({0}))", ranges.constant(0, 167),
        tuple(range(168)), Partial.FAR, meaning="hours since Monday 00:00",
    ),
    Function(
        "is_weekend", ("time",), _BOOLEAN, "(isodow({0}) >= 6)", partial=Partial.FAR, meaning="Saturday or Sunday"
    ),
    Function(
        "part_of_day", ("time",), _TEXT, f"[{', '.join(map(repr, PARTS_OF_DAY))}][hour({{0}}) // 6 + 1]",
        values=PARTS_OF_DAY, partial=Partial.FAR, meaning="six hours each: night from 0, morning from 6, afternoon from"
        " 12, evening from 18",
    ),
    Function(
        "dwell_minutes", ("time", "time"), _DOUBLE, _BETWEEN, partial=Partial.FAR,
        meaning="minutes from the first time to the second",
    ),
    Function(
        "dwell_band", ("num",), _TEXT, _DWELL, values=DWELL_BANDS,
        meaning="minutes of a stay in seven bands, both ends in the band; an unknown stay has none",
    ),
    Function(
        "width_bucket", ("num", "num!", "num!", "buckets!"), _INT,
        "CAST(CASE WHEN {0} < {1} THEN 0 WHEN {0} >= {2} THEN {3} + 1 WHEN {0} >= {1} THEN"
        " least({3}, floor((CAST({0} AS DOUBLE) - {1}) / (CAST({2} AS DOUBLE) - {1}) * {3}) + 1) END AS BIGINT)",
        ranges.buckets, suits=lambda lower, upper, _: None if lower < upper else "The lower end comes first.",
        meaning="number of the bucket among equally wide ones between two ends, 0 below them and one"
        " more than there are above (PostgreSQL)",
    ),
)  # fmt: skip
