"""Caps, the floor, the ceiling, and what a refusal says."""

from __future__ import annotations

import pytest

from budgets.accounts import AccountView
from budgets.errors import CeilingRaised, Code, ParamError
from budgets.loss import NOTHING, Loss
from budgets.policy import MINIMUM_RHO, Caps, Debit, check_ceiling, check_minimum, refusal
from tests.budgets.books import ANN, CAPS, SHARED


@pytest.mark.parametrize("cap", [Loss(0, 10), Loss.of("0.1"), Loss.of("0.1", "1")])
def test_caps_without_rho_or_delta(cap: Loss) -> None:
    for caps in ((cap, CAPS.client), (CAPS.dataset, cap)):
        with pytest.raises(ParamError, match=r"The cap of (the dataset|a client) must have"):
            Caps(*caps)


def test_a_question_costs_at_least_the_floor() -> None:
    check_minimum([Loss.of(MINIMUM_RHO)])
    check_minimum([Loss.of("0.00005"), Loss.of("0.00005")])
    with pytest.raises(ParamError, match=r"costs at least rho 0\.0001, this one rho 0\.000099999999"):
        check_minimum([Loss(99_999_999)])


def test_a_ceiling_never_rises_and_a_clients_cap_may() -> None:
    ceiling = Loss.of("0.2", "1e-9")
    check_ceiling(SHARED, ceiling, ceiling)
    check_ceiling(SHARED, Loss.of("0.1", "1e-10"), ceiling)
    check_ceiling(ANN, Loss.of("9", "1e-3"), ceiling)
    for cap in (Loss.of("0.200000000001", "1e-9"), Loss.of("0.2", "1.1e-9")):
        with pytest.raises(CeilingRaised):
            check_ceiling(SHARED, cap, ceiling)


def test_a_debit_that_never_fits_allows_nothing_before_it() -> None:
    assert Debit(ANN, CAPS.client, Loss.of("0.3")).allowed_before[0] < 0


def test_the_clients_own_account_speaks_first_and_the_tightest_says_what_fits() -> None:
    loss = Loss.of("0.05")
    debits = (Debit(ANN, CAPS.client, loss), Debit(SHARED, CAPS.dataset, loss))
    views = (AccountView(ANN, CAPS.client, Loss.of("0.08")), AccountView(SHARED, CAPS.dataset, Loss.of("0.19")))
    refused = refusal(debits, views)
    assert refused.code is Code.BUDGET
    assert (refused.requested, refused.remaining) == (loss, Loss.of("0.02", "1e-10"))
    assert (refused.short_by, refused.would_fit) == (Loss.of("0.03"), Loss.of("0.01", "1e-10"))


def test_less_than_the_floor_is_nothing() -> None:
    loss = Loss.of("0.05")
    refused = refusal([Debit(SHARED, CAPS.dataset, loss)], [AccountView(SHARED, CAPS.dataset, Loss.of("0.19995"))])
    assert refused.code is Code.BUDGET_DATASET
    assert refused.would_fit == NOTHING
