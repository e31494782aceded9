"""Waiting for what comes by itself, but not for ever: what hangs is a failure that says where."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LONGEST = 300.0  # seconds: many times what anything here takes on a machine that others use too


def until(there: Callable[[], object], every: float = 0.005) -> None:
    """Look again and again until something is there; raises AssertionError where it does not come."""
    deadline = time.monotonic() + LONGEST
    while not there():
        assert time.monotonic() < deadline, f"it did not come in {LONGEST:.0f} s"
        time.sleep(every)


@contextmanager
def not_for_ever(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Kill a process that takes too long meanwhile: whoever reads from it hears its end."""
    late = threading.Timer(LONGEST, process.kill)
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
