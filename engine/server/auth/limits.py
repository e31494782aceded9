"""Rate limits of a client: requests per time, long calls at once."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from engine.server.http.problems import Problem
from engine.server.worker.scheduler import QueuePlaces

MAX_FAILURES_PER_MINUTE = 16  # failed authentications of one address per minute


class Limits:
    """The limits of one server. Servers that share a ledger count separately."""

    def __init__(self, rate: str, queue: int, per_client: int) -> None:
        """`queue` and `per_client` bound concurrent long calls that read no data: rehearsals."""
        self._request_rate, self._failure_rate = parse(rate), parse(f"{MAX_FAILURES_PER_MINUTE}/minute")
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._long_calls = QueuePlaces(queue, per_client)

    def count_request(self, name: str) -> None:
        """Count a request of a caller; raises Problem with E_RATE above the rate."""
        if not self._limiter.hit(self._request_rate, "client", name):
            raise self._rate_problem(self._request_rate, "client", name)

    def count_failure(self, address: str) -> None:
        """Count a failed authentication of an address; raises Problem with E_RATE after too many."""
        if not self._limiter.hit(self._failure_rate, "address", address):
            raise self._rate_problem(self._failure_rate, "address", address)

    def long_call(self, name: str) -> AbstractContextManager[None]:
        """Reserve a slot for a long call that reads no data, until the block ends; raises QueueFull if none is free."""
        return self._long_calls.hold(name, "rehearsals")

    def _rate_problem(self, item: RateLimitItem, *whose: str) -> Problem:
        window_stats = self._limiter.get_window_stats(item, *whose)
        seconds = max(1, math.ceil(window_stats.reset_time - time.time()))
        why = f"This is more than {item}."
        cure = f"the same again in {seconds} s; nothing was charged"
        return Problem("E_RATE", why, cure, headers={"Retry-After": str(seconds)})
