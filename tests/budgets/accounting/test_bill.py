"""Which accounts a charge debits, and how much."""

from __future__ import annotations

from budgets.accounting.accounts import ALL_CLIENTS, EVERYBODY, LIFETIME, OWNER
from budgets.accounting.privacy_loss import ZERO_LOSS, Loss
from budgets.accounting.records import Bill, make_bill
from tests.budgets.ledger_checks import ask, item

TEAM = ("acme", "acme/maps", "acme/maps/ann")


def debits(bill: Bill) -> dict[tuple[str, str], Loss]:
    """Debit of each holder in each window; raises AssertionError if one pays twice."""
    paid = [
        ((holder, window), debit.loss) for debit in bill.debits for holder in debit.holders for window in debit.windows
    ]
    assert len(dict(paid)) == len(paid)
    return dict(paid)


def test_a_new_release_is_charged_to_every_account_on_the_client_path() -> None:
    bill = make_bill(ask(item("aa", "0.01"), item("bb", "0.02", "1e-12"), client=TEAM[-1]), {})
    loss = Loss.rounded_up("0.03", "1e-12")
    assert bill.client_loss == loss
    assert debits(bill) == {
        **{(holder, "forever"): loss for holder in (EVERYBODY, ALL_CLIENTS, *TEAM)},
        **{(holder, LIFETIME): loss for holder in TEAM},
    }


def test_a_release_that_the_dataset_has_paid_is_charged_to_the_client_alone() -> None:
    paid = frozenset({"aa", "bb"})
    bill = make_bill(ask(item("aa"), item("bb")), {EVERYBODY: paid, ALL_CLIENTS: paid})
    assert {holder for holder, _ in debits(bill)} == {"ann"}


def test_a_group_that_has_paid_pays_no_second_time() -> None:
    aa = frozenset({"aa"})
    bill = make_bill(ask(client=TEAM[-1]), {EVERYBODY: aa, ALL_CLIENTS: aa, "acme": aa, "acme/maps": aa})
    assert {holder for holder, _ in debits(bill)} == {TEAM[-1]}


def test_a_release_that_the_client_has_paid_is_free() -> None:
    aa = frozenset({"aa"})
    bill = make_bill(ask(item("aa")), {EVERYBODY: aa, ALL_CLIENTS: aa, "ann": aa})
    assert (bill.client_loss, bill.debits) == (ZERO_LOSS, ())


def test_the_owner_pays_on_everybodys_account_alone() -> None:
    bill = make_bill(ask(client=OWNER), {})
    assert debits(bill) == {(EVERYBODY, "forever"): item().loss}
    assert bill.client_loss == item().loss


def test_every_window_pays_in_full_and_a_lifetime_their_sum() -> None:
    bill = make_bill(ask(item("aa", "0.01", windows=("2026-01", "2026-02"))), {})
    paid = debits(bill)
    assert {holder for holder, _ in paid} == {EVERYBODY, ALL_CLIENTS, "ann"}
    assert {loss for (_, window), loss in paid.items() if window != LIFETIME} == {Loss.rounded_up("0.01")}
    assert paid["ann", LIFETIME] == Loss.rounded_up("0.02")


def test_a_privacy_window_pays_only_for_releases_charged_to_it() -> None:
    january, both = item("aa", "0.01", windows=("2026-01",)), item("bb", "0.02", windows=("2026-01", "2026-02"))
    bill = make_bill(ask(january, both), {})
    losses = {"2026-01": Loss.rounded_up("0.03"), "2026-02": Loss.rounded_up("0.02")}
    shared = {(holder, window): loss for holder in (EVERYBODY, ALL_CLIENTS) for window, loss in losses.items()}
    own = {("ann", window): loss for window, loss in (losses | {LIFETIME: Loss.rounded_up("0.05")}).items()}
    assert debits(bill) == shared | own
    assert bill.client_loss == Loss.rounded_up("0.03")
