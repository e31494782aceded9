"""JSON shapes of accounts; amounts are integers inside and floats here."""

from __future__ import annotations

from typing import Any

from budgets import LIFETIME, ZERO_LOSS, AccountView, EpsilonDelta, Loss


def account_json(view: AccountView, owner_loss: Loss = ZERO_LOSS) -> dict[str, Any]:
    """Return the JSON shape of an account; a client's (epsilon, delta) includes the owner's releases."""
    is_lifetime = view.name.window == LIFETIME  # the sum over several windows alone implies no (epsilon, delta)
    spent, cap = (None, None) if is_lifetime else (_shown_loss(view, owner_loss), view.cap_epsilon_delta)
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
        "calibration_rho": float(owner_loss.rho),
    }


def _shown_loss(view: AccountView, owner_loss: Loss) -> EpsilonDelta:
    """Privacy loss of all releases visible to an account's holder, own and shared (proofs.md#owner_loss)."""
    return EpsilonDelta.from_loss(view.spent if view.name.client is None else view.spent + owner_loss, view.cap)


def remaining_json(view: AccountView, owner_loss: Loss = ZERO_LOSS) -> dict[str, Any]:
    """Return the JSON shape of the remaining budget, with the spent epsilon: epsilons of remainders do not add up."""
    return {
        "rho": float(view.remaining.rho),
        "delta": float(view.remaining.delta),
        "epsilon": _shown_loss(view, owner_loss).epsilon,
        "cap_rho": float(view.cap.rho),
    }
