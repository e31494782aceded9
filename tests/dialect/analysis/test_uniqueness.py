"""At most one match: by a whole primary key of the same types, or as a person's own row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlglot import exp

from dialect import compile_query
from dialect.algebra.expressions import TRUE, Expr, Field, Literal, Ref, conjunction
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson, Project, Relation
from dialect.algebra.release_plan import VectorKind
from dialect.analysis.uniqueness import equated_fields, has_at_most_one_row, matches_at_most_one_row
from dialect.catalog.model import Catalog, SqlType
from dialect.stability.typed_calls import apply_function

WHOLE, HALF = (Ref(Field(name, None, kind)) for name, kind in (("i", SqlType.BIGINT), ("x", SqlType.DOUBLE)))
AT_MOST_ONE = {
    "SELECT COUNT(*) FROM cells": True,
    "SELECT zone, COUNT(*) FROM cells GROUP BY zone": False,
    "SELECT h FROM hours WHERE h = 3": True,
    "SELECT h FROM hours WHERE h = 3 AND h > 1": True,
    "SELECT h FROM hours WHERE h = 3 OR h = 4": False,
    "SELECT h FROM hours WHERE h > 3": False,
    "SELECT zone FROM cells WHERE cell_id = 3": False,  # no primary key
    "SELECT h FROM hours ORDER BY h LIMIT 1": True,
    "SELECT h FROM hours ORDER BY h LIMIT 2": False,
    "SELECT a.n FROM (SELECT COUNT(*) AS n FROM cells) a, (SELECT MAX(h) AS m FROM hours) b": True,
    "SELECT a.n FROM (SELECT COUNT(*) AS n FROM cells) a, hours": False,
}


@pytest.fixture
def hours(rows_of: Callable[[str], BoundQuery]) -> Relation:
    """Read the public table whose primary key is h."""
    relation = rows_of("SELECT * FROM hours").relation
    return relation.operator.source if isinstance(relation.operator, Project) else relation


def equal(one: Expr, other: Expr) -> Expr:
    return apply_function("=", [one, other], exp.Null())


@pytest.mark.parametrize(("sql", "at_most"), AT_MOST_ONE.items())
def test_a_relation_has_provably_at_most_one_row_or_a_second_row(
    sql: str, at_most: bool, rows_of: Callable[[str], BoundQuery]
) -> None:
    assert has_at_most_one_row(rows_of(sql).relation, Properties()) is at_most


def test_a_unique_key_equal_to_an_outer_value_gives_one_row(hours: Relation) -> None:
    key = Ref(hours.fields[0])
    assert matches_at_most_one_row(hours, equal(key, WHOLE)) and matches_at_most_one_row(hours, equal(WHOLE, key))
    assert matches_at_most_one_row(hours, conjunction((equal(key, WHOLE), equal(HALF, HALF))))
    assert not matches_at_most_one_row(hours, TRUE)
    assert not matches_at_most_one_row(hours, equal(key, key))
    assert not matches_at_most_one_row(hours, apply_function(">=", [key, WHOLE], exp.Null()))


def test_two_integers_may_equal_one_double(hours: Relation) -> None:
    """2^53 and 2^53 + 1 do, so that a row with such a number may meet both."""
    key = Ref(hours.fields[0])
    assert not matches_at_most_one_row(hours, equal(key, HALF))
    assert not list(equated_fields(hours, equal(key, HALF)))


def test_is_not_distinct_from_counts_as_key_equality(hours: Relation) -> None:
    key = Ref(hours.fields[0])
    same = apply_function("is not distinct from", [key, Literal(3, SqlType.BIGINT)], exp.Null())
    assert not list(equated_fields(hours, same))
    assert [field for field, _ in equated_fields(hours, same, ("=", "is not distinct from"))] == [key.field]


def test_a_join_on_the_person_finds_their_single_row(rows_of: Callable[[str], BoundQuery]) -> None:
    subscribers, events = (rows_of(f"SELECT * FROM {name}").relation for name in ("subscribers", "events"))
    assert isinstance(subscribers, PerPerson) and isinstance(events, PerPerson)
    mine = equal(Ref(subscribers.person), Ref(events.person))
    assert matches_at_most_one_row(subscribers, mine) and not matches_at_most_one_row(events, mine)
    assert not matches_at_most_one_row(subscribers, equal(WHOLE, WHOLE))


KEYS_OF_ROWS = {
    "COUNT(DISTINCT cell_id) FROM events": VectorKind.ROWS,
    "COUNT(DISTINCT cell_id) FROM events WHERE cell_id > 3": VectorKind.ROWS,
    "COUNT(DISTINCT id) FROM (SELECT cell_id AS id, subscriber_id FROM events)": VectorKind.ROWS,
    "COUNT(DISTINCT cell_id) FROM events JOIN subscribers USING (subscriber_id)": VectorKind.ROWS,
    "COUNT(DISTINCT e.cell_id) FROM subscribers s LEFT JOIN events e USING (subscriber_id)": VectorKind.VALID,
    "COUNT(DISTINCT cell_id) FROM events JOIN hours ON h = hour(ts)": VectorKind.ROWS,
    "COUNT(DISTINCT e.cell_id) FROM events e JOIN cells c ON c.zone = 'C1'": VectorKind.DISTINCT,  # repeats rows
    "COUNT(DISTINCT e.cell_id) FROM events e JOIN events o USING (subscriber_id)": VectorKind.DISTINCT,
    "COUNT(DISTINCT e.cell_id) FROM events e JOIN events o USING (subscriber_id, cell_id)": VectorKind.ROWS,
    "COUNT(DISTINCT cell_id) FROM (SELECT * FROM events UNION ALL SELECT * FROM events)": VectorKind.DISTINCT,
    "COUNT(DISTINCT cell_id // 2) FROM events": VectorKind.DISTINCT,
    "COUNT(DISTINCT cell_id, contribution_bounds_per_group => (0, 7)) FROM events": VectorKind.DISTINCT,
    "COUNT(DISTINCT dwell_s) FROM events": VectorKind.DISTINCT,
}


@pytest.mark.parametrize(("text", "kind"), KEYS_OF_ROWS.items())
def test_different_keys_of_rows_are_counted_as_rows(text: str, kind: VectorKind, catalog: Catalog) -> None:
    tables = (replace(t, primary_key=("cell_id",)) if t.name == "events" else t for t in catalog.tables)
    (plan,) = compile_query(f"SELECT {text}", replace(catalog, tables=tuple(tables))).plans
    assert [vector.kind for vector in plan.vectors] == [kind]
