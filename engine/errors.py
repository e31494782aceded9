"""What can go wrong while a question is answered.

EngineError
├── CatalogError       a steward's catalog that is not accepted: file, key, cure
├── ExecutionFailed    the one failure at run time: constant text, the charge stays (E_EXEC)
└── DataError          files that are not what the catalog says; only stewards meet it, when the engine opens
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from budgets import LedgerError
from dialect import Code, Refusal


class EngineError(Exception):
    """Anything the engine raises of its own."""


class ExecutionFailed(EngineError):
    """The question was charged and could not be answered. Nothing of the data, or of any engine's text, is in here."""

    code = "E_EXEC"
    why = "The question could not be answered within the limits of this machine; the charge stays."
    hint = "ask again with the same request id, or for fewer groups or a shorter time"

    def __init__(self, kind: str = "") -> None:
        """Keep the name of the class of what failed, for the log of whoever runs the engine: no text tells it."""
        super().__init__()
        self.kind = kind

    def __str__(self) -> str:
        """Give the constant text."""
        return f"{self.code}: {self.why} Try: {self.hint}"


def untold(error: Exception) -> LedgerError | ExecutionFailed:
    """Give what is told of whatever ended the making of a release, once rows may have been read.

    Claim: code and text tell of the rows that the making failed, and nothing of how. Symbols: `error`, what was raised.
    Formula: a LedgerError, which hangs on no row, as it is; of all else, one constant text, and its class for the log.
    Source: proofs.md#answer. Raises nothing.
    """
    return error if isinstance(error, LedgerError | ExecutionFailed) else ExecutionFailed(type(error).__name__)


@contextmanager
def uncharged(what: str, *, when: bool = True) -> Iterator[None]:
    """Refuse what fails before anything is charged: only what is public, made up or released is read in it."""
    try:
        yield
    except ExecutionFailed:
        if not when:
            raise
        why = f"{what} within the limits of this machine; nothing was charged."
        hint = "join fewer or smaller tables, or name some values of a key in WHERE"
        raise Refusal(Code.COMPLEX, why, hint) from None


class DataError(EngineError):
    """Files that are not what the catalog says."""

    def __init__(self, table: str, why: str, cure: str) -> None:
        """Name the table, what is wrong with it and what to do."""
        super().__init__(f"{table}: {why} Cure: {cure}")
        self.table, self.why, self.cure = table, why, cure


@dataclass
class CatalogError(EngineError):
    """A catalog that is not accepted."""

    file: str
    key: str  # dotted path inside the file, e.g. tables.visit.columns.dwell_min.bounds
    why: str
    cure: str
    others: tuple[CatalogError, ...] = ()  # what else is wrong with the same catalog

    def __str__(self) -> str:
        """Give file, key, why and cure in one line."""
        return f"{self.file}: {self.key}: {self.why} Cure: {self.cure}"
