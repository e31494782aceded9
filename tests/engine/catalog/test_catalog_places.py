"""Cells and polygons are declared strictly, and each mistake has a cure."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.errors import CatalogError
from tests.support.worlds import FOLDER, make_world

WHOLE = (FOLDER / "places.toml").read_text(encoding="utf-8")
H3 = 'h3 = { lon = "lon", lat = "lat", resolution = 5 }'


def _mistake(folder: Path, old: str, new: str) -> CatalogError:
    assert old in WHOLE
    (folder / "catalog.toml").write_text(WHOLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError) as refused:
        load_catalog(folder / "catalog.toml")
    return refused.value


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        (H3, 'h3 = { lon = "lon", lat = "lat" }', "h3.resolution", "missing"),
        (H3, 'h3 = { lon = "lon", lat = "lat", resolution = 16 }', "h3.resolution", "no integer from 0 to 15"),
        (H3, 'h3 = { lon = "lon", lat = "lat", resolution = 5, ring = 1 }', "h3.ring", "not known"),
        (H3, 'h3 = { lon = "lng", lat = "lat", resolution = 5 }', "h3.lon", "no column lng"),
        (H3, 'h3 = { lon = "lon", lat = "day", resolution = 5 }', "h3.lat", "holds no degrees"),
        (H3, 'h3 = { lon = "lon", lat = "h3_8", resolution = 5 }', "h3.lat", "holds no degrees"),
        (H3, "h3 = 5", "h3", "no table"),
        ('h3_5 = { type = "VARCHAR", ', 'h3_5 = { type = "DOUBLE", ', "type", "an H3 cell is no DOUBLE"),
        ('h3_5 = { type = "VARCHAR", ', 'h3_5 = { type = "INTEGER", ', "type", "an H3 cell is no INTEGER"),
        ("person = { type", f"person = {{ {H3}, type", "person.h3", "meaning of its own"),
        ('day = { type = "DATE", nullable = false, range = ["2026-10-01", "2026-10-09"] }', 'day = { type = "POLYGON" }', "day.type", "a private table has no polygons"),
        ('shape = { type = "POLYGON" }', 'shape = { type = "POLYGON", bounds = [0, 1] }', "shape.bounds", "no bounds"),
        ('shape = { type = "POLYGON" }', 'shape = { type = "POLYGON", values = ["a"] }', "shape.values", "no list"),
        ('primary_key = ["area"]', 'primary_key = ["shape"]', "primary_key", "shape is a polygon"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_place_and_a_cure(tmp_path: Path, old: str, new: str, key: str, why: str) -> None:
    refused = _mistake(tmp_path, old, new)
    assert refused.key.endswith(key) and why in refused.why and refused.cure


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace('lon = "lon"', 'lon = "lng"').replace("resolution = 7", "resolution = 77")
    (tmp_path / "catalog.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as refused:
        load_catalog(tmp_path / "catalog.toml")
    assert len({refused.value.key, *(other.key for other in refused.value.other_errors)}) >= 1
    assert "resolution" in refused.value.key


def test_files_that_are_as_declared_have_no_finding(tmp_path: Path) -> None:
    assert check_catalog(make_world("places", tmp_path)) == ()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("UPDATE area SET shape = 'here' WHERE area = 'ring'", "tables.area.columns.shape.type"),
        ("ALTER TABLE area ALTER shape TYPE BLOB USING NULL", "tables.area.columns.shape.type"),
        ("ALTER TABLE sight DROP lon", "tables.sight.columns.lon"),
    ],
)
def test_what_is_not_as_declared_is_found(tmp_path: Path, change: str, key: str) -> None:
    catalog = make_world("places", tmp_path)
    with duckdb.connect(catalog.tables[0].source.path) as source:
        source.execute(change)
    assert [finding.key for finding in check_catalog(catalog)] == [key]
