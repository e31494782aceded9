"""A batch of charges equals one after another: the same outcomes and tables; each planted bug is found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from sqlalchemy import Connection, event

from budgets import Charge, ChargeRequest, Ledger, LedgerError, Loss, charging
from budgets.accounting.accounts import Caps, Debit, Grant
from budgets.accounting.records import Bill, make_bill, sum_debits
from budgets.stores import balances, journal, store
from budgets.stores.store import _driver_changes as driver_changes
from tests.budgets.ledger_checks import CAPS, answer, ask, check_books, item
from tests.support.ledger.blank_ledger import blank_ledger

HISTORIES = 3_000 if os.environ.get("PASSERSBY_NIGHTLY") else 12
CLIENTS = ("ann", "ben", "acme", "acme/maps", "acme/maps/ann", "acme/maps/ben")
TIGHT = Caps(
    dataset=Loss.rounded_down("0.03", "1e-9"),
    client=Loss.rounded_down("0.02", "1e-9"),
    query=Loss.rounded_down("0.008", "0"),
)
WINDOWS = (("jan",), ("feb",), ("jan", "feb"), ("static",))


@some.composite
def questions(draw: some.DrawFn) -> ChargeRequest:
    """Draw a question that may be refused, repeat another, or share releases, accounts and request ids with others."""
    keys = draw(some.lists(some.integers(0, 5), min_size=1, max_size=2, unique=True))
    made = [item(f"k{key}", ("0.001", "0.004")[key % 2], windows=WINDOWS[key % 4]) for key in keys]
    if draw(some.integers(0, 15)) == 0:
        made[0] = item(made[0].release_key, "0.002", windows=WINDOWS[0])  # a key with another price
    request = f"r{draw(some.integers(0, 5))}"
    body = draw(some.sampled_from(["one", "two"])) if draw(some.integers(0, 3)) == 0 else f"{keys}"
    caps = draw(some.sampled_from([TIGHT, TIGHT, TIGHT, CAPS]))
    return ask(*made, client=draw(some.sampled_from(CLIENTS)), request=request, body=body, caps=caps)


histories = some.lists(some.lists(questions(), min_size=1, max_size=8), min_size=1, max_size=4)


def outcome_of(outcome: object) -> object:
    """Outcome of a request, without the number of its row."""
    if isinstance(outcome, Charge):
        return outcome.loss, outcome.release_keys, outcome.to_run, dict(outcome.stored), outcome.is_repeat
    return type(outcome), str(outcome)


def charged(ledger: Ledger, request: ChargeRequest) -> object:
    try:
        return ledger.charge(request)
    except LedgerError as refusal:
        return refusal


def books(ledger: Ledger) -> tuple[object, ...]:
    """Contents of the ledger without what is random: its id, and the salts of stored results."""
    rows = {
        (e.kind, e.dataset, e.holder, e.actor, e.request_id, e.body)
        for e in ledger.entries()
        if e.kind not in ("opened", "released")
    }
    releases = {
        client: {(p.release_key, p.loss, p.windows) for p in ledger.paid_releases(client)} for client in CLIENTS
    }
    members = {(member.client, member.is_group, member.state) for member in ledger.clients()}
    return rows, set(ledger.accounts()), releases, members


def as_served(batch: Sequence[ChargeRequest]) -> list[int]:
    """Order requests as they are served: those of the same caps together."""
    groups: dict[object, list[int]] = {}
    for number, request in enumerate(batch):
        groups.setdefault(request.caps, []).append(number)
    return [number for numbers in groups.values() for number in numbers]


def check_same(one: Ledger, other: Ledger, history: Sequence[Sequence[ChargeRequest]]) -> None:
    """Charge each batch together in one ledger, and one request after another in the other."""
    for batch in history:
        together = one._charge_batch(batch) if len(batch) > 1 else [charged(one, batch[0])]
        alone = {number: charged(other, batch[number]) for number in as_served(batch)}
        assert [outcome_of(each) for each in together] == [outcome_of(alone[number]) for number in range(len(batch))]
        for ledger, outcome in ((one, together[0]), (other, alone[0])):
            if isinstance(outcome, Charge) and not outcome.is_repeat:
                answer(ledger, outcome)
    check_books(one)


@settings(
    max_examples=HISTORIES,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(histories)
def test_a_batch_equals_charges_one_after_another(history: list[list[ChargeRequest]]) -> None:
    with blank_ledger() as one, blank_ledger() as other:
        check_same(one, other, history)
        assert books(one) == books(other)


def warmed(ledger: Ledger, clients: int) -> None:
    """Register some clients and open their accounts."""
    for number in range(clients):
        ledger.charge(ask(item(f"first {number}", "0.0001"), client=f"client {number}", request="first"))


def crowd(clients: int, rho: str = "0.001", request: str = "r") -> list[ChargeRequest]:
    return [ask(item(f"{request} {n}", rho), client=f"client {n}", request=request) for n in range(clients)]


@contextmanager
def statements_of(ledger: Ledger) -> Iterator[list[str]]:
    said: list[str] = []

    def note(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
        said.append(statement)

    def changes(driver: Any, text: str, rows: Any) -> int:
        said.append(text)
        return driver_changes(driver, text, rows)

    event.listen(ledger._store.writer, "before_cursor_execute", note)
    with patch.object(store, "_driver_changes", changes):
        yield said
    event.remove(ledger._store.writer, "before_cursor_execute", note)


def test_the_number_of_sql_statements_is_independent_of_the_batch_size(ledger: Ledger) -> None:
    warmed(ledger, 20)
    counts = []
    for many in (2, 20):
        with statements_of(ledger) as said:
            assert all(isinstance(each, Charge) for each in ledger._charge_batch(crowd(many, request=f"of {many}")))
        counts.append(len(said))
    assert counts[0] == counts[1] <= 21
    check_books(ledger)


def test_a_refused_charge_affects_no_other_of_its_batch(ledger: Ledger) -> None:
    warmed(ledger, 9)
    batch = crowd(9)
    batch[4] = ask(item("r 4", "0.15"), client="client 4", request="r")  # above the client's cap
    outcomes = ledger._charge_batch(batch)
    assert [type(each).__name__ for each in outcomes] == ["Charge"] * 4 + ["BudgetRefused"] + ["Charge"] * 4
    assert {entry.holder for entry in ledger.entries() if entry.request_id == "r"} == {
        f"client {n}" for n in range(9) if n != 4
    }
    check_books(ledger)


def test_as_many_of_a_batch_as_fit_are_accepted(ledger: Ledger) -> None:
    warmed(ledger, 16)
    outcomes = ledger._charge_batch(crowd(16, "0.017"))  # the dataset has 0.2, of which 0.0016 is spent
    assert sum(isinstance(each, Charge) for each in outcomes) == 11
    check_books(ledger)


def twice_in_one_batch() -> list[ChargeRequest]:
    """Two requests under one request id, and one more."""
    twice = ask(item("one"), client="client 0", request="r")
    return [twice, twice, ask(item("other"), client="client 1", request="r")]


def test_a_client_with_two_equal_requests_in_one_batch_pays_once(ledger: Ledger) -> None:
    warmed(ledger, 2)
    first, again, beside = ledger._charge_batch(twice_in_one_batch())
    assert isinstance(first, Charge) and isinstance(again, Charge) and isinstance(beside, Charge)
    assert (first.id, first.is_repeat, again.is_repeat, beside.is_repeat) == (again.id, False, True, False)
    check_books(ledger)


# ---------------------------------------------------------------- planted bugs


def test_one_request_id_taken_for_two_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed(ledger, 2)
    monkeypatch.setattr(charging, "_check_batchable", lambda *_: None)
    with pytest.raises(LedgerError):
        ledger._charge_batch(twice_in_one_batch())


def test_a_release_paid_twice_in_one_batch_is_stopped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second to ask for the same release does not see that the dataset pays for it in this batch already."""
    warmed(ledger, 2)
    batch = [ask(item("same"), client=f"client {n}", request="r") for n in range(2)]
    kept = make_bill
    monkeypatch.setattr(charging, "make_bill", lambda request, paid: kept(request, {}))
    with pytest.raises(LedgerError):
        ledger._charge_batch(batch)
    monkeypatch.undo()
    ledger._charge_batch(batch)
    check_books(ledger)


def test_a_sum_that_forgets_the_second_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed(ledger, 3)

    def first(bills: Sequence[Bill]) -> tuple[Debit, ...]:
        whole = sum_debits(bills[:1])
        return (*whole, *(debit for debit in sum_debits(bills) if debit.holders[0].startswith("client")))

    monkeypatch.setattr(balances, "sum_debits", first)
    ledger._charge_batch(crowd(3))
    with pytest.raises(AssertionError, match="does not add up"):
        check_books(ledger)


def test_a_count_that_is_not_compared_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a batch is reported as debited though one account was short."""
    warmed(ledger, 3)
    kept = balances.debit_all

    def believed(connection: Connection, bills: Sequence[Bill], grants: Sequence[Grant]) -> bool:
        return kept(connection, bills, grants) or len(bills) > 1

    monkeypatch.setattr(balances, "debit_all", believed)
    batch = crowd(3)
    batch[1] = ask(item("r 1", "0.15"), client="client 1", request="r")
    ledger._charge_batch(batch)
    with pytest.raises(AssertionError, match="does not add up"):
        check_books(ledger)


def test_a_repeat_charged_anew_is_stopped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed(ledger, 2)
    ledger._charge_batch(crowd(2))

    def nothing(connection: Connection, requests: Sequence[ChargeRequest]) -> Mapping[tuple[str, str], Any]:
        return {}

    monkeypatch.setattr(journal, "find_charges", nothing)
    with pytest.raises(LedgerError):
        ledger._charge_batch(crowd(2))
    monkeypatch.undo()
    check_books(ledger)


def test_a_refused_charge_that_leaves_accounts_open_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a savepoint of its own, what a refused first charge opened stays."""
    monkeypatch.setattr(Connection, "begin_nested", _no_savepoint)
    first, second = ask(item("aa"), client="ann"), ask(item("bb", "0.15"), client="ben")
    with Ledger.open(":memory:") as ledger:
        ledger._charge_batch([first, second])
        with pytest.raises(AssertionError, match="an account without a debit"):
            check_books(ledger)


def _no_savepoint(connection: Connection) -> Any:
    class Nothing:
        def __enter__(self) -> None:
            return None

        def __exit__(self, *raised: object) -> None:
            return None

        def rollback(self) -> None:
            return None

        commit = rollback

    return Nothing()
