"""Admission to the worker: how many calls are there at once. The others wait here, where waiting holds no thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.server.http.problems import Problem

AT_ONCE = 64  # jobs with the worker, and one of each client that has none there


@dataclass(eq=False)
class _Waiting:
    """A call that waits."""

    client: str
    name: str
    let_in: asyncio.Future[None]
    inside: bool = False


@dataclass
class Gate:
    """The way to the worker.

    A client of which nothing is inside never waits. Others wait while `at_once` are inside, or `of_one` of their own.
    """

    at_once: int = AT_ONCE
    of_one: int | None = None  # most that are inside of one client
    _waiting: list[_Waiting] = field(default_factory=list, init=False)  # in the order of arrival
    _inside: Counter[str] = field(default_factory=Counter, init=False)  # calls of each client

    @asynccontextmanager
    async def passing(self, client: str, name: str = "") -> AsyncIterator[Callable[[], None]]:
        """Wait to be let in, and be inside; gives what ends that early. Raises Problem with E_STATE if withdrawn."""
        place = _Waiting(client, name, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._let_in()
        try:
            await place.let_in
            yield lambda: self._leave(place)
        finally:
            self._leave(place)

    def withdraw(self, client: str, name: str) -> None:
        """Take a client's calls of a name out of the line; what is inside stays."""
        for place in [each for each in self._waiting if (each.client, each.name) == (client, name)]:
            self._waiting.remove(place)
            if not place.let_in.done():
                why = "The question was cancelled before it was read; nothing was charged."
                place.let_in.set_exception(Problem("E_STATE", why, "the same question again"))

    def _leave(self, place: _Waiting) -> None:
        """Take a call out, once, wherever it is."""
        if place.inside:
            place.inside = False
            self._inside[place.client] -= 1
            self._inside += Counter()  # forgets who has none
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
        """Choose, of the client with the fewest inside, the call that came first."""
        may = [each for each in self._waiting if self.of_one is None or self._inside[each.client] < self.of_one]
        first = min(may, key=lambda each: self._inside[each.client], default=None)
        if first is None or (self._inside[first.client] and self._inside.total() >= self.at_once):
            return None
        return first
