"""Ledger events: one kind for each thing that happens, and the body that records it.

Kinds are added and never change their meaning; a body names the version of its form, so that every one stays readable.

The nouns of objections stand here too: what was done, which reveals nothing about a person, and whom it is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from budgets.accounting.bill import Bill
from budgets.accounting.holders import EVERYBODY
from budgets.accounting.loss import Loss
from budgets.accounting.records import Charge, Item


class ActKind(StrEnum):
    """What was asked for a person."""

    OBJECT = "object"
    WITHDRAW = "withdraw"  # the objection


@dataclass(frozen=True)
class Act:
    """That objections were recorded: nothing in it is about a person."""

    act: int
    at: str  # UTC, ISO 8601
    recorded_by: str
    dataset: str
    kind: ActKind
    reason: str


@dataclass(frozen=True)
class Objection:
    """One person of an act, for the engine alone."""

    place: int  # in the order of commits
    dataset: str
    kind: ActKind
    person: str


BODY_FORMAT = 1
NOTE = "note_"  # what the kind of an audited note begins with; its topic follows
THE_LEDGER = "ledger"  # the actor of what no person did


class EntryKind(StrEnum):
    """What a ledger row says happened; kinds are added, never changed."""

    OPENED = "opened"  # the ledger itself: its id
    ACCOUNT_OPENED = "account_opened"  # caps by holder, in some windows; of everybody, the ceiling for good
    CAP_CHANGED = "cap_changed"  # caps by holder from here on, in some windows
    CHARGED = "charged"  # a question: its releases, their loss, their windows, and the holders that pay for each
    RELEASED = "released"  # the one stored result of a release: its digest
    FAILED = "failed"  # a charge whose execution failed
    REPEATED = "repeated"  # how many free repeats a client had in an hour
    CLIENT_ADDED = "client_added"
    CLIENT_REMOVED = "client_removed"
    CLIENT_CAPPED = "client_capped"  # a grant: scope and cap
    FROZEN = "frozen"
    THAWED = "thawed"
    TOP_UP_REQUESTED = "top_up_requested"
    TOP_UP_APPROVED = "top_up_approved"
    TOP_UP_DECLINED = "top_up_declined"


@dataclass(frozen=True)
class Event:
    """A row to be written."""

    kind: str
    dataset: str = ""
    holder: str = ""
    actor: str = THE_LEDGER
    request_id: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)


def units(loss: Loss) -> list[int]:
    """Write a loss as a body does: pico-rho and atto-delta."""
    return [loss.pico_rho, loss.atto_delta]


def digest(salt: bytes, payload: bytes) -> str:
    """Give the hash by which a row names a result; the salt keeps readers of rows from guessing it."""
    return hashlib.sha256(salt + payload).hexdigest()


def caps_said(bill: Bill, kind: EntryKind, windows: tuple[str, ...], caps: Mapping[str, Loss]) -> Event:
    """Say which holders have which caps in some windows from here on."""
    said = {"windows": list(windows), "caps": {holder: units(cap) for holder, cap in caps.items()}}
    return _of_bill(bill, kind, said)


def charge_said(bill: Bill) -> Event:
    """Say what a question is charged, once for all windows; in the client's own words too, where they are known."""
    items = bill.request.distinct_items
    sets = list(dict.fromkeys(item.windows for item in items))
    said = {
        "body_digest": bill.request.body_digest,
        "versions": bill.request.versions,
        "windows": [list(windows) for windows in sets],
        "releases": [_release(item, sets.index(item.windows), bill.unpaid) for item in items],
    }
    worded = {"wording": bill.request.wording} if bill.request.wording else {}
    return _of_bill(bill, EntryKind.CHARGED, said | worded)


def release_said(charge: Charge, key: str, result: str) -> Event:
    """Say which result a release has, by its digest."""
    said = {"charge": charge.id, "key": key, "digest": result}
    return Event(EntryKind.RELEASED, charge.dataset, charge.client, charge.client, charge.request_id, said)


def failure_said(charge: Charge, windows: Iterable[str]) -> Event:
    """Say that the execution of a charge failed."""
    said = {"charge": charge.id, "windows": sorted(windows)}
    return Event(EntryKind.FAILED, charge.dataset, charge.client, charge.client, charge.request_id, said)


def _of_bill(bill: Bill, kind: EntryKind, said: dict[str, Any]) -> Event:
    request = bill.request
    return Event(kind, request.dataset, request.client, request.client, request.request_id, said)


def _release(item: Item, windows: int, unpaid: Mapping[str, tuple[Item, ...]]) -> dict[str, Any]:
    paying = [holder for holder, items in unpaid.items() if item in items]
    meaning = {"question": item.question} if EVERYBODY in paying else {}
    return {"key": item.release_key, "loss": units(item.loss), "windows": windows, "payers": paying} | meaning
