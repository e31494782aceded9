"""An answer about zones -> a map: zones coloured by a number, or arrows between them; matplotlib draws."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from passersby.errors import RefusedError
from passersby.result.plotting import FAINT, INK, WIDTH_INCHES, new_axes, signed, value_column
from passersby.result.protocols import Answer, Interval
from passersby.text.wording import value_text, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from shapely import Geometry


Number = tuple[float, "Interval | None"]
LEVEL = 0.95
Zones = Mapping[str, Any] | str | os.PathLike[str]
MOST_NAMES = 40  # zones on a map that bear their numbers
MOST_FLOWS = 60
NO_ZONE = "#EEEEEE"
MAP_COLOURS = "YlGnBu"  # one hue grows darker: readable without colours, too


def plot_map(
    result: Answer, zones: Zones, *, zone: str | None = None, value: str | None = None, ax: Axes | None = None
) -> Axes:
    """Colour zones by a number; those that are not clearly above 0 are hatched: nobody may be there.

    `zones` is GeoJSON, as a dict or a file, e.g. `connection.outlines("zone")`, or a dict of zone -> WKT. `zone` names
    the column of the answer that has their ids: the first key, if absent. Raise RefusedError where none is found.
    """
    value = value_column(result, value)
    zone = zone or _first_key(result)
    shapes, told = shapes_of(zones), _numbers(result, (zone,), value)
    found = {key: pair for (key,), pair in told.items() if key in shapes}
    if not found:
        raise RefusedError("E_PARAM", f"No value of {zone} is the id of a zone.", "zone=..., or other zones")
    ax = _ground(shapes, shapes, ax)
    _coloured(ax, shapes, found, value, _wider(len(found), result.confidence))
    for key, (number, ends) in list(found.items())[: MOST_NAMES if len(found) <= MOST_NAMES else 0]:
        at = shapes[key].representative_point()
        ax.annotate(with_interval(round(number), ends), (at.x, at.y), ha="center", va="center", fontsize=6, color=INK)
    return signed(ax, result)


def plot_flows(
    result: Answer,
    zones: Zones,
    *,
    origin: str | None = None,
    destination: str | None = None,
    value: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw arrows from origins to destinations, as thick as their numbers; only those clearly above 0, the largest.

    `origin` and `destination` name the columns of the answer: its first two keys, if absent.
    """
    value = value_column(result, value)
    origin, destination = origin or _first_key(result), destination or _first_key(result, 1)
    shapes, told = shapes_of(zones), _numbers(result, (origin, destination), value)
    wider = _wider(len(told), result.confidence)
    clear = [
        (number, start, end)
        for (start, end), (number, pair) in told.items()
        if start != end and {start, end} <= set(shapes) and _is_clear(number, pair, wider)
    ]
    if not clear:
        raise RefusedError(
            "E_PARAM", "No flow between two zones is clearly above 0.", "coarser zones, or a longer time"
        )
    drawn = sorted(clear, reverse=True)[:MOST_FLOWS]
    reached = {key for _, start, end in drawn for key in (start, end)}
    ax = _ground(shapes, reached, ax)
    for number, start, end in reversed(drawn):
        _arrow(ax, shapes[start], shapes[end], number / drawn[0][0])
    _name_zones(ax, shapes, reached)
    ax.annotate(
        f"{len(drawn)} of {len(clear)} flows that are clearly above 0; the largest: {drawn[0][0]:,.0f} {value}",
        (0, 1), xycoords="axes fraction", va="bottom", fontsize=8, color=FAINT,
    )  # fmt: skip
    return signed(ax, result)


def shapes_of(zones: Zones) -> dict[str, Geometry]:
    """Read zones: GeoJSON by its ids, or WKT by its keys. Raise RefusedError for what is neither."""
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
    keys = [name for name in result.columns if name not in result.intervals]
    if len(keys) <= place:
        raise RefusedError("E_PARAM", "The answer has no column of zones.", "GROUP BY a column of zones")
    return keys[place]


def _numbers(result: Answer, keys: tuple[str, ...], value: str) -> dict[tuple[str, ...], Number]:
    """Give the number, and its interval, of each zone or pair of zones."""
    at, y = [result.columns.index(key) for key in keys], result.columns.index(value)
    ends = result.intervals.get(value) or [None] * len(result)
    return {
        tuple(value_text(row[place]) for place in at): (float(row[y]), pair)
        for row, pair in zip(result.rows, ends, strict=True)
        if row[y] is not None
    }


def _wider(count: int, confidence: float | None) -> float:
    """Say how much wider intervals are that hold all of so many numbers at once (Bonferroni's inequality)."""
    missed = (1 - (confidence or LEVEL)) / 2
    return NormalDist().inv_cdf(1 - missed / max(1, count)) / NormalDist().inv_cdf(1 - missed)


def _is_clear(number: float, ends: Interval | None, wider: float) -> bool:
    """Tell whether a number is above 0 together with all others: of thousands, many are so by chance."""
    return number > (0 if ends is None else (number - ends[0]) * wider)


def _ground(shapes: Mapping[str, Geometry], reached: Collection[str], ax: Axes | None) -> Axes:
    """Draw all zones, in the shape that they have at their latitude, and look at those that are reached."""
    import shapely
    from matplotlib.collections import PatchCollection

    seen = shapely.total_bounds([shapes[key] for key in reached])
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


def _coloured(ax: Axes, shapes: Mapping[str, Geometry], found: Mapping[str, Number], value: str, wider: float) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    scale = Normalize(min(0.0, *(number for number, _ in found.values())), max(1.0, *(n for n, _ in found.values())))
    shades = [colormaps[MAP_COLOURS](0.05 + 0.75 * step / 255) for step in range(256)]
    for key, shape in _largest_first({key: shapes[key] for key in found}):
        number, ends = found[key]
        clear = _is_clear(number, ends, wider)
        for patch in _patches(shape):
            look = shades[round(scale(number) * 255)] if clear else NO_ZONE
            patch.set(facecolor=look, edgecolor="white" if clear else "#BBBBBB", linewidth=0.8 if clear else 0.0)
            patch.set_hatch(None if clear else "////")
            ax.add_patch(patch)
    legend = ScalarMappable(scale, ListedColormap(shades))
    bar = ax.figure.colorbar(legend, ax=ax, shrink=0.6, format="{x:,.6g}")
    bar.set_label(f"{value}  (hatched: not clearly above 0)")
    bar.outline.set_visible(False)


def _largest_first(shapes: Mapping[str, Geometry]) -> list[tuple[str, Geometry]]:
    """Put regions below the zones that lie in them."""
    return sorted(shapes.items(), key=lambda named: -float(named[1].area))


def _patches(shape: Geometry) -> list[Any]:
    """Make a patch of each part of a zone, with its holes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    parts = getattr(shape, "geoms", [shape])
    return [
        PathPatch(Outline.make_compound_path(*(Outline(ring.coords) for ring in (part.exterior, *part.interiors))))
        for part in parts
        if part.geom_type == "Polygon" and not part.is_empty
    ]


def _arrow(ax: Axes, start: Geometry, end: Geometry, share: float) -> None:
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
    for key in sorted(keys)[: MOST_NAMES if len(keys) <= MOST_NAMES else 0]:
        at = shapes[key].representative_point()
        ax.annotate(key, (at.x, at.y), ha="center", va="center", fontsize=7, color=INK)
