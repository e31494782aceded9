"""Columns of found movement bear the names under which the steward declares norms; others stay what they are."""

from __future__ import annotations

from dialect.algebra.expressions import Origin, fields_of
from dialect.algebra.relations import BoundQuery, PerPerson
from dialect.binder.query import bind_query
from dialect.binder.table_functions import attach_movement_columns
from dialect.catalog.model import MOVEMENT_SUFFIX, Catalog, ValueList
from dialect.functions.scalar.geography import COMPASS
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from engine.catalog.bundled import find_catalog

OPERATOR = find_catalog("operator")


def rows(sql: str, catalog: Catalog = OPERATOR) -> BoundQuery:
    return bind_query(parse(sql), CompileContext(catalog, sql))


def test_columns_of_stays_are_those_of_the_tables_movement() -> None:
    made = rows("SELECT * FROM stays(event)")
    assert isinstance(made.relation, PerPerson)
    assert made.relation.derived_from == OPERATOR.tables_by_name.get("event")
    origins = {name: field.origin for name, field in made.columns if not field.is_person_key}
    assert origins["dwell_min"] == Origin("event" + MOVEMENT_SUFFIX, "dwell_min")
    assert all(origin == Origin("event" + MOVEMENT_SUFFIX, name) for name, origin in origins.items())


def test_directions_are_listed() -> None:
    assert dict(rows("SELECT * FROM stays(event)").columns)["approach_dir"].domain == ValueList(COMPASS)


def test_derived_columns_preserve_the_person_key() -> None:
    person = dict(rows("SELECT * FROM stays(event)").columns)["subscriber_id"]
    assert person.is_person_key and person.origin != Origin("event" + MOVEMENT_SUFFIX, "subscriber_id")


def test_tables_without_declared_movement_get_no_derived_columns() -> None:
    made = rows("SELECT subscriber_id, start_ts AS ts, zone_id FROM visit")
    for table in (None, OPERATOR.tables_by_name.get("visit")):
        assert attach_movement_columns(made, table) == made


def test_definitions_read_columns_as_they_are_called_now() -> None:
    event = OPERATOR.tables_by_name.get("event")
    made = rows(
        "SELECT subscriber_id, dwell_min * 2 AS double, dwell_min FROM (SELECT *, dwell_min + 1 AS more FROM visit)"
    )
    attached = attach_movement_columns(made, event)
    relation, columns = attached.relation, attached.columns
    assert {field.origin for name, field in columns if name != "subscriber_id"} == {
        Origin("event" + MOVEMENT_SUFFIX, "double"),
        Origin("event" + MOVEMENT_SUFFIX, "dwell_min"),
    }
    definition = dict(columns)["double"].definition
    assert definition is not None and set(fields_of(definition)) <= set(made.relation.fields)
    assert len(relation.fields) == len(made.relation.fields)
