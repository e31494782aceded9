"""Allowed rows: cells of the geohash and of H3, by exact arithmetic on bits (`proofs.md#cells`).

A geohash is the path of halvings to a place. In 60 bits it is floor(longitude * 2^27 / 45) + 2^29, and as much of the
latitude. The cell of a place in H3 needs the library, and is stored when data are opened; its parents are arithmetic.
"""

from __future__ import annotations

from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial

ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
LONGEST = 12  # characters of a geohash: 60 bits
USUAL = 7  # characters that are mostly asked for: 150 m
_HALF, _LAST = 2**29, 2**30 - 1

_LON, _LAT = "CAST({0} AS DOUBLE)", "CAST({1} AS DOUBLE)"


def _halvings(degrees: str, scale: int) -> str:
    """Count whole parts of 360 or 180 degrees / 2^30 from the lower end; the upper end is in the last part."""
    return f"least(CAST(floor({degrees} * {scale} / 45) AS BIGINT) + {_HALF}, {_LAST})"


def _woven(value: int, first: int) -> str:
    """Give the character of five bits: `first` of them of one coordinate, then those of the other, taken in turn."""
    one, other = value >> (5 - first), value & (2 ** (5 - first) - 1)
    bits = [(one >> (2 - i // 2) if i % 2 == 0 else other >> (1 - i // 2)) & 1 for i in range(5)]
    return ALPHABET[int("".join(map(str, bits)), 2)]


_WEAVE = "".join(_woven(value, 3) for value in range(32))


def character(place: int) -> str:
    """Write the character in a place: three bits of the coordinate whose turn it is, two of the other."""
    lon, lat = 55 - 5 * (place // 2), 25 - 5 * (place // 2)
    three, two = (lon + 2, lat + 3) if place % 2 == 0 else (lat, lon)
    return f"substr('{_WEAVE}', ((n >> {three}) & 7) * 4 + ((n >> {two}) & 3) + 1, 1)"


_PATH = f"{_halvings(_LON, 2**27)} * {2**30} + {_halvings(_LAT, 2**28)}"
ON_EARTH = f"CASE WHEN {_LON} BETWEEN -180 AND 180 AND {_LAT} BETWEEN -90 AND 90 THEN {_PATH} END"


def _path(length: int) -> str:
    """Write the characters up to a length; of no path there are none."""
    return f"list_transform([{ON_EARTH}], lambda n: {' || '.join(map(character, range(length)))})[1]"


# a constant decides: the engine computes one of the two
_GEOHASH = f"left(CASE WHEN {{2}} <= {USUAL} THEN {_path(USUAL)} ELSE {_path(LONGEST)} END, {{2}})"

# of an H3 index the top 12 bits are 128 + resolution, and behind 7 bits of base cell come 15 digits of 3 bits
_FINER = "({cell} >> 52) BETWEEN 128 + {{1}} AND 143"
_COARSER = (
    "CAST(({cell} & 4503599627370495) | ((128 + CAST({{1}} AS BIGINT)) << 52)"
    " | ((CAST(1 AS BIGINT) << (45 - 3 * {{1}})) - 1) AS BIGINT)"
)
_PARENT = f"CASE WHEN {_FINER} THEN {_COARSER} END"
_INDEX = "CAST(CASE WHEN length({0}) = 15 AND regexp_full_match({0}, '8[0-9a-f]+') THEN '0x' || {0} END AS BIGINT)"
_TEXT_PARENT = f"lower(to_hex(list_transform([{_INDEX}], lambda n: {_PARENT.format(cell='n')})[1]))"

CELLS: tuple[Function, ...] = (
    Function(
        "geohash", ("lon", "lat", "precision!"), SqlType.VARCHAR, _GEOHASH, partial=Partial.VALUE,
        meaning="cell of that many characters (Niemeyer 2008): longitude and latitude are halved in turn, and every"
        " five halves are a character; a place on a border is in the cell to its north or east",
    ),
    Function(
        "h3_parent", ("text", "resolution!"), SqlType.VARCHAR, _TEXT_PARENT, partial=Partial.VALUE,
        meaning="H3 cell of that resolution that a finer one, as 15 hexadecimal digits, belongs to",
    ),
    Function(
        "h3_parent", ("int", "resolution!"), SqlType.BIGINT, _PARENT.format(cell="{0}"), partial=Partial.VALUE,
        meaning="the same of a cell stored as an integer",
    ),
)  # fmt: skip
