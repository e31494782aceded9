"""Cells and polygons: one person moves no vector further than declared, wherever he is, and no stored place raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, UnexpectedChange, connect
from tests.support.greybox.greybox_data import VICTIM
from tests.support.greybox.greybox_places import SOURCES, Sight, databases, declare, make_worlds, open_worlds, questions

EXAMPLES = 18
derived, functions = import_module("engine.data.files.derived_columns"), import_module("dialect.functions.registry")
EVERYWHERE = tuple(
    Sight(person, lon, lat, kind, 1, 2)
    for person in (VICTIM, 9_000, 2)
    for kind, (lon, lat) in enumerate(
        [(repr(9 + person / 10_000), "50.1"), ("'inf'", "51"), ("10.5", "'nan'"), ("12.1", "50.2")]
    )
)
AREAS = f"SELECT a.area, COUNT(*) FROM {SOURCES[0].rows} GROUP BY a.area"
CELLS = "SELECT h3_parent(s.h3_8, 3) AS cell, COUNT(*) FROM sight s GROUP BY 1"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return declare()


@pytest.fixture(scope="module")
def connection(catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        open_worlds(opened, catalog)
        yield opened


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    box = GreyBox(connection, catalog)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], phases=[Phase.generate],
    )  # fmt: skip
    @given(databases(), questions())
    def check(sights: tuple[Sight, ...], sql: str) -> None:
        note(sql)
        make_worlds(connection, catalog, sights)
        box.check(sql)

    check()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.rows[:40])
def test_every_source_is_asked_where_people_are(
    source: Any, connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    make_worlds(connection, catalog, EVERYWHERE)
    for key in source.keys:
        GreyBox(connection, catalog).check(
            f"SELECT {key} AS k, {', '.join(source.values)} FROM {source.rows} GROUP BY 1"
        )


def _in_no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: any place is looked up in a strip, though an infinite one has no number."""
    form = functions.OVERLOADS["within_polygon#0"]
    start = form.duckdb.index("WHEN"), form.duckdb.index("THEN")
    bare = f"{form.duckdb[: start[0]]}WHEN {{0}} IS NOT NULL {form.duckdb[start[1] :]}"
    monkeypatch.setitem(functions.OVERLOADS, form.row_name, replace(form, duckdb=bare.replace("TRY_CAST", "CAST")))


def _cells_by_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number cells by where they stand among those of all people."""
    made = derived._create_cell_table

    def ranked(*given: Any) -> str:
        value = made(*given)
        return value if value.startswith("lower") else f"({value} + (dense_rank() OVER (ORDER BY {value}) << 45))"

    monkeypatch.setattr(derived, "_create_cell_table", ranked)


@pytest.mark.parametrize(
    ("plant", "sql"), [(_in_no_box, AREAS), (_cells_by_rank, CELLS)], ids=["a place in no box", "cells by rank"]
)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None],
    sql: str,
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_worlds(connection, catalog, EVERYWHERE)
    GreyBox(connection, catalog).check(sql)
    plant(monkeypatch)
    make_worlds(connection, catalog, EVERYWHERE)
    with pytest.raises((UnexpectedChange, SensitivityExceeded)):
        GreyBox(connection, catalog).check(sql)
