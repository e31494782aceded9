"""Rows of people, made up: every value as it is declared, persons and foreign keys that fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dialect import Catalog
from engine.catalog.file import load_catalog
from engine.workflows.rehearsal import DEFAULT_DATES, PERSONS, ROWS_PER_PERSON, row_count, synthetic_statements

HEAD = """
format = 1
name = "made"
[datasets.made]
window = "forever"

[tables.person]
dataset = "made"
kind = "private"
source = { parquet = "none.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e3"
norms = { rows = 1, persons = 1 }
consent = { column = "state", admitted = ["yes", "perhaps"] }
[tables.person.columns]
person_id = { type = "VARCHAR" }
state = { type = "VARCHAR" }

[tables.visit]
dataset = "made"
kind = "private"
source = { parquet = "none.parquet" }
person = "person_id"
primary_key = ["visit_id"]
size_class = "1e3"
sorted_by = ["person_id"]
norms = { rows = 9, persons = 3 }
joins = [{ column = "street", on = "shop_id", table = "shop", take = "street" }]
[tables.visit.columns]
person_id = { type = "VARCHAR", nullable = false }
visit_id = { type = "SMALLINT" }
shop_id = { type = "INTEGER", nullable = false }
street = { type = "VARCHAR" }
VALUE

[tables.purchase]
dataset = "made"
kind = "private"
source = { parquet = "none.parquet" }
person = { through = ["visit_no -> visit"], column = "person_id" }
max_rows_per_person = 3
size_class = "1e3"
norms = { rows = 9, persons = 3 }
columns = { visit_no = { type = "BIGINT" } }

[tables.shop]
dataset = "made"
kind = "public"
source = { parquet = "shop.parquet" }
primary_key = ["shop_id"]
columns = { shop_id = { type = "INTEGER" }, street = { type = "VARCHAR" }, since = { type = "DATE" } }
"""
SHOP = """CREATE TABLE shop AS SELECT * FROM (VALUES (10, 'Elm', DATE '2026-01-01'), (11, 'Oak', NULL)) AS t(shop_id,
          street, since)"""


def declare(folder: Path, value: str = "") -> Catalog:
    """Declare the catalog, with one column `value` more in its visits."""
    (folder / "catalog.toml").write_text(HEAD.replace("VALUE", value and f"value = {{ {value} }}"))
    return load_catalog(folder / "catalog.toml")


def make(catalog: Catalog) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    connection.execute(SHOP)
    for statement in synthetic_statements(catalog):
        connection.execute(statement)
    return connection


def one(connection: duckdb.DuckDBPyConnection, expression: str, table: str = "visit") -> Any:
    return connection.execute(f"SELECT {expression} FROM {table}").fetchall()[0][0]


VALUES = {
    'type = "BIGINT", bounds = [-3, 3]': "min(value) = -3 AND max(value) = 3",
    'type = "BIGINT", range = [-9000000000000000000, 9000000000000000000]': "min(value) < -1e18 AND max(value) > 1e18",
    'type = "INTEGER", values = [3, 5, 8]': "list_sort(list(DISTINCT value) FILTER (value IS NOT NULL)) = [3, 5, 8]",
    'type = "UTINYINT", bounds = [0, 255]': "max(value) > 200",
    'type = "DOUBLE", bounds = [0.5, 0.75]': "min(value) >= 0.5 AND max(value) <= 0.75 AND count(DISTINCT value) > 999",
    'type = "DECIMAL(9,2)", bounds = [-1, 1]': "min(value) >= -1 AND max(value) <= 1 AND max(value) > 0.9",
    'type = "FLOAT"': "min(value) >= 0 AND max(value) <= 100",
    'type = "BIGINT"': "min(value) >= 0 AND max(value) <= 100",
    'type = "BOOLEAN"': "count(DISTINCT value) = 2",
    'type = "VARCHAR"': "count(DISTINCT value) BETWEEN 20 AND 256 AND min(length(value)) = 4",
    'type = "VARCHAR", values = ["it\'s", "b"]': "list_sort(list(DISTINCT value) FILTER (value IS NOT NULL)) = ['b', 'it''s']",
    'type = "VARCHAR", values_of = "shop.street"': "list_sort(list(DISTINCT value) FILTER (value IS NOT NULL)) = ['Elm', 'Oak']",
    'type = "DATE", values_of = "shop.since"': "list(DISTINCT value) FILTER (value IS NOT NULL) = [DATE '2026-01-01']",
    'type = "DATE", range = ["2026-10-01", "2026-10-03"]': "min(value) = '2026-10-01' AND max(value) = '2026-10-03'",
    'type = "DATE", values = ["2026-10-01"]': "list(DISTINCT value) FILTER (value IS NOT NULL) = [DATE '2026-10-01']",
    'type = "DATE"': f"min(value) >= '{DEFAULT_DATES.lower}' AND max(value) <= '{DEFAULT_DATES.upper}'",
    'type = "TIMESTAMP", range = ["2026-10-01", "2026-10-02"]': (
        "min(value) >= '2026-10-01' AND max(value) < '2026-10-03' AND count(DISTINCT hour(value)) = 24"
    ),
    'type = "TIMESTAMP", stored = "utc", time_zone = "Asia/Tokyo", range = ["2026-10-01", "2026-10-01"]': (
        "min(value) >= '2026-09-30 15:00' AND max(value) < '2026-10-01 15:00'"
    ),
    'type = "TIMESTAMPTZ", time_zone = "Asia/Tokyo", range = ["2026-10-01", "2026-10-01"]': (
        "min(value) >= TIMESTAMPTZ '2026-09-30 15:00+00' AND max(value) < TIMESTAMPTZ '2026-10-01 15:00+00'"
    ),
    'type = "TIME"': "count(DISTINCT hour(value)) = 24",
    'type = "VARCHAR", h3 = { lon = "shop_id", lat = "shop_id", resolution = 7 }': (
        "min(length(value)) = 15 AND min(value[:2]) = '87' AND max(value[:2]) = '87' AND count(DISTINCT value) > 50"
    ),
    'type = "UBIGINT", h3 = { lon = "shop_id", lat = "shop_id", resolution = 15 }': (
        "min(value >> 52) = 143 AND max(value >> 52) = 143 AND count(DISTINCT value) > 50"
    ),
    'type = "VARCHAR[]"': "min(len(value)) = 1 AND max(len(value)) = 3",
    'type = "BIGINT[]"': "min(len(value)) = 1 AND max(len(value)) = 2",
}


@pytest.mark.parametrize(("declared", "holds"), VALUES.items(), ids=VALUES)
def test_values_are_as_declared(tmp_path: Path, declared: str, holds: str) -> None:
    with make(declare(tmp_path, declared)) as made:
        assert one(made, holds) is True
        assert 0.05 < one(made, "avg(CASE WHEN value IS NULL THEN 1 ELSE 0 END)") < 0.2
        stored = declared.split('"')[1]
        assert str(one(made, "any_value(typeof(value))")).startswith(stored.partition("TZ")[0].partition("(")[0])


def test_non_nullable_columns_have_no_null(tmp_path: Path) -> None:
    with make(declare(tmp_path, 'type = "DOUBLE", bounds = [0, 1], nullable = false')) as made:
        assert one(made, "count(*) - count(value) + count(*) - count(person_id)") == 0


def test_persons_are_numbered_and_every_row_is_one_of_theirs(tmp_path: Path) -> None:
    with make(declare(tmp_path)) as made:
        assert one(made, "count(DISTINCT person_id) = count(*)", "person") is True
        assert one(made, "count(*)", "person") == PERSONS
        strangers = "visit ANTI JOIN person USING (person_id) WHERE person_id IS NOT NULL"
        assert one(made, "count(*)", strangers) == 0
        assert one(made, "count(DISTINCT person_id)") > 0.99 * PERSONS
        most = "(SELECT count(*) AS n FROM visit GROUP BY person_id)"
        assert one(made, "max(n) > 20 * median(n)", most) is True, "a few have many"


def test_synthetic_consent_has_eligible_and_ineligible_states(tmp_path: Path) -> None:
    with make(declare(tmp_path)) as made:
        states = dict(made.execute("SELECT state, count(*) FROM person GROUP BY 1").fetchall())
        assert set(states) == {"yes", "perhaps", "made-up refusal"}
        assert 0.05 * PERSONS < states["made-up refusal"] < 0.2 * PERSONS


@pytest.mark.parametrize("admitted", ["[true]", "[false]", "[true, false]"])
def test_states_that_are_true_or_false(tmp_path: Path, admitted: str) -> None:
    declare(tmp_path)
    text = (tmp_path / "catalog.toml").read_text().replace('["yes", "perhaps"]', admitted)
    (tmp_path / "catalog.toml").write_text(text.replace('state = { type = "VARCHAR" }', 'state = { type = "BOOLEAN" }'))
    with make(load_catalog(tmp_path / "catalog.toml")) as made:
        states = dict(made.execute("SELECT state, count(*) FROM person GROUP BY 1").fetchall())
        assert len(states) == (3 if admitted == "[true, false]" else 2)
        assert states.get(admitted == "[true]", 0) > 0


def test_keys_name_one_row_and_foreign_keys_name_rows(tmp_path: Path) -> None:
    with make(declare(tmp_path)) as made:
        assert one(made, "count(DISTINCT visit_id) = count(*)") is True
        assert one(made, "count(*)", "purchase ANTI JOIN visit ON visit_no = visit_id") == 0
        assert one(made, "count(*)", "visit v LEFT JOIN shop s USING (shop_id) WHERE s.street <> v.street") == 0
        assert one(made, "list_sort(list(DISTINCT street) FILTER (street IS NOT NULL))") == ["Elm", "Oak"]


def test_rows_are_as_many_as_types_and_bounds_allow(tmp_path: Path) -> None:
    catalog = declare(tmp_path)
    counts = {table.name: row_count(catalog, table) for table in catalog.tables if table.private}
    assert counts == {"person": PERSONS, "visit": 32_767, "purchase": 3 * PERSONS}
    assert counts["visit"] < PERSONS * ROWS_PER_PERSON, "as many as a SMALLINT can number"
    with make(catalog) as made:
        assert {name: one(made, "count(*)", name) for name in counts} == counts


def test_rows_are_sorted_as_declared(tmp_path: Path) -> None:
    with make(declare(tmp_path)) as made:
        found = [person for (person,) in made.execute("SELECT person_id FROM visit").fetchall()]
    assert found == sorted(found)


@pytest.mark.parametrize("kind", ["TINYINT", "UTINYINT"])
def test_small_types_number_few_persons(tmp_path: Path, kind: str) -> None:
    declare(tmp_path)
    text = (tmp_path / "catalog.toml").read_text()
    (tmp_path / "catalog.toml").write_text(
        text.replace('person_id = { type = "VARCHAR"', f'person_id = {{ type = "{kind}"')
    )
    with make(load_catalog(tmp_path / "catalog.toml")) as made:
        assert one(made, "count(*) - count(person_id)", "person") == 0
        assert 100 < one(made, "count(DISTINCT person_id)", "person") < 256


def test_the_same_catalog_gives_the_same_rows(tmp_path: Path) -> None:
    catalog = declare(tmp_path, 'type = "DOUBLE"')
    digests = []
    for threads in (1, 4):
        with duckdb.connect(config={"threads": threads}) as made:
            made.execute(SHOP)
            for statement in synthetic_statements(catalog):
                made.execute(statement)
            digests.append(one(made, "bit_xor(hash(visit))"))
    assert digests[0] == digests[1]


def test_synthetic_rows_are_deterministic(tmp_path: Path) -> None:
    text = " ".join(synthetic_statements(declare(tmp_path, 'type = "VARCHAR"')))
    assert not [word for word in ("random", "uuid", "now(", "none.parquet", "hash(") if word in text]
