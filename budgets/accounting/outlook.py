"""Budget outlook: how many more queries of the same price fit, which account is the limit, and what would fit instead.

A further query costs the same and is new, so every holder on the client's path pays for it. This module reads neither
a clock nor a database; `forecast.py` estimates when a budget runs out.

Terms:
    items         priced releases of the query, each with the privacy windows that pay its loss
    remaining     loss that an account can still be charged
    short         of an account: its remaining loss is less than the query's debit
    multiplicity  how many times an account pays for a release: a window's account once, a lifetime account per window
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import mul

from budgets.accounting.accounts import (
    EVERYBODY,
    LIFETIME,
    MIN_QUERY_RHO,
    AccountName,
    AccountView,
    holder_rank,
    paying_holders,
)
from budgets.accounting.privacy_loss import MAX_UNITS, ZERO_LOSS, Loss, sum_losses
from budgets.accounting.records import PricedRelease

Multiplicities = tuple[int, ...]  # for each release of a query, how many times an account pays for it


@dataclass(frozen=True)
class PayingAccounts:
    """The accounts that pay for a client's queries, and the limits on a single query."""

    client: str
    views: Mapping[AccountName, AccountView]  # of every holder on the client's path, per window and lifetime
    query_limits: tuple[Loss, ...] = ()  # maximum price of one query

    def debits(self, items: Sequence[PricedRelease]) -> tuple[tuple[AccountView, Loss], ...]:
        """Pair each account that would pay for some releases with the loss it would be debited.

        A lifetime account pays for a release once in each of its windows.
        """
        losses: dict[str, Loss] = {}
        for item in items:
            for window in item.windows:
                losses[window] = losses.get(window, ZERO_LOSS) + item.loss
        losses[LIFETIME] = sum_losses(item.loss.times(len(item.windows)) for item in items)
        return tuple((view, loss) for window, loss in losses.items() for view in self.views_by_window.get(window, ()))

    @cached_property
    def views_by_window(self) -> Mapping[str, Sequence[AccountView]]:
        """The client's paying accounts, grouped by window so that many windows are looked up one by one."""
        found: dict[str, list[AccountView]] = {}
        holders = set(paying_holders(self.client))
        for name, view in self.views.items():
            if name.holder in holders:
                found.setdefault(name.window, []).append(view)
        return found

    def allows(self, items: Sequence[PricedRelease]) -> bool:
        """Return whether one more query with these releases fits."""
        return _most_queries(self, items)[0] > 0


@dataclass(frozen=True)
class Outlook:
    """Remaining budget for a query, as a number of queries, with alternatives where none fits."""

    queries_left: int  # number of new queries like it that still fit, one after another
    binding_account: AccountView | None  # the account that is the limit; None: the price exceeds the limit of one query
    would_fit: Loss  # largest total price that fits now; zero where none does
    fitting_windows: tuple[str, ...] = ()  # if the query does not fit: those of its windows in which it does
    other_windows: tuple[str, ...] = ()  # if the query does not fit: other windows in which it does
    blocked_reason: str | None = None  # why this client is not charged at all: frozen or removed
    views: Mapping[AccountName, AccountView] = field(default_factory=dict, compare=False, repr=False)  # what was read


def outlook(accounts: PayingAccounts, items: Sequence[PricedRelease], free_windows: Sequence[str] = ()) -> Outlook:
    """Compute the budget outlook of a query.

    Claim: exactly `queries_left` new queries like it are charged and the next is refused, if nobody else is charged
    meanwhile. A query at the price `would_fit`, in the `fitting_windows`, or in one of the `other_windows` is charged.
    Symbols: remaining of each account of the tree; the debit of each; limits of one query; `free_windows`, the windows
    to which the query may be moved. Formula: queries_left = min of floor(remaining / debit) over accounts and
    components. Source: proofs.md#outlook. Raises nothing.
    """
    count, binding_account = _most_queries(accounts, items)
    fits = would_fit(accounts, items)
    if count:
        return Outlook(count, binding_account, fits, views=accounts.views)
    fitting, others = _fitting_windows(accounts, items), _other_windows(accounts, items, free_windows)
    return Outlook(0, binding_account, fits, fitting, others, views=accounts.views)


def _most_queries(accounts: PayingAccounts, items: Sequence[PricedRelease]) -> tuple[int, AccountView | None]:
    """Count how many new queries with these releases fit one after another, and find the account that is the limit.

    Of several, the account closest to the client; none where one query costs more than it may.
    """
    if _exceeds_query_limit(accounts, items):
        return 0, None
    counts = ((_count_fits(view.remaining, loss), view) for view, loss in accounts.debits(items))
    return min(counts, key=lambda pair: (pair[0], holder_rank(pair[1].name)), default=(0, None))


def would_fit(accounts: PayingAccounts, items: Sequence[PricedRelease]) -> Loss:
    """Largest affordable price of these releases, divided among them as now; zero where it is below the minimum."""
    pairs = _tightest_constraints(accounts, items)
    rho = _largest_price(items, pairs, "pico_rho")
    delta = _largest_price(items, pairs, "atto_delta")
    found = Loss(rho, delta)
    return found if found.rho >= MIN_QUERY_RHO else ZERO_LOSS


def _exceeds_query_limit(accounts: PayingAccounts, items: Iterable[PricedRelease]) -> bool:
    """Check whether the query costs more than a single query may, however much budget is left."""
    price = sum_losses(item.loss for item in items)
    return not all(price.fits_in(limit) for limit in accounts.query_limits)


def _count_fits(remaining: Loss, loss: Loss) -> int:
    """Count how many times a loss fits into what remains, by rho and by delta; a component of 0 is no limit.

    A charged loss has rho above 0, so there is always a limit.
    """
    counts = [
        left // each
        for left, each in ((remaining.pico_rho, loss.pico_rho), (remaining.atto_delta, loss.atto_delta))
        if each
    ]
    return min(counts)


def _tightest_constraints(accounts: PayingAccounts, items: Sequence[PricedRelease]) -> dict[Multiplicities, Loss]:
    """Smallest remaining loss for each distinct vector of debit multiplicities.

    Accounts that pay for the same releases equally often have the same constraint, so only the tightest one matters.
    """
    found: dict[Multiplicities, Loss] = {}
    once = (1,) * len(items)
    for limit in accounts.query_limits:
        found[once] = found.get(once, limit).componentwise_min(limit)
    multiplicities = {LIFETIME: tuple(len(item.windows) for item in items)}
    for window in {window for item in items for window in item.windows}:
        multiplicities[window] = tuple(int(window in item.windows) for item in items)
    for window, times in multiplicities.items():
        for view in accounts.views_by_window.get(window, ()):
            remaining = view.remaining
            found[times] = found.get(times, remaining).componentwise_min(remaining)
    return found


def _largest_price(items: Sequence[PricedRelease], constraints: Mapping[Multiplicities, Loss], part: str) -> int:
    """Largest total price, by bisection, whose parts (divided pro rata, rounded down) meet every constraint.

    `part` = the component of losses, `pico_rho` or `atto_delta`; `constraints` = the least that remains, by how many
    times each release is paid.
    """
    shares = [getattr(item.loss, part) for item in items]
    shares = shares if any(shares) else [1] * len(items)  # without a delta price, delta is divided equally
    limits = [(weights, getattr(left, part)) for weights, left in constraints.items()]

    def parts(price: int) -> list[int]:
        """Divide a price among the releases, pro rata to their present prices."""
        return [price * share // sum(shares) for share in shares]

    def fits(price: int) -> bool:
        """Return whether a price fits every limit; an account that pays for a release k times counts it k times."""
        parts_of_price = parts(price)
        return all(sum(map(mul, weights, parts_of_price)) <= left for weights, left in limits)

    return sum(parts(_largest(MAX_UNITS, fits)))


def _fitting_windows(accounts: PayingAccounts, items: Sequence[PricedRelease]) -> tuple[str, ...]:
    """Windows of the query in which every holder can pay; the latest ones where all of them together cost too much.

    Never all windows: the whole query does not fit. The lifetime account may allow fewer than are affordable one by
    one, so bisection looks for the largest number of latest windows.
    """
    short = {view.name.window for view, loss in accounts.debits(items) if not loss.fits_in(view.remaining)}
    charged_windows = dict.fromkeys(window for item in items for window in item.windows)
    affordable = tuple(window for window in charged_windows if window not in short)
    most = min(len(affordable), len(charged_windows) - 1)
    count = _largest(most, lambda latest: accounts.allows(_restrict_windows(items, affordable[-latest:])))
    return affordable[len(affordable) - count :]


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Largest number from 1 to `most` that fits, by bisection; 0 if none does. What is below a fit fits too."""
    return bisect_left(range(1, most + 1), True, key=lambda number: not fits(number))


def _restrict_windows(items: Iterable[PricedRelease], windows: tuple[str, ...]) -> list[PricedRelease]:
    """Restrict releases to some windows; a release that has none of them is moved to all of these."""
    some = frozenset(windows)
    return [replace(item, windows=tuple(w for w in item.windows if w in some) or windows) for item in items]


def _other_windows(accounts: PayingAccounts, items: Sequence[PricedRelease], windows: Iterable[str]) -> tuple[str, ...]:
    """Other windows in each of which the whole query fits."""
    charged_windows = {window for item in items for window in item.windows}
    # windows whose accounts were read, by the dataset account that every window has
    known_windows = {name.window for name in accounts.views if name.holder == EVERYBODY}
    return tuple(
        window
        for window in windows
        if window in known_windows - charged_windows
        and accounts.allows([replace(item, windows=(window,)) for item in items])
    )
