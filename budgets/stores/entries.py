"""The chain as SQL: rows are added behind the last one, and read; the only place that reads a clock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, bindparam, insert, select, update

from budgets.errors import ProtocolError
from budgets.log.chain import GENESIS, Entry, canonical, linked
from budgets.log.events import BODY_FORMAT, EntryKind, Event
from budgets.stores.schema import FORMAT_VERSION, chain_head, entries
from budgets.stores.store import insert_rows

# Said once: what every charge asks is not built anew each time.
_HEAD = select(chain_head)
_MOVED = (
    update(chain_head)
    .where(chain_head.c.sequence == bindparam("from_sequence"), chain_head.c.row_hash == bindparam("from_hash"))
    .values(sequence=bindparam("to_sequence"), row_hash=bindparam("to_hash"))
)


def now_text() -> str:
    """Give the time in UTC, for people: no budget depends on it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def days_since(at: str) -> int:
    """Count the whole days since a moment that a row bears; none of a moment that is still to come."""
    return max(0, (datetime.now(UTC) - datetime.fromisoformat(at)).days)


def begin(connection: Connection) -> None:
    """Name a ledger; its chain begins when something is written."""
    connection.execute(insert(chain_head).values(ledger_id=os.urandom(16).hex(), sequence=0, row_hash=GENESIS))


def append(connection: Connection, events: Sequence[Event], at: str | None = None) -> tuple[Entry, ...]:
    """Write rows behind the last one.

    Claim: the chain has one row after each, whoever writes. Symbols: head, the sequence and hash of the last row.
    Formula: head moves only from what was read; a second row after the same one breaks a constraint.
    Source: proofs.md#the-chain. Raises ProtocolError when another writer was faster.
    """
    rows = follow(connection, events, at)
    write(connection, rows)
    return rows


def follow(connection: Connection, events: Sequence[Event], at: str | None = None) -> tuple[Entry, ...]:
    """Make rows behind the last one and move the head to them; whoever does so writes them.

    Raises ProtocolError where another writer was faster.
    """
    head = read_head(connection)
    first = [] if head.sequence else [_opened(head)]
    rows = tuple(_linked(head, [*first, *events], at or now_text()))
    moved = {"from_sequence": head.sequence, "from_hash": head.row_hash}
    moved |= {"to_sequence": rows[-1].sequence, "to_hash": rows[-1].row_hash}
    if connection.execute(_MOVED, moved).rowcount != 1:
        raise ProtocolError("Another writer was faster.", "the same question again.")
    return rows


def write(connection: Connection, rows: Sequence[Entry]) -> None:
    """Write rows to which the head was moved."""
    insert_rows(connection, entries, [vars(row) for row in rows])


def read_head(connection: Connection) -> Row[Any]:
    """Give the ledger's id, and sequence and hash of its last row."""
    return connection.execute(_HEAD).one()


def read_hash(connection: Connection, sequence: int) -> bytes:
    """Give the hash of one row, nothing where there is none."""
    found = connection.execute(select(entries.c.row_hash).where(entries.c.sequence == sequence)).scalar()
    return found or b""


def read_entries(
    connection: Connection,
    *,
    kind: str | None = None,
    dataset: str | None = None,
    holder: str | None = None,
    since: str | None = None,
    limit: int | None = None,
) -> tuple[Entry, ...]:
    """Give the newest rows, oldest first: of a kind, of a dataset, about a holder, since a moment in UTC."""
    asked = {"kind": kind, "dataset": dataset, "holder": holder, "since": since, "most": limit}
    asked = {name: value for name, value in asked.items() if value is not None}
    newest = connection.execute(_newest(frozenset(asked)), asked).all()
    return tuple(_entry(row) for row in reversed(newest))


@cache
def _newest(wanted: frozenset[str]) -> Select[Any]:
    """Give the statement for the newest rows, built once for each choice of what is wanted."""
    conditions = [entries.c[name] == bindparam(name) for name in ("kind", "dataset", "holder") if name in wanted]
    if "since" in wanted:
        conditions.append(entries.c.at >= bindparam("since"))
    newest = select(entries).where(*conditions).order_by(entries.c.sequence.desc())
    return newest.limit(bindparam("most", type_=Integer)) if "most" in wanted else newest


def read_chain(connection: Connection) -> Iterator[Entry]:
    """Give the whole chain, row by row."""
    for row in connection.execute(select(entries).order_by(entries.c.sequence)):
        yield _entry(row)


def _opened(head: Row[Any]) -> Event:
    return Event(EntryKind.OPENED, said={"ledger_id": head.ledger_id, "ledger_format": FORMAT_VERSION})


def _linked(head: Row[Any], events: Iterable[Event], at: str) -> Iterator[Entry]:
    sequence, previous = head.sequence, head.row_hash
    for event in events:
        sequence += 1
        said = canonical({"format": BODY_FORMAT, **event.said})
        about = (str(event.kind), event.dataset, event.holder, event.actor, event.request_id, said)
        row = linked((sequence, at, *about), previous)
        previous = row.row_hash
        yield row


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping
