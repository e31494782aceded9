"""Jobs end for any failure of tables, worker or server; none is left counting against its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import pytest

from budgets import LedgerUnavailable
from engine.server.auth.keys import Keys
from engine.server.http.problems import Problem
from engine.server.routes import jobs as jobs_module
from engine.server.routes.jobs import MAX_ROUNDS, UNFINISHED, Jobs
from engine.server.service import MAX_TRIES, Service
from engine.server.settings import Settings
from engine.server.storage import ServerTables
from engine.server.worker.admission import AdmissionControl
from engine.server.worker.frames import Result
from engine.server.worker.link import WorkerDied
from tests.support.server.serving import PEPPER, blank_books

QUESTION = {"sql": "SELECT 1", "client": "ana"}
DEAD = [WorkerDied()] * MAX_TRIES  # as often as one question is tried


class Scripted:
    """A line at which questions come to these ends, one after the other."""

    def __init__(self, *ends: Exception | bytes) -> None:
        self.is_ready, self.restarts, self._ends = True, 0, list(ends)
        self.asked: list[Mapping[str, Any]] = []
        self.at_once = self.most_at_once = 0
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def ready(self) -> None:
        """Be ready."""

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: object = None) -> Result:
        if verb != "query":
            return False
        self.asked.append(arguments)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await self.let_go.wait()
        self.at_once -= 1
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
def books() -> Iterator[ServerTables]:
    with blank_books() as kept:
        yield kept


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "POLL_SECONDS", 0.001)


def run(books: ServerTables, line: Scripted, use: Callable[[Jobs], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Use the jobs of a server that has such a line."""
    asyncio.run(use(Jobs(Service(Settings(**settings), books, Keys(books, PEPPER), line), AdmissionControl(2))))


async def ended(jobs: Jobs) -> None:
    while jobs._tasks:
        await asyncio.gather(*jobs._tasks.values())


@pytest.mark.parametrize(
    ("ends", "state", "code"),
    [
        ([KeyError("k")], "refused", "E_SERVER"),
        ([*DEAD, b"rows"], "done", None),
        (DEAD * MAX_ROUNDS, "refused", "E_SERVER"),
    ],
    ids=["a defect", "a worker that was not there", "workers that always die"],
)
def test_a_job_comes_to_an_end(
    books: ServerTables, ends: list[Exception | bytes], state: str, code: str | None
) -> None:
    async def use(jobs: Jobs) -> None:
        row = await jobs.submit("ana", None, QUESTION)
        await ended(jobs)
        told = jobs.wire_shape(await jobs.find("ana", row["id"]))
        assert (told["state"], told["problem"] and told["problem"]["code"]) == (state, code)
        assert told["ended_at"] is not None
        await jobs.submit("ana", None, QUESTION)  # which is no second one

    run(books, Scripted(*ends, b"rows"), use, jobs_per_client=1)


@pytest.mark.parametrize("state", ["running", "done"])
def test_job_states_are_written_after_a_transient_table_failure(
    books: ServerTables, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose end could not be written was running for ever, and one of its client's eight."""
    fails, change = [3], ServerTables.update_job

    def change_job(kept: ServerTables, job_id: str, **changes: Any) -> bool:
        if changes["state"] == state and fails[0]:
            fails[0] -= 1
            raise LedgerUnavailable("The disk is full.", "room")
        return change(kept, job_id, **changes)

    monkeypatch.setattr(ServerTables, "update_job", change_job)

    async def use(jobs: Jobs) -> None:
        row = await jobs.submit("ana", None, QUESTION)
        await ended(jobs)
        found = await jobs.find("ana", row["id"])
        assert (found["state"], bytes(found["rows"]), fails) == ("done", b"rows", [0])

    run(books, Scripted(b"rows"), use)


def test_a_job_cancelled_before_a_worker_starts_never_runs(books: ServerTables) -> None:
    line = Scripted(b"rows")
    line.is_ready = False

    async def use(jobs: Jobs) -> None:
        row = await jobs.submit("ana", None, QUESTION)
        await jobs.cancel("ana", row["id"])
        line.is_ready = True
        await ended(jobs)
        assert (await jobs.find("ana", row["id"]))["state"] == "cancelled"

    run(books, line, use)
    assert not line.asked


def test_a_job_that_ends_during_cancellation_leaves_the_queue_intact(
    books: ServerTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the line under its name by then is the same client's next request, of the same Idempotency-Key."""
    change, withdrawn = ServerTables.update_job, list[str]()

    def done_before(kept: ServerTables, job_id: str, **changes: Any) -> bool:
        if changes["state"] == "cancelled":
            change(kept, job_id, only_in=("queued", "running"), state="done")
        return change(kept, job_id, **changes)

    async def withdraw(_: Service, client: str, name: str) -> None:
        withdrawn.append(name)

    monkeypatch.setattr(Service, "withdraw", withdraw)
    line = Scripted()
    line.is_ready = False

    async def use(jobs: Jobs) -> None:
        row, other = [await jobs.submit("ana", name, QUESTION) for name in ("one", "other")]
        await jobs.cancel("ana", other["id"])
        assert withdrawn == ["other"]
        monkeypatch.setattr(ServerTables, "update_job", done_before)
        assert (await jobs.cancel("ana", row["id"]))["state"] == "done"
        assert withdrawn == ["other"]

    run(books, line, use)


def test_jobs_that_are_resumed_do_not_all_come_to_the_worker_at_once(books: ServerTables) -> None:
    many = 8
    line = Scripted(*[b"rows"] * many)
    line.is_ready = False

    async def use(jobs: Jobs) -> None:
        for _ in range(many):
            await jobs.submit("ana", None, QUESTION)
        for task in list(jobs._tasks.values()):
            task.cancel()
        await asyncio.gather(*jobs._tasks.values(), return_exceptions=True)
        line.is_ready = True
        line.let_go.clear()
        await jobs.resume()
        while line.at_once < 2:
            await asyncio.sleep(0.001)
        assert sorted(told["state"] for told in await jobs.listed("ana")) == ["queued"] * 6 + ["running"] * 2
        line.let_go.set()
        await ended(jobs)
        assert {told["state"] for told in await jobs.listed("ana")} == {"done"}

    run(books, line, use)
    assert (len(line.asked), line.most_at_once) == (many, 2)


def test_the_job_limit_per_client_holds_for_simultaneous_submissions(books: ServerTables) -> None:
    async def use(jobs: Jobs) -> None:
        handed = [jobs.submit("ana", None, QUESTION) for _ in range(6)]
        told = await asyncio.gather(*handed, return_exceptions=True)
        assert sum(isinstance(each, Exception) for each in told) == 4
        for task in list(jobs._tasks.values()):
            task.cancel()

    line = Scripted()
    line.is_ready = False
    run(books, line, use, jobs_per_client=2)


def test_servers_of_one_ledger_count_a_client_s_jobs_together(
    books: ServerTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counted, forgot old jobs, and wrote: what another wrote in between was not counted."""
    forget = ServerTables.delete_old_jobs

    def slowly(kept: ServerTables, before: str) -> None:
        forget(kept, before)
        time.sleep(0.05)

    monkeypatch.setattr(ServerTables, "delete_old_jobs", slowly)

    async def use(jobs: Jobs) -> None:
        other = Jobs(jobs.service, AdmissionControl(2))
        handed = [each.submit("ana", None, QUESTION) for each in (jobs, other) for _ in range(5)]
        told = await asyncio.gather(*handed, return_exceptions=True)
        refused = [each for each in told if isinstance(each, Problem)]
        assert (len(refused), {each.problem["code"] for each in refused}) == (7, {"E_RATE"})
        assert len(await asyncio.to_thread(books.jobs_in_states, *UNFINISHED, client="ana")) == 3
        for task in (*jobs._tasks.values(), *other._tasks.values()):
            task.cancel()

    line = Scripted()
    line.is_ready = False
    run(books, line, use, jobs_per_client=3)
