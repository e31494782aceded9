"""Accounts -> the shapes that leave; amounts are shown as floats, and kept as integers."""

from __future__ import annotations

from typing import Any

from budgets import LIFETIME, NOTHING, AccountView, EpsilonDelta, Loss


def account(view: AccountView, of_owner: Loss = NOTHING) -> dict[str, Any]:
    """Show one account, its spent loss also as (epsilon, delta): a client's with what the owner has released."""
    over_all = view.name.window == LIFETIME  # over several windows no (epsilon, delta) follows from the sum alone
    spent, cap = (None, None) if over_all else (_seen(view, of_owner), view.cap_epsilon_delta)
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
        "calibration_rho": float(of_owner.rho),
    }


def _seen(view: AccountView, of_owner: Loss) -> EpsilonDelta:
    """Tell the loss of everything that an account's holder is shown (proofs.md#owner_loss)."""
    return EpsilonDelta.of(view.spent if view.name.client is None else view.spent + of_owner, view.cap)


def remaining(view: AccountView, of_owner: Loss = NOTHING) -> dict[str, Any]:
    """Show what is left in an account, beside what was spent as epsilon: epsilons of what is left do not add up."""
    return {
        "rho": float(view.remaining.rho),
        "delta": float(view.remaining.delta),
        "epsilon": _seen(view, of_owner).epsilon,
        "cap_rho": float(view.cap.rho),
    }
