"""Charges, what they paid for, and the releases that came of them, as SQL; no row ever changes."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, select

from budgets.accounting.bill import Bill
from budgets.accounting.holders import EVERYBODY, own_holder, payers
from budgets.accounting.loss import Loss
from budgets.accounting.records import Charge, ChargeRequest, Made, PaidRelease, StoredRelease
from budgets.log.events import digest
from budgets.stores.entries import days_since
from budgets.stores.listed import among, listed, of_pairs
from budgets.stores.schema import charge_keys, charges, entries, purchases, questions, releases
from budgets.stores.store import insert_new, insert_rows

SALT_BYTES = 16

Meaning = tuple[Loss, frozenset[str]]  # price and windows

# Said once: what every charge asks is not built anew each time.
_CHARGE = select(charges).where(
    charges.c.client == bindparam("client"), charges.c.request_id == bindparam("request_id")
)
_CHARGES = select(charges).select_from(of_pairs(charges.c.client, charges.c.request_id, "requests"))
_OF_DATASET = purchases.c.dataset == bindparam("dataset")
_PAID = select(purchases.c.holder, purchases.c.release_key).select_from(
    of_pairs(purchases.c.holder, purchases.c.release_key, "asked", _OF_DATASET)
)
_MEANINGS = select(questions).where(questions.c.dataset == bindparam("dataset"), among(questions.c.release_key, "keys"))
_RELEASES = select(releases.c.release_key, releases.c.payload).where(
    releases.c.dataset == bindparam("dataset"), among(releases.c.release_key, "keys")
)
_KEYS = (
    select(charge_keys.c.release_key)
    .where(charge_keys.c.charge_id == bindparam("charge_id"))
    .order_by(charge_keys.c.position)
)
_REPLAY = (
    select(releases.c.release_key, releases.c.payload, releases.c.settled_at)
    .join(
        purchases,
        and_(purchases.c.dataset == releases.c.dataset, purchases.c.release_key == releases.c.release_key),
    )
    .where(
        purchases.c.holder == bindparam("holder"),
        releases.c.dataset == bindparam("dataset"),
        among(releases.c.release_key, "keys"),
    )
)
_MADE = (
    select(releases.c.release_key, releases.c.settled_at, entries.c.at)
    .join(entries, entries.c.sequence == releases.c.charge_id)
    .where(releases.c.dataset == bindparam("dataset"), among(releases.c.release_key, "keys"))
)
_PURCHASES = (
    select(questions, releases.c.settled_at, entries.c.body, purchases.c.charge_id)
    .select_from(purchases)
    .join(
        questions,
        and_(questions.c.dataset == purchases.c.dataset, questions.c.release_key == purchases.c.release_key),
    )
    .join(entries, entries.c.sequence == purchases.c.charge_id)
    .outerjoin(
        releases, and_(releases.c.dataset == purchases.c.dataset, releases.c.release_key == purchases.c.release_key)
    )
    .where(purchases.c.holder == bindparam("holder"))
    .order_by(purchases.c.charge_id, purchases.c.release_key)
)


def find_charge(connection: Connection, client: str, request_id: str) -> Row[Any] | None:
    """Give the charge that a client made under a request id."""
    return connection.execute(_CHARGE, {"client": client, "request_id": request_id}).one_or_none()


def find_charges(connection: Connection, requests: Iterable[ChargeRequest]) -> dict[tuple[str, str], Row[Any]]:
    """Give the charges that were made for some requests before, by client and request id."""
    asked = {"requests": listed((request.client, request.request_id) for request in requests)}
    found = connection.execute(_CHARGES, asked).all()
    return {(row.client, row.request_id): row for row in found if row[0] is not None}


def read_keys(connection: Connection, charge_id: int) -> tuple[str, ...]:
    """Give the releases that a charge asked for, in order."""
    return tuple(connection.execute(_KEYS, {"charge_id": charge_id}).scalars())


def read_windows(connection: Connection, charge_id: int) -> frozenset[str]:
    """Give every window that a charge touches."""
    asked = and_(charge_keys.c.charge_id == charge_id, charge_keys.c.release_key == questions.c.release_key)
    of_charge = and_(charges.c.id == charge_id, charges.c.dataset == questions.c.dataset)
    statement = select(questions.c.windows).join(charge_keys, asked).join(charges, of_charge)
    return frozenset(window for windows in connection.execute(statement).scalars() for window in json.loads(windows))


def read_paid(
    connection: Connection, dataset: str, requests: Iterable[ChargeRequest], known: Container[str]
) -> dict[str, set[str]]:
    """Give those releases of some questions that each holder on their clients' paths has paid for.

    Known are the keys that have a meaning, which the first charge of a key writes: nobody has paid for another.
    """
    asked = (
        (holder, item.release_key)
        for each in requests
        for item in each.items
        if item.release_key in known
        for holder in payers(each.client)
    )
    paid: dict[str, set[str]] = {}
    for holder, release_key in connection.execute(_PAID, {"dataset": dataset, "asked": listed(asked)}).all():
        if holder is not None:
            paid.setdefault(holder, set()).add(release_key)
    return paid


def read_releases(connection: Connection, dataset: str, keys: Iterable[str]) -> dict[str, bytes]:
    """Give the stored releases among some keys."""
    some = connection.execute(_RELEASES, {"dataset": dataset, "keys": listed(keys)})
    return {row.release_key: row.payload for row in some}


def read_replay(connection: Connection, client: str, dataset: str, keys: Sequence[str]) -> dict[str, StoredRelease]:
    """Give the stored releases among some keys that a client has paid for."""
    asked = {"holder": own_holder(client), "dataset": dataset, "keys": listed(keys)}
    return {row.release_key: StoredRelease(*row) for row in connection.execute(_REPLAY, asked)}


def read_made(connection: Connection, dataset: str, keys: Sequence[str]) -> dict[str, Made]:
    """Tell when the stored releases among some keys were made."""
    asked = {"dataset": dataset, "keys": listed(keys)}
    return {
        row.release_key: Made(row.release_key, row.settled_at, days_since(row.at))
        for row in connection.execute(_MADE, asked)
    }


def read_versions(connection: Connection, dataset: str) -> tuple[str, ...]:
    """Give every note of versions that a charge of a dataset bears, each once."""
    noted = select(charges.c.versions).where(charges.c.dataset == dataset).distinct()
    return tuple(sorted(connection.execute(noted).scalars()))


def read_questions(connection: Connection, dataset: str) -> tuple[str, ...]:
    """Give the canonical question of every release that was paid for."""
    asked = select(questions.c.question).where(questions.c.dataset == dataset)
    return tuple(connection.execute(asked.order_by(questions.c.release_key)).scalars())


def read_purchases(connection: Connection, client: str) -> tuple[PaidRelease, ...]:
    """Give everything that a client has paid for, oldest first."""
    return tuple(
        PaidRelease(
            row.release_key,
            row.dataset,
            tuple(json.loads(row.windows)),
            row.question,
            _loss(row),
            row.settled_at,
            json.loads(row.body).get("wording", ""),
            row.charge_id,
        )
        for row in connection.execute(_PURCHASES, {"holder": own_holder(client)})
    )


def read_rows(connection: Connection, table: Table) -> tuple[Mapping[str, Any], ...]:
    """Give every row of a table."""
    return tuple(dict(row) for row in connection.execute(select(table)).mappings())


def read_meanings(connection: Connection, dataset: str, keys: Iterable[str]) -> dict[str, Meaning]:
    """Give what some release keys were charged as."""
    rows = connection.execute(_MEANINGS, {"dataset": dataset, "keys": listed(keys)})
    return {row.release_key: (_loss(row), frozenset(json.loads(row.windows))) for row in rows}


def write_charges(connection: Connection, bills: Mapping[int, Bill]) -> None:
    """Write down requests, their releases and who has paid for them now, by the sequence of the row that says so."""
    insert_rows(connection, charges, [_charge_row(*each) for each in bills.items()])
    insert_rows(connection, charge_keys, [row for each in bills.items() for row in _key_rows(*each)])
    insert_rows(connection, questions, [row for bill in bills.values() for row in _meaning_rows(bill)])
    insert_rows(connection, purchases, [row for each in bills.items() for row in purchase_rows(*each)])


def write_release(connection: Connection, charge: Charge, release_key: str, payload: bytes, at: str) -> str | None:
    """Store a release unless its key has one; give the digest of what was stored."""
    salt = os.urandom(SALT_BYTES)
    row = {"dataset": charge.dataset, "release_key": release_key, "payload": payload, "salt": salt}
    stored = insert_new(connection, releases, row | {"settled_at": at, "charge_id": charge.id})
    return digest(salt, payload) if stored else None


def _charge_row(charge_id: int, bill: Bill) -> dict[str, object]:
    request, loss = bill.request, bill.client_loss
    return {
        "id": charge_id,
        "client": request.client,
        "request_id": request.request_id,
        "body_digest": request.body_digest,
        "dataset": request.dataset,
        "versions": request.versions,
        "pico_rho": loss.pico_rho,
        "atto_delta": loss.atto_delta,
    }


def _key_rows(charge_id: int, bill: Bill) -> Iterator[dict[str, object]]:
    for position, item in enumerate(bill.request.distinct_items):
        yield {"charge_id": charge_id, "position": position, "release_key": item.release_key}


def _meaning_rows(bill: Bill) -> Iterator[dict[str, object]]:
    for item in bill.unpaid[EVERYBODY]:
        yield {
            "dataset": bill.request.dataset,
            "release_key": item.release_key,
            "question": item.question,
            "pico_rho": item.loss.pico_rho,
            "atto_delta": item.loss.atto_delta,
            "windows": json.dumps(item.windows),
        }


def purchase_rows(charge_id: int, bill: Bill) -> Iterator[dict[str, object]]:
    """Say which holder has paid for which release with a charge."""
    dataset = bill.request.dataset
    for holder, items in bill.unpaid.items():
        for item in items:
            yield {"dataset": dataset, "holder": holder, "release_key": item.release_key, "charge_id": charge_id}


def _loss(row: Row[Any]) -> Loss:
    return Loss(row.pico_rho, row.atto_delta)
