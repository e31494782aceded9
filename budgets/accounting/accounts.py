"""Accounts: who may lose how much of a dataset's windows, and how much of it is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from budgets.accounting.conversion import EpsilonDelta, chargeable
from budgets.accounting.holders import ALL_CLIENTS, EVERYBODY, is_client, payers
from budgets.accounting.loss import ATTO, MAX_UNITS, Loss
from budgets.errors import ParamError

LIFETIME = "*lifetime"  # the window of the account that is debited the sum over all windows
UNCAPPED = Loss(MAX_UNITS, ATTO - 1)  # the cap of a lifetime account that nobody has capped

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of characters


@dataclass(frozen=True)
class AccountName:
    """One account: a client's own, that of a group of clients, of all clients together, or of everybody."""

    dataset: str
    window: str  # LIFETIME: over all windows
    holder: str = EVERYBODY

    @property
    def client(self) -> str | None:
        """Give the client, or the group of clients; None for the accounts that all of them share."""
        return self.holder if is_client(self.holder) else None

    def __str__(self) -> str:
        """Name the account for people."""
        shared = {EVERYBODY: "the dataset", ALL_CLIENTS: "all clients together"}
        owner = shared.get(self.holder, f"client {self.holder!r}")
        time = "over all windows" if self.window == LIFETIME else f"for window {self.window!r}"
        return f"the budget of {owner} {time} of dataset {self.dataset!r}"


@dataclass(frozen=True)
class AccountView:
    """What an account holds at one moment."""

    name: AccountName
    cap: Loss  # what the promise says now; its delta covers conversion and thresholds
    spent: Loss  # what was charged; its delta is the thresholds' alone

    @property
    def capped(self) -> bool:
        """Tell whether there is anything that the account limits."""
        return self.cap != UNCAPPED

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


def path_accounts(client: str, dataset: str, windows: Iterable[str]) -> tuple[AccountName, ...]:
    """Name every account that pays for what a client sees: of each holder on its path, in each window and over all."""
    each = tuple(windows)
    holders = payers(client)
    in_windows = [AccountName(dataset, window, holder) for window in each for holder in holders]
    return (*in_windows, *(AccountName(dataset, LIFETIME, holder) for holder in holders if is_client(holder)))


def check_text(text: object, what: str) -> None:
    """Refuse text that no database can hold; raises ParamError."""
    if not isinstance(text, str) or _UNSTORABLE.search(text):
        raise ParamError(f"{what} must be text.", "plain Unicode text without NUL.")
