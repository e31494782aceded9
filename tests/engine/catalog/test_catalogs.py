"""Catalogs are found by name, by file and by folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from budgets import ParamError
from dialect.catalog.model import Catalog, ColumnValues, SqlType
from engine.catalog import bundled as catalogs
from engine.catalog.bundled import BUNDLED, MIBICI_CATALOG, MIBICI_FILES, PROJECT, find_catalog, find_dataset
from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.errors import CatalogError
from tests.support.statistics.mibici import needs_mibici

SMALL = """
format = 1
name = "small"
[datasets.small]
window = "forever"
[tables.zones]
dataset = "small"
kind = "public"
source = { csv = "zones.csv" }
columns = { zone = { type = "VARCHAR" } }
"""


def test_a_missing_or_unknown_dataset_name_is_refused_with_the_known_names(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    one = load_catalog(tmp_path / "small.toml")
    several = replace(one, datasets=(*one.datasets, replace(one.datasets[0], name="other")))
    assert find_dataset(one, None) is one.datasets[0] and find_dataset(several, " Other ").name == "other"
    with pytest.raises(ParamError, match=r"There is no dataset 'smal' in this catalog\. Try: one of small\."):
        find_dataset(one, "smal")
    with pytest.raises(ParamError, match=r"This catalog has several datasets\. Try: --dataset, one of small, other\."):
        find_dataset(several, None)


def test_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    assert find_catalog(str(tmp_path / "small.toml")).name == "small"


def test_a_folder_stands_for_the_catalog_in_it(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(SMALL)
    assert find_catalog(str(tmp_path)).name == "small"


@pytest.mark.parametrize(
    ("where", "cure"),
    [
        ("no_such_catalog", "give a catalog file, or one of the names mibici, operator."),
        ("operater", "write operator."),
        ("Mibici", "write mibici."),
        ("postgresql://host/city", "give a catalog file, or one of the names mibici, operator."),
        ("folder/catalog.toml", "give a catalog file, or one of the names mibici, operator."),
    ],
)
def test_a_missing_catalog_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, cure: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError) as caught:
        find_catalog(where)
    assert (caught.value.file, caught.value.cure) == (where, cure)
    assert str(tmp_path / where) in caught.value.why


def test_the_address_of_a_server_has_its_console_and_no_catalog() -> None:
    with pytest.raises(
        CatalogError, match=r"server's address.* see what its console has: HTTPS://city\.example/console\."
    ):
        find_catalog("HTTPS://city.example/")


def test_the_operator_is_loaded_from_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "catalog.toml").write_text(SMALL)
    monkeypatch.setattr("engine.catalog.operator.operator_path", lambda progress: tmp_path / "catalog.toml")
    assert find_catalog("operator").path == str(tmp_path / "catalog.toml")


def test_every_bundled_catalog_is_known_by_name() -> None:
    assert set(BUNDLED) == {"mibici", "operator"}


@pytest.mark.parametrize(
    "file", [MIBICI_CATALOG, PROJECT / "engine" / "catalog" / "operator" / "catalog.toml"], ids=["mibici", "operator"]
)
def test_every_bundled_catalog_loads(file: Path) -> None:
    assert any(table.private for table in load_catalog(file).tables)


@pytest.fixture
def without_mibici(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder without shared data."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(catalogs, "PROJECT", project)
    monkeypatch.delenv("PASSERSBY_MIBICI", raising=False)
    return project


def _place(folder: Path) -> None:
    """Put empty files where the data would lie."""
    folder.mkdir(parents=True)
    for name in MIBICI_FILES:
        (folder / name).touch()


def _trips_path(catalog: Catalog) -> str:
    trips = catalog.tables_by_name.get("trips")
    assert trips
    return trips.source.path


def test_absent_mibici_data_are_reported_with_a_cure(without_mibici: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        find_catalog("mibici")
    assert caught.value.key == "PASSERSBY_MIBICI"
    assert caught.value.why.count(str(without_mibici.parent / "shared" / "data" / "mibici")) == 1
    assert "operator" in caught.value.cure


def test_mibici_data_are_found_in_the_shared_folder(without_mibici: Path) -> None:
    folder = without_mibici.parent / "shared" / "data" / "mibici"
    _place(folder)
    assert _trips_path(find_catalog("mibici")) == str(folder / "trips.parquet")


def test_mibici_data_are_found_in_the_folder_of_the_environment_variable(
    without_mibici: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _place(without_mibici.parent / "shared" / "data" / "mibici")
    monkeypatch.setenv("PASSERSBY_MIBICI", str(tmp_path / "bicycles"))
    with pytest.raises(CatalogError, match="bicycles"):
        find_catalog("mibici")
    _place(tmp_path / "bicycles")
    assert _trips_path(find_catalog("mibici")) == str(tmp_path / "bicycles" / "trips.parquet")


def test_the_mibici_catalog_is_as_the_questions_need_it() -> None:
    catalog = load_catalog(MIBICI_CATALOG)
    assert {table.name: table.private for table in catalog.tables} == {
        "trips": True,
        "persons": True,
        "stations": False,
        "zones": False,
    }
    trips, persons = catalog.tables_by_name.get("trips"), catalog.tables_by_name.get("persons")
    assert trips and persons and persons.person
    assert persons.primary_key == (persons.person.column,)
    for name in ("origin_zone", "dest_zone"):
        zone = trips.columns_by_name.get(name)
        assert zone and zone.type is SqlType.BIGINT and zone.domain == ColumnValues("zones", "zone_id")


@needs_mibici
def test_the_mibici_files_are_as_declared() -> None:
    assert check_catalog(find_catalog("mibici")) == ()
