"""Ledger verification: the hash chain, every table derived from it, and an anchor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from budgets.errors import LedgerError
from budgets.log.events import Anchor, Entry, broken_links, salted_digest
from budgets.log.projections import PRIMARY_KEYS, ProjectedTables

MAX_CLOCK_SKEW_SECONDS = 5.0  # tolerated clock skew between machines that write one ledger
TABLES_BEFORE_FIRST_ENTRY = {"ledger_format", "chain_head"}  # tables that are filled before the chain's first entry

Rows = Iterable[Mapping[str, Any]]


def verify(chain: Iterable[Entry], tables: Mapping[str, Rows], anchor: Anchor | None = None) -> Iterator[str]:
    """Report every sign of tampering; nothing if the ledger is intact.

    Claim: a change of any column of any row, an added or removed row, or two rows swapped, in any table, is found,
    unless the attacker rewrote chain and tables consistently; then an earlier anchor finds it. Symbols: chain, entries
    by sequence; tables, the rows of every other table. Formula: links as in `broken_links`; each table equals what
    `ProjectedTables` derives from the chain. Source: proofs.md#the-chain. Raises nothing for any stored value.
    """
    rows = tuple(chain)
    yield from _chain_faults(rows)
    projection = ProjectedTables()
    for row in rows:
        try:
            projection.apply(row)
        except (LedgerError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            yield f"Row {row.sequence} does not say what its kind says."
    table_names = projection.tables if rows else projection.tables.keys() - TABLES_BEFORE_FIRST_ENTRY
    for name, projected in ((name, projection.tables[name]) for name in table_names):
        yield from _table_faults(name, projected, tables.get(name, ()))
    if anchor is not None:
        ledger_id = projection.ledger_id or next((str(head["ledger_id"]) for head in tables.get("chain_head", ())), "")
        yield from _anchor_faults(anchor, rows, ledger_id)


def clock_regressions(timestamps: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Report timestamps that precede the one before them by more than clock skew.

    Several machines write one ledger, and their clocks differ a little. Timestamps are for display, for the age of
    stored releases and for dates in reports; entries are ordered by their sequence.
    """
    before: datetime | None = None
    for named, text in timestamps:
        try:
            at = datetime.fromisoformat(text)
            backward_seconds = 0.0 if before is None else (before - at).total_seconds()
        except (TypeError, ValueError):  # malformed, or without a time zone
            yield f"{named} bears no moment in UTC."
            continue
        if backward_seconds > MAX_CLOCK_SKEW_SECONDS:
            yield f"The clock ran backwards: {named} is {backward_seconds:,.0f} s before the row in front of it."
        before = at


def _chain_faults(rows: tuple[Entry, ...]) -> Iterator[str]:
    """Faults of the chain's links; an entry with values that no entry can have is one too."""
    try:
        yield from broken_links(rows)
    except (LedgerError, TypeError, ValueError):
        yield "The chain holds what no row can hold."


def _table_faults(name: str, projected: Mapping[tuple[Any, ...], Mapping[str, Any]], rows: Rows) -> Iterator[str]:
    """Faults of one table: rows missing, rows without a cause in the chain, and rows with other values."""
    actual = {tuple(row[column] for column in PRIMARY_KEYS[name]): dict(row) for row in rows}
    for key in projected.keys() | actual.keys():
        if key not in actual:
            yield f"{name}: the row of {_format_key(key)} is missing."
        elif key not in projected:
            yield f"{name}: no row of the chain makes the row of {_format_key(key)}."
        else:
            yield from _row_faults(name, key, projected[key], actual[key])


def _row_faults(name: str, key: tuple[Any, ...], expected: Mapping[str, Any], actual: dict[str, Any]) -> Iterator[str]:
    """Fault of one row: the columns that differ; of a stored release the digest is compared, not the payload."""
    if name == "releases":
        actual = _with_digest(actual)
    columns = [column for column in expected.keys() | actual.keys() if expected.get(column) != actual.get(column)]
    if columns:
        yield f"{name}: {', '.join(sorted(columns))} of the row of {_format_key(key)} is not what the chain says."


def _with_digest(release: dict[str, Any]) -> dict[str, Any]:
    """Replace the payload and salt of a release by their digest, as entries have it."""
    salt, payload = release.pop("salt", None), release["payload"]
    is_complete = isinstance(salt, bytes) and isinstance(payload, bytes)
    return release | {"payload": salted_digest(salt, payload) if is_complete else None}


def _anchor_faults(anchor: Anchor, rows: tuple[Entry, ...], ledger_id: str) -> Iterator[str]:
    """Faults against an anchor (an earlier state of the chain): another ledger, a missing entry, another hash."""
    if anchor.ledger_id != ledger_id:
        yield "The anchor is of another ledger."
    elif len(rows) < anchor.sequence:
        yield f"The ledger ends at row {len(rows)}, and its anchor is of row {anchor.sequence}: it was rolled back."
    elif anchor.sequence > 0 and rows[anchor.sequence - 1].row_hash.hex() != anchor.row_hash:
        yield f"Row {anchor.sequence} is not the row of the anchor: the ledger was rewritten."


def _format_key(key: tuple[Any, ...]) -> str:
    """Format a primary key for a fault text."""
    return ", ".join(repr(part) for part in key)
