"""Caps, the floor, the ceiling, and the text of refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from budgets.accounting.accounts import LIFETIME, UNCAPPED, AccountName, AccountView
from budgets.accounting.holders import ALL_CLIENTS, EVERYBODY
from budgets.accounting.loss import NOTHING, Loss
from budgets.accounting.policy import (
    EACH_WINDOW,
    MINIMUM_RHO,
    PER_QUERY,
    STATIC,
    Caps,
    Grant,
    check_ceiling,
    check_minimum,
    check_query,
    granted,
    query_limits,
    refusal,
)
from budgets.errors import BudgetRefused, CeilingRaised, Code, ParamError
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


def test_caps_of_the_tree() -> None:
    reserve, static, lifetime = Loss.of("0.05"), Loss.of("0.08", "1e-9"), Loss.of("0.3", "1e-9")
    caps = Caps(CAPS.dataset, CAPS.client, reserve, static, lifetime=lifetime)

    def cap(holder: str, window: str = "2026-01", client: str = "acme/ann") -> Loss:
        return caps.of(AccountName("operator", window, holder), client)

    assert (cap(EVERYBODY), cap(ALL_CLIENTS)) == (CAPS.dataset, Loss.of("0.15", "1e-9"))
    assert (cap("acme"), cap("acme/ann")) == (CAPS.dataset, CAPS.client)
    assert (cap(EVERYBODY, STATIC), cap(ALL_CLIENTS, STATIC)) == (static, Loss.of("0.03", "1e-9"))
    assert (cap("acme", STATIC), cap("acme/ann", STATIC)) == (static, static)
    assert (cap("acme", LIFETIME), cap("acme/ann", LIFETIME)) == (UNCAPPED, lifetime)
    with pytest.raises(ParamError, match="beside the owner's reserve"):
        Caps(CAPS.dataset, CAPS.client, reserve=CAPS.dataset)


def test_what_was_granted_last_holds() -> None:
    january = AccountName("operator", "2026-01", "ann")
    low, high = Loss.of("0.01", "1e-9"), Loss.of("0.15", "1e-9")
    each, alone = (
        Grant("operator", "ann", scope, cap, at) for scope, cap, at in ((EACH_WINDOW, low, 7), ("2026-01", high, 9))
    )
    of_ben, lifetime = Grant("operator", "ben", EACH_WINDOW, high, 20), Grant("operator", "ann", LIFETIME, high, 21)
    assert granted(CAPS.client, [], january) == CAPS.client
    assert granted(CAPS.client, [each, of_ben, lifetime], january) == low
    assert granted(CAPS.client, [each, alone], january) == high
    assert granted(CAPS.client, [replace(each, sequence=10), alone], january) == low
    assert granted(UNCAPPED, [each, lifetime], AccountName("operator", LIFETIME, "ann")) == high


def test_one_question_has_a_most_of_its_own() -> None:
    caps = Caps(CAPS.dataset, CAPS.client, query=Loss.of("0.02", "1e-12"))

    def fits() -> Loss:
        return Loss.of("0.01")

    check_query(Loss.of("0.02", "1e-12"), query_limits(caps, []), "ann", fits)
    with pytest.raises(BudgetRefused, match=r"one question of client 'ann' has rho 0\.02 left: short by rho 0\.01"):
        check_query(Loss.of("0.03"), query_limits(caps, []), "ann", fits)
    grant = Grant("operator", "acme", PER_QUERY, Loss.of("0.01", "1e-9"), 3)
    with pytest.raises(BudgetRefused, match=r"at most rho 0\.01 fits"):
        check_query(Loss.of("0.02"), query_limits(caps, [grant]), "acme/ann", fits)


def test_the_clients_own_account_speaks_first() -> None:
    loss, fits = Loss.of("0.05"), Loss.of("0.01", "1e-10")
    views = (AccountView(ANN, CAPS.client, Loss.of("0.08")), AccountView(SHARED, CAPS.dataset, Loss.of("0.19")))
    refused = refusal([(view, loss) for view in views], fits)
    assert refused.code is Code.BUDGET
    assert (refused.requested, refused.remaining) == (loss, Loss.of("0.02", "1e-10"))
    assert (refused.short_by, refused.would_fit) == (Loss.of("0.03"), fits)
    alone = refusal([(views[1], loss)], NOTHING)
    assert (alone.code, alone.would_fit) == (Code.BUDGET_DATASET, NOTHING)
