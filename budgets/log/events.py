"""Ledger events: the kinds of entries, and the body that records each.

Kinds are only added, and never change their meaning; a body names its format version, so old entries stay readable.

The data types of objections are here too: the recorded event, which identifies no person, and its persons.

Free repeats are counted: one entry per hour, client and dataset.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from budgets.accounting.accounts import EVERYBODY
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import Bill, Charge, PricedRelease


class ObjectionEventKind(StrEnum):
    """Kind of an objection event."""

    OBJECT = "object"
    WITHDRAW = "withdraw"  # of an objection


@dataclass(frozen=True)
class ObjectionEvent:
    """A recorded objection event; it identifies no person."""

    act: int
    at: str  # UTC, ISO 8601
    recorded_by: str
    dataset: str
    kind: ObjectionEventKind
    reason: str


@dataclass(frozen=True)
class Objection:
    """One person of an objection event; only the engine reads it."""

    position: int  # position in the order of commits
    dataset: str
    kind: ObjectionEventKind
    person: str


BODY_FORMAT = 1
NOTE_PREFIX = "note_"  # prefix of the kind of a note; its topic follows
LEDGER_ACTOR = "ledger"  # actor of automatic events


class EntryKind(StrEnum):
    """Kind of a ledger entry; kinds are only added, never changed."""

    OPENED = "opened"  # the ledger itself: its id
    ACCOUNT_OPENED = "account_opened"  # caps by holder, in some windows; that of the dataset is its permanent ceiling
    CAP_CHANGED = "cap_changed"  # new caps by holder, in some windows
    CHARGED = "charged"  # a query: releases with loss and windows, and the holders that pay for each
    RELEASED = "released"  # digest of the one stored result of a release
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
    """A ledger event to be appended as an entry."""

    kind: str
    dataset: str = ""
    holder: str = ""
    actor: str = LEDGER_ACTOR
    request_id: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


def encode_loss(loss: Loss) -> list[int]:
    """Encode a loss for a body: [pico-rho, atto-delta]."""
    return [loss.pico_rho, loss.atto_delta]


def salted_digest(salt: bytes, payload: bytes) -> str:
    """Salted hash of a payload, which identifies it in an entry; the salt prevents guessing it."""
    return hashlib.sha256(salt + payload).hexdigest()


def caps_event(bill: Bill, kind: EntryKind, windows: tuple[str, ...], caps: Mapping[str, Loss]) -> Event:
    """Build the event that sets the caps of holders in some windows."""
    content = {"windows": list(windows), "caps": {holder: encode_loss(cap) for holder, cap in caps.items()}}
    return _bill_event(bill, kind, content)


def charge_event(bill: Bill) -> Event:
    """Build the event of a charge: its releases, sets of windows, payers, and the client's SQL text if known."""
    items = bill.request.distinct_releases
    window_sets = list(dict.fromkeys(item.windows for item in items))
    content = {
        "body_digest": bill.request.body_digest,
        "versions": bill.request.versions,
        "windows": [list(windows) for windows in window_sets],
        "releases": [_encode_release(item, window_sets.index(item.windows), bill.unpaid) for item in items],
    }
    query_text = {"wording": bill.request.query_text} if bill.request.query_text else {}
    return _bill_event(bill, EntryKind.CHARGED, content | query_text)


def release_event(charge: Charge, key: str, result: str) -> Event:
    """Build the event of a stored release, identified by its digest."""
    content = {"charge": charge.id, "key": key, "digest": result}
    return Event(EntryKind.RELEASED, charge.dataset, charge.client, charge.client, charge.request_id, content)


def failure_event(charge: Charge, windows: Iterable[str]) -> Event:
    """Build the event of a failed execution."""
    content = {"charge": charge.id, "windows": sorted(windows)}
    return Event(EntryKind.FAILED, charge.dataset, charge.client, charge.client, charge.request_id, content)


def _bill_event(bill: Bill, kind: EntryKind, content: dict[str, Any]) -> Event:
    """Build an event that a client's request caused."""
    request = bill.request
    return Event(kind, request.dataset, request.client, request.client, request.request_id, content)


def _encode_release(
    item: PricedRelease, window_set: int, unpaid: Mapping[str, tuple[PricedRelease, ...]]
) -> dict[str, Any]:
    """Encode a release of a charge: key, loss, index of its list of windows, and the holders that pay for it.

    The canonical text is recorded by the first charge only, when everybody (the dataset account) pays.
    """
    payers = [holder for holder, items in unpaid.items() if item in items]
    canonical_query = {"question": item.canonical_query} if EVERYBODY in payers else {}
    return {
        "key": item.release_key,
        "loss": encode_loss(item.loss),
        "windows": window_set,
        "payers": payers,
    } | canonical_query


HOUR_PREFIX_CHARS = len("2026-11-29T12")  # length of the prefix of a timestamp that identifies its hour

RepeatKey = tuple[str, str, str]  # hour, client, dataset


@dataclass
class RepeatCounts:
    """Repeats counted since the last write; thread-safe."""

    _counts: Counter[RepeatKey] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, client: str, dataset: str, at: str) -> bool:
        """Count one repeat; returns whether counts of a completed hour are pending."""
        hour = at[:HOUR_PREFIX_CHARS]
        with self._lock:
            self._counts[hour, client, dataset] += 1
            return any(counted < hour for counted, _, _ in self._counts)

    def take_pending(self, before: str | None = None) -> dict[RepeatKey, int]:
        """Remove and return the pending counts; with `before`, only those of earlier hours."""
        with self._lock:
            taken = {
                # each = (hour, ...): hours before the current one are complete
                each: n
                for each, n in self._counts.items()
                if before is None or each[0] < before[:HOUR_PREFIX_CHARS]
            }
            for each in taken:
                del self._counts[each]
            return taken

    def restore(self, taken: dict[RepeatKey, int]) -> None:
        """Return unwritten counts to the buffer."""
        with self._lock:
            self._counts.update(taken)


def repeat_events(taken: dict[RepeatKey, int]) -> Iterable[Event]:
    """Build one event for each hour, client and dataset."""
    for (hour, client, dataset), times in sorted(taken.items()):
        yield Event(EntryKind.REPEATED, dataset, client, content={"hour": hour, "times": times})
