"""Who was where and when: columns are known by what they are called, else by where they come from."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dialect.binder.query import bind_query
from dialect.binder.table_functions import build_sightings
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from dialect.functions.table_functions import Sightings
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from engine.catalog.bundled import find_catalog


@pytest.fixture(scope="module")
def operator() -> Catalog:
    return find_catalog("operator")


def seen(sql: str, catalog: Catalog) -> Sightings:
    selected = bind_query(parse(sql), CompileContext(catalog, sql))
    return build_sightings(selected.relation, selected.columns, catalog, exp.to_table("event"))


def test_a_declared_table_provides_its_time_and_place_columns(operator: Catalog) -> None:
    made = seen("SELECT * FROM event", operator)
    assert made.table is not None and made.table.name == "event"
    assert made.has_places
    assert 'JOIN "cell" AS p ON p."cell_id" = r."cell_id"' in made.sql  # zones are looked up


def test_renamed_columns_are_known_by_where_they_come_from(operator: Catalog) -> None:
    made = seen("SELECT subscriber_id AS who, ts AS moment, cell_id AS antenna FROM event", operator)
    assert 'r."who" AS person' in made.sql and 'r."moment" AS ts' in made.sql
    assert 'p."cell_id" = r."antenna"' in made.sql


def test_columns_named_as_they_must_be_need_no_declaration(operator: Catalog) -> None:
    made = seen("SELECT subscriber_id, start_ts AS ts, zone_id FROM visit", operator)
    assert made.table is None and not made.has_places
    assert " JOIN " not in made.sql
    assert 'r."ts" IS NOT NULL AND r."zone_id" IS NOT NULL' in made.sql


def test_places_are_both_degrees_or_none(operator: Catalog) -> None:
    rows = "SELECT subscriber_id, start_ts AS ts, v.zone_id, p.lon{} FROM visit v JOIN place p USING (place_id)"
    assert seen(rows.format(", p.lat"), operator).has_places
    assert not seen(rows.format(""), operator).has_places


@pytest.mark.parametrize(
    ("sql", "code", "why"),
    [
        ("SELECT * FROM cell", Code.TABLE, "these are none"),
        ("SELECT ts, cell_id FROM event", Code.PERSON_KEY, "whose they are"),
        ("SELECT subscriber_id, zone_id FROM visit", Code.TABLE, "not known when"),
        ("SELECT subscriber_id, start_ts AS ts FROM visit", Code.TABLE, "not known where"),
        ("SELECT subscriber_id FROM subscriber", Code.TABLE, "when and where"),
        ("SELECT subscriber_id, visit_date AS ts, zone_id FROM visit", Code.TABLE, "ts is DATE"),
        ("SELECT subscriber_id, start_ts AS ts, dwell_min AS zone_id FROM visit", Code.TABLE, "does not name zones"),
        ("SELECT subscriber_id, start_ts AS ts, zone_id, place_id AS lon FROM visit", Code.TABLE, "has no degrees"),
        ("SELECT subscriber_id, ts, ts AS again FROM event", Code.TABLE, "not known where"),
    ],
)
def test_inputs_that_are_no_sightings_are_refused(sql: str, code: Code, why: str, operator: Catalog) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        seen(sql, operator)
    assert refused.value.code is code
