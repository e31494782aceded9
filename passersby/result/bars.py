"""Bars of terminal characters: numbers with intervals, and budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from passersby.result.card import Interval

CELLS = 24
BY_CHANCE = 0.1  # the largest share of intervals below 0 that is taken for noise around 0
YELLOW_FROM, RED_FROM = 0.5, 0.8  # shares spent from which on a budget looks yellow, and red


def interval_bar(values: Sequence[Any], ends: Sequence[Interval | None]) -> list[Text]:
    """Bars up to each low end, shaded from there to the high end; none if values are negative.

    A number that may be noise alone has no bar: its interval holds 0, lies below 0 by chance (one in forty of zero
    counts), or is wider to each side than the number itself.
    """
    known = [pair for pair in ends if pair is not None]
    if sum(high < 0 for _, high in known) > len(known) * BY_CHANCE:
        return []
    pairs = zip(values, ends, strict=True)
    drawn = [pair if pair is not None and is_clear(value, pair) else None for value, pair in pairs]
    largest = max((pair[1] for pair in drawn if pair is not None), default=0.0)
    return [_bar(pair, largest) for pair in drawn] if largest > 0 else []


def is_clear(value: object, ends: Interval) -> bool:
    """Return whether a number is more than noise: an interval without 0, no half of it wider than the number.

    A number beyond its interval is shown as the nearer end, and counts as that.
    """
    low, high = ends
    if not isinstance(value, int | float):
        return False
    return (low > 0 or high < 0) and (high - low) / 2 <= abs(min(max(value, low), high))


def budget_bar(share: float, cells: int = 40) -> Text:
    """Bar of the spent share of a cap."""
    share = min(1.0, max(0.0, share))
    full = min(cells, round(share * cells) or (1 if share > 0 else 0))
    look = "green" if share < YELLOW_FROM else "yellow" if share < RED_FROM else "red"
    return Text.assemble(("█" * full, look), ("░" * (cells - full), "dim"))


def _bar(pair: Interval | None, largest: float) -> Text:
    """Bar of one interval on the scale of the largest end."""
    if pair is None:
        return Text()
    low, high = (round(max(0.0, end) / largest * CELLS) for end in pair)
    return Text.assemble(("█" * low, "cyan"), ("▒" * max(0, high - low), "cyan dim"))
