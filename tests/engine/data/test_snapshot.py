"""Files become one read-only copy that is typed, checked for its keys, and its owner's alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dialect import Catalog
from engine.catalog.file import load_catalog
from engine.data.snapshot import Snapshot, open_snapshot
from engine.errors import DataError
from tests.support.timeouts import MAX_SECONDS

CATALOG = """
format = 1
name = "shops"
[datasets.shops]
window = "forever"

[tables.person]
dataset = "shops"
kind = "private"
source = { parquet = "person.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e1"
norms = { rows = 1, persons = 1 }
[tables.person.columns]
person_id = { type = "BIGINT", nullable = false }
age = { type = "SMALLINT", bounds = [0, 120] }

[tables.visit]
dataset = "shops"
kind = "private"
source = { csv = "visit*.csv" }
person = "person_id"
primary_key = ["visit_id"]
size_class = "1e1"
norms = { rows = 9, persons = 3 }
joins = [{ column = "street", on = "shop_id", table = "shop", take = "street" }]
[tables.visit.columns]
person_id = { type = "BIGINT" }
visit_id = { type = "BIGINT" }
shop_id = { type = "INTEGER" }
day = { type = "DATE", range = ["2026-10-01", "2026-10-31"] }
street = { type = "VARCHAR" }

[tables.purchase]
dataset = "shops"
kind = "private"
source = { csv = "purchase.csv" }
person = { through = ["visit_id -> visit"], column = "person_id" }
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.purchase.columns]
visit_id = { type = "BIGINT" }
price = { type = "DECIMAL(9,2)", bounds = [0, 100] }

[tables.shop]
dataset = "shops"
kind = "public"
source = { duckdb = "public.duckdb", table = "stored_shop" }
primary_key = ["shop_id"]
[tables.shop.columns]
shop_id = { type = "INTEGER" }
street = { type = "VARCHAR" }
"""
CSV = {
    "visit_1.csv": "visit_id,person_id,shop_id,day,unnamed\n1,2,10,2026-10-01,x\n2,1,11,2026-10-02,x\n",
    "visit_2.csv": "visit_id,person_id,shop_id,day,unnamed\n3,,10,2026-10-03,x\n4,1,99,yesterday,x\n",
    "purchase.csv": "visit_id,price\n1,9.50\n1,cheap\n",
}
PEOPLE = "SELECT * FROM (VALUES (1::BIGINT, 30::SMALLINT), (2, NULL)) AS t(person_id, age)"
SHOPS = "SELECT * FROM (VALUES (10::INTEGER, 'Elm'), (11, 'Oak')) AS t(shop_id, street)"


def write(folder: Path, *, people: str = PEOPLE, shops: str = SHOPS, **csv: str) -> Catalog:
    """Write the files of three kinds, and the catalog over them."""
    duckdb.sql(people).write_parquet(str(folder / "person.parquet"))
    (folder / "public.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(folder / "public.duckdb")) as connection:
        connection.execute(f"CREATE TABLE stored_shop AS {shops}")
    for name, text in {**CSV, **{f"{name}.csv": text for name, text in csv.items()}}.items():
        (folder / name).write_text(text)
    (folder / "catalog.toml").write_text(CATALOG)
    return load_catalog(folder / "catalog.toml")


def take(catalog: Catalog, folder: Path) -> Snapshot:
    return open_snapshot(catalog, folder / "cache", lambda stage, fraction: None)


def rows(made: Snapshot, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        for alias, path in made.files.items():
            connection.execute(f"ATTACH '{path}' AS {alias} (READ_ONLY)")
        return connection.execute(f"SELECT {columns} FROM {made.addresses[table]}").fetchall()


def test_parquet_csv_and_duckdb_become_one_snapshot(tmp_path: Path) -> None:
    made = take(write(tmp_path), tmp_path)
    assert set(made.addresses) == {"person", "visit", "purchase", "shop"}
    assert rows(made, "person") == [(1, 30), (2, None)]
    visits = rows(made, "visit", "person_id, visit_id, street")
    assert [person for person, *_ in visits] == [1, 1, 2, None]  # sorted by person, and no further
    assert set(visits) == {(1, 2, "Oak"), (1, 4, None), (2, 1, "Elm"), (None, 3, "Elm")}
    assert rows(made, "shop") == [(10, "Elm"), (11, "Oak")]


def test_a_duckdb_table_is_used_where_it_lies(tmp_path: Path) -> None:
    made = take(write(tmp_path), tmp_path)
    assert made.files["stored0"] == str(tmp_path / "public.duckdb")
    assert made.addresses["shop"] == 'stored0.main."stored_shop"'


def test_only_declared_columns_are_copied_in_their_declared_types(tmp_path: Path) -> None:
    made = take(write(tmp_path), tmp_path)
    with duckdb.connect(made.files["copied"], read_only=True) as connection:
        described = connection.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'visit'")
        assert dict(described.fetchall()) == {
            "person_id": "BIGINT", "visit_id": "BIGINT", "shop_id": "INTEGER", "day": "DATE", "street": "VARCHAR",
        }  # fmt: skip


def test_a_value_of_another_type_is_null(tmp_path: Path) -> None:
    made = take(write(tmp_path), tmp_path)
    assert [price is None for (price,) in rows(made, "purchase", "price")] == [False, True]
    assert [visit for visit, day in rows(made, "visit", "visit_id, day") if day is None] == [4]


def test_the_copy_is_its_owners_alone(tmp_path: Path) -> None:
    copied = Path(take(write(tmp_path), tmp_path).files["copied"])
    assert copied.stat().st_mode & 0o777 == 0o600
    assert copied.parent.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_copy_is_made_once(tmp_path: Path) -> None:
    catalog, told = write(tmp_path), []
    first = open_snapshot(catalog, tmp_path / "cache", lambda stage, fraction: told.append((stage, fraction)))
    assert [stage for stage, _ in told][-1] == "copied"
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    told.clear()
    assert open_snapshot(catalog, tmp_path / "cache", lambda stage, fraction: told.append((stage, fraction))) == first
    assert told == []


@pytest.mark.parametrize(
    "changed",
    [
        {"people": PEOPLE.replace("30", "31")},
        {"shops": SHOPS.replace("Oak", "Ash")},
        {"visit_3": "visit_id,person_id,shop_id,day,unnamed\n9,2,10,2026-10-01,x\n"},
    ],
    ids=["a file", "a table that is looked up", "one file more"],
)
def test_changed_files_make_a_new_copy(tmp_path: Path, changed: dict[str, str]) -> None:
    first = take(write(tmp_path), tmp_path)
    before = rows(first, "visit"), rows(first, "person")
    second = take(write(tmp_path, **changed), tmp_path)
    assert second.files["copied"] != first.files["copied"]
    assert (rows(second, "visit"), rows(second, "person")) != before


def test_changed_declarations_make_a_new_copy(tmp_path: Path) -> None:
    first = take(write(tmp_path), tmp_path)
    (tmp_path / "catalog.toml").write_text(CATALOG.replace('day = { type = "DATE"', 'day = { type = "TIMESTAMP"'))
    assert take(load_catalog(tmp_path / "catalog.toml"), tmp_path).files["copied"] != first.files["copied"]


def test_files_in_subfolders_are_watched_too(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "visit_0.csv").write_text(CSV["visit_1.csv"])
    (tmp_path / "catalog.toml").write_text(CATALOG.replace("visit*.csv", "**/visit_0.csv"))
    catalog = load_catalog(tmp_path / "catalog.toml")
    first = take(catalog, tmp_path)
    (tmp_path / "deep" / "visit_0.csv").write_text(CSV["visit_1.csv"].replace("2026-10-02", "2026-10-05"))
    assert take(catalog, tmp_path).files["copied"] != first.files["copied"]


@pytest.mark.parametrize(
    ("changed", "table"),
    [
        ({"people": "SELECT 1::BIGINT AS person_id, 2::SMALLINT AS age FROM range(2)"}, "person"),
        ({"people": "SELECT NULL::BIGINT AS person_id, 2::SMALLINT AS age"}, "person"),
        ({"shops": "SELECT 10::INTEGER AS shop_id, 'Elm' AS street FROM range(2)"}, "shop"),
        ({"shops": f"{SHOPS} UNION ALL SELECT NULL, NULL"}, "shop"),
        ({"visit_3": "visit_id,person_id,shop_id,day,unnamed\n1,2,10,2026-10-01,x\n"}, "visit"),
        ({"visit_3": "visit_id,person_id,shop_id,day,unnamed\n,2,10,2026-10-01,x\n"}, "visit"),
    ],
    ids=["person twice", "person NULL", "public twice", "public NULL", "foreign key twice", "foreign key NULL"],
)
def test_keys_required_for_privacy_are_enforced(tmp_path: Path, changed: dict[str, str], table: str) -> None:
    with pytest.raises(DataError, match="not unique or has NULLs") as refused:
        take(write(tmp_path, **changed), tmp_path)
    assert refused.value.table == table
    with pytest.raises(DataError):  # and again when the copy is there
        take(load_catalog(tmp_path / "catalog.toml"), tmp_path)


@pytest.mark.parametrize(
    ("shops", "why"),
    [
        ("SELECT '10' AS shop_id, 'Elm' AS street", "shop_id is stored as VARCHAR and declared as INTEGER"),
        ("SELECT 10.5::DOUBLE AS shop_id, 'Elm' AS street", "shop_id is stored as DOUBLE and declared as INTEGER"),
        ("SELECT 10::INTEGER AS shop_id", "the table, or a declared column of it, is not there"),
        ("SELECT 10::INTEGER AS shop_id, 'Elm'::ENUM('Elm') AS street", "street is stored as ENUM"),
    ],
)
def test_a_stored_table_of_another_shape_is_refused_when_it_is_opened(tmp_path: Path, shops: str, why: str) -> None:
    """Else SQL written for the declared type could fail on a row, after the charge."""
    catalog = write(tmp_path, shops=shops)
    stored = [table for table in catalog.tables if table.name == "shop"]
    alone = Catalog(catalog.name, catalog.path, catalog.datasets, tuple(stored))
    with pytest.raises(DataError, match=why):
        take(alone, tmp_path)


@pytest.mark.parametrize("missing", ["person.parquet", "purchase.csv", "public.duckdb"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    catalog = write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DataError, match=missing):
        take(catalog, tmp_path)


def test_a_file_that_is_no_duckdb_file_is_named(tmp_path: Path) -> None:
    catalog = write(tmp_path)
    stored = tuple(table for table in catalog.tables if table.name == "shop")
    (tmp_path / "public.duckdb").write_text("no database")
    with pytest.raises(DataError, match=r"public\.duckdb can't be opened"):
        take(Catalog(catalog.name, catalog.path, catalog.datasets, stored), tmp_path)


def test_an_interrupted_copy_leaves_nothing(tmp_path: Path) -> None:
    catalog = write(tmp_path)
    (tmp_path / "purchase.csv").write_bytes(b"visit_id,price\n\xff\xfe\x00,1\n" * 3)
    with pytest.raises(DataError, match="purchase: its files can't be read as declared") as refused:
        take(catalog, tmp_path)
    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stopped_copy_leaves_nothing(tmp_path: Path) -> None:
    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    catalog = write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        open_snapshot(catalog, tmp_path / "cache", stop)
    assert list((tmp_path / "cache").iterdir()) == []
    assert rows(take(catalog, tmp_path), "person")


def test_a_stored_table_with_lookup_columns_is_copied(tmp_path: Path) -> None:
    write(tmp_path)
    with duckdb.connect(str(tmp_path / "private.duckdb")) as connection:
        connection.execute("CREATE TABLE seen AS SELECT 1::BIGINT person_id, 3::BIGINT visit_id, 11::INTEGER shop_id,"
                           " DATE '2026-10-09' AS \"day\"")  # fmt: skip
    stored = CATALOG.replace('{ csv = "visit*.csv" }', '{ duckdb = "private.duckdb", table = "seen" }')
    (tmp_path / "catalog.toml").write_text(stored)
    made = take(load_catalog(tmp_path / "catalog.toml"), tmp_path)
    assert rows(made, "visit", "visit_id, street") == [(3, "Oak")]


_READS = """
import duckdb, sys
from pathlib import Path
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
made = open_snapshot(load_catalog(sys.argv[1]), Path(sys.argv[2]), lambda *_: None)
(file,) = made.files.values()
connection = duckdb.connect(file, read_only=True)
connection.execute("SET TimeZone = 'UTC'")
print(*connection.execute("SELECT CAST(ts AS VARCHAR) FROM seen").fetchone())
"""


ZONED = """
format = 1
name = "zoned"
[datasets.zoned]
window = "forever"
[datasets.zoned.budget]
rho = 0.2
[tables.seen]
dataset = "zoned"
kind = "private"
source = { csv = "seen.csv" }
person = "person_id"
size_class = "1e2"
norms = { rows = 10, persons = 1 }
[tables.seen.columns]
person_id = { type = "BIGINT", nullable = false }
ts = { type = "TIMESTAMPTZ", time_zone = "UTC" }
"""


def test_a_time_without_an_offset_is_utcs_wherever_the_machine_stands(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("person_id,ts\n1,2026-10-01 08:00:00\n", encoding="utf-8")
    (tmp_path / "town.toml").write_text(ZONED, encoding="utf-8")
    told = [
        subprocess.run(
            [sys.executable, "-c", _READS, str(tmp_path / "town.toml"), str(tmp_path / zone.replace("/", "_"))],
            env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True, timeout=MAX_SECONDS,
        ).stdout
        for zone in ("UTC", "America/Mexico_City")
    ]  # fmt: skip
    assert told == ["2026-10-01 08:00:00+00\n"] * 2
