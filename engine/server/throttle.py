"""What is logged at most once in a while, however often it happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

LOGGED_AFTER = 60.0  # seconds


@dataclass
class Throttle:
    """Remembers when each thing was last logged; safe for many threads."""

    seconds: float = LOGGED_AFTER
    _last: dict[Hashable, float] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def is_due(self, what: Hashable) -> bool:
        """Was this not logged within the last seconds? Then it is to be logged now."""
        now = time.monotonic()
        with self._changing:
            if now - self._last.get(what, -self.seconds) < self.seconds:
                return False
            self._last = {each: at for each, at in self._last.items() if now - at < self.seconds} | {what: now}
            return True
