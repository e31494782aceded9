"""Files are checked against the catalog; no value and no count is shown."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.data.snapshot import open_snapshot
from engine.errors import CatalogError

CATALOG = """
format = 1
name = "city"
[datasets.city]
window = "forever"

[tables.people]
dataset = "city"
kind = "private"
source = { csv = "people.csv" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e1"
norms = { rows = 1, persons = 1 }
columns = { person_id = { type = "BIGINT", nullable = false }, age = { type = "SMALLINT" } }

[tables.trips]
dataset = "city"
kind = "private"
source = { parquet = "trips/*.parquet" }
person = { through = ["person_id -> people"], column = "person_id" }
size_class = "1e1"
norms = { rows = 1, persons = 1 }
joins = [{ column = "zone", on = "stop", table = "stops", take = "zone" }]
[tables.trips.columns]
person_id = { type = "BIGINT" }
stop = { type = "SMALLINT" }
day = { type = "DATE" }
km = { type = "DOUBLE" }
zone = { type = "VARCHAR" }

[tables.stops]
dataset = "city"
kind = "public"
source = { duckdb = "city.duckdb", table = "Stops" }
primary_key = ["stop"]
columns = { stop = { type = "SMALLINT" }, zone = { type = "VARCHAR" } }
"""
PEOPLE = "SELECT 4217 AS Person_ID, 113 AS age"
TRIPS = "SELECT 4217 AS person_id, 77 AS stop, DATE '2026-06-01' AS day, 3 AS km"
STOPS = "SELECT 77::SMALLINT AS stop, 'canary' AS zone"


def _check(
    folder: Path, *, people: str = PEOPLE, trips: str = TRIPS, stops: str = STOPS, text: str = CATALOG
) -> tuple[CatalogError, ...]:
    """Make the files and check them."""
    (folder / "trips").mkdir(parents=True)
    with duckdb.connect(str(folder / "city.duckdb")) as connection:
        connection.execute(f"CREATE TABLE stops AS {stops}")
        connection.execute(f"COPY ({people}) TO '{folder}/people.csv'")
        connection.execute(f"COPY ({trips}) TO '{folder}/trips/one.parquet'")
    return _read(folder, text)


def _read(folder: Path, text: str = CATALOG) -> tuple[CatalogError, ...]:
    """Check the files that are there."""
    (folder / "catalog.toml").write_text(text, encoding="utf-8")
    return check_catalog(load_catalog(folder / "catalog.toml"))


def test_files_as_declared_give_no_finding(tmp_path: Path) -> None:
    assert _check(tmp_path) == ()


def test_a_uuid_in_parquet_is_read_as_its_text(tmp_path: Path) -> None:
    person = "SELECT '{}' AS person_id, 30 AS age"
    known, other = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    text = CATALOG.replace('person_id = { type = "BIGINT"', 'person_id = { type = "VARCHAR"')
    assert text != CATALOG
    trips = TRIPS.replace("4217 AS person_id", f"'{known.upper()}'::UUID AS person_id")
    assert _check(tmp_path / "one", people=person.format(known), trips=trips, text=text) == ()
    catalog = load_catalog(tmp_path / "one" / "catalog.toml")
    snapshot = open_snapshot(catalog, tmp_path / "cache", lambda *_: None)
    with duckdb.connect(snapshot.files["copied"], read_only=True) as connection:
        assert connection.execute("SELECT person_id FROM trips").fetchall() == [(known,)]
    (finding,) = _check(tmp_path / "other", people=person.format(other), trips=trips, text=text)
    assert finding.key == "tables.trips.person.through[0]"


def test_a_public_table_with_a_column_of_persons_is_named(tmp_path: Path) -> None:
    """Declared or not: the rows are in the file. A column `id` says nothing of whom it names."""
    with_persons = "SELECT 77::SMALLINT AS stop, 'canary' AS zone, 4217 AS Person_ID"
    (finding,) = _check(tmp_path / "one", stops=with_persons)
    assert finding.key == "tables.stops.kind" and "person_id names the persons of" in finding.why
    assert "private" in finding.cure and "4217" not in str(finding)
    text = CATALOG.replace("person_id", "id")
    by_id = [sql.replace("person_id", "id").replace("Person_ID", "id") for sql in (PEOPLE, TRIPS, with_persons)]
    assert _check(tmp_path / "two", people=by_id[0], trips=by_id[1], stops=by_id[2], text=text) == ()


# (file, what it holds instead, key, why, cure)
WRONG = {
    "column": ("trips", "SELECT 1 AS person_id, 77 AS stop, DATE '2026-06-01' AS days, 3 AS km", "tables.trips.columns.day", "has no column day", "write days."),
    "column of csv": ("people", "SELECT 1 AS person_id, 3 AS x", "tables.people.columns.age", "has no column age", "use one of person_id, x."),
    "type": ("trips", "SELECT 4217 AS person_id, 77 AS stop, '2026' AS day, 3 AS km", "tables.trips.columns.day.type", "the source stores VARCHAR, the catalog says DATE", "declare the stored type"),
    "unknown type": ("stops", "SELECT 77::SMALLINT AS stop, 'canary'::ENUM('canary') AS zone", "tables.stops.columns.zone.type", "the source stores ENUM, the catalog says VARCHAR", "store the declared one"),
    "uuid": ("stops", "SELECT 77::SMALLINT AS stop, uuid() AS zone", "tables.stops.columns.zone.type", "the source stores UUID, the catalog says VARCHAR", "SELECT * REPLACE (CAST("),
    "narrow": ("trips", "SELECT 4217 AS person_id, 77777 AS stop, NULL::DATE AS day, 3 AS km", "tables.trips.columns.stop.type", "a value of stop is no SMALLINT", "wider type"),
    "value of csv": ("people", f"{PEOPLE} UNION ALL SELECT 4218, 99999", "tables.people.columns.age.type", "a value of age is no SMALLINT", "correct the files"),
    "no null": ("people", f"{PEOPLE} UNION ALL SELECT NULL, 20", "tables.people.columns.person_id.nullable", "person_id holds NULL", "nullable = true"),
    "key null": ("stops", f"{STOPS} UNION ALL SELECT NULL, 'x'", "tables.stops.primary_key", "the primary key holds NULL", "another primary key"),
    "key twice": ("stops", f"{STOPS} UNION ALL SELECT 77::SMALLINT, 'x'", "tables.stops.primary_key", "names more than one row", 'SELECT DISTINCT ON ("stop") *'),
    "no person": ("trips", TRIPS.replace("4217", "4218"), "tables.trips.person.through[0]", "a value of person_id is not in people", "complete people"),
    "no partner": ("trips", TRIPS.replace("77", "78"), "tables.trips.joins[0]", "a value of stop is not in stops", "complete stops"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_each_difference_is_named(tmp_path: Path, case: str) -> None:
    file, select, key, why, cure = WRONG[case]
    found = {finding.key: finding for finding in _check(tmp_path, **{file: select})}
    finding = found[key]
    assert finding.file == str(tmp_path / "catalog.toml")
    assert why in finding.why and cure in finding.cure
    assert str(finding) == f"{finding.file}: {key}: {finding.why} Cure: {finding.cure}"
    shown = " ".join(map(str, found.values())).replace(str(tmp_path), "")
    assert not [value for value in ("4217", "4218", "113", "99999", "77777", "canary") if value in shown]


@pytest.mark.parametrize("listed", ["values = [3, 4]", "range = [3, 4]", 'values_of = "stops.stop"'])
def test_a_list_declared_complete_is_checked_against_the_rows(tmp_path: Path, listed: str) -> None:
    old = 'stop = { type = "SMALLINT" }\nday'
    declared = CATALOG.replace(old, f'stop = {{ type = "SMALLINT", {listed}, complete = true }}\nday')
    assert declared != CATALOG
    _check(tmp_path, trips=TRIPS.replace("77", "4"), stops=STOPS.replace("77", "4"))
    assert _read(tmp_path, declared) == ()
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({TRIPS}) TO '{tmp_path}/trips/two.parquet'")  # of stop 77
    found = {finding.key: finding for finding in _read(tmp_path, declared)}
    assert "holds a value that its list does not" in found["tables.trips.columns.stop.complete"].why
    assert "77" not in str(found["tables.trips.columns.stop.complete"]).replace(str(tmp_path), "")
    assert "tables.trips.columns.stop.complete" not in {finding.key for finding in _read(tmp_path)}


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = _read(tmp_path)
    assert [finding.key for finding in found] == [f"tables.{name}.source" for name in ("people", "trips", "stops")]
    assert found[0].why == f"there is no file {tmp_path / 'people.csv'}."


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    (tmp_path / "trips").mkdir()
    for name in ("people.csv", "trips/one.parquet", "city.duckdb"):
        (tmp_path / name).write_bytes(b"\x00\xff" * 50)
    found = {finding.key: finding.why for finding in _read(tmp_path)}
    assert "cannot be read as parquet files" in found["tables.trips.source"]
    assert "cannot be read as table Stops of a DuckDB file" in found["tables.stops.source"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert _check(tmp_path, trips=f"{TRIPS} FROM range(100000)") == ()
    path = tmp_path / "trips" / "one.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * (len(whole) // 3) + whole[4 + len(whole) // 3 :])  # the footer stays whole
    found = {finding.key: finding.why for finding in _read(tmp_path)}
    assert found["tables.trips.source"] == "the rows cannot be read to the end."


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ("person_id,town\n1,9\n", "the first line of b.csv names other columns than that of a.csv"),
        ("", "b.csv is empty"),
        ("Person_ID,age\n4217\n", "b.csv: line 2: 1 field instead of 2"),
    ],
)
def test_the_bad_one_of_several_csv_files_is_named(tmp_path: Path, second: str, why: str) -> None:
    assert _check(tmp_path) == ()
    (tmp_path / "a.csv").write_bytes((tmp_path / "people.csv").read_bytes())
    (tmp_path / "b.csv").write_text(second)
    found = {finding.key: finding.why for finding in _read(tmp_path, CATALOG.replace("people.csv", "[ab].csv"))}
    assert why in found["tables.people.source"] and "4217" not in found["tables.people.source"]


def test_a_text_that_is_no_time_gets_an_example_of_one(tmp_path: Path) -> None:
    timed = CATALOG.replace('age = { type = "SMALLINT" }', 'age = { type = "DATE" }')
    found = {
        finding.key: finding
        for finding in _check(tmp_path, people="SELECT 1 AS person_id, '9.5.26' AS age", text=timed)
    }
    assert "dates as 2026-10-17; passersby catalog convert" in found["tables.people.columns.age.type"].cure


def test_a_damaged_csv_file_is_reported_by_line_and_reason_without_values(tmp_path: Path) -> None:
    assert _check(tmp_path) == ()
    for text, why in (
        ("person_id,age\n4217,113\r\n4218,112\n", "line 2: line ends are mixed"),
        ("person_id,age\n4217,113\n4218\n", "line 3: 1 field instead of 2"),
    ):
        (tmp_path / "people.csv").write_bytes(text.encode())
        found = {finding.key: finding.why for finding in _read(tmp_path)}
        assert found["tables.people.source"].startswith(f"the rows cannot be read to the end: {why}")
        assert "421" not in str(found)
