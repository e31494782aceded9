"""The cap of each debit: for a batch, the same as for each charge alone."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as some

from budgets import LIFETIME, AccountName, Caps, Grant, Loss
from budgets.accounting.accounts import EACH_WINDOW, effective_cap
from budgets.accounting.records import Bill, make_bill, sum_debits
from budgets.stores.balances import _debit_rows
from tests.budgets.ledger_checks import ask, item

ASKERS = ("ann", "acme/ben", "acme/maps/cid", "acme/maps/dora")
HOLDERS = (*ASKERS, "acme", "acme/maps")
CAPS = Caps(
    Loss.rounded_down("0.2", "1e-9"), Loss.rounded_down("0.1", "1e-9"), static=Loss.rounded_down("0.05", "1e-9")
)
WINDOWS = ("jan", "static", "feb")
grants = some.lists(
    some.builds(
        Grant,
        some.just("operator"),
        some.sampled_from(HOLDERS),
        some.sampled_from([EACH_WINDOW, LIFETIME, *WINDOWS]),
        some.sampled_from([Loss.rounded_down("0.03", "1e-9"), Loss.rounded_down("0.3", "1e-9")]),
        some.integers(1, 5),
    ),
    unique_by=(lambda grant: grant.sequence, lambda grant: (grant.holder, grant.scope)),
    max_size=4,
)
asked = some.lists(some.sampled_from(ASKERS), min_size=1, unique=True)
windows = some.lists(some.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True)


def bills(clients: Sequence[str], windows: Sequence[str]) -> list[Bill]:
    return [make_bill(ask(item(client, windows=windows), client=client, caps=CAPS), {}) for client in clients]


def caps_of(made: Sequence[Bill], given: Sequence[Grant]) -> dict[tuple[str, str], tuple[object, object]]:
    """Cap under which each account is debited; raises AssertionError for one that is debited twice."""
    rows = [row for debit in sum_debits(made) for row in _debit_rows(made, given, debit)]
    named = [
        ((holder, window), (row["todays_pico_rho"], row["todays_atto_delta"]))
        for row in rows
        for holder in HOLDERS + ("", "*")
        for window in (*WINDOWS, LIFETIME)
        if holder in row["of_holders"] and window in row["of_windows"]
    ]
    assert len(dict(named)) == len(named)
    return dict(named)


def one_by_one(made: Sequence[Bill], given: Sequence[Grant]) -> dict[tuple[str, str], tuple[object, object]]:
    found = {}
    for bill in made:
        for debit in bill.debits:
            for holder in debit.holders:
                for window in debit.windows:
                    name = AccountName("operator", window, holder)
                    cap = effective_cap(CAPS.cap_of(name, bill.request.client), given, name)
                    found[holder, window] = (cap.pico_rho, cap.atto_delta)
    return found


@given(asked, windows, grants)
def test_a_batch_is_debited_under_the_caps_of_each_charge(
    clients: list[str], windows: list[str], given: list[Grant]
) -> None:
    made = bills(clients, windows)
    assert caps_of(made, given) == one_by_one(made, given)


def test_a_grant_that_is_forgotten_among_many_is_found() -> None:
    made, mine = bills(ASKERS, ("jan",)), Grant("operator", "ann", "jan", Loss.rounded_down("0.03", "1e-9"), 1)
    assert caps_of(made, ()) != one_by_one(made, [mine])
