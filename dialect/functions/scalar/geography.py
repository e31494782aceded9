"""Geographic and dwell functions, for DuckDB and Spark: distances, bearings, cells, polygons, bands of stays and hours.

Degrees are WGS 84, longitude first, on a sphere of radius 6,371 km. No form uses an extension or a lookup table: all
are arithmetic, so a place has the same value in every query.

Geohash and H3 cells are exact bit arithmetic (`dialect/binder/proofs.md#cells`). A geohash is the path of halvings to
a place: in 60 bits, floor(longitude * 2^27 / 45) + 2^29 interleaved with the same of latitude. The H3 cell of a place
needs the H3 library and is computed when data are opened; its parents are arithmetic.

Point in polygon uses the even-odd rule in doubles (`dialect/functions/proofs.md#polygons`). A polygon is stored as its
bounding box and its edges, bucketed into strips of latitude of equal height. Each strip holds all edges that overlap
it, so a test reads few edges of even a large polygon.
"""

from __future__ import annotations

import math

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.functions.signatures import SAME, Cost, Function, Partial

ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
MAX_GEOHASH_LENGTH = 12  # characters of a geohash: 60 bits
USUAL_GEOHASH_LENGTH = 7  # characters of a typical geohash: 150 m
_HALF_OF_CELLS, _LAST_CELL = 2**29, 2**30 - 1

_LON, _LAT = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"


def _halvings(degrees: str, scale: int) -> str:
    """Write the index of a coordinate among 2^30 equal parts of its range; the upper end belongs to the last part."""
    return f"least(CAST(floor({degrees} * {scale} / 45) AS BIGINT) + {_HALF_OF_CELLS}, {_LAST_CELL})"


def _geohash_character(value: int, first: int) -> str:
    """Return the geohash character of five bits: `first` bits of one coordinate, interleaved with the other's.

    `value` holds the bits of the coordinate whose turn is first, three of five, above those of the other.
    """
    first_bits, second_bits = value >> (5 - first), value & (2 ** (5 - first) - 1)
    bits = [(first_bits >> (2 - i // 2) if i % 2 == 0 else second_bits >> (1 - i // 2)) & 1 for i in range(5)]
    return ALPHABET[int("".join(map(str, bits)), 2)]


_CHARACTERS_BY_BITS = "".join(_geohash_character(value, 3) for value in range(32))


def geohash_character_form(position: int) -> str:
    """Write the geohash character at a position: three bits of the coordinate whose turn it is, two of the other.

    `n` holds 30 bits of longitude above 30 bits of latitude; a character takes its five bits from both, alternating.
    """
    lon, lat = 55 - 5 * (position // 2), 25 - 5 * (position // 2)
    three, two = (lon + 2, lat + 3) if position % 2 == 0 else (lat, lon)
    return f"substr('{_CHARACTERS_BY_BITS}', ((n >> {three}) & 7) * 4 + ((n >> {two}) & 3) + 1, 1)"


_GEOHASH_BITS = f"{_halvings(_LON, 2**27)} * {2**30} + {_halvings(_LAT, 2**28)}"
GEOHASH_BITS_ON_EARTH = f"CASE WHEN {_LON} BETWEEN -180 AND 180 AND {_LAT} BETWEEN -90 AND 90 THEN {_GEOHASH_BITS} END"


def _geohash_form(length: int) -> str:
    """Write the DuckDB form of a geohash of a length; NULL where the place is not on earth.

    The list of one element binds the bits to `n`, so that they are computed once.
    """
    return (
        f"list_transform([{GEOHASH_BITS_ON_EARTH}], lambda n:"
        f" {' || '.join(map(geohash_character_form, range(length)))})[1]"
    )


# the precision is a constant, so the engine computes only one branch
_GEOHASH = (
    f"left(CASE WHEN {{2}} <= {USUAL_GEOHASH_LENGTH} THEN {_geohash_form(USUAL_GEOHASH_LENGTH)}"
    f" ELSE {_geohash_form(MAX_GEOHASH_LENGTH)} END, {{2}})"
)

# H3 index: 12 bits of 128 + resolution, 7 bits of base cell, 15 digits of 3 bits
_IS_FINER_CELL = "({cell} >> 52) BETWEEN 128 + {{1}} AND 143"
_PARENT_BITS = (
    "CAST(({cell} & 4503599627370495) | ((128 + CAST({{1}} AS BIGINT)) << 52)"
    " | ((CAST(1 AS BIGINT) << (45 - 3 * {{1}})) - 1) AS BIGINT)"
)
_PARENT = f"CASE WHEN {_IS_FINER_CELL} THEN {_PARENT_BITS} END"
_INDEX = "CAST(CASE WHEN length({0}) = 15 AND regexp_full_match({0}, '8[0-9a-f]+') THEN '0x' || {0} END AS BIGINT)"
_TEXT_PARENT = f"lower(to_hex(list_transform([{_INDEX}], lambda n: {_PARENT.format(cell='n')})[1]))"


_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
EARTH_RADIUS_M = 6_371_000  # mean radius, IUGG
METRES_PER_DEGREE = EARTH_RADIUS_M * math.pi / 180
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
DAY_PARTS = ("night", "morning", "afternoon", "evening")
DWELL_BANDS = ("<5", "5-10", "11-20", "21-60", "61-120", "121-240", ">240")
_TWO_PLACES = ("lon", "lat", "lon", "lat")


def _double(value: float) -> str:
    """Write a number as a DOUBLE."""
    return f"CAST('{value!r}' AS DOUBLE)"


_LON1, _LAT1, _LON2, _LAT2 = (f"CAST({{{place}}} AS DOUBLE)" for place in range(4))
_HAVERSINE = (
    f"(pow(sin(radians({_LAT2} - {_LAT1}) / 2), 2) + cos(radians({_LAT1})) * cos(radians({_LAT2}))"
    f" * pow(sin(radians({_LON2} - {_LON1}) / 2), 2))"
)
# rounding can lift the haversine of antipodal places above 1; the excess is subtracted, which preserves NaN
_DISTANCE = f"({2 * EARTH_RADIUS_M} * asin(sqrt({_HAVERSINE} - greatest({_HAVERSINE} - 1, 0))))"
# adding 0 turns -0.0, which atan2 distinguishes, into 0.0
_EAST = f"(sin(radians({_LON2} - {_LON1})) * cos(radians({_LAT2})) + CAST(0 AS DOUBLE))"
_NORTH = (
    f"(cos(radians({_LAT1})) * sin(radians({_LAT2})) - sin(radians({_LAT1})) * cos(radians({_LAT2}))"
    f" * cos(radians({_LON2} - {_LON1})) + CAST(0 AS DOUBLE))"
)
_BEARING = f"((degrees(atan2({_EAST}, {_NORTH})) + 360) % 360)"
_FULL_TURN_REMAINDER = "(CAST({0} AS DOUBLE) % 360)"
SECTOR = f"floor(({_FULL_TURN_REMAINDER} + CASE WHEN {_FULL_TURN_REMAINDER} < 0 THEN 360 ELSE 0 END + 22.5) % 360 / 45)"
_COMPASS = f"[{', '.join(map(repr, COMPASS))}][TRY_CAST({SECTOR} AS INTEGER) + 1]"
_DWELL_BAND_FORM = (
    "CASE WHEN {0} < 5 THEN '<5' WHEN {0} <= 10 THEN '5-10' WHEN {0} <= 20 THEN '11-20' WHEN {0} <= 60 THEN '21-60'"
    " WHEN {0} <= 120 THEN '61-120' WHEN {0} <= 240 THEN '121-240' WHEN {0} > 240 THEN '>240' END"
)
_MINUTES_BETWEEN = (
    "CASE WHEN isfinite({0}) AND isfinite({1}) THEN"
    " epoch(TRY_CAST({1} AS TIMESTAMP) - TRY_CAST({0} AS TIMESTAMP)) / 60 END"
)
_ON_EARTH = f"CASE WHEN {_LON1} BETWEEN -180 AND 180 AND {_LAT1} BETWEEN -90 AND 90 THEN "
_GRID_ROW = f"floor(({_LAT1} + 90) * {_double(METRES_PER_DEGREE)} / {{2}})"
_ROW_LATITUDE = f"(({_GRID_ROW} + 0.5) * {{2}} / {_double(METRES_PER_DEGREE)} - 90)"
_GRID_COLUMN = f"floor(({_LON1} + 180) * abs(cos(radians({_ROW_LATITUDE}))) * {_double(METRES_PER_DEGREE)} / {{2}})"
_GRID = f"{_ON_EARTH}CAST({_GRID_ROW} AS BIGINT) * 100000000 + CAST({_GRID_COLUMN} AS BIGINT) END"


EDGE = "STRUCT(lon1 DOUBLE, lat1 DOUBLE, lon2 DOUBLE, lat2 DOUBLE)"  # lat1 < lat2
POLYGON_TYPE = (
    "STRUCT(west DOUBLE, east DOUBLE, south DOUBLE, north DOUBLE,"
    f" strips_per_degree DOUBLE, strips {EDGE}[][])"  # strip k begins at south + k / strips_per_degree
)


def _field(name: str, struct: str = "{2}") -> str:
    """Write a field of a struct, by default of the polygon in the third argument."""
    return f"struct_extract({struct}, '{name}')"


_IN_BOX = (
    f"{_LON} >= {_field('west')} AND {_LON} < {_field('east')} AND {_LAT} >= {_field('south')}"
    f" AND {_LAT} < {_field('north')}"
)
_STRIP = f"{_field('strips')}[CAST(floor(({_LAT} - {_field('south')}) * {_field('strips_per_degree')}) AS BIGINT) + 1]"
_A_LON, _A_LAT, _B_LON, _B_LAT = (_field(name, "edge") for name in ("lon1", "lat1", "lon2", "lat2"))
_IS_CROSSED = (
    f"{_LAT} >= {_A_LAT} AND {_LAT} < {_B_LAT}"
    f" AND ({_LON} - {_A_LON}) * ({_B_LAT} - {_A_LAT}) < ({_LAT} - {_A_LAT}) * ({_B_LON} - {_A_LON})"
)
_WITHIN_POLYGON = (
    f"CASE WHEN {_IN_BOX} THEN len(list_filter({_STRIP}, lambda edge: {_IS_CROSSED})) % 2 = 1"
    " WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND {2} IS NOT NULL THEN FALSE END"
)


SPARK_POLYGON_TYPE = (
    "STRUCT<west: DOUBLE, east: DOUBLE, south: DOUBLE, north: DOUBLE, strips_per_degree: DOUBLE,"
    " strips: ARRAY<ARRAY<STRUCT<lon1: DOUBLE, lat1: DOUBLE, lon2: DOUBLE, lat2: DOUBLE>>>>"
)


def _text_array(words: tuple[str, ...]) -> str:
    """Write an array of texts for Spark."""
    return f"array({', '.join(map(repr, words))})"


def _spark_geohash(precision: int) -> str:
    """Write the Spark form of a geohash; the array of one element binds the bits to `n`."""
    characters = ", ".join(map(geohash_character_form, range(precision)))
    spark_characters = characters.replace("(n >> ", "shiftright(n, ")
    return f"get(transform(array({GEOHASH_BITS_ON_EARTH}), n -> concat({spark_characters})), 0)"


def _spark_parent(cell: str, resolution: int) -> str:
    """Write the parent of an H3 cell at a coarser resolution; NULL where the cell itself is coarser.

    Bits 52 and up of a cell hold its mode and resolution, 128 + resolution. Each finer level has three bits, all of
    which are 1 in a parent.
    """
    parent = f"({cell} & 4503599627370495L | {(128 + resolution) << 52}L | {(1 << (45 - 3 * resolution)) - 1}L)"
    return f"CASE WHEN shiftright({cell}, 52) BETWEEN {128 + resolution} AND 143 THEN {parent} END"


_IS_INDEX = "length({0}) = 15 AND left({0}, 1) = '8' AND translate({0}, '0123456789abcdef', '') = ''"
_SPARK_INDEX = f"CAST(conv(CASE WHEN {_IS_INDEX} THEN {{0}} END, 16, 10) AS BIGINT)"

_SPARK_STRIP = f"get({{2}}.strips, TRY_CAST(floor(({_LAT} - {{2}}.south) * {{2}}.strips_per_degree) AS INT))"
_SPARK_CROSSED = (
    f"{_LAT} >= edge.lat1 AND {_LAT} < edge.lat2 AND ({_LON} - edge.lon1) * (edge.lat2 - edge.lat1)"
    f" < ({_LAT} - edge.lat1) * (edge.lon2 - edge.lon1)"
)
_SPARK_WITHIN = (
    f"CASE WHEN {_LON} >= {{2}}.west AND {_LON} < {{2}}.east AND {_LAT} >= {{2}}.south AND {_LAT} < {{2}}.north"
    f" THEN size(filter({_SPARK_STRIP}, edge -> {_SPARK_CROSSED})) % 2 = 1"
    " WHEN {0} IS NOT NULL AND {1} IS NOT NULL AND {2} IS NOT NULL THEN FALSE END"
)
_HOUR = "hour(CAST({0} AS TIMESTAMP_NTZ))"


CELLS: tuple[Function, ...] = (
    Function(
        "geohash", ("lon", "lat", "precision!"), SqlType.VARCHAR, _GEOHASH, _spark_geohash,
        partial=Partial.FOR_SOME_VALUES,
        meaning="cell of that many characters (Niemeyer 2008): longitude and latitude are halved in turn, and every"
        " five halves are a character; a place on a border is in the cell to its north or east",
        cost=Cost(per_call=200.0),
    ),
    Function(
        "h3_parent", ("text", "resolution!"), SqlType.VARCHAR, _TEXT_PARENT,
        lambda resolution: f"lower(hex({_spark_parent(_SPARK_INDEX, resolution)}))", partial=Partial.FOR_SOME_VALUES,
        meaning="H3 cell of that resolution that a finer one, as 15 hexadecimal digits, belongs to",
        cost=Cost(per_call=200.0),
    ),
    Function(
        "h3_parent", ("int", "resolution!"), SqlType.BIGINT, _PARENT.format(cell="{0}"),
        lambda resolution: _spark_parent("{0}", resolution), partial=Partial.FOR_SOME_VALUES,
        meaning="the same of a cell stored as an integer", cost=Cost(per_call=200.0),
    ),
)  # fmt: skip

PLACES: tuple[Function, ...] = (
    Function(
        "haversine_m", _TWO_PLACES, _DOUBLE, _DISTANCE, SAME, ranges.great_circle_distance(EARTH_RADIUS_M),
        meaning="metres of the shortest way over the sphere from one place to the other", cost=Cost(per_call=200.0),
    ),
    Function(
        "within_m", (*_TWO_PLACES, "num"), _BOOLEAN, f"({_DISTANCE} <= {{4}})", SAME,
        meaning="whether two places are so many metres apart or less", cost=Cost(per_call=200.0),
    ),
    Function(
        "bearing_deg", _TWO_PLACES, _DOUBLE, _BEARING, SAME, ranges.constant(0, 360),
        meaning="direction in which the way to the second place begins: 0 is north, 90 east", cost=Cost(per_call=200.0),
    ),
    Function(
        "compass8", ("num",), _TEXT, _COMPASS,
        f"CASE WHEN abs(CAST({{0}} AS DOUBLE)) < CAST('inf' AS DOUBLE) THEN"
        f" get({_text_array(COMPASS)}, CAST({SECTOR} AS INT)) END",
        listed_values=COMPASS, partial=Partial.BEYOND_CALENDAR,
        meaning="direction as one of eight, each 45 degrees wide: N from 337.5 to 22.5", cost=Cost(per_call=200.0),
    ),
    Function(
        "grid_cell", ("lon", "lat", "metres!"), _INT, _GRID, SAME, ranges.constant(0, 20_015_087 * 10**8 + 10**8),
        partial=Partial.FOR_SOME_VALUES,
        meaning="square of that width: rows counted from the south pole, times 100,000,000, plus columns counted from"
        " 180 degrees west, as wide as the row's middle says",
        cost=Cost(per_call=200.0),
    ),
    Function(
        "hour_of_week", ("time",), _INT, "((isodow({0}) - 1) * 24 + hour({0}))",
        f"CAST(weekday({{0}}) * 24 + {_HOUR} AS BIGINT)", ranges.constant(0, 167), tuple(range(168)),
        Partial.BEYOND_CALENDAR, meaning="hours since Monday 00:00", constant_within="hour",
        determines=("hour", "isodow", "dayofweek"),
    ),
    Function(
        "is_weekend", ("time",), _BOOLEAN, "(isodow({0}) >= 6)", "(weekday({0}) >= 5)", partial=Partial.BEYOND_CALENDAR,
        meaning="Saturday or Sunday", constant_within="day",
    ),
    Function(
        "part_of_day", ("time",), _TEXT, f"[{', '.join(map(repr, DAY_PARTS))}][hour({{0}}) // 6 + 1]",
        f"get({_text_array(DAY_PARTS)}, CAST({_HOUR} div 6 AS INT))", listed_values=DAY_PARTS,
        partial=Partial.BEYOND_CALENDAR,
        constant_within="hour", is_by_hour=True,
        meaning="six hours each: night from 0, morning from 6, afternoon from 12, evening from 18",
    ),
    Function(
        "dwell_minutes", ("time", "time"), _DOUBLE, _MINUTES_BETWEEN,
        "(try_subtract(unix_micros(CAST({1} AS TIMESTAMP)), unix_micros(CAST({0} AS TIMESTAMP))) / 6e7D)",
        partial=Partial.BEYOND_CALENDAR, meaning="minutes from the first time to the second",
    ),
    Function(
        "dwell_band", ("num",), _TEXT, _DWELL_BAND_FORM, SAME, listed_values=DWELL_BANDS,
        meaning="minutes of a stay in seven bands, both ends in the band; an unknown stay has none",
    ),
    Function(
        "width_bucket", ("num", "num!", "num!", "buckets!"), _INT,
        "CAST(CASE WHEN {0} < {1} THEN 0 WHEN {0} >= {2} THEN {3} + 1 WHEN {0} >= {1} THEN"
        " least({3}, floor((CAST({0} AS DOUBLE) - {1}) / (CAST({2} AS DOUBLE) - {1}) * {3}) + 1) END AS BIGINT)",
        SAME, ranges.width_bucket,
        check_constants=lambda lower, upper, _: None if lower < upper else Kind.LOWER_END_FIRST.at(),
        meaning="number of the bucket among equally wide ones between two ends, 0 below them and one"
        " more than there are above (PostgreSQL)",
    ),
)  # fmt: skip

POLYGONS: tuple[Function, ...] = (
    Function(
        "within_polygon", ("lon", "lat", "polygon"), SqlType.BOOLEAN, _WITHIN_POLYGON, _SPARK_WITHIN,
        meaning="whether a way east from the place crosses an odd number of the polygon's edges, each from its south"
        " end, included, to its north end, excluded; a place on an edge belongs to what lies east or north of it",
        cost=Cost(per_call=2_000.0),
    ),
)  # fmt: skip
