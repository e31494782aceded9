"""Counts of free repeats: one ledger entry per hour, client and dataset."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from budgets.log.events import EntryKind, Event

HOUR_PREFIX_CHARS = len("2026-11-29T12")  # length of the prefix of a timestamp that identifies its hour

RepeatKey = tuple[str, str, str]  # hour, client, dataset


@dataclass
class RepeatCounts:
    """Repeats counted since the last write; thread-safe."""

    _counts: Counter[RepeatKey] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, client: str, dataset: str, at: str) -> bool:
        """Count one repeat; returns whether counts of a completed hour are pending."""
        hour = at[:HOUR_PREFIX_CHARS]
        with self._lock:
            self._counts[hour, client, dataset] += 1
            return any(counted < hour for counted, _, _ in self._counts)

    def take_pending(self, before: str | None = None) -> dict[RepeatKey, int]:
        """Remove and return the pending counts; with `before`, only those of earlier hours."""
        with self._lock:
            taken = {
                # each = (hour, ...): hours before the current one are complete
                each: n
                for each, n in self._counts.items()
                if before is None or each[0] < before[:HOUR_PREFIX_CHARS]
            }
            for each in taken:
                del self._counts[each]
            return taken

    def restore(self, taken: dict[RepeatKey, int]) -> None:
        """Return unwritten counts to the buffer."""
        with self._lock:
            self._counts.update(taken)


def repeat_events(taken: dict[RepeatKey, int]) -> Iterable[Event]:
    """Build one event for each hour, client and dataset."""
    for (hour, client, dataset), times in sorted(taken.items()):
        yield Event(EntryKind.REPEATED, dataset, client, content={"hour": hour, "times": times})
