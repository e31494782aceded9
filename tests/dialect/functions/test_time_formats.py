"""Formats of strftime that are accepted are the engine's, and have one value on each of their units of time."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.expressions import Literal
from dialect.analysis.time_granularity import truncate_time
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_literal
from dialect.functions.literals import add_units
from dialect.functions.scalar.time_formats import format_mistake, granularity_of_format

SIGNS = "aAbBcdfgGHIjmMnpSuUVwWxXyYzZQ%-"
FORMATS = st.lists(
    st.sampled_from([f"%{sign}" for sign in SIGNS] + ["%-d", "%-H", "%-Y", " ", ":", "ü", "%"]), max_size=5
)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
SHARES = st.integers(0, 999_999).map(lambda part: part / 1_000_000)  # of a unit that has gone by


def _shown(database: duckdb.DuckDBPyConnection, moment: datetime, form: str) -> str:
    text = quote_literal(Literal(form, SqlType.VARCHAR))
    ((shown,),) = database.execute(f"SELECT strftime(TIMESTAMP '{moment}', {text})").fetchall()
    return str(shown)


@given(moment=MOMENTS, share=SHARES, form=FORMATS.map("".join).filter(lambda form: format_mistake(form) is None))
def test_a_format_has_one_value_on_each_of_its_units(
    moment: datetime, share: float, form: str, database: duckdb.DuckDBPyConnection
) -> None:
    shown, unit = _shown(database, moment, form), granularity_of_format(form)
    if unit is not None:
        begin = truncate_time(unit, moment)
        within = begin + (add_units(begin, 1, unit) - begin) * share
        assert _shown(database, begin, form) == shown == _shown(database, within, form)


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("%Y-%m-%d", "day"),
        ("%H:%M", "minute"),
        ("%Y %H", "hour"),
        ("%c", "second"),
        ("%f", None),
        ("x", "day"),
        ("%%S", "day"),
    ],
)
def test_the_unit_of_a_format(form: str, unit: str | None) -> None:
    assert granularity_of_format(form) == unit


@pytest.mark.parametrize("form", ["", "%Q", "%", "%-Y", "100%", "%z"])
def test_other_formats_are_refused(form: str) -> None:
    assert format_mistake(form)
