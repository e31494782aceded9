"""How many jobs are with the worker at once: the others wait here, where waiting holds no thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

AT_ONCE = 64  # jobs with the worker, and one of each client that has none there


@dataclass(eq=False)
class _Waiting:
    """A job that waits."""

    client: str
    let_in: asyncio.Future[None]


@dataclass
class Gate:
    """The way of jobs to the worker."""

    at_once: int = AT_ONCE
    _waiting: list[_Waiting] = field(default_factory=list, init=False)  # in the order of arrival
    _inside: Counter[str] = field(default_factory=Counter, init=False)  # jobs of each client

    @asynccontextmanager
    async def passing(self, client: str) -> AsyncIterator[None]:
        """Wait until a job may go to the worker, and be there; a client of which none is there does not wait."""
        place = _Waiting(client, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._let_in()
        try:
            await place.let_in
            yield
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._inside[client] -= 1
                self._inside += Counter()  # forgets who has none
            self._let_in()

    def _let_in(self) -> None:
        while (place := self._next()) is not None:
            self._waiting.remove(place)
            self._inside[place.client] += 1
            if not place.let_in.done():
                place.let_in.set_result(None)

    def _next(self) -> _Waiting | None:
        """Choose of the client that has fewest inside the job that came first."""
        first = min(self._waiting, key=lambda each: self._inside[each.client], default=None)
        if first is None or (self._inside[first.client] and self._inside.total() >= self.at_once):
            return None
        return first
