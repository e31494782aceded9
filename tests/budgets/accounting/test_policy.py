"""Caps, the floor, the ceiling, and the text of refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from budgets.accounting.accounts import (
    ALL_CLIENTS,
    EACH_WINDOW,
    EVERYBODY,
    LIFETIME,
    MIN_QUERY_RHO,
    PER_QUERY,
    STATIC_WINDOW,
    UNCAPPED,
    AccountName,
    AccountView,
    Caps,
    Grant,
    budget_refusal,
    check_ceiling,
    check_minimum_price,
    check_query_limits,
    effective_cap,
    query_limits,
)
from budgets.accounting.privacy_loss import ZERO_LOSS, Loss
from budgets.errors import BudgetRefused, CeilingRaised, Code, ParamError
from tests.budgets.ledger_checks import ANN, CAPS, SHARED


@pytest.mark.parametrize("cap", [Loss(0, 10), Loss.rounded_up("0.1"), Loss.rounded_up("0.1", "1")])
def test_caps_without_rho_or_delta(cap: Loss) -> None:
    for caps in ((cap, CAPS.client), (CAPS.dataset, cap)):
        with pytest.raises(ParamError, match=r"The cap of (the dataset|a client) must have"):
            Caps(*caps)


def test_a_question_costs_at_least_the_floor() -> None:
    check_minimum_price([Loss.rounded_up(MIN_QUERY_RHO)])
    check_minimum_price([Loss.rounded_up("0.00005"), Loss.rounded_up("0.00005")])
    with pytest.raises(ParamError, match=r"costs at least rho 0\.0001, this one rho 0\.000099999999"):
        check_minimum_price([Loss(99_999_999)])


def test_a_ceiling_never_rises_and_a_clients_cap_may() -> None:
    ceiling = Loss.rounded_up("0.2", "1e-9")
    check_ceiling(SHARED, ceiling, ceiling)
    check_ceiling(SHARED, Loss.rounded_up("0.1", "1e-10"), ceiling)
    check_ceiling(ANN, Loss.rounded_up("9", "1e-3"), ceiling)
    for cap in (Loss.rounded_up("0.200000000001", "1e-9"), Loss.rounded_up("0.2", "1.1e-9")):
        with pytest.raises(CeilingRaised):
            check_ceiling(SHARED, cap, ceiling)


def test_caps_of_the_tree() -> None:
    reserve, static, lifetime = Loss.rounded_up("0.05"), Loss.rounded_up("0.08", "1e-9"), Loss.rounded_up("0.3", "1e-9")
    caps = Caps(CAPS.dataset, CAPS.client, reserve, static, lifetime=lifetime)

    def cap(holder: str, window: str = "2026-01", client: str = "acme/ann") -> Loss:
        return caps.cap_of(AccountName("operator", window, holder), client)

    assert (cap(EVERYBODY), cap(ALL_CLIENTS)) == (CAPS.dataset, Loss.rounded_up("0.15", "1e-9"))
    assert (cap("acme"), cap("acme/ann")) == (CAPS.dataset, CAPS.client)
    assert (cap(EVERYBODY, STATIC_WINDOW), cap(ALL_CLIENTS, STATIC_WINDOW)) == (static, Loss.rounded_up("0.03", "1e-9"))
    assert (cap("acme", STATIC_WINDOW), cap("acme/ann", STATIC_WINDOW)) == (static, static)
    assert (cap("acme", LIFETIME), cap("acme/ann", LIFETIME)) == (UNCAPPED, lifetime)
    with pytest.raises(ParamError, match="beside the owner's reserve"):
        Caps(CAPS.dataset, CAPS.client, reserve=CAPS.dataset)


def test_the_latest_granted_cap_is_in_force() -> None:
    january = AccountName("operator", "2026-01", "ann")
    low, high = Loss.rounded_up("0.01", "1e-9"), Loss.rounded_up("0.15", "1e-9")
    each, alone = (
        Grant("operator", "ann", scope, cap, at) for scope, cap, at in ((EACH_WINDOW, low, 7), ("2026-01", high, 9))
    )
    of_ben, lifetime = Grant("operator", "ben", EACH_WINDOW, high, 20), Grant("operator", "ann", LIFETIME, high, 21)
    assert effective_cap(CAPS.client, [], january) == CAPS.client
    assert effective_cap(CAPS.client, [each, of_ben, lifetime], january) == low
    assert effective_cap(CAPS.client, [each, alone], january) == high
    assert effective_cap(CAPS.client, [replace(each, sequence=10), alone], january) == low
    assert effective_cap(UNCAPPED, [each, lifetime], AccountName("operator", LIFETIME, "ann")) == high


def test_a_query_has_a_cap_of_its_own() -> None:
    caps = Caps(CAPS.dataset, CAPS.client, query=Loss.rounded_up("0.02", "1e-12"))

    def fits() -> Loss:
        return Loss.rounded_up("0.01")

    check_query_limits(Loss.rounded_up("0.02", "1e-12"), query_limits(caps, []), "ann", fits)
    with pytest.raises(BudgetRefused, match=r"one question of client 'ann' has rho 0\.02 left: short by rho 0\.01"):
        check_query_limits(Loss.rounded_up("0.03"), query_limits(caps, []), "ann", fits)
    grant = Grant("operator", "acme", PER_QUERY, Loss.rounded_up("0.01", "1e-9"), 3)
    with pytest.raises(BudgetRefused, match=r"at most rho 0\.01 fits"):
        check_query_limits(Loss.rounded_up("0.02"), query_limits(caps, [grant]), "acme/ann", fits)


def test_the_client_s_own_account_is_refused_first() -> None:
    loss, fits = Loss.rounded_up("0.05"), Loss.rounded_up("0.01", "1e-10")
    views = (
        AccountView(ANN, CAPS.client, Loss.rounded_up("0.08")),
        AccountView(SHARED, CAPS.dataset, Loss.rounded_up("0.19")),
    )
    refused = budget_refusal([(view, loss) for view in views], fits)
    assert refused.code is Code.BUDGET
    assert (refused.requested, refused.remaining) == (loss, Loss.rounded_up("0.02", "1e-10"))
    assert (refused.short_by, refused.would_fit) == (Loss.rounded_up("0.03"), fits)
    alone = budget_refusal([(views[1], loss)], ZERO_LOSS)
    assert (alone.code, alone.would_fit) == (Code.BUDGET_DATASET, ZERO_LOSS)
