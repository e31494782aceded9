"""Plots of an answer with its intervals by matplotlib: lines over time, bars over names. Maps are in maps.py."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from types import UnionType
from typing import TYPE_CHECKING, Any, NamedTuple

from passersby.errors import RefusedError
from passersby.result.bars import is_clear
from passersby.result.card import Answer
from passersby.result.summary import level_of
from passersby.text.numbers import value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Okabe and Ito's colours, which nearly everybody can distinguish; their black is the text colour of the style
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "", "#F0E442")
FAINT, PALE, PALER = 0.6, 0.2, 0.07  # shares of the text colour in remarks, borders, areas
WIDTH_INCHES, ROW_INCHES, LEAST_INCHES = 8.0, 0.32, 3.6
MARKERS = "os^Dv*PX"  # one a colour: lines are told apart without colours, too
MOST_BARS, MOST_SERIES = 40, len(COLOURS) - 1
SPARSE = 0.6  # share of all combinations of keys: with fewer, sets of bars would mostly be gaps
AXIS_NUMBERS = "{x:,.12g}"  # in full: an exponent is for programs
WIDE_FROM, FEW_TICKS = 1e6, 5  # from these numbers on, tick labels are wide
SMALL = 8  # points of remarks
PALE_ALPHA = 0.25
PALE_BARS = "pale bars: may be 0, or off by more than their own length"
Colour = tuple[float, float, float]


class Point(NamedTuple):
    """One number of a line or a set of bars."""

    key: Any
    value: float
    below: float  # from the value to the low end; 0 where no interval is known
    above: float
    row: int = 0  # of the answer


Series = Mapping[str, Sequence[Point]]  # points of each line, or of each set of bars


def plot(result: Answer, *, value: str | None = None, ax: Axes | None = None) -> Axes:
    """Plot one noisy column over the keys: a line if a key is time or a whole number, else bars over the first key.

    Each combination of the other keys' values makes one line or one set of bars. Of too many lines the largest are
    drawn, and too many sets are single bars. Raises RefusedError if nothing can be drawn.
    """
    value = value_column(result, value)
    keys = _ordered_key_first(
        result, [name for name in result.columns if name not in result.intervals and name != value]
    )
    keys = _without_coordinates(result, keys)
    every, nulls = _without_null_time(_series(result, value, keys))
    series = _few_series(every, value)
    if not series:
        raise RefusedError("E_PARAM", f"{value} has no number to draw.", "a question with coarser groups")
    ax = ax or new_axes(_height(series))
    if _has_lines(series) and keys:
        _lines(ax, series)
        ax.set_xlabel(keys[0])
        ax.set_ylabel(value)
    else:
        _bars(ax, series)
        ax.set_xlabel(value)
    if len(series) > 1:
        handles = _legend_handles(ax, series)
        ax.legend(handles=handles, title=", ".join(keys[1:]), frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    drawn, found = (len(series), len(every)) if _has_lines(series) else (MOST_BARS, len(_bar_names(series)))
    cut = f"the {drawn} largest of {found:,}" if drawn < found else ""
    missing = f"not drawn: {nulls:,} number{'' if nulls == 1 else 's'} where {keys[0]} is NULL" if nulls else ""
    pale = PALE_BARS if any(bar.get_alpha() == PALE_ALPHA for bar in ax.patches) else ""
    title = f"{value} by {', '.join(keys)}" if keys else value
    return finish_axes(ax, result, title, f"whiskers: {level_text(result)}", pale, cut, missing)


def value_column(result: Answer, value: str | None) -> str:
    """Column to plot: the named one, or the first noisy one; raises RefusedError."""
    if value is None:
        value = next(iter(result.intervals), None)
    if value is None or value not in result.columns:
        why = "There is no number with noise." if value is None else f"There is no column {value}."
        raise RefusedError("E_PARAM", why, f"value=..., one of {', '.join(result.columns)}")
    return value


def new_axes(height_inches: float) -> Axes:
    """Axes of a new figure."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return ax


def finish_axes(ax: Axes, result: Answer, title: str, *remarks: str) -> Axes:
    """Remove needless spines; write a title above the plot, unless it has one, and remarks in small below the title."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    lines = ["synthetic rows: these numbers mean nothing"] if result.rehearsal else [each for each in remarks if each]
    if not ax.get_title() and not ax.get_title(loc="left"):
        ax.set_title(title, loc="left", fontweight="bold", fontsize=11, pad=8 + 11 * len(lines))
    ax.annotate(
        "\n".join(lines), (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", va="bottom",
        fontsize=SMALL, color=mixed(FAINT), annotation_clip=False,
    )  # fmt: skip
    return ax


def level_text(result: Answer) -> str:
    """Level of the intervals, or that there are none."""
    return level_of(result) if result.confidence and result.intervals else "no intervals"


def mixed(share: float) -> Colour:
    """Mix of the style's background (0) and its text colour (1): readable on light and on dark styles."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    ink = to_rgb(rcParams["text.color"])
    surface = next((rcParams[name] for name in ("axes.facecolor", "figure.facecolor") if rcParams[name] != "none"), "w")
    share **= 0.7 if sum(ink) > sum(to_rgb(surface)) else 1.0  # faint light lines are hard to see on a dark surface
    red, green, blue = (share * one + (1 - share) * other for one, other in zip(ink, to_rgb(surface), strict=True))
    return red, green, blue


def _series_colours() -> Iterable[Any]:
    """Colours of series, again from the first one after the last; on a dark style bright blue comes first."""
    order = sorted(COLOURS, key=lambda colour: colour != main_colour())
    return cycle(colour or mixed(1) for colour in order)


def main_colour() -> str:
    """Colour of a single series, and of arrows."""
    return COLOURS[5 if sum(mixed(0)) < sum(mixed(1)) else 0]


def _ordered_key_first(result: Answer, keys: list[str]) -> list[str]:
    """Keys with an ordered one first, time before whole numbers, and of these that with most values."""
    values = {name: [row[result.columns.index(name)] for row in result.rows] for name in keys}
    for kind in (datetime.date, int):
        if ordered := [name for name in keys if _is_ordered(values[name], kind)]:
            first = max(ordered, key=lambda name: len(set(values[name])))
            return [first, *(key for key in keys if key != first)]
    return keys


def _without_coordinates(result: Answer, keys: list[str]) -> list[str]:
    """Keys without decimals of a thing that the first key names alone: a place needs no coordinates in its name."""
    values = {name: [row[result.columns.index(name)] for row in result.rows] for name in keys}
    if not keys or len(set(map(value_text, values[keys[0]]))) < len(result):
        return keys
    return [name for name in keys if name == keys[0] or not all(isinstance(each, float) for each in values[name])]


def _series(result: Answer, value: str, keys: Sequence[str]) -> Series:
    """Points of each line or set of bars, by the values of all keys but the first."""
    at = [result.columns.index(name) for name in (*keys, value)]
    ends = result.intervals.get(value) or [None] * len(result)
    found: dict[str, list[Point]] = {}
    for i, (row, pair) in enumerate(zip(result.rows, ends, strict=True)):
        *key, number = [row[place] for place in at]
        if isinstance(number, int | float) and not isinstance(number, bool):
            low, high = pair or (number, number)
            shown = min(max(float(number), low), high)  # the nearest within natural limits, as in a table
            point = Point(key[0] if key else value, shown, shown - low, high - shown, i)
            found.setdefault(", ".join(map(value_text, key[1:])) or value, []).append(point)
    return found


def _few_series(series: Series, value: str) -> Series:
    """No more series than colours: the largest lines; instead of many or sparse sets, bars that all keys name."""
    if _has_lines(series):
        if len(series) <= MOST_SERIES:
            return series
        largest = sorted(series, key=lambda name: -sum(point.value for point in series[name]))[:MOST_SERIES]
        return {name: series[name] for name in series if name in largest}
    named = [(name, point) for name, points in series.items() for point in points]
    if len(series) <= MOST_SERIES and len(named) >= SPARSE * len(series) * len(_bar_names(series)):
        return series
    points = [each._replace(key=f"{value_text(each.key)}, {name}") for name, each in named]
    return {value: sorted(points, key=lambda point: point.row)}


def _is_ordered(keys: Sequence[Any], kind: type | UnionType = datetime.date | int) -> bool:
    """Return whether all keys but NULL are dates, or all whole numbers, so that a line makes sense."""
    known = [key for key in keys if key is not None]
    return bool(known) and all(isinstance(key, kind) and not isinstance(key, bool) for key in known)


def _without_null_time(series: Series) -> tuple[Series, int]:
    """Leave out points without a place on a line, and count them; bars keep theirs."""
    if not _has_lines(series):
        return series, 0
    known = {name: [point for point in points if point.key is not None] for name, points in series.items()}
    nulls = sum(map(len, series.values())) - sum(map(len, known.values()))
    return {name: points for name, points in known.items() if points}, nulls


def _has_lines(series: Series) -> bool:
    """Return whether there is a line to draw, of at least two points."""
    lines = [[point.key for point in points if point.key is not None] for points in series.values()]
    return all(_is_ordered(keys) for keys in lines if keys) and any(len(keys) > 1 for keys in lines)


def _lines(ax: Axes, series: Series) -> None:
    """Draw each series as a line with error bars, fainter ones where lines cross."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    for (name, points), colour, marker in zip(series.items(), _series_colours(), cycle(MARKERS), strict=False):
        x, y, below, above, _ = zip(*sorted(points, key=lambda point: point.key), strict=True)
        look = {"color": colour, "marker": marker, "ms": 3.5 if marker == "o" else 5}
        drawn = ax.errorbar(x, y, (below, above), label=name, lw=1.4, elinewidth=1, **look)
        for whiskers in drawn[2]:
            whiskers.set_alpha(1.0 if len(series) == 1 else 0.45)
    ax.axhline(0, color=mixed(FAINT), lw=0.6)
    ax.yaxis.set_major_formatter(AXIS_NUMBERS)
    ax.margins(x=0.02)
    if isinstance(next(iter(series.values()))[0].key, datetime.date):
        moments = len({point.key for points in series.values() for point in points})
        locator = AutoDateLocator(minticks=min(5, moments - 1))  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, steps=[1, 2, 3, 5, 10]))


def _bars(ax: Axes, series: Series) -> None:
    """Draw each series as horizontal bars with error bars; of too many names the largest, largest first.

    Bars of numbers that may be noise alone are pale.
    """
    from matplotlib.ticker import MaxNLocator

    names, thick = _largest_names(series), 0.8 / len(series)
    for number, ((name, points), colour) in enumerate(zip(series.items(), _series_colours(), strict=False)):
        shown = [point for point in points if value_text(point.key) in names]
        y = [names.index(value_text(point.key)) - 0.4 + thick * (number + 0.5) for point in shown]
        values, errors = [point.value for point in shown], [[p.below for p in shown], [p.above for p in shown]]
        bars = ax.barh(y, values, thick * 0.9, color=colour, alpha=0.75, label=name)
        for bar, point in zip(bars, shown, strict=True):
            ends = point.value - point.below, point.value + point.above
            bar.set_alpha(0.75 if is_clear(point.value, ends) else PALE_ALPHA)
        ax.errorbar(values, y, xerr=errors, fmt="none", ecolor=mixed(0.9), elinewidth=1, capsize=2)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.axvline(0, color=mixed(FAINT), lw=0.6)
    ax.xaxis.set_major_formatter(AXIS_NUMBERS)
    if max(map(abs, ax.get_xlim())) >= WIDE_FROM:
        ax.xaxis.set_major_locator(MaxNLocator(FEW_TICKS))


def _legend_handles(ax: Axes, series: Series) -> list[Any]:
    """List the handles of a legend: bars in their order, lines as they end, the highest first."""
    handles, names = ax.get_legend_handles_labels()
    if not _has_lines(series):
        return handles
    ends = {name: max(points, key=lambda point: point.key).value for name, points in series.items()}
    return [handles[names.index(name)] for name in sorted(names, key=lambda name: -ends[name])]


def _bar_names(series: Series) -> list[str]:
    """Texts of the keys, each once."""
    return list(dict.fromkeys(value_text(point.key) for points in series.values() for point in points))


def _largest_names(series: Series) -> list[str]:
    """Texts of the keys that are drawn: all in the order of the answer, or those with the largest numbers by size."""
    names, largest = _bar_names(series), dict[str, float]()
    for point in (point for points in series.values() for point in points):
        name = value_text(point.key)
        largest[name] = max(abs(point.value), largest.get(name, 0.0))
    return names if len(names) <= MOST_BARS else sorted(names, key=largest.__getitem__, reverse=True)[:MOST_BARS]


def _height(series: Series) -> float:
    """Height of the figure in inches."""
    if _has_lines(series):
        return LEAST_INCHES
    bars = min(MOST_BARS, len(_bar_names(series))) * len(series)
    return max(LEAST_INCHES * 0.6, 1.2 + ROW_INCHES * bars * (1 if len(series) == 1 else 0.6))
