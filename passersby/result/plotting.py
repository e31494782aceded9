"""Plots of an answer with its intervals by matplotlib: lines over time, bars over names, maps of zones and of flows."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import NormalDist, median, median_low
from types import UnionType
from typing import TYPE_CHECKING, Any, NamedTuple

from passersby.errors import RefusedError
from passersby.result.card import Answer, Interval
from passersby.result.summary import level_of
from passersby.text.numbers import printable, value_text, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox
    from shapely import Geometry


# Okabe and Ito's colours, which nearly everybody can distinguish; their black is the text colour of the style
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "", "#F0E442")
FAINT, PALE, PALER = 0.6, 0.2, 0.07  # shares of the text colour in remarks, borders, areas
WIDTH_INCHES, ROW_INCHES, LEAST_INCHES = 8.0, 0.32, 3.6
MOST_BARS, MOST_SERIES = 40, len(COLOURS) - 1
SMALL = 8  # points of remarks
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
    series = _few_series(every := _series(result, value, keys), value)
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
    drawn, found = (len(series), len(every)) if _has_lines(series) else (MOST_BARS, len(_bar_names(series)))
    cut = f"the {drawn} largest of {found:,}" if drawn < found else ""
    title = f"{value} by {', '.join(keys)}" if keys else value
    return finish_axes(ax, result, title, f"whiskers: {_level_text(result)}", cut)


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


def _level_text(result: Answer) -> str:
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
    """No more series than colours: the largest lines; instead of sets of bars, bars that all keys name."""
    if len(series) <= MOST_SERIES:
        return series
    if _has_lines(series):
        largest = sorted(series, key=lambda name: -sum(point.value for point in series[name]))[:MOST_SERIES]
        return {name: series[name] for name in series if name in largest}
    named = [(name, point) for name, points in series.items() for point in points]
    is_unique = len(_bar_names(series)) == len(named)  # as places with their coordinates
    points = [each if is_unique else each._replace(key=f"{value_text(each.key)}, {name}") for name, each in named]
    return {value: sorted(points, key=lambda point: point.row)}


def _is_ordered(keys: Sequence[Any], kind: type | UnionType = datetime.date | int) -> bool:
    """Return whether all keys are dates, or all whole numbers, so that a line makes sense."""
    return bool(keys) and all(isinstance(key, kind) and not isinstance(key, bool) for key in keys)


def _has_lines(series: Series) -> bool:
    """Return whether there is a line to draw, of at least two points."""
    lines = [[point.key for point in points] for points in series.values()]
    return all(map(_is_ordered, lines)) and any(len(keys) > 1 for keys in lines)


def _lines(ax: Axes, series: Series) -> None:
    """Draw each series as a line with error bars, fainter ones where lines cross."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    for (name, points), colour in zip(series.items(), _series_colours(), strict=False):
        x, y, below, above, _ = zip(*sorted(points, key=lambda point: point.key), strict=True)
        drawn = ax.errorbar(x, y, (below, above), label=name, color=colour, marker="o", ms=3.5, lw=1.4, elinewidth=1)
        for whiskers in drawn[2]:
            whiskers.set_alpha(1.0 if len(series) == 1 else 0.45)
    ax.axhline(0, color=mixed(FAINT), lw=0.6)
    ax.yaxis.set_major_formatter("{x:,.6g}")
    ax.margins(x=0.02)
    if isinstance(next(iter(series.values()))[0].key, datetime.date):
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12, steps=[1, 2, 3, 5, 10]))


def _bars(ax: Axes, series: Series) -> None:
    """Draw each series as horizontal bars with error bars; of too many names the largest, largest first.

    Bars whose interval holds 0 are pale.
    """
    names, thick = _largest_names(series), 0.8 / len(series)
    for number, ((name, points), colour) in enumerate(zip(series.items(), _series_colours(), strict=False)):
        shown = [point for point in points if value_text(point.key) in names]
        y = [names.index(value_text(point.key)) - 0.4 + thick * (number + 0.5) for point in shown]
        values, errors = [point.value for point in shown], [[p.below for p in shown], [p.above for p in shown]]
        bars = ax.barh(y, values, thick * 0.9, color=colour, alpha=0.75, label=name)
        for bar, point in zip(bars, shown, strict=True):
            bar.set_alpha(PALE_ALPHA if point.value - point.below <= 0 <= point.value + point.above else 0.75)
        ax.errorbar(values, y, xerr=errors, fmt="none", ecolor=mixed(0.9), elinewidth=1, capsize=2)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.axvline(0, color=mixed(FAINT), lw=0.6)
    ax.xaxis.set_major_formatter("{x:,.6g}")


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


Number = tuple[float, "Interval | None"]
LEVEL = 0.95
Zones = Mapping[str, Any] | str | os.PathLike[str]
MOST_FLOWS = 60
PALE_ALPHA = 0.25  # of bars that may be 0
MOST_NUMBERS = 40  # zones of a map up to which those that may be noise alone bear their numbers, too
SIMULTANEOUS = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(intervals = 'simultaneous') ..."
SKEWED_FROM = 4  # times the median: from there on a linear scale would leave most zones pale
MAP_COLOURS = "YlGnBu"  # one hue grows darker: readable without colours, too
LABEL_POINTS = (10, 8)  # font sizes tried before the smallest, 6
SCALE_INCHES = 1.3  # width that the colour scale of a map takes
DARK = 0.55  # luminance below which a zone's name is white


def plot_map(
    result: Answer, zones: Zones, *, zone: str | None = None, value: str | None = None, ax: Axes | None = None
) -> Axes:
    """Map zones coloured by a number; zones that are not significantly above 0 are hatched.

    `zones` is GeoJSON, as a dict or a file, e.g. `connection.outlines("zone")`, or a dict of zone -> WKT. `zone` names
    the answer's column of zone ids: by default the first key. Zones bear their name and number where they fit. Raises
    RefusedError if no id is among the zones.
    """
    value = value_column(result, value)
    zone, zones = zone or _first_key(result), _loaded(zones)
    shapes, names, numbers = shapes_of(zones), _names_of(zones), _numbers(result, (zone,), value)
    found = {key: pair for (key,), pair in numbers.items() if key in shapes}
    if not found:
        raise RefusedError("E_PARAM", f"No value of {zone} is the id of a zone.", "zone=..., or other zones")
    ax = _base_map(shapes, found, ax, SCALE_INCHES)
    wider = 1.0 if result.card.get("simultaneous") else _bonferroni_factor(len(found), result.confidence)
    clear = {key: pair for key, pair in found.items() if _is_above_zero(*pair, wider)}
    fills = _draw_choropleth(ax, shapes, found, clear, value)
    finish_axes(ax, result, f"{value} by {zone}", _level_text(result), _typical_interval(names, clear))
    numbered = found if len(found) <= MOST_NUMBERS else clear
    _label_zones(ax, shapes, {key: _zone_texts(key, names, numbered.get(key)) for key in found}, fills)
    return ax


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
    value, zones = value_column(result, value), _loaded(zones)
    origin, destination = origin or _first_key(result), destination or _first_key(result, 1)
    shapes, numbers = shapes_of(zones), _numbers(result, (origin, destination), value)
    wider = 1.0 if result.card.get("simultaneous") else _bonferroni_factor(len(numbers), result.confidence)
    clear = [
        (number, start, end)
        for (start, end), (number, pair) in numbers.items()
        if start != end and {start, end} <= set(shapes) and _is_above_zero(number, pair, wider)
    ]
    if not clear:
        hint = "" if result.card.get("simultaneous") else f"{SIMULTANEOUS}, free after this answer; else "
        why = f"Among {len(numbers):,} numbers no flow between two zones is clearly above 0."
        raise RefusedError("E_PARAM", why, f"{hint}coarser zones, or a longer time")
    drawn = sorted(clear, reverse=True)[:MOST_FLOWS]
    in_view = list(dict.fromkeys(key for _, start, end in drawn for key in (start, end)))
    ax = _base_map(shapes, in_view, ax)
    for number, start, end in reversed(drawn):
        _arrow(ax, shapes[start], shapes[end], number / drawn[0][0])
    _arrow_legend(ax, drawn, numbers, value)
    cut = f"the {len(drawn)} largest of {len(clear):,} " if len(drawn) < len(clear) else ""
    remark = f"arrows: {cut}flows that are clearly above 0"
    finish_axes(ax, result, f"{value} from {origin} to {destination}", _level_text(result), remark)
    _name_zones(ax, shapes, _names_of(zones), drawn)
    return ax


def _loaded(zones: Zones) -> Mapping[str, Any]:
    """Zones of a file, or those given."""
    return dict(json.loads(Path(zones).read_text("utf-8")) if isinstance(zones, str | os.PathLike) else zones)


def _names_of(zones: Mapping[str, Any]) -> dict[str, str]:
    """Name of each zone for people: the property `name` where it is there and nobody else's, else the id."""
    features = [feature for feature in zones.get("features", ()) if "id" in feature]
    named = {str(feature["id"]): (feature.get("properties") or {}).get("name") for feature in features}
    counts = Counter(named.values())
    return {key: printable(str(name)) for key, name in named.items() if name and counts[name] == 1}


def shapes_of(zones: Zones) -> dict[str, Geometry]:
    """Geometry of each zone, from GeoJSON by id, or from WKT by key; raises RefusedError for anything else."""
    import shapely

    zones = _loaded(zones)
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


def _bonferroni_factor(count: int, confidence: float | None) -> float:
    """Factor by which intervals widen to hold simultaneously for so many numbers (Bonferroni's inequality)."""
    tail = (1 - (confidence or LEVEL)) / 2
    return NormalDist().inv_cdf(1 - tail / max(1, count)) / NormalDist().inv_cdf(1 - tail)


def _is_above_zero(number: float, ends: Interval | None, factor: float) -> bool:
    """Is a number significantly above 0, simultaneously with all others? Of thousands, many are above 0 by chance.

    An interval that natural limits cut at 0 contains it: the number itself may lie below, as it was released.
    """
    return number > 0 if ends is None else ends[0] > 0 and number > (number - ends[0]) * factor


def _typical_interval(names: Mapping[str, str], clear: Mapping[str, Number]) -> str:
    """Return an example of how exact a map's numbers are: the zone of median relative width, with its interval."""
    widths = {(ends[1] - ends[0]) / number: key for key, (number, ends) in clear.items() if ends is not None}
    if not widths:
        return ""
    number, ends = clear[key := widths[median_low(widths)]]
    return f"a typical interval, {names.get(key, key)}: {with_interval(_whole(number), ends)}"


def _whole(number: float) -> float:
    """Return the number as a whole one where it is large enough for that."""
    return round(number) if abs(number) >= 100 or number == round(number) else number


def _base_map(
    shapes: Mapping[str, Geometry], in_view: Collection[str], ax: Axes | None, beside_inches: float = 0.0
) -> Axes:
    """Draw all zones at the aspect ratio of their latitude, and set the view to some of them and what is around."""
    import shapely
    from matplotlib.collections import PatchCollection

    west, south, east, north = map(float, shapely.total_bounds([shapes[key] for key in in_view]))
    aspect = 1 / max(0.1, math.cos(math.radians((south + north) / 2)))
    # a margin within the map, and no side below three quarters of the other
    side, ends = 0.75 * max(east - west, (north - south) * aspect), shapely.total_bounds(list(shapes.values()))
    across = 0.1 * side + max(0, side - (east - west)) / 2
    along = 0.1 * side / aspect + max(0, side / aspect - (north - south)) / 2
    west, south = max(west - across, float(ends[0])), max(south - along, float(ends[1]))
    east, north = min(east + across, float(ends[2])), min(north + along, float(ends[3]))
    if ax is None:
        map_inches = (WIDTH_INCHES - beside_inches) * aspect * (north - south) / max(1e-9, east - west)
        ax = new_axes(min(10.0, max(3.0, 0.8 + map_inches)))
    patches = [patch for _, shape in _largest_first(shapes) for patch in _patches(shape)]
    ax.add_collection(PatchCollection(patches, facecolor=mixed(PALER), edgecolor=mixed(PALE), linewidth=0.6))
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect(aspect, anchor="NW")
    ax.axis("off")
    return ax


def _draw_choropleth(
    ax: Axes, shapes: Mapping[str, Geometry], found: Mapping[str, Number], clear: Mapping[str, Number], value: str
) -> dict[str, Colour]:
    """Colour zones by their numbers, hatch those not significantly above 0, add a legend; return the colours."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, PowerNorm
    from matplotlib.patches import Patch

    shown = [number for number, _ in clear.values()] or [1.0]
    is_skewed = max(shown) > SKEWED_FROM * median(shown)
    scale = PowerNorm(0.5 if is_skewed else 1.0, 0.0, max(shown))
    shades = [colormaps[MAP_COLOURS](0.05 + 0.75 * step / 255) for step in range(256)]
    hatched = {"facecolor": mixed(0), "edgecolor": mixed(PALE), "hatch": "////", "linewidth": 0.4}
    fills: dict[str, Colour] = {}
    for key, shape in _largest_first({key: shapes[key] for key in found}):
        fills[key] = shades[round(scale(found[key][0]) * 255)][:3] if key in clear else mixed(0)
        filled = {"facecolor": fills[key], "edgecolor": mixed(0), "linewidth": 0.8}
        for patch in _patches(shape):
            patch.set(**(filled if key in clear else hatched))
            ax.add_patch(patch)
    bar = ax.figure.colorbar(ScalarMappable(scale, ListedColormap(shades)), ax=ax, shrink=0.6, format="{x:,.6g}")
    bar.ax.set_title(value, loc="left", fontsize=9)
    bar.set_label("colours by square root" if is_skewed else "", fontsize=SMALL)
    bar.outline.set_visible(False)
    if len(clear) < len(found):
        missing = Patch(label="not clearly above 0: may be noise alone")
        missing.set(**hatched)
        ax.legend(handles=[missing], loc="upper left", bbox_to_anchor=(0, 0), frameon=False, fontsize=SMALL)
    return fills


def _zone_texts(key: str, names: Mapping[str, str], number: Number | None) -> list[str]:
    """Texts of a zone on a map, the longest first."""
    name = names.get(key, key)
    numbers = [] if number is None else [with_interval(_whole(number[0]), ends) for ends in (number[1], None)]
    return [*(f"{name}\n{text}" for text in numbers), *(f"{key}\n{text}" for text in numbers), name, key]


def _label_zones(
    ax: Axes, shapes: Mapping[str, Geometry], texts: Mapping[str, Sequence[str]], fills: Mapping[str, Colour]
) -> None:
    """Write on each zone the first of its texts that fits into it; nothing on regions that hold other zones."""
    import shapely
    from matplotlib.patheffects import withStroke

    ax.figure.figure.draw_without_rendering()  # sets the layout, by which texts are measured
    keys = list(texts)
    taken: list[Bbox] = []
    points = [_inside(shapes[key]) for key in keys]
    held = shapely.STRtree(shapely.points(points)).query([shapes[key] for key in keys], predicate="contains")
    regions = {zone for zone, other in held.T if zone != other and shapes[keys[zone]].area > shapes[keys[other]].area}
    named = [(key, point) for place, (key, point) in enumerate(zip(keys, points, strict=True)) if place not in regions]
    size = next((each for each in LABEL_POINTS if _all_fit(ax, shapes, texts, [key for key, _ in named], each)), 6)
    for key, point in named:
        red, green, blue = fills[key]
        contrast = "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < DARK else "#222222"
        colour = mixed(FAINT) if fills[key] == mixed(0) else contrast  # zones that may be noise alone stand back
        text = ax.annotate("", point, ha="center", va="center", fontsize=size, color=colour)
        text.set_path_effects([withStroke(linewidth=1.5, foreground=fills[key])])
        if not _write_first_that_fits(text, texts[key], _room(ax, shapes[key]), taken):
            text.remove()


def _all_fit(
    ax: Axes, shapes: Mapping[str, Geometry], texts: Mapping[str, Sequence[str]], keys: Sequence[str], size: float
) -> bool:
    """Return whether the longest text of every zone fits into it at a font size."""
    sample = ax.annotate("", (0, 0), fontsize=size)
    fits = all(_write_first_that_fits(sample, [texts[key][0]], _room(ax, shapes[key]), taken=[]) for key in keys)
    sample.remove()
    return fits


def _room(ax: Axes, shape: Geometry) -> float:
    """Width of a zone in pixels."""
    west, _, east, _ = shape.bounds
    return float(abs(ax.transData.transform((east, 0))[0] - ax.transData.transform((west, 0))[0]))


def _write_first_that_fits(text: Text, choices: Sequence[str], room: float, taken: list[Bbox]) -> bool:
    """Write the first choice that is well within the room (in pixels) and overlaps no other text, if there is one."""
    for choice in choices:
        text.set_text(choice)
        box = text.get_window_extent()
        if box.width <= 0.95 * room and not any(box.overlaps(other) for other in taken):
            taken.append(box)
            return True
    return False


def _inside(shape: Geometry) -> tuple[float, float]:
    """Point in a zone at which its name stands and its arrows begin and end: the middle, if that is in it."""
    at = shape.centroid if shape.contains(shape.centroid) else shape.representative_point()
    return at.x, at.y


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
    """Draw one flow as a curved arrow between the dots of its zones."""
    from matplotlib.patches import FancyArrowPatch

    ax.add_patch(
        FancyArrowPatch(
            _inside(start), _inside(end), connectionstyle="arc3,rad=0.18", arrowstyle="-|>",
            mutation_scale=6 + 10 * share, color=main_colour(), shrinkA=4, shrinkB=4, **_arrow_style(share),
        )
    )  # fmt: skip


def _arrow_style(share: float) -> dict[str, Any]:
    """Width in points and opacity of an arrow, by its share of the largest number."""
    return {"linewidth": 0.6 + 5 * share, "alpha": 0.3 + 0.5 * share}


def _arrow_legend(
    ax: Axes, drawn: Sequence[tuple[float, str, str]], numbers: Mapping[tuple[str, ...], Number], value: str
) -> None:
    """Legend of the arrows' widths: the largest, a middle and the smallest flow, each with its interval."""
    from matplotlib.lines import Line2D

    handles = []
    for number, start, end in dict.fromkeys((drawn[0], drawn[len(drawn) // 2], drawn[-1])):
        share, ends = number / drawn[0][0], numbers[start, end][1]
        text = with_interval(_whole(number), ends)
        handles.append(Line2D([], [], color=main_colour(), label=text, **_arrow_style(share)))
    ax.legend(
        handles=handles, title=value, loc="upper left", bbox_to_anchor=(0, 0), frameon=False, ncols=len(handles),
        fontsize=SMALL, title_fontsize=SMALL, alignment="left",
    )  # fmt: skip


def _name_zones(
    ax: Axes, shapes: Mapping[str, Geometry], names: Mapping[str, str], drawn: Sequence[tuple[float, str, str]]
) -> None:
    """Draw a dot for each zone, and its name off most of its arrows; the first names where they overlap."""
    from matplotlib.patheffects import withStroke

    ax.figure.figure.draw_without_rendering()
    taken: list[Bbox] = []
    northward: Counter[str] = Counter()  # numbers times how far north their arrows lead
    for number, start, end in drawn:
        rise = number * (_inside(shapes[end])[1] - _inside(shapes[start])[1])
        northward.update({start: rise, end: -rise})
    for key, rise in northward.items():
        at, down = _inside(shapes[key]), rise >= 0
        ax.plot(*at, "o", color=mixed(1), markersize=3.5, zorder=4)
        text = ax.annotate("", at, (0, -5 if down else 5), textcoords="offset points", ha="center", fontsize=7)
        text.set(va="top" if down else "bottom", color=mixed(1), zorder=5)
        text.set_path_effects([withStroke(linewidth=2.5, foreground=mixed(0))])
        if not _write_first_that_fits(text, (names.get(key, key), key), math.inf, taken):
            text.remove()
