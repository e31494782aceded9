"""The console's page of objections: what is recorded, and how many there are as a noisy number alone."""

from __future__ import annotations

import re

import pytest

from engine.server.http.roles import Role
from tests.support.server.serving import TestServer
from tests.support.server.visiting import visitors


def test_an_objection_is_recorded_and_a_figure_released(served: TestServer) -> None:
    found = visitors(served, Role.STEWARD, Role.AUDITOR)
    steward, auditor = found[Role.STEWARD], found[Role.AUDITOR]
    reason = "letter of 3 October"
    assert steward.post("/console/objections/record", person="17", reason=reason).status_code == 303
    assert steward.post("/console/objections/withdraw", person="17", reason="a call").status_code == 303
    shown = auditor.get("/console/objections").text
    assert reason in shown and ">withdraw<" in shown and ">17<" not in shown and "None was released yet" in shown
    for _ in range(2):
        assert steward.post("/console/objections/figure", rho="0.001").status_code == 303
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
    steward = visitors(served, Role.STEWARD)[Role.STEWARD]
    answer = steward.post(f"/console/objections/{action}", **form)
    assert answer.status_code == status and re.search(r"<strong>E_\w+</strong>", answer.text)
    assert served.send("GET", "/v1/admin/objections/figures", Role.STEWARD).json() == []
