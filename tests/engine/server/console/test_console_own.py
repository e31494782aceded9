"""An analyst's own pages: jobs, requests for another cap, and the pace of what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from budgets.stores import journal
from engine.server.console.drawing import burn_down
from engine.server.http.roles import Role
from tests.support.server.serving import TestServer
from tests.support.server.visiting import Browser, visitors
from tests.support.timeouts import until

COUNT = "SELECT count(*) AS visits FROM visit"
WHY = {"reason": "the season needs more"}


@pytest.fixture
def analyst(served: TestServer) -> Browser:
    """Log in an analyst."""
    return visitors(served, Role.ANALYST)[Role.ANALYST]


def test_a_job_is_listed_and_its_answer_shown(analyst: Browser, served: TestServer) -> None:
    for sql in (COUNT, "SELECT nothing FROM visit"):
        job = served.ask(sql, headers={"Prefer": "respond-async"}).json()["id"]
        at = f"/v1/jobs/{job}"
        until(lambda at=at: served.send("GET", at).json()["state"] in ("done", "refused"))
        assert job in analyst.get("/console/jobs").text
        shown = analyst.get(f"/console/jobs/{job}").text
        assert ('class="bar"' in shown) == (sql == COUNT)
        assert ("E_COLUMN" in shown) == (sql != COUNT)


def test_a_removed_client_is_shown_no_answer_of_a_job(analyst: Browser, served: TestServer) -> None:
    job = served.ask(COUNT, headers={"Prefer": "respond-async"}).json()["id"]
    until(lambda: served.send("GET", f"/v1/jobs/{job}").json()["state"] == "done")
    assert served.send("DELETE", "/v1/admin/clients/analyst", Role.ADMIN, params={"reason": "left"}).is_success
    shown = analyst.get(f"/console/jobs/{job}")
    assert shown.status_code == 403 and "was removed" in shown.text and 'id="answer"' not in shown.text


def test_a_job_that_was_cancelled_shows_no_answer(analyst: Browser, served: TestServer) -> None:
    served.house.tables.add_job({
        "id": "j", "client": "analyst", "request_id": "r", "body": '{"sql": "SELECT 1"}', "state": "running",
        "made_at": "2026-11-26T10:00:00.000+00:00",
    })  # fmt: skip
    assert "Cancel j" in analyst.get("/console/jobs").text
    assert analyst.post("/console/jobs/j/cancel").status_code == 303
    shown = analyst.get("/console/jobs/j").text
    assert "It is cancelled." in shown and 'id="answer"' not in shown
    assert analyst.post("/console/jobs/k/cancel").status_code == 404


def test_answers_of_old_jobs_are_deleted_and_given_again_by_the_ledger(analyst: Browser, served: TestServer) -> None:
    row = {"client": "analyst", "body": '{"sql": "SELECT 1"}', "state": "done", "rows": b"numbers"}
    moments = {"old": "2020-01-01T00:00:00.000+00:00", "new": "2999-01-01T00:00:00.000+00:00"}
    for name, at in moments.items():
        served.house.tables.add_job({**row, "id": name, "request_id": name, "made_at": at, "ended_at": at})
    served.ask(COUNT, headers={"Prefer": "respond-async"})
    assert served.house.tables.job(id="old") is None and served.house.tables.job(id="new") is not None
    shown = analyst.get("/console/jobs").text
    assert "/console/jobs/new" in shown and "/console/jobs/old" not in shown


def test_another_cap_is_asked_for_and_its_state_shown(analyst: Browser, served: TestServer) -> None:
    assert analyst.post("/console/requests", rho="0.15", **WHY).status_code == 303
    assert analyst.post("/console/requests", rho="0.16").status_code == 400
    (asked,) = served.send("GET", "/v1/admin/topups").json()
    assert WHY["reason"] in analyst.get("/console/requests").text and ">open<" in analyst.get("/console/requests").text
    served.send("POST", f"/v1/admin/topups/{asked['request']}/approve", Role.ADMIN, json=WHY)
    assert ">approved<" in analyst.get("/console/requests").text


def test_the_remaining_budget_is_plotted_forecast_and_tabulated(
    analyst: Browser, served: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    assert "Nothing was paid yet" in analyst.get("/console/pace").text
    for place, days in enumerate((20, 10, 2)):
        at = (now - timedelta(days=days)).isoformat(timespec="milliseconds")
        monkeypatch.setattr(journal, "now_text", lambda at=at: at)
        served.ask(f"{COUNT} WHERE coins = {place}", terms={"rho": f"0.02{place}"})
        monkeypatch.undo()
    shown = analyst.get("/console/pace").text
    forecasts = served.send("GET", "/v1/budget", params={"client": "analyst"}).json()["forecasts"]
    (told,) = (each for each in forecasts if (each["client"], each["window"]) == ("analyst", "forever"))
    assert told["of_days"] == 20
    ends = (now + timedelta(days=told["days"])).date().isoformat()
    assert f"used up on <strong>{ends}</strong>" in shown
    assert 'class="ahead"' in shown and f"{ends} (forecast)" in shown
    assert [f">{left:.6g}<" in shown for left in (0.08, 0.059, 0.037)] == [True] * 3


def test_a_burn_down_falls_from_the_cap_to_what_is_left_and_on_to_nothing() -> None:
    found = burn_down([(0.0, 80.0), (50.0, 40.0)], 100.0, 100.0, 200.0)
    assert found.past == "0.00,0.00 0.00,0.00 0.00,20.00 25.00,20.00 25.00,60.00 50.00,60.00"
    assert (found.ahead, found.now) == ("50.00,60.00 100.00,100.00", "50.00")
    assert burn_down([(0.0, 80.0)], 100.0, 10.0, None).ahead == ""
