"""An answer -> a drawing with its intervals: lines over time, bars over names; matplotlib draws."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any

from passersby.errors import RefusedError
from passersby.result.protocols import Answer, Interval
from passersby.text.wording import percent, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Okabe and Ito's colours, told apart by nearly everybody
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
INK, FAINT = "#333333", "#777777"
WIDTH_INCHES, ROW_INCHES, LEAST_INCHES = 8.0, 0.32, 3.6
MOST_BARS = 60


@dataclass(frozen=True)
class Series:
    """One line or one set of bars."""

    name: str
    keys: list[Any]
    values: list[float]
    below: list[float]  # from the value to the low end; 0 where no interval is known
    above: list[float]


def plot(result: Answer, *, value: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw one noisy column over the keys: a line where one of them is time or counts up, else bars over the first.

    The other keys make one line, or one bar, for each of their values together. Raise RefusedError where nothing can be
    drawn.
    """
    value = value_column(result, value)
    keys = _along_first(result, [name for name in result.columns if name not in result.intervals and name != value])
    series = _series(result, value, keys)
    if not any(each.values for each in series):
        raise RefusedError("E_PARAM", f"{value} has no number to draw.", "a question with coarser groups")
    ax = ax or new_axes(_height(series))
    if _are_lines(series) and keys:
        _lines(ax, series)
        ax.set_xlabel(keys[0])
        ax.set_ylabel(value)
    else:
        _bars(ax, series)
        ax.set_xlabel(value)
    if len(series) > 1:
        ax.legend(title=", ".join(keys[1:]), frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return signed(ax, result, "whiskers: ")


def value_column(result: Answer, value: str | None) -> str:
    """Find the column to draw: the one that is named, or the first with noise."""
    if value is None:
        value = next(iter(result.intervals), None)
    if value is None or value not in result.columns:
        why = "There is no number with noise." if value is None else f"There is no column {value}."
        raise RefusedError("E_PARAM", why, f"value=..., one of {', '.join(result.columns)}")
    return value


def new_axes(height_inches: float) -> Axes:
    """Give axes on a drawing of their own."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return ax


def signed(ax: Axes, result: Answer, shown_as: str = "") -> Axes:
    """Take away what says nothing, and say above what intervals are shown as."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    known = result.confidence and result.intervals
    told = f"{shown_as}{percent(result.confidence)} intervals" if known and result.confidence else "no intervals"
    if result.rehearsal:
        told = "made-up rows: these numbers mean nothing"
    ax.annotate(
        told, (1, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize=8, color=FAINT, annotation_clip=False
    )
    return ax


def _along_first(result: Answer, keys: list[str]) -> list[str]:
    """Put the key first that a line can run along: time, else what counts up; none is moved where there is no such."""
    for kind in (datetime.date, int):
        for name in keys:
            place = result.columns.index(name)
            if _in_order([row[place] for row in result.rows], kind):
                return [name, *(key for key in keys if key != name)]
    return keys


def _series(result: Answer, value: str, keys: Sequence[str]) -> list[Series]:
    at = [result.columns.index(name) for name in (*keys, value)]
    ends = result.intervals.get(value) or [None] * len(result)
    found: dict[str, list[tuple[Any, float, Interval | None]]] = {}
    for row, pair in zip(result.rows, ends, strict=True):
        *key, number = [row[place] for place in at]
        if isinstance(number, int | float) and not isinstance(number, bool):
            name = ", ".join(map(value_text, key[1:])) or value
            found.setdefault(name, []).append((key[0] if key else value, float(number), pair))
    return [_one(name, points) for name, points in found.items()]


def _one(name: str, points: Sequence[tuple[Any, float, Interval | None]]) -> Series:
    below = [max(0.0, number - pair[0]) if pair else 0.0 for _, number, pair in points]
    above = [max(0.0, pair[1] - number) if pair else 0.0 for _, number, pair in points]
    return Series(name, [key for key, _, _ in points], [number for _, number, _ in points], below, above)


def _in_order(keys: Sequence[Any], kind: type | UnionType = datetime.date | int) -> bool:
    """Tell whether keys are moments or whole numbers, of which a line makes sense."""
    return bool(keys) and all(isinstance(key, kind) and not isinstance(key, bool) for key in keys)


def _are_lines(series: Sequence[Series]) -> bool:
    """Tell whether there is a line to draw: of one point alone there is none."""
    return all(_in_order(each.keys) for each in series) and any(len(each.keys) > 1 for each in series)


def _lines(ax: Axes, series: Sequence[Series]) -> None:
    for each, colour in zip(series, _colours(len(series)), strict=True):
        order = sorted(range(len(each.keys)), key=lambda place: each.keys[place])
        x = [each.keys[place] for place in order]
        y, below, above = ([column[place] for place in order] for column in (each.values, each.below, each.above))
        ax.errorbar(x, y, (below, above), label=each.name, color=colour, marker="o", ms=3.5, lw=1.4, elinewidth=1)
    ax.axhline(0, color=FAINT, lw=0.6)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    if isinstance(series[0].keys[0], datetime.date):
        ax.figure.autofmt_xdate()
    else:
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _bars(ax: Axes, series: Sequence[Series]) -> None:
    names = list(dict.fromkeys(value_text(key) for each in series for key in each.keys))[:MOST_BARS]
    thick = 0.8 / len(series)
    for number, (each, colour) in enumerate(zip(series, _colours(len(series)), strict=True)):
        shown = [i for i, key in enumerate(each.keys) if value_text(key) in names]
        y = [names.index(value_text(each.keys[i])) - 0.4 + thick * (number + 0.5) for i in shown]
        pick: Mapping[str, list[float]] = {
            part: [getattr(each, part)[i] for i in shown] for part in ("values", "below", "above")
        }
        ax.barh(y, pick["values"], thick * 0.9, color=colour, alpha=0.75, label=each.name)
        ax.errorbar(
            pick["values"], y, xerr=(pick["below"], pick["above"]), fmt="none", ecolor=INK, elinewidth=1, capsize=2
        )
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.axvline(0, color=FAINT, lw=0.6)
    ax.xaxis.set_major_formatter("{x:,.6g}")


def _height(series: Sequence[Series]) -> float:
    if _are_lines(series):
        return LEAST_INCHES
    bars = min(MOST_BARS, len({value_text(key) for each in series for key in each.keys})) * len(series)
    return max(LEAST_INCHES * 0.6, 1.2 + ROW_INCHES * bars * (1 if len(series) == 1 else 0.6))


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
