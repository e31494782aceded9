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

from engine import Desk
from engine.server.http.problems import Problem
from engine.server.http.roles import Role
from engine.server.service import OF_ONE
from engine.server.worker.gate import Gate
from engine.server.worker.pacing import Pace, PacedEngine
from engine.server.worker.scheduler import Place, QueueFull, Turns
from tests.support.patience import LONGEST, until
from tests.support.server.serving import Inhabited, bearer, inhabited, listening

QUEUE, SHARE, CROWD = 8, 4, 70
REPEATED = "SELECT count(*) AS visits FROM visit"


def fresh(number: int) -> str:
    return f"SELECT count(*) AS visits FROM visit WHERE minutes > {number}.5"


def test_a_client_has_a_share_and_who_has_none_is_let_in() -> None:
    turns = Turns(1, 4.0, queue=6, queue_per_client=4)
    with ExitStack() as places:

        def comes(client: str) -> bool:
            try:
                places.enter_context(turns.queued(client))
            except QueueFull as full:
                assert full.problem["code"] == "E_RATE" and "nothing was charged" in str(full.problem["hint"])
                return False
            return True

        assert [comes("ana") for _ in range(6)] == [True] * 4 + [False] * 2
        assert [comes("ben") for _ in range(3)] == [True, True, False], "the queue is full"
        assert [comes("cora") for _ in range(2)] == [True, False], "but who has none there is let in"
    assert not turns._queued
    assert turns._queued.total() == 0


@contextmanager
def crowded(town_desk: Desk, desk: Desk) -> Iterator[tuple[Inhabited, str, Turns]]:
    """Serve a session whose queue does not move; yields its address, too."""
    pace = Pace(least_seconds=0.001, slots=1, queue=QUEUE, queue_per_client=SHARE)
    engine = PacedEngine.of(replace(town_desk.engine, ledger=desk.engine.ledger), pace)
    with inhabited(replace(town_desk, engine=engine)) as served, listening(served) as address:
        yield served, address, pace.turns


@contextmanager
def asking(address: str, key: str) -> Iterator[Callable[[str], Future[httpx2.Response]]]:
    """Send questions, each of a thread of its own."""
    with (
        ThreadPoolExecutor(CROWD) as threads,
        httpx2.Client(base_url=address, timeout=LONGEST, headers=bearer(key)) as c,
    ):
        yield lambda sql: threads.submit(c.post, "/v1/queries", json={"sql": sql, "rho": "0.0001"})


def test_a_crowd_of_one_client_refuses_no_free_answer_and_no_first_question(town_desk: Desk, desk: Desk) -> None:
    """The queue was one for all: 70 requests of one client, and another's repeats were refused, 30 of 30."""
    with crowded(town_desk, desk) as (served, address, turns):
        ben = served.house.keys.make("ben", Role.ANALYST, by="test", days=1)["key"]
        with httpx2.Client(base_url=address, timeout=LONGEST, headers=bearer(ben)) as other:
            bought = other.post("/v1/queries", json={"sql": REPEATED}).json()["rows"]
            with asking(address, served.keys[Role.ANALYST]) as ask, ExitStack() as held:
                held.enter_context(turns.turn(Place("dan", "holds it"), 1.0))
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
                until(lambda: turns._queued["ben"] == 1)
                held.close()
                assert first.result(LONGEST).status_code == 200
                assert [each.result().status_code for each in asked].count(200) == SHARE
        until(lambda: not turns._queued)


def ask_in_a_thread(client: httpx2.Client, sql: str) -> Future[httpx2.Response]:
    asked: Future[httpx2.Response] = Future()

    def send() -> None:
        asked.set_result(client.post("/v1/queries", json={"sql": sql, "rho": "0.0001"}))

    threading.Thread(target=send, daemon=True).start()
    return asked


def test_jobs_wait_elsewhere_and_are_not_refused(town_desk: Desk, desk: Desk) -> None:
    with crowded(town_desk, desk) as (served, _, turns), ExitStack() as held:
        held.enter_context(turns.turn(Place("dan", "holds it"), 1.0))
        started = [served.ask(fresh(n), headers={"Prefer": "respond-async"}).json()["id"] for n in range(SHARE + 2)]
        until(lambda: len(turns._waiting) == SHARE + 2)
        assert not turns._queued
        held.close()
        until(lambda: all(served.send("GET", f"/v1/jobs/{each}").json()["state"] == "done" for each in started))


def test_of_one_client_few_are_read_and_priced_at_once() -> None:
    async def seen() -> None:
        gate, inside, go_on = Gate(100, OF_ONE), list[str](), asyncio.Event()

        async def call(client: str) -> None:
            async with gate.passing(client):
                inside.append(client)
                await go_on.wait()

        tasks = [asyncio.create_task(call(client)) for client in ["ana"] * 9 + ["ben"] * 3]
        await asyncio.sleep(0.01)
        assert sorted(inside) == ["ana"] * OF_ONE + ["ben"] * OF_ONE
        go_on.set()
        await asyncio.gather(*tasks)
        assert len(inside) == 12 and not gate._inside and not gate._waiting

    asyncio.run(seen())


def test_who_is_priced_lets_the_next_one_in_and_who_is_withdrawn_before_is_not_charged() -> None:
    async def seen() -> None:
        gate = Gate(100, 1)
        async with gate.passing("ana", "one") as leave:
            second = asyncio.create_task(_pass(gate, "two"))
            third = asyncio.create_task(_pass(gate, "three"))
            await asyncio.sleep(0.01)
            assert not second.done()
            gate.withdraw("ana", "two")
            with pytest.raises(Problem) as no:
                await second
            assert no.value.told["code"] == "E_STATE" and "nothing was charged" in no.value.told["message"]
            leave()
            leave()  # told twice, it has left once
            await third
        assert not gate._inside and not gate._waiting

    async def _pass(gate: Gate, name: str) -> None:
        async with gate.passing("ana", name):
            pass

    asyncio.run(seen())


def test_rehearsals_have_shares_too(desk: Desk) -> None:
    asked: dict[str, Any] = {"json": {"sql": REPEATED}}
    with inhabited(desk, queue=2, queue_per_client=2) as served:
        limits = served.house.limits
        with limits.long_call("ben"), limits.long_call("ben"):
            with pytest.raises(Problem), limits.long_call("ben"):
                pass
            assert served.send("POST", "/v1/rehearse", **asked).status_code == 200, "who has none there is let in"
        assert not limits._asking
