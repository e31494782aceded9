"""What a request says of itself: an id where none was sent, a digest of what was asked, the error it aims at."""

from __future__ import annotations

import hashlib
import itertools
import os
import time

from budgets import LONGEST_WORDING
from dialect import Code, Refusal
from dialect.parser.options import TargetError, target_error
from dialect.parser.tokens import uncommented
from engine.pricing.terms import Asked

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


def asked_error(text: str | None, rho: str | None) -> TargetError | None:
    """Read the error that a call asks for; raises Refusal with E_PARAM."""
    if text is None:
        return None
    if rho is not None:
        raise Refusal(Code.PARAM, "rho and target_error both decide what the question costs.", "one of them")
    target = target_error(str(text))
    if target is None:
        why = "A target error is an amount above 0, or a share of at most 100%."
        raise Refusal(Code.PARAM, why, "target_error 50, or 5%")
    return target
