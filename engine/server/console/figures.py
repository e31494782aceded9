"""Noisy numbers, prices and what is left -> the words of a page, with no digit that noise decides.

They are those of the command line, which a test holds them against.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.accounts.ledger_words import delta_text

LONGEST = 24  # characters: no number is written longer, nor an end of its interval
LOPSIDED = 0.2  # of the wider side: above it an interval is written with both ends
GROUPED, EXACT = 1_000, 1e15  # from where on digits stand in threes, and from where on floats have an exponent
DIGITS = 2  # significant digits of an interval's half-width
WORDS = {"good": "good", "fair": "fair", "poor": "poor", "noise": "may be nothing"}


def text_of(value: object) -> str:
    """Write a value that has no interval."""
    if value is None:
        return "NULL"
    if not isinstance(value, float):
        return str(value)
    if not GROUPED <= abs(value) < EXACT:
        return f"{value:.6g}"
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"


def noisy_text(value: object, ends: Sequence[float] | None) -> tuple[str, str]:
    """Write a noisy value and, apart, what stands behind it: its half-width, or both ends of a lopsided interval."""
    if not isinstance(value, int | float) or isinstance(value, bool) or ends is None:
        return text_of(value), ""
    low, high = ends
    below, above = value - low, high - value
    places = _places((high - low) / 2, whole=isinstance(value, int))
    if max(below, above) <= 0 or abs(below - above) > LOPSIDED * max(below, above):
        return _number(value, places), f"[{_number(-_up(-low, places), places)}, {_number(_up(high, places), places)}]"
    return _number(value, places), f"± {_number(_up(max(below, above), places), places)}"


def half_width_text(half_width: float | None) -> str:
    """Write an expected error."""
    if half_width is None:
        return "depends on the answer"
    places = 0 if half_width.is_integer() else _places(half_width, whole=False)
    return f"± {_number(_up(half_width, places), places)}"


def loss_text(price: Mapping[str, Any]) -> str:
    """Write a price: rho, and the epsilon that it is at a delta."""
    if not price["rho"] and not price["delta"]:
        return "free"
    delta = f" and delta {delta_text(price['delta'], 2)}" if price["delta"] else ""
    seen = price["epsilon_at_delta"]
    epsilon = math.ceil(round(seen["epsilon"] * 100, 6)) / 100  # a loss is never told smaller than it is
    return f"rho {price['rho']:.6g}{delta} (epsilon {epsilon:.2f} at delta {delta_text(seen['delta'], 2)})"


def left_text(remaining: Mapping[str, Mapping[str, Any]]) -> str:
    """Write what the client's and the dataset's accounts have left of their caps."""
    return ", ".join(
        f"{who} rho {account['rho']:.6g} of {account['cap_rho']:.6g}"
        for who, key in (("you", "client"), ("all clients", "dataset"))
        if (account := remaining.get(key))
    )


def _places(half_width: float, *, whole: bool) -> int:
    """Give the decimal places at which a half-width shows its significant digits."""
    if whole or half_width <= 0 or not math.isfinite(half_width):
        return 0 if whole else 3
    return min(9, max(0, DIGITS - 1 - math.floor(math.log10(half_width))))


def _up(value: float, places: int) -> float:
    """Round upwards, but not because of the last bits of a float."""
    scale: int = 10**places
    return math.ceil(round(value * scale, 6)) / scale if math.isfinite(value * scale) else value


def _number(value: float, places: int) -> str:
    """Write a number at these places; what would be too long for its place in a page, with an exponent."""
    shown = f"{value:,.{places}f}"
    if len(shown) > LONGEST:
        return f"{value:.8g}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown
