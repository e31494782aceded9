"""Aggregates refused over people have a reason, and a suggestion that is itself answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import AGGREGATES
from dialect.parser.suggestions import aggregates as aggregate_refusals
from tests.support.sql.refused import sql_of

SAID = {
    "BOOL_OR(age > 30)": "COUNT_IF(age > 30)",
    "BOOL_AND(age > 30)": "COUNT_IF(NOT (age > 30))",
    "ARG_MIN(home_zone, age)": "MIN(age)",
    "AVG(DISTINCT age)": "AVG(age)",
    "approx_quantile(age, 0.5)": "QUANTILE_CONT(age, 0.5)",
    "approx_count_distinct(age) FILTER (WHERE gender = 'f')": "COUNT(DISTINCT age)",
    "ENTROPY(age)": "AVG(age)",
    "KURTOSIS(age)": "AVG(age)",
    "COUNT_IF(age) FILTER (WHERE gender = 'f')": "COUNT_IF(age <> 0) FILTER (WHERE gender = 'f')",
    "BOOL_OR(age)": "COUNT(DISTINCT age)",
    "QUANTILE_CONT(age > 30, 0.5)": "QUANTILE_CONT(CAST(age > 30 AS INT), 0.5)",
}


@pytest.mark.parametrize(("aggregate", "instead"), SAID.items())
def test_a_refused_aggregate_suggests_a_query_that_is_answered(
    aggregate: str, instead: str, ask: Callable[[str], Question]
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(f"SELECT {aggregate} FROM subscribers")
    assert refused.value.code is Code.AGG
    assert sql_of(refused.value.hint) == f"SELECT {instead} FROM subscribers"
    assert ask(refused.value.hint).plans


KEYS = {
    "SELECT STRING_AGG(home_zone, ',' ORDER BY age) FROM subscribers": (
        "SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone"
    ),
    **dict.fromkeys(  # of text nothing is a number
        (
            "SELECT AVG(gender) FROM subscribers",
            "SELECT CORR(gender, age) FROM subscribers",
            "SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY gender DESC) FROM subscribers",
            "SELECT ARRAY_AGG(DISTINCT gender) FROM subscribers",
            "SELECT ENTROPY(gender) FROM subscribers",
            "SELECT APPROX_TOP_K(gender, 3) FROM subscribers",
        ),
        "SELECT gender, COUNT(*) FROM subscribers GROUP BY gender",
    ),
    "SELECT AVG(gender) FILTER (WHERE age > 30) FROM subscribers": (
        "SELECT COUNT(DISTINCT gender) FILTER (WHERE age > 30) FROM subscribers"
    ),
    "SELECT LIST(lat) FROM events": ("SELECT FLOOR(lat / 10) * 10, COUNT(*) FROM events GROUP BY FLOOR(lat / 10) * 10"),
    "SELECT ANY_VALUE(subscriber_id) FROM events": "SELECT COUNT(DISTINCT subscriber_id) FROM events",
    "SELECT MODE(home_zone) FROM subscribers": "SELECT home_zone, COUNT(*) FROM subscribers GROUP BY home_zone",
    "SELECT gender, ANY_VALUE(home_zone) AS z, COUNT(*) AS n FROM subscribers GROUP BY gender": (
        "SELECT gender, home_zone AS z, COUNT(*) AS n FROM subscribers GROUP BY gender, home_zone"
    ),
    "SELECT gender, LIST(home_zone) AS z FROM subscribers GROUP BY ALL": (
        "SELECT gender, home_zone AS z, COUNT(*) FROM subscribers GROUP BY ALL"
    ),
}


@pytest.mark.parametrize(("sql", "instead"), KEYS.items())
def test_a_value_of_a_column_becomes_a_key(sql: str, instead: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(sql)
    assert sql_of(refused.value.hint) == instead


def test_every_aggregate_unsupported_over_people_has_a_reason() -> None:
    silent = {
        name for name, each in AGGREGATES.items() if not each.is_releasable
    } - aggregate_refusals._SUGGESTIONS.keys()
    assert silent == {"count_if"}, "whose argument is a condition, or is refused as none"


def test_string_agg_of_distinct_values_suggests_a_distinct_count(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask("SELECT STRING_AGG(DISTINCT home_zone, ',') FROM subscribers")
    assert sql_of(refused.value.hint) == "SELECT COUNT(DISTINCT home_zone) FROM subscribers"
    assert ask(refused.value.hint).plans
