"""Admission control: bounds the calls in the worker. Others wait in the HTTP process, where waiting takes no thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.server.http.problems import Problem

AT_ONCE = 64  # jobs in the worker, plus one of each client without any


@dataclass(eq=False)
class _Waiting:
    """A call that waits for admission."""

    client: str
    name: str
    let_in: asyncio.Future[None]
    inside: bool = False


@dataclass
class Gate:
    """Admission control of calls to the worker.

    A client without an admitted call never waits. Others wait while `max_admitted` calls are admitted, or
    `max_per_client` of their own.
    """

    at_once: int = AT_ONCE
    of_one: int | None = None  # most admitted calls of one client
    _waiting: list[_Waiting] = field(default_factory=list, init=False)  # in order of arrival
    _inside: Counter[str] = field(default_factory=Counter, init=False)  # admitted calls per client

    @asynccontextmanager
    async def passing(self, client: str, name: str = "") -> AsyncIterator[Callable[[], None]]:
        """Wait for admission, and hold it; yields a function that gives it up early. Raises Problem with E_STATE.

        E_STATE: the call was withdrawn while it waited.
        """
        place = _Waiting(client, name, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._let_in()
        try:
            await place.let_in
            yield lambda: self._leave(place)
        finally:
            self._leave(place)

    def withdraw(self, client: str, name: str) -> None:
        """Remove a client's waiting calls of this name. Admitted calls continue."""
        for place in [each for each in self._waiting if (each.client, each.name) == (client, name)]:
            self._waiting.remove(place)
            if not place.let_in.done():
                why = "The question was cancelled before it was read; nothing was charged."
                place.let_in.set_exception(Problem("E_STATE", why, "the same question again"))

    def _leave(self, place: _Waiting) -> None:
        """Remove a call, admitted or waiting. Repeating this has no effect."""
        if place.inside:
            place.inside = False
            self._inside[place.client] -= 1
            self._inside += Counter()  # drops zero counts
        elif place in self._waiting:
            self._waiting.remove(place)
        self._let_in()

    def _let_in(self) -> None:
        while (place := self._next()) is not None:
            self._waiting.remove(place)
            self._inside[place.client] += 1
            place.inside = True
            if not place.let_in.done():
                place.let_in.set_result(None)

    def _next(self) -> _Waiting | None:
        """Choose the next call to admit: of the client with the fewest admitted calls, the one that came first."""
        may = [each for each in self._waiting if self.of_one is None or self._inside[each.client] < self.of_one]
        first = min(may, key=lambda each: self._inside[each.client], default=None)
        if first is None or (self._inside[first.client] and self._inside.total() >= self.at_once):
            return None
        return first
