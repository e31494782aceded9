"""The chain: every row of the ledger holds the hash of the row before it, over canonical bytes.

    body           JSON with sorted keys, no spaces, UTF-8; text, integers, null, lists and objects of these
    canonical row  JSON array [CHAIN_FORMAT, sequence, at, kind, dataset, holder, actor, request_id, body]
    row_hash       SHA-256(previous_hash || canonical row); the first row's previous_hash is 32 zero bytes

Everything here is a pure function over rows: an auditor needs the rows and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from budgets.errors import ParamError

CHAIN_FORMAT = 1  # of the canonical row; a body names its own
GENESIS = bytes(32)
_WHOLE = frozenset({str, int, type(None)})
_TEXT = frozenset({str})

Told = tuple[int, str, str, str, str, str, str, str]  # what a row says: all of it but its hashes, in order

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; it never changes."""

    sequence: int
    at: str  # UTC, for people only: no budget depends on it
    kind: str  # an EntryKind, or note_ and a topic
    dataset: str  # empty: of the whole ledger
    holder: str  # whom it is about
    actor: str  # who did it
    request_id: str  # empty: no request of a client
    body: str  # canonical JSON, see events.py
    previous_hash: bytes
    row_hash: bytes

    @property
    def said(self) -> dict[str, Any]:
        """Read the body."""
        said: dict[str, Any] = json.loads(self.body)
        return said


def canonical(value: object) -> str:
    """Write a body as the one text that stands for it; raises ParamError for floats and for what JSON has no place for.

    Claim: two different bodies never share a text, and one body has one text on every machine.
    Symbols: bodies of text, integers, null, lists and objects with text keys. Formula: JSON, keys sorted by code point.
    Source: proofs.md#the-chain. Raises ParamError.
    """
    _check_exact(value)
    return _encode(value)


def canonical_row(told: Told) -> bytes:
    """Write what a row says, as bytes."""
    return canonical([CHAIN_FORMAT, *told]).encode()


def row_hash(entry: Entry) -> bytes:
    """Give the hash that a row must bear."""
    told = (
        entry.sequence,
        entry.at,
        entry.kind,
        entry.dataset,
        entry.holder,
        entry.actor,
        entry.request_id,
        entry.body,
    )
    return _hash(entry.previous_hash, told)


def linked(told: Told, previous_hash: bytes) -> Entry:
    """Give the row that says this behind the row with that hash."""
    return Entry(*told, previous_hash, _hash(previous_hash, told))


def broken_links(rows: Iterable[Entry]) -> Iterator[str]:
    """Say of each row what is wrong with its place or its hashes; rows come by sequence."""
    sequence, head = 0, GENESIS
    for row in rows:
        if row.sequence != sequence + 1:
            yield f"Row {row.sequence} follows row {sequence}: rows are missing, or were added."
        if row.previous_hash != head:
            yield f"Row {row.sequence} does not hold the hash of the row before it."
        if row.row_hash != row_hash(row):
            yield f"Row {row.sequence} does not have the hash of what it says."
        sequence, head = row.sequence, row.row_hash


def _hash(previous_hash: bytes, told: Told) -> bytes:
    return hashlib.sha256(previous_hash + canonical_row(told)).digest()


def _check_exact(value: object) -> None:
    if type(value) in _WHOLE:
        return
    if isinstance(value, dict):
        if not _TEXT.issuperset(map(type, value)):
            raise ParamError("A ledger row's names are text.", "text.")
        inner: Iterable[object] = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        raise ParamError("A ledger row holds text and integers alone.", "amounts in whole units.")
    if not _WHOLE.issuperset(map(type, inner)):  # asked of all at once: every charge passes here
        for each in inner:
            if type(each) not in _WHOLE:
                _check_exact(each)
