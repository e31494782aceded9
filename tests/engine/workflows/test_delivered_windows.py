"""Delivered windows are those the steward declared: no person's rows decide them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from budgets import Ledger, ParamError
from dialect import Catalog
from engine import Refused, calibrate_catalog, ingest_files, open_session
from engine.catalog.file import load_catalog
from engine.data.ingest.add_files import REGISTER_FILE, STAGING
from engine.errors import CatalogError
from engine.workflows.calibrate import delivered_windows, plan_calibration
from tests.engine.ingest_town import GOOD, make, new_file

UNTIL = 'delivered_until = "2026-10-02"\n'
EMPTY = "2026-10-04"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))


def town(folder: Path, *, until: str = UNTIL, rows_of_the_last_day: int | None = None) -> Path:
    """Make a town in which everything has a time in windows of a day, with so many rows of the last day."""
    folder.mkdir(exist_ok=True)
    where = make(folder)
    text = where.read_text("utf-8").replace('last_window = "2026-10-04"\n', f'last_window = "2026-10-04"\n{until}')
    where.write_text(text, encoding="utf-8")
    if rows_of_the_last_day is not None:
        with duckdb.connect() as connection:
            for path in sorted((folder / "visits").glob("*.parquet")):
                sql = (
                    f"SELECT * FROM '{path}' WHERE day <> DATE '{EMPTY}' OR visit_id IN (SELECT min(visit_id) FROM"
                    f" '{folder}/visits/*.parquet' WHERE day = DATE '{EMPTY}' HAVING {rows_of_the_last_day} = 1)"
                )
                connection.execute(f"CREATE OR REPLACE TABLE kept AS {sql}")
                connection.execute(f"COPY kept TO '{path}.new' (FORMAT parquet)")
                Path(f"{path}.new").replace(path)
    return where


def planned(where: Path, window: str | None = None) -> str:
    """The window that would be measured, or the reason for none."""
    with closing(open_session(str(where))) as session:
        try:
            return plan_calibration(session.engine, session.engine.catalog.datasets[0], window).window
        except ParamError as refused:
            return refused.why


def test_a_window_that_is_not_delivered_is_refused_and_nothing_is_charged(tmp_path: Path) -> None:
    where = town(tmp_path, rows_of_the_last_day=0)
    for dry_run in (True, False):
        with pytest.raises(Refused, match=f"has rows in {EMPTY}") as refused:
            calibrate_catalog(str(where), by="steward", window=EMPTY, dry_run=dry_run)
        assert "delivered_until" in json.dumps(refused.value.problem) and "--window" in json.dumps(
            refused.value.problem
        )
    with closing(open_session(str(where))) as session:
        assert not session.engine.ledger.accounts("town")
    assert planned(where, "2026-10-02") == "2026-10-02"
    told = calibrate_catalog(str(where), by="steward", dry_run=True)
    assert told["window"] == "2026-10-02" and told["why_window"].startswith("the last delivered one that has ended")


def test_without_declared_windows_none_is_measured(tmp_path: Path) -> None:
    where = town(tmp_path, until="")
    assert "which windows of town have rows" in planned(where)
    assert "has rows in 2026-10-01" in planned(where, "2026-10-01")


def test_an_ingest_declares_its_windows(tmp_path: Path) -> None:
    where = town(tmp_path)
    ingest_files(str(where), "visit", [new_file(tmp_path / "new" / "a.csv", *GOOD[:2])], windows=[EMPTY])
    assert delivered(where) == {"2026-10-01", "2026-10-02", EMPTY}
    assert planned(where) == EMPTY


def test_removing_an_added_file_removes_its_declared_windows(tmp_path: Path) -> None:
    where = town(tmp_path)
    ingest_files(str(where), "visit", [new_file(tmp_path / "new" / "a.csv", *GOOD[:2])], windows=[EMPTY])
    notes = tmp_path / "visits" / STAGING / REGISTER_FILE
    notes.unlink()
    other = new_file(tmp_path / "new" / "b.csv", "5009,2,z1,1,1,a,2026-10-03")
    ingest_files(str(where), "visit", [other])
    assert EMPTY in delivered(where), "the file bears its windows itself"
    for added in (tmp_path / "visits").glob("ingested-*"):
        added.unlink()
    assert EMPTY not in delivered(where)


def test_an_older_note_without_windows_is_read(tmp_path: Path) -> None:
    where = town(tmp_path)
    file = new_file(tmp_path / "new" / "a.csv", *GOOD)
    ingest_files(str(where), "visit", [file])
    notes = tmp_path / "visits" / STAGING / REGISTER_FILE
    old = {name: told["digests"] for name, told in json.loads(notes.read_text("utf-8")).items()}
    notes.write_text(json.dumps(old), encoding="utf-8")
    assert ingest_files(str(where), "visit", [file])["already"] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [('delivered_until = "2026-11-01"\n', "no declared window"), ("delivered_until = 3\n", "delivered_until")],
)
def test_mistakes_in_the_catalog_are_reported(tmp_path: Path, given: str, why: str) -> None:
    with pytest.raises(CatalogError) as mistake:
        load_catalog(town(tmp_path, until=given))
    assert why in str(mistake.value)


def test_one_person_s_only_row_changes_no_delivered_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours: the last window holds one row of one person, or none. Outcome and words are the same."""

    def outcomes() -> list[tuple[str, str]]:
        return [(planned(where), planned(where, EMPTY)) for where in worlds]

    worlds = [town(tmp_path / name, rows_of_the_last_day=rows) for name, rows in (("with", 1), ("without", 0))]
    with_row, without = outcomes()
    assert with_row == without
    monkeypatch.setattr("engine.workflows.calibrate.delivered_windows", read_off_rows(worlds))  # planted
    with_row, without = outcomes()
    assert with_row != without, "windows that are read off rows are not caught"


def read_off_rows(worlds: list[Path]) -> Callable[..., dict[str, frozenset[str]]]:
    """Planted: a window counts as delivered if a row lies in it."""

    def found(catalog: Catalog, dataset: object) -> dict[str, frozenset[str]]:
        del dataset
        (folder,) = [where.parent for where in worlds if str(where.parent) == str(Path(catalog.path).parent)]
        with duckdb.connect() as connection:
            days = connection.execute(f"SELECT DISTINCT day::VARCHAR FROM '{folder}/visits/*.parquet'").fetchall()
        return {"visit": frozenset(day for (day,) in days)}

    return found


def delivered(where: Path) -> frozenset[str]:
    catalog = load_catalog(where)
    return delivered_windows(catalog, catalog.datasets[0])["visit"]


def test_a_ledger_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "accounts", None)
    assert delivered(town(tmp_path)) == {"2026-10-01", "2026-10-02"}
