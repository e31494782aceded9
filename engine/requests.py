"""What names a request: an id of its own where none was sent, and a digest of what was asked."""

from __future__ import annotations

import hashlib
import itertools
import os
import time

from engine.terms import Asked

_asked_before = itertools.count()


def new_request_id() -> str:
    """Make an id for a request that came without one: unique on this machine, and no secret."""
    return f"{time.time_ns():x}-{os.getpid():x}-{next(_asked_before):x}"


def body_digest(sql: str, asked: Asked) -> str:
    """Name what was asked, and on which terms."""
    terms = (sql, *map(str, (asked.rho, asked.target_error)), asked.confidence)
    return hashlib.sha256(repr(terms).encode()).hexdigest()
