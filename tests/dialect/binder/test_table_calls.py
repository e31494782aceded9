"""A call of a table function: the rows it is asked of, and its parameters by place and by name."""

from __future__ import annotations

from typing import Any

import pytest
from sqlglot import exp, parse_one

from dialect.binder.table_functions import TableFunctionCall, expand_table_function, parse_table_function
from dialect.errors import Code, Refusal
from dialect.functions.table_functions import Sightings

SEEN = Sightings("SELECT 1 AS person, ts, zone_id FROM seen", "person", False)


def called(written: str) -> TableFunctionCall:
    table = parse_one(f"SELECT * FROM {written}", dialect="duckdb").find(exp.Table)
    assert table is not None
    return parse_table_function(table)


@pytest.mark.parametrize(
    ("written", "settings"),
    [
        ("stays(event)", {}),
        ("STAYS(event, 20)", {"min_minutes": 20}),
        ("stays(event, 20, 150)", {"min_minutes": 20, "radius_m": 150}),
        ("stays(event, radius_m => 150)", {"radius_m": 150}),
        ("stays(event, 20, max_gap => INTERVAL 2 HOUR)", {"min_minutes": 20, "max_gap_minutes": 120}),
        ("stays(event, min_minutes => INTERVAL 1 HOUR)", {"min_minutes": 60}),
        ("stays(event, max_gap := 30)", {"max_gap_minutes": 30}),
    ],
)
def test_parameters_are_read_by_place_and_by_name(written: str, settings: dict[str, Any]) -> None:
    default = called("stays(event)").parameters
    assert called(written).parameters == {**default, **settings}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("stays(event)", exp.Table),
        ("stays((SELECT * FROM event))", exp.Subquery),
        ("stays(SELECT * FROM event)", exp.Subquery),
    ],
)
def test_the_argument_rows_are_those_of_the_same_from_clause(written: str, kind: type[exp.Expr]) -> None:
    assert isinstance(called(written).rows, kind)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("flights(event)", Code.TABLE),
        ("stays()", Code.TABLE),
        ("stays('event')", Code.TABLE),
        ("stays(event, 0)", Code.PARAM),
        ("stays(event, 1, min_minutes => 2)", Code.PARAM),
        ("stays(event, min_minutes => 2, 1)", Code.PARAM),
        ("stays(event, nights => 2)", Code.PARAM),
    ],
)
def test_other_calls_are_refused(written: str, code: Code) -> None:
    with pytest.raises(Refusal) as refused:
        called(written)
    assert refused.value.code is code


def test_a_radius_needs_places() -> None:
    assert expand_table_function(called("stays(event)"), SEEN)
    with pytest.raises(Refusal, match="radius_m needs places"):
        expand_table_function(called("stays(event, radius_m => 100)"), SEEN)


def test_expanded_definitions_have_no_span_in_the_query() -> None:
    assert not any(node.meta for node in expand_table_function(called("trips(event)"), SEEN).walk())
