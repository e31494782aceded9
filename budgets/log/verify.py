"""Ledger verification: the hash chain, every table derived from it, and an anchor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from budgets.errors import LedgerError
from budgets.log.anchor import Anchor
from budgets.log.chain import Entry, broken_links
from budgets.log.events import digest
from budgets.log.projections import KEYS, Books

CLOCKS_DIFFER_SECONDS = 5.0  # tolerated clock skew between machines that write one ledger
NAMED_FIRST = {"ledger_format", "chain_head"}  # tables that are filled before the chain's first entry

Rows = Iterable[Mapping[str, Any]]


def verify(chain: Iterable[Entry], tables: Mapping[str, Rows], anchor: Anchor | None = None) -> Iterator[str]:
    """Report every sign of tampering; nothing if the ledger is intact.

    Claim: a change of any column of any row, an added or removed row, or two rows swapped, in any table, is found,
    unless the attacker rewrote chain and tables consistently; then an earlier anchor finds it. Symbols: chain, entries
    by sequence; tables, the rows of every other table. Formula: links as in `broken_links`; each table equals what
    `ProjectedTables` derives from the chain. Source: proofs.md#the-chain. Raises nothing for any stored value.
    """
    rows = tuple(chain)
    yield from _broken(rows)
    books = Books()
    for row in rows:
        try:
            books.add(row)
        except (LedgerError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            yield f"Row {row.sequence} does not say what its kind says."
    begun = books.tables if rows else books.tables.keys() - NAMED_FIRST
    for name, projected in ((name, books.tables[name]) for name in begun):
        yield from _differences(name, projected, tables.get(name, ()))
    if anchor is not None:
        mine = books.ledger_id or next((str(head["ledger_id"]) for head in tables.get("chain_head", ())), "")
        yield from _beside(anchor, rows, mine)


def steps_back(moments: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Report timestamps that precede the one before them by more than clock skew.

    Several machines write one ledger, and their clocks differ a little. Timestamps are for display, for the age of
    stored releases and for dates in reports; entries are ordered by their sequence.
    """
    before: datetime | None = None
    for named, text in moments:
        try:
            at = datetime.fromisoformat(text)
            back = 0.0 if before is None else (before - at).total_seconds()
        except (TypeError, ValueError):  # malformed, or without a time zone
            yield f"{named} bears no moment in UTC."
            continue
        if back > CLOCKS_DIFFER_SECONDS:
            yield f"The clock ran backwards: {named} is {back:,.0f} s before the row in front of it."
        before = at


def _broken(rows: tuple[Entry, ...]) -> Iterator[str]:
    try:
        yield from broken_links(rows)
    except (LedgerError, TypeError, ValueError):
        yield "The chain holds what no row can hold."


def _differences(name: str, projected: Mapping[tuple[Any, ...], Mapping[str, Any]], found: Rows) -> Iterator[str]:
    there = {tuple(row[column] for column in KEYS[name]): dict(row) for row in found}
    for key in projected.keys() | there.keys():
        if key not in there:
            yield f"{name}: the row of {_told(key)} is missing."
        elif key not in projected:
            yield f"{name}: no row of the chain makes the row of {_told(key)}."
        else:
            yield from _wrong(name, key, projected[key], there[key])


def _wrong(name: str, key: tuple[Any, ...], right: Mapping[str, Any], found: dict[str, Any]) -> Iterator[str]:
    if name == "releases":
        found = _digested(found)
    wrong = [column for column in right.keys() | found.keys() if right.get(column) != found.get(column)]
    if wrong:
        yield f"{name}: {', '.join(sorted(wrong))} of the row of {_told(key)} is not what the chain says."


def _digested(release: dict[str, Any]) -> dict[str, Any]:
    """Replace the payload and salt of a release by their digest, as entries have it."""
    salt, payload = release.pop("salt", None), release["payload"]
    known = isinstance(salt, bytes) and isinstance(payload, bytes)
    return release | {"payload": digest(salt, payload) if known else None}


def _beside(anchor: Anchor, rows: tuple[Entry, ...], ledger_id: str) -> Iterator[str]:
    if anchor.ledger_id != ledger_id:
        yield "The anchor is of another ledger."
    elif len(rows) < anchor.sequence:
        yield f"The ledger ends at row {len(rows)}, and its anchor is of row {anchor.sequence}: it was rolled back."
    elif anchor.sequence > 0 and rows[anchor.sequence - 1].row_hash.hex() != anchor.row_hash:
        yield f"Row {anchor.sequence} is not the row of the anchor: the ledger was rewritten."


def _told(key: tuple[Any, ...]) -> str:
    return ", ".join(repr(part) for part in key)
