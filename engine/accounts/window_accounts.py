"""Accounts of a dataset by privacy window: which exist, what is left, and equal ones merged for display.

Amounts are integers inside, and floats in JSON. Also the worst case of one person, in one window and over all: spent so
far, and the limit; and the loss of the owner's own releases, which every client is shown because clients' budgets bear
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from budgets import (
    ATTO,
    EVERYBODY,
    LIFETIME,
    MAX_UNITS,
    OWNER,
    ZERO_LOSS,
    AccountName,
    AccountView,
    Entry,
    EntryKind,
    EpsilonDelta,
    Ledger,
    Loss,
    chargeable,
    path_prefixes,
)
from dialect import Catalog
from dialect.catalog import STATIC, Dataset, window_of_name
from engine.errors import CatalogError
from engine.pricing.query_terms import caps

NO_VIEWS: Mapping[AccountName, AccountView] = {}


def owner_loss(ledger: Ledger, dataset: str) -> Mapping[str, Loss]:
    """Sum the losses charged to everybody for the owner, by window; windows without any are absent.

    Claim: a client's purchases and these together are all that the client is shown of a window by this engine. Proof:
    proofs.md#owner_loss
    """
    losses: defaultdict[str, Loss] = defaultdict(lambda: ZERO_LOSS)
    for _, windows, loss in _owner_charges(ledger, dataset):
        for window in windows:
            losses[window] += loss
    return losses


def owner_keys(ledger: Ledger, dataset: str) -> frozenset[str]:
    """Keys of the releases that the owner was charged for, without those that a client had bought before."""
    return frozenset(key for key, _, _ in _owner_charges(ledger, dataset))


def _owner_charges(ledger: Ledger, dataset: str) -> Iterator[tuple[str, Sequence[str], Loss]]:
    for entry in ledger.entries(kind=EntryKind.CHARGED, client=OWNER):
        for release in entry.content["releases"] if entry.dataset == dataset else ():
            if EVERYBODY in release["payers"]:
                yield release["key"], entry.content["windows"][release["windows"]], Loss(*release["loss"])


@dataclass(frozen=True)
class WholePerson:
    """Loss of a person over all windows together, at the dataset's delta; it may exceed what an account can hold."""

    pico_rho: int
    atto_delta: int
    cap: Loss

    @property
    def epsilon_delta(self) -> EpsilonDelta | None:
        """The loss as (epsilon, delta); None if it is too large to be written, and bounds nothing."""
        if self.pico_rho > MAX_UNITS or self.atto_delta >= ATTO:
            return None
        return EpsilonDelta.from_loss(Loss(self.pico_rho, self.atto_delta), self.cap)


def whole_person_loss(entries: tuple[Entry, ...], dataset: Dataset) -> WholePerson:
    """Sum the losses of all releases for one person's whole history.

    Claim: removing everything of a person costs at most this. Symbols: a release that is charged to k windows at rho
    and delta in each. Formula: sum of k^2 rho, sum of k delta. Source: group privacy of zCDP, Bun and Steinke, arXiv
    1605.02065, Proposition 1.9: k neighbours in a row multiply the distance by k. Proof: proofs.md#whole-person
    """
    charged = (e.content for e in entries if e.kind == EntryKind.CHARGED and e.dataset == dataset.name)
    paid = [
        (len(content["windows"][release["windows"]]), Loss(*release["loss"]))
        for content in charged
        for release in content["releases"]
        if EVERYBODY in release["payers"]  # the first charge pays for everybody, once
    ]
    pico_rho, atto_delta = sum(k**2 * loss.pico_rho for k, loss in paid), sum(k * loss.atto_delta for k, loss in paid)
    return WholePerson(pico_rho, atto_delta, caps(dataset.budget).dataset)


def account_json(view: AccountView, owner_loss: Loss = ZERO_LOSS) -> dict[str, Any]:
    """Return the JSON shape of an account; a client's (epsilon, delta) includes the owner's releases."""
    is_lifetime = view.name.window == LIFETIME  # the sum over several windows alone implies no (epsilon, delta)
    spent, cap = (None, None) if is_lifetime else (_shown_loss(view, owner_loss), view.cap_epsilon_delta)
    return {
        "dataset": view.name.dataset,
        "window": view.name.window,
        "client": view.name.client,
        "cap_rho": float(view.cap.rho),
        "spent_rho": float(view.spent.rho),
        "remaining_rho": float(view.remaining.rho),
        "remaining_delta": float(view.remaining.delta),
        "epsilon": spent and spent.epsilon,
        "delta": spent and spent.delta,
        "cap_epsilon": cap and cap.epsilon,
        "calibration_rho": float(owner_loss.rho),
    }


def _shown_loss(view: AccountView, owner_loss: Loss) -> EpsilonDelta:
    """Privacy loss of all releases visible to an account's holder, own and shared (proofs.md#owner_loss)."""
    return EpsilonDelta.from_loss(view.spent if view.name.client is None else view.spent + owner_loss, view.cap)


def remaining_json(view: AccountView, owner_loss: Loss = ZERO_LOSS) -> dict[str, Any]:
    """Return the JSON shape of the remaining budget, with the spent epsilon: epsilons of remainders do not add up."""
    return {
        "rho": float(view.remaining.rho),
        "delta": float(view.remaining.delta),
        "epsilon": _shown_loss(view, owner_loss).epsilon,
        "cap_rho": float(view.cap.rho),
    }


def account_windows(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """List the declared privacy windows, plus the static account if some private table has no time column."""
    timeless = any(t.time_column is None for t in catalog.private_tables(dataset.name))
    return (*dataset.window_names, STATIC) if dataset.window_range is not None and timeless else dataset.window_names


def check_window_lengths(ledger: Ledger, catalog: Catalog) -> None:
    """Refuse privacy windows of another length than those charged before, which would restore spent budget."""
    for dataset in catalog.datasets:
        charged = (window_of_name(view.name.window) for view in ledger.accounts(dataset.name))
        before = next((length for length in charged if length not in (None, dataset.window)), None)
        if before is not None:
            why = f"this dataset was charged in windows of another length: {before}."
            cure = f'write window = "{before}"; a dataset keeps its windows from its first charge on.'
            raise CatalogError(catalog.path, f"datasets.{dataset.name}.window", why, cure)


def window_views(
    ledger: Ledger,
    dataset: Dataset,
    client: str | None,
    windows: Iterable[str],
    *,
    groups: bool = False,
    known: Mapping[AccountName, AccountView] = NO_VIEWS,
) -> list[tuple[AccountView, ...]]:
    """Find the accounts of some windows: that of all clients, and those of one client or of its groups too.

    They are not read again if all of them are `known`.
    """
    caps_today = caps(dataset.budget)
    own = () if client is None else path_prefixes(client) if groups else (client,)
    holders = (EVERYBODY, *own)
    names = [AccountName(dataset.name, window, holder) for window in windows for holder in holders]
    if known.keys() >= set(names):
        accounts = tuple(known[name] for name in names)
    else:
        today = {name: caps_today.cap_of(name, client or OWNER) for name in names}
        accounts = ledger.accounts_with_caps(dataset.name, today)
    return [accounts[at : at + len(holders)] for at in range(0, len(accounts), len(holders))]


def least_remaining(
    ledger: Ledger,
    catalog: Catalog,
    name: str,
    client: str,
    windows: Iterable[str] | None = None,
    known: Mapping[AccountName, AccountView] = NO_VIEWS,
) -> dict[str, Any]:
    """Remaining budget for a query: that of the window with the least, among its windows or all of them.

    `known` = accounts that were read in the same snapshot.
    """
    dataset = catalog.datasets_by_name[name]
    views_by_window = window_views(ledger, dataset, client, windows or account_windows(catalog, dataset), known=known)
    columns = zip(*views_by_window, strict=True)
    pairs = zip(("dataset", "client"), columns, strict=True)
    least = {owner: min(of, key=lambda v: v.remaining.pico_rho) for owner, of in pairs}
    owner_losses = owner_loss(ledger, name)
    return {owner: remaining_json(view, _owner_loss_of(view, owner_losses)) for owner, view in least.items()}


def accounts_in_force(ledger: Ledger, dataset: Dataset, names: Iterable[AccountName]) -> tuple[AccountView, ...]:
    """Accounts with the effective cap: an admin's grant, else the catalog's cap; charged or not.

    A ledger's own list has the caps of each account's last charge, which an approval may have changed since.
    """
    clients, today = {member.client for member in ledger.clients() if not member.is_group}, caps(dataset.budget)
    client = {name: name.holder if name.holder in clients else OWNER for name in names}
    return ledger.accounts_with_caps(dataset.name, {name: today.cap_of(name, payer) for name, payer in client.items()})


def client_accounts(ledger: Ledger, dataset: Dataset, windows: Sequence[str]) -> list[list[AccountView]]:
    """Accounts of each client and group with their effective caps, by privacy window.

    Clients that were never charged are included. Left out are removed clients that were never charged, and lifetime
    budgets without a cap; windows that are no longer declared come first.
    """
    charged = {view.name for view in ledger.accounts(dataset.name) if view.name.client is not None}
    paid = {name.holder for name in charged}
    accounts: list[list[AccountView]] = []
    for member in ledger.clients():
        if member.state == "removed" and member.client not in paid:
            continue
        own = {name.window for name in charged if name.holder == member.client}
        names = [*sorted(own - {*windows, LIFETIME}), *windows, LIFETIME]
        rows = accounts_in_force(
            ledger, dataset, [AccountName(dataset.name, window, member.client) for window in names]
        )
        accounts.append([row for row in rows if row.is_capped])
    return accounts


def accounts_by_run(
    views_by_window: Sequence[tuple[AccountView, ...]], owner_losses: Mapping[str, Loss]
) -> list[dict[str, Any]]:
    """Return the JSON shape of accounts, merging runs of windows with equal amounts: 2026-01 to 2026-09."""
    shown: list[list[dict[str, Any]]] = []
    for of_window in views_by_window:
        rows = [account_json(view, _owner_loss_of(view, owner_losses)) for view in of_window]
        if shown and _without_window(shown[-1]) == _without_window(rows):
            for row, next_row in zip(shown[-1], rows, strict=True):
                row["window"] = f"{row['window'].partition(' to ')[0]} to {next_row['window']}"
        else:
            shown.append(rows)
    return [row for rows in shown for row in rows]


def _owner_loss_of(view: AccountView, owner_losses: Mapping[str, Loss]) -> Loss:
    """Return the loss that the owner spent in the window of an account."""
    return owner_losses.get(view.name.window, ZERO_LOSS)


def _without_window(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop the windows of accounts for comparison; static accounts stay distinct."""
    return [
        {key: value for key, value in row.items() if key != "window"} | {"static": row["window"] == STATIC}
        for row in rows
    ]


@dataclass(frozen=True)
class WorstCase:
    """Worst-case privacy loss of one person: charged so far, and allowed by the caps."""

    spent: EpsilonDelta | None  # None: too large to be written
    limit: EpsilonDelta | None
    scope: str


def ceiling_accounts(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> tuple[AccountView, ...]:
    """Find the account that all clients share of each privacy window, in order, whether charged or not."""
    today = caps(dataset.budget)
    windows = account_windows(catalog, dataset)
    names = {AccountName(dataset.name, window, EVERYBODY): today.ceiling(window) for window in windows}
    return ledger.accounts_with_caps(dataset.name, names)


def worst_window(accounts: tuple[AccountView, ...]) -> WorstCase:
    """Worst case in one window: the largest spent loss and the largest cap of any window."""
    spent = max((view.spent_epsilon_delta for view in accounts), key=lambda total: total.epsilon)
    limit = max((view.cap_epsilon_delta for view in accounts), key=lambda total: total.epsilon)
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
