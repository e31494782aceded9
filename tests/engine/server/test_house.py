"""A query is retried if its worker dies, and counted as failed if it kills workers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from budgets.accounting.failures import OF_A_CLIENT
from engine import Desk
from engine.problems import Refused
from engine.server.service import DEATHS
from engine.server.worker.client import UNHEARD, Heard, WorkerDied
from engine.server.worker.verbs import Clerk, Reply
from tests.support.server.serving import Inhabited, Inside, inhabited
from tests.support.tree import ROOT

COUNT = "SELECT count(*) AS visits FROM visit"


class Dying(Inside):
    """A line whose worker dies under questions, so often, while or before they read data."""

    deaths = 0
    reading = True

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: Heard = UNHEARD) -> Reply:
        if verb == "query" and self.deaths:
            self.deaths -= 1
            if self.reading:
                heard.bucket(0.1)
            raise WorkerDied
        return await super().call(verb, arguments, heard)


@pytest.fixture
def dying(desk: Desk) -> Any:
    with inhabited(desk) as served:
        served.house.line = Dying(Clerk(desk))
        yield served


def dies(served: Inhabited, deaths: int, *, reading: bool = True) -> Any:
    served.house.line.deaths, served.house.line.reading = deaths, reading  # type: ignore[attr-defined]
    return served.ask(COUNT, headers={"Idempotency-Key": f"after {deaths}"})


def test_one_death_is_nothing_to_the_asker(dying: Inhabited) -> None:
    assert dies(dying, 1).status_code == 200


def test_a_question_under_which_workers_die_has_failed(dying: Inhabited, desk: Desk) -> None:
    answer = dies(dying, 2)
    assert (answer.status_code, answer.json()["code"]) == (422, "E_EXEC")
    assert [row["kind"] for row in desk.ledger()].count("failed") == 1


def test_deaths_of_two_requests_for_one_question_add_up(
    dying: Inhabited, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a server that is long about its next worker would let a question kill one each time it is asked."""

    async def late(_: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(Dying, "ready", late)
        assert dies(dying, 1).json()["code"] == "E_BUSY"
    assert dies(dying, 1).json()["code"] == "E_EXEC"
    assert [row["kind"] for row in desk.ledger()].count("failed") == 1


@pytest.mark.parametrize(
    ("unheard", "status"),
    [(WorkerDied(), 503), (Refused({"code": "E_LEDGER", "message": "", "hint": ""}), 503), (OSError("no pipe"), 500)],
)
def test_deaths_are_not_forgotten_before_the_failure_is_recorded(
    dying: Inhabited, desk: Desk, unheard: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a question whose third worker dies, too, would kill three each time that it is asked, and never have failed."""
    call = Dying.call

    async def not_heard(line: Dying, verb: str, *asked: Any) -> Reply:
        if verb == "give_up":
            raise unheard
        return await call(line, verb, *asked)

    with monkeypatch.context() as patched:
        patched.setattr(Dying, "call", not_heard)
        assert dies(dying, 2).status_code == status
    assert "failed" not in [row["kind"] for row in desk.ledger()]
    assert dies(dying, 1).json()["code"] == "E_EXEC"
    assert [row["kind"] for row in desk.ledger()].count("failed") == 1
    assert not dying.house.deaths


def test_the_page_of_limits_tells_of_deaths() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert DEATHS == 2 and re.search(r"two workers that die [^;|]* count as one failure", page)


def test_who_kills_workers_is_frozen(dying: Inhabited) -> None:
    for _ in range(OF_A_CLIENT):
        assert dies(dying, 2).json()["code"] == "E_EXEC"
    assert dies(dying, 0).json()["code"] == "E_FORBIDDEN"


def test_who_was_only_waiting_has_not_failed(dying: Inhabited, desk: Desk) -> None:
    assert dies(dying, 3, reading=False).status_code == 200
    assert dies(dying, 4, reading=False).json()["code"] == "E_BUSY"
    assert "failed" not in [row["kind"] for row in desk.ledger()]


def test_nothing_is_asked_of_a_worker_that_is_not_there(served: Inhabited) -> None:
    class Away(Inside):
        async def call(self, verb: str, arguments: Mapping[str, Any], heard: Heard = UNHEARD) -> Reply:
            raise WorkerDied

    served.house.line = Away(served.house.line.clerk, is_ready=False)  # type: ignore[attr-defined]
    for answer in (served.send("GET", "/v1/budget"), served.send("GET", "/readyz", None), served.ask(COUNT)):
        assert (answer.status_code, answer.json()["code"]) == (503, "E_BUSY")
        assert "retry-after" in answer.headers
    assert served.send("GET", "/healthz", None).status_code == 200, "it lives"
