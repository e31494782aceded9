"""Worst case of one person's privacy loss, in one window and over all: spent so far, and the limit."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import EVERYBODY, AccountName, AccountView, EpsilonDelta, Ledger, chargeable
from dialect.catalog import Catalog, Dataset
from engine.accounts.losses import WholePerson, whole_person_loss
from engine.accounts.window_accounts import account_windows
from engine.pricing.query_terms import caps


@dataclass(frozen=True)
class WorstCase:
    """Worst-case privacy loss of one person: charged so far, and allowed by the caps."""

    spent: EpsilonDelta | None  # None: too large to be written
    limit: EpsilonDelta | None
    scope: str


def ceiling_accounts(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> tuple[AccountView, ...]:
    """Find the account that all clients share of each privacy window, in order, whether charged or not."""
    today = caps(dataset)
    windows = account_windows(catalog, dataset)
    names = {AccountName(dataset.name, window, EVERYBODY): today.ceiling(window) for window in windows}
    return ledger.accounts_with_caps(dataset.name, names)


def worst_window(accounts: tuple[AccountView, ...]) -> WorstCase:
    """Worst case in one window: the largest spent loss and the largest cap of any window."""
    spent = max((view.spent_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    limit = max((view.cap_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    return WorstCase(spent, limit, "in one window")


def worst_over_all_windows(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> WorstCase:
    """Worst case over all windows together, by group privacy: k windows are k neighbours in a row.

    Claim: removing everything of a person costs at most this, for every sequence of queries. Symbols: k windows, with
    ceilings rho_i and delta_i; releases over k_r <= k of them, at rho_r and delta_r in each. Formula: sum of k_r^2
    rho_r <= k sum of k_r rho_r <= k sum of rho_i; sum of k_r delta_r <= sum of delta_i. Source:
    proofs.md#whole-person.
    """
    spent, k = whole_person_loss(ledger.entries(), dataset), len(accounts)
    chargeable_caps = [chargeable(view.cap) for view in accounts]
    rho, delta = k * sum(each.pico_rho for each in chargeable_caps), sum(each.atto_delta for each in chargeable_caps)
    limit = WholePerson(rho, delta, spent.cap).epsilon_delta
    return WorstCase(spent.epsilon_delta, limit, f"over all {k} windows together" if k > 1 else "over the whole time")
