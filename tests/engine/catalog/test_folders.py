"""Copies go to the cache, ledgers among the user's data; both can be named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from dialect import Catalog
from engine.catalog.folders import cache_folder, default_ledger


@pytest.fixture(autouse=True)
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PASSERSBY_CACHE", "~/somewhere")


def test_the_cache_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == Path("~/somewhere").expanduser()
    monkeypatch.delenv("PASSERSBY_CACHE")
    assert cache_folder() == platformdirs.user_cache_path("passersby")


def test_a_ledger_belongs_to_one_catalog_file(town: Catalog, tmp_path: Path) -> None:
    one = default_ledger(town, bundled=False)
    other = default_ledger(replace(town, path=str(tmp_path / "catalog.toml")), bundled=False)
    assert one != other
    assert {one.parent, other.parent} == {tmp_path / "data"}
    assert one == default_ledger(replace(town, path=f"{Path(town.path).parent}/./catalog.toml"), bundled=False)


def test_the_ledger_of_a_bundled_catalog_outlives_the_file(town: Catalog) -> None:
    """Its database is made anew with every release, and what was spent stays spent."""
    moved = replace(town, path="elsewhere/catalog.toml")
    assert default_ledger(town, bundled=True) == default_ledger(moved, bundled=True)
    assert default_ledger(town, bundled=True) != default_ledger(town, bundled=False)


def test_only_its_owner_sees_the_folder_of_ledgers(town: Catalog) -> None:
    assert default_ledger(town, bundled=True).parent.stat().st_mode & 0o777 == 0o700
