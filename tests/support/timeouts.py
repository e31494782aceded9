"""Waiting with a timeout, so that a hanging test fails with a location."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_SECONDS = 300.0  # seconds; far above the duration of anything on a busy machine


def until(there: Callable[[], object], every: float = 0.005) -> None:
    """Poll until a condition is true; raises AssertionError after a timeout."""
    deadline = time.monotonic() + MAX_SECONDS
    while not there():
        assert time.monotonic() < deadline, f"it did not come in {MAX_SECONDS:.0f} s"
        time.sleep(every)


@contextmanager
def killed_after_timeout(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Kill a process that takes too long; readers of its output then see its end."""
    late = threading.Timer(MAX_SECONDS, process.kill)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
