"""Logs: one JSON object a line on standard error, made of named fields; no SQL, no value, no key is among them."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def begin_logs() -> None:
    """Write JSON lines; libraries that log text are heard from warnings on."""
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
    """Standard error as it is when a line is written; one that can't be, as on a full disk, stops nothing."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
