"""Counts of free repeats: one ledger entry per hour, client and dataset."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from budgets.log.events import EntryKind, Event

HOUR = len("2026-11-29T12")  # length of the prefix of a timestamp that identifies its hour

Counted = tuple[str, str, str]  # hour, client, dataset


@dataclass
class RepeatCounts:
    """Repeats counted since the last write; thread-safe."""

    _counts: Counter[Counted] = field(default_factory=Counter)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, client: str, dataset: str, at: str) -> bool:
        """Count one repeat; returns whether counts of a completed hour are pending."""
        hour = at[:HOUR]
        with self._changing:
            self._counts[hour, client, dataset] += 1
            return any(counted < hour for counted, _, _ in self._counts)

    def take(self, before: str | None = None) -> dict[Counted, int]:
        """Remove and return the pending counts; with `before`, only those of earlier hours."""
        with self._changing:
            taken = {each: n for each, n in self._counts.items() if before is None or each[0] < before[:HOUR]}
            for each in taken:
                del self._counts[each]
            return taken

    def put_back(self, taken: dict[Counted, int]) -> None:
        """Add back counts that could not be written."""
        with self._changing:
            self._counts.update(taken)


def repeats_said(taken: dict[Counted, int]) -> Iterable[Event]:
    """Build one event for each hour, client and dataset."""
    for (hour, client, dataset), times in sorted(taken.items()):
        yield Event(EntryKind.REPEATED, dataset, client, said={"hour": hour, "times": times})
