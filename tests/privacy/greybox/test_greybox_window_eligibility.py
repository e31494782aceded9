"""Eligibility under privacy windows: ineligible people and rows are as good as deleted, in every window.

PASSERSBY_NIGHTLY=1 pytest tests/privacy/greybox/test_greybox_window_eligibility.py    # 6,000 random databases
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect.catalog.privacy_windows import STATIC, PrivacyWindow
from dialect.errors import Refusal
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, connect
from tests.support.neighbours.window_admission import RuledDatabase, RuledWorlds, Rules, States, ruled
from tests.support.neighbours.window_questions import fill_dates, questions
from tests.support.neighbours.window_worlds import VICTIM, Data, Row

EXAMPLES = 6_000 if os.environ.get("PASSERSBY_NIGHTLY") else 14
LENGTHS = (PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY)
charged_windows, prepare, render, write_rows = (
    import_module(name)
    for name in (
        "dialect.planner.window_charging",
        "engine.pricing.compile_release",
        "dialect.codegen.partials",
        "dialect.codegen.relations.relation",
    )
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def hold(connection: duckdb.DuckDBPyConnection, window: PrivacyWindow, one: RuledDatabase, asked: str) -> Counter[str]:
    """Check a query in all worlds of windows of one length; returns what was covered."""
    sql = fill_dates(asked, window)
    note(sql)
    worlds = RuledWorlds(connection, window, one)
    try:
        question = worlds.check(sql)  # one person's window moves no vector further than declared
        met = Counter({"lost something": int(worlds.check_deleted(sql))})
    except Refusal:
        return Counter(["refused"])
    met.update("crossing" if plan.charged_windows.is_crossing else "kept apart" for plan in question.plans)
    return met


def test_ineligible_people_are_as_good_as_deleted_in_every_window(connection: duckdb.DuckDBPyConnection) -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(LENGTHS), ruled(), questions())
    def holds(window: PrivacyWindow, one: RuledDatabase, asked: str) -> None:
        met.update(hold(connection, window, one, asked))

    holds()
    assert min(met["lost something"], met["crossing"], met["kept apart"]) >= max(1, EXAMPLES // 20), met
    assert met["refused"] < EXAMPLES // 2, met


ROWS = Data(
    tuple(Row(person, window, minutes, place=1 + window % 3) for person in (VICTIM, 1, 2) for window in range(4)
          for minutes in (0, 600, -5))
)  # fmt: skip
REFUSED = (States(), States(consent="no"), States(law=None))
COUNTED = "SELECT place, COUNT(*) FROM visit GROUP BY place"
BY_DAY = "SELECT day, COUNT(DISTINCT person_id) FROM visit GROUP BY day"
TOGETHER = "SELECT COUNT(*) FROM (SELECT person_id, max(place) FROM visit GROUP BY 1)"
FIRST = "SELECT place, COUNT(*) FROM visit WHERE day < DATE '{second}' GROUP BY place"


def only_where_persons_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write = prepare.generate_sql

    def named(plan: Any, bounds: Any, target: Any, who: Any, *shared: Any) -> Any:
        return write(plan, bounds, target, who if "person" in plan.tables else None, *shared)

    monkeypatch.setattr(prepare, "generate_sql", named)


def of_who_was_seen_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read consent as if it were given by being there in a later window: rows of one window decide of another."""
    parts = render.eligibility_ctes

    def seen(admission: Any, target: Any, dataset: str) -> list[tuple[str, bool, str]]:
        late = f" WHERE a.person IN (SELECT person_id FROM {target.addresses['visit']} WHERE began >= TIMESTAMP '2026-02-01')"
        written = parts(admission, target, dataset)
        return [(name, once, sql + late * (name == "admitted_persons")) for name, once, sql in written]

    monkeypatch.setattr(render, "eligibility_ctes", seen)


def old_rows_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_rows, "retention_predicates", lambda *_: [])


def old_windows_unpaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charge the kept windows, and read all that are declared."""
    touched = charged_windows._charged_windows
    monkeypatch.setattr(charged_windows, "retained_windows", lambda _, dataset: dataset.window_range)

    def kept(rows: Any, derived: Any, dataset: Any) -> Any:
        found = touched(rows, derived, dataset)
        return replace(found, windows=found.windows[-1:])

    monkeypatch.setattr(charged_windows, "_charged_windows", kept)
    old_rows_read(monkeypatch)


Plant = Callable[[pytest.MonkeyPatch], None]
PLANTED: dict[str, tuple[Plant, RuledDatabase, str, type[AssertionError]]] = {
    "a filter only where persons are named": (
        only_where_persons_are_named, RuledDatabase(ROWS, Rules(consent=True), REFUSED), COUNTED, UnexpectedChange,
    ),
    "a filter only where persons are named, over windows that cross": (
        only_where_persons_are_named, RuledDatabase(ROWS, Rules(law=True), REFUSED), TOGETHER, UnexpectedChange,
    ),
    "an objection forgotten in a question of one window": (
        only_where_persons_are_named, RuledDatabase(ROWS, objected=frozenset({VICTIM})), FIRST, UnexpectedChange,
    ),
    "rows of one window admit those of another": (
        of_who_was_seen_late, RuledDatabase(Data((Row(VICTIM, 0), Row(VICTIM, 1))), Rules(consent=True)), FIRST, UnexpectedChange,
    ),
    "old rows read": (old_rows_read, RuledDatabase(ROWS, Rules(first_retained_window=1, days_gone=5)), COUNTED, UnexpectedChange),
    "old rows read and told by day": (old_rows_read, RuledDatabase(ROWS, Rules(first_retained_window=3, days_gone=1)), BY_DAY, UnexpectedChange),
    "old windows read and not charged": (old_windows_unpaid, RuledDatabase(ROWS, Rules(first_retained_window=3)), COUNTED, UnexpectedChange),
}  # fmt: skip


def look(worlds: RuledWorlds, sql: str) -> None:
    worlds.check(sql)
    worlds.check_deleted(sql)


@pytest.mark.parametrize("title", PLANTED)
def test_a_planted_bug_is_found(
    title: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, one, asked, found = PLANTED[title]
    sql = fill_dates(asked, PrivacyWindow.MONTH)
    worlds = RuledWorlds(connection, PrivacyWindow.MONTH, one)
    look(worlds, sql)
    plant(monkeypatch)
    with pytest.raises(found):
        look(worlds, sql)


def test_a_table_of_persons_alone_is_charged_and_filtered_all_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    worlds = RuledWorlds(connection, PrivacyWindow.MONTH, RuledDatabase(ROWS, Rules(consent=True), REFUSED))
    sql = "SELECT zone, COUNT(*) FROM person GROUP BY zone"
    (plan,) = worlds.check(sql).plans
    assert plan.charged_windows.windows == (STATIC,)
    assert worlds.check_deleted(sql)


def test_an_eligible_person_moves_the_charged_windows(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search would find an understated sensitivity under rules too: ineligible people never move a number."""
    check = import_module("tests.support.neighbours.window_worlds")
    worlds = RuledWorlds(
        connection, PrivacyWindow.MONTH, RuledDatabase(ROWS, Rules(consent=True, law=True, minors=True))
    )
    worlds.check(COUNTED)
    moves = check.vector_moves
    monkeypatch.setattr(
        check, "vector_moves", lambda *given: [[1000 * move for move in moved] for moved in moves(*given)]
    )
    with pytest.raises(SensitivityExceeded):
        worlds.check(COUNTED)
