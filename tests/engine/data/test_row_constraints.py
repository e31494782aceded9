"""Row constraints are checked on files and on a lake alike: keys for privacy, complete lists, dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from dialect import Catalog
from dialect.catalog.model import EngineName
from engine.backends.lake import LakeBackend
from engine.data.checks import declared as declared_checks
from engine.data.checks.declared import Constraint, constraints
from engine.data.checks.lake import check_lake, lake_target
from engine.data.snapshot import open_snapshot
from engine.errors import DataError
from tests.support.worlds import write_world

ROWS = """
CREATE TABLE zone AS SELECT 'z' || i AS zone FROM range(3) r(i);
CREATE TABLE person AS SELECT i AS person_id FROM range(9) r(i);
CREATE TABLE trip AS SELECT i AS trip_id, i % 9 AS person_id, 'z' || i % 3 AS zone, TIMESTAMP '2026-10-01' AS begun,
 DATE '2026-10-01' AS day FROM range(20) r(i);
CREATE TABLE stop AS SELECT i AS stop_id, i % 20 AS trip_id FROM range(40) r(i);
"""
DECLARED = """
format = 1
name = "d"
[datasets.d]
window = "forever"
[tables.zone]
dataset = "d"
kind = "public"
source = { duckdb = "data.duckdb", table = "zone" }
primary_key = ["zone"]
columns = { zone = { type = "VARCHAR", nullable = false } }
[tables.person]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "person" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e1"
norms = { rows = 1, persons = 1 }
columns = { person_id = { type = "BIGINT", nullable = false } }
[tables.trip]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "trip" }
person = "person_id"
primary_key = ["trip_id"]
time_column = "begun"
date_column = "day"
size_class = "1e1"
norms = { rows = 3, persons = 2 }
[tables.trip.columns]
trip_id = { type = "BIGINT", nullable = false }
person_id = { type = "BIGINT" }
zone = { type = "VARCHAR", values_of = "zone.zone", complete = true }
begun = { type = "TIMESTAMP", time_zone = "Europe/Berlin" }
day = { type = "DATE" }
[tables.stop]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "stop" }
person = { through = ["trip_id -> trip"], column = "person_id" }
primary_key = ["stop_id"]
size_class = "1e1"
norms = { rows = 3, persons = 2 }
[tables.stop.columns]
stop_id = { type = "BIGINT", nullable = false }
trip_id = { type = "BIGINT", nullable = false }
"""
# what is done to the rows -> what is said
SPOILT = {
    "INSERT INTO person VALUES (1)": r"its primary key \(person_id\) is not unique",
    "INSERT INTO trip SELECT * FROM trip LIMIT 1": r"its primary key \(trip_id\) is not unique",
    "UPDATE trip SET trip_id = NULL WHERE trip_id = 3": r"its primary key \(trip_id\) is not unique or has NULLs",
    "UPDATE trip SET zone = 'elsewhere' WHERE trip_id = 3": "zone is declared to be complete",
    "UPDATE trip SET day = '2026-10-02' WHERE trip_id = 3": "not on the date of its begun",
    "INSERT INTO zone VALUES ('z1')": r"its primary key \(zone\) is not unique",
}
STORED = {"BIGINT": "bigint", "VARCHAR": "string", "TIMESTAMP": "timestamp_ntz", "DATE": "date"}


class _Lake:
    """A lake as declared, which has a row for one query."""

    def __init__(self, catalog: Catalog, found: str = "") -> None:
        self.catalog, self.found, self.asked = catalog, found, list[str]()

    def gather(self, text: str, rows: Mapping[str, pa.Table]) -> pa.Table:
        assert all(f"{{{name}}}" in text for name in rows) and ("{key_set}" in text) == bool(rows)
        self.asked.append(text)
        return pa.table({"one": [1] if text == self.found else pa.array([], pa.int32())})

    def stored_types(self, table: str) -> Mapping[str, str]:
        declared = self.catalog.tables_by_name.get(table.removeprefix("table_"))
        assert declared is not None
        return {column.name: STORED[str(column.type)] for column in declared.columns}

    def is_stored_table(self, table: str) -> bool:
        return bool(table)

    def detect_person_types(self, table: str) -> None:
        assert table

    def close(self) -> None:
        pass


class _KeyLists:
    def public(self, sql: str) -> pa.Table:
        assert sql == 'SELECT "zone" FROM beside.zone'
        return pa.table({"zone": ["z0", "z1", "z2"]})


def _checked(catalog: Catalog, lake: _Lake) -> None:
    target = lake_target(catalog, {"zone": "beside.zone"})
    check_lake(catalog, LakeBackend(target, cast("Any", _KeyLists()), lake))


def _unfit(catalog: Catalog) -> list[Constraint]:
    lists = {"zone": "{key_set}"}
    private = [table for table in catalog.tables if table.private]
    at = [(table, lists | {table.name: f"{{table_{table.name}}}"}) for table in private]
    return [each for table, there in at for each in constraints(table, catalog, there, EngineName.SPARK)]


@pytest.mark.parametrize(("done", "why"), SPOILT.items(), ids=SPOILT.values())
def test_files_with_a_forbidden_row_do_not_open(done: str, why: str, tmp_path: Path) -> None:
    catalog = write_world(tmp_path, f"{ROWS};{done}", DECLARED)
    with pytest.raises(DataError, match=why):
        open_snapshot(catalog, tmp_path / "cache", lambda *_: None)


def test_a_lake_has_the_same_checks_and_refusals_as_files(tmp_path: Path) -> None:
    catalog = write_world(tmp_path, ROWS, DECLARED)
    open_snapshot(catalog, tmp_path / "cache", lambda *_: None)
    _checked(catalog, sound := _Lake(catalog))
    every = _unfit(catalog)
    assert sound.asked == [each.violation_sql for each in every] and len(every) == 6
    for each in every:
        with pytest.raises(DataError) as refused:
            _checked(catalog, _Lake(catalog, each.violation_sql))
        assert str(refused.value) == str(each.error)


def test_a_key_irrelevant_to_privacy_is_not_checked(tmp_path: Path) -> None:
    catalog = write_world(tmp_path, f"{ROWS}; INSERT INTO stop VALUES (1, 1)", DECLARED)
    open_snapshot(catalog, tmp_path / "cache", lambda *_: None)
    found = {table.name for table in catalog.tables if declared_checks.is_key_enforced(table, catalog)}
    assert found == {"zone", "person", "trip"}
    alone = replace(catalog, tables=tuple(table for table in catalog.tables if table.name != "stop"))
    assert not declared_checks.is_key_enforced(next(table for table in alone.tables if table.name == "trip"), alone)


def test_files_and_lakes_share_the_list_of_checked_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: nothing rests on keys."""
    monkeypatch.setattr(declared_checks, "is_key_enforced", lambda *_: False)
    catalog = write_world(tmp_path, f"{ROWS}; INSERT INTO person VALUES (1)", DECLARED)
    open_snapshot(catalog, tmp_path / "cache", lambda *_: None)
    _checked(catalog, lake := _Lake(catalog))
    assert len(lake.asked) == 2
