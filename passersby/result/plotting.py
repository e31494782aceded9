"""Plots of an answer with its intervals: lines over time, bars over names, maps of zones; drawn by matplotlib.

A map has zones coloured by a number, or arrows between them.
"""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import NormalDist, median
from types import UnionType
from typing import TYPE_CHECKING, Any, NamedTuple

from passersby.errors import RefusedError
from passersby.result.card import Answer, Interval
from passersby.result.summary import level_of
from passersby.text.numbers import value_text, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from shapely import Geometry


# Okabe and Ito's colours, which nearly everybody can distinguish
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
INK, FAINT = "#333333", "#777777"
WIDTH_INCHES, ROW_INCHES, LEAST_INCHES = 8.0, 0.32, 3.6
MOST_BARS = 60


class Point(NamedTuple):
    """One number of a line or a set of bars."""

    key: Any
    value: float
    below: float  # from the value to the low end; 0 where no interval is known
    above: float


Series = Mapping[str, Sequence[Point]]  # points of each line, or of each set of bars


def plot(result: Answer, *, value: str | None = None, ax: Axes | None = None) -> Axes:
    """Plot one noisy column over the keys: a line if a key is time or a whole number, else bars over the first key.

    Each combination of the other keys' values makes one line or one set of bars. Raises RefusedError if nothing can be
    drawn.
    """
    value = value_column(result, value)
    keys = _ordered_key_first(
        result, [name for name in result.columns if name not in result.intervals and name != value]
    )
    series = _series(result, value, keys)
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
        ax.legend(title=", ".join(keys[1:]), frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return finish_axes(ax, result, "whiskers: ")


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


def finish_axes(ax: Axes, result: Answer, shown_as: str = "") -> Axes:
    """Remove needless spines, and write the level of the intervals above the plot."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    label = "no intervals"
    if result.rehearsal:
        label = "synthetic rows: these numbers mean nothing"
    elif result.confidence and result.intervals:
        label = f"{shown_as}{level_of(result)}"
    ax.annotate(
        label, (1, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize=8, color=FAINT, annotation_clip=False
    )
    return ax


def _ordered_key_first(result: Answer, keys: list[str]) -> list[str]:
    """Keys with an ordered one first, time before whole numbers; unchanged if there is none."""
    for kind in (datetime.date, int):
        for name in keys:
            place = result.columns.index(name)
            if _is_ordered([row[place] for row in result.rows], kind):
                return [name, *(key for key in keys if key != name)]
    return keys


def _series(result: Answer, value: str, keys: Sequence[str]) -> Series:
    """Points of each line or set of bars, by the values of all keys but the first."""
    at = [result.columns.index(name) for name in (*keys, value)]
    ends = result.intervals.get(value) or [None] * len(result)
    found: dict[str, list[Point]] = {}
    for row, pair in zip(result.rows, ends, strict=True):
        *key, number = [row[place] for place in at]
        if isinstance(number, int | float) and not isinstance(number, bool):
            low, high = pair or (number, number)
            shown = min(max(float(number), low), high)  # the nearest within natural limits, as in a table
            point = Point(key[0] if key else value, shown, shown - low, high - shown)
            found.setdefault(", ".join(map(value_text, key[1:])) or value, []).append(point)
    return found


def _is_ordered(keys: Sequence[Any], kind: type | UnionType = datetime.date | int) -> bool:
    """Return whether all keys are dates, or all whole numbers, so that a line makes sense."""
    return bool(keys) and all(isinstance(key, kind) and not isinstance(key, bool) for key in keys)


def _has_lines(series: Series) -> bool:
    """Return whether there is a line to draw, of at least two points."""
    lines = [[point.key for point in points] for points in series.values()]
    return all(map(_is_ordered, lines)) and any(len(keys) > 1 for keys in lines)


def _lines(ax: Axes, series: Series) -> None:
    """Draw each series as a line with error bars."""
    for (name, points), colour in zip(series.items(), cycle(COLOURS), strict=False):
        x, y, below, above = zip(*sorted(points, key=lambda point: point.key), strict=True)
        ax.errorbar(x, y, (below, above), label=name, color=colour, marker="o", ms=3.5, lw=1.4, elinewidth=1)
    ax.axhline(0, color=FAINT, lw=0.6)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    if isinstance(next(iter(series.values()))[0].key, datetime.date):
        ax.figure.autofmt_xdate()
    else:
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _bars(ax: Axes, series: Series) -> None:
    """Draw each series as horizontal bars with error bars; of too many names the largest, in their order."""
    names, thick = _largest_names(series), 0.8 / len(series)
    for number, ((name, points), colour) in enumerate(zip(series.items(), cycle(COLOURS), strict=False)):
        shown = [point for point in points if value_text(point.key) in names]
        y = [names.index(value_text(point.key)) - 0.4 + thick * (number + 0.5) for point in shown]
        values, errors = [point.value for point in shown], [[p.below for p in shown], [p.above for p in shown]]
        ax.barh(y, values, thick * 0.9, color=colour, alpha=0.75, label=name)
        ax.errorbar(values, y, xerr=errors, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    if len(names) < (count := len(_bar_names(series))):
        _annotate_left(ax, f"the {len(names)} largest of {count:,}")
    ax.axvline(0, color=FAINT, lw=0.6)
    ax.xaxis.set_major_formatter("{x:,.6g}")


def _bar_names(series: Series) -> list[str]:
    """Texts of the keys, each once."""
    return list(dict.fromkeys(value_text(point.key) for points in series.values() for point in points))


def _largest_names(series: Series) -> list[str]:
    """Texts of the keys that are drawn: all, or those with the largest numbers, in the order of the answer."""
    names, largest = _bar_names(series), dict[str, float]()
    for point in (point for points in series.values() for point in points):
        name = value_text(point.key)
        largest[name] = max(abs(point.value), largest.get(name, 0.0))
    drawn = set(sorted(names, key=largest.__getitem__, reverse=True)[:MOST_BARS])
    return [name for name in names if name in drawn]


def _annotate_left(ax: Axes, text: str) -> None:
    """Write a remark above the left end of a plot."""
    ax.annotate(text, (0, 1), xycoords="axes fraction", va="bottom", fontsize=8, color=FAINT, annotation_clip=False)


def _height(series: Series) -> float:
    """Height of the figure in inches."""
    if _has_lines(series):
        return LEAST_INCHES
    bars = min(MOST_BARS, len(_bar_names(series))) * len(series)
    return max(LEAST_INCHES * 0.6, 1.2 + ROW_INCHES * bars * (1 if len(series) == 1 else 0.6))


Number = tuple[float, "Interval | None"]
LEVEL = 0.95
Zones = Mapping[str, Any] | str | os.PathLike[str]
MOST_NAMES = 40  # zones on a map that bear their numbers
MOST_FLOWS = 60
SIMULTANEOUS = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(intervals = 'simultaneous') ..."
NO_ZONE = "#EEEEEE"
SKEWED_FROM = 4  # times the median: from there on a linear scale would leave most zones pale
MAP_COLOURS = "YlGnBu"  # one hue grows darker: readable without colours, too


def plot_map(
    result: Answer, zones: Zones, *, zone: str | None = None, value: str | None = None, ax: Axes | None = None
) -> Axes:
    """Map zones coloured by a number; zones that are not significantly above 0 are hatched.

    `zones` is GeoJSON, as a dict or a file, e.g. `connection.outlines("zone")`, or a dict of zone -> WKT. `zone` names
    the answer's column of zone ids: by default the first key. Raises RefusedError if no id is among the zones.
    """
    value = value_column(result, value)
    zone = zone or _first_key(result)
    shapes, numbers = shapes_of(zones), _numbers(result, (zone,), value)
    found = {key: pair for (key,), pair in numbers.items() if key in shapes}
    if not found:
        raise RefusedError("E_PARAM", f"No value of {zone} is the id of a zone.", "zone=..., or other zones")
    ax = _base_map(shapes, shapes, ax)
    _draw_choropleth(ax, shapes, found, value, _widening(result, len(found)))
    for key, (number, ends) in list(found.items())[: MOST_NAMES if len(found) <= MOST_NAMES else 0]:
        at = shapes[key].representative_point()
        ax.annotate(with_interval(round(number), ends), (at.x, at.y), ha="center", va="center", fontsize=6, color=INK)
    return finish_axes(ax, result)


def plot_flows(
    result: Answer,
    zones: Zones,
    *,
    origin: str | None = None,
    destination: str | None = None,
    value: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot arrows from origins to destinations, as thick as their numbers: the largest that are significantly above 0.

    `origin` and `destination` name columns of the answer: by default its first two keys.
    """
    value = value_column(result, value)
    origin, destination = origin or _first_key(result), destination or _first_key(result, 1)
    shapes, numbers = shapes_of(zones), _numbers(result, (origin, destination), value)
    wider = _widening(result, len(numbers))
    clear = [
        (number, start, end)
        for (start, end), (number, pair) in numbers.items()
        if start != end and {start, end} <= set(shapes) and _is_above_zero(number, pair, wider)
    ]
    if not clear:
        hint = "" if result.card.get("simultaneous") else f"{SIMULTANEOUS}, free after this answer; else "
        raise RefusedError(
            "E_PARAM",
            f"Among {len(numbers):,} numbers no flow between two zones is clearly above 0.",
            f"{hint}coarser zones, or a longer time",
        )
    drawn = sorted(clear, reverse=True)[:MOST_FLOWS]
    in_view = {key for _, start, end in drawn for key in (start, end)}
    ax = _base_map(shapes, in_view, ax)
    for number, start, end in reversed(drawn):
        _arrow(ax, shapes[start], shapes[end], number / drawn[0][0])
    _name_zones(ax, shapes, in_view)
    _annotate_left(
        ax, f"{len(drawn)} of {len(clear):,} flows that are clearly above 0; the largest: {drawn[0][0]:,.0f} {value}"
    )
    return finish_axes(ax, result)


def shapes_of(zones: Zones) -> dict[str, Geometry]:
    """Geometry of each zone, from GeoJSON by id, or from WKT by key; raises RefusedError for anything else."""
    import shapely

    if isinstance(zones, str | os.PathLike):
        zones = json.loads(Path(zones).read_text(encoding="utf-8"))
    assert isinstance(zones, Mapping)  # noqa: S101  a file's content, which is tested below
    try:
        if zones.get("type") == "FeatureCollection":
            features = [feature for feature in zones["features"] if feature["geometry"] is not None]
            return {str(feature["id"]): shapely.geometry.shape(feature["geometry"]) for feature in features}
        return {str(key): shapely.from_wkt(text) for key, text in zones.items()}
    except (KeyError, TypeError, AttributeError, shapely.errors.ShapelyError):
        why = "These are no zones: GeoJSON whose features have ids and polygons, or a dict of WKT."
        raise RefusedError("E_PARAM", why, "connection.outlines('zone')") from None


def _first_key(result: Answer, place: int = 0) -> str:
    """Name of the first (or a later) column without noise; raises RefusedError."""
    keys = [name for name in result.columns if name not in result.intervals]
    if len(keys) <= place:
        raise RefusedError("E_PARAM", "The answer has no column of zones.", "GROUP BY a column of zones")
    return keys[place]


def _numbers(result: Answer, keys: tuple[str, ...], value: str) -> dict[tuple[str, ...], Number]:
    """Return the number and interval of each zone, or of each pair of zones."""
    at, y = [result.columns.index(key) for key in keys], result.columns.index(value)
    ends = result.intervals.get(value) or [None] * len(result)
    return {
        tuple(value_text(row[place]) for place in at): (float(row[y]), pair)
        for row, pair in zip(result.rows, ends, strict=True)
        if row[y] is not None
    }


def _widening(result: Answer, count: int) -> float:
    """Factor by which intervals widen to hold simultaneously; 1 where they already do."""
    return 1.0 if result.card.get("simultaneous") else _bonferroni_factor(count, result.confidence)


def _bonferroni_factor(count: int, confidence: float | None) -> float:
    """Factor by which intervals widen to hold simultaneously for so many numbers (Bonferroni's inequality)."""
    tail = (1 - (confidence or LEVEL)) / 2
    return NormalDist().inv_cdf(1 - tail / max(1, count)) / NormalDist().inv_cdf(1 - tail)


def _is_above_zero(number: float, ends: Interval | None, factor: float) -> bool:
    """Is a number significantly above 0, simultaneously with all others? Of thousands, many are above 0 by chance.

    An interval that natural limits cut at 0 contains it: the number itself may lie below, as it was released.
    """
    return number > 0 if ends is None else ends[0] > 0 and number > (number - ends[0]) * factor


def _base_map(shapes: Mapping[str, Geometry], in_view: Collection[str], ax: Axes | None) -> Axes:
    """Draw all zones at the aspect ratio of their latitude, and set the view to some of them."""
    import shapely
    from matplotlib.collections import PatchCollection

    seen = shapely.total_bounds([shapes[key] for key in in_view])
    west, south, east, north = (float(end) for end in seen)
    aspect = 1 / max(0.1, math.cos(math.radians((south + north) / 2)))
    if ax is None:
        ax = new_axes(min(10.0, max(3.0, WIDTH_INCHES * aspect * (north - south) / max(1e-9, east - west))))
    patches = [patch for _, shape in _largest_first(shapes) for patch in _patches(shape)]
    ax.add_collection(PatchCollection(patches, facecolor=NO_ZONE, edgecolor="white", linewidth=0.8))
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect(aspect)
    ax.axis("off")
    return ax


def _draw_choropleth(
    ax: Axes, shapes: Mapping[str, Geometry], found: Mapping[str, Number], value: str, wider: float
) -> None:
    """Colour zones by their numbers; hatch those not significantly above 0."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, PowerNorm

    shown = [number for number, ends in found.values() if _is_above_zero(number, ends, wider)] or [1.0]
    is_skewed = max(shown) > SKEWED_FROM * median(shown)
    scale = PowerNorm(0.5 if is_skewed else 1.0, 0.0, max(shown))
    shades = [colormaps[MAP_COLOURS](0.05 + 0.75 * step / 255) for step in range(256)]
    for key, shape in _largest_first({key: shapes[key] for key in found}):
        number, ends = found[key]
        clear = _is_above_zero(number, ends, wider)
        for patch in _patches(shape):
            look = shades[round(scale(number) * 255)] if clear else NO_ZONE
            patch.set(facecolor=look, edgecolor="white" if clear else "#BBBBBB", linewidth=0.8 if clear else 0.0)
            patch.set_hatch(None if clear else "////")
            ax.add_patch(patch)
    legend = ScalarMappable(scale, ListedColormap(shades))
    bar = ax.figure.colorbar(legend, ax=ax, shrink=0.6, format="{x:,.6g}")
    bar.set_label(f"{value}  (hatched: not clearly above 0{'; colours by square root' if is_skewed else ''})")
    bar.outline.set_visible(False)


def _largest_first(shapes: Mapping[str, Geometry]) -> list[tuple[str, Geometry]]:
    """Zones by area, largest first, so that zones inside a region are drawn above it."""
    return sorted(shapes.items(), key=lambda named: -float(named[1].area))


def _patches(shape: Geometry) -> list[Any]:
    """One patch for each polygon of a zone, with its holes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    parts = getattr(shape, "geoms", [shape])
    return [
        PathPatch(Outline.make_compound_path(*(Outline(ring.coords) for ring in (part.exterior, *part.interiors))))
        for part in parts
        if part.geom_type == "Polygon" and not part.is_empty
    ]


def _arrow(ax: Axes, start: Geometry, end: Geometry, share: float) -> None:
    """Draw one flow as a curved arrow."""
    from matplotlib.patches import FancyArrowPatch

    one, other = start.representative_point(), end.representative_point()
    ax.add_patch(
        FancyArrowPatch(
            (one.x, one.y), (other.x, other.y), connectionstyle="arc3,rad=0.18", arrowstyle="-|>",
            mutation_scale=6 + 10 * share, linewidth=0.6 + 5 * share, color="#0072B2", alpha=0.25 + 0.5 * share,
            shrinkA=4, shrinkB=4,
        )
    )  # fmt: skip


def _name_zones(ax: Axes, shapes: Mapping[str, Geometry], keys: set[str]) -> None:
    """Write the ids of zones on a map, if they are few."""
    for key in sorted(keys)[: MOST_NAMES if len(keys) <= MOST_NAMES else 0]:
        at = shapes[key].representative_point()
        ax.annotate(key, (at.x, at.y), ha="center", va="center", fontsize=7, color=INK)
