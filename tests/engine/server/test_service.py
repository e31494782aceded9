"""A query is retried if its worker dies, and counted as failed if it kills workers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from budgets.accounting.accounts import MAX_FAILURES_PER_CLIENT
from engine import Session
from engine.errors import Refused
from engine.server.service import MAX_WORKER_DEATHS
from engine.server.worker.frames import Result
from engine.server.worker.link import NO_CALLBACKS, QueryCallbacks, WorkerDied
from engine.server.worker.verbs import VerbHandler
from tests.support.server.serving import InProcessWorker, TestServer, inhabited
from tests.support.tree import ROOT

COUNT = "SELECT count(*) AS visits FROM visit"


class Dying(InProcessWorker):
    """A line whose worker dies under questions, so often, while or before they read data."""

    deaths = 0
    reading = True

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: QueryCallbacks = NO_CALLBACKS) -> Result:
        if verb == "query" and self.deaths:
            self.deaths -= 1
            if self.reading:
                heard.on_bucket(0.1)
            raise WorkerDied
        return await super().call(verb, arguments, heard)


@pytest.fixture
def dying(session: Session) -> Any:
    with inhabited(session) as served:
        served.house.worker = Dying(VerbHandler(session))
        yield served


def dies(served: TestServer, deaths: int, *, reading: bool = True) -> Any:
    served.house.worker.deaths, served.house.worker.reading = deaths, reading  # type: ignore[attr-defined]
    return served.ask(COUNT, headers={"Idempotency-Key": f"after {deaths}"})


def test_one_worker_death_is_invisible_to_the_client(dying: TestServer) -> None:
    assert dies(dying, 1).status_code == 200


def test_a_query_that_kills_workers_is_recorded_as_failed(dying: TestServer, session: Session) -> None:
    answer = dies(dying, 2)
    assert (answer.status_code, answer.json()["code"]) == (422, "E_EXEC")
    assert [row["kind"] for row in session.ledger()].count("failed") == 1


def test_worker_deaths_of_two_requests_for_one_query_are_summed(
    dying: TestServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a server that is long about its next worker would let a question kill one each time it is asked."""

    async def late(_: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(Dying, "ready", late)
        assert dies(dying, 1).json()["code"] == "E_BUSY"
    assert dies(dying, 1).json()["code"] == "E_EXEC"
    assert [row["kind"] for row in session.ledger()].count("failed") == 1


@pytest.mark.parametrize(
    ("unheard", "status"),
    [(WorkerDied(), 503), (Refused({"code": "E_LEDGER", "message": "", "hint": ""}), 503), (OSError("no pipe"), 500)],
)
def test_worker_deaths_are_remembered_until_the_failure_is_recorded(
    dying: TestServer, session: Session, unheard: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a question whose third worker dies, too, would kill three each time that it is asked, and never have failed."""
    call = Dying.call

    async def lost_call(line: Dying, verb: str, *asked: Any) -> Result:
        if verb == "give_up":
            raise unheard
        return await call(line, verb, *asked)

    with monkeypatch.context() as patched:
        patched.setattr(Dying, "call", lost_call)
        assert dies(dying, 2).status_code == status
    assert "failed" not in [row["kind"] for row in session.ledger()]
    assert dies(dying, 1).json()["code"] == "E_EXEC"
    assert [row["kind"] for row in session.ledger()].count("failed") == 1
    assert not dying.house.deaths


def test_the_page_of_limits_documents_the_death_count() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert MAX_WORKER_DEATHS == 2 and re.search(r"two workers that die [^;|]* count as one failure", page)


def test_a_client_whose_queries_kill_workers_is_frozen(dying: TestServer) -> None:
    for _ in range(MAX_FAILURES_PER_CLIENT):
        assert dies(dying, 2).json()["code"] == "E_EXEC"
    assert dies(dying, 0).json()["code"] == "E_FORBIDDEN"


def test_a_waiting_query_does_not_count_as_failed(dying: TestServer, session: Session) -> None:
    assert dies(dying, 3, reading=False).status_code == 200
    assert dies(dying, 4, reading=False).json()["code"] == "E_BUSY"
    assert "failed" not in [row["kind"] for row in session.ledger()]


def test_no_call_is_sent_without_a_worker(served: TestServer) -> None:
    class Away(InProcessWorker):
        async def call(self, verb: str, arguments: Mapping[str, Any], heard: QueryCallbacks = NO_CALLBACKS) -> Result:
            raise WorkerDied

    served.house.worker = Away(served.house.worker.clerk, is_ready=False)  # type: ignore[attr-defined]
    for answer in (served.send("GET", "/v1/budget"), served.send("GET", "/readyz", None), served.ask(COUNT)):
        assert (answer.status_code, answer.json()["code"]) == (503, "E_BUSY")
        assert "retry-after" in answer.headers
    assert served.send("GET", "/healthz", None).status_code == 200, "it lives"
