"""Derived columns inherit the privacy windows of their sources, along any chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dialect.catalog.model import Catalog, CellOf, Column, Movement, Source, SourceJoin, SqlType, Table
from engine.catalog.privacy_windows import windows_behind, with_inherited_windows

NUMBER = Column("dist_km", SqlType.DOUBLE, "DOUBLE")


def column(name: str, *windows: str) -> Column:
    return Column(name, SqlType.DOUBLE, "DOUBLE", from_windows=windows)


TABLE = Table(
    "trips",
    "d",
    True,
    Source("parquet", "", joins=(SourceJoin("lon", "place", "places", "lon"),)),
    (
        replace(column("cell", "2026-04"), cell=CellOf("lon", "lat", 9)),
        column("lon"),
        column("lat", "2026-02"),
        column("place", "2026-01"),
        column("steps", "2026-03"),
    ),
    movement=Movement("place", "lon", "lat", columns=(NUMBER,)),
)


def test_windows_are_handed_on() -> None:
    (made,) = with_inherited_windows(Catalog("c", str(Path()), (), (TABLE,))).tables
    known = {each.name: set(each.from_windows) for each in made.columns}
    assert known == {
        "cell": {"2026-01", "2026-02", "2026-04"},
        "lon": {"2026-01"},
        "lat": {"2026-02"},
        "place": {"2026-01"},
        "steps": {"2026-03"},
    }
    assert made.movement is not None
    assert set(made.movement.columns[0].from_windows) == {"2026-01", "2026-02"}


def test_movement_behind_a_step_hangs_on_the_step() -> None:
    table = replace(TABLE, movement=Movement("zone", through=("steps", "zones"), columns=(NUMBER,)))
    (made,) = with_inherited_windows(Catalog("c", str(Path()), (), (table,))).tables
    assert made.movement is not None and made.movement.columns[0].from_windows == ("2026-03",)


def test_windows_behind_columns_and_behind_none() -> None:
    assert set(windows_behind(TABLE, ("lon", None, "unknown"))) == {"2026-01"}
    assert windows_behind(TABLE, ()) == ()
