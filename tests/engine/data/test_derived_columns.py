"""Cells and polygons are made once, when data are opened, each of its own row alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import duckdb
import h3
import pytest

from dialect.catalog.model import Catalog, Column, H3Cell, Source, SourceJoin, SqlType, Table
from engine.data.files.derived_columns import BATCH, derivation_identity
from engine.data.snapshot import copy_digest, declaration_text, open_snapshot
from engine.errors import DataError
from tests.support.worlds import make_world


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_world("places", tmp_path_factory.mktemp("places"))


def _ignore_progress(stage: str, fraction: float) -> None:
    del stage, fraction


def _copy(catalog: Catalog, cache: Path) -> duckdb.DuckDBPyConnection:
    made = open_snapshot(catalog, cache, _ignore_progress)
    return duckdb.connect(made.files["copied"], read_only=True)


def _of(catalog: Catalog, table: Table) -> Catalog:
    return replace(catalog, tables=tuple(table if t.name == table.name else t for t in catalog.tables))


def _with(catalog: Catalog, table: str, column: str, **changes: object) -> Catalog:
    declared = catalog.tables_by_name.get(table)
    assert declared is not None
    changed = (replace(c, **changes) if c.name == column else c for c in declared.columns)  # type: ignore[arg-type]
    return _of(catalog, replace(declared, columns=tuple(changed)))


def _cell(lon: float | None, lat: float | None, resolution: int) -> str | None:
    if lon is None or lat is None or not (abs(lon) <= 180 and abs(lat) <= 90):
        return None
    return h3.latlng_to_cell(lat, lon, resolution)


def test_a_cell_is_the_librarys_and_what_is_no_place_has_none(catalog: Catalog, tmp_path: Path) -> None:
    with _copy(catalog, tmp_path) as copy:
        rows = copy.execute("SELECT lon, lat, h3_5, h3_8 FROM sight").fetchall()
    assert len(rows) == 900 and any(lon is not None and math.isnan(lon) for lon, *_ in rows)
    for lon, lat, text, number in rows:
        fine = _cell(lon, lat, 8)
        assert (text, number) == (_cell(lon, lat, 5), None if fine is None else h3.str_to_int(fine))
    assert sum(text is None for *_, text, _ in rows) > 50


def test_the_other_columns_are_copied_as_they_are(catalog: Catalog, tmp_path: Path) -> None:
    with _copy(catalog, tmp_path) as copy:
        path = catalog.tables[0].source.path
        copy.execute(f"ATTACH '{path}' AS source (READ_ONLY)")
        same = "SELECT person, kind, lon, lat, day FROM {}sight"
        for one, other in (("", "source."), ("source.", "")):
            assert copy.execute(f"{same.format(one)} EXCEPT ALL {same.format(other)}").fetchall() == []


def test_polygons_are_there_and_a_row_without_one_stays(catalog: Catalog, tmp_path: Path) -> None:
    with _copy(catalog, tmp_path) as copy:
        rows = dict(copy.execute("SELECT area, len(list_distinct(flatten(shape.strips))) FROM area").fetchall())
    assert rows == {"ring": 4, "lower": 2, "upper": 2, "islands": 5, "nowhere": 0, "unknown": None}


def test_what_is_derived_decides_the_copy(catalog: Catalog) -> None:
    (sight, mast, area) = catalog.tables
    coarser = _with(catalog, "sight", "h3_5", cell=H3Cell("lon", "lat", 4)).tables[0]
    exchanged = _with(catalog, "sight", "h3_5", cell=H3Cell("lat", "lon", 5)).tables[0]
    plain = _with(catalog, "area", "shape", type=SqlType.VARCHAR, stored_type="VARCHAR").tables[2]
    names = [copy_digest([t]) for t in (sight, coarser, exchanged, mast, area, plain)]
    assert len(set(names)) == len(names)
    assert derivation_identity(plain) == "" != derivation_identity(area)


def test_a_copy_outlives_new_names_in_the_code(catalog: Catalog) -> None:
    """The texts that find a copy, pinned: they contain values and the names of layouts only."""
    (sight, _, _) = catalog.tables
    joined = (SourceJoin("region", "kind", "kinds", "region"),)
    moved = replace(sight, source=Source("parquet", "sight/*.parquet", None, joined))
    declared, _, derived = declaration_text(moved).partition(")(")
    assert declared == (
        "(Source(format='parquet', path='sight/*.parquet', table=None, joins=(SourceJoin(column='region', on='kind',"
        " table='kinds', take='region'),)), 'person', (), [('person', 'BIGINT'), ('kind', 'BIGINT'), ('lon', 'DOUBLE'),"
        " ('lat', 'DOUBLE'), ('day', 'DATE'), ('h3_5', 'VARCHAR'), ('h3_8', 'UBIGINT')]"
    )
    assert derived.endswith(
        "(('h3_5', <SqlType.VARCHAR: 'VARCHAR'>, CellOf(lon='lon', lat='lat', resolution=5)),"
        " ('h3_8', <SqlType.BIGINT: 'BIGINT'>, CellOf(lon='lon', lat='lat', resolution=8))))"
    )


def test_the_order_of_rows_changes_no_cell(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "turned").mkdir()
    turned = make_world("places", tmp_path / "turned")
    with duckdb.connect(turned.tables[0].source.path) as source:
        source.execute("CREATE OR REPLACE TABLE sight AS SELECT * FROM sight ORDER BY hash(lon, lat, day)")
    select = "SELECT * FROM sight ORDER BY ALL"
    with _copy(catalog, tmp_path / "one") as one, _copy(turned, tmp_path / "other") as other:
        assert repr(one.execute(select).fetchall()) == repr(other.execute(select).fetchall())


def test_a_cell_that_is_declared_to_be_there_must_be(catalog: Catalog, tmp_path: Path) -> None:
    strict = _with(catalog, "sight", "h3_5", nullable=False)
    with pytest.raises(DataError, match="h3_5 is declared to be never NULL") as refused:
        open_snapshot(strict, tmp_path, _ignore_progress)
    assert "181" not in str(refused.value)


def test_an_invalid_polygon_is_reported_without_its_text(catalog: Catalog, tmp_path: Path) -> None:
    broken = make_world("places", tmp_path)
    with duckdb.connect(broken.tables[0].source.path) as source:
        source.execute("UPDATE area SET shape = 'POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))' WHERE area = 'ring'")
    with pytest.raises(DataError, match="a text in shape is no polygon: self-intersection") as refused:
        open_snapshot(broken, tmp_path / "cache", _ignore_progress)
    assert "POLYGON" not in str(refused.value)


def test_progress_is_reported_while_cells_are_computed(catalog: Catalog, tmp_path: Path) -> None:
    many = make_world("places", tmp_path)
    with duckdb.connect(many.tables[0].source.path) as source:
        source.execute(f"INSERT INTO sight SELECT 1, 0, 9 + i / 1e6, 50, '2026-10-01' FROM range({2 * BATCH}) t(i)")
    told: list[tuple[str, float]] = []
    open_snapshot(many, tmp_path / "cache", lambda stage, fraction: told.append((stage, fraction)))
    making = [fraction for stage, fraction in told if stage == "making columns of sight"]
    assert len(making) > 4 and making == sorted(making)


def test_a_column_of_polygons_has_the_declared_form_or_is_refused(catalog: Catalog) -> None:
    assert Column("shape", SqlType.POLYGON, "POLYGON") == catalog.tables[2].columns_by_name.get("shape")
