"""The bill of a question: which account still has to pay for which release."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from budgets.accounts import AccountName
from budgets.loss import Loss, total
from budgets.policy import Debit
from budgets.records import ChargeRequest, Item


@dataclass(frozen=True)
class Bill:
    """What is still to be paid, account by account."""

    request: ChargeRequest
    by_client: tuple[Item, ...]  # releases that the client sees for the first time
    by_dataset: tuple[Item, ...]  # releases that nobody has asked for before

    @property
    def client_loss(self) -> Loss:
        """Give the loss of all releases that the client pays for; a window pays that of the releases touching it."""
        return total(item.loss for item in self.by_client)

    @property
    def payments(self) -> tuple[tuple[AccountName, tuple[Item, ...]], ...]:
        """Pair each account that pays with what it pays for."""
        owners = ((self.request.client, self.by_client), (None, self.by_dataset))
        return tuple(
            (AccountName(self.request.dataset, window, owner), paid)
            for owner, items in owners
            for window, paid in _by_window(items).items()
        )

    @property
    def debits(self) -> tuple[Debit, ...]:
        """Give one debit for each account that pays."""
        caps = self.request.caps
        return tuple(
            Debit(name, caps.dataset if name.client is None else caps.client, total(item.loss for item in items))
            for name, items in self.payments
        )


def _by_window(items: Iterable[Item]) -> dict[str, tuple[Item, ...]]:
    touching: dict[str, list[Item]] = {}
    for item in items:
        for window in item.windows:
            touching.setdefault(window, []).append(item)
    return {window: tuple(paid) for window, paid in touching.items()}


def make_bill(request: ChargeRequest, paid_by_client: AbstractSet[str], paid_by_dataset: AbstractSet[str]) -> Bill:
    """Leave out what is paid.

    Claim: over all charges an account pays for a release key exactly once, and a client that has not paid sees nothing.
    Symbols: the sets hold release keys paid before, by this client and by the dataset's account.
    Formula: client pays items - paid_by_client, dataset pays items - paid_by_dataset.
    Source: proofs.md#paying-once. Raises nothing.
    """
    items = request.distinct_items
    return Bill(
        request,
        by_client=tuple(item for item in items if item.release_key not in paid_by_client),
        by_dataset=tuple(item for item in items if item.release_key not in paid_by_dataset),
    )
