"""Who still has to pay for what."""

from __future__ import annotations

from budgets.bill import make_bill
from budgets.loss import NOTHING, Loss
from tests.budgets.books import CAPS, ask, item

NOBODY: frozenset[str] = frozenset()


def test_first_sight_of_a_release_is_paid_by_both() -> None:
    bill = make_bill(ask(item("aa", "0.01"), item("bb", "0.02", "1e-12")), NOBODY, NOBODY)
    assert bill.client_loss == Loss.of("0.03", "1e-12")
    assert {(debit.name.client, debit.loss) for debit in bill.debits} == {
        ("ann", bill.client_loss),
        (None, bill.client_loss),
    }
    assert {debit.cap for debit in bill.debits} == {CAPS.client, CAPS.dataset}


def test_what_the_dataset_has_paid_is_paid_by_the_client_alone() -> None:
    bill = make_bill(ask(item("aa"), item("bb")), NOBODY, frozenset({"aa", "bb"}))
    assert [debit.name.client for debit in bill.debits] == ["ann"]


def test_what_the_client_has_paid_is_free() -> None:
    bill = make_bill(ask(item("aa")), frozenset({"aa"}), frozenset({"aa"}))
    assert (bill.client_loss, bill.debits, bill.payments) == (NOTHING, (), ())


def test_every_window_pays_in_full() -> None:
    bill = make_bill(ask(item("aa", windows=("2026-01", "2026-02"))), NOBODY, NOBODY)
    assert [debit.name.window for debit in bill.debits] == ["2026-01", "2026-02"] * 2
    assert {debit.loss for debit in bill.debits} == {item().loss}


def test_a_window_pays_for_the_releases_that_touch_it_and_for_no_other() -> None:
    january, both = item("aa", "0.01", windows=("2026-01",)), item("bb", "0.02", windows=("2026-01", "2026-02"))
    bill = make_bill(ask(january, both), NOBODY, NOBODY)
    debits = {(debit.name.client, debit.name.window): debit.loss for debit in bill.debits}
    assert debits == {
        (owner, window): Loss.of(rho)
        for owner in ("ann", None)
        for window, rho in (("2026-01", "0.03"), ("2026-02", "0.02"))
    }
    assert bill.client_loss == Loss.of("0.03")
