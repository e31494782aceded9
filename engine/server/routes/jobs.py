"""Jobs: queries that outlive their request. Durable, resumed after a restart, charged once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from budgets import LedgerError
from engine.problems import Refused
from engine.server.auth.keys import new_id
from engine.server.http.problems import STATUSES, Problem, shape
from engine.server.service import House
from engine.server.storage import Row, later_text, now_text
from engine.server.telemetry import log
from engine.server.worker.gate import Gate

UNFINISHED = ("queued", "running")
STATES = (*UNFINISHED, "done", "refused", "cancelled")
LOOKED_AFTER = 0.5  # interval of checking that the worker is ready, or the tables are writable
ROUNDS = 3  # tries of a job whose worker dies before it reads data; then it is refused
ANEW = "the same question under a new Idempotency-Key; what was charged is not charged again"


Clock = list[tuple[float, float]]  # (start, seconds) of each bucket that began
Begun = tuple[asyncio.Task[bytes], Clock]


def ticking(clock: Clock) -> Callable[[float], None]:
    """Return a callback that records when a bucket begins, and its length."""
    return lambda seconds: clock.append((time.monotonic(), seconds))


@dataclass
class Jobs:
    """The jobs of one server."""

    house: House
    gate: Gate = field(default_factory=Gate)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _clocks: dict[str, Clock] = field(default_factory=dict)

    async def hand_in(
        self, client: str, request_id: str | None, arguments: dict[str, Any], begun: Begun | None = None
    ) -> Row:
        """Create a job, or find the one of this request id, and run it unless it runs already. Raises Problem."""
        body = json.dumps({key: value for key, value in arguments.items() if key != "request_id"}, sort_keys=True)
        known = await run_in_threadpool(self._known_or_new, client, request_id, body)
        if known["body"] != body:
            why = f"Request id {known['request_id']!r} was used for another question."
            raise Problem("E_IDEMPOTENCY", why, "a new Idempotency-Key for a new question")
        if known["id"] not in self._tasks and known["state"] in UNFINISHED:
            self._begin(known, begun)
        return known

    def _known_or_new(self, client: str, request_id: str | None, body: str) -> Row:
        books, name = self.house.books, new_id()
        known = None if request_id is None else books.job(client=client, request_id=request_id)
        if known is not None:
            return known
        self._forget()
        row = {
            "id": name,
            "client": client,
            "request_id": request_id or f"job-{name}",
            "body": body,
            "state": "queued",
            "made_at": now_text(),
        }
        most = self.house.settings.jobs_per_client
        if not books.add_job(row, beside=UNFINISHED, most=most):
            why, cure = f"{most} of your jobs are not finished yet.", "the same when one has ended; nothing was charged"
            raise Problem("E_RATE", why, cure, headers={"Retry-After": "2"})
        made = books.job(client=client, request_id=row["request_id"])
        assert made is not None  # noqa: S101  just written, here or by another server
        return made

    async def go_on(self, client: str, name: str, arguments: dict[str, Any], begun: Begun) -> Row:
        """Turn a running query into a job; beyond the limit of jobs it is withdrawn. Raises Problem.

        It may be charged or running by now. Neither is revealed, and repeating it costs nothing more.
        """
        try:
            return await self.hand_in(client, name, arguments, begun)
        except Problem as no:
            if no.told["code"] != "E_RATE":
                raise
            await self.house.withdraw(client, name)
            why = f"{no.told['message'][:-1]}, and this question took longer than you waited."
            cure = "the same when one has ended; what was charged for it is not charged again"
            raise Problem("E_RATE", why, cure, headers=no.headers) from None

    async def resume(self) -> None:
        """Restart the jobs that were unfinished when the server ended; delete old ones."""
        await run_in_threadpool(self._forget)
        for row in await run_in_threadpool(self.house.books.jobs_in, *UNFINISHED):
            self._begin(row)

    async def listed(self, client: str) -> list[dict[str, Any]]:
        """Wire shapes of a client's jobs, oldest first."""
        return [self.told(row) for row in await run_in_threadpool(self.house.books.jobs_in, *STATES, client=client)]

    async def find(self, client: str, job_id: str) -> Row:
        """Find a client's own job; another client's counts as missing. Raises Problem with E_NOT_FOUND."""
        row = await run_in_threadpool(self.house.books.job, id=job_id)
        if row is None or row["client"] != client:
            raise Problem("E_NOT_FOUND", "You have no job of this id.", "an id that POST /v1/queries gave you")
        return row

    async def cancel(self, client: str, job_id: str) -> Row:
        """Cancel a job, and withdraw its query from the queue. Its charge stays, so that repeating it is free.

        A query that reads data already continues to the end of its bucket and is stored, so that nobody can see when it
        ended.
        """
        known = await self.find(client, job_id)
        let_go = {"state": "cancelled", "ended_at": now_text()}
        if await run_in_threadpool(self.house.books.change_job, job_id, only_in=UNFINISHED, **let_go):
            await self.house.withdraw(client, known["request_id"])
        return await self.find(client, job_id)

    def told(self, row: Row) -> dict[str, Any]:
        """Wire shape of a job. Its progress is that of a public clock."""
        names = ("id", "state", "request_id", "made_at", "ended_at")
        problem = None if row["problem"] is None else json.loads(row["problem"])
        return {**{name: row[name] for name in names}, "progress": self._progress(row), "problem": problem}

    def _forget(self) -> None:
        """Delete old jobs with their answers; the ledger still replays those for free."""
        self.house.books.forget_jobs(later_text(days=-self.house.settings.job_days))

    def _progress(self, row: Row) -> float:
        if row["state"] not in UNFINISHED:
            return 1.0
        for begun, seconds in self._clocks.get(row["id"], [])[-1:]:
            return round(min(0.99, (time.monotonic() - begun) / seconds), 2)
        return 0.0

    def _begin(self, row: Row, begun: Begun | None = None) -> None:
        self._tasks[row["id"]] = task = asyncio.create_task(self._run(row, begun))
        task.add_done_callback(lambda _: self._tasks.pop(row["id"], None))

    async def _run(self, row: Row, begun: Begun | None) -> None:
        clock = self._clocks[row["id"]] = begun[1] if begun else []
        try:
            ended = await self._outcome(row, begun, clock)
            if ended is not None:
                await self._change(row["id"], **ended, ended_at=now_text())
        finally:
            self._clocks.pop(row["id"], None)
        log.info("job ended", job=row["id"])

    async def _outcome(self, row: Row, begun: Begun | None, clock: Clock) -> dict[str, Any] | None:
        """Run a job to its end, and return what to store; None if it was cancelled before it began."""
        for _ in range(ROUNDS):
            try:
                rows = await (self._ask(row, clock) if begun is None else self._follow(row, begun))
                return None if rows is None else {"state": "done", "rows": rows}
            except (Refused, Problem) as refused:
                told = refused.problem if isinstance(refused, Refused) else refused.told
                if told["code"] != "E_BUSY":
                    return self._refused(told)
                begun = None
            except Exception as failure:
                log.error("job failed", job=row["id"], kind=type(failure).__name__)
                break
        return self._refused(Problem("E_SERVER", "The server could not do this.", ANEW).told)

    async def _ask(self, row: Row, clock: Clock) -> bytes | None:
        """Run the query once a worker is ready and the job is admitted; None if it was cancelled meanwhile."""
        while not self.house.line.is_ready:
            await asyncio.sleep(LOOKED_AFTER)
        async with self.gate.passing(row["client"]):
            if not await self._change(row["id"], state="running"):
                return None
            asked = {**json.loads(row["body"]), "request_id": row["request_id"]}
            return await self.house.ask(asked, ticking(clock), row["request_id"], is_job=True)

    async def _follow(self, row: Row, begun: Begun) -> bytes:
        await self._change(row["id"], state="running")
        return await begun[0]

    async def _change(self, job_id: str, **changes: str | bytes) -> bool:
        """Update an unfinished job, retrying until the tables are writable; return whether it was unfinished."""
        while True:
            try:
                return await run_in_threadpool(self.house.books.change_job, job_id, only_in=UNFINISHED, **changes)
            except LedgerError:
                log.warning("a job waits for the books", job=job_id)
                await asyncio.sleep(LOOKED_AFTER)

    def _refused(self, told: Mapping[str, Any]) -> dict[str, Any]:
        self.house.metrics.refused(told["code"])
        return {"state": "refused", "problem": json.dumps(shape(told, STATUSES.get(told["code"], 500)))}
