"""Squares about a measured centre near 0: rounded before they are moved, they may be negative, and count as signed."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from budgets import Ledger
from engine.mechanism.gaussian import NoisyVector
from engine.pipeline import engine as pipeline
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.profiles import average_design, averages, unit_means
from engine.pricing.profiled_release import ProfiledRelease, profiled_release
from engine.pricing.query_terms import Request
from tests.engine.town import ROWS, backend_over, make_town
from tests.engine.windowed_town import WINDOWED
from tests.support.without_norms import without_norms

PEOPLE = 4_000
CROSSING = (
    "SELECT VAR_POP(minutes) AS v FROM visit"
    " WHERE person_id IN (SELECT person_id FROM visit WHERE day = DATE '2026-10-02')"
)


def make_world(folder: Path, people: int, value: float, rows: int) -> Any:
    """Visits of some people, all with one value, on a range of 0 to 1e-5."""
    folder.mkdir()
    made = f"""
    CREATE OR REPLACE TABLE person AS SELECT i AS person_id, 'f' AS gender, 'yes' AS consent
           FROM range(1, {PEOPLE + 1}) AS t(i);
    CREATE OR REPLACE TABLE visit AS SELECT 1 + i % {people} AS person_id, i AS visit_id, 'z1' AS zone,
           CAST({value!r} AS DOUBLE) AS minutes, 'shop' AS shop, 1 AS coins,
           DATE '2026-10-01' + CAST(i // {people} % 4 AS INTEGER) AS day FROM range(0, {rows}) AS t(i);
    """
    catalog = make_town(folder, ROWS + made, without_norms(WINDOWED).replace("60", "1e-5"))
    return catalog, backend_over(catalog, folder)


def record(found: list[ProfiledRelease], made: ProfiledRelease) -> ProfiledRelease:
    """Append a release to a list and return it."""
    found.append(made)
    return made


def most_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Return the difference between two people's numbers, near the centre and far from it, and the sensitivity.

    Means are read in few bins, and the noise of the count does not matter: then the clip bound of the squares decides.
    """
    catalog, backend = make_world(folder / "all", PEOPLE, 2e-9, 20 * PEOPLE)
    found: list[ProfiledRelease] = []
    with closing(backend), Ledger.open(":memory:") as ledger, monkeypatch.context() as patched:
        patched.setattr(unit_means, "is_narrow", lambda vector: True)
        patched.setattr(average_design, "COUNT_NOISE", 1e9)
        patched.setattr(average_design, "HIDDEN_CHOICE", 1.0)
        patched.setattr(
            pipeline, "profiled_release", lambda *given, **named: record(found, profiled_release(*given, **named))
        )
        engine = Engine(catalog, backend, ledger, lambda exact, *_: NoisyVector(exact))
        engine.answer(CROSSING, Request("ann", rho=Fraction("0.05")))
    (profiled,) = found
    vectors = profiled.release.plan.vectors
    (place,) = (i for i, vector in enumerate(vectors) if vector.factor is not None)
    numbers, centre = [], profiled.choice.averages[0].group.averages[0].centre
    for i, (value, rows) in enumerate(((centre + 10 * 2.0**-46, 20), (1e-5, 2_000))):
        _, alone = make_world(folder / str(i), 1, value, rows)
        with closing(alone):
            numbers.append(int(alone.run(profiled.release.sql).vectors[place][0]))
    return abs(numbers[1] - numbers[0]), profiled.release.bounds.vectors[place].sensitivity


def test_a_person_that_stands_for_another_moves_squares_by_their_sensitivity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, sensitivity = most_apart(tmp_path, monkeypatch)
    assert 0.1 * sensitivity < moved <= sensitivity


def test_planted_squares_about_zero_without_sign_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing subtracted: the sensitivity is that of numbers that are never negative."""
    real = averages._centre
    monkeypatch.setattr(
        averages, "_centre", lambda profile, vector, finest: 0.0 if vector.factor else real(profile, vector, finest)
    )
    moved, sensitivity = most_apart(tmp_path, monkeypatch)
    assert moved > sensitivity
