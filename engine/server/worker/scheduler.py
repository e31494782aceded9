"""Scheduler of the slots in which queries read data: fair between clients, from public times only."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine.errors import Refused, problem_shape

LONG_BUCKET_FACTOR = 4  # a query is long if its bucket is at least this many times the shortest


class Withdrawn(Refused):
    """The query was cancelled before it got a slot: charged, and not run."""

    def __init__(self) -> None:
        """Use the constant refusal."""
        why = "The question was cancelled before it was run; the charge stays."
        super().__init__(problem_shape("E_STATE", why, "ask the same again: it is run, and costs nothing more"))


class QueueFull(Refused):
    """Too many queries wait or run. Nothing was charged."""

    def __init__(self, message: str) -> None:
        """Build the refusal."""
        hint = "the same again in a few seconds; nothing was charged"
        super().__init__(problem_shape("E_RATE", message, hint))


@dataclass(eq=False)
class QueuedQuery:
    """A query in the scheduler: parsed or charged, waiting for a slot, or running."""

    client: str
    name: str  # used to withdraw it
    is_job: bool = False  # jobs have waited for admission
    seconds: float = 0.0  # its bucket, set when it starts to wait
    withdrawn: bool = False
    _woken: threading.Event = field(default_factory=threading.Event, repr=False)  # has a slot, or is withdrawn

    def wait(self) -> None:
        """Wait for a slot; raises Withdrawn."""
        self._woken.wait()
        if self.withdrawn:
            raise Withdrawn

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()

    def reset(self) -> None:
        """Release the slot, so that the query can wait for the next one."""
        self._woken.clear()


@dataclass
class QueuePlaces:
    """Places in a queue."""

    queue: int  # places of all clients
    queue_per_client: int
    _taken: Counter[str] = field(default_factory=Counter, init=False)  # places per client
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def hold(self, client: str, what: str = "questions") -> Iterator[None]:
        """Reserve a slot in the queue for a query, from before its charge to its end; raises QueueFull.

        Claim: no client is excluded by others: one that has no place gets one, however many are taken.
        Symbols: own and all places taken; `queue_per_client`, `queue`. Formula: refused if own > 0 and (own >=
        queue_per_client or all >= queue). Source: engine/server/proofs.md#turns.
        """
        with self._lock:
            own, total = self._taken[client], self._taken.total()
            if own and (own >= self.queue_per_client or total >= self.queue):
                count = f"{own} of your" if own >= self.queue_per_client else f"{total}"
                raise QueueFull(f"{count} {what} are waiting or running already.")
            self._taken[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[client] -= 1
                self._taken += Counter()  # drops zero counts


@dataclass
class Scheduler:
    """Scheduler: a fixed number of slots, and the queue in front of them."""

    slots: int
    long_seconds: float
    queue: int = 64  # queries that wait or run
    queue_per_client: int = 32
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    places: QueuePlaces = field(init=False)
    _tracked: list[QueuedQuery] = field(default_factory=list, init=False)  # since before they were parsed
    _waiting: list[QueuedQuery] = field(default_factory=list, init=False)  # in order of arrival
    _running: list[QueuedQuery] = field(default_factory=list, init=False)
    # sequence number of each client's latest slot
    _latest_slots: dict[str, int] = field(default_factory=dict, init=False)
    _slot_numbers: itertools.count[int] = field(default_factory=itertools.count, init=False)

    def __post_init__(self) -> None:
        """Create the places in the queue."""
        self.places = QueuePlaces(self.queue, self.queue_per_client)

    @contextmanager
    def tracked(self, query: QueuedQuery) -> Iterator[QueuedQuery]:
        """Make a query withdrawable before it waits for a slot."""
        with self._lock:
            self._tracked.append(query)
        try:
            yield query
        finally:
            with self._lock:
                self._tracked.remove(query)

    @contextmanager
    def hold_slot(self, query: QueuedQuery, seconds: float) -> Iterator[None]:
        """Wait for a slot and hold it; raises Withdrawn where the query was cancelled before.

        Claim: when a slot is assigned follows from the order of arrival, the clients, their buckets, when running
        queries ended, and cancellations; the data influence it only through these ends.
        Source: engine/server/proofs.md#turns.
        """
        query.seconds = seconds
        with self._lock:
            self._waiting += [] if query.withdrawn else [query]
            self._assign_slots()
        query.wait()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(query)
                query.reset()
                self._assign_slots()

    def withdraw(self, client: str, name: str) -> bool:
        """Remove a client's query from the queue; return whether it was waiting. A running one continues."""
        with self._lock:
            named = (each for each in (*self._tracked, *self._waiting) if (each.client, each.name) == (client, name))
            found = [each for each in named if each not in self._running]
            for each in found:
                each.withdrawn = True
                each.wake()
            self._waiting[:] = [each for each in self._waiting if not each.withdrawn]
            return bool(found)

    def _assign_slots(self) -> None:
        """Assign free slots, once per change: if every waiting query looked by itself, reading would slow down."""
        while (query := self._next_query()) is not None:
            self._waiting.remove(query)
            self._running.append(query)
            self._latest_slots[query.client] = next(self._slot_numbers)
            query.wake()

    def _next_query(self) -> QueuedQuery | None:
        if len(self._running) >= self.slots:
            return None
        return choose_next(self._waiting, self._running, self._latest_slots, self._blocked_from_seconds())

    def _blocked_from_seconds(self) -> float:
        """Shortest bucket that may not start now: one slot is reserved for short queries, where there are several."""
        long_running = sum(each.seconds >= self.long_seconds for each in self._running)
        return self.long_seconds if long_running >= max(1, self.slots - 1) else float("inf")


def choose_next(
    waiting: Sequence[QueuedQuery],
    running: Sequence[QueuedQuery],
    latest_slots: Mapping[str, int],
    blocked_from_seconds: float,
) -> QueuedQuery | None:
    """Choose the next query to run.

    Of the client with the fewest running queries, then of the one served least recently, then the first to arrive.
    """

    def order(query: QueuedQuery) -> tuple[int, int]:
        return sum(each.client == query.client for each in running), latest_slots.get(query.client, -1)

    return min((each for each in waiting if each.seconds < blocked_from_seconds), key=order, default=None)
