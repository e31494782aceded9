"""Outlines of public polygons: what was cut into strips is the same area again, and private tables have none."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import unwrap
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from engine import outlines
from engine.api.maps import _geometry
from engine.api.session import Session, open_session
from engine.data.files.polygons import parse_polygon
from engine.errors import ExecutionFailed, Refused

HOLE = "POLYGON ((0 0, 6 0, 6 4, 3 5, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))"
TWO = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)), ((2 0, 3 0, 3 1, 2 1, 2 0)))"
STEPS = "POLYGON ((0 0, 4 0, 4 1, 3 1, 3 2, 2 2, 2 1, 1 1, 1 3, 0 3, 0 0))"


def again(text: str) -> shapely.Geometry:
    return shapely.geometry.shape(_geometry(parse_polygon(text)))


@pytest.mark.parametrize("text", [HOLE, TWO, STEPS])
def test_an_outline_is_the_polygon_again(text: str) -> None:
    assert again(text).equals(shapely.from_wkt(text))


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=8, unique=True))
def test_hulls_are_themselves_again(corners: list[tuple[int, int]]) -> None:
    hull = shapely.MultiPoint(corners).convex_hull
    if hull.geom_type == "Polygon":
        assert again(hull.wkt).symmetric_difference(hull).area < 1e-9


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with open_session("operator", ledger=":memory:") as session:
        yield session


def test_the_operator_s_zones_are_geojson_features_with_names(operator: Session, tmp_path: Path) -> None:
    told = outlines(operator, "zone")
    assert told["type"] == "FeatureCollection"
    one = told["features"][0]
    assert one["id"] == one["properties"]["zone_id"]
    assert "shape" not in one["properties"]
    for feature in told["features"]:
        place = shapely.Point(feature["properties"]["lon"], feature["properties"]["lat"])
        assert shapely.geometry.shape(feature["geometry"]).covers(place)


def test_outlines_that_cannot_be_read_are_refused(operator: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ExecutionFailed

    monkeypatch.setitem(unwrap(outlines).__globals__, "public_table", failing)  # the face has the module's name
    with pytest.raises(Refused, match="nothing was charged"):
        outlines(operator, "zone")


@pytest.mark.parametrize("table", ["event", "calendar", "nothing"])
def test_other_tables_have_none(operator: Session, table: str) -> None:
    with pytest.raises(Refused) as refused:
        outlines(operator, table)
    assert refused.value.problem["code"] == "E_TABLE"
