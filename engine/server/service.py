"""The service that all endpoints of a server share: settings, tables, keys, worker. Queries survive a dying worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from engine.accounts.audit_log import KeyEvent
from engine.errors import Refused
from engine.server.auth.keys import Keys
from engine.server.auth.limits import Limits
from engine.server.auth.tokens import Tokens
from engine.server.http.problems import Problem
from engine.server.settings import Settings
from engine.server.storage import ServerTables
from engine.server.telemetry import Metrics, log
from engine.server.worker.admission import AdmissionControl
from engine.server.worker.frames import Json, Result
from engine.server.worker.link import PipeLink, QueryCallbacks, WorkerDied

MAX_WORKER_DEATHS = 2  # workers that died while the same query read data; then it counts as failed
MAX_TRIES = 4
MAX_ADMITTED_CALLS = 256  # calls in the worker, plus one of each client: half of its threads for queries
MAX_ADMITTED_PER_CLIENT = 2  # so that one client's calls do not fill the processors that another's replay needs
BucketCallback = Callable[[float], None]
RECORDED_FAILURE_CODE = "E_EXEC"  # code of a failure that was recorded


@dataclass
class Service:
    """One server's service."""

    settings: Settings
    tables: ServerTables
    keys: Keys
    worker: PipeLink
    metrics: Metrics = field(default_factory=Metrics)
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)  # deaths of workers by (client, sql)
    admission: AdmissionControl = field(
        default_factory=lambda: AdmissionControl(MAX_ADMITTED_CALLS, MAX_ADMITTED_PER_CLIENT)
    )
    limits: Limits = field(init=False)
    tokens: Tokens | None = field(init=False)

    def __post_init__(self) -> None:
        """Set up the rate limits and the identity provider."""
        self.tokens = Tokens.of(self.settings)
        self.limits = Limits(self.settings.rate, self.settings.queue, self.settings.queue_per_client)

    def count_refusal(self, request: Request, code: str) -> None:
        """Count a refusal, and note its code for the log line of its request."""
        request.state.code = code
        self.metrics.count_refusal(code)

    async def call(self, verb: str, **arguments: Json) -> Result:
        """Run a verb that is idempotent, or refused when repeated; raises Refused, Problem with E_BUSY."""
        try:
            return await self.worker.call(verb, arguments)
        except WorkerDied:
            raise busy_problem() from None

    async def log_key_event(self, event: KeyEvent, key: Mapping[str, Any], by: str) -> None:
        """Record an event of a key in the ledger's chain, before anybody sees its result."""
        await self.call("note_key", event=event.value, name=key["name"], role=str(key["role"]), by=by)

    async def run_query(
        self,
        arguments: Mapping[str, Any],
        on_bucket: BucketCallback | None = None,
        queue_name: str | None = None,
        *,
        is_job: bool = False,
    ) -> bytes:
        """Run a query, again if the worker dies: the ledger charges it once (proofs.md#asked-again).

        It waits in the queue under `queue_name`, or else under its request id, and can be withdrawn by that name. Few
        queries of one client are parsed and priced at once. A query that must read data needs a place in the queue,
        unless it is a job.
        """
        question = (str(arguments.get("client")), str(arguments.get("sql")))
        sent_arguments = {**arguments, "place": queue_name, "is_job": is_job}
        for _ in range(MAX_TRIES):
            buckets: list[float] = []

            def notify_bucket(seconds: float, buckets: list[float] = buckets) -> None:
                buckets.append(seconds)
                if on_bucket is not None:
                    on_bucket(seconds)

            try:
                async with self.admission.admitted(question[0], queue_name or "") as release_admission:
                    callbacks = QueryCallbacks(release_admission, notify_bucket)
                    rows: bytes = await self.worker.call("query", sent_arguments, callbacks)
            except WorkerDied:
                log.warning("worker died", reading=bool(buckets))
                self.deaths.update([question] if buckets else [])
                await self._wait_for_worker()
            else:
                self.deaths.pop(question, None)
                return rows
            if self.deaths[question] >= MAX_WORKER_DEATHS:
                await self._record_failure(question, arguments)
        raise busy_problem()

    async def withdraw(self, client: str, name: str) -> None:
        """Remove a client's query from the queue, if it waits there."""
        self.admission.withdraw(client, name)
        with contextlib.suppress(Problem):  # without a worker there is no queue
            await self.call("withdraw", client=client, name=name)

    async def _record_failure(self, question: tuple[str, str], arguments: Mapping[str, Any]) -> None:
        """Record a failure for a query under which workers died, once per series of deaths; raises Refused, Problem."""
        deaths = self.deaths.pop(question)  # a concurrent request for the same query starts counting at 0
        was_recorded = False
        try:
            await self.call("give_up", **arguments)
            was_recorded = True
        except Refused as refusal:
            was_recorded = refusal.problem["code"] == RECORDED_FAILURE_CODE
            raise
        finally:  # any other exception has recorded nothing
            if not was_recorded:
                self.deaths[question] += deaths

    async def _wait_for_worker(self) -> None:
        try:
            await asyncio.wait_for(self.worker.ready(), self.settings.deadline_seconds)
        except (TimeoutError, Refused):
            raise busy_problem() from None


def busy_problem() -> Problem:
    """Problem for a server that can't answer now: E_BUSY."""
    why = "The server is starting, stopping, or starting its worker again; or the worker does not answer."
    return Problem("E_BUSY", why, "the same request with the same Idempotency-Key in a moment; it is charged once")
