"""What is known of an expression without any row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.expressions import Ref, expand_definitions
from dialect.algebra.relations import BoundQuery
from dialect.functions.registry import MAX_DEFINITION, is_null_if_inputs_null, may_be_null

Rows = Callable[[str], BoundQuery]

# over subscriber_id and h, never NULL, and lat and ts, which may be
NULLABLE = {
    "h": False,
    "lat": True,
    "h + 1": True,  # may leave 64 bits
    "h / 0": False,  # infinite, and not NULL
    "h // 2": True,
    "h > 5": False,
    "lat > 5": True,
    "lat IS NULL": False,
    "coalesce(lat, h)": False,
    "coalesce(lat, ts IS NULL)": None,
    "least(lat, h)": False,
    "CASE WHEN lat > 1 THEN h END": True,
    "CASE WHEN lat > 1 THEN h ELSE 0 END": False,
    "concat(gender, 'x')": False,
    "gender || 'x'": True,
    "h::DOUBLE": False,
    "h::SMALLINT": True,
    "nullif(h, 5)": True,
    "h IN (1, 2)": False,
    "lat IS NOT DISTINCT FROM 5": False,
}
VANISHES = {
    "lat": True,
    "lat + 1": True,
    "hour(ts)": True,
    "coalesce(lat, lon)": True,
    "coalesce(lat, 0)": False,
    "CASE WHEN lat > 1 THEN lon END": True,
    "CASE WHEN lat > 1 THEN 'a' END": False,
    "lat IS NULL": False,
    "lat > 1 AND lon > 1": True,
    "lat > 1 AND FALSE": False,
    "lat > 1 OR lon > 1": True,
    "concat(gender, 'x')": False,
    "gender || 'x'": True,
    "nullif(1, lat)": False,
    "5": False,
    "NULL": True,
}
ROWS = "(SELECT e.subscriber_id, e.lat, e.lon, e.ts, h.h, s.gender FROM events e CROSS JOIN hours h JOIN subscribers s USING (subscriber_id))"


@pytest.mark.parametrize("text", [text for text, known in NULLABLE.items() if known is not None])
def test_nullability_of_an_expression(text: str, rows_of: Rows) -> None:
    assert rows_of(f"SELECT {text} AS x FROM {ROWS}").columns[0][1].nullable is NULLABLE[text]


@pytest.mark.parametrize("text", VANISHES)
def test_null_propagation_of_an_expression(text: str, rows_of: Rows) -> None:
    expr = expand_definitions(Ref(rows_of(f"SELECT {text} AS x FROM {ROWS}").columns[0][1]))
    assert is_null_if_inputs_null(expr) is VANISHES[text]


def test_times_beyond_all_calendars_make_no_key(rows_of: Rows) -> None:
    field = rows_of("SELECT hour(t) AS x FROM (SELECT TIMESTAMP '2026-10-14' AS t, h FROM hours)").columns[0][1]
    assert field.definition is not None
    assert may_be_null(field.definition) and not may_be_null(field.definition, include_far=False)


def test_a_long_definition_is_opaque(rows_of: Rows) -> None:
    short = rows_of(f"SELECT {'lat + ' * 40} 1 AS x FROM events").columns[0][1]
    assert short.definition is not None and short.definition.size <= MAX_DEFINITION
    assert rows_of(f"SELECT {'lat + ' * 110} 1 AS x FROM events").columns[0][1].definition is None
    doubled = "SELECT lat AS x FROM events"
    for _ in range(12):
        doubled = f"SELECT x * x AS x FROM ({doubled})"
        found = rows_of(doubled).columns[0][1].definition
        assert found is None or found.size <= MAX_DEFINITION
