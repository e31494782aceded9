"""Data types that go into the ledger and come out of it; a bill lists who still has to pay for which release.

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

from budgets.accounting.accounts import (
    EVERYBODY,
    LIFETIME,
    Caps,
    Debit,
    check_client_or_owner,
    check_minimum_price,
    check_name,
    check_text,
    check_window,
    is_client_or_group,
    own_holder,
    paying_holders,
)
from budgets.accounting.privacy_loss import Loss, sum_losses
from budgets.errors import ParamError

MAX_QUERY_TEXT_CHARS = 2_000  # characters; limited because ledger entries are permanent


@dataclass(frozen=True)
class PricedRelease:
    """One release with its price, to be charged."""

    release_key: str  # hex digest of canonical plan, parameters and data version
    loss: Loss  # charged in each of its windows
    canonical_query: str  # canonical text of the release, for admins
    windows: tuple[str, ...]  # charged privacy windows; each pays the loss in full

    def __post_init__(self) -> None:
        """Reject a release without key, price or windows; raises ParamError."""
        check_name(self.release_key, "A release key")
        check_text(self.canonical_query, "A question")
        for window in self.windows:
            check_window(window)
        if not self.windows or len(set(self.windows)) < len(self.windows):
            raise ParamError("A release touches at least one window, each named once.", "the dataset's own windows.")
        if self.loss.pico_rho == 0:
            raise ParamError("A release costs rho above 0.", "rho = 0.005.")


@dataclass(frozen=True)
class ChargeRequest:
    """One priced query of one client: the releases to charge, and the caps to respect."""

    client: str
    dataset: str
    request_id: str  # the client's idempotency key
    body_digest: str  # of the request sent under that id
    releases: tuple[PricedRelease, ...]
    caps: Caps
    versions: str = ""  # code and catalog versions, for auditors
    query_text: str = ""  # the SQL text that the client sent, truncated to MAX_QUERY_TEXT_CHARS

    def __post_init__(self) -> None:
        """Reject invalid names, an empty list of releases, and a price below the minimum; raises ParamError."""
        check_client_or_owner(self.client)
        names = {"A dataset": self.dataset, "A request id": self.request_id}
        for what, name in (names | {"A body digest": self.body_digest}).items():
            check_name(name, what)
        check_text(self.versions, "A note of versions")
        check_text(self.query_text, "A wording")
        if len(self.query_text) > MAX_QUERY_TEXT_CHARS:
            raise ParamError(f"A wording has at most {MAX_QUERY_TEXT_CHARS:,} characters.", "its beginning.")
        if not self.releases:
            raise ParamError("A question that releases nothing is not charged.", "answer it without the ledger.")
        check_minimum_price(item.loss for item in self.distinct_releases)

    @cached_property
    def windows(self) -> frozenset[str]:
        """All privacy windows that the releases of the query are charged to."""
        return frozenset(window for item in self.releases for window in item.windows)

    @cached_property
    def distinct_releases(self) -> tuple[PricedRelease, ...]:
        """The releases, each once; raises ParamError if one key has two prices or two sets of windows."""
        by_key: dict[str, PricedRelease] = {}
        for item in self.releases:
            first = by_key.setdefault(item.release_key, item)
            if first.loss != item.loss or set(first.windows) != set(item.windows):
                raise ParamError("One release of a question has two prices.", "one price for one release key.")
        return tuple(by_key.values())


@dataclass(frozen=True)
class Charge:
    """A durable debit: the releases paid for may be computed now."""

    id: int  # sequence of the ledger entry
    client: str
    dataset: str
    request_id: str
    loss: Loss  # debited from the client by this request; a repeat reports it and debits nothing
    release_keys: tuple[str, ...]  # all releases of the query, in the order of the first charge
    to_run: tuple[str, ...]  # keys without a stored release yet
    stored: Mapping[str, bytes]  # payloads of the stored releases, by key
    is_repeat: bool = False  # the same request id was charged before, so nothing was debited


@dataclass(frozen=True)
class StoredRelease:
    """A stored release; every replay of its query returns this payload."""

    release_key: str
    payload: bytes
    settled_at: str  # UTC, for display only


@dataclass(frozen=True)
class ReleaseAge:
    """When a stored release was computed, and how old its data are."""

    release_key: str
    settled_at: str  # UTC
    age_days: int  # whole days since the charge, which precedes the reading of data; 0 if in the future


@dataclass(frozen=True)
class PaidRelease:
    """A release that a client has paid for, without its payload."""

    release_key: str
    dataset: str
    windows: tuple[str, ...]
    canonical_query: str
    loss: Loss  # charged in each window
    settled_at: str | None  # not before the client's own charge; None: charged but not stored yet, a retry is free
    query_text: str = ""  # the SQL text sent with the charge; empty in old ledger entries
    charge_id: int = 0  # sequence of the ledger entry of the charge; shared by releases charged together


@dataclass(frozen=True)
class TopUp:
    """A client's request for another cap, and its state."""

    id: int
    dataset: str
    client: str
    scope: str  # EACH_WINDOW, LIFETIME, PER_QUERY, or the name of one window
    cap: Loss  # requested cap
    state: str  # open, approved or declined


@dataclass(frozen=True)
class ClientStatus:
    """A known client or group of clients, with its state."""

    client: str
    is_group: bool
    state: str  # active, frozen or removed; inherited from groups


@dataclass(frozen=True)
class Freeze:
    """A scope in which nothing is charged; an empty field matches everything."""

    dataset: str
    client: str
    window: str
    sequence: int  # of the ledger entry with actor, time and reason


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
        # holders that pay for the same releases, by release keys
        holders_by_keys: dict[tuple[str, ...], list[str]] = {}
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
