"""The nouns that go into the ledger and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from budgets.accounts import check_name, check_text
from budgets.errors import ParamError
from budgets.loss import NOTHING, Loss
from budgets.policy import Caps, check_minimum


class EntryKind(StrEnum):
    """What a ledger row says happened; kinds are added, never changed."""

    ACCOUNT_OPENED = "account_opened"  # loss: the cap; of a dataset, the ceiling for good
    CAP_CHANGED = "cap_changed"  # loss: the cap from here on
    CHARGED = "charged"  # loss: what this account was debited
    RELEASED = "released"  # the one stored release of a key


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
            check_name(window, "A window")
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

    def __post_init__(self) -> None:
        """Refuse names and items that no charge can be made from."""
        names = {"A client": self.client, "A dataset": self.dataset, "A request id": self.request_id}
        for what, name in (names | {"A body digest": self.body_digest}).items():
            check_name(name, what)
        check_text(self.versions, "A note of versions")
        if not self.items:
            raise ParamError("A question that releases nothing is not charged.", "answer it without the ledger.")
        check_minimum(item.loss for item in self.distinct_items)

    @property
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

    id: int
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
class PaidRelease:
    """A release that a client has paid for, without its content."""

    release_key: str
    dataset: str
    windows: tuple[str, ...]
    question: str
    loss: Loss  # in each window
    settled_at: str | None  # None: charged and not yet stored; asking again is free


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; it never changes."""

    sequence: int
    at: str  # UTC, for people only: no budget depends on it
    kind: EntryKind
    dataset: str
    window: str | None  # None: a release, which is of all windows of its charge
    client: str | None  # whose account; None: the one that all clients share
    asked_by: str  # the client whose request wrote this row
    request_id: str
    release_key: str | None
    question: str | None
    versions: str
    loss: Loss = NOTHING
