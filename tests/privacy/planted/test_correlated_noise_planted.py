"""Every bug that is planted in correlated noise is found by neighbours; without it the same question passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.algebra.release_plan import QueryVector
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from engine.backends.duckdb import DuckDBBackend
from tests.support.greybox.greybox import DependsOnData, SensitivityExceeded, UnexpectedChange, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.neighbours.window_worlds import VICTIM as VISITOR
from tests.support.neighbours.window_worlds import Data, Row, Worlds
from tests.support.planted import Plant, instead, rewritten, together

render, zero_fill, correlated, partials, pricing = (
    import_module("dialect.codegen.bounded_sql"),
    import_module("dialect.codegen.contribution.physical_plan"),
    import_module("dialect.sensitivity.bounding"),
    import_module("dialect.codegen.partials"),
    import_module("engine.pricing.compile_release"),
)
ME = str(VICTIM)
BY_HOUR = "SELECT hour(ts), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"
BY_CELL = BY_HOUR.replace("hour(ts)", "cell_id")
PEOPLE = (Subscriber(VICTIM), Subscriber(1))
EVERY_HOUR = tuple(Run(ME, count=3, ts=f"TIMESTAMP '2026-10-01 {hour:02}:30:00'") for hour in range(24))
OFTEN = Database((*EVERY_HOUR, Run("1")), PEOPLE, declared=Declared(persons=9.0, max_rows=100))
ONCE = Database((Run(ME, cell=3), Run("1")), PEOPLE, declared=Declared(persons=9.0))


@dataclass(frozen=True)
class Planted:
    """A bug, and what finds it."""

    title: str
    plant: Plant
    sql: str
    database: Database
    found: type[AssertionError] = SensitivityExceeded

    def __str__(self) -> str:
        return self.title


def keys_with_rows(plan: Any, backend: DuckDBBackend) -> int:
    """Planted: only keys that somebody has are counted."""
    return backend.count(f"SELECT DISTINCT cell_id FROM {backend.target.addresses['events']}") + 4


def fewer_keys(plan: Any, backend: DuckDBBackend) -> int | None:
    """Planted: keys without rows are left out, whoever is there."""
    counted = count_keys(plan, backend)
    return counted and counted - 9


count_keys, bounded = pricing.count_keys, correlated.with_correlated_noise
BY_ROWS = together(
    instead(QueryVector, "is_selection_vector", property(lambda _: False)),
    instead(partials, "partial_aggregate", lambda *_: "count(*)"),
)


def half_as_sensitive(*given: Any) -> Any:
    made = bounded(*given)
    return replace(made, sensitivity=made.sensitivity // 2) if made.is_correlated else made


# fmt: off
PLANTED = (
    Planted("a number of units that counts nobody", rewritten(render, "_unit_count", lambda sql: f"SELECT 0 * units AS units FROM ({sql}) AS u"), BY_HOUR, OFTEN),
    Planted("units counted by their groups", rewritten(render, "_unit_count", lambda sql: sql.replace("DISTINCT ", "")), BY_HOUR, OFTEN),
    Planted("units counted without their admission", rewritten(render, "_unit_count", lambda sql: sql.replace(" JOIN admitted_persons USING (person)", "")), BY_HOUR, OFTEN, UnexpectedChange),
    Planted("half a person too little subtracted", rewritten(zero_fill, "clamped_to_bigint", lambda sql: sql.replace(" - (", " - 0 * (")), BY_HOUR, OFTEN),
    Planted("persons that count more than once in a group", BY_ROWS, BY_HOUR, OFTEN),
    Planted("a sensitivity of half the root", instead(import_module("dialect.sensitivity.bounding"), "with_correlated_noise", half_as_sensitive), BY_HOUR, OFTEN),
    Planted("only keys that somebody has", instead(pricing, "count_keys", keys_with_rows), BY_CELL, ONCE, DependsOnData),
    Planted("keys without rows left out", instead(pricing, "count_keys", fewer_keys), BY_HOUR, OFTEN),
)
# fmt: on


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(
    planted: Planted, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_on(connection, catalog, planted.database, planted.sql)
    planted.plant(monkeypatch)
    with pytest.raises(planted.found):
        check_on(connection, catalog, planted.database, planted.sql)


BY_PLACE = "SELECT place, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY 1"
TWICE = Data((*(Row(VISITOR, 0, place=place) for place in (1, 2, 3)), Row(VISITOR, 1, place=1), Row(1, 0)))


def test_a_person_counted_as_one_unit_over_several_windows_is_found(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one of the windows, the number of units stays and the centred vector moves by whole persons."""
    worlds = Worlds(connection, PrivacyWindow.MONTH, TWICE, persons=9.0)
    worlds.check(BY_PLACE)
    rewritten(render, "_unit_count", lambda sql: sql.replace("DISTINCT person, win", "DISTINCT person"))(monkeypatch)
    with pytest.raises(SensitivityExceeded):
        worlds.check(BY_PLACE)


def test_correlated_noise_where_windows_cross_is_found(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's greatest place moves from one group to another: two groups change, and the number of units does not."""
    crossing = "(SELECT person_id, max(place) AS place, min(steps) AS s FROM visit GROUP BY person_id) AS v"
    sql = f"SELECT v.place, COUNT(DISTINCT v.person_id) AS n FROM {crossing} GROUP BY 1"
    moving = Data((Row(VISITOR, 0, place=1), Row(VISITOR, 1, place=3), Row(1, 0)))
    worlds = Worlds(connection, PrivacyWindow.MONTH, moving, persons=9.0)
    worlds.check(sql)

    def anywhere(plan: Any, vector: Any, bound: Any, keys: Any) -> Any:
        apart = replace(plan, charged_windows=replace(plan.charged_windows, is_crossing=False))
        return bounded(apart, vector, replace(bound, sensitivity=9 * bound.sensitivity), keys)

    monkeypatch.setattr(import_module("dialect.sensitivity.bounding"), "with_correlated_noise", anywhere)
    with pytest.raises(SensitivityExceeded):
        worlds.check(sql)
