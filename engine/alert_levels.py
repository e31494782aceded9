"""Accounts -> which of them have passed 50, 80 or 100% of their cap, in exact units; a function of the ledger alone."""

from __future__ import annotations

from typing import Any

from budgets import AccountView, Ledger

MARKS = (100, 80, 50)  # percent


def levels_passed(ledger: Ledger) -> list[dict[str, Any]]:
    """Name of each account the highest mark that it has passed, under the cap of its last charge."""
    found = ((view, _highest(view)) for view in ledger.accounts() if view.capped)
    return [
        {
            "dataset": view.name.dataset,
            "window": view.name.window,
            "client": view.name.client,
            "cap": view.cap.pico_rho,
            "mark": mark,
        }
        for view, mark in found
        if mark is not None
    ]


def _highest(view: AccountView) -> int | None:
    spent, cap = view.spent.pico_rho, view.cap.pico_rho
    return next((mark for mark in MARKS if cap > 0 and spent * 100 >= cap * mark), None)
