"""Answers over privacy windows equal plain DuckDB's over the eligible rows, with or without crossing."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings

from dialect import Refusal
from dialect.analysis.uniqueness import PathStep
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.support.neighbours.window_questions import fill_dates, questions
from tests.support.neighbours.window_worlds import WINDOW_COUNT, Data, Row, write_data
from tests.support.sql.oracle import Oracle

partials, person_windows, timed_scans = (
    import_module("dialect.codegen.contribution.clipping"),
    import_module("dialect.planner.window_charging"),
    import_module("dialect.planner.window_charging"),
)
render: Any = import_module("dialect.codegen.bounded_sql")
EXAMPLES = 5_000 if os.environ.get("PASSERSBY_NIGHTLY") else 25
ZONE = "Europe/Berlin"
PERSONS = 12
COUNTED = "SELECT place, COUNT(DISTINCT person_id) FROM visit GROUP BY place"
PARTED = "SELECT COUNT(*) FROM (SELECT person_id, max(place) FROM visit GROUP BY 1)"


def crowd() -> Data:
    """Make a dozen people who are in several windows, some of their rows where none is admitted."""
    draw = random.Random(11)
    rows = (
        Row(
            person, draw.choice((*range(WINDOW_COUNT), *range(WINDOW_COUNT), -1, -2, -3)), draw.choice((0, 5, 600, 1_400, -1, -90)),
            draw.randint(1, 3), draw.randint(-5, 20), draw.choice((0.0, 10.5, 90.0)), draw.choice("xyz"),
        )
        for person in range(1, PERSONS)
        for _ in range(12)
    )  # fmt: skip
    staying = (
        Row(person, window, begin + minutes, 1 + (person + begin) % 3)
        for person in range(1, PERSONS)
        for window in range(WINDOW_COUNT)
        for begin in (10, 302)
        for minutes in (0, 25)
    )
    return Data(
        (*rows, *staying), tuple((person, "abc"[person % 3], "abc"[person % 2]) for person in range(1, PERSONS))
    )


@pytest.fixture(scope="module", params=[PrivacyWindow.MONTH, PrivacyWindow.DAY])
def oracle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(write_data(tmp_path_factory.mktemp("windowed"), request.param, crowd())) as opened:
        yield opened


UNMET = (  # read as anti-joins: what WHERE says of the side that is not there reads no fewer windows than matter
    "SELECT COUNT(*) AS n FROM visit v LEFT JOIN seen s ON v.person_id = s.person_id AND CAST(s.ts AS DATE) = v.day WHERE s.person_id IS NULL",
    "SELECT COUNT(*) AS n FROM person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.day < '2026-01-03' WHERE v.day IS NULL",
    "SELECT COUNT(*) AS n FROM person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.place = 9 WHERE v.day IS NULL OR v.day < DATE '2026-01-02'",
    "SELECT COUNT(*) AS n FROM person p LEFT JOIN visit v ON v.person_id = p.person_id AND v.place = 2 WHERE v.day IS NULL AND v.day < DATE '2026-01-02'",
    "SELECT v.place, COUNT(*) AS n FROM visit v LEFT JOIN visit w ON v.person_id = w.person_id AND v.day = w.day AND w.place > v.place WHERE w.day IS NULL GROUP BY v.place",
    "SELECT v.place, COUNT(*) AS n FROM visit v LEFT JOIN visit w ON v.person_id = w.person_id AND w.place > v.place WHERE w.person_id IS NULL GROUP BY v.place",
)


@pytest.mark.parametrize("sql", UNMET)
def test_unmatched_rows_are_plain_duckdbs(sql: str, oracle: Oracle) -> None:
    verdict = oracle.ask(sql, time_zone=ZONE)
    assert verdict.difference is None and not verdict.plain_raised


ALONG_PATHS = (  # the equality of persons follows from the foreign key, and that of windows
    "SELECT v.place, COUNT(*) AS n FROM leg l JOIN visit v USING (visit_id) GROUP BY v.place",
    "SELECT v.place, COUNT(*) AS n, COUNT(l.visit_id) AS m FROM visit v LEFT JOIN leg l ON l.visit_id = v.visit_id AND l.place = 2 GROUP BY v.place",
    "SELECT COUNT(*) AS n FROM point p JOIN visit v ON p.visit_id = v.visit_id AND p.place = v.place",
    "SELECT COUNT(*) AS n FROM point p LEFT JOIN visit v ON p.visit_id = v.visit_id WHERE v.visit_id IS NULL",
    "SELECT place, COUNT(*) AS n FROM visit WHERE visit_id IN (SELECT visit_id FROM leg WHERE place = 2) GROUP BY place",
    "SELECT COUNT(*) AS n FROM visit v WHERE NOT EXISTS (FROM leg l WHERE l.visit_id = v.visit_id AND l.steps > 10)",
    "SELECT SUM(v.n) AS n FROM (SELECT person_id, visit_id, COUNT(*) AS n FROM visit GROUP BY 1, 2) v JOIN leg l USING (visit_id)",
)


@pytest.mark.parametrize("sql", ALONG_PATHS)
def test_joins_along_a_path_are_plain_duckdbs(sql: str, oracle: Oracle) -> None:
    verdict = oracle.ask(sql, time_zone=ZONE)
    assert verdict.difference is None and not verdict.plain_raised


def test_a_wrong_path_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: any equal columns are taken for a foreign key, so persons and windows are compared."""
    monkeypatch.setattr(person_windows, "path_steps", any_equality)
    sql = "SELECT COUNT(*) AS n FROM visit v JOIN seen s ON v.person_id = s.person_id AND s.place = v.place"
    assert oracle.ask(sql, time_zone=ZONE).difference is not None


def any_equality(left: Any, right: Any, condition: Any) -> list[PathStep]:
    return [PathStep(left, right, right.fields[0], True)]


def test_answers_are_plain_duckdbs(oracle: Oracle) -> None:
    window, met = oracle.catalog.datasets[0].window, Counter[str]()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(questions(exact=True))
    def holds(asked: str) -> None:
        sql = fill_dates(asked, window)
        note(sql)
        try:
            verdict = oracle.ask(sql, time_zone=ZONE, within=2.0**-10)
        except Refusal as refused:
            met[refused.code] += 1
            return
        met["answered"] += 1
        assert verdict.difference is None and not verdict.plain_raised

    holds()
    assert met["answered"] >= EXAMPLES // 2, met


PLANTED = {
    "a person counts once in each window": (COUNTED, lambda m: m.setattr(render, "combine_windows", summed)),
    "a window is a key where none tells it": (PARTED, lambda m: m.setattr(person_windows.WindowRewrite, "_determines_window", lambda *_: True)),
    "windows are found too few": (COUNTED, lambda m: m.setattr(timed_scans, "_possible_windows", lambda table, clock, stretch, *_: stretch.first_days()[:1])),
    "rows of all times are read": ("SELECT COUNT(*) FROM visit", lambda m: m.setattr(timed_scans, "is_in_windows", without_range)),
}  # fmt: skip
of_persons, during = partials.combine_windows, timed_scans.is_in_windows


def summed(*given: Any) -> str:
    return str(of_persons(*given)).replace("max(", "sum(")


def without_range(clock: Any, stretch: Any, begins: Any) -> Any:
    (*_, last) = during(clock, stretch, begins).arguments
    return last


@pytest.mark.parametrize("bug", PLANTED)
def test_the_bug_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    sql, plant = PLANTED[bug]
    assert oracle.ask(sql, time_zone=ZONE).difference is None
    plant(monkeypatch)
    assert oracle.ask(sql, time_zone=ZONE).difference is not None


NARROWED = (
    "SELECT zone_id, COUNT(*) AS n FROM stays(visit, 1) WHERE visit_date < DATE '{second}' GROUP BY 1",
    "SELECT zone_id, COUNT(*) AS n FROM stays(visit, 1) WHERE start_ts >= DATE '{second}' AND hour(end_ts) > 3 GROUP BY 1",
    "SELECT o_zone, COUNT(*) AS n FROM trips(visit, 1) WHERE trip_date = DATE '{second}' GROUP BY 1",
    "SELECT d, COUNT(*) AS n FROM (SELECT person_id, date_trunc('{unit}', began) AS m, min(day) AS d, max(day) AS e FROM visit GROUP BY 1, 2) WHERE d < DATE '{second}' AND e >= d GROUP BY 1",
    "SELECT place, COUNT(*) AS n FROM (SELECT *, lag(place) OVER (PARTITION BY person_id, day ORDER BY began) AS p FROM visit) WHERE began < TIMESTAMP '{second} 02:00:00' AND p = place GROUP BY 1",
)  # fmt: skip


@pytest.mark.parametrize("asked", NARROWED)
def test_rows_of_uncharged_windows_change_no_number(
    oracle: Oracle, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    sql = fill_dates(asked, oracle.catalog.datasets[0].window)
    question, _ = oracle.exact[0].prepare(sql)
    assert len(question.plans[0].charged_windows.windows) < WINDOW_COUNT
    narrow = oracle.exact[0].query(sql).to_pylist()
    monkeypatch.setattr(timed_scans, "_possible_windows", lambda table, clock, stretch, *_: stretch.first_days())
    assert sorted(map(str, narrow)) == sorted(map(str, oracle.exact[0].query(sql).to_pylist()))
    assert sum(row["n"] for row in narrow) > 0
