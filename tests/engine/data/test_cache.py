"""Copies of data in the cache: none of older data is left, and all of a catalog's are forgotten when that is asked."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from dialect import Catalog
from engine.catalog.file import load_catalog
from engine.data.files import cache as copy_cache
from engine.data.layout import build_layout
from engine.data.snapshot import open_snapshot
from engine.errors import DataError
from engine.workflows.rehearsal import rehearsal
from passersby.cli.app import app
from tests.engine.town import CATALOG, make_town

CANARY = 987_654_321
CSV = CATALOG.replace('{ duckdb = "town.duckdb", table = "visit" }', '{ csv = "visit.csv" }')


def made(folder: Path) -> Catalog:
    """Make a town whose visits lie in a CSV file, one of them of somebody who is erased later."""
    folder.mkdir(exist_ok=True)
    catalog = make_town(folder, declared=CSV)
    with duckdb.connect(str(folder / "town.duckdb")) as connection:
        connection.execute(f"UPDATE visit SET person_id = {CANARY} WHERE visit_id = 17")
        connection.execute(f"COPY visit TO '{folder}/visit.csv'")
    return catalog


def erase(folder: Path) -> Catalog:
    """Take that person out of the files."""
    lines = (folder / "visit.csv").read_text().splitlines()
    (folder / "visit.csv").write_text("\n".join(line for line in lines if not line.startswith(str(CANARY))))
    with duckdb.connect(str(folder / "town.duckdb")) as connection:
        connection.execute(f"DELETE FROM visit WHERE person_id = {CANARY}")
    return load_catalog(folder / "catalog.toml")


def copies_with_person(cache: Path) -> list[str]:
    """List the copies that hold rows of that person."""
    found = []
    for file in sorted(cache.glob("*/data.duckdb")):
        with duckdb.connect(str(file), read_only=True) as connection:
            if connection.execute(f"SELECT 1 FROM visit WHERE person_id = {CANARY} LIMIT 1").fetchall():
                found.append(file.parent.name.partition("-")[0])
    return found


def copy(catalog: Catalog, cache: Path) -> None:
    open_snapshot(catalog, cache, lambda *_: None)


def laid(catalog: Catalog, cache: Path) -> None:
    build_layout(catalog, cache, lambda *_: None)


@pytest.mark.parametrize("anew", [copy, laid])
def test_a_copy_of_changed_data_removes_the_older_ones(tmp_path: Path, anew: Any) -> None:
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    copy(catalog, cache)
    laid(catalog, cache)
    copy(catalog, cache)
    assert copies_with_person(cache) == ["snapshot"], "the last one that was made"
    anew(erase(tmp_path / "town"), cache)
    assert copies_with_person(cache) == [] and len(list(cache.iterdir())) == 1


def staged(catalog: Catalog, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(cache))
    monkeypatch.setattr("engine.workflows.rehearsal.PERSONS", 300)
    with rehearsal(catalog):
        pass


def kinds(cache: Path) -> list[str]:
    return sorted(folder.name.partition("-")[0] for folder in cache.iterdir())


def test_a_rehearsal_removes_older_ones_and_is_forgotten_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each state of a catalog stayed for ever, of which no command knew."""
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    staged(catalog, cache, monkeypatch)
    laid(catalog, cache)
    assert kinds(cache) == ["layout", "rehearsal"], "neither takes the other's place"
    (first,) = cache.glob("rehearsal-*")
    declared = Path(catalog.path).read_text().replace("[0, 9]", "[0, 90]")
    Path(catalog.path).write_text(declared)
    staged(load_catalog(catalog.path), cache, monkeypatch)
    assert kinds(cache) == ["layout", "rehearsal"] and not first.exists()
    assert copy_cache.forget(load_catalog(catalog.path), cache).copies == 2 and kinds(cache) == []


def test_a_rehearsal_that_an_older_version_left_is_forgotten(tmp_path: Path) -> None:
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    (cache / "rehearsal-0123456789abcdef").mkdir(parents=True)
    assert copy_cache.forget(catalog, cache).copies == 1 and kinds(cache) == []


def test_copies_of_other_catalogs_are_left(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in ("town", "other"):
        laid(made(tmp_path / name), cache)
    laid(erase(tmp_path / "town"), cache)
    assert copies_with_person(cache) == ["layout"]
    assert copy_cache.forget(load_catalog(tmp_path / "town" / "catalog.toml"), cache).copies == 1
    assert copies_with_person(cache) == ["layout"]


def test_removal_covers_all_catalogs_copies_of_the_same_files(tmp_path: Path) -> None:
    folder, cache = tmp_path / "town", tmp_path / "cache"
    laid(made(folder), cache)
    (folder / "second.toml").write_text(CSV.replace('name = "town"', 'name = "second"').replace("[0, 9]", "[0, 8]"))
    copy(load_catalog(folder / "second.toml"), cache)
    assert sorted(copies_with_person(cache)) == ["layout", "snapshot"]
    unknown = cache / "layout-0123" / "data.duckdb"
    unknown.parent.mkdir()
    unknown.write_bytes(b"of an older version")
    forgotten = copy_cache.forget(load_catalog(folder / "second.toml"), cache)
    assert (forgotten.copies, list(cache.iterdir())) == (3, []) and forgotten.bytes > 100_000


def test_copies_of_catalogs_that_are_gone_go_with_the_next_copy(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in ("gone", "moved", "town"):
        copy(made(tmp_path / name), cache)
    for name in ("gone", "moved"):
        (tmp_path / name / "catalog.toml").unlink()
    of = {
        Path(json.loads((each / copy_cache.NOTE_FILE).read_text())["catalog"]).parent.name: each
        for each in cache.iterdir()
    }
    for name in ("gone", "town"):
        os.utime(of[name], (time.time() - 90_000,) * 2)
    laid(load_catalog(tmp_path / "town" / "catalog.toml"), cache)
    assert not of["gone"].exists()
    assert of["moved"].exists(), "for a day"
    os.utime(of["moved"], (time.time() - 90_000,) * 2)
    copy_cache.forget(load_catalog(tmp_path / "town" / "catalog.toml"), cache)
    assert not of["moved"].exists()


def test_unfinished_copies_are_removed_and_running_ones_are_not(tmp_path: Path) -> None:
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    for name in (".copying-a", ".optimizing-b", ".copying-c"):
        (cache / name).mkdir(parents=True)
    for name in (".copying-a", ".optimizing-b"):
        os.utime(cache / name, (time.time() - 90_000,) * 2)
    assert copy_cache.forget(catalog, cache).copies == 2
    assert [each.name for each in cache.iterdir()] == [".copying-c"]


def test_a_copy_that_cannot_be_removed_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    copy(catalog, cache)
    monkeypatch.setattr(shutil, "rmtree", lambda folder: (_ for _ in ()).throw(PermissionError(folder)))
    with pytest.raises(DataError, match="can't be removed"):
        copy_cache.forget(catalog, cache)


def test_a_planted_layout_that_stays_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_cache, "_catalog_path", repr)  # planted: changed declarations are others'
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    laid(catalog, cache)
    erase(tmp_path / "town")
    (tmp_path / "town" / "catalog.toml").write_text(CSV.replace("[0, 9]", "[0, 8]"))
    laid(load_catalog(tmp_path / "town" / "catalog.toml"), cache)
    assert copies_with_person(cache) == ["layout"]


def test_planted_copies_that_are_known_by_catalog_alone_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "town", tmp_path / "cache"
    laid(made(folder), cache)
    (folder / "second.toml").write_text(CSV.replace('name = "town"', 'name = "second"'))
    monkeypatch.setattr(copy_cache, "share_files", lambda one, other: False)
    copy_cache.forget(load_catalog(folder / "second.toml"), cache)
    assert copies_with_person(cache) == ["layout"]


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "planted: known by sources alone"])
def test_copies_of_a_catalog_s_earlier_files_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: bool
) -> None:
    folder, cache = tmp_path / "town", tmp_path / "cache"
    laid(made(folder), cache)
    erase(folder)
    for file in ("visit.csv", "town.duckdb"):
        (folder / file).rename(folder / f"newer_{file}")
    (folder / "catalog.toml").write_text(CSV.replace("visit.csv", "newer_visit.csv").replace('"town.', '"newer_town.'))
    if planted:
        monkeypatch.setattr(copy_cache, "_belongs_to", lambda *_: False)
    forgotten = copy_cache.forget(load_catalog(folder / "catalog.toml"), cache)
    assert (copies_with_person(cache), forgotten.copies) == ((["layout"], 0) if planted else ([], 1))


def test_a_steward_forgets_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    where = made(tmp_path / "town").path
    assert CliRunner().invoke(app, ["catalog", "optimize", where]).exit_code == 0
    assert copies_with_person(tmp_path / "cache") == ["layout"]
    told = CliRunner().invoke(app, ["catalog", "forget", where, "--format", "json"])
    assert told.exit_code == 0 and json.loads(told.stdout)["copies"] == 1, told.output
    again = CliRunner().invoke(app, ["catalog", "forget", where])
    assert "0 copies are removed" in " ".join(again.stdout.split()), again.output
    assert "PASSERSBY_CACHE" in again.stdout and str(tmp_path) in "".join(again.stdout.split())
    refused = CliRunner().invoke(app, ["catalog", "forget", f"{where}.toml", "--format", "json"])
    assert refused.exit_code == 1 and "no file" in refused.output


def test_removing_copies_while_one_is_made_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, cache = made(tmp_path / "town"), tmp_path / "cache"
    replaced = Path.replace

    def forgetting(path: Path, target: Path) -> Path:
        if target.name == "data.duckdb":
            shutil.rmtree(target.parent)  # as another process would
        return replaced(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", forgetting)
        with pytest.raises(DataError, match="removed while this one was made"):
            copy(catalog, cache)
    assert list(cache.glob("*")) == []
    copy(catalog, cache)
    assert len(list(cache.glob("snapshot-*"))) == 1
