"""The bill of a question: which account of the tree still has to pay for which release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from budgets.accounts import LIFETIME
from budgets.holders import EVERYBODY, is_client, own_holder, payers
from budgets.loss import NOTHING, Loss, total
from budgets.policy import Debit
from budgets.records import ChargeRequest, Item


@dataclass(frozen=True)
class Bill:
    """What is still to be paid, holder by holder."""

    request: ChargeRequest
    unpaid: Mapping[str, tuple[Item, ...]]  # by holder, from everybody down to the client who asks

    @cached_property
    def client_loss(self) -> Loss:
        """Give the loss of all releases that the client pays for; a window pays that of the releases touching it."""
        return total(item.loss for item in self.unpaid[own_holder(self.request.client)])

    @property
    def known(self) -> tuple[str, ...]:
        """Give the releases that were charged before, to anybody."""
        new = {item.release_key for item in self.unpaid[EVERYBODY]}
        return tuple(item.release_key for item in self.request.distinct_items if item.release_key not in new)

    @cached_property
    def debits(self) -> tuple[Debit, ...]:
        """Give what each holder pays in each window, and over all of them."""
        together: dict[tuple[Item, ...], list[str]] = {}  # holders that pay for the same releases
        for holder, items in self.unpaid.items():
            if items:
                together.setdefault(items, []).append(holder)
        return tuple(debit for items, holders in together.items() for debit in _debits(items, tuple(holders)))


def make_bill(request: ChargeRequest, paid: Mapping[str, AbstractSet[str]]) -> Bill:
    """Leave out what is paid.

    Claim: over all charges an account pays for a release key exactly once, and a client that has not paid sees nothing.
    Symbols: paid holds release keys paid before, by holder: everybody, all clients, each group on the client's path.
    Formula: each holder on the path pays items - paid[holder]. Source: proofs.md#paying-once. Raises nothing.
    """
    items = request.distinct_items
    nothing: frozenset[str] = frozenset()
    return Bill(
        request,
        MappingProxyType(
            {
                holder: tuple(item for item in items if item.release_key not in paid.get(holder, nothing))
                for holder in payers(request.client)
            }
        ),
    )


def debits_of(bills: Iterable[Bill]) -> tuple[Debit, ...]:
    """Give what some bills of one dataset debit together: what each holder loses in the same windows, summed."""
    losses: dict[tuple[str, ...], dict[str, Loss]] = {}  # by windows, then by holder
    for debit in (debit for bill in bills for debit in bill.debits):
        of_windows = losses.setdefault(debit.windows, {})
        for holder in debit.holders:
            of_windows[holder] = of_windows.get(holder, NOTHING) + debit.loss
    alike: dict[tuple[tuple[str, ...], Loss], list[str]] = {}
    for windows, of_windows in losses.items():
        for holder, loss in of_windows.items():
            alike.setdefault((windows, loss), []).append(holder)
    return tuple(Debit(tuple(holders), windows, loss) for (windows, loss), holders in alike.items())


def _debits(items: tuple[Item, ...], holders: tuple[str, ...]) -> Iterator[Debit]:
    for windows, loss in _by_loss(items):
        yield Debit(holders, windows, loss)
    clients = tuple(holder for holder in holders if is_client(holder))
    if clients:
        yield Debit(clients, (LIFETIME,), total(times(item.loss, len(item.windows)) for item in items))


def _by_loss(items: Iterable[Item]) -> Iterator[tuple[tuple[str, ...], Loss]]:
    """Part the windows that some releases touch by what they lose."""
    sets: dict[tuple[str, ...], Loss] = {}
    for item in items:
        sets[item.windows] = sets.get(item.windows, NOTHING) + item.loss
    if len(sets) == 1:
        yield from sets.items()
        return
    losses: dict[str, Loss] = {}
    for windows, loss in sets.items():
        for window in windows:
            losses[window] = losses.get(window, NOTHING) + loss
    by_loss: dict[Loss, list[str]] = {}
    for window, loss in losses.items():
        by_loss.setdefault(loss, []).append(window)
    for loss, touched in by_loss.items():
        yield tuple(touched), loss


def times(loss: Loss, count: int) -> Loss:
    """Give a loss so many times over."""
    return Loss(loss.pico_rho * count, loss.atto_delta * count)
