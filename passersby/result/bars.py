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

    An interval that only chance puts below 0 (one in forty of zero counts) has no bar, and the others keep theirs.
    """
    known = [pair for pair in ends if pair is not None]
    largest = max((high for _, high in known), default=0.0)
    numbers = [value for value in values if isinstance(value, int | float)]
    if largest <= 0 or not numbers or max(numbers) <= 0:
        return []
    if sum(high < 0 for _, high in known) > len(known) * BY_CHANCE:
        return []
    return [_bar(pair, largest) for pair in ends]


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
