"""Budget accounts: one per dataset, privacy window and account holder, with a cap and the amount spent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from budgets.accounting.conversion import EpsilonDelta, chargeable
from budgets.accounting.holders import ALL_CLIENTS, EVERYBODY, is_client_or_group, paying_holders
from budgets.accounting.privacy_loss import ATTO, MAX_UNITS, Loss
from budgets.errors import ParamError

LIFETIME = "*lifetime"  # pseudo-window of the account that is debited the sum over all windows
UNCAPPED = Loss(MAX_UNITS, ATTO - 1)  # cap of a lifetime account without a declared cap

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL and lone surrogates


@dataclass(frozen=True)
class AccountName:
    """Key of one account; its holder is a client, a group of clients, all clients together, or the whole dataset."""

    dataset: str
    window: str  # privacy window; LIFETIME: over all windows
    holder: str = EVERYBODY

    @property
    def client(self) -> str | None:
        """The client or client group that holds the account; None for the two accounts that all clients share."""
        return self.holder if is_client_or_group(self.holder) else None

    def __str__(self) -> str:
        """Describe the account in words."""
        shared = {EVERYBODY: "the dataset", ALL_CLIENTS: "all clients together"}
        owner = shared.get(self.holder, f"client {self.holder!r}")
        time = "over all windows" if self.window == LIFETIME else f"for window {self.window!r}"
        return f"the budget of {owner} {time} of dataset {self.dataset!r}"


@dataclass(frozen=True)
class AccountView:
    """State of an account at one moment: cap and amount spent."""

    name: AccountName
    cap: Loss  # current cap; its delta covers conversion and thresholds
    spent: Loss  # sum of charges; its delta covers thresholds only

    @property
    def is_capped(self) -> bool:
        """Does the account limit anything? A lifetime account without a declared cap does not."""
        return self.cap != UNCAPPED

    @property
    def remaining(self) -> Loss:
        """Loss that can still be charged: rho, and delta for partition-selection thresholds."""
        return chargeable(self.cap).excess_over(self.spent)

    @property
    def spent_epsilon_delta(self) -> EpsilonDelta:
        """Amount spent as (epsilon, delta), rounded up."""
        return EpsilonDelta.from_loss(self.spent, self.cap)

    @property
    def cap_epsilon_delta(self) -> EpsilonDelta:
        """The whole cap as (epsilon, delta), rounded up."""
        return EpsilonDelta.from_loss(chargeable(self.cap), self.cap)


def path_accounts(client: str, dataset: str, windows: Iterable[str]) -> tuple[AccountName, ...]:
    """List every account that pays when a client runs a query on a dataset.

    That is one account for each holder on the client's path in each privacy window, plus the lifetime accounts of the
    client and its groups.
    """
    each = tuple(windows)
    holders = paying_holders(client)
    in_windows = [AccountName(dataset, window, holder) for window in each for holder in holders]
    return (*in_windows, *(AccountName(dataset, LIFETIME, holder) for holder in holders if is_client_or_group(holder)))


def check_text(text: object, what: str) -> None:
    """Reject text that a database cannot store: NUL or lone surrogates; raises ParamError."""
    if not isinstance(text, str) or _UNSTORABLE.search(text):
        raise ParamError(f"{what} must be text.", "plain Unicode text without NUL.")
