"""Spark's forms of places, cells, polygons and bands of time: the same arithmetic as DuckDB's, in Spark's words."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm
from dialect.functions.scalar import functions_cells, functions_place

_THE_SAME = {"haversine_m", "within_m", "bearing_deg", "grid_cell", "dwell_band", "width_bucket"}
STORED_POLYGON = (
    "STRUCT<west: DOUBLE, east: DOUBLE, south: DOUBLE, north: DOUBLE, strips_per_degree: DOUBLE,"
    " strips: ARRAY<ARRAY<STRUCT<lon1: DOUBLE, lat1: DOUBLE, lon2: DOUBLE, lat2: DOUBLE>>>>"
)
_LON, _LAT = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"


def _names(words: tuple[str, ...]) -> str:
    return f"array({', '.join(map(repr, words))})"


def _geohash(precision: int) -> str:
    characters = ", ".join(map(functions_cells.character, range(precision)))
    spoken = characters.replace("(n >> ", "shiftright(n, ")
    return f"get(transform(array({functions_cells.ON_EARTH}), n -> concat({spoken})), 0)"


def _parent(cell: str, resolution: int) -> str:
    kept = f"({cell} & 4503599627370495L | {(128 + resolution) << 52}L | {(1 << (45 - 3 * resolution)) - 1}L)"
    return f"CASE WHEN shiftright({cell}, 52) BETWEEN {128 + resolution} AND 143 THEN {kept} END"


_IS_INDEX = "length({0}) = 15 AND left({0}, 1) = '8' AND translate({0}, '0123456789abcdef', '') = ''"
_INDEX = f"CAST(conv(CASE WHEN {_IS_INDEX} THEN {{0}} END, 16, 10) AS BIGINT)"

_EDGES = f"get({{2}}.strips, TRY_CAST(floor(({_LAT} - {{2}}.south) * {{2}}.strips_per_degree) AS INT))"
_CROSSED = (
    f"{_LAT} >= edge.lat1 AND {_LAT} < edge.lat2 AND ({_LON} - edge.lon1) * (edge.lat2 - edge.lat1)"
    f" < ({_LAT} - edge.lat1) * (edge.lon2 - edge.lon1)"
)
_WITHIN = (
    f"CASE WHEN {_LON} >= {{2}}.west AND {_LON} < {{2}}.east AND {_LAT} >= {{2}}.south AND {_LAT} < {{2}}.north"
    f" THEN size(filter({_EDGES}, edge -> {_CROSSED})) % 2 = 1"
    " WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND {2} IS NOT NULL THEN FALSE END"
)
_HOUR = "hour(CAST({0} AS TIMESTAMP_NTZ))"

PLACES: dict[str, SparkForm] = {
    **{row.name: row.duckdb for row in functions_place.PLACES if row.name in _THE_SAME},
    "compass8": f"CASE WHEN abs(CAST({{0}} AS DOUBLE)) < CAST('inf' AS DOUBLE) THEN"
    f" get({_names(functions_place.COMPASS)}, CAST({functions_place.SECTOR} AS INT)) END",
    "hour_of_week": f"CAST(weekday({{0}}) * 24 + {_HOUR} AS BIGINT)",
    "is_weekend": "(weekday({0}) >= 5)",
    "part_of_day": f"get({_names(functions_place.PARTS_OF_DAY)}, CAST({_HOUR} div 6 AS INT))",
    "dwell_minutes": "(try_subtract(unix_micros(CAST({1} AS TIMESTAMP)), unix_micros(CAST({0} AS TIMESTAMP))) / 6e7D)",
    "geohash": _geohash,
    "h3_parent(text, resolution!)": lambda resolution: f"lower(hex({_parent(_INDEX, resolution)}))",
    "h3_parent(int, resolution!)": lambda resolution: _parent("{0}", resolution),
    "within_polygon": _WITHIN,
}
