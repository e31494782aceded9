"""Time zones that a question may name are zones of the engine."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import available_timezones

import duckdb
import pytest

from dialect import Refusal, compile_query
from dialect.binder.special_calls import _is_zone
from dialect.functions.literals import clock_text
from engine.catalog.file import load_catalog


def test_every_zone_that_is_accepted_is_the_engines(database: duckdb.DuckDBPyConnection) -> None:
    accepted = [zone for zone in sorted(available_timezones()) if _is_zone(zone)]
    assert len(accepted) > 300
    for zone in accepted:
        database.execute(f"SELECT timezone('{zone}', TIMESTAMP '2026-10-14 12:00:00')").fetchall()


def test_a_time_zone_must_be_a_place() -> None:
    assert not any(
        map(_is_zone, ("", "Europe", "Europe/", "Europe/Nowhere", "localtime", "+02", "../etc/passwd", "Europe/../UTC"))
    )


def test_an_instant_is_read_on_the_clock_of_the_column() -> None:
    """A time that the clock shows twice, or never, is not one instant."""
    assert clock_text("2026-03-10 00:00:00.000Z", "Europe/Madrid") == "2026-03-10 01:00:00"
    assert clock_text("2026-07-10 00:00:00+02", "Europe/Madrid") == "2026-07-10 00:00:00"
    assert clock_text("2026-07-10", "Europe/Madrid") == "2026-07-10 00:00:00"
    twice, never = "2026-10-25 00:30:00+00", "2026-03-29 02:30:00"
    beyond = "0001-01-01 00:00:00+14", "9999-12-31 23:59:59-14"
    assert {clock_text(each, "Europe/Madrid") for each in (twice, never, *beyond, "noon", "2026-07-10 UTC")} == {None}


@pytest.mark.parametrize(
    "value", ["MIN(at_berlin)", "LAG(MAX(at_berlin)) OVER (PARTITION BY rider_id ORDER BY rider_id)"]
)
def test_an_instant_is_compared_with_an_aggregate_or_window_of_the_column(value: str) -> None:
    catalog = load_catalog(Path("tests/support/worlds/clocks.toml"))
    late = f"SELECT rider_id, {value} > TIMESTAMPTZ '2026-07-10 00:00:00+00' AS late FROM ride GROUP BY rider_id"
    (plan,) = compile_query(f"SELECT COUNT(*) FROM ({late}) WHERE late", catalog).plans
    assert "2026-07-10 02:00:00" in str(plan)


@pytest.mark.parametrize(
    "condition", ["at_berlin > TIMESTAMPTZ '2026-10-25 00:30:00+00'", "ride_id > TIMESTAMPTZ '2026-07-10 00:00:00+00'"]
)
def test_other_instants_are_refused_by_their_type(condition: str) -> None:
    catalog = load_catalog(Path("tests/support/worlds/clocks.toml"))
    with pytest.raises(Refusal, match="This type is not in the dialect"):
        compile_query(f"SELECT COUNT(*) FROM ride WHERE {condition}", catalog)


def test_a_clock_that_the_column_has_already_is_left_out() -> None:
    catalog = load_catalog(Path("tests/support/worlds/clocks.toml"))
    sql = "SELECT EXTRACT(HOUR FROM at_local AT TIME ZONE '{}') AS h, COUNT(*) FROM ride GROUP BY h"
    with pytest.raises(Refusal) as own:
        compile_query(sql.format("Europe/Berlin"), catalog)
    assert "Try: SELECT EXTRACT(HOUR FROM at_local) AS h, COUNT(*) FROM ride GROUP BY h" in str(own.value)
    with pytest.raises(Refusal) as other:
        compile_query(sql.format("Asia/Tokyo"), catalog)
    assert "Try: ts AT TIME ZONE 'UTC'" in str(other.value)
