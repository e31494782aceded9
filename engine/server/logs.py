"""Logs: one JSON object a line on standard error, made of named fields; no SQL, no value, no key is among them."""

from __future__ import annotations

import logging
import sys

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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"event": "library", "logger": "%(name)s"}')
