"""Joins whose sides are truncated further, since windows would add up to too many pairs of a person's rows."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.algebra.relations import Relation
from dialect.analysis.person_rows import reduced_truncations
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, connect
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_worlds import VICTIM, Data, Row, Worlds

joins, window_charging = import_module("dialect.stability.joins"), import_module("dialect.planner.window_charging")

OTHERS = tuple(Row(person, window, 60 * n) for person in (1, 2) for window in range(4) for n in range(3))
OVERFULL = Data(tuple(Row(VICTIM, w, 60 * n + 9, place=1 + w) for w in range(2) for n in range(9)) + OTHERS)
EVERYWHERE = Data(tuple(Row(VICTIM, w, 60 * n, place=1 + n % 3) for w in range(4) for n in range(7)) + OTHERS)
CROSSING = (
    "SELECT COUNT(*) FROM visit v JOIN visit w ON v.person_id = w.person_id AND w.began > v.began",
    "SELECT v.place, COUNT(*) FROM visit v JOIN seen s ON v.person_id = s.person_id AND s.place <> v.place GROUP BY 1",
    (
        "SELECT v.place, COUNT(s.place) FROM visit v LEFT JOIN seen s ON v.person_id = s.person_id AND s.place > v.place"
        " WHERE v.day < DATE '{second}' GROUP BY 1"
    ),
    (
        "SELECT v.place, s.place, COUNT(*) FROM visit v FULL JOIN seen s ON v.person_id = s.person_id AND s.place > v.place"
        " GROUP BY 1, 2"
    ),
    "SELECT COUNT(*) FROM visit v WHERE EXISTS (FROM visit w WHERE w.person_id = v.person_id AND w.began > v.began)",
)
APART = (
    "SELECT v.place, COUNT(*) FROM visit v JOIN visit w ON v.person_id = w.person_id AND v.day = w.day GROUP BY 1",
    (
        "SELECT v.place, COUNT(*) FROM visit v WHERE EXISTS"
        " (FROM visit w WHERE w.person_id = v.person_id AND w.day = v.day AND w.place <= v.place) GROUP BY 1"
    ),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.fixture
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a join make 20 pairs of a person's rows: the catalog's limits of 4 rows allow 16 in each window."""
    monkeypatch.setattr(joins, "_MAX_PAIRS", 20)


@pytest.mark.usefixtures("few_pairs")
@pytest.mark.parametrize("rows", [OVERFULL, EVERYWHERE])
@pytest.mark.parametrize("sql", [*CROSSING, *APART])
def test_truncation_to_fewer_pairs_moves_nothing_further(
    sql: str, rows: Data, connection: duckdb.DuckDBPyConnection
) -> None:
    question = Worlds(connection, PrivacyWindow.MONTH, rows).check(fill_dates(sql, PrivacyWindow.MONTH))
    for plan in question.plans:
        truncations = list(reduced_truncations(plan.source))
        assert truncations and {each.window is None for each in truncations} == {plan.charged_windows.is_crossing}
        assert {each.max_rows for each in truncations} <= ({4, 5} if plan.charged_windows.is_crossing else {2})


@pytest.mark.usefixtures("few_pairs")
@pytest.mark.parametrize("sql", APART)
def test_a_truncation_over_windows_that_are_kept_apart_is_found(
    sql: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over_all(*given: Any, is_per_window: bool) -> tuple[Relation, Relation]:
        return joins.limit_pairs(*given, is_per_window=False)

    monkeypatch.setattr(window_charging, "limit_pairs", over_all)
    with pytest.raises((UnexpectedChange, SensitivityExceeded)):
        for rows in (OVERFULL, EVERYWHERE):
            Worlds(connection, PrivacyWindow.MONTH, rows).check(sql)
