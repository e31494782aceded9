"""Wire shapes of the budget, of paid releases and of ledger rows.

The budget has for every account what is spent, what is left, and how long it lasts. Amounts are shown as floats; the
ledger stores integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from budgets import (
    EVERYBODY,
    LIFETIME,
    OWNER,
    AccountName,
    AccountView,
    Entry,
    Forecast,
    Ledger,
    PaidRelease,
    path_prefixes,
)
from dialect import Catalog
from dialect.catalog import Dataset
from engine.accounts.audit_log import charged_loss
from engine.accounts.window_accounts import (
    account_json,
    account_windows,
    accounts_by_run,
    client_accounts,
    owner_loss,
    window_views,
)
from engine.pipeline.outlook import forecast_sentence, next_budget
from engine.pricing.query_terms import caps


def budget_shape(ledger: Ledger, catalog: Catalog, client: str | None, now: datetime) -> dict[str, Any]:
    """Accounts of every dataset: all clients together, the groups that a client is in, and its own."""
    accounts: list[dict[str, Any]] = []
    client_rows: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    forecasts: list[dict[str, Any]] = []
    warnings = _unknown_client_warning(ledger, client)
    for dataset in catalog.datasets:
        found = window_views(ledger, dataset, client, account_windows(catalog, dataset), groups=True)
        lifetime_views = [] if client is None else _capped_lifetime_accounts(ledger, dataset, client)
        shown = [*accounts_by_run(found, owner_loss(ledger, dataset.name)), *map(account_json, lifetime_views)]
        accounts += [
            account | {"questions": int(account["remaining_rho"] / float(dataset.defaults.rho) + 1e-9)}
            for account in shown
        ]
        if client is None:
            client_rows += _client_rows(ledger, catalog, dataset)
        every = [view for of_window in found for view in of_window] + lifetime_views
        forecasts_by_account = ledger.forecasts(client or OWNER, every, now)
        # next_budget = (next window, sentence about it)
        ahead[dataset.name] = [*warnings, *_first_exhausted(forecasts_by_account), next_budget(dataset, None)[1]]
        forecasts += [_forecast_shape(name, forecast) for name, forecast in forecasts_by_account.items()]
    query_rho = {dataset.name: float(dataset.defaults.rho) for dataset in catalog.datasets}
    return {"accounts": accounts + client_rows, "query_rho": query_rho, "ahead": ahead, "forecasts": forecasts}


def _client_rows(ledger: Ledger, catalog: Catalog, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Every client's accounts, with runs of consecutive equal windows merged."""
    owner_losses = owner_loss(ledger, dataset.name)
    for views_of_client in client_accounts(ledger, dataset, account_windows(catalog, dataset)):
        in_windows = [(view,) for view in views_of_client if view.name.window != LIFETIME]
        yield from accounts_by_run(in_windows, owner_losses)
        yield from (account_json(view) for view in views_of_client if view.name.window == LIFETIME)


def _unknown_client_warning(ledger: Ledger, client: str | None) -> list[str]:
    """Warning that no client has this name yet. Any name becomes a client at its first query."""
    if client is None or any(member.client == client for member in ledger.clients()):
        return []
    return [f"client {client!r} is new: nobody has asked, or was added, under this name"]


def _capped_lifetime_accounts(ledger: Ledger, dataset: Dataset, client: str) -> list[AccountView]:
    """Lifetime accounts on a client's path that have a cap."""
    names = [AccountName(dataset.name, LIFETIME, holder) for holder in path_prefixes(client)]
    found = ledger.accounts_with_caps(dataset.name, {name: caps(dataset.budget).cap_of(name, client) for name in names})
    return [view for view in found if view.is_capped]


def _first_exhausted(forecasts: Mapping[AccountName, Forecast]) -> Iterator[str]:
    """Forecast of the account that runs out first at the present rate. Ties go to the client's own."""
    if forecasts:
        name = min(forecasts, key=lambda name: (forecasts[name].days, name.holder == EVERYBODY))
        yield forecast_sentence(forecasts[name], str(name))


def _forecast_shape(name: AccountName, forecast: Forecast) -> dict[str, Any]:
    of = {"dataset": name.dataset, "window": name.window, "client": name.client}
    return {**of, "days": forecast.days, "of_days": forecast.history_days}


def paid_release_shape(release: PaidRelease) -> dict[str, Any]:
    """Show a release that a client has paid for."""
    return {
        "release_id": release.release_key,
        "dataset": release.dataset,
        "windows": list(release.windows),
        "sql": release.query_text or None,
        "question": release.canonical_query,
        "rho": float(release.loss.rho),
        "delta": float(release.loss.delta),
        "settled_at": release.settled_at,
    }


def entry_shape(row: Entry) -> dict[str, Any]:
    """Show one ledger row: its body as it is hashed, and the price where it is a charge."""
    loss = charged_loss(row)
    return {
        "sequence": row.sequence,
        "at": row.at,
        "kind": str(row.kind),
        "dataset": row.dataset,
        "client": row.holder or None,
        "asked_by": row.actor,
        "request_id": row.request_id,
        "rho": None if loss is None else float(loss.rho),
        "delta": None if loss is None else float(loss.delta),
        "body": row.body,
        "row_hash": row.row_hash.hex(),
    }
