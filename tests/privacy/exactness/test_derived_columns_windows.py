"""Derived columns change with their sources' privacy windows: compared with the charged ones, on opened files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import duckdb
import pytest

from dialect import Catalog, compile_query
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import RHO, UnexpectedChange, groups
from tests.support.sql.passes import passes

catalog_file = import_module("engine.catalog.file")
TEXT = """
format = 1
name = "town"
[datasets.d]
window = "month"
first_window = "2026-01"
last_window = "2026-04"
[tables.cells]
dataset = "d"
kind = "public"
source = { parquet = "cells.parquet" }
primary_key = ["id"]
[tables.cells.columns]
id = { type = "BIGINT", nullable = false }
zone = { type = "VARCHAR" }
[tables.person]
dataset = "d"
kind = "private"
source = { parquet = "person.parquet" }
joins = [{ column = "home_zone", on = "home_id", table = "cells", take = "zone" }]
person = "person_id"
primary_key = ["person_id"]
size_class = "1e3"
norms = { rows = 1, persons = 1 }
[tables.person.columns]
person_id = { type = "BIGINT", nullable = false }
home_id = { type = "BIGINT", from_windows = ["2026-01"] }
home_lon = { type = "DOUBLE", from_windows = ["2026-01"] }
home_lat = { type = "DOUBLE" }
home_zone = { type = "VARCHAR", values = ["a", "b"] }
home_cell = { type = "VARCHAR", h3 = { lon = "home_lon", lat = "home_lat", resolution = 7 } }
[tables.visit]
dataset = "d"
kind = "private"
source = { parquet = "visit.parquet" }
person = "person_id"
time_column = "day"
size_class = "1e3"
norms = { rows = 2, persons = 1 }
[tables.visit.columns]
person_id = { type = "BIGINT", nullable = false }
day = { type = "DATE", range = ["2026-01-01", "2026-04-30"] }
"""
MARCH = "FROM visit v JOIN person p USING (person_id) WHERE v.day = DATE '2026-03-05'"
QUESTIONS = (
    f"SELECT p.home_zone, COUNT(*) {MARCH} GROUP BY 1",
    f"SELECT COUNT(*) {MARCH} AND p.home_zone = 'a'",
    f"SELECT p.home_cell, COUNT(*) {MARCH} GROUP BY 1",
    f"SELECT h3_cell(p.home_lon, p.home_lat, 5), COUNT(*) {MARCH} GROUP BY 1",
    "SELECT home_zone, COUNT(*) FROM person GROUP BY 1",
)


@dataclass(frozen=True)
class World:
    folder: Path

    def catalog(self) -> Catalog:
        return load_catalog(self.folder / "town.toml")

    def ask(self, sql: str) -> tuple[tuple[str, ...], object]:
        """Windows that a query is charged to, and its exact vectors."""
        catalog = self.catalog()
        kept = open_snapshot(catalog, self.folder / "cache", lambda *_: None)
        backend = DuckDBBackend.open(kept.files, kept.addresses, self.folder, Limits(memory="500MB", threads=1))
        (plan,) = compile_query(sql, catalog).plans
        ran = passes(compile_release(plan, catalog, backend, RHO), backend)
        return plan.charged_windows.windows, [groups(exact) for _, exact in ran]


def written(folder: Path, home: int) -> World:
    folder.mkdir()
    (folder / "town.toml").write_text(TEXT)
    lon = {1: 13.4, 2: 2.3}[home]
    tables = {
        "cells": "(VALUES (1::BIGINT, 'a'), (2, 'b')) AS t(id, zone)",
        "person": f"(VALUES (77::BIGINT, {home}::BIGINT, {lon}::DOUBLE, 48.8::DOUBLE), (1, 2, 2.3, 48.8))"
        " AS t(person_id, home_id, home_lon, home_lat)",
        "visit": "(VALUES (77::BIGINT, DATE '2026-03-05'), (1, DATE '2026-03-05')) AS t(person_id, day)",
    }
    with duckdb.connect() as connection:
        for name, rows in tables.items():
            connection.execute(f"COPY (FROM {rows}) TO '{folder / name}.parquet' (FORMAT parquet)")
    return World(folder)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    """Without the victim's rows of January their home, which is computed from these, is another one."""
    folder = tmp_path_factory.mktemp("made")
    yield written(folder / "everybody", 1), written(folder / "without", 2)


def check(worlds: tuple[World, World], sql: str) -> None:
    (windows, one), (_, other) = (world.ask(sql) for world in worlds)
    if "2026-01" not in windows and one != other:
        raise UnexpectedChange(f"rows of 2026-01, which is not charged, changed the exact numbers of {sql}")


@pytest.mark.parametrize("sql", QUESTIONS)
def test_source_windows_of_a_derived_column_are_charged(worlds: tuple[World, World], sql: str) -> None:
    check(worlds, sql)
    assert "2026-01" in worlds[0].ask(sql)[0]


def test_a_derived_column_without_source_windows_is_not_charged(worlds: tuple[World, World]) -> None:
    assert worlds[0].ask(f"SELECT COUNT(*) {MARCH} AND p.home_lat > 3")[0] == ("2026-03",)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_derived_column_that_omits_source_windows_is_found(
    worlds: tuple[World, World], monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setattr(catalog_file, "propagate_source_windows", lambda catalog: catalog)
    with pytest.raises(UnexpectedChange):
        check(worlds, sql)
