"""The accounts of every dataset -> what a client, or an admin, is shown of budgets: spent, left, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from budgets import EVERYBODY, LIFETIME, OWNER, AccountName, AccountView, Forecast, Ledger, prefixes
from dialect import Catalog
from dialect.catalog import Dataset
from engine import account_shapes
from engine.outlook import lasting, new_budget
from engine.owner_loss import owner_loss
from engine.terms import caps
from engine.window_accounts import in_runs, views, windows_of


def budget(ledger: Ledger, catalog: Catalog, client: str | None, now: datetime) -> dict[str, Any]:
    """Show the accounts of every dataset: all clients together, the groups that a client is in, and its own."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    forecasts: list[dict[str, Any]] = []
    unknown = _unknown(ledger, client)
    for dataset in catalog.datasets:
        found = views(ledger, dataset, client, windows_of(catalog, dataset), groups=True)
        over_all = [] if client is None else _over_all(ledger, dataset, client)
        accounts += [
            account | {"questions": int(account["remaining_rho"] / float(dataset.defaults.rho) + 1e-9)}
            for account in (*in_runs(found, owner_loss(ledger, dataset.name)), *map(account_shapes.account, over_all))
        ]
        every = [view for of_window in found for view in of_window] + over_all
        lasts = ledger.forecasts(client or OWNER, every, now)
        ahead[dataset.name] = [*unknown, *_lasting(lasts), new_budget(dataset, None)[1]]
        forecasts += [_forecast(name, told) for name, told in lasts.items()]
    if client is None:
        accounts += [account_shapes.account(v) for v in ledger.accounts() if v.name.client is not None and v.capped]
    query_rho = {dataset.name: float(dataset.defaults.rho) for dataset in catalog.datasets}
    return {"accounts": accounts, "query_rho": query_rho, "ahead": ahead, "forecasts": forecasts}


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
