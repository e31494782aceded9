"""Each check of the ledger catches its planted bug."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Connection, Integer, Table, bindparam, insert, select, update

from budgets import (
    EVERYBODY,
    AccountName,
    BudgetRefused,
    Caps,
    CeilingRaised,
    ChargeRequest,
    Ledger,
    LedgerUnavailable,
    Loss,
    PricedRelease,
    charging,
)
from budgets import ledger as ledger_module
from budgets.accounting.accounts import LIFETIME, STATIC_WINDOW, Debit, Grant, check_ceiling
from budgets.accounting.records import Bill, StoredRelease, make_bill, sum_debits
from budgets.stores import balances, client_tables, journal, sqlite
from budgets.stores.journal import make_purchase_rows
from budgets.stores.open import open_store
from budgets.stores.schema import accounts, charges
from budgets.stores.store import _INSERTS
from tests.budgets.ledger_checks import (
    CAPS,
    answer,
    ask,
    check_books,
    check_one_result,
    check_repeats_are_free,
    check_request_ids_are_the_clients,
    check_rounding_up,
    item,
)
from tests.support.planted import Plant, instead

DROP_CHECKS = """DO $$DECLARE each name;
BEGIN
    FOR each IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'accounts'::regclass LOOP
        EXECUTE 'ALTER TABLE accounts DROP CONSTRAINT ' || each;
    END LOOP;
END$$"""
UNITS = ("pico_rho", "atto_delta")
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
    """Open a ledger whose database has no triggers: the checks alone must find the bug."""
    store = open_store(address)
    with store.writing() as connection:
        for statement in UNGUARDED[store_kind]:
            connection.exec_driver_sql(statement)
    yield Ledger(store)
    store.close()


def overspend(ledger: Ledger) -> None:
    for number in range(3):
        ledger.charge(ask(item(f"key {number}", "0.04"), request=f"r{number}"))


def debit_without_looking(connection: Connection, bills: Sequence[Bill], grants: Sequence[Grant]) -> bool:
    statement = update(accounts).where(*balances._IN_DEBIT)
    for debit in sum_debits(bills):
        raised = statement.values(spent_pico_rho=accounts.c.spent_pico_rho + debit.loss.pico_rho)
        changed = connection.execute(raised, balances._debit_parameters(bills[0].request.dataset, debit)).rowcount
    return bool(changed)


def spend_delta(ledger: Ledger) -> None:
    """Request little rho, and more delta than a client's thresholds may cost together."""
    for number in range(3):
        ledger.charge(ask(item(f"key {number}", "0.001", "4e-11"), request=f"r{number}"))


def debit_any_delta(plant: pytest.MonkeyPatch) -> None:
    """Debit if rho fits, without a check of delta."""
    columns = accounts.c
    caps = (
        columns.cap_pico_rho == bindparam("todays_pico_rho"),
        columns.cap_atto_delta == bindparam("todays_atto_delta"),
    )
    fits = columns.spent_pico_rho <= columns.cap_pico_rho - bindparam("more_pico_rho")
    spent = {columns[f"spent_{unit}"]: columns[f"spent_{unit}"] + bindparam(f"more_{unit}") for unit in UNITS}
    plant.setattr(balances, "_DEBIT", update(accounts).where(*balances._IN_DEBIT, *caps, fits).values(spent))


def test_a_charge_over_the_delta_cap_is_refused(ledger: Ledger) -> None:
    with pytest.raises(BudgetRefused):
        spend_delta(ledger)
    check_books(ledger)


def test_an_unchecked_delta_debit_is_stopped_by_the_database(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    debit_any_delta(monkeypatch)
    with pytest.raises(LedgerUnavailable):
        spend_delta(ledger)
    check_books(ledger)


def test_an_unchecked_delta_debit_is_found(unguarded: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    debit_any_delta(monkeypatch)
    spend_delta(unguarded)
    with pytest.raises(AssertionError, match="over its cap"):
        check_books(unguarded)


def debiting(change: Callable[[tuple[Debit, ...]], Iterable[Debit]]) -> Callable[[Sequence[Bill]], tuple[Debit, ...]]:
    """Planted: debit something other than the bill."""
    return lambda bills: tuple(change(sum_debits(bills)))


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


@pytest.mark.parametrize("holder", ["", "*", "acme", "acme/maps", "acme/maps/ann"])
def test_a_debit_of_some_accounts_only_is_found(ledger: Ledger, holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def others(debits: tuple[Debit, ...]) -> Iterator[Debit]:
        for debit in debits:
            yield replace(debit, holders=tuple(each for each in debit.holders if each != holder))

    monkeypatch.setattr(balances, "sum_debits", debiting(others))
    ledger.charge(ask(client="acme/maps/ann"))
    with pytest.raises(AssertionError, match="does not add up"):
        check_books(ledger)


def test_a_forgotten_lifetime_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        balances, "sum_debits", debiting(lambda debits: [d for d in debits if d.windows != (LIFETIME,)])
    )
    ledger.charge(ask())
    with pytest.raises(AssertionError, match="over all windows of dataset 'operator' does not add up"):
        check_books(ledger)


def paying(change: Callable[[str, tuple[PricedRelease, ...]], tuple[PricedRelease, ...]]) -> Callable[..., Bill]:
    """Planted: bills in which some holders pay something else."""

    def made(request: ChargeRequest, paid: dict[str, set[str]]) -> Bill:
        bill = make_bill(request, paid)
        return Bill(request, {holder: change(holder, items) for holder, items in bill.unpaid.items()})

    return made


@pytest.mark.parametrize("holder", ["", "*", "acme", "acme/maps"])
def test_a_forgotten_account_is_found(ledger: Ledger, holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "make_bill", paying(lambda each, items: () if each == holder else items))
    ledger.charge(ask(client="acme/maps/ann"))
    with pytest.raises(AssertionError, match="without paying"):
        check_books(ledger)


def test_a_forgotten_second_client_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(ledger, ledger.charge(ask()))
    monkeypatch.setattr(charging, "make_bill", paying(lambda each, items: () if each == "ben" else items))
    charge = ledger.charge(ask(client="ben"))
    assert charge.stored  # ben was given it
    with pytest.raises(AssertionError):
        assert ledger.replay("ben", "operator", charge.release_keys).keys() == charge.stored.keys()


def forgetting(*holders: str) -> Callable[[Connection, ChargeRequest], dict[str, set[str]]]:
    """Planted: payments are read without those of some holders."""
    read_paid = journal.read_paid
    return lambda *asked: {holder: keys for holder, keys in read_paid(*asked).items() if holder not in holders}


ANN, BEN = "acme/maps/ann", "acme/maps/ben"


@pytest.mark.parametrize("holder", ["acme", "acme/maps", ANN])
def test_a_holder_that_pays_twice_is_found(unguarded: Ledger, holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "read_paid", forgetting(holder))
    monkeypatch.setattr(journal, "make_purchase_rows", _ignoring_what_is_there)
    unguarded.charge(ask(client=ANN))
    unguarded.charge(ask(client=ANN if holder == ANN else BEN, request="r2"))
    with pytest.raises(AssertionError, match="paid twice"):
        check_books(unguarded)


def _ignoring_what_is_there(charge: int, bill: Bill) -> Iterator[dict[str, object]]:
    """Planted: only a client's first purchases are written."""
    return make_purchase_rows(charge, bill) if bill.request.request_id == "r1" else iter(())


@pytest.mark.parametrize("holder", ["", "*", "acme", "acme/maps", ANN])
def test_a_second_payment_is_stopped_by_the_database(
    ledger: Ledger, holder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "read_paid", forgetting(holder))
    ledger.charge(ask(client=ANN))
    with pytest.raises(LedgerUnavailable):
        ledger.charge(ask(client=ANN if holder == ANN else BEN, request="r2"))
    monkeypatch.undo()
    check_books(ledger)


def check_granted_cap(ledger: Ledger) -> None:
    """Cap a group below what the catalog gives its clients; the row's own cap must decide."""
    ledger.cap_client("acme", "operator", Loss.rounded_up("0.03", "1e-9"), actor="eve", reason="a trial")
    ledger.charge(ask(item("aa", "0.02"), client=ANN))
    with pytest.raises(BudgetRefused, match="client 'acme' for window"):
        ledger.charge(ask(item("bb", "0.02"), client=BEN, request="r2"))


def test_using_the_cap_of_the_request_instead_of_the_ledger_is_found(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_request = update(accounts).where(*balances._IN_DEBIT)
    cap = CAPS.client.pico_rho - bindparam("more_pico_rho")
    spent = {"spent_pico_rho": accounts.c.spent_pico_rho + bindparam("more_pico_rho")}
    used = [bindparam(name, type_=Integer) >= 0 for name in ("todays_pico_rho", "todays_atto_delta", "more_atto_delta")]
    fits = of_request.where(accounts.c.spent_pico_rho <= cap, *used)
    monkeypatch.setattr(balances, "_DEBIT", fits.values(spent))
    with pytest.raises((pytest.fail.Exception, LedgerUnavailable)):
        check_granted_cap(ledger)


def test_a_grant_that_is_not_read_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_tables, "read_grants", lambda *asked: ())
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_granted_cap(ledger)


def lower(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.05")))
    ledger.cap_client("ann", "operator", Loss.rounded_up("0.02", "1e-9"), actor="eve", reason="less")
    with suppress(BudgetRefused):
        ledger.charge(ask(item("bb", "0.01"), request="r2"))


def remove_and_add(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.05")))
    ledger.remove_client("ann", actor="eve", reason="left")
    ledger.add_client("ann", actor="eve", reason="back")


def renewing(module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a function of the stores gives a client's budget back in passing."""
    kept = getattr(module, name)

    def renewed(connection: Connection, *given: Any, **named: Any) -> Any:
        connection.execute(update(accounts).where(accounts.c.holder == "ann").values(spent_pico_rho=0))
        return kept(connection, *given, **named)

    monkeypatch.setattr(module, name, renewed)


RENEWALS = [
    (balances, "set_caps", lower),
    (client_tables, "remove_client", remove_and_add),
    (client_tables, "add_client", remove_and_add),
]


@pytest.mark.parametrize(("module", "name", "history"), RENEWALS)
def test_a_renewed_account_is_stopped_by_the_database(
    ledger: Ledger, module: ModuleType, name: str, history: Callable[[Ledger], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewing(module, name, monkeypatch)
    with pytest.raises(LedgerUnavailable):
        history(ledger)
    assert ledger.verify() == ()


@pytest.mark.parametrize(("module", "name", "history"), RENEWALS)
def test_a_renewed_account_is_found(
    unguarded: Ledger, module: ModuleType, name: str, history: Callable[[Ledger], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    renewing(module, name, monkeypatch)
    history(unguarded)
    assert any(found.startswith("accounts: spent_pico_rho") for found in unguarded.verify())
    with pytest.raises(AssertionError, match="does not add up"):
        check_books(unguarded)


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
    def find(connection: Connection, requests: Sequence[ChargeRequest]) -> dict[tuple[str, str], Any]:
        names = {request.request_id: request.client for request in requests}
        rows = connection.execute(select(charges).where(charges.c.request_id.in_(names)))
        return {(names[row.request_id], row.request_id): row for row in rows}

    monkeypatch.setattr(journal, "find_charges", find)
    with pytest.raises(Exception, match="was used for another question"):
        check_request_ids_are_the_clients(ledger)


def test_a_repeat_that_nobody_paid_for_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(connection: Connection, client: str, dataset: str, keys: Sequence[str]) -> dict[str, Any]:
        del client
        stored = journal.read_releases(connection, dataset, keys)
        return {key: StoredRelease(key, payload, "") for key, payload in stored.items()}

    monkeypatch.setattr(journal, "read_replay", read)
    with pytest.raises(AssertionError, match="who has not paid"):
        check_repeats_are_free(ledger)


def test_a_row_for_each_repeat_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    count = Ledger.count_repeat

    def writes(books: Ledger, client: str, dataset: str) -> None:
        count(books, client, dataset)
        books.write_repeats(all_hours=True)

    monkeypatch.setattr(Ledger, "count_repeat", writes)
    with pytest.raises(AssertionError, match="a repeat wrote something"):
        check_repeats_are_free(ledger)


def test_rounding_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Fraction(1, 3)
    check_rounding_up(third, third)
    monkeypatch.setattr(Loss, "rounded_up", Loss.rounded_down)
    with pytest.raises(AssertionError):
        check_rounding_up(third, third)


def test_a_trigger_bypassed_by_replace_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without recursive triggers SQLite replaces a row and fires no DELETE trigger."""
    monkeypatch.setattr(sqlite, "PRAGMAS", tuple(each for each in sqlite.PRAGMAS if "recursive" not in each))
    monkeypatch.setattr(journal, "insert_new", replacing)
    with Ledger.open(":memory:") as ledger, pytest.raises(AssertionError):
        check_one_result(ledger)


WINDOWS = ("2026-10", STATIC_WINDOW)


def capped(rho: str = "0.2", delta: str = "1e-9", static_rho: str = "0.05", static_delta: str = "1e-10") -> Caps:
    static = Loss.rounded_up(static_rho, static_delta)
    return Caps(Loss.rounded_up(rho, delta), Loss.rounded_up("0.15", "1e-9"), static=static)


FIRST, LOWER = capped(), capped("0.1", "1e-10", "0.04", "1e-11")
RAISED = {
    "rho": capped(rho="0.200000000001"),
    "delta": capped(delta="1.000000001e-9"),
    "static rho": capped(static_rho="0.050000000001"),
    "static delta": capped(static_delta="1.000000001e-10"),
}


def check_permanent_ceiling(ledger: Ledger) -> None:
    """Lower the ceilings, raise each of them at an opening and at a charge, and spend what the first ones allow."""
    ledger.charge(ask(item("aa", "0.01", windows=WINDOWS), caps=FIRST))
    ledger.charge(ask(item("bb", "0.01", windows=WINDOWS), request="r2", caps=LOWER))
    for name, raised in RAISED.items():
        with pytest.raises(CeilingRaised):
            ledger.check_caps("operator", WINDOWS, raised)
        with pytest.raises(CeilingRaised):
            ledger.charge(ask(item(name, "0.001", windows=WINDOWS), request=name, client="ben", caps=raised))
    ledger.check_caps("operator", WINDOWS, FIRST)
    ledger.charge(ask(item("cc", "0.03", windows=WINDOWS), request="r3", caps=FIRST))
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("dd", "0.001", windows=WINDOWS), request="r4", client="ben", caps=FIRST))
    check_first_ceilings(ledger)


def check_first_ceilings(ledger: Ledger) -> None:
    """Read the ceilings and what was spent below them as they are stored."""
    with ledger._store.reading() as connection:
        rows = connection.execute(select(accounts).where(accounts.c.holder == EVERYBODY)).all()
    stored = {row.window_name: Loss(row.ceiling_pico_rho, row.ceiling_atto_delta) for row in rows}
    assert stored == {window: FIRST.ceiling(window) for window in WINDOWS}, "the ceiling is not the first one"
    assert all(Loss(row.spent_pico_rho, row.spent_atto_delta).fits_in(stored[row.window_name]) for row in rows)


def test_the_ceiling_of_a_window_is_its_first_cap_whatever_later_catalogs_ask(ledger: Ledger) -> None:
    check_permanent_ceiling(ledger)
    check_books(ledger)


def check_parts(*parts: str) -> Callable[[AccountName, Loss, Loss], None]:
    """Planted: some components of a cap are compared with the ceiling, and the others are not."""

    def check(name: AccountName, cap: Loss, ceiling: Loss) -> None:
        compared = Loss(*(getattr(cap if part in parts else ceiling, part) for part in UNITS))
        check_ceiling(name, compared, ceiling)

    return check


RAISES: dict[str, Plant] = {
    "no check at a charge": instead(balances, "check_ceiling", check_parts()),
    "no check at opening": instead(ledger_module, "check_ceiling", check_parts()),
    "rho alone is compared": instead(ledger_module, "check_ceiling", check_parts("pico_rho")),
    "delta alone is compared": instead(ledger_module, "check_ceiling", check_parts("atto_delta")),
    "rho alone is compared at a charge": instead(balances, "check_ceiling", check_parts("pico_rho")),
    "delta alone is compared at a charge": instead(balances, "check_ceiling", check_parts("atto_delta")),
    "one ceiling for all windows": instead(Caps, "ceiling", lambda caps, _: caps.dataset),
}


@pytest.mark.parametrize("bug", RAISES)
def test_a_ceiling_that_rises_is_found(unguarded: Ledger, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    RAISES[bug](monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_permanent_ceiling(unguarded)


def test_a_ceiling_that_rises_is_stopped_by_the_database(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    RAISES["no check at a charge"](monkeypatch)
    with pytest.raises(LedgerUnavailable):
        check_permanent_ceiling(ledger)
    monkeypatch.undo()
    check_first_ceilings(ledger)
