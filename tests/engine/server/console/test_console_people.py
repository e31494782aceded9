"""The console's page of objections: what is recorded, and how many there are as a noisy number alone."""

from __future__ import annotations

import re

import pytest

from engine.api.admin import Admin
from engine.server.http.roles import Role
from tests.support.server.serving import TestServer
from tests.support.server.visiting import visitors


def test_an_objection_is_recorded_and_a_figure_released(served: TestServer) -> None:
    found = visitors(served, Role.STEWARD, Role.AUDITOR, Role.ADMIN)
    steward, auditor, admin = found[Role.STEWARD], found[Role.AUDITOR], found[Role.ADMIN]
    reason = "letter of 3 October"
    assert steward.post("/console/objections/record", person="17", reason=reason).status_code == 303
    assert steward.post("/console/objections/withdraw", person="17", reason="a call").status_code == 303
    shown = auditor.get("/console/objections").text
    assert reason in shown and ">withdraw<" in shown and ">17<" not in shown and "None was released yet" in shown
    assert "Release a figure" not in steward.get("/console/objections").text
    assert steward.post("/console/objections/figure", rho="0.001").status_code == 403  # it spends everybody's budget
    assert "Release a figure" in admin.get("/console/objections").text
    for _ in range(2):
        assert admin.post("/console/objections/figure", rho="0.001").status_code == 303
    (figure,) = served.send("GET", "/v1/admin/objections/figures", Role.AUDITOR).json()
    shown = auditor.get("/console/objections").text
    assert f">{figure['low']} to {figure['high']}<" in shown and 'action="/console/objections' not in shown
    charged = served.send("GET", "/v1/budget", Role.ADMIN).json()["accounts"]
    assert [row["spent_rho"] for row in charged if row["client"] is None] == [0.001]
    assert not any(row["spent_rho"] for row in charged if row["client"] is not None)


@pytest.mark.parametrize(
    ("action", "form", "status"),
    [
        ("figure", {"rho": "0.5"}, 402),
        ("figure", {}, 400),
        ("figure", {"rho": "x"}, 400),
        ("record", {"person": "17", "reason": "17 asked"}, 400),
        ("nothing", {}, 404),
    ],
)
def test_a_refused_objection_changes_nothing(
    served: TestServer, action: str, form: dict[str, str], status: int
) -> None:
    admin = visitors(served, Role.ADMIN)[Role.ADMIN]
    answer = admin.post(f"/console/objections/{action}", **form)
    assert answer.status_code == status and re.search(r"<strong>E_\w+</strong>", answer.text)
    assert served.send("GET", "/v1/admin/objections/figures", Role.STEWARD).json() == []


def _requested(served: TestServer) -> int:
    return int(served.send("POST", "/v1/admin/topups", json={"rho": "0.1", "reason": "more"}).json()["request"])


def _record(served: TestServer, *persons: int) -> None:
    for person in persons:
        body = {"person": str(person), "reason": "a letter"}
        assert served.send("POST", "/v1/admin/objections", Role.STEWARD, json=body).status_code == 201


def test_numbers_of_top_ups_do_not_count_objections(served: TestServer) -> None:
    assert served.ask("SELECT count(*) AS n FROM visit").status_code == 200
    first = _requested(served)
    _record(served, 17, 18, 19)
    second = _requested(served)
    assert second == first + 1
    path = "/v1/admin/topups/{}/approve"
    assert served.send("POST", path.format(second), Role.ADMIN, json={"reason": "fine"}).status_code == 200
    assert served.send("POST", path.format(second), Role.ADMIN, json={"reason": "fine"}).status_code == 400
    shown = served.send("GET", "/v1/admin/topups").json()
    assert [(row["request"], row["state"]) for row in shown] == [(first, "open"), (second, "approved")]


def test_a_number_of_the_ledger_s_row_is_found(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a request has the number of its row in the ledger."""

    def planted(admin: Admin) -> list[int]:
        rows = [top_up.id for top_up in admin.ledger.top_ups()]
        return [row if row in rows else 0 for row in range(1, max(rows) + 1)]

    monkeypatch.setattr(Admin, "_top_up_ids", planted)
    assert served.ask("SELECT count(*) AS n FROM visit").status_code == 200
    first = _requested(served)
    assert served.ask("SELECT count(*) AS n FROM visit WHERE minutes < 11").status_code == 200
    assert _requested(served) > first + 1
