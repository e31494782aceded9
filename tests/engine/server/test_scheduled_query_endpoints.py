"""Scheduled queries over HTTP: free for entitled clients, invisible to others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine import run_scheduled, show_scheduled
from engine.api.session import Session
from engine.server.http.roles import Role
from engine.server.http.sizes import size_class
from tests.engine.complete_town import DAILY, anew, held_town
from tests.engine.windowed_town import DAYS
from tests.support.server.serving import TestServer, inhabited
from tests.support.server.visiting import Browser

FILE = f"""
[standing.footfall]
sql = "SELECT zone, COUNT(*) AS n FROM visit WHERE day >= {{first}} AND day < {{behind}} GROUP BY zone"
share = 0.01
clients = ["analyst"]
from = "{DAYS[1]}"

[standing.others]
sql = "SELECT COUNT(*) AS n FROM visit WHERE day >= {{first}} AND day < {{behind}}"
share = 0.01
clients = ["somebody else"]
"""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestServer, Session, str]]:
    folder = tmp_path_factory.mktemp("standing")
    file = folder / "standing.toml"
    file.write_text(FILE, encoding="utf-8")
    with held_town(folder / "town", DAILY) as engine:
        session = Session(anew(engine))
        run_scheduled(session, str(file), early=True)
        with inhabited(session) as served:
            line = served.house.worker
            line.clerk = replace(line.clerk, standing=str(file))  # type: ignore[attr-defined]
            yield served, session, str(file)


def test_a_removed_client_is_shown_no_scheduled_release(standing: tuple[TestServer, Session, str]) -> None:
    served, session, _ = standing
    session.engine.ledger.add_client("analyst", actor="test", reason="new")
    session.engine.ledger.remove_client("analyst", actor="test", reason="left")
    try:
        answer = served.send("GET", "/v1/standing/footfall")
    finally:
        session.engine.ledger.add_client("analyst", actor="test", reason="back")
    assert (answer.status_code, answer.json()["code"]) == (403, "E_FORBIDDEN")
    assert served.send("GET", "/v1/standing/footfall").status_code == 200


def test_scheduled_releases_are_listed_and_shown_for_free(standing: tuple[TestServer, Session, str]) -> None:
    served, session, file = standing
    assert served.send("GET", "/v1/standing").json() == [
        {"name": "footfall", "dataset": "town", "windows": list(DAYS[1:])}
    ]
    here = show_scheduled(session, file, "footfall", client="analyst")
    answer = served.send("GET", "/v1/standing/footfall")
    assert [tuple(row) for row in answer.json()["rows"]] == [tuple(row.values()) for row in here.to_pylist()]
    assert answer.json()["price"]["rho"] == 0 and answer.json()["windows"] == [DAYS[-1]]
    assert len(answer.content) == size_class(len(answer.content))
    assert session.engine.ledger.paid_releases("analyst") == ()


def test_a_window_is_chosen(standing: tuple[TestServer, Session, str]) -> None:
    served, _, _ = standing
    assert served.send("GET", "/v1/standing/footfall", params={"window": DAYS[1]}).json()["windows"] == [DAYS[1]]
    assert served.send("GET", "/v1/standing/footfall", params={"window": "2031"}).json()["code"] == "E_WINDOW"


def test_another_client_s_scheduled_query_looks_like_a_missing_one(standing: tuple[TestServer, Session, str]) -> None:
    served, _, _ = standing
    others, none = (served.send("GET", f"/v1/standing/{name}") for name in ("others", "nobody"))
    assert others.status_code == none.status_code == 403
    assert json.loads(others.text.replace("others", "nobody")) == none.json()


def test_shown_scheduled_releases_count_as_holdings(standing: tuple[TestServer, Session, str]) -> None:
    served, session, _ = standing
    asked = {"sql": f"SELECT COUNT(*) AS n FROM visit WHERE day = '{DAYS[1]}'", "rho": "0.0005"}
    told = served.send("POST", "/v1/explain", json=asked).json()
    assert told["price"]["rho"] == 0 and len(told["made_from"]) == 1
    given = served.send("POST", "/v1/queries", json=asked).json()
    assert given["price"]["rho"] == 0 and all(each["standing"] for each in given["made_from"])
    assert session.engine.ledger.paid_releases("analyst") == ()
    others = served.send("POST", "/v1/explain", json={**asked, "sql": "SELECT COUNT(*) AS n FROM visit"}).json()
    assert others["price"]["rho"] > 0  # the first window is in no standing question


def test_the_catalog_page_states_the_queryable_days(standing: tuple[TestServer, Session, str]) -> None:
    served, _, _ = standing
    browser = Browser(served)
    browser.enter(served.keys[Role.ANALYST])
    text = " ".join(browser.get("/console/catalog").text.split())
    assert f"Declared are the days {DAYS[0]} to {DAYS[-1]}, in windows of one day" in text
    assert "A question is charged to each window that it touches" in text and "Its rows have no time" in text
