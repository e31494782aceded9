"""Columns of found movement bear the names under which the steward declares norms; others stay what they are."""

from __future__ import annotations

from dialect.algebra.expressions import Origin, fields_of
from dialect.algebra.relations import PerPerson
from dialect.binder.query import Selected, kinds
from dialect.binder.table_functions import derived_columns
from dialect.catalog.model import MOVEMENT, Catalog, ValueList
from dialect.functions.scalar.places import COMPASS
from dialect.parser.context import Reading
from dialect.parser.parser import parse
from engine.catalog.bundled import find_catalog

OPERATOR = find_catalog("operator")


def rows(sql: str, catalog: Catalog = OPERATOR) -> Selected:
    return kinds(parse(sql), Reading(catalog, sql))


def test_columns_of_stays_are_those_of_the_tables_movement() -> None:
    made = rows("SELECT * FROM stays(event)")
    assert isinstance(made.relation, PerPerson)
    assert made.relation.derived == OPERATOR.table("event")
    origins = {name: field.origin for name, field in made.columns if not field.is_person}
    assert origins["dwell_min"] == Origin("event" + MOVEMENT, "dwell_min")
    assert all(origin == Origin("event" + MOVEMENT, name) for name, origin in origins.items())


def test_directions_are_listed() -> None:
    assert dict(rows("SELECT * FROM stays(event)").columns)["approach_dir"].domain == ValueList(COMPASS)


def test_the_person_stays_the_person() -> None:
    person = dict(rows("SELECT * FROM stays(event)").columns)["subscriber_id"]
    assert person.is_person and person.origin != Origin("event" + MOVEMENT, "subscriber_id")


def test_rows_of_no_declared_movement_are_left_alone() -> None:
    made = rows("SELECT subscriber_id, start_ts AS ts, zone_id FROM visit")
    for table in (None, OPERATOR.table("visit")):
        assert derived_columns(made.relation, made.columns, table) == (made.relation, made.columns)


def test_definitions_read_columns_as_they_are_called_now() -> None:
    event = OPERATOR.table("event")
    made = rows(
        "SELECT subscriber_id, dwell_min * 2 AS double, dwell_min FROM (SELECT *, dwell_min + 1 AS more FROM visit)"
    )
    relation, columns = derived_columns(made.relation, made.columns, event)
    assert {field.origin for name, field in columns if name != "subscriber_id"} == {
        Origin("event" + MOVEMENT, "double"),
        Origin("event" + MOVEMENT, "dwell_min"),
    }
    definition = dict(columns)["double"].definition
    assert definition is not None and set(fields_of(definition)) <= set(made.relation.fields)
    assert len(relation.fields) == len(made.relation.fields)
