"""Maps of an answer with its intervals by matplotlib: zones coloured by a number, arrows of flows between zones."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, median, median_low
from typing import TYPE_CHECKING, Any

from passersby.errors import RefusedError
from passersby.result.card import Answer, Interval
from passersby.result.plotting import (
    AXIS_NUMBERS,
    FAINT,
    PALE,
    PALER,
    SMALL,
    WIDTH_INCHES,
    Colour,
    finish_axes,
    level_text,
    main_colour,
    mixed,
    new_axes,
    value_column,
)
from passersby.text.numbers import printable, value_text, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox
    from shapely import Geometry

Number = tuple[float, "Interval | None"]
LEVEL = 0.95
Zones = Mapping[str, Any] | str | os.PathLike[str]
MOST_FLOWS = 60
SHRUNK = "shrunk"  # code of the note on numbers that empirical Bayes moved
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
    clear = {key: pair for key, pair in found.items() if _is_above_zero(*pair, wider, is_shrunk=_is_shrunk(result))}
    fills = _draw_choropleth(ax, shapes, found, clear, value)
    finish_axes(ax, result, f"{value} by {zone}", level_text(result), _typical_interval(names, clear))
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
        if start != end
        and {start, end} <= set(shapes)
        and _is_above_zero(number, pair, wider, is_shrunk=_is_shrunk(result))
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
    finish_axes(ax, result, f"{value} from {origin} to {destination}", level_text(result), remark)
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


def _is_shrunk(result: Answer) -> bool:
    """Return whether numbers close to the noise are shown as such groups are on average."""
    return SHRUNK in result.note_codes


def _is_above_zero(number: float, ends: Interval | None, factor: float, *, is_shrunk: bool = False) -> bool:
    """Is a number significantly above 0, simultaneously with all others? Of thousands, many are above 0 by chance.

    An interval that natural limits cut at 0 contains it: the number itself may lie below, as it was released. A number
    that was moved down to its neighbours lies near the low end of its interval: its noise is around the middle.
    """
    if ends is None:
        return number > 0
    centre = max(number, sum(ends) / 2) if is_shrunk else number
    return ends[0] > 0 and centre > (centre - ends[0]) * factor


def _typical_interval(names: Mapping[str, str], clear: Mapping[str, Number]) -> str:
    """Return an example of how exact a map's numbers are: the zone of median relative width, with its interval."""
    widths = {(ends[1] - ends[0]) / number: key for key, (number, ends) in clear.items() if ends is not None}
    if not widths:
        return ""
    number, ends = clear[key := widths[median_low(widths)]]
    name = f"{names[key]} ({key})" if names.get(key, key) != key else key  # the map may bear either
    return f"a typical interval, {name}: {with_interval(_whole(number), ends)}"


def _whole(number: float) -> float:
    """Return the number as a whole one where it is large enough for that."""
    return round(number) if abs(number) >= 100 or number == round(number) else number


def _base_map(
    shapes: Mapping[str, Geometry], in_view: Collection[str], ax: Axes | None, legend_inches: float = 0.0
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
        map_inches = (WIDTH_INCHES - legend_inches) * aspect * (north - south) / max(1e-9, east - west)
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
    bar = ax.figure.colorbar(ScalarMappable(scale, ListedColormap(shades)), ax=ax, shrink=0.6, format=AXIS_NUMBERS)
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
