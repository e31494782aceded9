"""What owners and admins allow: the ceiling that never rises, caps below it, the least that a question costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from budgets.accounting.accounts import LIFETIME, UNCAPPED, AccountName, AccountView
from budgets.accounting.holders import ALL_CLIENTS, EVERYBODY
from budgets.accounting.loss import ATTO, NOTHING, Loss, total
from budgets.errors import BudgetRefused, CeilingRaised, Code, ParamError

MINIMUM_RHO = Fraction(1, 10_000)  # of one question; below it noise drowns everything and rows cost more than they say
STATIC = "static"  # the window of what has no time
EACH_WINDOW = "*each"  # the scope of a cap that holds in every window
PER_QUERY = "*query"  # the scope of a cap on one question


@dataclass(frozen=True)
class Caps:
    """Today's caps of a dataset as the catalog states them, for each window; delta is the whole promise's."""

    dataset: Loss  # everybody together: the ceiling
    client: Loss  # the client who asks, unless an admin granted another
    reserve: Loss = NOTHING  # what all clients together leave to the owner
    static: Loss | None = None  # everybody's in the window of what has no time; None: as in any other
    query: Loss | None = None  # the most that one question may cost its client; its delta is the thresholds' alone
    lifetime: Loss | None = None  # the client's own over all windows; None: the sum of theirs

    def __post_init__(self) -> None:
        """Refuse a cap without rho, or without a delta from 0 to 1."""
        check_cap("the dataset", self.dataset)
        check_cap("a client", self.client)
        check_cap("the static window", self.everybody(STATIC))
        check_cap("a client's lifetime", self.lifetime or self.client)
        for window in (STATIC, ""):
            check_cap("all clients beside the owner's reserve", self.everybody(window).beyond(self.reserve))

    def everybody(self, window: str) -> Loss:
        """Give the ceiling of a window."""
        return self.static if window == STATIC and self.static is not None else self.dataset

    def of(self, account: AccountName, client: str) -> Loss:
        """Give the cap of an account that pays for a client's question, where no admin has granted another.

        Claim: everybody's cap alone carries the guarantee. Symbols: a window's ceiling, owner's reserve, client's cap.
        Formula: everybody ceiling, all clients ceiling - reserve, a group ceiling, the client its own.
        Source: proofs.md#the-tree-of-accounts. Raises nothing.
        """
        if account.window == LIFETIME:
            return self.lifetime if account.holder == client and self.lifetime is not None else UNCAPPED
        ceiling = self.everybody(account.window)
        if account.holder == ALL_CLIENTS:
            return ceiling.beyond(self.reserve)
        if account.holder == client:
            return self.client.smaller_of(ceiling) if account.window == STATIC else self.client
        return ceiling


@dataclass(frozen=True)
class Grant:
    """A cap that an admin has set for a client or a group of clients."""

    dataset: str
    holder: str
    scope: str  # EACH_WINDOW, LIFETIME, PER_QUERY, or the name of one window
    cap: Loss
    sequence: int  # of the row that says so; what was granted last holds


@dataclass(frozen=True)
class Debit:
    """What some holders pay in some windows: the same loss in each."""

    holders: tuple[str, ...]
    windows: tuple[str, ...]
    loss: Loss

    @property
    def accounts(self) -> int:
        """Count the accounts that pay."""
        return len(self.holders) * len(self.windows)


def check_cap(owner: str, cap: Loss) -> None:
    """Refuse a cap without rho, or whose delta can't be converted; raises ParamError."""
    if cap.pico_rho == 0:
        raise ParamError(f"The cap of {owner} must have rho above 0.", "rho = 0.2.")
    if not 0 < cap.atto_delta < ATTO:
        raise ParamError(f"The cap of {owner} must have delta above 0 and below 1.", "delta = 1e-9.")


def granted(default: Loss, grants: Iterable[Grant], account: AccountName) -> Loss:
    """Give the cap of an account: what was granted last for its window or for each window, else the catalog's."""
    scopes = {account.window} if account.window == LIFETIME else {account.window, EACH_WINDOW}
    fitting = [grant for grant in grants if grant.holder == account.holder and grant.scope in scopes]
    return max(fitting, key=lambda grant: grant.sequence).cap if fitting else default


def todays_caps(
    names: Iterable[AccountName], caps: Caps, grants: Sequence[Grant], client: str
) -> dict[AccountName, Loss]:
    """Give the cap that holds now of each account on a client's path."""
    return {name: granted(caps.of(name, client), grants, name) for name in names}


def query_limits(caps: Caps, grants: Iterable[Grant]) -> tuple[Loss, ...]:
    """List the most that one question may cost its client: by the catalog, and by what admins set on its path."""
    return tuple(grant.cap for grant in grants if grant.scope == PER_QUERY) + ((caps.query,) if caps.query else ())


def check_query(loss: Loss, limits: Iterable[Loss], client: str, fits: Callable[[], Loss]) -> None:
    """Refuse a question that costs its client more than one question may; raises BudgetRefused."""
    for limit in limits:
        if not loss.fits_in(limit):
            raise BudgetRefused(
                Code.BUDGET,
                account=f"one question of client {client!r}",
                requested=loss,
                remaining=limit,
                short_by=loss.beyond(limit),
                would_fit=fits(),
            )


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
    if name.holder == EVERYBODY and not cap.fits_in(ceiling):
        raise CeilingRaised(
            f"The catalog now caps {name} at {cap}, and its first charge fixed the ceiling at {ceiling} for good.",
            f"{ceiling} or less in the catalog.",
        )


def refusal(asked: Iterable[tuple[AccountView, Loss]], fits: Loss) -> BudgetRefused:
    """Say which account is short of a debit, and what would fit in all of them."""
    short = [(view, loss) for view, loss in asked if not loss.fits_in(view.remaining)]
    view, loss = min(short, key=lambda pair: (closeness(pair[0].name), pair[0].remaining.pico_rho))
    return BudgetRefused(
        Code.BUDGET_DATASET if view.name.client is None else Code.BUDGET,
        account=str(view.name),
        requested=loss,
        remaining=view.remaining,
        short_by=loss.beyond(view.remaining),
        would_fit=fits,
        window=view.name.window,
    )


def closeness(name: AccountName) -> int:
    """Order holders: the client's own account first, as the one that its admin can raise, and everybody's last."""
    shared = {ALL_CLIENTS: 1, EVERYBODY: 2}
    return shared.get(name.holder, -name.holder.count("/"))
