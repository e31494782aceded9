"""Times are cut in Python as DuckDB cuts them."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.analysis.time_granularity import bucket_start, count_steps, truncate_time
from dialect.functions.literals import add_units
from dialect.functions.scalar.time import TIME_UNITS

MOMENTS = st.datetimes(min_value=datetime(1600, 1, 1), max_value=datetime(2400, 12, 31))
STEPS = (
    "1 day",
    "3 day",
    "7 day",
    "1 week",
    "90 minute",
    "1 second",
    "7 hour",
    "1 month",
    "5 month",
    "1 quarter",
    "3 year",
)


@pytest.mark.parametrize("unit", TIME_UNITS)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=50))
def test_truncated_times_are_duckdbs(unit: str, moments: list[datetime], database: duckdb.DuckDBPyConnection) -> None:
    rows = database.execute("SELECT date_trunc(?, unnest(?::TIMESTAMP[]))", [unit, moments]).fetchall()
    assert [truncate_time(unit, moment) for moment in moments] == [row[0] for row in rows]


@pytest.mark.parametrize("step", STEPS)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=50))
def test_bucketed_times_are_duckdbs(step: str, moments: list[datetime], database: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT time_bucket(INTERVAL '{step}', unnest(?::TIMESTAMP[]))"
    assert [bucket_start(step, moment) for moment in moments] == [
        row[0] for row in database.execute(sql, [moments]).fetchall()
    ]


@pytest.mark.parametrize("step", STEPS)
@given(first=MOMENTS, days=st.integers(-10, 400))
def test_the_number_of_steps(step: str, first: datetime, days: int, database: duckdb.DuckDBPyConnection) -> None:
    if step == "1 second":
        days = min(days, 1)
    start, end = bucket_start(step, first), bucket_start(step, first + timedelta(days=days))
    sql = f"SELECT count(*) FROM generate_series(?::TIMESTAMP, ?::TIMESTAMP, INTERVAL '{step}')"
    assert database.execute(sql, [start, end]).fetchall() == [(count_steps(step, start, end),)]


@given(moment=MOMENTS, amount=st.integers(-400, 400), unit=st.sampled_from(TIME_UNITS))
def test_shifted_times_are_duckdbs(
    moment: datetime, amount: int, unit: str, database: duckdb.DuckDBPyConnection
) -> None:
    moved = database.execute(f"SELECT ?::TIMESTAMP + INTERVAL '{amount} {unit}'", [moment]).fetchall()
    assert moved == [(add_units(moment, amount, unit),)]
