"""Budget outlook: how many more queries of the same price fit, which account is the limit, and what would fit instead.

A further query costs the same and is new, so every holder on the client's path pays for it. This module reads neither
a clock nor a database; `forecast.py` estimates when a budget runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from budgets.accounting.accounts import LIFETIME, AccountName, AccountView
from budgets.accounting.bill import times
from budgets.accounting.holders import EVERYBODY, payers
from budgets.accounting.loss import MAX_UNITS, NOTHING, Loss, total
from budgets.accounting.policy import MINIMUM_RHO, closeness
from budgets.accounting.records import Item

Weights = tuple[int, ...]  # for each release of a query, how many times an account pays for it


@dataclass(frozen=True)
class Room:
    """The accounts that pay for a client's queries, and the limits on a single query."""

    client: str
    views: Mapping[AccountName, AccountView]  # of every holder on the client's path, per window and lifetime
    limits: tuple[Loss, ...] = ()  # maximum price of one query

    def debits(self, items: Sequence[Item]) -> tuple[tuple[AccountView, Loss], ...]:
        """Pair each account that would pay for some releases with the loss it would be debited."""
        losses: dict[str, Loss] = {}
        for item in items:
            for window in item.windows:
                losses[window] = losses.get(window, NOTHING) + item.loss
        losses[LIFETIME] = total(times(item.loss, len(item.windows)) for item in items)
        return tuple((view, loss) for window, loss in losses.items() for view in self._paying.get(window, ()))

    @cached_property
    def _paying(self) -> Mapping[str, Sequence[AccountView]]:
        """The client's paying accounts, grouped by window so that many windows are looked up one by one."""
        found: dict[str, list[AccountView]] = {}
        paying = set(payers(self.client))
        for name, view in self.views.items():
            if name.holder in paying:
                found.setdefault(name.window, []).append(view)
        return found

    def allows(self, items: Sequence[Item]) -> bool:
        """Return whether one more query with these releases fits."""
        return further(self, items) > 0


@dataclass(frozen=True)
class Outlook:
    """Remaining budget for a query, as a number of queries, with alternatives where none fits."""

    further: int  # number of new queries like it that still fit, one after another
    binds: AccountView | None  # the account that is the limit; None: the price exceeds the limit of one query
    would_fit: Loss  # largest total price that fits now; zero where none does
    fewer: tuple[str, ...] = ()  # if the query does not fit: those of its windows in which it does
    elsewhere: tuple[str, ...] = ()  # if the query does not fit: other windows in which it does
    stopped: str | None = None  # why this client is not charged at all: frozen or removed


def outlook(room: Room, items: Sequence[Item], free_windows: Sequence[str] = ()) -> Outlook:
    """Compute the budget outlook of a query.

    Claim: exactly `queries_left` new queries like it are charged and the next is refused, if nobody else is charged
    meanwhile. A query at the price `would_fit`, in the `fitting_windows`, or in one of the `other_windows` is charged.
    Symbols: remaining of each account of the tree; the debit of each; limits of one query; `free_windows`, the windows
    to which the query may be moved. Formula: queries_left = min of floor(remaining / debit) over accounts and
    components. Source: proofs.md#outlook. Raises nothing.
    """
    count = further(room, items)
    fits = would_fit(room, items)
    if count:
        return Outlook(count, _binding(room, items), fits)
    short = None if _too_dear(room, items) else _binding(room, items)
    return Outlook(0, short, fits, _fewer(room, items), _elsewhere(room, items, free_windows))


def further(room: Room, items: Sequence[Item]) -> int:
    """Count how many new queries with these releases fit one after another."""
    if _too_dear(room, items):
        return 0
    return min((_times_in(view.remaining, loss) for view, loss in room.debits(items)), default=0)


def would_fit(room: Room, items: Sequence[Item]) -> Loss:
    """Largest affordable price of these releases, divided among them as now; zero where it is below the minimum."""
    pairs = _tightest(room, items)
    rho = _largest(items, pairs, "pico_rho")
    delta = _largest(items, pairs, "atto_delta")
    found = Loss(rho, delta)
    return found if found.rho >= MINIMUM_RHO else NOTHING


def _too_dear(room: Room, items: Iterable[Item]) -> bool:
    price = total(item.loss for item in items)
    return not all(price.fits_in(limit) for limit in room.limits)


def _binding(room: Room, items: Sequence[Item]) -> AccountView:
    """Find the account that allows the fewest queries; of several, the one closest to the client."""
    pairs = room.debits(items)
    return min(pairs, key=lambda pair: (_times_in(pair[0].remaining, pair[1]), closeness(pair[0].name)))[0]


def _times_in(remaining: Loss, loss: Loss) -> int:
    counts = [
        left // each
        for left, each in ((remaining.pico_rho, loss.pico_rho), (remaining.atto_delta, loss.atto_delta))
        if each
    ]
    return min(counts)


def _tightest(room: Room, items: Sequence[Item]) -> dict[Weights, Loss]:
    """Smallest remaining loss for each distinct vector of debit multiplicities.

    Accounts that pay for the same releases equally often have the same constraint, so only the tightest one matters.
    """
    found: dict[Weights, Loss] = {}
    once = (1,) * len(items)
    for limit in room.limits:
        found[once] = found.get(once, limit).smaller_of(limit)
    over_all = tuple(len(item.windows) for item in items)
    touching: dict[str, Weights] = {}
    for view, _ in room.debits(items):
        window = view.name.window
        if window not in touching:
            touching[window] = tuple(int(window in item.windows) for item in items)
        weights = over_all if window == LIFETIME else touching[window]
        found[weights] = found.get(weights, view.remaining).smaller_of(view.remaining)
    return found


def _largest(items: Sequence[Item], tightest: Mapping[Weights, Loss], part: str) -> int:
    """Largest total price, by bisection, whose parts (divided pro rata, rounded down) meet every constraint."""
    shares = [getattr(item.loss, part) for item in items]
    shares = shares if any(shares) else [1] * len(items)  # without a delta price, delta is divided equally
    limits = [(weights, getattr(left, part)) for weights, left in tightest.items()]

    def parts(price: int) -> list[int]:
        return [price * share // sum(shares) for share in shares]

    def fits(price: int) -> bool:
        made = parts(price)
        return all(sum(map(_product, weights, made)) <= left for weights, left in limits)

    low, high = 0, MAX_UNITS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return sum(parts(low))


def _product(weight: int, share: int) -> int:
    return weight * share


def _fewer(room: Room, items: Sequence[Item]) -> tuple[str, ...]:
    """Windows of the query in which every holder can pay; the latest ones where all of them together cost too much."""
    short = {view.name.window for view, loss in room.debits(items) if not loss.fits_in(view.remaining)}
    touched = dict.fromkeys(window for item in items for window in item.windows)
    kept = tuple(window for window in touched if window not in short)
    low, high = 0, min(len(kept), len(touched) - 1)
    while low < high:
        middle = (low + high + 1) // 2
        fits = room.allows(_narrowed(items, kept[-middle:]))
        low, high = (middle, high) if fits else (low, middle - 1)
    return kept[len(kept) - low :]


def _narrowed(items: Iterable[Item], windows: tuple[str, ...]) -> list[Item]:
    """Restrict releases to some windows; a release that has none of them is unchanged."""
    some = frozenset(windows)
    return [replace(item, windows=tuple(w for w in item.windows if w in some) or windows) for item in items]


def _elsewhere(room: Room, items: Sequence[Item], windows: Iterable[str]) -> tuple[str, ...]:
    """Other windows in each of which the whole query fits."""
    touched = {window for item in items for window in item.windows}
    there = {name.window for name in room.views if name.holder == EVERYBODY}
    return tuple(
        window
        for window in windows
        if window in there - touched and room.allows([replace(item, windows=(window,)) for item in items])
    )
