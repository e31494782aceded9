"""WKT text is read strictly, and cut into strips in which no edge is missed."""

from __future__ import annotations

import math

import pytest
import shapely

from engine.data.files.polygons import EDGES_PER_STRIP, MAX_STRIPS_PER_EDGE, NoPolygonError, is_polygon, parse_polygon

SQUARE = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no WKT"),
        ("square", "no WKT"),
        ("POLYGON ((0 0, 1 1))", "no WKT"),
        ("POLYGON ((0 0, 1 0, 1 1, 0 1))", "no WKT"),  # not closed
        ("POINT (1 2)", "a Point"),
        ("LINESTRING (0 0, 1 1)", "a LineString"),
        ("GEOMETRYCOLLECTION EMPTY", "a GeometryCollection"),
        ("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))", "self-intersection"),
        ("POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0), (3 3, 4 3, 4 4, 3 3))", "hole lies outside"),
        ("MULTIPOLYGON (((0 0, 2 0, 2 2, 0 0)), ((0 0, 2 0, 2 2, 0 0)))", "rings|self|duplicate|nested"),
        ("POLYGON ((0 0, 200 0, 200 2, 0 0))", "no degrees"),
        ("POLYGON ((20 100, 21 100, 21 101, 20 100))", "no degrees"),
        ("POLYGON ((0 0, inf 0, 2 2, 0 0))", "no degrees|no WKT"),
        ("POLYGON ((0 0, nan 0, 2 2, 0 0))", "no degrees|no WKT"),
    ],
)
def test_an_invalid_polygon_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NoPolygonError, match=why):
        parse_polygon(text)
    assert not is_polygon(text)


def test_edges_run_north_and_level_ones_are_left_out() -> None:
    shape = parse_polygon(SQUARE)
    assert [shape["west"], shape["east"], shape["south"], shape["north"]] == [0, 2, 0, 2]
    (strip,) = shape["strips"]
    assert strip == [
        {"lon1": 2, "lat1": 0, "lon2": 2, "lat2": 2},
        {"lon1": 0, "lat1": 0, "lon2": 0, "lat2": 2},
    ]


def test_heights_are_left_out_and_an_empty_one_has_no_strips() -> None:
    assert parse_polygon("POLYGON Z ((0 0 5, 2 0 5, 2 2 5, 0 2 5, 0 0 5))") == parse_polygon(SQUARE)
    assert parse_polygon("MULTIPOLYGON EMPTY")["strips"] == parse_polygon("POLYGON EMPTY")["strips"] == []


def test_many_corners_make_short_strips() -> None:
    circle = parse_polygon(shapely.Point(10, 50).buffer(1, quad_segs=500).wkt)
    assert len(circle["strips"]) > 400
    assert max(map(len, circle["strips"])) <= 30 * EDGES_PER_STRIP


def test_a_comb_is_not_copied_without_end() -> None:
    """Every tooth reaches through all strips: there are few of them."""
    teeth = [(x / 1_000, 10.0 * (x % 2)) for x in range(4_000)]
    comb = parse_polygon(shapely.Polygon([*teeth, (4, -1), (0, -1)]).wkt)
    assert sum(map(len, comb["strips"])) <= MAX_STRIPS_PER_EDGE * 4_002


def test_a_flat_polygon_has_one_strip() -> None:
    high = math.nextafter(1e-310, 1)
    flat = parse_polygon(shapely.Polygon([(0, 0), (1, 0), (1, high), (0.5, high / 2), (0, high)]).wkt)
    assert len(flat["strips"]) == 1 and flat["strips_per_degree"] == 0
