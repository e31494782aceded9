"""Admission control: bounds the calls in the worker. Others wait in the HTTP process, where waiting takes no thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.server.http.problems import Problem

MAX_ADMITTED_JOBS = 64  # jobs in the worker, plus one of each client without any


@dataclass(eq=False)
class _WaitingCall:
    """A call that waits for admission."""

    client: str
    name: str
    admission: asyncio.Future[None]
    is_admitted: bool = False


@dataclass
class AdmissionControl:
    """Admission control of calls to the worker.

    A client without an admitted call never waits. Others wait while `max_admitted` calls are admitted, or
    `max_per_client` of their own.
    """

    max_admitted: int = MAX_ADMITTED_JOBS
    max_per_client: int | None = None  # most admitted calls of one client
    _waiting: list[_WaitingCall] = field(default_factory=list, init=False)  # in order of arrival
    _admitted: Counter[str] = field(default_factory=Counter, init=False)  # admitted calls per client

    @asynccontextmanager
    async def admitted(self, client: str, name: str = "") -> AsyncIterator[Callable[[], None]]:
        """Wait for admission, and hold it; yields a function that gives it up early. Raises Problem with E_STATE.

        E_STATE: the call was withdrawn while it waited.
        """
        call = _WaitingCall(client, name, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._admit_next()
        try:
            await call.admission
            yield lambda: self._leave(call)
        finally:
            self._leave(call)

    def withdraw(self, client: str, name: str) -> None:
        """Remove a client's waiting calls of this name. Admitted calls continue."""
        for call in [each for each in self._waiting if (each.client, each.name) == (client, name)]:
            self._waiting.remove(call)
            if not call.admission.done():
                why = "The question was cancelled before it was read; nothing was charged."
                call.admission.set_exception(Problem("E_STATE", why, "the same question again"))

    def _leave(self, call: _WaitingCall) -> None:
        """Remove a call, admitted or waiting. Repeating this has no effect."""
        if call.is_admitted:
            call.is_admitted = False
            self._admitted[call.client] -= 1
            self._admitted += Counter()  # drops zero counts
        elif call in self._waiting:
            self._waiting.remove(call)
        self._admit_next()

    def _admit_next(self) -> None:
        while (call := self._next_call()) is not None:
            self._waiting.remove(call)
            self._admitted[call.client] += 1
            call.is_admitted = True
            if not call.admission.done():
                call.admission.set_result(None)

    def _next_call(self) -> _WaitingCall | None:
        """Choose the next call to admit: of the client with the fewest admitted calls, the one that came first."""
        candidates = [
            each
            for each in self._waiting
            if self.max_per_client is None or self._admitted[each.client] < self.max_per_client
        ]
        first = min(candidates, key=lambda each: self._admitted[each.client], default=None)
        if first is None or (self._admitted[first.client] and self._admitted.total() >= self.max_admitted):
            return None
        return first
