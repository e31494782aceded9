"""Exceptions of the ledger, one class hierarchy.

LedgerError
├── BudgetRefused       the price exceeds what is left            E_BUDGET, E_BUDGET_DATASET
├── CeilingRaised       a cap above the fixed dataset ceiling     E_BUDGET_DATASET
├── IdempotencyError    a request id reused for another query     E_IDEMPOTENCY
├── Forbidden           a frozen or removed client                E_FORBIDDEN
├── ParamError          an invalid amount or name                 E_PARAM
├── ProtocolError       charge, run, settle called out of order
├── UnsafeStore         a store that could lose or expose charges
└── LedgerUnavailable   a ledger that cannot be read or written now
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Protocol


class Code(StrEnum):
    """Stable error codes of the ledger; their meaning never changes."""

    BUDGET = "E_BUDGET"
    BUDGET_DATASET = "E_BUDGET_DATASET"
    FORBIDDEN = "E_FORBIDDEN"
    IDEMPOTENCY = "E_IDEMPOTENCY"
    PARAM = "E_PARAM"


class Amounts(Protocol):
    """A privacy loss as error messages show it; implemented by budgets.accounting.privacy_loss.Loss."""

    @property
    def rho(self) -> Fraction:
        """Return the zCDP rho."""

    @property
    def delta(self) -> Fraction:
        """Return the delta, spent on partition-selection thresholds."""

    def formatted(self, *, delta: bool) -> str:
        """Format for display; the delta is included only on request."""


@dataclass(eq=False)
class LedgerError(Exception):
    """Base class of ledger errors: a reason and a hint that helps."""

    why: str  # one sentence
    hint: str  # one thing that helps, shown behind "Try:"
    code: ClassVar[Code | None] = None  # None: the CLI and the server map the error to a code of their own

    def __str__(self) -> str:
        """Return code, reason and hint in one line."""
        code = "" if self.code is None else f"{self.code}: "
        return f"{code}{self.why} Try: {self.hint}"


class CeilingRaised(LedgerError):
    """A catalog sets a dataset cap above the ceiling that the first charge fixed."""

    code = Code.BUDGET_DATASET


class IdempotencyError(LedgerError):
    """A request id that this client already used for another query."""

    code = Code.IDEMPOTENCY


class Forbidden(LedgerError):
    """The client or account is frozen or removed, and is not charged until an admin intervenes."""

    code = Code.FORBIDDEN


class ParamError(LedgerError):
    """An invalid amount or name."""

    code = Code.PARAM


class ProtocolError(LedgerError):
    """A caller violated the protocol: charge, then run, then settle."""


class UnsafeStore(LedgerError):
    """A ledger store that could lose acknowledged charges, or that other users can open."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot be read or written now; without it no query is answered."""


class BudgetRefused(LedgerError):
    """The price exceeds the remaining budget of an account; nothing was debited and nothing was read."""

    def __init__(
        self,
        code: Code,
        *,
        account: str,  # the account that is short, in words
        requested: Amounts,  # what the account would have been debited
        remaining: Amounts,  # what is left of the account
        short_by: Amounts,  # requested less remaining, component by component
        would_fit: Amounts,  # the largest price that every account covers; 0 when none does
        window: str | None = None,  # privacy window of the account; None: the limit of one query
    ) -> None:
        """Build the message and the hint from the amounts."""
        delta = requested.delta > 0  # without a requested delta, the remaining delta is irrelevant
        why = f"This costs {requested}, and {account} has {remaining.formatted(delta=delta)} left: short by {short_by}."
        super().__init__(why, _hint(code, short_by, would_fit, delta))
        self.code = code  # type: ignore[misc]  # set on the instance: one of the two budget codes
        self.account, self.requested, self.remaining = account, requested, remaining
        self.short_by, self.would_fit = short_by, would_fit
        self.window = window
        self.alternatives: dict[str, object] = {}  # machine-readable alternatives, added by callers that know them


def _hint(code: Code, short_by: Amounts, would_fit: Amounts, show_delta: bool) -> str:
    """Hint of a budget refusal: the price that fits, or that nothing does.

    Only an admin can raise a client's cap (Code.BUDGET); the dataset's ceiling stays. If delta is short, public keys
    help, since they need no threshold.
    """
    if would_fit.rho == 0:
        free = "ask a stored question again, which is free"
        admin = "; an admin can raise the client's cap" if code is Code.BUDGET else ""
        return f"no new question like it fits any more; {free}{admin}."
    fits = f"a question of at most {would_fit.formatted(delta=show_delta)} fits"
    return f"{fits}; keys with a public domain cost no delta." if short_by.delta else f"{fits}."
