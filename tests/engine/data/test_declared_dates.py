"""A date declared to be that of a time: without privacy windows, data with a row on another date do not open."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from dialect import Catalog
from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.data.snapshot import open_snapshot
from engine.errors import DataError
from engine.pricing.query_terms import Request
from tests.engine.complete_town import no_noise
from tests.engine.town import opened

DECLARED = """
format = 1
name = "dated"
[datasets.d]
{window}
[tables.visit]
dataset = "d"
kind = "private"
source = {{ duckdb = "data.duckdb", table = "visit" }}
person = "person_id"
time_column = "begun"
date_column = "day"
size_class = "1e3"
norms = {{ rows = 3, persons = 2 }}
[tables.visit.columns]
person_id = {{ type = "BIGINT" }}
begun = {{ type = "{type}", time_zone = "Europe/Berlin" }}
day = {{ type = "DATE" }}
"""
FOREVER = 'window = "forever"'
DAYS = 'window = "day"\nfirst_window = "2026-10-01"\nlast_window = "2026-10-31"'
GOOD = "(1, '2026-10-02 23:30:00', '2026-10-02')"
# the second row: what it says of its time, and of its date
OTHER = {
    "another date": "(2, '2026-10-02 10:00:00', '2026-10-03')",
    "no date": "(2, '2026-10-02 10:00:00', NULL)",
    "no time": "(2, NULL, '2026-10-02')",
    "neither": "(2, NULL, NULL)",
}


def made(folder: Path, row: str, window: str = FOREVER, kind: str = "TIMESTAMP") -> Catalog:
    with duckdb.connect(str(folder / "data.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE visit (person_id BIGINT, begun {kind}, day DATE)")
        connection.execute(f"INSERT INTO visit VALUES {row}")
    (folder / "catalog.toml").write_text(DECLARED.format(window=window, type=kind), encoding="utf-8")
    return load_catalog(folder / "catalog.toml")


def opens(catalog: Catalog, folder: Path) -> bool:
    try:
        open_snapshot(catalog, folder, lambda *_: None)
    except DataError as error:
        assert "not on the date of its begun" in error.why and "2026" not in str(error)
        return False
    return True


@pytest.mark.parametrize("row", OTHER.values(), ids=OTHER)
def test_a_row_on_another_date_or_none_is_refused_where_no_windows_are(row: str, tmp_path: Path) -> None:
    catalog = made(tmp_path, f"{GOOD}, {row}")
    assert not opens(catalog, tmp_path / "copies")
    assert [each.key for each in check_catalog(catalog)] == ["tables.visit.date_column"]


@pytest.mark.parametrize("row", OTHER.values(), ids=OTHER)
def test_with_privacy_windows_each_scan_omits_such_a_row(row: str, tmp_path: Path) -> None:
    catalog = made(tmp_path, f"{GOOD}, {row}", DAYS)
    assert opens(catalog, tmp_path / "copies") and not check_catalog(catalog)


def test_an_instant_is_on_the_date_of_its_zone(tmp_path: Path) -> None:
    late = "(1, '2026-10-02 22:30:00+00', '2026-10-0{}')"  # half past midnight in Berlin
    for day, good in ((3, True), (2, False)):
        (folder := tmp_path / str(day)).mkdir()
        assert opens(made(folder, late.format(day), kind="TIMESTAMPTZ"), folder / "copies") is good


@pytest.mark.parametrize("window", [FOREVER, DAYS], ids=["forever", "days"])
def test_times_are_not_null_because_rows_without_one_are_refused_or_in_no_window(window: str, tmp_path: Path) -> None:
    rows = GOOD if window == FOREVER else ", ".join((GOOD, *OTHER.values()))
    catalog = made(tmp_path, rows, window)
    with opened(catalog, tmp_path, no_noise) as engine:
        by_hour = engine.answer("SELECT hour(begun) AS h, COUNT(*) AS n FROM visit GROUP BY h", Request("ann"))
        told = engine.answer("SELECT COUNT(*) AS n, COUNT(begun) AS timed FROM visit", Request("ann"))
    assert by_hour.prepared[0].key_count == by_hour.answer.table.num_rows == 24
    assert {row["h"]: row["n"] for row in by_hour.answer.table.to_pylist() if row["n"]} == {23: 1}
    assert told.answer.table.to_pylist() == [{"n": 1, "timed": 1}]
