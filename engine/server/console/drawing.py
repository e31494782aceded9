"""Charts and number formats of the console: SVG coordinates of error bars and lines, and numbers as text.

Noisy numbers, prices and budgets are formatted without digits that noise decides. The command line formats them the
same way, which a test compares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.accounts.audit_log import format_delta

WIDTH, EDGE = 160.0, 6.0  # user units of the viewBox


@dataclass(frozen=True)
class ErrorBar:
    """A number, its interval and 0 as x coordinates on their column's axis. All have the same text length."""

    low: str
    at: str
    high: str
    zero: str


LONGEST_BAR = ErrorBar("000.00", "000.00", "000.00", "000.00")


def error_bars(values: Sequence[Any], intervals: Sequence[Any]) -> list[ErrorBar | None]:
    """Place the numbers of one column on an axis that holds 0 and every interval; None where there is no interval."""
    with_intervals = [pair for value, pair in zip(values, intervals, strict=True) if pair and value is not None]
    if not with_intervals:
        return [None] * len(values)
    ends = [0.0, *(float(end) for each in with_intervals for end in each)]
    least, most = min(ends), max(ends)
    span = (most - least) or 1.0

    def place(number: float) -> str:
        return f"{EDGE + (float(number) - least) / span * (WIDTH - 2 * EDGE):06.2f}"

    return [
        ErrorBar(place(pair[0]), place(min(max(value, pair[0]), pair[1])), place(pair[1]), place(0.0))
        if pair and value is not None
        else None
        for value, pair in zip(values, intervals, strict=True)
    ]


def spent_share(spent: float, cap: float) -> float:
    """Share of a cap that is spent, from 0 to 1."""
    return 1.0 if cap <= 0 else min(1.0, max(0.0, spent / cap))


def questions_left(rho: float, price: float | None) -> int | None:
    """Further questions at the default price; None where no price is known."""
    return math.floor(rho / price + 1e-9) if price else None


def alert_threshold(spent: float, cap: float) -> str | None:
    """Highest alert threshold that a budget has passed: 50, 80 or 100 %."""
    share_of_cap = spent_share(spent, cap)
    return next((f"{mark}%" for mark in (100, 80, 50) if share_of_cap >= mark / 100 - 1e-12), None)


@dataclass(frozen=True)
class BurnDown:
    """Burn-down chart on a square of 100 by 100, to be stretched: full budget at the top, none at the bottom."""

    past: str
    ahead: str
    now: str


def burn_down(left: Sequence[tuple[float, float]], cap: float, now: float, ends: float | None) -> BurnDown:
    """Draw the budget left after each payment until now, and a straight line to where it is forecast to end."""
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


MAX_NUMBER_LENGTH = 24  # characters of a number or an interval end
MAX_INTERVAL_LENGTH = 2 * MAX_NUMBER_LENGTH + len("[ to ]")
LOPSIDED_SHARE = 0.2  # difference of the sides, as a share of the wider: above it both ends are shown
MIN_GROUPED, MAX_EXACT = 1_000, 1e15  # values from which digits are grouped, and from which floats have an exponent
DIGITS = 2  # significant digits of an interval's half-width
RELIABILITY_TEXTS = {"good": "good", "fair": "fair", "poor": "poor", "noise": "may be 0"}


def value_text(value: object) -> str:
    """Format a value without an interval."""
    if value is None:
        return "NULL"
    if not isinstance(value, float):
        return str(value) or "''"  # an empty text, as in SQL
    if not MIN_GROUPED <= abs(value) < MAX_EXACT:
        return f"{value:.6g}"
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"


def noisy_text(value: object, ends: Sequence[float] | None) -> tuple[str, str]:
    """Format a noisy value, and separately its half-width, or both ends of a lopsided interval.

    A number beyond its natural limits, such as a count below 0, is shown as the nearer end of its interval, and below a
    limit above 0 by its upper end alone.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or ends is None:
        return value_text(value), ""
    (low, high), whole = ends, isinstance(value, int)
    if low > 0 and value < low * (1 - 1e-9):
        places = _decimal_places(high - low, whole=whole)
        return f"≤ {_format_number(_round_up(high, places), places)}", ""
    value = min(max(value, low), high)
    below, above = value - low, high - value
    places = _decimal_places((high - low) / 2, whole=whole)
    if max(below, above) <= 0 or abs(below - above) > LOPSIDED_SHARE * max(below, above):
        lowest = _format_number(-_round_up(-low, places), places)
        return _format_number(value, places), f"[{lowest} to {_format_number(_round_up(high, places), places)}]"
    return _format_number(value, places), f"± {_format_number(_round_up(max(below, above), places), places)}"


def width_range_text(ends: Sequence[float]) -> str:
    """Short text of a range of expected errors, to two digits."""
    low, high = (half_width_text(float(f"{width:.1e}")) for width in ends)
    return f"{low} to {high.removeprefix('± ')}"


def half_width_text(half_width: float | None) -> str:
    """Short text of an expected error: the half-width of its interval."""
    if half_width is None:
        return "depends on the answer"
    places = 0 if half_width.is_integer() else _decimal_places(half_width, whole=False)
    return f"± {_format_number(_round_up(half_width, places), places)}"


def parts_text(parts: Mapping[str, float]) -> str:
    """Short text of the parts of a half-width, to two digits each."""
    return ", ".join(f"{part} {half_width_text(float(f'{width:.1e}'))}" for part, width in parts.items())


def loss_text(price: Mapping[str, Any]) -> str:
    """Format a price: rho, and its epsilon at a delta."""
    if not price["rho"] and not price["delta"]:
        return "free"
    delta = f" and delta {format_delta(price['delta'], 2)}" if price["delta"] else ""
    seen = price["epsilon_at_delta"]
    epsilon = math.ceil(round(seen["epsilon"] * 100, 6)) / 100  # never rounded down
    return f"rho {price['rho']:.6g}{delta} (epsilon {epsilon:.2f} at delta {format_delta(seen['delta'], 2)})"


def left_text(remaining: Mapping[str, Mapping[str, Any]]) -> str:
    """Short text of the remaining budget: of the client, and of all clients."""
    return ", ".join(
        f"{who} rho {account['rho']:.6g} of {account['cap_rho']:.6g}"
        for who, key in (("you", "client"), ("all clients", "dataset"))
        if (account := remaining.get(key))
    )


def _decimal_places(half_width: float, *, whole: bool) -> int:
    """Decimal places at which a half-width shows its significant digits."""
    if whole or half_width <= 0 or not math.isfinite(half_width):
        return 0 if whole else 3
    return min(9, max(0, DIGITS - 1 - math.floor(math.log10(half_width))))


def _round_up(value: float, places: int) -> float:
    """Round upwards, ignoring the last bits of a float."""
    scale: int = 10**places
    return math.ceil(round(value * scale, 6)) / scale if math.isfinite(value * scale) else value


def _format_number(value: float, places: int) -> str:
    """Format a number at these decimal places; with an exponent if it would be too long for its cell."""
    shown = f"{value:,.{places}f}"
    if len(shown) > MAX_NUMBER_LENGTH:
        return f"{value:.8g}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown
