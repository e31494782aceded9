"""The bill of a query: which account holder still has to pay for which release.

Terms:
    holder     who pays: a client, a group of clients, all clients together, or everybody (the dataset account)
    path       holders of a client's queries, from the dataset account down to the client
    window     privacy window, with an account of its own for each holder; LIFETIME: pseudo-window over all of them
    debit      the same loss from some holders in some windows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from budgets.accounting.accounts import EVERYBODY, LIFETIME, is_client_or_group, own_holder, paying_holders
from budgets.accounting.policy import Debit
from budgets.accounting.privacy_loss import Loss, sum_losses
from budgets.accounting.records import ChargeRequest, PricedRelease


@dataclass(frozen=True)
class Bill:
    """The unpaid releases of one charge request, by account holder."""

    request: ChargeRequest
    unpaid: Mapping[str, tuple[PricedRelease, ...]]  # by holder, from the dataset down to the client

    @cached_property
    def client_loss(self) -> Loss:
        """Total loss of the releases that the client itself pays for; each window of a release pays its loss."""
        return sum_losses([item.loss for item in self.unpaid[own_holder(self.request.client)]])

    @property
    def already_charged(self) -> tuple[str, ...]:
        """Keys of the releases that the dataset account has paid for before, for any client."""
        new = {item.release_key for item in self.unpaid[EVERYBODY]}
        return tuple(item.release_key for item in self.request.distinct_releases if item.release_key not in new)

    @cached_property
    def debits(self) -> tuple[Debit, ...]:
        """Debits of each holder: in each privacy window, and over all windows for clients and groups."""
        holders_by_keys: dict[
            tuple[str, ...], list[str]
        ] = {}  # holders that pay for the same releases, by release keys
        for holder, items in self.unpaid.items():
            if items:
                holders_by_keys.setdefault(tuple([item.release_key for item in items]), []).append(holder)
        return tuple(
            # holders of one list pay for the same releases, so the first one's are all of theirs
            debit
            for holders in holders_by_keys.values()
            for debit in _debits(self.unpaid[holders[0]], tuple(holders))
        )


def make_bill(request: ChargeRequest, paid: Mapping[str, AbstractSet[str]]) -> Bill:
    """List what each holder on the client's path still has to pay: the requested releases less those paid before.

    Claim: over all charges an account pays for a release key exactly once, and a client that has not paid sees nothing.
    Symbols: paid holds release keys paid before, by holder: everybody, all clients, each group on the client's path.
    Formula: each holder on the path pays items - paid[holder]. Source: proofs.md#paying-once. Raises nothing.
    """
    items = request.distinct_releases
    unpaid = dict.fromkeys(paying_holders(request.client), items)
    for holder in unpaid.keys() & paid.keys():
        unpaid[holder] = tuple(item for item in items if item.release_key not in paid[holder])
    return Bill(request, MappingProxyType(unpaid))


def sum_debits(bills: Iterable[Bill]) -> tuple[Debit, ...]:
    """Sum the debits of several bills of one dataset, and group equal ones: same windows, same loss.

    A holder that several bills debit in the same windows pays the sum once, so that each account is updated once.
    """
    losses: dict[tuple[str, ...], dict[str, list[Loss]]] = {}  # by windows, then by holder
    for debit in (debit for bill in bills for debit in bill.debits):
        losses_by_holder = losses.setdefault(debit.windows, {})
        for holder in debit.holders:
            losses_by_holder.setdefault(holder, []).append(debit.loss)
    holders_by_debit: dict[tuple[tuple[str, ...], Loss], list[str]] = {}
    for windows, losses_by_holder in losses.items():
        for holder, each in losses_by_holder.items():
            holders_by_debit.setdefault((windows, each[0] if len(each) == 1 else sum_losses(each)), []).append(holder)
    return tuple(Debit(tuple(holders), windows, loss) for (windows, loss), holders in holders_by_debit.items())


def _debits(items: tuple[PricedRelease, ...], holders: tuple[str, ...]) -> Iterator[Debit]:
    """Debits for releases that all these holders pay for.

    In each window the losses of its releases; over the lifetime of clients and groups the loss of every window added
    up.
    """
    for windows, loss in _windows_by_loss(items):
        yield Debit(holders, windows, loss)
    clients = tuple(holder for holder in holders if is_client_or_group(holder))
    if clients:
        yield Debit(clients, (LIFETIME,), sum_losses([item.loss.times(len(item.windows)) for item in items]))


def _windows_by_loss(items: Iterable[PricedRelease]) -> Iterator[tuple[tuple[str, ...], Loss]]:
    """Group the windows of some releases by the total loss that each window pays: (windows, loss).

    Releases of equal windows, the usual case, make one group without looking at single windows.
    """
    sets: dict[tuple[str, ...], Loss] = {}
    for item in items:
        sets[item.windows] = sets[item.windows] + item.loss if item.windows in sets else item.loss
    # all releases have the same windows
    if len(sets) == 1:
        yield from sets.items()
        return
    losses: dict[str, Loss] = {}
    for windows, loss in sets.items():
        for window in windows:
            losses[window] = losses[window] + loss if window in losses else loss
    by_loss: dict[Loss, list[str]] = {}
    for window, loss in losses.items():
        by_loss.setdefault(loss, []).append(window)
    for loss, touched in by_loss.items():
        yield tuple(touched), loss  # the windows that pay exactly this loss
