"""Budget alerts: accounts that have passed 50, 80 or 100% of their cap, computed in exact units."""

from __future__ import annotations

from typing import Any

from budgets import AccountView, Ledger
from dialect.catalog import Catalog
from engine.accounts.window_accounts import accounts_in_force

ALERT_PERCENTAGES = (100, 80, 50)  # percent


def passed_alerts(ledger: Ledger, catalog: Catalog) -> list[dict[str, Any]]:
    """List the highest mark that each charged account has passed, under the cap in force."""
    charged = ((dataset, [view.name for view in ledger.accounts(dataset.name)]) for dataset in catalog.datasets)
    views = (view for dataset, names in charged for view in accounts_in_force(ledger, dataset, names))
    alerts = ((view, _highest_passed(view)) for view in views if view.is_capped)
    return [
        {
            "dataset": view.name.dataset,
            "window": view.name.window,
            "client": view.name.client,
            "cap": view.cap.pico_rho,
            "mark": mark,
        }
        for view, mark in alerts
        if mark is not None
    ]


def _highest_passed(view: AccountView) -> int | None:
    spent, cap = view.spent.pico_rho, view.cap.pico_rho
    return next((mark for mark in ALERT_PERCENTAGES if cap > 0 and spent * 100 >= cap * mark), None)
