"""Jobs: queries that outlive their request. Durable, resumed after a restart, charged once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from budgets import LedgerError
from engine.errors import Refused
from engine.server.auth.keys import new_id
from engine.server.http.problems import Problem, problem_body
from engine.server.service import Service
from engine.server.storage import Row, later_text, now_text
from engine.server.telemetry import log
from engine.server.worker.admission import AdmissionControl

UNFINISHED = ("queued", "running")
STATES = (*UNFINISHED, "done", "refused", "cancelled")
POLL_SECONDS = 0.5  # interval of checking that the worker is ready, or the tables are writable
MAX_ROUNDS = 3  # tries of a job whose worker dies before it reads data; then it is refused
RETRY_HINT = "the same question under a new Idempotency-Key; what was charged is not charged again"


BucketClock = list[tuple[float, float]]  # (start, seconds) of each bucket that began
RunningQuery = tuple[asyncio.Task[bytes], BucketClock]


def clock_callback(clock: BucketClock) -> Callable[[float], None]:
    """Return a callback that records when a bucket begins, and its length."""
    return lambda seconds: clock.append((time.monotonic(), seconds))


@dataclass
class Jobs:
    """The jobs of one server."""

    service: Service
    admission: AdmissionControl = field(default_factory=AdmissionControl)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _clocks: dict[str, BucketClock] = field(default_factory=dict)

    async def submit(
        self, client: str, request_id: str | None, arguments: dict[str, Any], running: RunningQuery | None = None
    ) -> Row:
        """Create a job, or find the one of this request id, and run it unless it runs already. Raises Problem."""
        body = json.dumps({key: value for key, value in arguments.items() if key != "request_id"}, sort_keys=True)
        job = await run_in_threadpool(self._find_or_create, client, request_id, body)
        if job["body"] != body:
            why = f"Request id {job['request_id']!r} was used for another question."
            raise Problem("E_IDEMPOTENCY", why, "a new Idempotency-Key for a new question")
        if job["id"] not in self._tasks and job["state"] in UNFINISHED:
            self._start(job, running)
        return job

    def _find_or_create(self, client: str, request_id: str | None, body: str) -> Row:
        tables, name = self.service.tables, new_id()
        known = None if request_id is None else tables.job(client=client, request_id=request_id)
        if known is not None:
            return known
        self._delete_old()
        row = {
            "id": name,
            "client": client,
            "request_id": request_id or f"job-{name}",
            "body": body,
            "state": "queued",
            "made_at": now_text(),
        }
        most = self.service.settings.jobs_per_client
        if not tables.add_job(row, counted_states=UNFINISHED, max_count=most):
            why, cure = f"{most} of your jobs are not finished yet.", "the same when one has ended; nothing was charged"
            raise Problem("E_RATE", why, cure)
        made = tables.job(client=client, request_id=row["request_id"])
        assert made is not None  # noqa: S101  just written, here or by another server
        return made

    async def continue_as_job(self, client: str, name: str, arguments: dict[str, Any], running: RunningQuery) -> Row:
        """Turn a running query into a job; beyond the limit of jobs it is withdrawn. Raises Problem.

        It may be charged or running by now. Neither is revealed, and repeating it costs nothing more.
        """
        try:
            return await self.submit(client, name, arguments, running)
        except Problem as error:
            if error.problem["code"] != "E_RATE":
                raise
            await self.service.withdraw(client, name)
            why = f"{error.problem['message'][:-1]}, and this question took longer than you waited."
            cure = "the same when one has ended; what was charged for it is not charged again"
            raise Problem("E_RATE", why, cure) from None

    async def resume(self) -> None:
        """Restart the jobs that were unfinished when the server ended; delete old ones."""
        await run_in_threadpool(self._delete_old)
        for row in await run_in_threadpool(self.service.tables.jobs_in_states, *UNFINISHED):
            self._start(row)

    async def listed(self, client: str) -> list[dict[str, Any]]:
        """Wire shapes of a client's jobs, oldest first."""
        return [
            self.wire_shape(row)
            for row in await run_in_threadpool(self.service.tables.jobs_in_states, *STATES, client=client)
        ]

    async def find(self, client: str, job_id: str) -> Row:
        """Find a client's own job; another client's counts as missing. Raises Problem with E_NOT_FOUND."""
        row = await run_in_threadpool(self.service.tables.job, id=job_id)
        if row is None or row["client"] != client:
            raise Problem("E_NOT_FOUND", "You have no job of this id.", "an id that POST /v1/queries gave you")
        return row

    async def cancel(self, client: str, job_id: str) -> Row:
        """Cancel a job, and withdraw its query from the queue. Its charge stays, so that repeating it is free.

        A query that reads data already continues to the end of its bucket and is stored, so that nobody can see when it
        ended.
        """
        known = await self.find(client, job_id)
        changes = {"state": "cancelled", "ended_at": now_text()}
        if await run_in_threadpool(self.service.tables.update_job, job_id, only_in=UNFINISHED, **changes):
            await self.service.withdraw(client, known["request_id"])
        return await self.find(client, job_id)

    def wire_shape(self, row: Row) -> dict[str, Any]:
        """Wire shape of a job. Its progress is that of a public clock."""
        names = ("id", "state", "request_id", "made_at", "ended_at")
        problem = None if row["problem"] is None else json.loads(row["problem"])
        return {**{name: row[name] for name in names}, "progress": self._progress(row), "problem": problem}

    def _delete_old(self) -> None:
        """Delete old jobs with their answers; the ledger still replays those for free."""
        self.service.tables.delete_old_jobs(later_text(days=-self.service.settings.job_days))

    def _progress(self, row: Row) -> float:
        if row["state"] not in UNFINISHED:
            return 1.0
        for begun, seconds in self._clocks.get(row["id"], [])[-1:]:
            return round(min(0.99, (time.monotonic() - begun) / seconds), 2)
        return 0.0

    def _start(self, row: Row, running: RunningQuery | None = None) -> None:
        self._tasks[row["id"]] = task = asyncio.create_task(self._run(row, running))
        task.add_done_callback(lambda _: self._tasks.pop(row["id"], None))

    async def _run(self, row: Row, running: RunningQuery | None) -> None:
        clock = self._clocks[row["id"]] = running[1] if running else []
        try:
            changes = await self._outcome(row, running, clock)
            if changes is not None:
                await self._update(row["id"], **changes, ended_at=now_text())
        finally:
            self._clocks.pop(row["id"], None)
        log.info("job ended", job=row["id"])

    async def _outcome(self, row: Row, running: RunningQuery | None, clock: BucketClock) -> dict[str, Any] | None:
        """Run a job to its end, and return what to store; None if it was cancelled before it began."""
        for _ in range(MAX_ROUNDS):
            try:
                if running is not None:
                    await self._update(row["id"], state="running")
                rows = await (self._run_query(row, clock) if running is None else running[0])
                return None if rows is None else {"state": "done", "rows": rows}
            except Refused as refused:
                if refused.problem["code"] != "E_BUSY":
                    return self._refused_changes(refused.problem)
                running = None
            except Exception as failure:
                log.error("job failed", job=row["id"], kind=type(failure).__name__)
                break
        return self._refused_changes(Problem("E_SERVER", "The server could not do this.", RETRY_HINT).problem)

    async def _run_query(self, row: Row, clock: BucketClock) -> bytes | None:
        """Run the query once a worker is ready and the job is admitted; None if it was cancelled meanwhile."""
        while not self.service.worker.is_ready:
            await asyncio.sleep(POLL_SECONDS)
        async with self.admission.admitted(row["client"]):
            if not await self._update(row["id"], state="running"):
                return None
            arguments = {**json.loads(row["body"]), "request_id": row["request_id"]}
            return await self.service.run_query(arguments, clock_callback(clock), row["request_id"], is_job=True)

    async def _update(self, job_id: str, **changes: str | bytes) -> bool:
        """Update an unfinished job, retrying until the tables are writable; return whether it was unfinished."""
        while True:
            try:
                return await run_in_threadpool(self.service.tables.update_job, job_id, only_in=UNFINISHED, **changes)
            except LedgerError:
                log.warning("a job waits for the books", job=job_id)
                await asyncio.sleep(POLL_SECONDS)

    def _refused_changes(self, details: Mapping[str, Any]) -> dict[str, Any]:
        self.service.metrics.count_refusal(details["code"])
        return {"state": "refused", "problem": json.dumps(problem_body(details))}


async def _jobs_of(request: Request) -> Jobs:
    """Return the jobs of the server that a request came to."""
    return request.app.state.jobs


ServerJobs = Annotated[Jobs, Depends(_jobs_of)]
