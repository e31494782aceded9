"""What the accounts leave room for: how many more questions like one, which account binds, what would fit instead.

A question like another one costs the same and is new, so that every holder on the client's path pays for it. Nothing
here knows a clock or a database; `forecast.py` says how long a budget lasts.
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

Weights = tuple[int, ...]  # for each release of a question, how many times an account pays for it


@dataclass(frozen=True)
class Room:
    """The accounts that pay for a client's questions, as they stand, and the most that one question may cost."""

    client: str
    views: Mapping[AccountName, AccountView]  # of every holder on the path, in each window and over all of them
    limits: tuple[Loss, ...] = ()  # of one question

    def debits(self, items: Sequence[Item]) -> tuple[tuple[AccountView, Loss], ...]:
        """Pair every account that would pay for some releases with what it would be debited."""
        losses: dict[str, Loss] = {}
        for item in items:
            for window in item.windows:
                losses[window] = losses.get(window, NOTHING) + item.loss
        losses[LIFETIME] = total(times(item.loss, len(item.windows)) for item in items)
        return tuple((view, loss) for window, loss in losses.items() for view in self._paying.get(window, ()))

    @cached_property
    def _paying(self) -> Mapping[str, Sequence[AccountView]]:
        """Part the accounts that pay for this client by window: years of days are looked at one by one."""
        found: dict[str, list[AccountView]] = {}
        paying = set(payers(self.client))
        for name, view in self.views.items():
            if name.holder in paying:
                found.setdefault(name.window, []).append(view)
        return found

    def allows(self, items: Sequence[Item]) -> bool:
        """Tell whether one more question of these releases fits."""
        return further(self, items) > 0


@dataclass(frozen=True)
class Outlook:
    """What is left for a question, told in questions."""

    further: int  # new questions like it that still fit, asked one after the other
    binds: AccountView | None  # the account that allows no more; None where one question may not cost so much
    would_fit: Loss  # the largest price of the whole question that fits now; nothing where none does
    fewer: tuple[str, ...] = ()  # where it does not fit: those of its windows in which it does
    elsewhere: tuple[str, ...] = ()  # where it does not fit: other windows in which it does
    stopped: str | None = None  # why nothing is charged to this client at all


def outlook(room: Room, items: Sequence[Item], free_windows: Sequence[str] = ()) -> Outlook:
    """Say what is left for a question.

    Claim: so many new questions like it are charged, and one more is refused, if nobody else is charged meanwhile; so
    is a question at the price that would fit, in the fewer windows, or in one of the others. Symbols: remaining of each
    account of the tree, what the question debits it, limits of one question, `free_windows` = those it may be moved to.
    Formula: further = least floor(remaining / loss), part by part. Source: proofs.md#outlook. Raises nothing.
    """
    count = further(room, items)
    fits = would_fit(room, items)
    if count:
        return Outlook(count, _binding(room, items), fits)
    short = None if _too_dear(room, items) else _binding(room, items)
    return Outlook(0, short, fits, _fewer(room, items), _elsewhere(room, items, free_windows))


def further(room: Room, items: Sequence[Item]) -> int:
    """Count the new questions of these releases that fit, one after the other."""
    if _too_dear(room, items):
        return 0
    return min((_times_in(view.remaining, loss) for view, loss in room.debits(items)), default=0)


def would_fit(room: Room, items: Sequence[Item]) -> Loss:
    """Give the largest price at which these releases fit, shared as now; nothing where it is below the least."""
    pairs = _tightest(room, items)
    rho = _largest(items, pairs, "pico_rho")
    delta = _largest(items, pairs, "atto_delta")
    found = Loss(rho, delta)
    return found if found.rho >= MINIMUM_RHO else NOTHING


def _too_dear(room: Room, items: Iterable[Item]) -> bool:
    price = total(item.loss for item in items)
    return not all(price.fits_in(limit) for limit in room.limits)


def _binding(room: Room, items: Sequence[Item]) -> AccountView:
    """Find the account that allows the fewest questions; of several, the one that is closest to the client."""
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
    """Give the least that is left among accounts that pay alike: once for some releases, or so many times."""
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
    """Find the largest sum of shares, each rounded down, at which no account is short in one part of a loss."""
    shares = [getattr(item.loss, part) for item in items]
    shares = shares if any(shares) else [1] * len(items)  # what costs no delta is told what there is
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
    """Find the windows in which every holder has room: the latest ones, if all windows together allow no more."""
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
    """Ask the same about some windows alone."""
    some = frozenset(windows)
    return [replace(item, windows=tuple(w for w in item.windows if w in some) or windows) for item in items]


def _elsewhere(room: Room, items: Sequence[Item], windows: Iterable[str]) -> tuple[str, ...]:
    """Find other windows in which the whole question fits, each for itself."""
    touched = {window for item in items for window in item.windows}
    there = {name.window for name in room.views if name.holder == EVERYBODY}
    return tuple(
        window
        for window in windows
        if window in there - touched and room.allows([replace(item, windows=(window,)) for item in items])
    )
