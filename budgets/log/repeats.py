"""Free repeats, counted: one row of the chain for an hour, a client and a dataset, however many there were."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from budgets.log.events import EntryKind, Event

HOUR = len("2026-11-29T12")  # characters of a moment that name its hour

Counted = tuple[str, str, str]  # hour, client, dataset


@dataclass
class RepeatCounts:
    """What was repeated since the last row that says so; safe for many threads."""

    _counts: Counter[Counted] = field(default_factory=Counter)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, client: str, dataset: str, at: str) -> bool:
        """Count one repeat; tell whether an hour is over of which something was counted."""
        hour = at[:HOUR]
        with self._changing:
            self._counts[hour, client, dataset] += 1
            return any(counted < hour for counted, _, _ in self._counts)

    def take(self, before: str | None = None) -> dict[Counted, int]:
        """Take what was counted, of hours before a moment alone where one is given."""
        with self._changing:
            taken = {each: n for each, n in self._counts.items() if before is None or each[0] < before[:HOUR]}
            for each in taken:
                del self._counts[each]
            return taken

    def put_back(self, taken: dict[Counted, int]) -> None:
        """Count again what could not be written."""
        with self._changing:
            self._counts.update(taken)


def repeats_said(taken: dict[Counted, int]) -> Iterable[Event]:
    """Say how often who repeated what is stored, hour by hour."""
    for (hour, client, dataset), times in sorted(taken.items()):
        yield Event(EntryKind.REPEATED, dataset, client, said={"hour": hour, "times": times})
