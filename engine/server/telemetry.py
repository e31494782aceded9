"""Telemetry: counters for Prometheus, and logs as one JSON object a line on standard error.

Counters of requests and refusals depend on what was requested, never on the data. Durations, memory and processor use
are not measured: for a fresh release they depend on the data. Log lines consist of named fields, without SQL, values or
keys. Frequent events are throttled.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure_logging() -> None:
    """Set up logging as JSON lines. Libraries log from level WARNING on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"event": "library", "logger": "%(name)s"}')


class _StandardError:
    """Standard error, looked up at each write. Write errors, as on a full disk, are ignored."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


DATA_DEPENDENT_CODES = ("E_EXEC", "E_SERVER")  # shown to the client and in the ledger only


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        """Create the counters, without creation timestamps."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("passersby_requests", "Requests", ["method", "route"], registry=registry)
        self.refusals = Counter("passersby_refusals", "Refusals", ["code"], registry=registry)
        self.questions = Counter("passersby_questions", "Questions handed in", ["how"], registry=registry)

    def count_refusal(self, code: str) -> None:
        """Count a refusal, unless it may depend on the data."""
        if code not in DATA_DEPENDENT_CODES:
            self.refusals.labels(code).inc()

    def text(self) -> bytes:
        """Return the counters in Prometheus' text format."""
        return generate_latest(self.registry)


LOG_INTERVAL_SECONDS = 60.0  # seconds


@dataclass
class Throttle:
    """Rate limiter of log lines: remembers when each thing was last logged. Thread-safe."""

    seconds: float = LOG_INTERVAL_SECONDS
    _last_logged: dict[Hashable, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def is_due(self, what: Hashable) -> bool:
        """Was this not logged within the last `seconds`? If so, it counts as logged now."""
        now = time.monotonic()
        with self._lock:
            if now - self._last_logged.get(what, -self.seconds) < self.seconds:
                return False
            recent = {each: at for each, at in self._last_logged.items() if now - at < self.seconds}
            self._last_logged = {**recent, what: now}
            return True
