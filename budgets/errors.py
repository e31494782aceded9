"""Every refusal of the ledger, one tree.

LedgerError
├── BudgetRefused       what is left does not cover the price     E_BUDGET, E_BUDGET_DATASET
├── CeilingRaised       a cap above the ceiling fixed for good    E_BUDGET_DATASET
├── IdempotencyError    a request id used for another question    E_IDEMPOTENCY
├── Forbidden           a client that is frozen or removed        E_FORBIDDEN
├── ParamError          an amount or a name that is not accepted  E_PARAM
├── ProtocolError       a caller that broke charge, run, settle
├── UnsafeStore         a ledger file that could lose or show charges
└── LedgerUnavailable   a ledger that can't be read or written now
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Protocol


class Code(StrEnum):
    """The stable codes of the ledger's refusals; their meaning never changes."""

    BUDGET = "E_BUDGET"
    BUDGET_DATASET = "E_BUDGET_DATASET"
    FORBIDDEN = "E_FORBIDDEN"
    IDEMPOTENCY = "E_IDEMPOTENCY"
    PARAM = "E_PARAM"


class Amounts(Protocol):
    """What a refusal says of a loss; budgets.accounting.loss.Loss is one."""

    @property
    def rho(self) -> Fraction:
        """Give the zCDP part."""

    @property
    def delta(self) -> Fraction:
        """Give the part of private keys."""

    def told(self, *, delta: bool) -> str:
        """Write it for people, its delta only where that is asked for."""


@dataclass(eq=False)
class LedgerError(Exception):
    """Anything the ledger refuses: why, and what to do."""

    why: str  # one sentence
    hint: str  # one thing that helps, shown behind "Try:"
    code: ClassVar[Code | None] = None  # None: the reader's doors choose their own

    def __str__(self) -> str:
        """Give code, why and hint in one line."""
        code = "" if self.code is None else f"{self.code}: "
        return f"{code}{self.why} Try: {self.hint}"


class CeilingRaised(LedgerError):
    """A catalog that asks for more than the ceiling that the first charge fixed."""

    code = Code.BUDGET_DATASET


class IdempotencyError(LedgerError):
    """A request id that this client has used for another question."""

    code = Code.IDEMPOTENCY


class Forbidden(LedgerError):
    """A client, or an account, that may not be charged until an admin looks."""

    code = Code.FORBIDDEN


class ParamError(LedgerError):
    """An amount or a name that is not accepted."""

    code = Code.PARAM


class ProtocolError(LedgerError):
    """A caller that broke the protocol of charge, run and settle."""


class UnsafeStore(LedgerError):
    """A ledger file that could lose acknowledged charges, or that others can open."""


class LedgerUnavailable(LedgerError):
    """A ledger that can't be read or written now; nothing may be answered."""


@dataclass(eq=False, init=False)
class BudgetRefused(LedgerError):
    """A price that what is left does not cover; nothing was debited and nothing was read."""

    account: str  # whose budget is short, in words
    requested: Amounts  # what the account would have been debited
    remaining: Amounts  # what is left of it
    short_by: Amounts  # requested beyond remaining, part by part
    would_fit: Amounts  # the largest price that every account covers; 0 when none does
    window: str | None  # of the account; None: what one question may cost
    told: dict[str, object]  # what else fits, for programs: whoever knows adds it

    def __init__(
        self,
        code: Code,
        *,
        account: str,
        requested: Amounts,
        remaining: Amounts,
        short_by: Amounts,
        would_fit: Amounts,
        window: str | None = None,
    ) -> None:
        """Make the sentences from the numbers."""
        delta = requested.delta > 0  # else its delta is nobody's question
        why = f"This costs {requested}, and {account} has {remaining.told(delta=delta)} left: short by {short_by}."
        super().__init__(why, _what_fits(code, short_by, would_fit, delta))
        self.code = code  # type: ignore[misc]  # of the instance: one of the two budget codes
        self.account, self.requested, self.remaining = account, requested, remaining
        self.short_by, self.would_fit = short_by, would_fit
        self.window, self.told = window, {}


def _what_fits(code: Code, short_by: Amounts, would_fit: Amounts, delta: bool) -> str:
    if would_fit.rho == 0:
        free = "ask a stored question again, which is free"
        admin = "; an admin can raise the client's cap" if code is Code.BUDGET else ""
        return f"no new question like it fits any more; {free}{admin}."
    fits = f"a question of at most {would_fit.told(delta=delta)} fits"
    return f"{fits}; keys with a public domain cost no delta." if short_by.delta else f"{fits}."
