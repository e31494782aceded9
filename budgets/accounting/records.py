"""The nouns that go into the ledger and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from budgets.accounting.accounts import check_text
from budgets.accounting.holders import check_client, check_name, check_window
from budgets.accounting.loss import Loss
from budgets.accounting.policy import Caps, check_minimum
from budgets.errors import ParamError

LONGEST_WORDING = 2_000  # characters: what a row keeps, it keeps for ever


@dataclass(frozen=True)
class Item:
    """One release to pay for."""

    release_key: str  # hex of canonical plan, parameters and data version
    loss: Loss  # in each of its windows
    question: str  # canonical text, for admins
    windows: tuple[str, ...]  # every window that the release touches; each pays the loss in full

    def __post_init__(self) -> None:
        """Refuse a release without key, price or windows."""
        check_name(self.release_key, "A release key")
        check_text(self.question, "A question")
        for window in self.windows:
            check_window(window)
        if not self.windows or len(set(self.windows)) < len(self.windows):
            raise ParamError("A release touches at least one window, each named once.", "the dataset's own windows.")
        if self.loss.pico_rho == 0:
            raise ParamError("A release costs rho above 0.", "rho = 0.005.")


@dataclass(frozen=True)
class ChargeRequest:
    """One question of one client, priced."""

    client: str
    dataset: str
    request_id: str  # the client's idempotency key
    body_digest: str  # of what the client sent under that id
    items: tuple[Item, ...]
    caps: Caps
    versions: str = ""  # of code and catalog, for auditors
    wording: str = ""  # how the client put it, cut at LONGEST_WORDING: by this it knows its question again

    def __post_init__(self) -> None:
        """Refuse names and items that no charge can be made from."""
        check_client(self.client)
        names = {"A dataset": self.dataset, "A request id": self.request_id}
        for what, name in (names | {"A body digest": self.body_digest}).items():
            check_name(name, what)
        check_text(self.versions, "A note of versions")
        check_text(self.wording, "A wording")
        if len(self.wording) > LONGEST_WORDING:
            raise ParamError(f"A wording has at most {LONGEST_WORDING:,} characters.", "its beginning.")
        if not self.items:
            raise ParamError("A question that releases nothing is not charged.", "answer it without the ledger.")
        check_minimum(item.loss for item in self.distinct_items)

    @cached_property
    def windows(self) -> frozenset[str]:
        """Give every window that any release of the question touches."""
        return frozenset(window for item in self.items for window in item.windows)

    @cached_property
    def distinct_items(self) -> tuple[Item, ...]:
        """Give each release once; raises ParamError if one key has two prices or two sets of windows."""
        by_key: dict[str, Item] = {}
        for item in self.items:
            first = by_key.setdefault(item.release_key, item)
            if first.loss != item.loss or set(first.windows) != set(item.windows):
                raise ParamError("One release of a question has two prices.", "one price for one release key.")
        return tuple(by_key.values())


@dataclass(frozen=True)
class Charge:
    """A debit that is durable: what was paid for may be run now."""

    id: int  # of the row that says so
    client: str
    dataset: str
    request_id: str
    loss: Loss  # of all releases that this request debited the client for; a repeat shows it and debits nothing
    keys: tuple[str, ...]  # every release of the question, in the order it was first charged
    to_run: tuple[str, ...]  # those that have no stored release yet
    stored: Mapping[str, bytes]  # the stored releases, by key
    repeated: bool = False  # the same request id was charged before


@dataclass(frozen=True)
class StoredRelease:
    """A release as every repeat of its question gets it."""

    release_key: str
    payload: bytes
    settled_at: str  # UTC, for people only


@dataclass(frozen=True)
class Made:
    """When a stored release was made, whoever paid for it."""

    release_key: str
    settled_at: str  # UTC
    age_days: int  # whole ones since it was charged, which was before data was read; 0 of what is charged in the future


@dataclass(frozen=True)
class PaidRelease:
    """A release that a client has paid for, without its content."""

    release_key: str
    dataset: str
    windows: tuple[str, ...]
    question: str
    loss: Loss  # in each window
    settled_at: str | None  # None: charged and not yet stored; asking again is free
    wording: str = ""  # how the client put it when it paid; empty in rows from before wordings were kept
    charge_id: int = 0  # sequence of the row that says so: what was paid for together has one


@dataclass(frozen=True)
class TopUp:
    """A client's request for another cap, and what became of it."""

    id: int
    dataset: str
    client: str
    scope: str  # EACH_WINDOW, LIFETIME, PER_QUERY, or the name of one window
    cap: Loss  # that is asked for
    state: str  # open, approved or declined


@dataclass(frozen=True)
class Member:
    """A client, or a group of clients, that was ever named."""

    client: str
    is_group: bool
    state: str  # active, frozen or removed: its own, or that of a group it is in


@dataclass(frozen=True)
class Freeze:
    """What is not charged now; an empty part of the name means all."""

    dataset: str
    client: str
    window: str
    sequence: int  # of the row that says who, when and why
