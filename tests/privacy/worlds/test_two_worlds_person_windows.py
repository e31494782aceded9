"""Two worlds that differ in one person's rows of one window say the same of everything that is not noised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dialect.catalog.privacy_windows import PrivacyWindow
from engine import Refused, Session, open_session
from tests.support.neighbours.two_worlds import notes_without_noise
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_worlds import VICTIM, WINDOW_COUNT, Data, Row, write_data

CANARY = "only the victim"
GONE = 1  # the window whose rows one world lacks
QUESTIONS = (
    "SELECT COUNT(*) FROM visit",
    "SELECT place, COUNT(DISTINCT person_id), AVG(steps) FROM visit GROUP BY place",
    "SELECT day, COUNT(*) FROM visit GROUP BY day ORDER BY day",
    "SELECT date_trunc('{unit}', began), COUNT(*) FROM visit GROUP BY 1",
    "SELECT place, COUNT(*) FROM visit WHERE day >= DATE '{second}' GROUP BY 1",
    "SELECT place, COUNT(*) FROM visit WHERE day < DATE '{second}' GROUP BY 1",
    "SELECT COUNT(*) FROM (SELECT person_id FROM visit GROUP BY 1 HAVING COUNT(*) > 3)",
    "SELECT place, COUNT(*) FROM (SELECT person_id, place FROM visit EXCEPT SELECT person_id, place FROM seen WHERE ts < '{second}') GROUP BY 1",
    "SELECT home, COUNT(*) FROM person GROUP BY home",
    "SELECT zone, COUNT(*) FROM person WHERE person_id NOT IN (SELECT person_id FROM visit WHERE day < DATE '{second}') GROUP BY 1",
    "SELECT zone_id, AVG(dwell_min) FROM stays(visit, 1) GROUP BY 1",
    "SELECT zone_id, COUNT(*) FROM home_zone(visit, 1) GROUP BY 1",
    "SELECT place, MEDIAN(steps) FROM visit GROUP BY place",
    "SELECT tag, COUNT(*) FROM visit GROUP BY tag",
    "SELECT COUNT(DISTINCT tag) FROM visit",
    "SELECT tag FROM visit",
    "SELECT COUNT(*) FROM visit v JOIN seen s ON v.place = s.place",
    "SELECT MAX(tag) FROM visit",
    "EXPLAIN PRIVACY SELECT COUNT(*) FROM visit WHERE day = DATE '{second}'",
    "SHOW BUDGET",
    "SHOW TABLES",
)  # fmt: skip
PRIVATE_KEYS = "SELECT tag, COUNT(*) FROM visit GROUP BY tag"


def rows() -> tuple[Row, ...]:
    """Make rows of the victim in every window, and of a few others."""
    mine = (Row(VICTIM, w, m, 1 + w % 3, tag=CANARY) for w in (*range(WINDOW_COUNT), -1, -2, -3) for m in (5, 900))
    return (*mine, *(Row(person, w, place=person % 3 + 1) for person in range(1, 9) for w in range(WINDOW_COUNT)))


def worlds() -> tuple[Data, Data]:
    """Make both worlds: with the victim's rows of one window, and without."""
    people = ((VICTIM, "a", "b"), *((person, "c", "a") for person in range(1, 9)))
    without = tuple(row for row in rows() if (row.person, row.window) != (VICTIM, GONE))
    changed = tuple((person, zone, "c" if person == VICTIM else home) for person, zone, home in people)
    return Data(rows(), people), Data(without, changed)


@pytest.fixture(scope="module", params=[PrivacyWindow.MONTH, PrivacyWindow.WEEK])
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Session, Session, PrivacyWindow]]:
    folders = [tmp_path_factory.mktemp(world) for world in ("with", "without")]
    with pytest.MonkeyPatch.context() as patch:
        opened = []
        for folder, data in zip(folders, worlds(), strict=True):
            patch.setenv("PASSERSBY_CACHE", str(folder / "cache"))
            opened.append(open_session(write_data(folder, request.param, data).path, ledger=":memory:"))
        one, other = opened
        with one, other:
            yield one, other, request.param


def everything_but_noise(session: Session, sql: str) -> dict[str, Any]:
    """Run a query; everything of the outcome that noise does not decide."""
    try:
        answer = session.query(sql, client="ann", rho="0.001")
    except Refused as refused:
        return {"problem": refused.problem}
    card = json.loads((answer.schema.metadata or {})[b"passersby"])
    public = sql != PRIVATE_KEYS
    exact = [column for column in answer.column_names if column not in card["intervals"]] if public else []
    fixed = {key: card.get(key) for key in ("price", "remaining", "windows", "replayed", "confidence")}
    notes = notes_without_noise(card.get("notes", []), card.get("note_codes", []), rows=None if public else "private")
    assert CANARY not in json.dumps(card) + str(answer.to_pylist())
    return {
        "schema": [(f.name, str(f.type)) for f in answer.schema],
        "rows": answer.num_rows if public else None,
        "exact": [answer.column(name).to_pylist() for name in exact],
        "card": {**fixed, "notes": notes},
        "accounts": session.budget("ann")["accounts"],
    }


@pytest.mark.parametrize("asked", QUESTIONS)
def test_everything_but_noise_is_the_same(sessions: tuple[Session, Session, PrivacyWindow], asked: str) -> None:
    one, other, window = sessions
    sql = fill_dates(asked, window)
    assert everything_but_noise(one, sql) == everything_but_noise(other, sql)


def test_files_differ(tmp_path: Path) -> None:
    one, other = worlds()
    assert {r for r in one.rows if r not in other.rows} == {r for r in rows() if (r.person, r.window) == (VICTIM, GONE)}
