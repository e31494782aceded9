"""Numbers -> where they stand in a drawing: error bars, shares and lines, as coordinates of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, EDGE = 240.0, 8.0  # user units of the viewBox


@dataclass(frozen=True)
class ErrorBar:
    """One number with its interval, on the axis that its column shares; texts of one length whatever the number."""

    low: str
    at: str
    high: str


LONGEST_BAR = ErrorBar("000.00", "000.00", "000.00")


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


@dataclass(frozen=True)
class BurnDown:
    """What is left over time, on a square of 100 by 100 that is stretched: full above, nothing below."""

    past: str
    ahead: str
    now: str


def burn_down(left: Sequence[tuple[float, float]], cap: float, now: float, ends: float | None) -> BurnDown:
    """Draw what was left after each moment until now, and in a straight line to where it ends."""
    first = left[0][0]
    span = max((ends or now) - first, 1.0)

    def at(moment: float, amount: float) -> str:
        part = min(1.0, max(0.0, amount / cap)) if cap > 0 else 0.0
        return f"{(moment - first) / span * 100:.2f},{(1 - part) * 100:.2f}"

    points, before = [at(first, cap)], cap
    for moment, amount in left:
        points += [at(moment, before), at(moment, amount)]
        before = amount
    points.append(at(now, before))
    ahead = "" if ends is None else f"{points[-1]} {at(ends, 0.0)}"
    return BurnDown(" ".join(points), ahead, f"{(now - first) / span * 100:.2f}")
