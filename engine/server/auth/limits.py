"""Rate limits of a client: requests per time, long calls at once."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from engine.server.http.problems import Problem

FAILURES = 16  # failed authentications of one address per minute


@dataclass
class Limits:
    """The limits of one server. Servers that share a ledger count separately."""

    rate: str
    queue: int  # concurrent long calls that read no data: rehearsals and plans
    per_client: int
    _asking: Counter[str] = field(default_factory=Counter)
    _window: SlidingWindowCounterRateLimiter = field(
        default_factory=lambda: SlidingWindowCounterRateLimiter(MemoryStorage())
    )
    _item: RateLimitItem = field(init=False)
    _tries: RateLimitItem = field(init=False)

    def __post_init__(self) -> None:
        """Parse the rate."""
        self._item, self._tries = parse(self.rate), parse(f"{FAILURES}/minute")

    def count_request(self, name: str) -> None:
        """Count a request of a caller; raises Problem with E_RATE above the rate."""
        if not self._window.hit(self._item, "client", name):
            raise self._too_many(self._item, "client", name)

    def count_failure(self, address: str) -> None:
        """Count a failed authentication of an address; raises Problem with E_RATE after too many."""
        if not self._window.hit(self._tries, "address", address):
            raise self._too_many(self._tries, "address", address)

    @contextmanager
    def long_call(self, name: str) -> Iterator[None]:
        """Occupy a place among long calls that read no data; raises Problem with E_RATE if there is none.

        A client without a place always gets one, even when all are taken.
        """
        own, everybody = self._asking[name], self._asking.total()
        if own and (own >= self.per_client or everybody >= self.queue):
            why = f"{own} rehearsals or plans of yours are waiting or running already."
            raise Problem("E_RATE", why, "the same again in a few seconds; nothing was charged", headers=_after(2))
        self._asking[name] += 1
        try:
            yield
        finally:
            self._asking[name] -= 1
            self._asking += Counter()  # drops zero counts

    def _too_many(self, item: RateLimitItem, *whose: str) -> Problem:
        left = self._window.get_window_stats(item, *whose)
        seconds = max(1, math.ceil(left.reset_time - time.time()))
        why = f"This is more than {item}."
        return Problem("E_RATE", why, f"the same again in {seconds} s; nothing was charged", headers=_after(seconds))


def _after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}
