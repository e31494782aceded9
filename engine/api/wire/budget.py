"""Wire shape of the budget: for every account what is spent, what is left, and how long it lasts."""

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
    """Accounts of every dataset: all clients together, the groups that a client is in, and its own."""
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
    """Count further queries at the default price that fit what is left."""
    return int(account["remaining_rho"] / float(dataset.defaults.rho) + 1e-9)


def _of_clients(ledger: Ledger, catalog: Catalog, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Every client's accounts, with runs of consecutive equal windows merged."""
    of_owner = owner_loss(ledger, dataset.name)
    for views_of_client in client_accounts(ledger, dataset, windows_of(catalog, dataset)):
        in_windows = [(view,) for view in views_of_client if view.name.window != LIFETIME]
        yield from in_runs(in_windows, of_owner)
        yield from (shapes.account(view) for view in views_of_client if view.name.window == LIFETIME)


def _unknown(ledger: Ledger, client: str | None) -> list[str]:
    """Warning that no client has this name yet. Any name becomes a client at its first query."""
    if client is None or any(member.client == client for member in ledger.clients()):
        return []
    return [f"client {client!r} is new: nobody has asked, or was added, under this name"]


def _over_all(ledger: Ledger, dataset: Dataset, client: str) -> list[AccountView]:
    """Lifetime accounts on a client's path that have a cap."""
    names = [AccountName(dataset.name, LIFETIME, holder) for holder in prefixes(client)]
    found = ledger.accounts_under(dataset.name, {name: caps(dataset).of(name, client) for name in names})
    return [view for view in found if view.capped]


def _lasting(found: Mapping[AccountName, Forecast]) -> Iterator[str]:
    """Forecast of the account that runs out first at the present rate. Ties go to the client's own."""
    if found:
        name = min(found, key=lambda name: (found[name].days, name.holder == EVERYBODY))
        yield lasting(found[name], str(name))


def _forecast(name: AccountName, found: Forecast) -> dict[str, Any]:
    of = {"dataset": name.dataset, "window": name.window, "client": name.client}
    return {**of, "days": found.days, "of_days": found.of_days}
