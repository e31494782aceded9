"""One client's crowd blocks nobody: shares of the queue, and free answers bypass it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from engine import Session
from engine.server.http.problems import Problem
from engine.server.http.roles import Role
from engine.server.service import MAX_ADMITTED_PER_CLIENT
from engine.server.worker.admission import AdmissionControl
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from engine.server.worker.scheduler import QueuedQuery, QueueFull, Scheduler
from tests.support.server.serving import TestServer, bearer, inhabited, listening
from tests.support.timeouts import MAX_SECONDS, until

QUEUE, SHARE, CROWD = 8, 4, 70
REPEATED = "SELECT count(*) AS visits FROM visit"


def fresh(number: int) -> str:
    return f"SELECT count(*) AS visits FROM visit WHERE minutes > {number}.5"


def test_clients_have_a_queue_share_and_new_ones_are_admitted() -> None:
    turns = Scheduler(1, 4.0, queue=6, queue_per_client=4)
    with ExitStack() as places:

        def comes(client: str) -> bool:
            try:
                places.enter_context(turns.places.hold(client))
            except QueueFull as full:
                assert full.problem["code"] == "E_RATE" and "nothing was charged" in str(full.problem["hint"])
                return False
            return True

        assert [comes("ana") for _ in range(6)] == [True] * 4 + [False] * 2
        assert [comes("ben") for _ in range(3)] == [True, True, False], "the queue is full"
        assert [comes("cora") for _ in range(2)] == [True, False], "but who has none there is let in"
    assert not turns.places._taken
    assert turns.places._taken.total() == 0


@contextmanager
def crowded(town_session: Session, session: Session) -> Iterator[tuple[TestServer, str, Scheduler]]:
    """Serve a session whose queue does not move; yields its address, too."""
    pace = ResponsePacing(least_seconds=0.001, slots=1, queue=QUEUE, queue_per_client=SHARE)
    engine = PacedEngine.of(replace(town_session.engine, ledger=session.engine.ledger), pace)
    with inhabited(replace(town_session, engine=engine)) as served, listening(served) as address:
        yield served, address, pace.scheduler


@contextmanager
def asking(address: str, key: str) -> Iterator[Callable[[str], Future[httpx2.Response]]]:
    """Send questions, each of a thread of its own."""
    with (
        ThreadPoolExecutor(CROWD) as threads,
        httpx2.Client(base_url=address, timeout=MAX_SECONDS, headers=bearer(key)) as c,
    ):
        yield lambda sql: threads.submit(c.post, "/v1/queries", json={"sql": sql, "rho": "0.0001"})


def test_a_crowded_queue_of_one_client_blocks_no_free_or_first_query(town_session: Session, session: Session) -> None:
    """The queue was one for all: 70 requests of one client, and another's repeats were refused, 30 of 30."""
    with crowded(town_session, session) as (served, address, turns):
        ben = served.house.keys.make("ben", Role.ANALYST, by="test", days=1)["key"]
        with httpx2.Client(base_url=address, timeout=MAX_SECONDS, headers=bearer(ben)) as other:
            bought = other.post("/v1/queries", json={"sql": REPEATED}).json()["rows"]
            with asking(address, served.keys[Role.ANALYST]) as ask, ExitStack() as held:
                held.enter_context(turns.hold_slot(QueuedQuery("dan", "holds it"), 1.0))
                asked = [ask(fresh(number)) for number in range(CROWD)]
                until(lambda: sum(each.done() for each in asked) == CROWD - SHARE)
                refused = [each.result() for each in asked if each.done()]
                assert {(each.status_code, each.json()["code"]) for each in refused} == {(429, "E_RATE")}
                assert all("retry-after" in each.headers for each in refused)
                for number in range(30):
                    again = {"Idempotency-Key": f"tile {number}"} if number % 2 else {}
                    answer = other.post("/v1/queries", json={"sql": REPEATED}, headers=again)
                    assert (answer.status_code, answer.json().get("rows")) == (200, bought)
                for path in ("/v1/budget", "/v1/tables", "/v1/functions", "/v1/history"):
                    assert other.get(path).status_code == 200
                assert other.post("/v1/explain", json={"sql": fresh(99)}).status_code == 200
                first = ask_in_a_thread(other, fresh(98))
                until(lambda: turns.places._taken["ben"] == 1)
                held.close()
                assert first.result(MAX_SECONDS).status_code == 200
                assert [each.result().status_code for each in asked].count(200) == SHARE
        until(lambda: not turns.places._taken)


def ask_in_a_thread(client: httpx2.Client, sql: str) -> Future[httpx2.Response]:
    asked: Future[httpx2.Response] = Future()

    def send() -> None:
        asked.set_result(client.post("/v1/queries", json={"sql": sql, "rho": "0.0001"}))

    threading.Thread(target=send, daemon=True).start()
    return asked


def test_jobs_are_queued_separately_and_not_refused(town_session: Session, session: Session) -> None:
    with crowded(town_session, session) as (served, _, turns), ExitStack() as held:
        held.enter_context(turns.hold_slot(QueuedQuery("dan", "holds it"), 1.0))
        started = [served.ask(fresh(n), headers={"Prefer": "respond-async"}).json()["id"] for n in range(SHARE + 2)]
        until(lambda: len(turns._waiting) == SHARE + 2)
        assert not turns.places._taken
        held.close()
        until(lambda: all(served.send("GET", f"/v1/jobs/{each}").json()["state"] == "done" for each in started))


def test_concurrent_pricing_per_client_is_limited() -> None:
    async def seen() -> None:
        gate, inside, go_on = AdmissionControl(100, MAX_ADMITTED_PER_CLIENT), list[str](), asyncio.Event()

        async def call(client: str) -> None:
            async with gate.admitted(client):
                inside.append(client)
                await go_on.wait()

        tasks = [asyncio.create_task(call(client)) for client in ["ana"] * 9 + ["ben"] * 3]
        await asyncio.sleep(0.01)
        assert sorted(inside) == ["ana"] * MAX_ADMITTED_PER_CLIENT + ["ben"] * MAX_ADMITTED_PER_CLIENT
        go_on.set()
        await asyncio.gather(*tasks)
        assert len(inside) == 12 and not gate._admitted and not gate._waiting

    asyncio.run(seen())


def test_a_priced_query_frees_its_place_and_a_withdrawn_one_is_not_charged() -> None:
    async def seen() -> None:
        gate = AdmissionControl(100, 1)
        async with gate.admitted("ana", "one") as leave:
            second = asyncio.create_task(_pass(gate, "two"))
            third = asyncio.create_task(_pass(gate, "three"))
            await asyncio.sleep(0.01)
            assert not second.done()
            gate.withdraw("ana", "two")
            with pytest.raises(Problem) as no:
                await second
            assert no.value.problem["code"] == "E_STATE" and "nothing was charged" in no.value.problem["message"]
            leave()
            leave()  # told twice, it has left once
            await third
        assert not gate._admitted and not gate._waiting

    async def _pass(gate: AdmissionControl, name: str) -> None:
        async with gate.admitted("ana", name):
            pass

    asyncio.run(seen())


def test_rehearsals_have_shares_too(session: Session) -> None:
    asked: dict[str, Any] = {"json": {"sql": REPEATED}}
    with inhabited(session, queue=2, queue_per_client=2) as served:
        limits = served.house.limits
        with limits.long_call("ben"), limits.long_call("ben"):
            with pytest.raises(QueueFull), limits.long_call("ben"):
                pass
            assert served.send("POST", "/v1/rehearse", **asked).status_code == 200, "who has none there is let in"
        assert not limits._long_calls._taken
