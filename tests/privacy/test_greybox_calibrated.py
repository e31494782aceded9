"""Bounds that a calibration chose hold as declared ones do, and are the same whoever is in the data.

The calibration's own questions move by one person in one bin; planted bugs of each kind are found.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect import read
from dialect.catalog import Catalog
from dialect.private_plan import Rule, VectorBound
from engine.calibration import Calibration
from engine.calibration_questions import calibration_questions
from engine.prepare import Sized, prepare
from tests.support.calibrated import made_up
from tests.support.greybox import RHO, DependsOnData, GreyBox, SensitivityExceeded
from tests.support.greybox_data import VICTIM, Database, Declared, Run, Subscriber, declared_as, make_worlds
from tests.support.greybox_questions import EVENTS, OTHERS, databases, questions
from tests.support.planted import Plant, instead

bound, preparing, asking = map(import_module, ("dialect.bound", "engine.prepare", "engine.calibration_questions"))
EXAMPLES = 15
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
COUNTS = st.lists(st.integers(0, 400), min_size=1, max_size=12)
BY_CELL = "SELECT cell_id, COUNT(*) AS n, SUM(steps) AS s FROM events GROUP BY cell_id"
HEAVY = Database(
    (Run(str(VICTIM), 60, 3), Run("7", 5)), (Subscriber(VICTIM), Subscriber(7)), declared=Declared(rows=50.0)
)
MANY_OF_FEW_ROWS = (0, 0, 0, 900, 100)
CELLS = [("cell_id",)]


def check(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, database: Database, known: Calibration, sql: str
) -> GreyBox:
    make_worlds(connection, database)
    box = GreyBox(connection, declared_as(catalog, database.declared), known)
    box.check(sql)
    return box


def test_one_person_moves_no_vector_further_than_the_chosen_norm(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    chosen: list[bool] = []

    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
    @given(databases(), questions((*EVENTS, *OTHERS)), COUNTS, COUNTS)
    def holds(database: Database, sql: str, rows: list[int], groups: list[int]) -> None:
        note(sql)
        ran = check(connection, catalog, database, made_up(catalog, rows, groups), sql)
        everybody = ran.run(read(sql, ran._catalog), "everybody", 1)
        chosen.append(any(any(each.prepared.sized.aims) for each in everybody))

    holds()
    assert sum(chosen) > len(chosen) / 10


def test_one_person_moves_one_bin_by_one(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    asked, left_out = calibration_questions(catalog, catalog.datasets[0], "forever", CELLS)
    assert len(asked) > 8
    assert all(each.keys for each in left_out)  # of tables without cells

    @settings(max_examples=2, suppress_health_check=SLOW)
    @given(databases())
    def holds(database: Database) -> None:
        make_worlds(connection, database)
        box = GreyBox(connection, catalog)
        for each in asked:
            note(each.sql)
            box.check(each.sql)
            assert bins_of_a_person(box, each.sql) == 1

    holds()


def bins_of_a_person(box: GreyBox, sql: str) -> int | None:
    """Give how far a person moves a histogram by proof; None where they have to be cut for it."""
    (plan,) = read(sql, box._catalog).plans
    (vector,) = prepare(plan, box._catalog, box._backends["everybody"], RHO).bounds.vectors
    return vector.sensitivity if (vector.rule, vector.fraction_bits) == (Rule.WITHIN, 0) else None


def of_the_declared_norm(*given: Any) -> VectorBound:
    """Say of a chosen norm that it is a fourth of what it is."""
    made = cut(*given)
    return replace(made, sensitivity=made.sensitivity // 4)


def following_rows(plan: Any, catalog: Catalog, backend: Any, calibration: Calibration) -> Sized:
    """Let the choice follow how many rows there are."""
    made = sized(plan, catalog, backend, calibration)
    rows = backend.count(f"SELECT 1 AS one FROM {backend.target.addresses['events']}")
    aims = tuple(aim and replace(aim, groups=1e6 if rows > 20 else 1.0) for aim in made.aims)
    return replace(made, aims=aims)


cut, sized, written = bound._cut, preparing.sized, asking._sql


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (instead(bound, "_cut", of_the_declared_norm), SensitivityExceeded),
        (instead(preparing, "sized", following_rows), DependsOnData),
    ],
    ids=["less is said than chosen", "the choice follows the data"],
)
def test_planted_bugs_are_found(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    plant: Plant,
    found: type[AssertionError],
) -> None:
    known = made_up(catalog, MANY_OF_FEW_ROWS)
    check(connection, catalog, HEAVY, known, BY_CELL)
    plant(monkeypatch)
    with pytest.raises(found):
        check(connection, catalog, HEAVY, known, BY_CELL)


def test_a_histogram_of_groups_instead_of_people_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_groups(*given: Any) -> str:
        return (
            written(*given)
            .replace("SUM(v * v)", "MAX(v)")
            .replace("of_groups GROUP BY person", "of_groups GROUP BY person, v")
        )

    monkeypatch.setattr(asking, "_sql", of_groups)
    asked, _ = calibration_questions(catalog, catalog.datasets[0], "forever", CELLS)
    make_worlds(connection, HEAVY)
    box = GreyBox(connection, catalog)
    assert None in [bins_of_a_person(box, each.sql) for each in asked]
