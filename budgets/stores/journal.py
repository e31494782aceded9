"""Charges, what they paid for, and the releases that came of them, as SQL; no row ever changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, insert, select

from budgets.bill import Bill
from budgets.errors import ProtocolError
from budgets.events import digest
from budgets.holders import EVERYBODY, own_holder, payers
from budgets.loss import Loss
from budgets.records import Charge, ChargeRequest, Item, Made, PaidRelease, StoredRelease
from budgets.stores.entries import days_since
from budgets.stores.schema import charge_keys, charges, entries, purchases, questions, releases
from budgets.stores.store import insert_new

SALT_BYTES = 16

# Said once: what every charge asks is not built anew each time.
_CHARGE = select(charges).where(
    charges.c.client == bindparam("client"), charges.c.request_id == bindparam("request_id")
)
_PAID = select(purchases.c.holder, purchases.c.release_key).where(
    purchases.c.dataset == bindparam("dataset"),
    purchases.c.holder.in_(bindparam("holders", expanding=True)),
    purchases.c.release_key.in_(bindparam("keys", expanding=True)),
)
_RELEASES = select(releases.c.release_key, releases.c.payload).where(
    releases.c.dataset == bindparam("dataset"), releases.c.release_key.in_(bindparam("keys", expanding=True))
)


def find_charge(connection: Connection, client: str, request_id: str) -> Row[Any] | None:
    """Give the charge that a client made under a request id."""
    return connection.execute(_CHARGE, {"client": client, "request_id": request_id}).one_or_none()


def read_keys(connection: Connection, charge_id: int) -> tuple[str, ...]:
    """Give the releases that a charge asked for, in order."""
    statement = select(charge_keys.c.release_key).where(charge_keys.c.charge_id == charge_id)
    return tuple(connection.execute(statement.order_by(charge_keys.c.position)).scalars())


def read_windows(connection: Connection, charge_id: int) -> frozenset[str]:
    """Give every window that a charge touches."""
    asked = and_(charge_keys.c.charge_id == charge_id, charge_keys.c.release_key == questions.c.release_key)
    of_charge = and_(charges.c.id == charge_id, charges.c.dataset == questions.c.dataset)
    statement = select(questions.c.windows).join(charge_keys, asked).join(charges, of_charge)
    return frozenset(window for windows in connection.execute(statement).scalars() for window in json.loads(windows))


def read_paid(connection: Connection, request: ChargeRequest) -> dict[str, set[str]]:
    """Give those releases of a question that each holder on its client's path has paid for."""
    keys = [item.release_key for item in request.items]
    asked = {"dataset": request.dataset, "holders": payers(request.client), "keys": keys}
    paid: dict[str, set[str]] = {}
    for row in connection.execute(_PAID, asked):
        paid.setdefault(row.holder, set()).add(row.release_key)
    return paid


def read_releases(connection: Connection, dataset: str, keys: Sequence[str]) -> dict[str, bytes]:
    """Give the stored releases among some keys."""
    some = connection.execute(_RELEASES, {"dataset": dataset, "keys": keys})
    return {row.release_key: row.payload for row in some}


def read_replay(connection: Connection, client: str, dataset: str, keys: Sequence[str]) -> dict[str, StoredRelease]:
    """Give the stored releases among some keys that a client has paid for."""
    paid = and_(purchases.c.dataset == releases.c.dataset, purchases.c.release_key == releases.c.release_key)
    statement = (
        select(releases.c.release_key, releases.c.payload, releases.c.settled_at)
        .join(purchases, paid)
        .where(
            purchases.c.holder == own_holder(client), releases.c.dataset == dataset, releases.c.release_key.in_(keys)
        )
    )
    return {row.release_key: StoredRelease(*row) for row in connection.execute(statement)}


def read_made(connection: Connection, dataset: str, keys: Sequence[str]) -> dict[str, Made]:
    """Tell when the stored releases among some keys were made."""
    statement = (
        select(releases.c.release_key, releases.c.settled_at, entries.c.at)
        .join(entries, entries.c.sequence == releases.c.charge_id)
        .where(releases.c.dataset == dataset, releases.c.release_key.in_(keys))
    )
    return {
        row.release_key: Made(row.release_key, row.settled_at, days_since(row.at))
        for row in connection.execute(statement)
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
    meaning = and_(questions.c.dataset == purchases.c.dataset, questions.c.release_key == purchases.c.release_key)
    stored = and_(releases.c.dataset == purchases.c.dataset, releases.c.release_key == purchases.c.release_key)
    statement = (
        select(questions, releases.c.settled_at, entries.c.body)
        .select_from(purchases)
        .join(questions, meaning)
        .join(entries, entries.c.sequence == purchases.c.charge_id)
        .outerjoin(releases, stored)
        .where(purchases.c.holder == own_holder(client))
        .order_by(purchases.c.charge_id, purchases.c.release_key)
    )
    return tuple(
        PaidRelease(
            row.release_key,
            row.dataset,
            tuple(json.loads(row.windows)),
            row.question,
            _loss(row),
            row.settled_at,
            json.loads(row.body).get("wording", ""),
        )
        for row in connection.execute(statement)
    )


def read_rows(connection: Connection, table: Table) -> tuple[Mapping[str, Any], ...]:
    """Give every row of a table."""
    return tuple(dict(row) for row in connection.execute(select(table)).mappings())


def check_meaning(connection: Connection, request: ChargeRequest) -> None:
    """Refuse a release key that was charged before with another price or other windows; raises ProtocolError."""
    asked = {item.release_key: (item.loss, set(item.windows)) for item in request.items}
    statement = select(questions).where(questions.c.dataset == request.dataset, questions.c.release_key.in_(asked))
    for row in connection.execute(statement):
        if asked[row.release_key] != (_loss(row), set(json.loads(row.windows))):
            raise ProtocolError(
                "A release key stands for one price and one set of windows, and this one was charged with others.",
                "a release key made of everything that the price depends on.",
            )


def write_charge(connection: Connection, bill: Bill, charge_id: int) -> None:
    """Write down a request, its releases and who has paid for them now, under the sequence of the row that says so."""
    request, loss = bill.request, bill.client_loss
    row = {"id": charge_id, "client": request.client, "request_id": request.request_id}
    row |= {"body_digest": request.body_digest, "dataset": request.dataset, "versions": request.versions}
    connection.execute(insert(charges), row | {"pico_rho": loss.pico_rho, "atto_delta": loss.atto_delta})
    keys = enumerate(item.release_key for item in request.distinct_items)
    connection.execute(
        insert(charge_keys), [{"charge_id": charge_id, "position": at, "release_key": key} for at, key in keys]
    )
    _write_meaning(connection, request, bill.unpaid[EVERYBODY])
    _write_purchases(connection, request, charge_id, bill.unpaid)


def write_release(connection: Connection, charge: Charge, release_key: str, payload: bytes, at: str) -> str | None:
    """Store a release unless its key has one; give the digest of what was stored."""
    salt = os.urandom(SALT_BYTES)
    row = {"dataset": charge.dataset, "release_key": release_key, "payload": payload, "salt": salt}
    stored = insert_new(connection, releases, row | {"settled_at": at, "charge_id": charge.id})
    return digest(salt, payload) if stored else None


def _write_meaning(connection: Connection, request: ChargeRequest, items: Iterable[Item]) -> None:
    rows = [
        {
            "dataset": request.dataset,
            "release_key": item.release_key,
            "pico_rho": item.loss.pico_rho,
            "atto_delta": item.loss.atto_delta,
            "windows": json.dumps(item.windows),
            "question": item.question,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(questions), rows)


def _write_purchases(
    connection: Connection, request: ChargeRequest, charge_id: int, unpaid: Mapping[str, Iterable[Item]]
) -> None:
    row = {"dataset": request.dataset, "charge_id": charge_id}
    rows = [row | {"holder": each, "release_key": item.release_key} for each, items in unpaid.items() for item in items]
    if rows:
        connection.execute(insert(purchases), rows)


def _loss(row: Row[Any]) -> Loss:
    return Loss(row.pico_rho, row.atto_delta)
