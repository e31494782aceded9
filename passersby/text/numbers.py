"""Text of numbers, intervals, prices and budgets; never rounded in anybody's favour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

Interval = tuple[float, float]
NULL, EMPTY = "NULL", "''"
EXACT = 1e15  # below it a whole float is written without an exponent
ASYMMETRIC = 0.2  # of the wider side: above it an interval is written with both ends
SEPARATED_FROM = 1_000  # from here on digits stand in threes, but for whole numbers that may be years
MOST_VALUES = 6  # of a list that are written out
DIGITS = 2  # significant digits of an interval's half-width


def value_text(value: object) -> str:
    """Text of a value without an interval; a year has no thousands separator."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _plain_float(value)
    return printable(str(value))


def cell_texts(values: Sequence[Any], intervals: Mapping[str, Sequence[Interval | None]]) -> list[str]:
    """Texts of a column without intervals of its own; interval ends of other columns look like their numbers.

    An empty text is written as in SQL: a blank cell would look like something left out. Times that are all midnights
    (months, weeks, days) are written as dates.
    """
    if _are_midnights(values):
        return [value_text(value and value.date()) for value in values]
    amounts = any(_are_ends(values, ends) for ends in intervals.values())
    texts = (_amount_text(value) if amounts or isinstance(value, float) else value_text(value) for value in values)
    return [text or EMPTY for text in texts]


def _are_midnights(values: Sequence[Any]) -> bool:
    """Return whether the values are times on a local clock, with NULL between them, and all are midnights."""
    times = [value for value in values if value is not None]
    midnight = time(0)
    return bool(times) and all(isinstance(each, datetime) and each.timetz() == midnight for each in times)


def _are_ends(values: Sequence[Any], ends: Sequence[Interval | None]) -> bool:
    """Return whether the values are the low or high ends of another column's intervals."""
    pairs = [(value, pair) for value, pair in zip(values, ends, strict=False) if pair is not None]
    return bool(pairs) and any(all(value == pair[side] for value, pair in pairs) for side in (0, 1))


def _amount_text(value: object) -> str:
    """Text of a number with thousands separators from 1,000 on."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not SEPARATED_FROM <= abs(value) < EXACT:
        return value_text(value)
    return _number(value, 0 if float(value).is_integer() else 2)


def printable(text: str) -> str:
    """Text without characters that move a terminal's cursor, ring its bell or hide what follows."""
    spaced = (" " if sign.isspace() else sign for sign in text)
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in spaced)


def _plain_float(value: float) -> str:
    """Text of a float without separators; NULL if it is not finite."""
    if not math.isfinite(value):
        return NULL
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else f"{value:.6g}"


def noisy_text(value: object, ends: Interval | None) -> tuple[str, str]:
    """Noisy value, and separately its half-width, or both ends of an asymmetric interval.

    A number beyond its interval is one beyond its natural limits, such as a count below 0: it is shown as the nearer
    end, and the answer's data keep it as it was released. Below a limit above 0, as a group that surely has a row, only
    the high end is known: a 1 would look counted.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value_text(value), ""
    if ends is None:
        return _number(value, None), ""
    (low, high), whole = ends, isinstance(value, int)
    if low > 0 and value < low * (1 - 1e-9):
        return f"≤ {_number(_round_up(high, places := _places(high - low, whole=whole)), places)}", ""
    value = min(max(value, low), high)
    below, above = value - low, high - value
    places = _places(max((high - low) / 2, 0), whole=whole)
    if max(below, above) <= 0 or abs(below - above) > ASYMMETRIC * max(below, above):
        lowest, highest = _number(-_round_up(-low, places), places), _number(_round_up(high, places), places)
        return _number(value, places), f"[{lowest} to {highest}]"
    return _number(value, places), f"± {_number(_round_up(max(below, above), places), places)}"


def with_interval(value: object, ends: Interval | None) -> str:
    """Noisy value with its interval: 50,818 ± 120."""
    return " ".join(filter(None, noisy_text(value, ends)))


def half_width_text(half_width: float | None) -> str:
    """Return the expected half-width: ± 120."""
    if half_width is None:
        return "depends on the answer"
    places = 0 if half_width.is_integer() else _places(half_width, whole=False)
    return f"± {_number(_round_up(half_width, places), places)}"


def range_text(low: float, high: float) -> str:
    """Return a range of half-widths, to two digits: ± 120 to 3,400."""
    return f"{half_width_text(_two_digits(low))} to {half_width_text(_two_digits(high)).removeprefix('± ')}"


def parts_text(parts: Mapping[str, float]) -> str:
    """Return the parts of a half-width: noise ± 120, clipping ± 80."""
    return ", ".join(f"{part} {half_width_text(_two_digits(width))}" for part, width in parts.items())


def rough_text(number: float, digits: int = 2) -> str:
    """Text of a number rounded to some significant digits, without an exponent: 53,000."""
    rounded = float(f"{number:.{digits}g}")
    return _number(rounded, 0 if rounded.is_integer() else max(0, digits - 1 - math.floor(math.log10(abs(rounded)))))


def _two_digits(width: float) -> float:
    """Round a half-width to two significant digits."""
    return float(f"{width:.1e}")


def privacy_loss_text(price: Mapping[str, Any]) -> str:
    """Privacy loss as rho and delta, with its epsilon at a delta."""
    if not price.get("rho") and not price.get("delta"):
        return "free"
    delta = f" and delta {delta_text(price['delta'])}" if price.get("delta") else ""
    seen = price.get("epsilon_at_delta") or {}
    epsilon = f" (epsilon {epsilon_rounded_up(seen['epsilon'])} at delta {delta_text(seen['delta'])})" if seen else ""
    return f"rho {rho_text(price['rho'])}{delta}{epsilon}"


def left_text(remaining: Mapping[str, Mapping[str, Any]]) -> str:
    """Remaining rho of the client's and the dataset's accounts, and their caps."""
    return ", ".join(
        f"{who} rho {rho_text(account['rho'])} of {rho_text(account['cap_rho'])}"
        for who, key in (("you", "client"), ("all clients", "dataset"))
        if (account := remaining.get(key))
    )


def outlook_lines(outlook: Mapping[str, Any]) -> list[str]:
    """Outlook of an account, one line per fact; the first line is the most important."""
    return [printable(str(line)) for line in outlook.get("told") or []]


def rho_text(rho: float) -> str:
    """Amount of rho, without an exponent where it is readable without one."""
    text = f"{rho:.6g}"
    return text if "e" not in text else f"{rho:.2e}"


def epsilon_rounded_up(epsilon: float) -> str:
    """Epsilon to two decimals, rounded up: never below the true loss."""
    return f"{math.ceil(round(epsilon * 100, 6)) / 100:.2f}"


def delta_text(delta: float) -> str:
    """Text of a delta: 1e-9, not 1e-09."""
    return f"{delta:.2g}".replace("e-0", "e-")


RELIABILITY = {"good": "good", "fair": "fair", "poor": "poor", "noise": "may be 0"}
UNRELIABLE = ("poor", "noise")  # ratings of numbers that are marked where they are shown


def reliability_text(card: Mapping[str, Any]) -> list[str]:
    """Reliability counts and expected bias of each noisy column."""
    lines = []
    for name, words in (card.get("reliability") or {}).items():
        counted = [f"{words.count(word):,} {text}" for word, text in RELIABILITY.items() if word in words]
        bias = (card.get("predicted_bias") or {}).get(name)
        bias_texts = [f"expected bias {percent(round(bias, 3))}"] if bias and bias <= -0.001 else []
        bias_texts += _residual_bias((card.get("bias_within") or {}).get(name) or {})
        if counted:
            lines.append(f"{printable(name)}: {', '.join(counted)}{''.join(f'; {each}' for each in bias_texts)}")
    return lines


def _residual_bias(within: Mapping[str, float]) -> list[str]:
    """How far most numbers of a column may be off by clipping."""
    share, amount = within.get("share", 0.0), within.get("amount", 0.0)
    size = f"{amount:.2g}" if amount else percent(round(share, 3))
    return [f"off by up to about {size} by clipping"] if amount or share >= 0.001 else []


def proposal_text(proposal: Mapping[str, Any]) -> str:
    """Proposed question in one line: what changes, its half-widths, number of groups and price."""
    widths = [
        f"{printable(name)} {half_width_text(w)}" for name, w in proposal["expected_error"].items() if w is not None
    ]
    relative = proposal["relative_width"]
    is_relative = proposal["change"] != "more"
    more = [narrowing_text(relative, is_relative=is_relative)] if relative is not None else []
    groups = [f"{n:,} group{'' if n == 1 else 's'}"] if (n := proposal["groups"]) else []
    return "; ".join([printable(proposal["told"]), *widths, *more, *groups, privacy_loss_text(proposal["price"])])


def narrowing_text(ratio: float, *, is_relative: bool) -> str:
    """How wide intervals become: half as wide; `is_relative`: in relation to the numbers, which grow as well."""
    size = "half" if round(ratio, 2) == 0.5 else f"{ratio:.0%}"
    return f"{size} as wide{', relative to the numbers' if is_relative else ''}"


def percent(share: float) -> str:
    """Share as a percentage: 0.95 is 95%."""
    return f"{round(share * 100, 4):g}%"


def readable_bound(bound: Mapping[str, Any]) -> dict[str, Any]:
    """Contribution bound as a row for people: its bias as a percentage, and the source of its clip bound."""
    bias, why = bound.get("predicted_bias"), "; ".join(filter(None, (bound.get("why"), bound.get("norm_from"))))
    return {**bound, "predicted_bias": "" if bias is None else percent(round(bias, 4)), "why": why}


def declared_text(column: dict[str, Any], most: int | None = MOST_VALUES) -> str:
    """Return the declared values of a column: list, range, bounds or H3 cell."""
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
    if "measured_bounds" in column:
        ends = column["measured_bounds"]
        if ends is None:
            return "bounds to be measured by passersby catalog calibrate"
        return f"clamped to {value_text(ends[0])} to {value_text(ends[1])}, as measured"
    cell = column.get("h3")
    return "" if cell is None else f"H3 cell of {cell['lon']}, {cell['lat']} at resolution {cell['resolution']}"


def questions_text(rho: float, price: float | None) -> str:
    """Return the number of further questions at the default price; empty if no price is known."""
    if not price:
        return ""
    fit = math.floor(rho / price + 1e-9)
    return f"{fit:,} more question{'' if fit == 1 else 's'} of rho {rho_text(price)}"


def _places(half_width: float, *, whole: bool) -> int:
    """Decimals at which a half-width shows its significant digits."""
    if whole or half_width <= 0 or not math.isfinite(half_width):
        return 0 if whole else 3
    return min(9, max(0, DIGITS - 1 - math.floor(math.log10(half_width))))


def _round_up(value: float, places: int) -> float:
    """Round up, ignoring errors in the last bits of a float."""
    if not math.isfinite(value):
        return value
    scale: int = 10**places
    return math.ceil(round(value * scale, 6)) / scale


def _number(value: float, places: int | None) -> str:
    """Return the number with separators at a number of decimals; None: as it is."""
    if not math.isfinite(value):
        return NULL
    if places is None:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    shown = f"{value:,.{places}f}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown


def epsilon_text(account: Mapping[str, Any]) -> str:
    """Spent epsilon and its cap; empty for an account over all windows, for which there is none."""
    if account["epsilon"] is None:
        return ""
    seen = f"epsilon {epsilon_rounded_up(account['epsilon'])} of {epsilon_rounded_up(account['cap_epsilon'])}"
    return f"{seen} at delta {delta_text(account['delta'])}"


def timestamp_text(at: object) -> str:
    """Timestamp to the second."""
    return str(at or "").replace("T", " ").partition(".")[0].partition("+")[0]
