"""Numbers -> where they stand in a drawing: error bars and lines, as coordinates of an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, EDGE = 240.0, 160.0, 8.0  # user units of the viewBox


@dataclass(frozen=True)
class ErrorBar:
    """One number with its interval, on the axis that its column shares; texts of one length whatever the number."""

    low: str
    at: str
    high: str


def error_bars(values: Sequence[Any], intervals: Sequence[Any]) -> list[ErrorBar | None]:
    """Place the numbers of one column on an axis that holds 0 and every interval; None where there is no interval."""
    told = [(value, *pair) for value, pair in zip(values, intervals, strict=True) if pair and value is not None]
    if not told:
        return [None] * len(values)
    ends = [0.0, *(float(end) for each in told for end in each)]
    least, most = min(ends), max(ends)
    span = (most - least) or 1.0

    def place(number: float) -> str:
        return f"{EDGE + (float(number) - least) / span * (WIDTH - 2 * EDGE):06.2f}"

    return [
        ErrorBar(place(pair[0]), place(value), place(pair[1])) if pair and value is not None else None
        for value, pair in zip(values, intervals, strict=True)
    ]


def share(spent: float, cap: float) -> float:
    """Give how much of a cap is spent, from 0 to 1."""
    return 1.0 if cap <= 0 else min(1.0, max(0.0, spent / cap))


def alert(spent: float, cap: float) -> str | None:
    """Name the highest mark that a budget has passed: 50, 80 or 100 %."""
    part = share(spent, cap)
    return next((f"{mark}%" for mark in (100, 80, 50) if part >= mark / 100 - 1e-12), None)


def steps(moments: Sequence[float], amounts: Sequence[float], until: float, top: float) -> str:
    """Draw a sum that grows at moments as the points of a line, from the first moment until now."""
    if not moments:
        return ""
    span, high, total = max(until - moments[0], 1.0), top or 1.0, 0.0
    points: list[str] = []
    for moment, amount in zip(moments, amounts, strict=True):
        x = EDGE + (moment - moments[0]) / span * (2 * WIDTH - 2 * EDGE)
        points += [f"{x:.1f},{_height(total, high):.1f}", f"{x:.1f},{_height(total + amount, high):.1f}"]
        total += amount
    return " ".join([*points, f"{2 * WIDTH - EDGE:.1f},{_height(total, high):.1f}"])


def _height(amount: float, high: float) -> float:
    part = amount / high if math.isfinite(high) else 0.0
    return HEIGHT - EDGE - min(1.0, part) * (HEIGHT - 2 * EDGE)
