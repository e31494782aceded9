"""The hash chain: every ledger entry contains the hash of the entry before it, over canonical bytes.

    body           JSON with sorted keys, no spaces, UTF-8; text, integers, null, lists and objects of these
    canonical row  JSON array [CHAIN_FORMAT, sequence, at, kind, dataset, holder, actor, request_id, body]
    row_hash       SHA-256(previous_hash || canonical row); the first row's previous_hash is 32 zero bytes

Only pure functions over entries: an auditor needs nothing else. An anchor is the last entry of a chain, exported to
where nobody with write access to the ledger can write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from budgets.errors import ParamError

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
        content: dict[str, Any] = json.loads(self.body)
        return content


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
