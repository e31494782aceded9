"""Correlated noise: one unit moves a centred vector and the number of units no further than declared, exactly.

The integers are those that noise is added to: the centred vectors of people per listed key, and the number of units.
"""

from __future__ import annotations

import os
from dataclasses import replace

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect import compile_query
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.errors import Refusal
from tests.support.greybox.greybox import GreyBox
from tests.support.greybox.greybox_data import Database, declared_as, make_worlds
from tests.support.greybox.greybox_questions import databases
from tests.support.neighbours.window_questions import data, fill_dates
from tests.support.neighbours.window_worlds import VICTIM, Data, Row, Worlds
from tests.support.statistics.drawn import maybe, some_of

EXAMPLES = 4_000 if os.environ.get("PASSERSBY_NIGHTLY") else 12
PERSONS = 9.0  # declared clip bound, more than the root of most numbers of keys here
PEOPLE = "COUNT(DISTINCT e.subscriber_id)"
NUMBERS = (PEOPLE, f"{PEOPLE} FILTER (WHERE e.steps > 0)", "COUNT(*)", "SUM(e.dwell_s)", "COUNT(DISTINCT e.steps)")
ROWS = (
    "events e",
    "events e JOIN subscribers s USING (subscriber_id)",
    "events e JOIN cells c USING (cell_id)",
    "cells c LEFT JOIN events e USING (cell_id)",
)
CONDITIONS = ("e.dwell_s < 700", "e.ts >= TIMESTAMP '2026-10-01'", "e.steps > 0", "hour(e.ts) < 9")


@st.composite
def people_by_key(draw: st.DrawFn) -> str:
    """Draw a question that counts people by listed keys, alone or with other numbers of the same release."""
    key = draw(st.sampled_from(("e.cell_id", "hour(e.ts)", "e.cell_id, hour(e.ts)")))
    rows, numbers = draw(st.sampled_from(ROWS)), draw(some_of(NUMBERS))
    if "LEFT" in rows:
        key, numbers = "c.cell_id", [each.replace("(*)", "(e.ts)") for each in numbers]
    where = "" if "LEFT" in rows else draw(maybe(CONDITIONS, " WHERE {}"))
    return f"SELECT {key}, {', '.join(dict.fromkeys((PEOPLE, *numbers)))} FROM {rows}{where} GROUP BY {key}"


def test_one_person_moves_centred_vectors_no_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    correlated: list[bool] = []

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(databases(), people_by_key())
    def holds(database: Database, sql: str) -> None:
        note(sql)
        declared = declared_as(catalog, replace(database.declared, persons=PERSONS))
        make_worlds(connection, database)
        box = GreyBox(connection, declared)
        try:
            box.check(sql)
        except Refusal:  # as a sum that the rows of a public LEFT JOIN would add to
            return
        (run,) = box.run(compile_query(sql, declared), "everybody", 1)
        correlated.append(bool(run.prepared.bounds.centred_vectors))

    holds()
    assert sum(correlated) > EXAMPLES / 2


BY_PLACE = "SELECT place, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY 1"
GREATEST = "SELECT person_id, max(place) AS place FROM visit GROUP BY person_id"
WINDOWED = (
    BY_PLACE,
    "SELECT hour(began), COUNT(DISTINCT person_id), COUNT(*) FROM visit GROUP BY 1",
    "SELECT place, COUNT(DISTINCT person_id) FILTER (WHERE steps > 1) FROM visit WHERE day >= DATE '{second}' GROUP BY 1",
)


@pytest.mark.parametrize("sql", WINDOWED)
def test_one_person_in_one_window_moves_them_no_further_than_declared(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> None:
    """A person in several windows counts once per group, and is one unit in each of them."""

    @settings(max_examples=-(-EXAMPLES // 5), suppress_health_check=list(HealthCheck))
    @given(data(), st.sampled_from((PrivacyWindow.MONTH, PrivacyWindow.DAY)))
    def holds(drawn: Data, window: PrivacyWindow) -> None:
        worlds, asked = Worlds(connection, window, drawn, persons=PERSONS), fill_dates(sql, window)
        (run,) = worlds.run(worlds.check(asked), "everybody")
        assert run.prepared.bounds.centred_vectors and run.prepared.plan.charged_windows.window_field is not None

    holds()


def test_noise_is_independent_where_one_window_may_move_more(connection: duckdb.DuckDBPyConnection) -> None:
    """Where windows cross, where a key separates them, and where the query limits groups."""
    worlds = Worlds(connection, PrivacyWindow.MONTH, Data((Row(VICTIM, 0),)), persons=PERSONS)
    for sql in (
        f"SELECT v.place, COUNT(DISTINCT v.person_id) FROM ({GREATEST}) AS v GROUP BY 1",
        "SELECT day, COUNT(DISTINCT person_id) FROM visit GROUP BY 1",
        BY_PLACE.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 2)", 1),
    ):
        runs = worlds.run(worlds.check(sql), "everybody")
        assert not any(run.prepared.bounds.centred_vectors for run in runs), sql
