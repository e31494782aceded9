"""A reused ledger is like a new one: it has no earlier charges, and its guards work."""

from __future__ import annotations

import sqlite3

import pytest

from budgets import Ledger, Loss
from tests.budgets.ledger_checks import ANN, CAPS, answer, ask, check_books
from tests.support.ledger.blank_ledger import _connection, blank_ledger


def test_a_blank_ledger_has_no_charges_left() -> None:
    for _ in range(3):
        with blank_ledger() as ledger:
            assert ledger.accounts() == () and list(ledger.entries()) == []
            assert answer(ledger, ledger.charge(ask())) == {"aa": b"answer aa"}
            assert ledger.account(ANN, CAPS.client).spent == Loss.rounded_up("0.005")
            check_books(ledger)


def test_a_blank_ledger_equals_a_new_one() -> None:
    def contents(ledger: Ledger) -> list[list[object]]:
        with _connection(ledger) as connection:
            made = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            names = [
                name for kind, name, _ in made if kind == "table" and name != "chain_head"
            ]  # each has an id of its own
            rows = (connection.execute(f"SELECT * FROM {name}").fetchall() for name in names)
            return [made, *rows]

    with Ledger.open(":memory:") as new:
        for _ in range(2):
            with blank_ledger() as ledger:
                assert contents(ledger) == contents(new)
                ledger.charge(ask())
                assert contents(ledger) != contents(new)


def test_rows_never_go_from_it() -> None:
    for _ in range(2):
        with blank_ledger() as ledger:
            ledger.charge(ask())
            with _connection(ledger) as connection, pytest.raises(sqlite3.IntegrityError, match="rows never go"):
                connection.execute("DELETE FROM entries")
