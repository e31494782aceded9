"""Errors of the engine.

EngineError
├── CatalogError       an invalid catalog: file, key, cure
├── ExecutionFailed    the one run-time failure: constant text, the charge stays (E_EXEC)
└── DataError          files that contradict the catalog; raised when the engine opens, so only stewards meet it
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from budgets import LedgerError
from dialect import Code, Refusal


class EngineError(Exception):
    """Base class of the engine's errors."""


class ExecutionFailed(EngineError):
    """The query was charged and then failed. Carries neither data values nor text of the backend."""

    code = "E_EXEC"
    why = "The question could not be answered within the limits of this machine; the charge stays."
    hint = "ask again with the same request id, or for fewer groups or a shorter time"

    def __init__(self, kind: str = "") -> None:
        """Keep the class name of the underlying error, for the operator's log only: no message shows it."""
        super().__init__()
        self.kind = kind

    def __str__(self) -> str:
        """Return the constant message."""
        return f"{self.code}: {self.why} Try: {self.hint}"


def redact(error: Exception) -> LedgerError | ExecutionFailed:
    """Replace an error raised once rows may have been read by one that reveals nothing about them.

    Claim: code and text reveal that making the release failed, and nothing of how. Symbols: `error`, the error raised.
    Formula: a LedgerError depends on no row and passes unchanged; everything else becomes one constant text, with its
    class name for the log. Source: proofs.md#answer. Raises nothing.
    """
    return error if isinstance(error, LedgerError | ExecutionFailed) else ExecutionFailed(type(error).__name__)


@contextmanager
def refuse_before_charge(failure_text: str, *, when: bool = True) -> Iterator[None]:
    """Turn a failure that happens before any charge into a refusal. The body reads only public or released data."""
    try:
        yield
    except ExecutionFailed:
        if not when:
            raise
        why = f"{failure_text} within the limits of this machine; nothing was charged."
        hint = "join fewer or smaller tables, or name some values of a key in WHERE"
        raise Refusal(Code.COMPLEX, why, hint) from None


class DataError(EngineError):
    """Data files that contradict the catalog."""

    def __init__(self, table: str, why: str, cure: str) -> None:
        """Name the table, what is wrong with it, and the cure."""
        super().__init__(f"{table}: {why} Cure: {cure}")
        self.table, self.why, self.cure = table, why, cure


@dataclass
class CatalogError(EngineError):
    """An invalid catalog."""

    file: str
    key: str  # dotted path inside the file, e.g. tables.visit.columns.dwell_min.bounds
    why: str
    cure: str
    other_errors: tuple[CatalogError, ...] = ()  # further errors in the same catalog

    def __str__(self) -> str:
        """Return file, key, reason and cure in one line."""
        return f"{self.file}: {self.key}: {self.why} Cure: {self.cure}"
