"""Which operators keep privacy windows apart: one rule each, and the conditions pushed down to the scans."""

from __future__ import annotations

import pytest

from dialect.catalog.privacy_windows import PrivacyWindow
from tests.dialect.windowed import touched

ALL = ("2026-01", "2026-02", "2026-03", "2026-04")
KEPT = (
    "visit v",
    "visit v JOIN person p USING (person_id)",
    "visit v LEFT JOIN person p ON v.person_id = p.person_id",
    "visit v JOIN place k USING (place)",
    "place k LEFT JOIN visit v ON v.place = k.place",
    "visit v LEFT JOIN seen s ON v.person_id = s.person_id AND CAST(s.ts AS DATE) = v.day",
    "(SELECT DISTINCT person_id, day FROM visit) v",
    "(SELECT *, lag(place) OVER (PARTITION BY person_id, day ORDER BY began) AS n FROM visit) v",
    "(SELECT person_id, day FROM visit UNION ALL SELECT person_id, CAST(ts AS DATE) FROM seen) v",
    "(SELECT person_id, place FROM visit UNION ALL SELECT person_id, place FROM seen) v",
    "(SELECT person_id, day FROM visit EXCEPT SELECT person_id, CAST(ts AS DATE) FROM seen) v",
    "(SELECT person_id, max(place) FROM visit WHERE day < '2026-02-01' GROUP BY 1 UNION ALL SELECT person_id, max(place) FROM visit WHERE month(day) = 2 GROUP BY 1) v",
    "(SELECT person_id, d, max(f) AS g FROM (SELECT person_id, place, day AS d, min(began) AS f FROM visit GROUP BY 1, 2, 3) GROUP BY person_id, d) v",
    "(SELECT person_id, f, count(*) FROM (SELECT person_id, place, day, min(began) AS f FROM visit GROUP BY 1, 2, 3) GROUP BY 1, 2) v",
    "visit v WHERE v.person_id IN (SELECT person_id FROM person WHERE zone = 'a')",
    "visit v WHERE v.person_id NOT IN (SELECT person_id FROM person WHERE zone = 'a')",
    "visit v WHERE EXISTS (SELECT 1 FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day)",
    "visit v WHERE (SELECT count(*) FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day) > 1",
    "leg v", "point v", "stays(visit, 1) v", "trips(visit, 1) v",
    "(SELECT person_id, max(place) FROM visit WHERE day < '2026-02-01' GROUP BY 1) v",
    "person v WHERE person_id IN (SELECT person_id FROM visit WHERE day < '2026-02-01')",
)  # fmt: skip
CROSSED = (
    "(SELECT person_id, max(place) FROM visit GROUP BY 1) v",
    "(SELECT DISTINCT person_id, place FROM visit) v",
    "visit v JOIN seen s USING (person_id)",
    "visit v LEFT JOIN seen s ON v.person_id = s.person_id",
    "person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.day < '2026-02-01'",
    "(SELECT *, lag(place) OVER (PARTITION BY person_id ORDER BY began) AS n FROM visit) v",
    "(SELECT person_id, place FROM visit UNION SELECT person_id, place FROM seen) v",
    "(SELECT person_id, place FROM visit EXCEPT SELECT person_id, place FROM seen) v",
    "(SELECT person_id, day FROM visit INTERSECT SELECT person_id, CAST(ts AS DATE) + 1 FROM seen) v",
    "(SELECT person_id FROM visit UNION ALL SELECT person_id FROM person) v",
    "visit v WHERE v.person_id IN (SELECT person_id FROM seen WHERE ts < '2026-02-01')",
    "visit v WHERE v.person_id NOT IN (SELECT person_id FROM seen WHERE ts < '2026-02-01' AND person_id IS NOT NULL)",
    "person v WHERE person_id NOT IN (SELECT person_id FROM visit WHERE day < '2026-02-01' AND person_id IS NOT NULL)",
    "home_zone(visit, 1) v",
)


@pytest.mark.parametrize("rows", KEPT)
def test_releases_grouped_by_window_do_not_cross(rows: str) -> None:
    found = touched(f"SELECT COUNT(DISTINCT v.person_id) FROM {rows}")
    assert not found.is_crossing
    assert (found.window_field is None) == (len(found.windows) == 1)


@pytest.mark.parametrize("rows", CROSSED)
def test_releases_not_grouped_by_window_cross(rows: str) -> None:
    found = touched(f"SELECT COUNT(*) FROM {rows}")
    assert found.is_crossing and found.window_field is None


# rows -> how many of four windows a condition on the second one's first days leaves
NARROWED = {
    "visit v WHERE v.day < '2026-01-05'": 1,
    "(SELECT person_id, day, count(*) AS n FROM visit GROUP BY 1, 2) v WHERE v.day < '2026-01-05'": 1,
    "(SELECT *, lag(place) OVER (PARTITION BY person_id, day ORDER BY began) AS n FROM visit) v WHERE v.day < '2026-01-05'": 1,
    "(SELECT *, lag(place) OVER (PARTITION BY person_id ORDER BY began) AS n FROM visit) v WHERE v.day < '2026-01-05'": 4,
    "visit v JOIN seen s ON v.person_id = s.person_id AND CAST(s.ts AS DATE) = v.day WHERE v.day < '2026-01-05'": 1,
    "visit v JOIN seen s ON v.person_id = s.person_id WHERE v.day < '2026-01-05'": 4,
    "(SELECT person_id, day FROM visit EXCEPT SELECT person_id, CAST(ts AS DATE) FROM seen) v WHERE v.day < '2026-01-05'": 1,
    "stays((SELECT * FROM visit WHERE day < '2026-01-05'), 1) v": 1,
    "visit v WHERE v.day < '2026-01-05' AND EXISTS (SELECT 1 FROM seen s WHERE s.person_id = v.person_id AND CAST(s.ts AS DATE) = v.day)": 1,
    "(SELECT person_id, min(day) AS d FROM visit GROUP BY 1) v WHERE v.d < '2026-01-05'": 4,
    "(SELECT person_id, date_trunc('month', day) AS m, min(day) AS d FROM visit GROUP BY 1, 2) v WHERE v.d < '2026-01-05'": 1,
    "(SELECT person_id, date_trunc('month', day) AS m, min(day) AS d, max(day) AS e FROM visit GROUP BY 1, 2) v WHERE v.d < '2026-01-05' AND v.e > '2026-01-09'": 1,
    "(SELECT person_id, date_trunc('month', day) AS m, max(steps) AS d FROM visit GROUP BY 1, 2) v WHERE v.d < 9": 4,
    "stays(visit, 1) v WHERE v.visit_date < '2026-01-05'": 1,
    "trips(visit, 1) v WHERE v.trip_date < '2026-01-05'": 1,
    "trips(visit, 1) v WHERE hour(v.dep_ts) < 9": 4,
}  # fmt: skip


@pytest.mark.parametrize("rows", NARROWED)
def test_conditions_are_pushed_down_to_their_scans(rows: str) -> None:
    assert touched(f"SELECT COUNT(*) FROM {rows}").windows == ALL[: NARROWED[rows]]


def test_a_whole_history_is_one_window() -> None:
    assert touched("SELECT COUNT(*) FROM visit", PrivacyWindow.DAY).is_every_window
