"""Accounts of a dataset by privacy window: which exist, what is left, and equal ones merged for display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from budgets import EVERYBODY, LIFETIME, NOTHING, OWNER, AccountName, AccountView, Ledger, Loss, prefixes
from dialect import Catalog
from dialect.catalog import STATIC, Dataset, length_of
from engine.accounts import shapes
from engine.accounts.losses import owner_loss
from engine.errors import CatalogError
from engine.pricing.terms import caps


def windows_of(catalog: Catalog, dataset: Dataset) -> tuple[str, ...]:
    """List the declared privacy windows, plus the static account if some private table has no time column."""
    timeless = any(t.private and t.dataset == dataset.name and t.time_column is None for t in catalog.tables)
    return (*dataset.windows, STATIC) if dataset.stretch is not None and timeless else dataset.windows


def check_lengths(ledger: Ledger, catalog: Catalog) -> None:
    """Refuse privacy windows of another length than those charged before, which would restore spent budget."""
    for dataset in catalog.datasets:
        charged = (length_of(view.name.window) for view in ledger.accounts(dataset.name))
        before = next((length for length in charged if length not in (None, dataset.window)), None)
        if before is not None:
            why = f"this dataset was charged in windows of another length: {before}."
            cure = f'write window = "{before}"; a dataset keeps its windows from its first charge on.'
            raise CatalogError(catalog.path, f"datasets.{dataset.name}.window", why, cure)


def views(
    ledger: Ledger, dataset: Dataset, client: str | None, windows: Iterable[str], *, groups: bool = False
) -> list[tuple[AccountView, ...]]:
    """Find the accounts of some windows: that of all clients, and those of one client or of its groups too."""
    today = caps(dataset)
    own = () if client is None else prefixes(client) if groups else (client,)
    holders = (EVERYBODY, *own)
    names = [AccountName(dataset.name, window, holder) for window in windows for holder in holders]
    found = ledger.accounts_under(dataset.name, {name: today.of(name, client or OWNER) for name in names})
    return [found[at : at + len(holders)] for at in range(0, len(found), len(holders))]


def least_left(
    ledger: Ledger, catalog: Catalog, name: str, client: str, windows: Iterable[str] | None = None
) -> dict[str, Any]:
    """Remaining budget for a query: that of the window with the least, among its windows or all of them."""
    dataset = catalog.dataset(name)
    found = views(ledger, dataset, client, windows or windows_of(catalog, dataset))
    columns = zip(*found, strict=True)
    pairs = zip(("dataset", "client"), columns, strict=True)
    least = {owner: min(of, key=lambda v: v.remaining.pico_rho) for owner, of in pairs}
    of_owner = owner_loss(ledger, name)
    return {owner: shapes.remaining(view, _of_owner(view, of_owner)) for owner, view in least.items()}


def in_force(ledger: Ledger, dataset: Dataset, names: Iterable[AccountName]) -> tuple[AccountView, ...]:
    """Find accounts under the caps in force: granted by an admin, else the catalog's; charged or not.

    A ledger's own list has the caps of each account's last charge, which an approval may have changed since.
    """
    single, today = {member.client for member in ledger.clients() if not member.is_group}, caps(dataset)
    client = {name: name.holder if name.holder in single else OWNER for name in names}
    return ledger.accounts_under(dataset.name, {name: today.of(name, asks) for name, asks in client.items()})


def client_accounts(ledger: Ledger, dataset: Dataset, windows: Sequence[str]) -> list[list[AccountView]]:
    """Find the accounts of each client and group, window by window, under the caps in force.

    Clients that were never charged are included. Left out are removed clients that were never charged, and lifetime
    budgets without a cap; windows that are no longer declared come first.
    """
    charged = {view.name for view in ledger.accounts(dataset.name) if view.name.client is not None}
    paid = {name.holder for name in charged}
    found: list[list[AccountView]] = []
    for member in ledger.clients():
        if member.state == "removed" and member.client not in paid:
            continue
        own = {name.window for name in charged if name.holder == member.client}
        names = [*sorted(own - {*windows, LIFETIME}), *windows, LIFETIME]
        rows = in_force(ledger, dataset, [AccountName(dataset.name, window, member.client) for window in names])
        found.append([row for row in rows if row.capped])
    return found


def in_runs(found: Sequence[tuple[AccountView, ...]], of_owner: Mapping[str, Loss]) -> list[dict[str, Any]]:
    """Return the JSON shape of accounts, merging runs of windows with equal amounts: 2026-01 to 2026-09."""
    shown: list[list[dict[str, Any]]] = []
    for of_window in found:
        rows = [shapes.account(view, _of_owner(view, of_owner)) for view in of_window]
        if shown and _amounts(shown[-1]) == _amounts(rows):
            for row, more in zip(shown[-1], rows, strict=True):
                row["window"] = f"{row['window'].partition(' to ')[0]} to {more['window']}"
        else:
            shown.append(rows)
    return [row for rows in shown for row in rows]


def _of_owner(view: AccountView, of_owner: Mapping[str, Loss]) -> Loss:
    return of_owner.get(view.name.window, NOTHING)


def _amounts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop the windows of accounts for comparison; static accounts stay distinct."""
    return [{key: value for key, value in row.items() if key != "window"} | _apart(row) for row in rows]


def _apart(row: dict[str, Any]) -> dict[str, bool]:
    return {"static": row["window"] == STATIC}
