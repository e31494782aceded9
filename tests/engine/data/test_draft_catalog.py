"""A new catalog lists names and types, explains every key, shows no value, and loads once it is filled in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import duckdb
import pytest

from engine.catalog import columns, file
from engine.catalog import tables as catalog_tables
from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.data.draft_catalog import HEAD_TEMPLATE, KEYS_TEMPLATE, draft_catalog
from engine.errors import CatalogError

CANARY = "canary7f3a"
MADE = """
CREATE TABLE trips AS SELECT 4217 AS person_id, 'canary7f3a' AS name, TIMESTAMP '2026-06-01 12:00:00' AS start_ts,
    TIMESTAMPTZ '2026-06-01 12:00:00+00' AS sent, 86399.5::DECIMAL(9, 2) AS km,
    {'canary7f3a': 1} AS extra, ['canary7f3a'] AS tags, 1 AS "Trip ID";
COPY (FROM trips) TO 'Città trips.parquet';
COPY (FROM trips) TO 'parts/one.parquet';
COPY (SELECT 1 AS Zone_ID, 'north' AS zone) TO 'zones.csv';
COPY (SELECT 1 AS id, 'canary7f3a' AS name) TO 'headless.csv' (HEADER false);
COPY (SELECT 'canary7f3a' AS name, 'b' AS other) TO 'texts.csv' (HEADER false);
ATTACH 'town.duckdb' AS town;
CREATE TABLE town.zones AS SELECT 1 AS zone_id;
CREATE TABLE town.legs AS SELECT 1 AS person_id, 'canary7f3a'::ENUM('canary7f3a') AS mode;
CREATE TABLE town.trips AS SELECT 1 AS person_id;
CREATE VIEW town.seen AS FROM town.trips;
DETACH town;
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of files as somebody may have them."""
    made = tmp_path / "1 My City"
    (made / "parts").mkdir(parents=True)
    monkeypatch.chdir(made)
    with duckdb.connect() as connection:
        connection.execute(MADE)
    (made / "notes.db").write_text("not a database")
    (made / "broken.parquet").write_text("not a table")
    (made / "readme.md").write_text("not listed")
    return made


def _declared(text: str) -> str:
    """Uncomment the tables, as the text instructs."""
    return re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)


def _filled_in(text: str, public: set[str]) -> str:
    """Fill in what is blank."""
    parts = re.split(r"(?=^\[tables\.\w+\]$)", text, flags=re.MULTILINE)
    return "".join(_filled(part, part.partition("]")[0].removeprefix("[tables.") in public) for part in parts)


def _filled(part: str, public: bool) -> str:
    """Fill in one table."""
    if public:
        private_only = r'## only where kind is "private":.*?(?=## in every case)'
        return re.sub(private_only, "", part, flags=re.DOTALL).replace('kind = ""', 'kind = "public"')
    blanks = {"kind": "private", "person": "person_id", "size_class": "1e6", "time_zone": "UTC"}
    for key, value in blanks.items():
        part = part.replace(f'{key} = ""', f'{key} = "{value}"')
    return part


def test_csv_tables_have_a_comment_on_how_to_ingest(folder: Path) -> None:
    tables = draft_catalog(folder).split("## ----")[1:]
    assert {"adds rows to Parquet alone" in table for table in tables if "source = { csv" in table} == {True}
    assert not [table for table in tables if "adds rows to Parquet alone" in table and "source = { csv" not in table]


def _sources_of(folder: Path) -> dict[str, str]:
    """Sources of the drafted tables, by name."""
    tables = tomllib.loads(_declared(draft_catalog(folder)))["tables"]
    return {name: next(iter(table["source"].values())) for name, table in tables.items()}


def test_files_of_several_months_are_one_table(tmp_path: Path) -> None:
    """Files that differ in a number alone are one table if they have the same columns."""
    for name in ("visits_2026-01", "visits_2026-02", "sales202601", "sales202602", "zones_v1", "zones_v2"):
        (tmp_path / f"{name}.csv").write_text("person_id,minutes\n1,5\n")
    (tmp_path / "legs_1.csv").write_text("person_id,km\n1,5\n")
    (tmp_path / "legs_2.csv").write_text("person_id,mode\n1,bus\n")
    (tmp_path / "riders_1.csv").write_text("person_id,age\n1,50\n")
    (tmp_path / "riders_old.csv").write_text("person_id,age\n1,50\n")
    assert _sources_of(tmp_path) == {
        "visits": "visits*.csv", "sales": "sales*.csv", "zones_v1": "zones_v1.csv", "zones_v2": "zones_v2.csv",
        "legs_1": "legs_1.csv", "legs_2": "legs_2.csv", "riders_1": "riders_1.csv", "riders_old": "riders_old.csv",
    }  # fmt: skip


def test_a_folder_of_several_csv_files_is_one_table_with_columns(tmp_path: Path) -> None:
    (tmp_path / "passages").mkdir()
    for month in (1, 2):
        (tmp_path / f"passages/2026-0{month}[x].csv").write_text("plate,speed\n1,5\n")
    text = draft_catalog(tmp_path)
    assert '# source = { csv = "passages/*.csv" }' in text and '# speed = { type = "BIGINT" }' in text
    assert "column that names the person a row is about: perhaps plate" in text


def test_files_that_cannot_be_read_are_left_out_with_the_reason(tmp_path: Path) -> None:
    """They have no table in the draft; where no file can be read, none is written."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "log.json").write_text("{}")
    with pytest.raises(CatalogError, match=r"that can be read\. empty\.csv is empty\. log\.json: only Parquet"):
        draft_catalog(tmp_path)
    (tmp_path / "legs").mkdir()
    (tmp_path / "legs/1.csv").write_text("person_id,km\n1,5\n")
    (tmp_path / "legs/2.csv").write_text("person_id,mode\n1,bus\n")
    (tmp_path / "riders.csv").write_text("person_id,age\n1,50\n")
    text = draft_catalog(tmp_path)
    assert _sources_of(tmp_path) == {"riders": "riders.csv"}
    assert "## - legs/*.csv: the first line of 2.csv names other columns than that of 1.csv" in text
    assert "## - empty.csv is empty\n" in text and "## - log.json: only Parquet" in text


def test_nothing_is_queryable_until_it_is_declared(folder: Path, tmp_path: Path) -> None:
    path = folder / "catalog.toml"
    path.write_text(draft_catalog(folder), encoding="utf-8")
    with pytest.raises(CatalogError, match="nothing is declared here") as caught:
        load_catalog(path)
    assert caught.value.key == "tables"


def test_a_table_that_is_not_filled_in_does_not_load(folder: Path) -> None:
    path = folder / "catalog.toml"
    path.write_text(_declared(draft_catalog(folder)), encoding="utf-8")
    with pytest.raises(CatalogError, match="kind: this text is empty"):
        load_catalog(path)


def test_every_line_without_its_first_sign_is_toml(folder: Path) -> None:
    """A reader uncomments all tables at once, as the head says: sed 's/^# //'."""
    text = draft_catalog(folder)
    assert "sed -i 's/^# //' FILE" in text
    tables = tomllib.loads(re.sub(r"^# ", "", text, flags=re.MULTILINE))["tables"]
    assert tables["trips"].get("time_column") is None and tables["parts"]["time_column"] == "start_ts"
    assert tables.keys() == {"citta_trips", "headless", "legs", "parts", "texts", "trips", "zones", "zones_2"}
    assert tables["zones_2"]["columns"].keys() == {"zone_id", "zone"}


def test_a_uuid_is_declared_as_text_or_has_a_cure(folder: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("COPY (SELECT uuid() AS person_id) TO 'rides.parquet'")
        connection.execute("ATTACH 'town.duckdb' AS town; CREATE TABLE town.rides AS SELECT uuid() AS person_id")
    text = draft_catalog(folder)
    assert '# person_id = { type = "VARCHAR" }  # stored as UUID, read as its text in lower case' in text
    assert "## person_id is left out: the type UUID is not supported in a DuckDB table." in text
    cures = re.findall(r"^## To use it, store it as text: (.*)$", text, flags=re.MULTILINE)
    (cure,) = [cure for cure in cures if "person_id" in cure]  # another one is of an ENUM
    with duckdb.connect("town.duckdb") as connection:
        connection.execute(cure)
        assert connection.execute("SELECT typeof(person_id) FROM new_table").fetchall() == [("VARCHAR",)]


def test_filled_in_it_loads_and_fits_its_files(folder: Path) -> None:
    for name in ("headless.csv", "texts.csv"):
        (folder / name).unlink()
    path = folder / "catalog.toml"
    path.write_text(_filled_in(_declared(draft_catalog(folder)), {"zones", "zones_2"}), encoding="utf-8")
    catalog = load_catalog(path)
    assert catalog.name == catalog.datasets[0].name == "t_1_my_city"
    assert {table.name: table.private for table in catalog.tables} == {
        "citta_trips": True,
        "legs": True,
        "parts": True,
        "trips": True,
        "zones": False,
        "zones_2": False,
    }
    trips = catalog.tables_by_name.get("citta_trips")
    assert trips
    assert {column.name: column.stored_type for column in trips.columns} == {
        "person_id": "INTEGER",
        "name": "VARCHAR",
        "start_ts": "TIMESTAMP",
        "sent": "TIMESTAMP WITH TIME ZONE",
        "km": "DECIMAL(9,2)",
        "tags": "VARCHAR[]",
    }
    assert not any(column.bounds or column.domain or column.sum_clip_bound for column in trips.columns)
    assert check_catalog(catalog) == ()


def test_no_value_is_written(folder: Path) -> None:
    text = draft_catalog(folder)
    assert not [line for line in text.splitlines() if CANARY in line]
    assert "4217" not in text and "86399" not in text


def test_omitted_columns_and_files_have_a_comment(folder: Path) -> None:
    text = draft_catalog(folder)
    assert "## mode is left out: the type ENUM is not supported in a DuckDB table." in text
    assert 'CAST("mode" AS VARCHAR)' in text
    assert (
        "## extra is left out: the type STRUCT is not supported. Store its fields as columns: passersby catalog convert"
        in text
    )
    assert "## Trip ID is left out: rename it in the file, as trip_id; passersby catalog convert" in text
    assert "## - broken.parquet cannot be read as parquet" in text
    assert text.count("## Not listed, because the first line of the file may be values") == 2
    assert "notes" not in text and "readme" not in text


def test_the_draft_begins_with_what_is_usual(folder: Path) -> None:
    text = draft_catalog(folder)
    assert len(text.partition("\n# [tables.")[0].splitlines()) < 30
    assert "passersby catalog check" in text and "passersby catalog keys" in text


def test_columns_that_may_name_people_are_suggested(folder: Path) -> None:
    """Names alone suggest them: nothing is filled in, and no value is read."""
    hints = dict(re.findall(r"# \[tables\.(\w+)\].*?# person = \"\" +# ([^\n]*)", draft_catalog(folder), re.DOTALL))
    told = "column that names the person a row is about"
    assert hints["trips"] == f"{told}: perhaps person_id (also in citta_trips, parts, legs)"
    assert hints["zones"] == told
    assert '# time_column = "start_ts"  ' in draft_catalog(folder)
    (folder / "cabs.csv").write_text("vehicle_class,licence,driver_id\nvan,2019,7\n")
    (folder / "seen.csv").write_text("mac_hash,rssi\na1,-50\n")
    (folder / "users.csv").write_text("user_type,user_score\na,0.5\n")
    hints = dict(re.findall(r"# \[tables\.(\w+)\].*?# person = \"\" +# ([^\n]*)", draft_catalog(folder), re.DOTALL))
    assert hints["cabs"] == f"{told}: perhaps driver_id" and hints["seen"] == f"{told}: perhaps mac_hash"
    keys = dict(re.findall(r"# \[tables\.(\w+)\].*?# primary_key = \[\] +# ([^\n]*)", draft_catalog(folder), re.DOTALL))
    assert keys["zones"].endswith(": perhaps zone_id") and "perhaps" not in keys["seen"] + keys["parts"]
    assert hints["users"] == told  # an attribute, and a number that is no name


def test_every_key_is_explained() -> None:
    text = KEYS_TEMPLATE.read_text(encoding="utf-8")
    known = {*file.FILE_KEYS, *catalog_tables.TABLE_KEYS, *columns.COLUMN_KEYS} - {
        "columns",
        "dataset",
        "tables",
        "type",
    }
    unexplained = [key for key in known if not re.search(rf"^(## +|\[)?{key}\b", text, flags=re.MULTILINE)]
    assert not unexplained


@pytest.mark.parametrize("template", [HEAD_TEMPLATE, KEYS_TEMPLATE])
def test_the_head_and_the_explained_keys_hold_the_defaults(tmp_path: Path, template: Path) -> None:
    head = template.read_text(encoding="utf-8").replace("$name", "city")
    zones = '[tables.zones]\ndataset = "city"\nkind = "public"\nsource = { csv = "z.csv" }\n'
    path = tmp_path / "catalog.toml"
    path.write_text(f'{head}\n{zones}columns = {{ zone = {{ type = "VARCHAR" }} }}\n', encoding="utf-8")
    stated = load_catalog(path).datasets[0]
    shorter = re.sub(r"(?ms)^\[datasets\.city\.(defaults|budget)\].*?(?=^\[tables)", "", path.read_text("utf-8"))
    path.write_text(shorter, "utf-8")
    assert load_catalog(path).datasets[0] == stated


@pytest.mark.parametrize(("name", "why"), [("", "no Parquet, CSV or DuckDB files"), ("none", "no such folder")])
def test_a_folder_without_data_files_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(CatalogError, match=why) as caught:
        draft_catalog(tmp_path / name)
    assert caught.value.key == "folder"
