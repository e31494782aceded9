"""Ledger events: the kinds of entries, the body that records each, and the hash chain that links them.

Kinds are only added, and never change their meaning; a body names its format version, so old entries stay readable.

The data types of objections are here too: the recorded event, which identifies no person, and its persons.

Free repeats are counted: one entry per hour, client and dataset.

Every ledger entry contains the hash of the entry before it, over canonical bytes.

    body           JSON with sorted keys, no spaces, UTF-8; text, integers, null, lists and objects of these
    canonical row  JSON array [CHAIN_FORMAT, sequence, at, kind, dataset, holder, actor, request_id, body]
    row_hash       SHA-256(previous_hash || canonical row); the first row's previous_hash is 32 zero bytes

Only pure functions over entries: an auditor needs nothing else. An anchor is the last entry of a chain, exported to
where nobody with write access to the ledger can write.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from budgets.accounting.accounts import EVERYBODY
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import Bill, Charge, PricedRelease
from budgets.errors import ParamError


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


CHAIN_FORMAT = 1  # version of the canonical row; a body has its own version
GENESIS = bytes(32)
_EXACT_TYPES = frozenset({str, int, type(None)})
_TEXT_TYPES = frozenset({str})

EntryFields = tuple[int, str, str, str, str, str, str, str]  # the fields of an entry without its hashes, in order

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True)
class Entry:
    """One immutable entry of the ledger."""

    sequence: int
    at: str  # UTC, for display only: no budget depends on it
    kind: str  # an EntryKind, or note_ and a topic
    dataset: str  # empty: concerns the whole ledger
    holder: str  # the account holder concerned
    actor: str  # who caused the event
    request_id: str  # empty: not caused by a client's request
    body: str  # canonical JSON, see events.py
    previous_hash: bytes
    row_hash: bytes

    @property
    def content(self) -> dict[str, Any]:
        """Content of the entry: its canonical JSON body as a dictionary."""
        return json.loads(self.body)


def canonical_json(value: object) -> str:
    """Serialize a body as its unique canonical JSON.

    Claim: different bodies have different texts, and one body has the same text on every machine.
    Symbols: bodies of text, integers, null, lists and objects with text keys. Formula: JSON, keys sorted by code point.
    Source: proofs.md#the-chain. Raises ParamError for floats and for other values outside this subset.
    """
    _check_exact(value)
    return _encode(value)


def canonical_row(fields: EntryFields) -> bytes:
    """Serialize the fields of an entry, without its hashes, as canonical bytes."""
    return canonical_json([CHAIN_FORMAT, *fields]).encode()


def compute_row_hash(entry: Entry) -> bytes:
    """Compute the hash that an entry must have."""
    fields = (
        entry.sequence,
        entry.at,
        entry.kind,
        entry.dataset,
        entry.holder,
        entry.actor,
        entry.request_id,
        entry.body,
    )
    return _hash(entry.previous_hash, fields)


def chained_entry(fields: EntryFields, previous_hash: bytes) -> Entry:
    """Build the entry with these fields that follows the entry with the given hash."""
    return Entry(*fields, previous_hash, _hash(previous_hash, fields))


def broken_links(rows: Iterable[Entry]) -> Iterator[str]:
    """Report every entry whose sequence or hashes are wrong; entries come ordered by sequence."""
    sequence, head = 0, GENESIS
    for row in rows:
        if row.sequence != sequence + 1:
            yield f"Row {row.sequence} follows row {sequence}: rows are missing, or were added."
        if row.previous_hash != head:
            yield f"Row {row.sequence} does not hold the hash of the row before it."
        if row.row_hash != compute_row_hash(row):
            yield f"Row {row.sequence} does not have the hash of what it says."
        sequence, head = row.sequence, row.row_hash


def _hash(previous_hash: bytes, fields: EntryFields) -> bytes:
    """Hash of an entry with these fields after the entry with the given hash."""
    return hashlib.sha256(previous_hash + canonical_row(fields)).digest()


def _check_exact(value: object) -> None:
    """Check that a value has text, integers, null, lists and objects with text keys only; raises ParamError.

    The exact types: True is no integer here, since 1 and true are different JSON.
    """
    if type(value) in _EXACT_TYPES:
        return
    if isinstance(value, dict):
        if not _TEXT_TYPES.issuperset(map(type, value)):
            raise ParamError("A ledger row's names are text.", "text.")
        inner: Iterable[object] = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        raise ParamError("A ledger row holds text and integers alone.", "amounts in whole units.")
    if not _EXACT_TYPES.issuperset(map(type, inner)):  # checked in bulk first: this is on the path of every charge
        for each in inner:
            if type(each) not in _EXACT_TYPES:
                _check_exact(each)


ANCHOR_FORMAT = 1


@dataclass(frozen=True)
class Anchor:
    """State of a ledger at one moment; a later state must extend it."""

    ledger_id: str
    sequence: int
    row_hash: str  # hex
    datasets: tuple[str, ...]  # datasets with accounts in the ledger

    def to_json(self) -> str:
        """Serialize as one line of JSON."""
        fields = {"ledger": self.ledger_id, "sequence": self.sequence, "row_hash": self.row_hash}
        return canonical_json({"anchor_format": ANCHOR_FORMAT, **fields, "datasets": list(self.datasets)})

    @classmethod
    def from_json(cls, text: str) -> Anchor:
        """Anchor (ledger id, sequence, row hash) from its JSON line; raises ParamError."""
        try:
            fields = json.loads(text)
            anchor = cls(
                str(fields["ledger"]), int(fields["sequence"]), str(fields["row_hash"]), tuple(fields["datasets"])
            )
            if fields["anchor_format"] != ANCHOR_FORMAT:
                raise ValueError
        except (KeyError, TypeError, ValueError) as error:
            raise ParamError("This is no anchor of a ledger.", "the file that `ledger anchor` wrote.") from error
        return anchor
