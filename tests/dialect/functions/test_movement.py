"""The text of each definition, run as it is in plain DuckDB, against the other way of finding the same (movement.sql)."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.functions import table_functions
from dialect.functions.table_functions import Sightings
from tests.support.sql.plain import MACROS, MOVEMENT

SEEN = Sightings("SELECT DISTINCT person, ts, zone_id, lon, lat FROM seen", "person", True)
STAYS = "person, zone_id, start_ts, end_ts, round(dwell_min, 9) AS m, events, round(lon, 9) AS x, round(lat, 9) AS y"
STAYS += ", prev_zone, next_zone, approach_dir, visit_date"
TRIPS = "person, o_zone, d_zone, dep_ts, arr_ts, round(minutes, 9) AS m, round(dist_km, 9) AS km, trip_date"
MINUTES = st.sampled_from((0, 0, 5, 14, 15, 16, 29, 30, 31, 60, 119, 120, 121, 240, 1_339, 1_439, 1_440, 2_880, 7_170))
PLACES = st.sampled_from((0, 0, 1, 2, 3))  # thousandths of a degree: about 110 metres each
ROWS = st.lists(
    st.tuples(st.integers(1, 2), MINUTES, st.integers(0, 90), st.integers(1, 3), PLACES, PLACES),
    min_size=1,
    max_size=14,
)
SETTINGS = st.fixed_dictionaries({
    "min_minutes": st.sampled_from((1, 15, 60)), "radius_m": st.sampled_from((None, 50, 150)),
    "max_gap_minutes": st.sampled_from((30, 120, 1_440)), "max_minutes": st.sampled_from((60, 1_440)), "max_km": st.just(200),
})  # fmt: skip


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        for file in (MACROS, MOVEMENT):
            connection.execute(file.read_text(encoding="utf-8"))
        connection.execute("CREATE TABLE seen (person INT, ts TIMESTAMP, zone_id INT, lon DOUBLE, lat DOUBLE)")
        yield connection


def fill(database: duckdb.DuckDBPyConnection, rows: list[tuple[int, int, int, int, int, int]]) -> None:
    """Store sightings: so many minutes behind a Thursday's evening, so many thousandths of a degree from a place."""
    values = ", ".join(
        f"({person}, TIMESTAMP '2026-10-01 21:45:00' + INTERVAL {minutes + more} MINUTE, {zone}, {east} / 1000, {north} / 1000)"
        for person, minutes, more, zone, east, north in rows
    )
    database.execute(f"TRUNCATE seen; INSERT INTO seen VALUES {values}")


def same(database: duckdb.DuckDBPyConnection, ours: str, plain: str) -> None:
    assert database.execute(f"{ours} ORDER BY ALL").fetchall() == database.execute(f"{plain} ORDER BY ALL").fetchall()


@given(rows=ROWS, settings=SETTINGS)
def test_stays_and_trips_are_found(
    rows: list[tuple[int, int, int, int, int, int]],
    settings: dict[str, int | None],
    database: duckdb.DuckDBPyConnection,
) -> None:
    fill(database, rows)
    names = ("min_minutes", "radius_m", "max_gap_minutes", "max_minutes")
    given_ = ", ".join("NULL" if settings[name] is None else str(settings[name]) for name in names)
    ours = table_functions.stays_sql(SEEN, settings), table_functions.trips_sql(SEEN, settings)
    same(database, f"SELECT {STAYS} FROM ({ours[0]})", f"SELECT {STAYS} FROM plain_stays('seen', {given_})")
    same(database, f"SELECT {TRIPS} FROM ({ours[1]})", f"SELECT {TRIPS} FROM plain_trips('seen', {given_})")


@given(rows=ROWS, days=st.integers(1, 3))
def test_homes_and_places_of_work_are_found(
    rows: list[tuple[int, int, int, int, int, int]], days: int, database: duckdb.DuckDBPyConnection
) -> None:
    fill(database, rows)
    home = table_functions.home_zone_sql(SEEN, {"min_nights": days, "from_hour": 22, "to_hour": 7})
    work = table_functions.work_zone_sql(SEEN, {"min_days": days, "from_hour": 9, "to_hour": 17})
    same(database, f"FROM ({home})", f"FROM plain_home('seen', {days})")
    same(database, f"FROM ({work})", f"FROM plain_work('seen', {days})")


def test_hours_may_go_over_midnight_or_not(database: duckdb.DuckDBPyConnection) -> None:
    fill(database, [(1, 0, 0, 1, 0, 0), (1, 240, 0, 2, 0, 0), (1, 300, 0, 2, 0, 0), (1, 1_440, 0, 1, 0, 0)])
    for hours, found in (((21, 22), [(1, 1, 2)]), ((22, 7), [(1, 2, 1)]), ((0, 0), [(1, 1, 2)]), ((3, 21), [])):
        settings = {"min_nights": 1, "from_hour": hours[0], "to_hour": hours[1]}
        assert database.execute(table_functions.home_zone_sql(SEEN, settings)).fetchall() == found
