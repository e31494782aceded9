"""Every bug that is planted in windows of time is found by neighbours of one person-window; without it all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from dialect.algebra.expressions import TRUE, Ref
from dialect.algebra.relations import RowTruncation
from dialect.analysis.uniqueness import PathStep
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.functions.registry import to_local_time
from dialect.stability.typed_calls import apply_function
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, connect
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_worlds import VICTIM, Data, Row, Worlds

bound, charged_windows, own_time, person_windows, private_plan, timed_scans = (
    import_module("dialect.sensitivity.bounding"),
    import_module("dialect.planner.window_charging"),
    import_module("dialect.stability.scans"),
    import_module("dialect.planner.window_charging"),
    import_module("dialect.algebra.release_plan"),
    import_module("dialect.planner.window_charging"),
)
Plant = Callable[[pytest.MonkeyPatch], None]


def instead(owner: Any, name: str, other: Any) -> Plant:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, other)


def both(*plants: Plant) -> Plant:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        for each in plants:
            each(monkeypatch)

    return plant


during, touched_by, alone = timed_scans.is_in_windows, charged_windows._charged_windows, bound._under_replacement


def or_without_time(clock: Any, *given: Any) -> Any:
    missing = apply_function("is null", [to_local_time(Ref(clock.time))], exp.Null())
    return apply_function("or", [during(clock, *given), missing], exp.Null())


def of_any_date(clock: Any, *given: Any) -> Any:
    return during(replace(clock, day=None), *given)


def windows_separated(*given: Any) -> Any:
    return replace(touched_by(*given), is_crossing=False)


def unpaid_root(plan: Any, vector: Any, bound: Any) -> Any:
    return replace(bound, key_reason=alone(plan, vector, bound).key_reason)


def of_all_windows(*given: Any) -> Any:
    made = person_windows.WindowRewrite.rewrite_truncation(*given)
    return replace(made, relation=replace(made.relation, operator=replace(made.relation.operator, window=None)))


def any_equality(left: Any, right: Any, _: Any) -> list[PathStep]:
    return [PathStep(left, right, right.fields[0], True)]


CUT_OVER_ALL = tuple((kind, of_all_windows if kind is RowTruncation else rule) for kind, rule in person_windows._RULES)
NOT_ADDED = instead(timed_scans, "is_in_windows", lambda *_: TRUE)
FIRST_ALONE = instead(timed_scans, "_possible_windows", lambda table, clock, stretch, *_: stretch.first_days()[:1])
OF_THE_PERSON = instead(private_plan.PrivatePlan, "unit_columns", property(lambda plan: {"person": plan.source.person}))
NOT_COMPARED = both(
    instead(person_windows.WindowRewrite, "_determines_window", lambda *_: True),
    instead(person_windows, "_add_partition_key", lambda parts, _: parts),
)


def _rows(person: int, windows: range, **given: Any) -> tuple[Row, ...]:
    return tuple(Row(person, window, **given) for window in windows)


OTHERS = tuple(row for person in (1, 2) for row in _rows(person, range(4)))
EVERYWHERE = Data((*_rows(VICTIM, range(-3, 4)), *_rows(VICTIM, range(4), place=2, steps=20), *OTHERS))
CHANGING = Data((Row(VICTIM, 0, place=1), Row(VICTIM, 1, place=3), *OTHERS))
SIGNED = Data((*_rows(VICTIM, range(1), steps=-5, place=1), *_rows(VICTIM, range(1, 2), steps=20, place=2), *OTHERS))
UNEVEN = Data((*(Row(VICTIM, 0, m) for m in range(60)), *(Row(VICTIM, 1, m, place=2) for m in range(3)), *OTHERS))
ONCE = Data((Row(VICTIM, 1), *OTHERS))
TWICE = Data((Row(VICTIM, 0), Row(VICTIM, 1), *OTHERS))
THRICE = Data((*(Row(VICTIM, 0, m) for m in range(3)), *OTHERS))
OVERFULL = Data(tuple(Row(VICTIM, w, 60 * n + 9, place=1 + w) for w in range(2) for n in range(9)) + OTHERS)
MISDATED = Data((Row(VICTIM, -3), *OTHERS))
EDGE = Data((Row(VICTIM, 0, minutes=-5), Row(VICTIM, 0, minutes=-5, place=2), *OTHERS))


@dataclass(frozen=True)
class Case:
    plant: Plant
    data: Data
    sql: str
    found: type[AssertionError] = SensitivityExceeded
    window: PrivacyWindow = PrivacyWindow.MONTH


GREATEST = "(SELECT person_id, max(place) AS place, max(steps) AS steps FROM visit GROUP BY person_id) v"
CASES = {
    "the range is not added to the scan": Case(NOT_ADDED, EVERYWHERE, "SELECT COUNT(*) FROM visit", UnexpectedChange),
    "what is read is not what is charged": Case(
        both(NOT_ADDED, FIRST_ALONE), ONCE, "SELECT COUNT(*) FROM seen", UnexpectedChange, PrivacyWindow.WEEK
    ),
    "rows without time are admitted": Case(
        instead(timed_scans, "is_in_windows", or_without_time), EVERYWHERE, "SELECT COUNT(*) FROM visit", UnexpectedChange
    ),
    "a date that is not the time's is believed": Case(
        instead(timed_scans, "is_in_windows", of_any_date), MISDATED, "SELECT COUNT(*) FROM visit", UnexpectedChange
    ),
    "crossing is taken for preserved": Case(
        instead(charged_windows, "_charged_windows", windows_separated), CHANGING, f"SELECT place, COUNT(*) FROM {GREATEST} GROUP BY 1"
    ),
    "the root of two is forgotten": Case(
        instead(bound, "_under_replacement", unpaid_root), CHANGING, f"SELECT place, COUNT(*) FROM {GREATEST} GROUP BY 1"
    ),
    "the root of two is taken where values are signed": Case(
        instead(bound, "_is_non_negative", lambda _: True),
        SIGNED,
        f"SELECT SUM(v.steps * 1) FROM {GREATEST}",
        window=PrivacyWindow.DAY,
    ),
    "windows of a join are not compared": Case(
        instead(person_windows, "implies_same_window", lambda *_: True),
        TWICE,
        "SELECT COUNT(*) FROM visit v JOIN seen s ON v.person_id = s.person_id AND s.place = v.place",
    ),
    "windows along a path are believed to be equal": Case(
        both(instead(person_windows, "path_steps", any_equality), instead(person_windows, "is_same_window", lambda *_: TRUE)),
        TWICE,
        "SELECT COUNT(*) FROM visit v JOIN seen s ON v.person_id = s.person_id AND s.place = v.place",
    ),
    "windows of a partition are not compared": Case(
        NOT_COMPARED,
        Data((*_rows(VICTIM, range(4), place=3), *OTHERS)),
        "SELECT n, COUNT(*) FROM (SELECT *, sum(place) OVER (PARTITION BY person_id) AS n FROM visit) GROUP BY 1",
    ),
    "the windows of a derived column are not charged": Case(
        instead(charged_windows, "_source_windows", lambda *_: ()), CHANGING, "SELECT home, COUNT(*) FROM person GROUP BY 1", UnexpectedChange
    ),
    "rows without time are charged where no window is read alone": Case(
        instead(charged_windows, "_static_window", lambda rows: frozenset() if rows.window_starts else frozenset({"static"})), ONCE,
        "SELECT p.zone, COUNT(*) FROM person p WHERE p.person_id NOT IN"
        " (SELECT person_id FROM visit WHERE day < DATE '{second}' AND place > 99 AND person_id IS NOT NULL) GROUP BY 1",
        UnexpectedChange,
    ),
    "rows of a person are cut in each window where windows cross": Case(
        instead(charged_windows, "_truncate_over_all_windows", lambda source: source),
        EVERYWHERE,
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 1) p.home, COUNT(*)"
        " FROM visit JOIN person p USING (person_id) GROUP BY 1",
    ),
    "a person is bounded over windows that are kept apart": Case(
        OF_THE_PERSON, UNEVEN, "SELECT place, COUNT(*) FROM visit GROUP BY 1"
    ),
    "rows are cut over all windows where they are kept apart": Case(
        instead(person_windows, "_RULES", CUT_OVER_ALL), OVERFULL,
        "SELECT place, COUNT(*) FROM (SELECT *, lag(place) OVER (PARTITION BY person_id, day ORDER BY began) AS n FROM visit)"
        " GROUP BY 1",
    ),
    "a path leads to another window": Case(
        instead(person_windows, "is_same_window", lambda *_: TRUE), EDGE, "SELECT COUNT(*) FROM point", UnexpectedChange
    ),
    "rows without time stay in the window of those that chose them": Case(
        instead(person_windows.WindowRewrite, "_with_single_window", lambda walk, made: walk_in(walk, replace(made, needs_windowed_rows=bool(made.window_starts)))),
        THRICE,
        "SELECT p.zone, v.day IS NULL, COUNT(*) FROM person p LEFT JOIN visit v"
        " ON p.person_id = v.person_id AND v.day < DATE '{second}' GROUP BY 1, 2",
    ),
}  # fmt: skip
walk_in = person_windows.WindowRewrite._with_single_window


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.mark.parametrize("bug", CASES)
def test_the_bug_is_found(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    case = CASES[bug]
    worlds, sql = Worlds(connection, case.window, case.data), fill_dates(case.sql, case.window)
    worlds.check(sql)
    case.plant(monkeypatch)
    with pytest.raises(case.found):
        worlds.check(sql)


@pytest.mark.parametrize(
    "sql", ["SELECT COUNT(*) FROM visit", "SELECT tag, COUNT(*) FROM seen s JOIN visit v USING (person_id) GROUP BY 1"]
)
def test_the_promise_does_not_rest_on_how_conditions_are_read(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """Windows that are taken too few by mistake are not read: the answer is wrong, and nobody's loss larger."""
    FIRST_ALONE(monkeypatch)
    question = Worlds(connection, PrivacyWindow.MONTH, EVERYWHERE).check(sql)
    assert question.plans[0].charged_windows.windows == ("2026-01",)


ALONG_PATHS = (
    "SELECT v.place, COUNT(*) FROM leg l JOIN visit v USING (visit_id) GROUP BY 1",
    "SELECT COUNT(l.place), SUM(l.steps) FROM visit v LEFT JOIN leg l USING (visit_id)",
    "SELECT COUNT(*) FROM point p JOIN visit v USING (visit_id)",
    "SELECT COUNT(*) FROM visit WHERE visit_id IN (SELECT visit_id FROM leg WHERE place = 2)",
    "SELECT COUNT(DISTINCT v.person_id) FROM visit v WHERE NOT EXISTS (FROM point p WHERE p.visit_id = v.visit_id)",
)


@pytest.mark.parametrize("sql", ALONG_PATHS)
@pytest.mark.parametrize("rows", [EVERYWHERE, OVERFULL, EDGE])
def test_joins_along_a_path_keep_windows(connection: duckdb.DuckDBPyConnection, rows: Data, sql: str) -> None:
    (plan,) = Worlds(connection, PrivacyWindow.MONTH, rows).check(sql).plans
    assert not plan.charged_windows.is_crossing and len(plan.charged_windows.windows) == 4


def test_what_is_taken_for_a_path_moves_nothing_further(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Persons and windows are compared by the SQL: a wrong path gives a wrong answer, and nobody's loss is larger."""
    monkeypatch.setattr(person_windows, "path_steps", any_equality)
    monkeypatch.setattr(import_module("dialect.stability.joins"), "path_steps", any_equality)
    for rows in (EVERYWHERE, TWICE):
        worlds = Worlds(connection, PrivacyWindow.MONTH, rows)
        worlds.check("SELECT COUNT(*) FROM visit v JOIN seen s ON s.place = v.place")
