"""Numbers as people read them: a value with its interval, a loss, what is left; never rounded in anybody's favour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Interval = tuple[float, float]
NULL = "NULL"
EXACT = 1e15  # below it a whole float is written without an exponent
LOPSIDED = 0.2  # of the wider side: above it an interval is written with both ends
GROUPED = 1_000  # from here on digits stand in threes, but for whole numbers that may be years
MOST_VALUES = 6  # of a list that are written out
DIGITS = 2  # significant digits of an interval's half-width


def value_text(value: object) -> str:
    """Write a value that has no interval as it is: a year gets no thousands separator."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _plain_float(value)
    return printable(str(value))


def cell_texts(values: Sequence[Any], intervals: Mapping[str, Sequence[Interval | None]]) -> list[str]:
    """Write a column without intervals of its own; ends of other columns' intervals are written like these."""
    amounts = any(_are_ends(values, ends) for ends in intervals.values())
    return [_amount_text(value) if amounts or isinstance(value, float) else value_text(value) for value in values]


def _are_ends(values: Sequence[Any], ends: Sequence[Interval | None]) -> bool:
    pairs = [(value, pair) for value, pair in zip(values, ends, strict=False) if pair is not None]
    return bool(pairs) and any(all(value == pair[side] for value, pair in pairs) for side in (0, 1))


def _amount_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not GROUPED <= abs(value) < EXACT:
        return value_text(value)
    return _number(value, 0 if float(value).is_integer() else 2)


def printable(text: str) -> str:
    """Keep text from moving a terminal's cursor, ringing its bell or hiding what follows."""
    kept = (" " if sign.isspace() else sign for sign in text)
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in kept)


def _plain_float(value: float) -> str:
    if not math.isfinite(value):
        return NULL
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else f"{value:.6g}"


def noisy_text(value: object, ends: Interval | None) -> tuple[str, str]:
    """Write a noisy value and, apart, what stands behind it: its half-width, or both ends of a lopsided interval."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value_text(value), ""
    if ends is None:
        return _number(value, None), ""
    low, high = ends
    below, above = value - low, high - value
    places = _places(max((high - low) / 2, 0), whole=isinstance(value, int))
    if max(below, above) <= 0 or abs(below - above) > LOPSIDED * max(below, above):
        return _number(value, places), f"[{_number(-_up(-low, places), places)}, {_number(_up(high, places), places)}]"
    return _number(value, places), f"± {_number(_up(max(below, above), places), places)}"


def with_interval(value: object, ends: Interval | None) -> str:
    """Write a noisy value with its interval: 50,818 ± 120."""
    return " ".join(filter(None, noisy_text(value, ends)))


def half_width_text(half_width: float | None) -> str:
    """Write an expected error."""
    if half_width is None:
        return "depends on the answer"
    places = 0 if half_width.is_integer() else _places(half_width, whole=False)
    return f"± {_number(_up(half_width, places), places)}"


def loss_text(price: Mapping[str, Any]) -> str:
    """Write a price: rho, and the epsilon that it is at a delta."""
    if not price.get("rho") and not price.get("delta"):
        return "free"
    delta = f" and delta {tiny(price['delta'])}" if price.get("delta") else ""
    seen = price.get("epsilon_at_delta") or {}
    epsilon = f" (epsilon {rounded_up(seen['epsilon'])} at delta {tiny(seen['delta'])})" if seen else ""
    return f"rho {amount(price['rho'])}{delta}{epsilon}"


def left_text(remaining: Mapping[str, Mapping[str, Any]]) -> str:
    """Write what the client's and the dataset's accounts have left of their caps."""
    return ", ".join(
        f"{who} rho {amount(account['rho'])} of {amount(account['cap_rho'])}"
        for who, key in (("you", "client"), ("all clients", "dataset"))
        if (account := remaining.get(key))
    )


def ahead_text(outlook: Mapping[str, Any]) -> list[str]:
    """Write what is left in questions, one line for each thing, the first of them for a single line."""
    return [printable(str(line)) for line in outlook.get("told") or []]


def amount(rho: float) -> str:
    """Write an amount of rho without an exponent where it can be read without one."""
    text = f"{rho:.6g}"
    return text if "e" not in text else f"{rho:.2e}"


def rounded_up(epsilon: float) -> str:
    """Write an epsilon to two places, upwards: a loss is never told smaller than it is."""
    return f"{math.ceil(round(epsilon * 100, 6)) / 100:.2f}"


def tiny(delta: float) -> str:
    """Write a delta: 1e-9, not 1e-09."""
    return f"{delta:.2g}".replace("e-0", "e-")


RELIABILITY = {"good": "good", "fair": "fair", "poor": "poor", "noise": "may be nothing"}


def trust_text(card: Mapping[str, Any]) -> list[str]:
    """Count for each noisy column how many numbers are how reliable, and say what is expected to be cut away."""
    told = []
    for name, words in (card.get("reliability") or {}).items():
        counted = [f"{words.count(word):,} {said}" for word, said in RELIABILITY.items() if word in words]
        bias = (card.get("predicted_bias") or {}).get(name)
        short = [f"expected bias {percent(round(bias, 3))}"] if bias and bias <= -0.001 else []
        short += _off((card.get("bias_within") or {}).get(name) or {})
        if counted:
            told.append(f"{printable(name)}: {', '.join(counted)}{''.join(f'; {each}' for each in short)}")
    return told


def _off(within: Mapping[str, float]) -> list[str]:
    """Say how far most numbers of a column may be off by bounding."""
    share, amount = within.get("share", 0.0), within.get("amount", 0.0)
    told = f"{amount:.2g}" if amount else percent(round(share, 3))
    return [f"off by up to about {told} by clipping"] if amount or share >= 0.001 else []


def instead_text(instead: Mapping[str, Any]) -> str:
    """Say what another question changes, how wide its intervals would be, and what it would cost."""
    widths = [
        f"{printable(name)} {half_width_text(w)}" for name, w in instead["expected_error"].items() if w is not None
    ]
    relative = instead["relative_width"]
    more = [f"relative error {relative:.0%} of what it is now"] if relative is not None else []
    groups = [f"{n:,} group{'' if n == 1 else 's'}"] if (n := instead["groups"]) else []
    return "; ".join([printable(instead["told"]), *widths, *more, *groups, loss_text(instead["price"])])


def level_text(confidence: float, held: Mapping[str, Any] | None) -> str:
    """Say how often intervals hold: each by itself, or all of an answer together."""
    if not held:
        return f"{percent(confidence)} intervals"
    return f"{percent(held['confidence'])} intervals, all {held['numbers']:,} together"


def percent(share: float) -> str:
    """Write a share: 0.95 is 95%."""
    return f"{round(share * 100, 4):g}%"


def readable_bound(bound: Mapping[str, Any]) -> dict[str, Any]:
    """Write the predicted bias of a bound as a share; where none can be told, nothing. And where the norm is from."""
    bias, why = bound.get("predicted_bias"), "; ".join(filter(None, (bound.get("why"), bound.get("norm_from"))))
    return {**bound, "predicted_bias": "" if bias is None else percent(round(bias, 4)), "why": why}


def declared_text(column: dict[str, Any], most: int | None = MOST_VALUES) -> str:
    """Say which values a column may have, as far as the catalog declares it."""
    if "values" in column:
        values = [value_text(value) for value in column["values"]]
        more = f", {len(values) - most} more" if most is not None and len(values) > most else ""
        return f"one of {', '.join(values[:most])}{more}"
    if "values_of" in column:
        return f"one of {column['values_of']}"
    for key, word in (("range", "from"), ("bounds", "clamped to")):
        if key in column:
            low, high = column[key]
            return f"{word} {value_text(low)} to {value_text(high)}"
    cell = column.get("h3")
    return "" if cell is None else f"H3 cell of {cell['lon']}, {cell['lat']} at resolution {cell['resolution']}"


def questions_text(rho: float, price: float | None) -> str:
    """Write how many more questions of the usual price fit; nothing where no price is known."""
    if not price:
        return ""
    fit = math.floor(rho / price + 1e-9)
    return f"{fit:,} more question{'' if fit == 1 else 's'} of rho {amount(price)}"


def _places(half_width: float, *, whole: bool) -> int:
    """Give the decimal places at which a half-width shows its significant digits."""
    if whole or half_width <= 0 or not math.isfinite(half_width):
        return 0 if whole else 3
    return min(9, max(0, DIGITS - 1 - math.floor(math.log10(half_width))))


def _up(value: float, places: int) -> float:
    """Round upwards, but not because of the last bits of a float."""
    if not math.isfinite(value):
        return value
    scale: int = 10**places
    return math.ceil(round(value * scale, 6)) / scale


def _number(value: float, places: int | None) -> str:
    if not math.isfinite(value):
        return NULL
    if places is None:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    shown = f"{value:,.{places}f}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown


def epsilon_text(account: Mapping[str, Any]) -> str:
    """State what was spent as epsilon; over all windows no single one follows."""
    if account["epsilon"] is None:
        return ""
    seen = f"epsilon {rounded_up(account['epsilon'])} of {rounded_up(account['cap_epsilon'])}"
    return f"{seen} at delta {tiny(account['delta'])}"


def shown_moment(at: object) -> str:
    """Shorten a moment to seconds."""
    return str(at or "").replace("T", " ").partition(".")[0].partition("+")[0]


def free_text(made_from: Sequence[Mapping[str, Any]]) -> str:
    """Say why an answer was free: it was asked before, or what is held says it."""
    return "free: made of answers that you hold" if made_from else "free: asked before, answered from store"
