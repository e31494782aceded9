"""Each check is shown to catch the bug it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Connection, Table, bindparam, insert, select, update

from budgets import Ledger, LedgerUnavailable, Loss
from budgets.bill import Bill
from budgets.policy import Debit
from budgets.stores import balances, journal, sqlite
from budgets.stores.opening import open_store
from budgets.stores.schema import accounts, charges
from budgets.stores.store import _INSERTS, insert_new
from tests.budgets.books import (
    answer,
    ask,
    check_books,
    check_one_result,
    check_request_ids_are_the_clients,
    check_rounding_up,
    item,
)

DROP_CHECKS = """DO $$DECLARE each name;
BEGIN
    FOR each IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'accounts'::regclass LOOP
        EXECUTE 'ALTER TABLE accounts DROP CONSTRAINT ' || each;
    END LOOP;
END$$"""
UNGUARDED = {
    "sqlite": (
        "PRAGMA ignore_check_constraints = ON",
        *(f"DROP TRIGGER {table}_no_{change}" for table in ("releases", "accounts") for change in ("update", "delete")),
    ),
    "postgres": (
        DROP_CHECKS,
        *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("releases", "accounts")),
    ),
}


@pytest.fixture
def unguarded(store_kind: str, address: str) -> Iterator[Ledger]:
    """Open a ledger whose database guards nothing: the checks alone must find the bug."""
    store = open_store(address)
    with store.writing() as connection:
        for statement in UNGUARDED[store_kind]:
            connection.exec_driver_sql(statement)
    yield Ledger(store)
    store.close()


def overspend(ledger: Ledger) -> None:
    for number in range(3):
        ledger.charge(ask(item(f"key {number}", "0.04"), request=f"r{number}"))


def debit_without_looking(connection: Connection, debits: tuple[Debit, ...]) -> None:
    statement = update(accounts).where(
        accounts.c.dataset == bindparam("of_dataset"),
        accounts.c.window_name == bindparam("of_window"),
        accounts.c.holder == bindparam("of_holder"),
    )
    statement = statement.values(spent_pico_rho=accounts.c.spent_pico_rho + bindparam("more_pico_rho"))
    kept = ("of_dataset", "of_window", "of_holder", "more_pico_rho")
    rows = [balances._debit_row(debit) for debit in debits]
    connection.execute(statement, [{name: row[name] for name in kept} for row in rows])


def test_a_debit_before_the_check_is_stopped_by_the_database(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balances, "debit_all", debit_without_looking)
    with pytest.raises(LedgerUnavailable):
        overspend(ledger)
    check_books(ledger)


def test_a_debit_before_the_check_is_found(unguarded: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balances, "debit_all", debit_without_looking)
    overspend(unguarded)
    with pytest.raises(AssertionError, match="over its cap"):
        check_books(unguarded)


def test_a_debit_of_some_accounts_only_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    debit_all = balances.debit_all
    monkeypatch.setattr(balances, "debit_all", lambda connection, debits: debit_all(connection, debits[:1]))
    ledger.charge(ask())
    with pytest.raises(AssertionError, match="does not add up"):
        check_books(ledger)


def test_a_forgotten_dataset_account_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    payments: Callable[[Bill], Any] = Bill.payments.fget  # type: ignore[attr-defined]
    mine = property(lambda bill: tuple(pair for pair in payments(bill) if pair[0].client is not None))
    monkeypatch.setattr(Bill, "payments", mine)
    ledger.charge(ask())
    with pytest.raises(AssertionError, match="without paying"):
        check_books(ledger)


def test_a_forgotten_second_client_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bill = Bill.__init__
    answer(ledger, ledger.charge(ask()))

    def only_what_the_dataset_pays(bill: Bill, request: Any, by_client: Any, by_dataset: Any) -> None:
        make_bill(bill, request, by_dataset, by_dataset)

    monkeypatch.setattr(Bill, "__init__", only_what_the_dataset_pays)
    charge = ledger.charge(ask(client="ben"))
    assert charge.stored  # ben was given it
    with pytest.raises(AssertionError):
        assert ledger.replay("ben", "operator", charge.keys).keys() == charge.stored.keys()


def test_a_forgotten_purchase_is_found(unguarded: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: frozenset[str] = frozenset()
    read_paid = journal.read_paid
    monkeypatch.setattr(journal, "read_paid", lambda *asked: (nothing, read_paid(*asked)[1]))
    monkeypatch.setattr(journal, "_write_purchases", _ignoring_what_is_there)
    unguarded.charge(ask())
    unguarded.charge(ask(request="r2"))
    with pytest.raises(AssertionError, match="paid twice"):
        check_books(unguarded)


def _ignoring_what_is_there(connection: Connection, request: Any, charge: int, client: str | None, items: Any) -> None:
    for each in items:
        row = {"dataset": request.dataset, "holder": client or "", "charge_id": charge, "release_key": each.release_key}
        insert_new(connection, journal.purchases, row)


def test_a_forgotten_purchase_is_stopped_by_the_database(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: frozenset[str] = frozenset()
    monkeypatch.setattr(journal, "read_paid", lambda *asked: (nothing, nothing))
    ledger.charge(ask())
    with pytest.raises(LedgerUnavailable):
        ledger.charge(ask(request="r2"))
    check_books(ledger)


def last_result_wins(connection: Connection, table: Table, row: dict[str, object]) -> bool:
    insert = _INSERTS[connection.dialect.name](table).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=row))
    return True


def replacing(connection: Connection, table: Table, row: dict[str, object]) -> bool:
    connection.execute(insert(table).prefix_with("OR REPLACE").values(row))
    return True


def test_a_second_result_is_stopped_by_the_database(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "insert_new", last_result_wins)
    with pytest.raises(LedgerUnavailable):
        check_one_result(ledger)


def test_a_second_result_is_found(unguarded: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "insert_new", last_result_wins)
    with pytest.raises(AssertionError):
        check_one_result(unguarded)


def test_request_ids_shared_by_clients_are_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(connection: Connection, client: str, request_id: str) -> Any:
        return connection.execute(select(charges).where(charges.c.request_id == request_id)).first()

    monkeypatch.setattr(journal, "find_charge", find)
    with pytest.raises(Exception, match="was used for another question"):
        check_request_ids_are_the_clients(ledger)


def test_rounding_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Fraction(1, 3)
    check_rounding_up(third, third)
    monkeypatch.setattr(Loss, "of", Loss.within)
    with pytest.raises(AssertionError):
        check_rounding_up(third, third)


def test_a_trigger_that_replace_walks_past_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without recursive triggers SQLite replaces a row and fires no DELETE trigger."""
    monkeypatch.setattr(sqlite, "PRAGMAS", tuple(each for each in sqlite.PRAGMAS if "recursive" not in each))
    monkeypatch.setattr(journal, "insert_new", replacing)
    with Ledger.open(":memory:") as ledger, pytest.raises(AssertionError):
        check_one_result(ledger)
