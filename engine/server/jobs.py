"""Questions that go on without their asker: durable, resumed after a restart, charged once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.problems import Refused
from engine.server.books import Row, later_text, now_text
from engine.server.house import House
from engine.server.keys import new_id
from engine.server.logs import log
from engine.server.problems import STATUSES, Problem, shape

UNFINISHED = ("queued", "running")
RESUMED_AFTER = 0.5  # seconds between two looks whether the worker is there


Clock = list[tuple[float, float]]  # when a bucket was begun, and its seconds
Begun = tuple[asyncio.Task[bytes], Clock]


def ticking(clock: Clock) -> Callable[[float], None]:
    """Give what to tell a bucket's seconds to when it begins."""
    return lambda seconds: clock.append((time.monotonic(), seconds))


@dataclass
class Jobs:
    """The jobs of one server."""

    house: House
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _clocks: dict[str, Clock] = field(default_factory=dict)

    def hand_in(
        self, client: str, request_id: str | None, arguments: dict[str, Any], begun: Begun | None = None
    ) -> Row:
        """Write a job down, and begin it or go on with it; the same request id gives the same job. Raises Problem."""
        books, name = self.house.books, new_id()
        body = json.dumps({key: value for key, value in arguments.items() if key != "request_id"}, sort_keys=True)
        known = None if request_id is None else books.job(client=client, request_id=request_id)
        if known is None:
            self._check_few(client)
            row = {
                "id": name,
                "client": client,
                "request_id": request_id or f"job-{name}",
                "body": body,
                "state": "queued",
                "made_at": now_text(),
            }
            self._forget()
            books.add_job(row)
            known = books.job(client=client, request_id=row["request_id"])
            assert known is not None  # noqa: S101  it, or another's of the same id, was just written
        if known["body"] != body:
            why = f"Request id {known['request_id']!r} was used for another question."
            raise Problem("E_IDEMPOTENCY", why, "a new Idempotency-Key for a new question")
        if known["id"] not in self._tasks and known["state"] in UNFINISHED:
            self._begin(known, begun)
        return known

    def resume(self) -> None:
        """Begin again what was not finished when the server ended; forget what ended long ago."""
        self._forget()
        for row in self.house.books.jobs_in(*UNFINISHED):
            self._begin(row)

    def find(self, client: str, job_id: str) -> Row:
        """Find a client's own job; another's is not there. Raises Problem with E_NOT_FOUND."""
        row = self.house.books.job(id=job_id)
        if row is None or row["client"] != client:
            raise Problem("E_NOT_FOUND", "You have no job of this id.", "an id that POST /v1/queries gave you")
        return row

    async def cancel(self, client: str, job_id: str) -> Row:
        """Let a job's answer go, and its place in the line; its charge stays, so that asking again is free.

        What reads data already goes on to the end of its bucket, and is stored: when it ended is nobody's to see.
        """
        known = self.find(client, job_id)
        self.house.books.change_job(job_id, only_in=UNFINISHED, state="cancelled", ended_at=now_text())
        if known["state"] in UNFINISHED:
            with contextlib.suppress(Problem):  # no worker, no line
                await self.house.do("withdraw", client=client, request_id=known["request_id"])
        return self.find(client, job_id)

    def told(self, row: Row) -> dict[str, Any]:
        """Give a job's wire shape; its progress is that of a public clock."""
        names = ("id", "state", "request_id", "made_at", "ended_at")
        problem = None if row["problem"] is None else json.loads(row["problem"])
        return {**{name: row[name] for name in names}, "progress": self._progress(row), "problem": problem}

    def _forget(self) -> None:
        """Delete answers of old jobs; who asks again gets them from the ledger, for free."""
        self.house.books.forget_jobs(later_text(days=-self.house.settings.job_days))

    def _progress(self, row: Row) -> float:
        if row["state"] not in UNFINISHED:
            return 1.0
        for begun, seconds in self._clocks.get(row["id"], [])[-1:]:
            return round(min(0.99, (time.monotonic() - begun) / seconds), 2)
        return 0.0

    def _check_few(self, client: str) -> None:
        most = self.house.settings.jobs_per_client
        if len(self.house.books.jobs_in(*UNFINISHED, client=client)) >= most:
            why = f"{most} of your jobs are not finished yet."
            raise Problem(
                "E_RATE", why, "the same when one has ended; nothing was charged", headers={"Retry-After": "2"}
            )

    def _begin(self, row: Row, begun: Begun | None = None) -> None:
        task = asyncio.create_task(self._run(row["id"], row["request_id"], json.loads(row["body"]), begun))
        self._tasks[row["id"]] = task
        task.add_done_callback(lambda _: self._tasks.pop(row["id"], None))

    async def _run(self, job_id: str, request_id: str, asked: dict[str, Any], begun: Begun | None) -> None:
        while not self.house.line.is_ready and begun is None:
            await asyncio.sleep(RESUMED_AFTER)
        books = self.house.books
        clock = self._clocks[job_id] = begun[1] if begun else []
        books.change_job(job_id, only_in=("queued",), state="running")
        try:
            asking = begun[0] if begun else self.house.ask({**asked, "request_id": request_id}, ticking(clock))
            rows = await asking
            books.change_job(job_id, only_in=UNFINISHED, state="done", ended_at=now_text(), rows=rows)
        except (Refused, Problem) as refused:
            told = refused.problem if isinstance(refused, Refused) else refused.told
            if told["code"] == "E_BUSY":
                return  # it stays unfinished, and is begun again with the server
            self._refuse(job_id, told)
        finally:
            self._clocks.pop(job_id, None)
        log.info("job ended", job=job_id)

    def _refuse(self, job_id: str, told: dict[str, Any]) -> None:
        self.house.metrics.refused(told["code"])
        problem = json.dumps(shape(told, STATUSES.get(told["code"], 500)))
        ended = {"state": "refused", "ended_at": now_text(), "problem": problem}
        self.house.books.change_job(job_id, only_in=UNFINISHED, **ended)
