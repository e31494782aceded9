"""What names a request: an id of its own where none was sent, and a digest of what was asked."""

from __future__ import annotations

import hashlib
import itertools
import os
import time

from budgets import LONGEST_WORDING
from dialect.words import uncommented
from engine.terms import Asked

_CUT = " ..."

_asked_before = itertools.count()


def new_request_id() -> str:
    """Make an id for a request that came without one: unique on this machine, and no secret."""
    return f"{time.time_ns():x}-{os.getpid():x}-{next(_asked_before):x}"


def wording(sql: str) -> str:
    """Give a question as its client knows it again: without comments, which may hold anything, and not endless."""
    text = uncommented(sql)
    return text if len(text) <= LONGEST_WORDING else text[: LONGEST_WORDING - len(_CUT)] + _CUT


def body_digest(sql: str, asked: Asked) -> str:
    """Name what was asked, and on which terms."""
    terms = (sql, *map(str, (asked.rho, asked.target_error)), asked.confidence)
    return hashlib.sha256(repr(terms).encode()).hexdigest()
