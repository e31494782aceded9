"""A ledger of format 1, carried over: what it held begins a chain, and nobody's budget is fuller or emptier for it.

Format 1 kept balances, charges, purchases and results, and rows for people without hashes. Each charge becomes a row of
the chain, with what was bought and what came of it; the accounts are its last row. The rows for people stay beside it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    insert,
    text,
    update,
)

from budgets.accounts import LIFETIME, UNCAPPED
from budgets.errors import UnsafeStore
from budgets.events import EntryKind, Event, digest
from budgets.holders import ALL_CLIENTS, EVERYBODY, RESERVED, prefixes
from budgets.stores import entries, journal, standing
from budgets.stores.guards import freeze
from budgets.stores.schema import PROJECTIONS, ledger_format, metadata
from budgets.verify import verify

kept_entries = Table(
    "entries_of_format_1",
    MetaData(),
    Column("sequence", BigInteger),
    *(Column(name, Text) for name in ("at", "kind", "dataset", "window_name", "holder", "asked_by", "request_id")),
    *(Column(name, Text) for name in ("release_key", "versions")),
    *(Column(name, BigInteger) for name in ("pico_rho", "atto_delta")),
)
OLD = ("accounts", "charges", "charge_keys", "questions", "purchases", "releases", "entries")
FIRST = 2  # the sequence of the first charge: the chain's first row names the ledger

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def carry_over_format_1(connection: Connection) -> None:
    """Make a ledger of format 2 of one of format 1, in the transaction that is open.

    Claim: every account has spent what it had spent, every purchase and every result is there, and the chain verifies.
    Symbols: rows of format 1; the tables of each carried row. Formula: as in `_events`; the result is verified.
    Source: proofs.md#carrying-over. Raises UnsafeStore; then nothing may be committed.
    """
    old = _take_out(connection)
    _check_names(old)
    metadata.create_all(connection)
    connection.execute(update(ledger_format).values(version=2))
    entries.begin(connection)
    salts = {_key(row): os.urandom(journal.SALT_BYTES) for row in old["releases"]}
    events = [Event(EntryKind.CARRIED_OVER, said={"tables": tables}) for tables in _events(old, salts)]
    entries.append(connection, events)
    _insert(
        connection,
        events,
        {_key(row): {"payload": row["payload"], "salt": salts[_key(row)]} for row in old["releases"]},
    )
    standing.complete_names(connection)
    tables = {table.name: journal.read_rows(connection, table) for table in PROJECTIONS}
    for wrong in verify(entries.read_chain(connection), tables):
        raise UnsafeStore(f"This ledger of format 1 can't be carried over. {wrong}", "a backup of it.")


def _take_out(connection: Connection) -> Rows:
    """Read the old tables and remove them; the rows for people are kept under another name."""
    old = {name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()] for name in OLD}
    kept_entries.create(connection)
    names = ", ".join(each.name for each in kept_entries.columns)
    connection.execute(text(f"INSERT INTO {kept_entries.name} ({names}) SELECT {names} FROM entries"))
    freeze(connection, kept_entries.name)
    gone = MetaData()
    gone.reflect(connection, only=OLD)
    gone.drop_all(connection)
    return old


def _check_names(old: Rows) -> None:
    """Refuse names that mean something else now."""
    names = {row["holder"] for row in old["accounts"]} | {row["window_name"] for row in old["accounts"]}
    for name in sorted(names | {row["client"] for row in old["charges"]}):
        if name.startswith(RESERVED):
            raise UnsafeStore(
                f"This ledger of format 1 has a client or a window named {name!r}, which names something else now.",
                "the version of passersby that wrote it.",
            )


def _events(old: Rows, salts: dict[tuple[str, str], bytes]) -> Iterator[Rows]:
    """Give the tables of each row of the chain: one for each charge, then one of all accounts and clients."""
    numbers = {row["id"]: FIRST + place for place, row in enumerate(sorted(old["charges"], key=lambda row: row["id"]))}
    bought = {(row["dataset"], row["release_key"]): row["charge_id"] for row in old["purchases"] if not row["holder"]}
    shared = [row | {"holder": ALL_CLIENTS} for row in old["purchases"] if row["holder"] == EVERYBODY]
    for charge, number in numbers.items():
        mine = {"charge_id": number}
        yield {
            "charges": [row | {"id": number} for row in old["charges"] if row["id"] == charge],
            "charge_keys": [row | mine for row in old["charge_keys"] if row["charge_id"] == charge],
            "questions": [row for row in old["questions"] if bought.get(_key(row)) == charge],
            "purchases": [row | mine for row in (*old["purchases"], *shared) if row["charge_id"] == charge],
            "releases": [
                row | mine | {"payload": digest(salts[_key(row)], row["payload"])}
                for row in old["releases"]
                if row["charge_id"] == charge
            ],
        }
    yield {"accounts": list(_accounts(old)), "clients": _clients(old)}


def _accounts(old: Rows) -> Iterator[Row]:
    """Give the accounts with those that are new: of all clients together, and of each client over all windows."""
    over_all: dict[tuple[str, str], Counter[str]] = {}
    for account in old["accounts"]:
        row = {name: value for name, value in account.items() if name != "id"}
        yield row
        if row["holder"] == EVERYBODY:
            yield row | {"holder": ALL_CLIENTS}
        else:
            spent = Counter({unit: row[f"spent_{unit}"] for unit in ("pico_rho", "atto_delta")})
            over_all.setdefault((row["dataset"], row["holder"]), Counter()).update(spent)
    for (dataset, holder), spent in over_all.items():
        most = {
            f"{part}_{unit}": getattr(UNCAPPED, unit)
            for part in ("ceiling", "cap")
            for unit in ("pico_rho", "atto_delta")
        }
        gone = {f"spent_{unit}": spent[unit] for unit in ("pico_rho", "atto_delta")}
        yield {"dataset": dataset, "holder": holder, "window_name": LIFETIME} | most | gone


def _clients(old: Rows) -> list[Row]:
    clients = sorted({row["client"] for row in old["charges"]})
    groups = {group for client in clients for group in prefixes(client)[:-1]}
    known = sorted({*clients, *groups})
    return [{"holder": holder, "state": "active", "is_group": int(holder in groups)} for holder in known]


def _insert(connection: Connection, events: list[Event], results: dict[tuple[str, str], Row]) -> None:
    """Write the tables that the chain's rows say; a result itself stands in its table alone."""
    for name in ("accounts", "clients", "charges", "charge_keys", "questions", "purchases", "releases"):
        rows = [row for event in events for row in event.said["tables"].get(name, ())]
        if name == "releases":
            rows = [row | results[_key(row)] for row in rows]
        if rows:
            connection.execute(insert(metadata.tables[name]), rows)


def _key(row: Row) -> tuple[str, str]:
    return row["dataset"], row["release_key"]
