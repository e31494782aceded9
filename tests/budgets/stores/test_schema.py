"""The database's triggers and constraints, on both stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from budgets import Ledger, UnsafeStore
from budgets.stores.ledger_format import ensure_schema
from budgets.stores.open import open_store
from budgets.stores.schema import APPEND_ONLY, MUTABLE, entries, metadata
from budgets.stores.store import insert_rows
from tests.budgets.ledger_checks import answer, ask


@pytest.fixture
def connection(address: str) -> Iterator[Connection]:
    store = open_store(address)
    answer(ledger := Ledger(store), ledger.charge(ask()))
    with store.writing() as opened:
        yield opened
    store.close()


def refused(connection: Connection, statement: str, why: str) -> None:
    with pytest.raises(IntegrityError, match=why), connection.begin_nested():
        connection.execute(text(statement))


@pytest.mark.parametrize("table", [table.name for table in APPEND_ONLY])
def test_rows_can_be_neither_updated_nor_deleted(connection: Connection, table: str) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    refused(connection, f"UPDATE {table} SET {column} = {column}", f"{table}: rows never change")
    refused(connection, f"DELETE FROM {table}", f"{table}: rows never go")


@pytest.mark.parametrize("table", [table.name for table in APPEND_ONLY])
def test_no_statement_bypasses_the_triggers(connection: Connection, store_kind: str, table: str) -> None:
    if store_kind == "sqlite":
        refused(connection, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}", f"{table}: rows never go")
        return
    refused(connection, f"TRUNCATE {table} CASCADE", "rows never go")
    connection.execute(text("SET LOCAL session_replication_role = replica"))  # in which plain triggers do not fire
    refused(connection, f"DELETE FROM {table}", f"{table}: rows never go")


@pytest.mark.parametrize(
    "change",
    [
        "spent_pico_rho = spent_pico_rho - 1",
        "spent_pico_rho = 0",
        "holder = 'eve'",
        "dataset = 'another'",
        "window_name = 'another'",
        "ceiling_pico_rho = ceiling_pico_rho + 1",
        "ceiling_atto_delta = ceiling_atto_delta - 1",
    ],
)
def test_no_refund_no_new_name_no_new_ceiling(connection: Connection, change: str) -> None:
    why = "accounts: no refund, no new name, no new ceiling"
    refused(connection, f"UPDATE accounts SET {change} WHERE holder = ''", why)
    refused(connection, "DELETE FROM accounts", "accounts: rows never go")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("spent_pico_rho = ceiling_pico_rho + 1", "(?i)check constraint"),
        ("spent_atto_delta = ceiling_atto_delta / 10 + 1", "(?i)check constraint"),
        ("cap_pico_rho = -1", "(?i)check constraint"),
        ("spent_pico_rho = 9223372036854775807 + 1", "cannot store REAL value in INTEGER column|bigint out of range"),
    ],
)
def test_balances_are_whole_and_under_the_ceiling(connection: Connection, change: str, refusal: str) -> None:
    with pytest.raises(DBAPIError, match=refusal), connection.begin_nested():
        connection.execute(text(f"UPDATE accounts SET {change}"))


def test_fractional_amounts_are_never_stored(connection: Connection, store_kind: str) -> None:
    half = text("UPDATE accounts SET spent_pico_rho = spent_pico_rho + 0.5")
    if store_kind == "sqlite":
        with pytest.raises(IntegrityError, match="cannot store REAL value in INTEGER column"):
            connection.execute(half)
    else:
        connection.execute(half)  # rounded to whole units by the column's type, away from zero
    assert all(
        isinstance(spent, int) for spent in connection.execute(text("SELECT spent_pico_rho FROM accounts")).scalars()
    )


def test_every_table_is_guarded(connection: Connection) -> None:
    unguarded = (
        set(metadata.tables)
        - {table.name for table in APPEND_ONLY}
        - {table.name for table in MUTABLE}
        - {"ledger_format"}
    )
    assert not unguarded


def test_a_chain_has_no_forks(connection: Connection) -> None:
    columns = "at, kind, dataset, holder, actor, request_id, body, previous_hash"
    beside = f"INSERT INTO entries (sequence, row_hash, {columns}) SELECT 99, :other, {columns} FROM entries LIMIT 1"
    with pytest.raises(IntegrityError, match=r"(?i)unique"), connection.begin_nested():
        connection.execute(text(beside), {"other": b"another"})


def test_a_ledger_of_another_format_is_not_touched(connection: Connection) -> None:
    connection.execute(text("UPDATE ledger_format SET version = 3"))
    with pytest.raises(UnsafeStore, match=r"This ledger has format 3, and this version reads format 2"):
        ensure_schema(connection)


TEXTS = (
    "plain",
    "quoted \"twice\" and 'once'",
    "back\\slash, \\x41 and \\u0041",
    "é 漢 \U0001f6b6",
    "{}",
    "null",
    "%s :a",
    "",
)


def test_rows_are_stored_unchanged(connection: Connection) -> None:
    rows = [
        {
            **dict.fromkeys(("at", "kind", "dataset", "holder", "actor", "request_id"), text),
            "sequence": 2**62 + number,
            "body": text * 3,
            "previous_hash": bytes([number]),
            "row_hash": bytes(range(256))[number:],
        }
        for number, text in enumerate(TEXTS)
    ]
    insert_rows(connection, entries, rows)
    found = connection.execute(select(entries).where(entries.c.sequence >= 2**62).order_by(entries.c.sequence))
    assert [dict(row) for row in found.mappings()] == rows


def test_no_row_is_no_statement(connection: Connection) -> None:
    insert_rows(connection, entries, [])
    with pytest.raises((TypeError, ProgrammingError), match="object"), connection.begin_nested():
        insert_rows(connection, entries, [{**dict.fromkeys(entries.columns.keys(), ""), "sequence": object()}])
