"""Which privacy windows a release is charged to: those it reads, and those its inputs were computed from."""

from __future__ import annotations

import math

import pytest

from dialect import bound_contributions, compile_query
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.notes import Note, NoteCode
from tests.dialect.windowed import CATALOGS, touched

# question -> windows; `home` was computed from 2026-02
CHARGED = {
    "SELECT COUNT(*) FROM person": ("static",),
    "SELECT home, COUNT(*) FROM person GROUP BY 1": ("2026-02", "static"),
    "SELECT COUNT(*) FROM person WHERE home = 'a'": ("2026-02", "static"),
    "SELECT COUNT(*) FILTER (WHERE home = 'a') FROM person": ("2026-02", "static"),
    "SELECT COUNT(*) FROM (SELECT person_id, zone, home FROM person)": ("static",),
    "SELECT COUNT(*) FROM visit JOIN person USING (person_id) WHERE day < '2026-01-03' AND zone = 'a'": ("2026-01",),
    "SELECT COUNT(*) FROM visit JOIN person USING (person_id) WHERE day < '2026-01-03' AND home = 'a'": ("2026-01", "2026-02"),
    "SELECT COUNT(*) FROM visit JOIN person p ON visit.person_id = p.person_id AND p.home = 'a' WHERE day < '2026-01-03'": ("2026-01", "2026-02"),
    "SELECT COUNT(*) FROM visit WHERE day < '2026-01-03' AND person_id IN (SELECT person_id FROM person WHERE home = 'a')": ("2026-01", "2026-02"),
    "SELECT COUNT(DISTINCT home) FROM person": ("2026-02", "static"),
    "SELECT COUNT(*) FROM person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.day < '2026-01-03'": ("2026-01", "static"),
    "SELECT zone, COUNT(*) FROM person WHERE person_id NOT IN (SELECT person_id FROM visit WHERE day < '2026-01-03' AND person_id IS NOT NULL) GROUP BY 1": ("2026-01", "static"),
    "SELECT COUNT(*) FROM (SELECT person_id FROM person UNION SELECT person_id FROM visit WHERE day < '2026-01-03')": ("2026-01", "static"),
    "SELECT COUNT(*) FROM (SELECT person_id FROM person INTERSECT SELECT person_id FROM visit WHERE day < '2026-01-03')": ("2026-01",),
    "SELECT COUNT(*) FROM (SELECT person_id FROM visit WHERE day < '2026-01-03' EXCEPT SELECT person_id FROM person)": ("2026-01",),
    "SELECT zone, COUNT(*) FROM person WHERE person_id IN (SELECT person_id FROM visit WHERE day < '2026-01-03') GROUP BY 1": ("2026-01",),
    "SELECT EXISTS (SELECT 1 FROM visit v WHERE v.person_id = p.person_id AND v.day < '2026-01-03') AS e, COUNT(*) FROM person p GROUP BY 1": ("2026-01", "static"),
    "SELECT COUNT(*) FROM (SELECT DISTINCT person_id, home FROM person)": ("2026-02", "static"),
}  # fmt: skip


@pytest.mark.parametrize("sql", CHARGED)
def test_the_charged_privacy_windows_of_a_query(sql: str) -> None:
    found = touched(sql)
    assert found.windows == CHARGED[sql]
    assert found.is_crossing == (len(found.windows) > 1)


OUTSIDE = Note(
    NoteCode.OUTSIDE_WINDOWS,
    "visit: no row of the declared windows, 2026-01 to 2026-04, can match: 2026-01 is charged for nothing.",
)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("day > '2026-05-03'", True),
        ("day < '2026-02-01' AND month(day) = 3", True),
        ("day > '2026-04-29'", False),
        ("place = 7", False),
    ],
)
def test_a_query_outside_all_declared_privacy_windows_has_a_note(condition: str, told: bool) -> None:
    question = compile_query(f"SELECT COUNT(*) FROM visit WHERE {condition}", CATALOGS[PrivacyWindow.MONTH])
    assert (OUTSIDE in question.notes) is told
    assert not told or question.plans[0].charged_windows.windows == ("2026-01",)


def test_a_derived_column_of_its_own_window_does_not_cross() -> None:
    found = touched("SELECT home, COUNT(*) FROM visit JOIN person USING (person_id) WHERE month(day) = 2 GROUP BY 1")
    assert (found.windows, found.is_crossing, found.derived_windows) == (("2026-02",), False, ("2026-02",))


def test_each_release_of_a_question_has_its_own_windows() -> None:
    one, other = compile_query(
        "SELECT (SELECT COUNT(*) FROM visit WHERE day < '2026-01-03') - (SELECT COUNT(*) FROM visit WHERE day > '2026-04-03')",
        CATALOGS[PrivacyWindow.MONTH],
    ).plans
    assert {one.charged_windows.windows, other.charged_windows.windows} == {("2026-01",), ("2026-04",)}


def test_crossing_windows_use_the_sensitivity_under_replacement() -> None:
    catalog = CATALOGS[PrivacyWindow.MONTH]
    crossing = "(SELECT person_id, max(place) AS place, max(steps) AS steps FROM visit GROUP BY 1)"
    single = f"{crossing[:-12]} WHERE day < '2026-02-01' GROUP BY 1)"
    for aggregate, times in (("COUNT(*)", math.sqrt(2)), ("SUM(steps)", 2), ("SUM(abs(steps))", math.sqrt(2))):
        wide, narrow = (
            bound_contributions(
                compile_query(f"SELECT place, {aggregate} FROM {rows} GROUP BY 1", catalog).plans[0], catalog, 3
            ).vectors[0]
            for rows in (crossing, single)
        )
        assert wide.rule == narrow.rule
        assert wide.sensitivity * wide.grain_size == pytest.approx(
            times * narrow.sensitivity * narrow.grain_size, rel=1e-5
        )
    total = bound_contributions(
        compile_query(f"SELECT COUNT(*) FROM {crossing}", catalog).plans[0], catalog, 1
    ).vectors[0]
    assert total.sensitivity * total.grain_size == 1  # one number, of a person who counts once
