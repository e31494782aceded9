"""Stays, trips, homes and workplaces move no exact vector further than declared, and reveal only noise."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest

from dialect import compile_query
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, UnexpectedChange, check_drawn, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, declared_as, make_worlds
from tests.support.greybox.greybox_movement import MOVEMENT, SEEN, STAYS
from tests.support.greybox.greybox_questions import questions
from tests.support.planted import written

EXAMPLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 12
movement = import_module("dialect.functions.table_functions")
Window = import_module("dialect.algebra.relations").Window
BY_ZONE = f"SELECT zone_id, COUNT(*) FROM {STAYS} GROUP BY 1"
LONG = Declared(rows=60.0, persons=9.0, max_rows=80, consent=False)


def test_one_persons_movement_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(MOVEMENT), EXAMPLES)


def sitting(person: str, begun: str, hours: int) -> Run:
    """A person seen every hour, each time in the next cell."""
    return Run(person, hours, hours, cell=0, ts=f"TIMESTAMP '2026-10-02 {begun}'")


CROWD = tuple(sitting(str(person), f"0{person}:{person}0:00", 4) for person in range(1, 6))
STAYING = Database((sitting(str(VICTIM), "03:33:00", 4), *CROWD), (), declared=LONG)
TOGETHER = tuple(
    Run(str(p), cell=2, ts=f"TIMESTAMP '2026-10-02 {h}:0{p}:00'") for p in range(1, 9) for h in ("08", "12")
)
PASSING = Run(str(VICTIM), cell=4, ts="TIMESTAMP '2026-10-02 10:00:00'")
SINGLE = Database((PASSING, *TOGETHER), (), declared=replace(LONG, rows=1.0, persons=1.0))


def over_everybody(sql: str) -> str:
    """Planted: windows run from one person's rows into the next one's."""
    return re.sub(r"OVER \(PARTITION BY \w+ ORDER BY", "OVER (ORDER BY", sql)


def test_an_island_that_runs_over_persons_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worlds(connection, SINGLE)
    grey_box = GreyBox(connection, declared_as(catalog, SINGLE.declared))
    grey_box.check(BY_ZONE)
    written(Window, over_everybody)(monkeypatch)
    with pytest.raises((SensitivityExceeded, UnexpectedChange)):
        grey_box.check(BY_ZONE)


def test_a_definition_that_runs_over_persons_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a table function is read by the analyst's rules, so a wrong one is no way around them."""
    monkeypatch.setattr(
        movement.Sightings, "time_window", property(lambda seen: f"(ORDER BY ts, zone_id{seen.place_columns})")
    )
    with pytest.raises(Refusal) as refused:
        compile_query(BY_ZONE, catalog)
    assert refused.value.code is Code.WINDOW
    assert refused.value.span is not None and BY_ZONE[refused.value.span.start :].startswith("stays(")


def test_more_stays_than_the_clip_bound_are_clipped(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    for rows in (1.0, 1.5):
        database = replace(STAYING, declared=replace(LONG, rows=rows, persons=1.0))
        check_on(connection, catalog, database, BY_ZONE)


def test_row_truncation_comes_before_counting_islands(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    database = replace(STAYING, declared=replace(LONG, max_rows=2))
    make_worlds(connection, database)
    declared = declared_as(catalog, database.declared)
    GreyBox(connection, declared).check(BY_ZONE)
    (plan,) = compile_query(f"SELECT COUNT(*) FROM {STAYS}", declared).plans
    assert plan.source.max_rows == 2


@pytest.mark.parametrize("seen_at", ["TIMESTAMP '2026-10-01 08:00:00'", "TIMESTAMP 'infinity'", "NULL"])
def test_simultaneous_sightings_are_ordered_by_their_values(
    seen_at: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    """Order of rows and threads decide nothing where all times are equal."""
    runs = tuple(
        Run(str(p), 9, cell=cell, ts=seen_at, lon=lon) for p in (VICTIM, 1, 2) for cell in (1, 3) for lon in LONS
    )
    database = Database((*runs, *CROWD), (), declared=LONG)
    make_worlds(connection, database)
    grey_box = GreyBox(connection, declared_as(catalog, LONG))
    for asked in ("zone_id, prev_zone, SUM(events)", "approach_dir, next_zone, SUM(LEAST(GREATEST(lon, -9), 9))"):
        grey_box.check(f"SELECT {asked} FROM stays({SEEN.format('')}, 1, 1e5) s GROUP BY 1, 2")
    grey_box.check(f"SELECT zone_id, nights, COUNT(*) FROM home_zone({SEEN.format('')}, 1, 0, 23) h GROUP BY 1, 2")


LONS = ("'1.5'", "'0.0'", "'nan'", "'1e308'", "NULL")
