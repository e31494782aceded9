"""Tables are read as declared: hidden columns stay hidden, persons are found, also through other tables."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import PerPerson
from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog, SqlType
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from engine.catalog.file import load_catalog

CATALOG = """
format = 1
name = "chain"
[datasets.chain]
window = "forever"
[tables.vehicle]
dataset = "chain"
kind = "private"
source = { duckdb = "d.duckdb", table = "vehicle" }
person = "owner"
primary_key = ["vehicle_id"]
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.vehicle.columns]
vehicle_id = { type = "BIGINT", nullable = false }
owner = { type = "VARCHAR", visible = false }
[tables.trip]
dataset = "chain"
kind = "private"
source = { duckdb = "d.duckdb", table = "trip" }
person = { through = ["vehicle_id -> vehicle"], column = "owner" }
primary_key = ["trip_id"]
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.trip.columns]
trip_id = { type = "BIGINT", nullable = false }
vehicle_id = { type = "BIGINT", visible = false }
km = { type = "DECIMAL(6,2)", bounds = [0, 99] }
[tables.leg]
dataset = "chain"
kind = "private"
source = { duckdb = "d.duckdb", table = "leg" }
person = { through = ["trip_id -> trip", "vehicle_id -> vehicle"], column = "owner" }
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.leg.columns]
trip_id = { type = "BIGINT" }
vehicle_id = { type = "BIGINT" }
secret = { type = "BIGINT", visible = false }
speed = { type = "FLOAT", bounds = [0, 50] }
at = { type = "TIMESTAMP_S" }
[tables.other]
dataset = "other"
kind = "private"
source = { duckdb = "e.duckdb", table = "other" }
person = "owner"
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.other.columns]
owner = { type = "VARCHAR" }
[datasets.other]
window = "forever"
"""
ROWS = """
CREATE TABLE vehicle AS SELECT * FROM (VALUES (1, 'ann'), (2, 'bob'), (3, NULL), (4, 'ann')) t(vehicle_id, owner);
CREATE TABLE trip AS SELECT i AS trip_id, i % 5 + 1 AS vehicle_id, (i * 1.5)::DECIMAL(6,2) AS km FROM range(10) t(i);
-- a leg's own vehicle_id is another thing than its trip's
CREATE TABLE leg AS SELECT i % 12 AS trip_id, 2 AS vehicle_id, 7 AS secret, i::FLOAT AS speed,
  TIMESTAMP_S '2026-10-01 00:00:00' AS at FROM range(40) t(i);
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("chain")
    (folder / "catalog.toml").write_text(CATALOG)
    return load_catalog(folder / "catalog.toml")


@pytest.fixture
def rows() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(ROWS)
    return connection


TARGET = Target({"vehicle": "vehicle", "trip": "trip", "leg": "leg", "other": "vehicle"})


def _persons(sql: str, chain: Catalog, rows: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    relation = bind_query(parse(sql), CompileContext(chain, sql)).relation
    assert isinstance(relation, PerPerson)
    text = write_rows(relation, [relation.person], TARGET)
    return rows.execute(f"SELECT {relation.person.id}, count(*) FROM ({text}) GROUP BY 1 ORDER BY 1").fetchall()


def test_a_person_through_one_table_and_through_two(chain: Catalog, rows: duckdb.DuckDBPyConnection) -> None:
    truth = "SELECT owner, count(*) FROM {} JOIN vehicle v ON v.vehicle_id = t.vehicle_id WHERE owner IS NOT NULL GROUP BY 1 ORDER BY 1"
    assert _persons("SELECT km FROM trip", chain, rows) == rows.execute(truth.format("trip t")).fetchall()
    legs = truth.format("leg l JOIN trip t ON t.trip_id = l.trip_id")
    assert _persons("SELECT speed FROM leg", chain, rows) == rows.execute(legs).fetchall()
    assert _persons("SELECT 1 FROM vehicle", chain, rows) == [("ann", 2), ("bob", 1)]


def test_a_person_in_another_table_can_be_counted_and_nothing_else(chain: Catalog) -> None:
    """Where that table shows it, and the name is free; it is a person key like any other."""
    tables = tuple(
        replace(t, columns=tuple(replace(c, visible=True) for c in t.columns)) if t.name == "vehicle" else t
        for t in chain.tables
    )
    shown = replace(chain, tables=tables)
    (plan,) = dialect.compile_query("SELECT COUNT(DISTINCT owner) FROM leg", shown).plans
    assert [(str(vector.kind), vector.value) for vector in plan.vectors] == [("persons", None)]
    for sql, code in (
        ("SELECT owner, COUNT(*) FROM leg GROUP BY owner", Code.ROWS),
        ("SELECT COUNT(*) FROM leg WHERE owner = 'ann'", Code.PERSON_KEY),
        ("SELECT COUNT(upper(owner)) FROM leg", Code.PERSON_KEY),
    ):
        with pytest.raises(Refusal) as caught:
            dialect.compile_query(sql, shown)
        assert caught.value.code is code
    own = tuple(replace(t, columns=(*t.columns, tables[0].columns[1])) if t.name == "leg" else t for t in tables)
    (plan,) = dialect.compile_query("SELECT COUNT(owner) FROM leg", replace(chain, tables=own)).plans
    assert [str(vector.kind) for vector in plan.vectors] == ["valid"]  # a column of its own stands for itself
    assert "valid(leg#1.owner)" in plan.canonical_text


def test_hidden_columns_are_carried_and_not_named(chain: Catalog) -> None:
    for sql in (
        "SELECT secret FROM leg",
        "SELECT vehicle_id FROM trip",
        "SELECT owner FROM leg",
        "SELECT owner FROM vehicle",
    ):
        with pytest.raises(Refusal) as caught:
            dialect.compile_query(sql, chain)
        assert caught.value.code is Code.COLUMN
        assert "owner" not in caught.value.hint
    (plan,) = dialect.compile_query("SELECT COUNT(*), SUM(km) FROM trip", chain).plans
    assert plan.tables == ("trip", "vehicle")


def test_joining_persons_of_two_datasets_is_refused(chain: Catalog) -> None:
    with pytest.raises(Refusal, match="two datasets") as caught:
        dialect.compile_query(
            "SELECT COUNT(*) FROM other a JOIN (SELECT owner FROM other) b USING (owner) JOIN vehicle v ON TRUE", chain
        )
    assert caught.value.code is Code.JOIN


def test_stored_types_are_mapped_to_dialect_types(chain: Catalog, rows: duckdb.DuckDBPyConnection) -> None:
    for sql, kind in (("SELECT km AS x FROM trip", SqlType.DOUBLE), ("SELECT speed AS x FROM leg", SqlType.DOUBLE),
                      ("SELECT at AS x FROM leg", SqlType.TIMESTAMP)):  # fmt: skip
        selected = bind_query(parse(sql), CompileContext(chain, sql))
        ((_, field),) = selected.columns
        text = write_rows(selected.relation, [field], TARGET)
        assert field.type is kind
        assert rows.execute(f"SELECT DISTINCT typeof({field.id}) FROM ({text})").fetchall() == [(kind.value,)]
