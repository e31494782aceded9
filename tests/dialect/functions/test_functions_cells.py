"""Cells, held against the libraries that define them: on random places, on borders, on pentagons."""

from __future__ import annotations

import math
import random

import duckdb
import h3
import pygeohash
import pytest

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.functions.registry import OVERLOADS_BY_NAME

DRAWN = random.Random(5)
LON, LAT, TEXT, NUMBER = (
    Ref(Field(name, None, kind))
    for name, kind in (("lon", SqlType.DOUBLE), ("lat", SqlType.DOUBLE), ("t", SqlType.VARCHAR), ("i", SqlType.BIGINT))
)
RESOLUTIONS = range(16)


def _written(name: str, form: int, *arguments: Expr) -> str:
    row = OVERLOADS_BY_NAME[name][form]
    return write_expr(Call(row.row_name, arguments, row.result))


def _constant(value: int) -> Literal:
    return Literal(value, SqlType.BIGINT)


def _places() -> list[tuple[float, float]]:
    """Draw places anywhere, and on and next to borders of cells of all sizes."""
    places = [(DRAWN.uniform(-180, 180), DRAWN.uniform(-90, 90)) for _ in range(3_000)]
    for _ in range(3_000):
        lon, lat = (part * DRAWN.randrange(-(2**bits), 2**bits) / 2**bits for part, bits in _borders())
        places += [(near, lat) for near in (lon, math.nextafter(lon, 999), math.nextafter(lon, -999))]
        places.append((lon, math.nextafter(lat, 999)))
    corners = [(x, y) for x in (-180.0, -0.0, 0.0, 5e-324, -5e-324, 180.0) for y in (-90.0, 0.0, -5e-324, 90.0)]
    return [(lon, lat) for lon, lat in places + corners if abs(lon) <= 180 and abs(lat) <= 90]


def _borders() -> tuple[tuple[int, int], tuple[int, int]]:
    return (180, DRAWN.randrange(0, 30)), (90, DRAWN.randrange(0, 30))


def _halved(lon: float, lat: float, length: int) -> str:
    """Halve as defined: every middle is a multiple of 2^-29 degrees, so that nothing is rounded."""
    ends, bits = [[-180.0, 180.0], [-90.0, 90.0]], []
    for turn in range(5 * length):
        value, (low, high) = ((lon, lat)[turn % 2], ends[turn % 2])
        middle = (low + high) / 2
        bits.append(value >= middle)
        ends[turn % 2] = [middle, high] if bits[-1] else [low, middle]
    digits = (sum(bit << (4 - i) for i, bit in enumerate(bits[at : at + 5])) for at in range(0, len(bits), 5))
    return "".join("0123456789bcdefghjkmnpqrstuvwxyz"[digit] for digit in digits)


@pytest.mark.parametrize("length", range(1, 13))
def test_a_geohash_is_the_path_of_halvings(length: int) -> None:
    places = _places()
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE p AS SELECT unnest(?) AS lon, unnest(?) AS lat", [list(c) for c in zip(*places, strict=True)]
        )
        found = connection.execute(f"SELECT {_written('geohash', 0, LON, LAT, _constant(length))} FROM p").fetchall()
    ours = [cell for (cell,) in found]
    assert ours == [_halved(lon, lat, length) for lon, lat in places]
    inside = [
        i for i, (lon, lat) in enumerate(places) if lon < 180 and lat < 90
    ]  # beyond the last cell the library wraps
    assert [ours[i] for i in inside] == [pygeohash.encode(places[i][1], places[i][0], length) for i in inside]


@pytest.mark.parametrize(
    "place", ["NULL, 1", "1, NULL", "'nan', 1", "1, 'nan'", "'inf', 1", "1, '-inf'", "180.5, 1", "1, -91"]
)
def test_what_is_no_place_has_no_geohash(place: str) -> None:
    with duckdb.connect() as connection:
        select = f"SELECT {_written('geohash', 0, LON, LAT, _constant(12))} FROM (VALUES ({place})) v(lon, lat)"
        assert connection.execute(select).fetchall() == [(None,)]


def _cells() -> list[str]:
    """Draw cells of all resolutions, and every pentagon with some of its children."""
    cells = [
        h3.latlng_to_cell(DRAWN.uniform(-90, 90), DRAWN.uniform(-180, 180), r) for r in RESOLUTIONS for _ in range(500)
    ]
    pentagons = [cell for r in RESOLUTIONS for cell in h3.get_pentagons(r)]
    children = [child for cell in pentagons if h3.get_resolution(cell) < 15 for child in h3.cell_to_children(cell)]
    return cells + pentagons + children


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_parent_is_the_librarys(resolution: int) -> None:
    cells = _cells()
    numbers = [h3.str_to_int(cell) for cell in cells]
    text, number = (_written("h3_parent", i, value, _constant(resolution)) for i, value in enumerate((TEXT, NUMBER)))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE c AS SELECT unnest(?) AS t, unnest(?) AS i", [cells, numbers])
        found = connection.execute(f"SELECT {text}, {number} FROM c").fetchall()
    expected = [h3.cell_to_parent(c, resolution) if h3.get_resolution(c) >= resolution else None for c in cells]
    assert [cell for cell, _ in found] == expected
    assert [cell for _, cell in found] == [None if cell is None else h3.str_to_int(cell) for cell in expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8",
        "0x8928308280fff",
        "8928308280FFFFF",
        "08928308280fffff",
        " 8928308280ffff",
        "1728308280fffff",
        "8x28308280fffff",
    ],
)
def test_what_is_no_cell_has_no_parent(text: str) -> None:
    with duckdb.connect() as connection:
        select = f"SELECT {_written('h3_parent', 0, TEXT, _constant(5))} FROM (SELECT ? AS t)"
        assert connection.execute(select, [text]).fetchall() == [(None,)]


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63), h3.str_to_int("8009fffffffffff"), 2**59])
def test_a_number_that_is_no_finer_cell_has_no_parent(number: int) -> None:
    with duckdb.connect() as connection:
        select = f"SELECT {_written('h3_parent', 1, NUMBER, _constant(5))} FROM (SELECT CAST(? AS BIGINT) AS i)"
        assert connection.execute(select, [str(number)]).fetchall() == [(None,)]
