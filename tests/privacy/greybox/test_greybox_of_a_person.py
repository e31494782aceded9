"""Aggregates of one person's rows: none depends on anybody else, on the order of rows or on threads, and none raises."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import strategies as st

from dialect.catalog.model import Catalog
from dialect.functions.aggregate_forms import AggregateOperands
from tests.support.greybox.greybox import UnexpectedChange, check_drawn, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.planted import Plant, another_form
from tests.support.statistics.drawn import one_of_these

forms = import_module("dialect.functions.aggregate_forms")
EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20

# fmt: off
NUMBERS = ("MEDIAN({0})", "QUANTILE_CONT({0}, 0.3)", "QUANTILE_DISC({0}, 0.7)", "MODE({0})", "ANY_VALUE({0})", "FIRST({0} ORDER BY {1})", "LAST({0} ORDER BY {1} DESC NULLS FIRST)", "PRODUCT({0})", "SUM(DISTINCT {0})", "AVG(DISTINCT {0})", "STDDEV({0})", "CORR({0}, {1})", "ARG_MAX({0}, {1})")
WHOLE = ("BIT_AND({0})", "BIT_OR({0})", "BIT_XOR({0})", "LENGTH(LIST({0}))", "LENGTH(LIST(DISTINCT {0}))", "LENGTH(STRING_AGG(CAST({0} AS VARCHAR), ',' ORDER BY {1}))", "COUNT(DISTINCT ({0}, {1}))")
VALUES = ("lon", "dwell_s", "steps", "cell_id", "lon * dwell_s")
INTEGERS = ("steps", "cell_id")
# fmt: on


@st.composite
def questions(draw: st.DrawFn) -> str:
    """Draw a question about what each person's rows come to."""
    value, other = (draw(one_of_these(VALUES)) for _ in "12")
    number = st.sampled_from(NUMBERS).map(lambda text: text.format(value, other))
    whole = st.builds(str.format, st.sampled_from(WHOLE), st.sampled_from(INTEGERS), st.just(other))
    made = draw(number | whole)
    where = draw(st.sampled_from(("", "", " FILTER (WHERE steps > 3)")))
    keys = draw(st.sampled_from(("subscriber_id", "subscriber_id, cell_id")))
    filtered = f"{made[:-1]}{where})" if made.startswith("LENGTH") else f"{made}{where}"  # FILTER follows its aggregate
    inner = f"SELECT {keys}, {filtered} AS v FROM events GROUP BY {keys}"
    by = draw(st.sampled_from(("COUNT(*) FILTER (WHERE v > 5)", "SUM(LEAST(GREATEST(v, -9), 9))", "COUNT(DISTINCT v)")))
    return f"SELECT {by} FROM ({inner}) AS p"


def test_one_person_s_numbers_depend_on_that_person_s_rows_alone(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(), EXAMPLES)


PEOPLE = (Subscriber(VICTIM), *(Subscriber(person) for person in range(1, 60)))
TIED = Database(
    tuple(Run(str(p), 2, cell=c, dwell="'60'", steps=str(c)) for p in (VICTIM, *range(1, 60)) for c in (1, 2, 3)), PEOPLE, declared=Declared(rows=500.0, consent=False)
)  # fmt: skip
# only the rows of nobody have a NaN: the engine believes of a column without one that nothing made of it is one
ENDLESS = Database(
    (Run(str(VICTIM), 30, lon="'inf'"), Run(str(VICTIM), 30, lon="'-inf'"), Run("1", 2, lon="'1.5'"), Run("NULL", 2, lon="'nan'")),
    PEOPLE, declared=Declared(rows=500.0, consent=False),
)  # fmt: skip
A_PERSON = "SELECT COUNT(*) FROM (SELECT subscriber_id, {} AS v FROM events GROUP BY 1) AS p WHERE v = 1"


def by_the_order_alone(call: AggregateOperands) -> str:
    value, key = call.arguments
    return f"first({value} ORDER BY {key}){call.suffix}"


def without_a_sum(*given: Any) -> str:
    return str(formed(*given)).replace(" + CAST(0 AS DOUBLE)", "")


def test_a_belief_about_a_column_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NaN that nobody has in the column was taken for none: whether it was one hung on other people's rows."""
    monkeypatch.setattr(forms, "fill_form", without_a_sum)
    with pytest.raises(UnexpectedChange):
        test_a_value_beyond_all_numbers_is_no_others_business(NUMBERS[0], "v > 5, COUNT(*)", connection, catalog)


formed = forms.fill_form
PLANTED: tuple[tuple[str, Plant, str], ...] = (
    ("the most frequent value that comes first", another_form("mode({0})", "mode"), A_PERSON.format("MODE(steps)")),
    ("any value at all", another_form("any_value({0})", "any_value"), A_PERSON.format("ANY_VALUE(steps)")),
    (
        "ties of an order left open",
        another_form(by_the_order_alone, "first"),
        A_PERSON.format("FIRST(steps ORDER BY dwell_s)"),
    ),
)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("shown", ["v > 5, COUNT(*)", "v IS NULL, COUNT(*)", "v = v, COUNT(*)"])
def test_a_value_beyond_all_numbers_is_no_others_business(
    number: str, shown: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    inner = f"SELECT subscriber_id, {number.format('lon', 'dwell_s')} AS v FROM events GROUP BY 1"
    check_on(connection, catalog, ENDLESS, f"SELECT {shown} FROM ({inner}) AS p GROUP BY 1")


@pytest.mark.parametrize(("title", "planted", "sql"), PLANTED, ids=[each[0] for each in PLANTED])
def test_a_planted_bug_is_found(
    title: str, planted: Plant, sql: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    del title
    check_on(connection, catalog, TIED, sql)
    planted(monkeypatch)
    with pytest.raises(UnexpectedChange):
        check_on(connection, catalog, TIED, sql)
