"""Accounts: who may lose how much of a dataset's windows, and how much of it is gone."""

from __future__ import annotations

from dataclasses import dataclass

from budgets.conversion import EpsilonDelta, chargeable
from budgets.errors import ParamError
from budgets.loss import Loss

_MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True)
class AccountName:
    """One account: a client's own, or the one that all clients of a dataset share."""

    dataset: str
    window: str
    client: str | None = None  # None: all clients together

    def __str__(self) -> str:
        """Name the account for people."""
        owner = "all clients together" if self.client is None else f"client {self.client!r}"
        return f"the budget of {owner} for window {self.window!r} of dataset {self.dataset!r}"


@dataclass(frozen=True)
class AccountView:
    """What an account holds at one moment."""

    name: AccountName
    cap: Loss  # what the promise says now; its delta covers conversion and thresholds
    spent: Loss  # what was charged; its delta is the thresholds' alone

    @property
    def remaining(self) -> Loss:
        """Give what can still be charged: rho, and delta of thresholds."""
        return chargeable(self.cap).beyond(self.spent)

    @property
    def spent_epsilon_delta(self) -> EpsilonDelta:
        """State what was spent as (epsilon, delta), rounded up."""
        return EpsilonDelta.of(self.spent, self.cap)

    @property
    def cap_epsilon_delta(self) -> EpsilonDelta:
        """State the whole cap as (epsilon, delta), rounded up."""
        return EpsilonDelta.of(chargeable(self.cap), self.cap)


def check_name(text: object, what: str) -> None:
    """Refuse a name that is not 1 to 200 printable characters of text; raises ParamError."""
    if not isinstance(text, str) or not 1 <= len(text) <= _MAX_NAME_CHARACTERS or not text.isprintable():
        raise ParamError(f"{what} must be 1 to {_MAX_NAME_CHARACTERS} printable characters.", "a shorter, plain name.")


def check_text(text: object, what: str) -> None:
    """Refuse text that no database can hold; raises ParamError."""
    if not isinstance(text, str) or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ParamError(f"{what} must be text.", "plain Unicode text without NUL.")
