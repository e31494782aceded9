"""Accounts, releases and ledger rows -> the shapes that leave; amounts are told as floats, and kept as integers."""

from __future__ import annotations

from typing import Any

from budgets import AccountView, Entry, PaidRelease


def account(view: AccountView) -> dict[str, Any]:
    """Show one account, its spent loss also as (epsilon, delta)."""
    spent = view.spent_epsilon_delta
    return {
        "dataset": view.name.dataset,
        "window": view.name.window,
        "client": view.name.client,
        "cap_rho": float(view.cap.rho),
        "spent_rho": float(view.spent.rho),
        "remaining_rho": float(view.remaining.rho),
        "remaining_delta": float(view.remaining.delta),
        "epsilon": spent.epsilon,
        "delta": spent.delta,
        "cap_epsilon": view.cap_epsilon_delta.epsilon,
    }


def remaining(view: AccountView) -> dict[str, Any]:
    """Show what is left in an account, beside what was spent as epsilon: epsilons of what is left do not add up."""
    return {
        "rho": float(view.remaining.rho),
        "delta": float(view.remaining.delta),
        "epsilon": view.spent_epsilon_delta.epsilon,
        "cap_rho": float(view.cap.rho),
    }


def paid(release: PaidRelease) -> dict[str, Any]:
    """Show a release that a client has paid for."""
    return {
        "release_id": release.release_key,
        "dataset": release.dataset,
        "question": release.question,
        "rho": float(release.loss.rho),
        "delta": float(release.loss.delta),
        "settled_at": release.settled_at,
    }


def entry(row: Entry) -> dict[str, Any]:
    """Show one ledger row."""
    return {
        "sequence": row.sequence,
        "at": row.at,
        "kind": str(row.kind),
        "dataset": row.dataset,
        "window": row.window,
        "client": row.client,
        "asked_by": row.asked_by,
        "request_id": row.request_id,
        "release_key": row.release_key,
        "rho": float(row.loss.rho),
        "delta": float(row.loss.delta),
        "question": row.question,
    }
