"""A ledger with missing, disabled or additional triggers is not opened, and verify reports it."""

from __future__ import annotations

import pytest

from budgets import Ledger, UnsafeStore
from budgets.stores.open import open_store

TAKEN = {
    "sqlite": ["DROP TRIGGER entries_no_update"],
    "postgres": [
        "DROP TRIGGER entries_no_update ON entries",
        "ALTER TABLE entries DISABLE TRIGGER entries_no_update",
        "ALTER TABLE entries ENABLE TRIGGER entries_no_update",  # a session that replicates walks past it
    ],
}


@pytest.mark.parametrize("way", range(3))
def test_a_missing_or_disabled_trigger_is_reported(address: str, store_kind: str, way: int) -> None:
    store = open_store(address)
    with store.writing() as connection:
        connection.exec_driver_sql(TAKEN[store_kind][way % len(TAKEN[store_kind])])
    store.close()
    with pytest.raises(UnsafeStore, match="lacks guards of its rows: entries_no_update"):
        Ledger.open(address)


CHANGED = {
    "an empty trigger of the same name": (
        ["DROP TRIGGER entries_no_update", "CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT 1; END"],
        ["CREATE OR REPLACE FUNCTION empty_one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
         "DROP TRIGGER entries_no_update ON entries",
         "CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION empty_one()",
         "ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_no_update"],
        "has other guards than it was made with: entries_no_update",
    ),
    "a guard that asks for less": (
        ["DROP TRIGGER accounts_no_update",
         ("CREATE TRIGGER accounts_no_update BEFORE UPDATE ON accounts WHEN (NEW.spent_pico_rho < OLD.spent_pico_rho)"
         " BEGIN SELECT RAISE(ABORT, 'accounts: no refund, no new name, no new ceiling'); END")],
        ["DROP TRIGGER accounts_no_update ON accounts",
         ("CREATE TRIGGER accounts_no_update BEFORE UPDATE ON accounts FOR EACH ROW WHEN (NEW.spent_pico_rho < OLD.spent_pico_rho)"
         " EXECUTE FUNCTION refuse_change('no refund, no new name, no new ceiling')"),
         "ALTER TABLE accounts ENABLE ALWAYS TRIGGER accounts_no_update"],
        "has other guards than it was made with: accounts_no_update",
    ),
    "a trigger of somebody's own": (
        ["CREATE TRIGGER swallowed BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END"],
        ["CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
         "CREATE TRIGGER swallowed BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION swallow()"],
        "has triggers that it was not made with: swallowed",
    ),
    "a check that is gone": (
        ["PRAGMA writable_schema = ON",
         "UPDATE sqlite_master SET sql = replace(sql, 'CHECK (spent_pico_rho <= ceiling_pico_rho)', 'CHECK (1)') WHERE name = 'accounts'",
         "PRAGMA writable_schema = OFF"],
        ["ALTER TABLE accounts DROP CONSTRAINT {check}"],
        "has other constraints than it was made with: accounts",
    ),
    "a function that refuses nothing": (
        ["DROP TRIGGER entries_no_update", ("CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries WHEN 0 BEGIN SELECT"
         " RAISE(ABORT, 'entries: rows never change'); END")],
        ["CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"],
        "has other guards than it was made with: ",
    ),
}  # fmt: skip


NAMED = (
    "SELECT conname FROM pg_constraint WHERE strpos(pg_get_constraintdef(oid), '(spent_pico_rho <= ceiling') > 0"
    " AND connamespace = current_schema()::regnamespace"
)


@pytest.mark.parametrize("title", CHANGED)
def test_a_trigger_is_identified_by_its_text(title: str, address: str, store_kind: str) -> None:
    on_sqlite, on_postgres, wanted = CHANGED[title]
    with Ledger.open(address) as ledger:
        ledger.note("made", {}, actor="session")
        store = open_store(address)
        with store.writing() as connection:
            for statement in on_sqlite if store_kind == "sqlite" else on_postgres:
                check = connection.exec_driver_sql(NAMED).scalar_one() if "{check}" in statement else ""
                connection.exec_driver_sql(statement.replace("{check}", check))
        store.close()
        assert any(wanted in found for found in ledger.verify())
    with pytest.raises(UnsafeStore, match=wanted):
        Ledger.open(address)


def test_a_new_ledger_has_no_faults(address: str) -> None:
    for _ in range(2):
        with Ledger.open(address) as ledger:
            assert ledger.verify() == ()
