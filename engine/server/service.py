"""The service that all endpoints of a server share: settings, tables, keys, worker. Queries survive a dying worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.accounts.audit_log import KeyAct
from engine.problems import Refused
from engine.server.auth.keys import Keys
from engine.server.auth.limits import Limits
from engine.server.auth.tokens import Tokens
from engine.server.http.problems import Problem
from engine.server.settings import Settings
from engine.server.storage import Books
from engine.server.telemetry import Metrics, log
from engine.server.worker.client import UNHEARD, Heard, WorkerDied
from engine.server.worker.frames import Json
from engine.server.worker.gate import Gate
from engine.server.worker.verbs import Reply

DEATHS = 2  # workers that died while the same query read data; then it counts as failed
TRIES = 4
AT_ONCE = 256  # calls in the worker, plus one of each client: half of its threads for queries
OF_ONE = 2  # so that one client's calls do not fill the processors that another's replay needs
Told = Callable[[float], None]
RECORDED = "E_EXEC"  # code of a failure that was recorded


class Line(Protocol):
    """Interface to a worker."""

    @property
    def is_ready(self) -> bool:
        """Is the worker able to answer now? False while it starts, or without a heartbeat."""

    @property
    def restarts(self) -> int:
        """Number of times the worker was restarted."""

    @property
    def state(self) -> str:
        """State of the worker: ready, starting, without a heartbeat."""

    async def ready(self) -> None:
        """Wait until the worker is ready."""

    async def call(self, verb: str, arguments: Mapping[str, Any], heard: Heard = UNHEARD) -> Reply:
        """Run a verb in the worker; raises Refused, WorkerDied."""


@dataclass
class House:
    """One server's service."""

    settings: Settings
    books: Books
    keys: Keys
    line: Line
    metrics: Metrics = field(default_factory=Metrics)
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)  # deaths of workers by (client, sql)
    gate: Gate = field(default_factory=lambda: Gate(AT_ONCE, OF_ONE))
    limits: Limits = field(init=False)
    tokens: Tokens | None = field(init=False)

    def __post_init__(self) -> None:
        """Set up the rate limits and the identity provider."""
        self.tokens = Tokens.of(self.settings)
        self.limits = Limits(self.settings.rate, self.settings.queue, self.settings.queue_per_client)

    async def do(self, verb: str, **arguments: Json) -> Json:
        """Run a verb that is idempotent, or refused when repeated; raises Refused, Problem with E_BUSY."""
        try:
            return (await self.line.call(verb, arguments)).told
        except WorkerDied:
            raise busy() from None

    async def note_key(self, act: KeyAct, key: Mapping[str, Any], by: str) -> None:
        """Record an event of a key in the ledger's chain, before anybody sees its result."""
        await self.do("note_key", act=act.value, name=key["name"], role=str(key["role"]), by=by)

    async def rows(self, verb: str, arguments: Mapping[str, Any]) -> bytes:
        """Run a verb that returns rows and charges nothing; raises Refused, Problem."""
        try:
            return (await self.line.call(verb, arguments)).rows
        except WorkerDied:
            raise busy() from None

    async def ask(
        self,
        arguments: Mapping[str, Any],
        bucket: Told | None = None,
        place: str | None = None,
        *,
        is_job: bool = False,
    ) -> bytes:
        """Run a query, again if the worker dies: the ledger charges it once (proofs.md#asked-again).

        It waits in the queue under `queue_name`, or else under its request id, and can be withdrawn by that name. Few
        queries of one client are parsed and priced at once. A query that must read data needs a place in the queue,
        unless it is a job.
        """
        question = (str(arguments.get("client")), str(arguments.get("sql")))
        sent = {**arguments, "place": place, "is_job": is_job}
        for _ in range(TRIES):
            begun: list[float] = []

            def told(seconds: float, begun: list[float] = begun) -> None:
                begun.append(seconds)
                if bucket is not None:
                    bucket(seconds)

            try:
                async with self.gate.passing(question[0], place or "") as leave:
                    answered = (await self.line.call("query", sent, Heard(leave, told))).rows
            except WorkerDied:
                log.warning("worker died", reading=bool(begun))
                self.deaths.update([question] if begun else [])
                await self._next_worker()
            else:
                self.deaths.pop(question, None)
                return answered
            if self.deaths[question] >= DEATHS:
                await self._give_up(question, arguments)
        raise busy()

    async def withdraw(self, client: str, name: str) -> None:
        """Remove a client's query from the queue, if it waits there."""
        self.gate.withdraw(client, name)
        with contextlib.suppress(Problem):  # without a worker there is no queue
            await self.do("withdraw", client=client, name=name)

    async def _give_up(self, question: tuple[str, str], arguments: Mapping[str, Any]) -> None:
        """Record a failure for a query under which workers died, once per series of deaths; raises Refused, Problem."""
        deaths = self.deaths.pop(question)  # a concurrent request for the same query starts counting at 0
        recorded = False
        try:
            await self.do("give_up", **arguments)
            recorded = True
        except (Problem, Refused) as no:
            recorded = (no.told if isinstance(no, Problem) else no.problem)["code"] == RECORDED
            raise
        finally:  # any other exception has recorded nothing
            if not recorded:
                self.deaths[question] += deaths

    async def _next_worker(self) -> None:
        try:
            await asyncio.wait_for(self.line.ready(), self.settings.deadline_seconds)
        except (TimeoutError, Refused):
            raise busy() from None


def busy() -> Problem:
    """Problem for a server that can't answer now: E_BUSY."""
    why = "The server is starting, stopping, or starting its worker again; or the worker does not answer."
    return Problem("E_BUSY", why, "the same request with the same Idempotency-Key in a moment; it is charged once")
