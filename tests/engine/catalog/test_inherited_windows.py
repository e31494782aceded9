"""Derived columns inherit the privacy windows of their sources, along any chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dialect.catalog.model import Catalog, Column, H3Cell, Movement, Source, SourceJoin, SqlType, Table
from engine.catalog.privacy_windows import propagate_source_windows, source_windows

NUMBER = Column("dist_km", SqlType.DOUBLE, "DOUBLE")


def column(name: str, *windows: str) -> Column:
    return Column(name, SqlType.DOUBLE, "DOUBLE", source_windows=windows)


TABLE = Table(
    "trips",
    "d",
    True,
    Source("parquet", "", joins=(SourceJoin("lon", "place", "places", "lon"),)),
    (
        replace(column("cell", "2026-04"), cell=H3Cell("lon", "lat", 9)),
        column("lon"),
        column("lat", "2026-02"),
        column("place", "2026-01"),
        column("steps", "2026-03"),
    ),
    movement=Movement("place", "lon", "lat", columns=(NUMBER,)),
)


def test_privacy_windows_are_inherited_along_references() -> None:
    (made,) = propagate_source_windows(Catalog("c", str(Path()), (), (TABLE,))).tables
    known = {each.name: set(each.source_windows) for each in made.columns}
    assert known == {
        "cell": {"2026-01", "2026-02", "2026-04"},
        "lon": {"2026-01"},
        "lat": {"2026-02"},
        "place": {"2026-01"},
        "steps": {"2026-03"},
    }
    assert made.movement is not None
    assert set(made.movement.columns[0].source_windows) == {"2026-01", "2026-02"}


def test_movement_inherits_windows_through_references() -> None:
    table = replace(TABLE, movement=Movement("zone", through=("steps", "zones"), columns=(NUMBER,)))
    (made,) = propagate_source_windows(Catalog("c", str(Path()), (), (table,))).tables
    assert made.movement is not None and made.movement.columns[0].source_windows == ("2026-03",)


def test_columns_without_source_windows_inherit_none() -> None:
    assert set(source_windows(TABLE, ("lon", None, "unknown"))) == {"2026-01"}
    assert source_windows(TABLE, ()) == ()
