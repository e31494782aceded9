"""What an owner allows: caps, the ceiling that never rises, and the least that a question costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from budgets.accounts import AccountName, AccountView
from budgets.conversion import chargeable
from budgets.errors import BudgetRefused, CeilingRaised, Code, ParamError
from budgets.loss import ATTO, NOTHING, Loss, total

MINIMUM_RHO = Fraction(1, 10_000)  # of one question; below it noise drowns everything and rows cost more than they say


@dataclass(frozen=True)
class Caps:
    """Today's caps of a dataset as the catalog states them, for each window; delta is the whole promise's."""

    dataset: Loss  # all clients together
    client: Loss  # the client who asks

    def __post_init__(self) -> None:
        """Refuse a cap without rho, or without a delta from 0 to 1."""
        for owner, cap in (("the dataset", self.dataset), ("a client", self.client)):
            if cap.pico_rho == 0:
                raise ParamError(f"The cap of {owner} must have rho above 0.", "rho = 0.2.")
            if not 0 < cap.atto_delta < ATTO:
                raise ParamError(f"The cap of {owner} must have delta above 0 and below 1.", "delta = 1e-9.")


@dataclass(frozen=True)
class Debit:
    """What one account is to pay under today's cap."""

    name: AccountName
    cap: Loss
    loss: Loss

    @property
    def allowed_before(self) -> tuple[int, int]:
        """Give the most (pico_rho, atto_delta) that may be spent already; negative if the loss never fits."""
        most = chargeable(self.cap)
        return most.pico_rho - self.loss.pico_rho, most.atto_delta - self.loss.atto_delta


def check_minimum(losses: Iterable[Loss]) -> None:
    """Refuse a question that costs less than the least; raises ParamError."""
    asked = total(losses)
    if asked.rho < MINIMUM_RHO:
        least = f"{float(MINIMUM_RHO):g}"
        raise ParamError(f"A question costs at least rho {least}, this one {asked}.", f"rho = {least} or more.")


def check_ceiling(name: AccountName, cap: Loss, ceiling: Loss) -> None:
    """Refuse a cap above the ceiling that the dataset's first charge fixed.

    Claim: the ceiling of (dataset, window) is the loss promised to people before anything was asked; it never rises.
    Symbols: cap of today, ceiling of the first charge. Formula: cap <= ceiling, part by part.
    Source: proofs.md#the-filter. Raises CeilingRaised.
    """
    if name.client is None and not cap.fits_in(ceiling):
        raise CeilingRaised(
            f"The catalog now caps {name} at {cap}, and its first charge fixed the ceiling at {ceiling} for good.",
            f"{ceiling} or less in the catalog.",
        )


def refusal(debits: Iterable[Debit], views: Iterable[AccountView]) -> BudgetRefused:
    """Say which account is short and what would fit; views are of the same accounts, in the same order."""
    pairs = tuple(zip(debits, views, strict=True))
    short = [(debit, view) for debit, view in pairs if not debit.loss.fits_in(view.remaining)]
    # The client's own account speaks first: that is the one that its admin can raise.
    debit, view = min(short, key=lambda pair: (pair[0].name.client is None, pair[1].remaining.pico_rho))
    fits = view.remaining
    for _, other in pairs:
        fits = fits.smaller_of(other.remaining)
    return BudgetRefused(
        Code.BUDGET_DATASET if debit.name.client is None else Code.BUDGET,
        account=str(debit.name),
        requested=debit.loss,
        remaining=view.remaining,
        short_by=debit.loss.beyond(view.remaining),
        would_fit=fits if fits.rho >= MINIMUM_RHO else NOTHING,
    )
