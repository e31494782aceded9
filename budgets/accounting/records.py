"""Data types that go into the ledger and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from budgets.accounting.accounts import check_client_or_owner, check_name, check_text, check_window
from budgets.accounting.policy import Caps, check_minimum_price
from budgets.accounting.privacy_loss import Loss
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
