"""JSON shapes of accounts; amounts are integers inside and floats here."""

from __future__ import annotations

from typing import Any

from budgets import LIFETIME, NOTHING, AccountView, EpsilonDelta, Loss


def account(view: AccountView, of_owner: Loss = NOTHING) -> dict[str, Any]:
    """Return the JSON shape of an account; a client's (epsilon, delta) includes the owner's releases."""
    over_all = view.name.window == LIFETIME  # the sum over several windows alone implies no (epsilon, delta)
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
    """Return the loss of everything that an account's holder is shown (proofs.md#owner_loss)."""
    return EpsilonDelta.of(view.spent if view.name.client is None else view.spent + of_owner, view.cap)


def remaining(view: AccountView, of_owner: Loss = NOTHING) -> dict[str, Any]:
    """Return the JSON shape of the remaining budget, with the spent epsilon: epsilons of remainders do not add up."""
    return {
        "rho": float(view.remaining.rho),
        "delta": float(view.remaining.delta),
        "epsilon": _seen(view, of_owner).epsilon,
        "cap_rho": float(view.cap.rho),
    }
