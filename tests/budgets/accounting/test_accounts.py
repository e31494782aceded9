"""Accounts and their display."""

from __future__ import annotations

import pytest

from budgets.accounting.accounts import ALL_CLIENTS, LIFETIME, AccountName, AccountView, check_name, check_text
from budgets.accounting.privacy_loss import ZERO_LOSS, Loss
from budgets.errors import ParamError
from tests.budgets.ledger_checks import ANN, SHARED


def test_remaining_is_what_releases_may_still_use() -> None:
    view = AccountView(ANN, cap=Loss.rounded_down("0.1", "1e-9"), spent=Loss.rounded_up("0.04", "4e-11"))
    assert view.remaining == Loss.rounded_up("0.06", "6e-11")
    assert view.spent_epsilon_delta.epsilon < view.cap_epsilon_delta.epsilon
    assert view.cap_epsilon_delta.delta == pytest.approx(1e-9)
    assert view.spent_epsilon_delta.delta == pytest.approx(9.4e-10)


def test_a_cap_lowered_below_what_is_spent_leaves_nothing() -> None:
    assert AccountView(SHARED, cap=Loss.rounded_down("0.01", "1e-9"), spent=Loss.rounded_up("0.04")).remaining.rho == 0


def test_account_names_are_readable() -> None:
    assert str(SHARED) == "the budget of the dataset for window 'forever' of dataset 'operator'"
    together = AccountName("operator", "forever", ALL_CLIENTS)
    assert str(together) == "the budget of all clients together for window 'forever' of dataset 'operator'"
    lifetime = AccountName("operator", LIFETIME, "ann")
    assert str(lifetime) == "the budget of client 'ann' over all windows of dataset 'operator'"
    assert (SHARED.client, together.client, lifetime.client) == (None, None, "ann")
    assert str(ANN) == "the budget of client 'ann' for window 'forever' of dataset 'operator'"
    assert AccountName("operator", "forever") == SHARED


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "\ud800", "x" * 201, None, 7])
def test_names_that_are_refused(name: object) -> None:
    with pytest.raises(ParamError, match="A client must be 1 to 200 printable characters"):
        check_name(name, "A client")


@pytest.mark.parametrize("text", ["a\0b", "\ud800", None])
def test_text_that_a_database_cannot_store_is_refused(text: object) -> None:
    with pytest.raises(ParamError, match="A question must be text"):
        check_text(text, "A question")
    check_text("SELECT\n'Plaza Garibaldi ✓'", "A question")


def test_zero_spent_rho_is_zero_epsilon() -> None:
    assert AccountView(ANN, cap=Loss.rounded_down("0.1", "1e-9"), spent=ZERO_LOSS).spent_epsilon_delta.epsilon == 0.0
