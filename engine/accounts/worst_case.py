"""Catalog and ledger -> what can be learned of one person at most, in one window and over all: spent, and the limit."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import EVERYBODY, AccountName, AccountView, EpsilonDelta, Ledger, chargeable
from dialect.catalog import Catalog, Dataset
from engine.accounts.losses import WholePerson, whole_person
from engine.accounts.window_accounts import windows_of
from engine.pricing.terms import caps


@dataclass(frozen=True)
class Worst:
    """What can be learned of one person at most: what was charged so far, what the limits allow."""

    spent: EpsilonDelta | None  # None: more than can be written
    limit: EpsilonDelta | None
    where: str


def everybodys(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> tuple[AccountView, ...]:
    """Find the account that all clients share, of each window in order, whether anything was spent of it or not."""
    today = caps(dataset)
    windows = windows_of(catalog, dataset)
    names = {AccountName(dataset.name, window, EVERYBODY): today.everybody(window) for window in windows}
    return ledger.accounts_under(dataset.name, names)


def of_one(accounts: tuple[AccountView, ...]) -> Worst:
    """Find the window of which most was told, and the window whose limit allows most."""
    spent = max((view.spent_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    limit = max((view.cap_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    return Worst(spent, limit, "in one window")


def of_all(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> Worst:
    """Take all windows of a person together, as a release over k of them takes k neighbours in a row.

    Claim: removing everything of a person costs at most this, whatever is asked. Symbols: k windows, with ceilings
    rho_i and delta_i; releases over k_r <= k of them, at rho_r and delta_r in each. Formula: sum of k_r^2 rho_r <=
    k sum of k_r rho_r <= k sum of rho_i; sum of k_r delta_r <= sum of delta_i. Source: proofs.md#whole-person.
    """
    whole, k = whole_person(ledger.entries(), dataset), len(accounts)
    most = [chargeable(view.cap) for view in accounts]
    rho, delta = k * sum(each.pico_rho for each in most), sum(each.atto_delta for each in most)
    limit = WholePerson(rho, delta, whole.cap).epsilon_delta
    return Worst(whole.epsilon_delta, limit, f"over all {k} windows together" if k > 1 else "over the whole time")
