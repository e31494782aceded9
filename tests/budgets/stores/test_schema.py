"""The database's own guards, against code that forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from budgets import Ledger, UnsafeStore
from budgets.stores.schema import APPEND_ONLY, accounts, ensure_schema, metadata
from budgets.stores.sqlite import open_sqlite
from tests.budgets.books import answer, ask


@pytest.fixture
def connection() -> Iterator[Connection]:
    store = open_sqlite(":memory:")
    answer(ledger := Ledger(store), ledger.charge(ask()))
    with store.writing() as opened:
        yield opened
    store.close()


@pytest.mark.parametrize("table", [table.name for table in APPEND_ONLY])
def test_rows_never_change_and_never_go(connection: Connection, table: str) -> None:
    column = next(iter(metadata.tables[table].columns)).name
    with pytest.raises(IntegrityError, match=f"{table}: rows never change"):
        connection.execute(text(f"UPDATE {table} SET {column} = {column}"))
    with pytest.raises(IntegrityError, match=f"{table}: rows never go"):
        connection.execute(text(f"DELETE FROM {table}"))
    with pytest.raises(IntegrityError, match=f"{table}: rows never go"):
        connection.execute(text(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))


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
    with pytest.raises(IntegrityError, match="accounts: no refund, no new name, no new ceiling"):
        connection.execute(text(f"UPDATE accounts SET {change} WHERE holder = ''"))
    with pytest.raises(IntegrityError, match="accounts: rows never go"):
        connection.execute(text("DELETE FROM accounts"))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("spent_pico_rho = ceiling_pico_rho + 1", "CHECK constraint failed"),
        ("spent_atto_delta = ceiling_atto_delta / 10 + 1", "CHECK constraint failed"),
        ("cap_pico_rho = -1", "CHECK constraint failed"),
        ("spent_pico_rho = 9223372036854775807 + 1", "cannot store REAL value in INTEGER column"),
        ("spent_pico_rho = spent_pico_rho + 0.5", "cannot store REAL value in INTEGER column"),
    ],
)
def test_balances_are_whole_and_under_the_ceiling(connection: Connection, change: str, refusal: str) -> None:
    with pytest.raises(IntegrityError, match=refusal):
        connection.execute(text(f"UPDATE accounts SET {change}"))


def test_every_table_is_guarded(connection: Connection) -> None:
    unguarded = set(metadata.tables) - {table.name for table in APPEND_ONLY} - {accounts.name, "ledger_format"}
    assert not unguarded


def test_rows_have_room_for_a_chain(connection: Connection) -> None:
    assert connection.execute(text("SELECT DISTINCT previous_hash, row_hash FROM entries")).all() == [(None, None)]


def test_a_ledger_of_another_format_is_not_touched(connection: Connection) -> None:
    connection.execute(text("UPDATE ledger_format SET version = 2"))
    with pytest.raises(UnsafeStore, match=r"This ledger has format \[2\], and this version reads format 1"):
        ensure_schema(connection)
