"""The accounts of every dataset -> what a client, or an admin, is shown of budgets: spent, left, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from budgets import EVERYBODY, LIFETIME, OWNER, AccountName, AccountView, Forecast, Ledger, prefixes
from dialect import Catalog
from dialect.catalog import Dataset
from engine.accounts import shapes
from engine.accounts.losses import owner_loss
from engine.accounts.window_accounts import client_accounts, in_runs, views, windows_of
from engine.pipeline.outlook import lasting, new_budget
from engine.pricing.terms import caps


def budget(ledger: Ledger, catalog: Catalog, client: str | None, now: datetime) -> dict[str, Any]:
    """Show the accounts of every dataset: all clients together, the groups that a client is in, and its own."""
    accounts: list[dict[str, Any]] = []
    of_clients: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    forecasts: list[dict[str, Any]] = []
    unknown = _unknown(ledger, client)
    for dataset in catalog.datasets:
        found = views(ledger, dataset, client, windows_of(catalog, dataset), groups=True)
        over_all = [] if client is None else _over_all(ledger, dataset, client)
        shown = [*in_runs(found, owner_loss(ledger, dataset.name)), *map(shapes.account, over_all)]
        accounts += [account | {"questions": _questions(account, dataset)} for account in shown]
        if client is None:
            of_clients += _of_clients(ledger, catalog, dataset)
        every = [view for of_window in found for view in of_window] + over_all
        lasts = ledger.forecasts(client or OWNER, every, now)
        ahead[dataset.name] = [*unknown, *_lasting(lasts), new_budget(dataset, None)[1]]
        forecasts += [_forecast(name, told) for name, told in lasts.items()]
    query_rho = {dataset.name: float(dataset.defaults.rho) for dataset in catalog.datasets}
    return {"accounts": accounts + of_clients, "query_rho": query_rho, "ahead": ahead, "forecasts": forecasts}


def _questions(account: dict[str, Any], dataset: Dataset) -> int:
    """Count the questions of the default price that fit into what is left."""
    return int(account["remaining_rho"] / float(dataset.defaults.rho) + 1e-9)


def _of_clients(ledger: Ledger, catalog: Catalog, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Show every client's accounts, windows in a row that are alike as one."""
    of_owner = owner_loss(ledger, dataset.name)
    for views_of_client in client_accounts(ledger, dataset, windows_of(catalog, dataset)):
        in_windows = [(view,) for view in views_of_client if view.name.window != LIFETIME]
        yield from in_runs(in_windows, of_owner)
        yield from (shapes.account(view) for view in views_of_client if view.name.window == LIFETIME)


def _unknown(ledger: Ledger, client: str | None) -> list[str]:
    """Say that a name is nobody's yet: whoever asks first under it is a client, so it has accounts as others have."""
    if client is None or any(member.client == client for member in ledger.clients()):
        return []
    return [f"nobody has asked, or was added, as client {client!r}: this is what that name would begin with"]


def _over_all(ledger: Ledger, dataset: Dataset, client: str) -> list[AccountView]:
    """Find the accounts over all windows on a client's path that somebody has capped."""
    names = [AccountName(dataset.name, LIFETIME, holder) for holder in prefixes(client)]
    found = ledger.accounts_under(dataset.name, {name: caps(dataset).of(name, client) for name in names})
    return [view for view in found if view.capped]


def _lasting(found: Mapping[AccountName, Forecast]) -> Iterator[str]:
    """Say which account is empty first at the present rate, of the client's own rather than of others'."""
    if found:
        name = min(found, key=lambda name: (found[name].days, name.holder == EVERYBODY))
        yield lasting(found[name], str(name))


def _forecast(name: AccountName, found: Forecast) -> dict[str, Any]:
    of = {"dataset": name.dataset, "window": name.window, "client": name.client}
    return {**of, "days": found.days, "of_days": found.of_days}
