"""The ledger's journal: the chain of entries, then charges, purchases and releases. No row ever changes.

Entries are appended to the chain and read from it. Charges, purchases and releases are written in the same transaction
as the entries that record them. This is the only module that reads a clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, Table, and_, bindparam, insert, select, update

from budgets.accounting.accounts import EVERYBODY, own_holder, paying_holders
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import Bill, Charge, ChargeRequest, PaidRelease, ReleaseAge, StoredRelease
from budgets.errors import ProtocolError
from budgets.log.events import (
    BODY_FORMAT,
    GENESIS,
    Entry,
    EntryKind,
    Event,
    canonical_json,
    chained_entry,
    salted_digest,
)
from budgets.stores.schema import (
    FORMAT_VERSION,
    chain_head,
    charge_keys,
    charges,
    entries,
    purchases,
    questions,
    releases,
)
from budgets.stores.store import fetch_rows, in_list, insert_new, insert_rows, lookup_pairs

# Statements of every charge, built once.
_HEAD = select(chain_head)
_MOVE_HEAD = (
    update(chain_head)
    .where(chain_head.c.sequence == bindparam("from_sequence"), chain_head.c.row_hash == bindparam("from_hash"))
    .values(sequence=bindparam("to_sequence"), row_hash=bindparam("to_hash"))
)


def now_text() -> str:
    """Return the UTC time in ISO 8601, for display: no budget depends on it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def days_since(at: str) -> int:
    """Count the whole days since a timestamp; 0 if it is in the future."""
    return max(0, (datetime.now(UTC) - datetime.fromisoformat(at)).days)


def create_chain_head(connection: Connection) -> None:
    """Create the chain head with a random ledger id; the chain itself starts with the first append."""
    connection.execute(insert(chain_head).values(ledger_id=os.urandom(16).hex(), sequence=0, row_hash=GENESIS))


def append(connection: Connection, events: Sequence[Event], at: str | None = None) -> tuple[Entry, ...]:
    """Append events to the chain; returns their entries.

    Claim: every entry has exactly one successor, however many writers there are. Symbols: head, the sequence and hash
    of the last entry. Formula: head moves only from the value read; a second successor violates a constraint. Source:
    budgets/log/proofs.md#the-chain. Raises ProtocolError if another writer was faster.
    """
    rows = link_entries(connection, events, at)
    insert_entries(connection, rows)
    return rows


def link_entries(connection: Connection, events: Sequence[Event], at: str | None = None) -> tuple[Entry, ...]:
    """Link events to the chain and move the head past them; the caller must insert the entries.

    Raises ProtocolError if another writer was faster.
    """
    head = read_head(connection)
    first = [] if head.sequence else [_opening_event(head)]
    rows = tuple(_linked(head, [*first, *events], at or now_text()))
    moved = {"from_sequence": head.sequence, "from_hash": head.row_hash}
    moved |= {"to_sequence": rows[-1].sequence, "to_hash": rows[-1].row_hash}
    if connection.execute(_MOVE_HEAD, moved).rowcount != 1:
        raise ProtocolError("Another writer was faster.", "the same question again.")
    return rows


def insert_entries(connection: Connection, rows: Sequence[Entry]) -> None:
    """Insert entries to which the head was moved before."""
    insert_rows(connection, entries, [vars(row) for row in rows])


def read_head(connection: Connection) -> Row[Any]:
    """Read the ledger's id, and sequence and hash of the last entry."""
    (head,) = fetch_rows(connection, _HEAD, {})
    return head


def read_hash(connection: Connection, sequence: int) -> bytes:
    """Read the hash of an entry; empty if there is none."""
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
    """Read the newest entries, oldest first: by kind, dataset, holder, or since a UTC time."""
    filters = {"kind": kind, "dataset": dataset, "holder": holder, "since": since, "most": limit}
    filters = {name: value for name, value in filters.items() if value is not None}
    newest = connection.execute(_newest_entries(frozenset(filters)), filters).all()
    return tuple(_entry(row) for row in reversed(newest))


@cache
def _newest_entries(filters: frozenset[str]) -> Select[Any]:
    """Build the SELECT of the newest entries, cached for each set of filters."""
    conditions = [entries.c[name] == bindparam(name) for name in ("kind", "dataset", "holder") if name in filters]
    if "since" in filters:
        conditions.append(entries.c.at >= bindparam("since"))
    newest = select(entries).where(*conditions).order_by(entries.c.sequence.desc())
    return newest.limit(bindparam("most", type_=Integer)) if "most" in filters else newest


def read_chain(connection: Connection) -> Iterator[Entry]:
    """Iterate over the whole chain."""
    for row in connection.execute(select(entries).order_by(entries.c.sequence)):
        yield _entry(row)


def _opening_event(head: Row[Any]) -> Event:
    """Event of the first entry of a ledger: its id and format."""
    return Event(EntryKind.OPENED, content={"ledger_id": head.ledger_id, "ledger_format": FORMAT_VERSION})


def _linked(head: Row[Any], events: Iterable[Event], at: str) -> Iterator[Entry]:
    """Link events to the chain as entries that follow the head, each with the hash of the one before.

    `head` = row with sequence and row_hash of the last entry; `at` = one time for all.
    """
    sequence, previous = head.sequence, head.row_hash
    for event in events:
        sequence += 1
        body = canonical_json({"format": BODY_FORMAT, **event.content})
        fields = (str(event.kind), event.dataset, event.holder, event.actor, event.request_id, body)
        row = chained_entry((sequence, at, *fields), previous)
        previous = row.row_hash
        yield row


def _entry(row: Row[Any]) -> Entry:
    """Return the entry of a row; columns have the names of the fields."""
    return Entry(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping


SALT_BYTES = 16

ChargedTerms = tuple[Loss, frozenset[str]]  # price and windows


def _of_keys(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Build the conditions that rows are of the release keys of the parameter `keys`, in one dataset."""
    return table.c.dataset == bindparam("dataset"), in_list(table.c.release_key, "keys")


def _same_release(one: Table, other: Table) -> ColumnElement[bool]:
    """Build the condition that rows of two tables are about one release."""
    return and_(one.c.dataset == other.c.dataset, one.c.release_key == other.c.release_key)


# Statements of every charge, built once.
_CHARGE = select(charges).where(
    charges.c.client == bindparam("client"), charges.c.request_id == bindparam("request_id")
)
_CHARGES = select(charges).select_from(lookup_pairs(charges.c.client, charges.c.request_id, "requests"))
_OF_DATASET = purchases.c.dataset == bindparam("dataset")
_PAID_KEYS = select(purchases.c.holder, purchases.c.release_key).select_from(
    lookup_pairs(purchases.c.holder, purchases.c.release_key, "asked", _OF_DATASET)
)
_CHARGED_TERMS = select(questions).where(*_of_keys(questions))
_RELEASES = select(releases.c.release_key, releases.c.payload).where(*_of_keys(releases))
_KEYS = (
    select(charge_keys.c.release_key)
    .where(charge_keys.c.charge_id == bindparam("charge_id"))
    .order_by(charge_keys.c.position)
)
_REPLAY = (
    select(releases.c.release_key, releases.c.payload, releases.c.settled_at)
    .join(purchases, _same_release(purchases, releases))
    .where(purchases.c.holder == bindparam("holder"), *_of_keys(releases))
)
_RELEASE_AGES = (
    select(releases.c.release_key, releases.c.settled_at, entries.c.at)
    .join(entries, entries.c.sequence == releases.c.charge_id)
    .where(*_of_keys(releases))
)
_PURCHASES = (
    select(questions, releases.c.settled_at, entries.c.body, entries.c.at, purchases.c.charge_id)
    .select_from(purchases)
    .join(questions, _same_release(questions, purchases))
    .join(entries, entries.c.sequence == purchases.c.charge_id)
    .outerjoin(releases, _same_release(releases, purchases))
    .where(purchases.c.holder == bindparam("holder"))
    .order_by(purchases.c.charge_id, purchases.c.release_key)
)


def find_charge(connection: Connection, client: str, request_id: str) -> Row[Any] | None:
    """Find the charge that a client made with a request id."""
    found: Sequence[Row[Any]] = fetch_rows(connection, _CHARGE, {"client": client, "request_id": request_id})
    return found[0] if found else None


def find_charges(connection: Connection, requests: Iterable[ChargeRequest]) -> dict[tuple[str, str], Row[Any]]:
    """Find the earlier charges of some requests, by client and request id."""
    parameters = {"requests": [(request.client, request.request_id) for request in requests]}
    found = fetch_rows(connection, _CHARGES, parameters)
    # NULL: a requested pair without a charge, by the outer join
    return {(row.client, row.request_id): row for row in found if row[0] is not None}


def read_release_keys(connection: Connection, charge_id: int) -> tuple[str, ...]:
    """Read the release keys of a charge, in order."""
    return tuple(key for (key,) in fetch_rows(connection, _KEYS, {"charge_id": charge_id}))


def read_windows(connection: Connection, charge_id: int) -> frozenset[str]:
    """Read the privacy windows that a charge was debited in."""
    of_release = and_(charge_keys.c.charge_id == charge_id, charge_keys.c.release_key == questions.c.release_key)
    of_charge = and_(charges.c.id == charge_id, charges.c.dataset == questions.c.dataset)
    statement = select(questions.c.windows).join(charge_keys, of_release).join(charges, of_charge)
    return frozenset(window for windows in connection.execute(statement).scalars() for window in json.loads(windows))


def read_paid(
    connection: Connection, dataset: str, requests: Iterable[ChargeRequest], charged_keys: Container[str]
) -> dict[str, set[str]]:
    """Read which of the requested release keys each holder on the clients' paths has paid for.

    `charged_keys` contains the keys charged before; others cannot have been paid for and are not looked up.
    """
    pairs = [
        (holder, item.release_key)
        for each in requests
        for item in each.releases
        if item.release_key in charged_keys
        for holder in paying_holders(each.client)
    ]
    paid: dict[str, set[str]] = {}
    for holder, release_key in fetch_rows(connection, _PAID_KEYS, {"dataset": dataset, "asked": pairs}):
        if holder is not None:
            paid.setdefault(holder, set()).add(release_key)
    return paid


def read_releases(connection: Connection, dataset: str, keys: Iterable[str]) -> dict[str, bytes]:
    """Read the stored payloads of some release keys."""
    some = fetch_rows(connection, _RELEASES, {"dataset": dataset, "keys": [*keys]})
    return {row.release_key: row.payload for row in some}


def read_replay(connection: Connection, client: str, dataset: str, keys: Sequence[str]) -> dict[str, StoredRelease]:
    """Read the stored releases, among some keys, that a client has paid for."""
    parameters = {"holder": own_holder(client), "dataset": dataset, "keys": [*keys]}
    return {row.release_key: StoredRelease(*row) for row in fetch_rows(connection, _REPLAY, parameters)}


def read_release_ages(connection: Connection, dataset: str, keys: Sequence[str]) -> dict[str, ReleaseAge]:
    """Read when the stored releases among some keys were computed."""
    parameters = {"dataset": dataset, "keys": [*keys]}
    return {
        row.release_key: ReleaseAge(row.release_key, row.settled_at, days_since(row.at))
        for row in fetch_rows(connection, _RELEASE_AGES, parameters)
    }


def read_versions(connection: Connection, dataset: str) -> tuple[str, ...]:
    """List the distinct code and catalog versions under which a dataset was charged."""
    statement = select(charges.c.versions).where(charges.c.dataset == dataset).distinct()
    return tuple(sorted(connection.execute(statement).scalars()))


def read_canonical_queries(connection: Connection, dataset: str) -> tuple[str, ...]:
    """List the canonical query of every release that was paid for."""
    statement = select(questions.c.question).where(questions.c.dataset == dataset)
    return tuple(connection.execute(statement.order_by(questions.c.release_key)).scalars())


def read_purchases(connection: Connection, client: str) -> tuple[PaidRelease, ...]:
    """Purchases of a client: its paid releases with price, time and query, oldest first.

    A release that another client had bought before is settled with this client's own charge.
    """
    return tuple(
        PaidRelease(
            row.release_key,
            row.dataset,
            tuple(json.loads(row.windows)),
            row.question,
            _loss(row),
            None if row.settled_at is None else max(row.settled_at, row.at),
            json.loads(row.body).get("wording", ""),
            row.charge_id,
        )
        for row in fetch_rows(connection, _PURCHASES, {"holder": own_holder(client)})
    )


def read_rows(connection: Connection, table: Table) -> tuple[Mapping[str, Any], ...]:
    """Read all rows of a table."""
    return tuple(dict(row) for row in connection.execute(select(table)).mappings())


def read_charged_terms(connection: Connection, dataset: str, keys: Iterable[str]) -> dict[str, ChargedTerms]:
    """Read the price and the windows at which some release keys were first charged."""
    rows = fetch_rows(connection, _CHARGED_TERMS, {"dataset": dataset, "keys": [*keys]})
    return {row.release_key: (_loss(row), frozenset(json.loads(row.windows))) for row in rows}


def write_charges(connection: Connection, bills: Mapping[int, Bill]) -> None:
    """Insert charges, by the sequence of their entry: requests, release keys, queries and purchases."""
    insert_rows(connection, charges, [_charge_row(*each) for each in bills.items()])
    keys = (
        {"charge_id": charge_id, "position": position, "release_key": item.release_key}
        for charge_id, bill in bills.items()
        for position, item in enumerate(bill.request.distinct_releases)
    )
    insert_rows(connection, charge_keys, [*keys])
    insert_rows(connection, questions, [row for bill in bills.values() for row in _query_rows(bill)])
    insert_rows(connection, purchases, [row for each in bills.items() for row in make_purchase_rows(*each)])


def write_release(connection: Connection, charge: Charge, release_key: str, payload: bytes, at: str) -> str | None:
    """Store a release unless its key has one; returns the digest of what was stored, None if nothing was."""
    salt = os.urandom(SALT_BYTES)
    row = {"dataset": charge.dataset, "release_key": release_key, "payload": payload, "salt": salt}
    stored = insert_new(connection, releases, row | {"settled_at": at, "charge_id": charge.id})
    return salted_digest(salt, payload) if stored else None


def _charge_row(charge_id: int, bill: Bill) -> dict[str, object]:
    """Row of a charge; its loss is that of the releases which the client itself pays for."""
    request = bill.request
    return {
        "id": charge_id,
        "client": request.client,
        "request_id": request.request_id,
        "body_digest": request.body_digest,
        "dataset": request.dataset,
        "versions": request.versions,
        **vars(bill.client_loss),
    }


def _query_rows(bill: Bill) -> Iterator[dict[str, object]]:
    """Rows of the releases that everybody (the dataset account) pays for with this bill: their first charge."""
    for item in bill.unpaid[EVERYBODY]:
        yield {
            "dataset": bill.request.dataset,
            "release_key": item.release_key,
            "question": item.canonical_query,
            **vars(item.loss),
            "windows": json.dumps(item.windows),
        }


def make_purchase_rows(charge_id: int, bill: Bill) -> Iterator[dict[str, object]]:
    """Rows of which holder has paid for which release with a charge."""
    dataset = bill.request.dataset
    for holder, items in bill.unpaid.items():
        for item in items:
            yield {"dataset": dataset, "holder": holder, "release_key": item.release_key, "charge_id": charge_id}


def _loss(row: Row[Any]) -> Loss:
    """Return the loss of a row."""
    return Loss(row.pico_rho, row.atto_delta)
