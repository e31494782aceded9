"""Drawings: every number has its whiskers, time runs along a line, names stand at bars, unsure zones are hatched."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pyarrow as pa
import pytest
from matplotlib import colormaps, pyplot
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.text import Annotation
from shapely.geometry import box, mapping

import passersby
from passersby.result.maps import MAP_COLOURS, _bonferroni_factor, shapes_of
from passersby.result.plotting import PALE_BARS
from passersby.result.result import Result

SQUARES = {f"z{i}": f"POLYGON (({i} 0, {i + 1} 0, {i + 1} 1, {i} 1, {i} 0))" for i in range(3)}
DAYS = [datetime.date(2026, 10, day) for day in (2, 1, 3)]


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    """Draw into memory."""
    mpl.use("Agg")
    yield
    pyplot.close("all")


def answer(n: list[Any], half: float = 5.0, ends: list[list[float] | None] | None = None, **keys: list[Any]) -> Result:
    ends = ends or [None if x is None else [x - half, x + half] for x in n]
    card = {"intervals": {"n": ends}, "confidence": 0.95, "notes": []}
    return Result(pa.table({**keys, "n": n}).replace_schema_metadata({b"passersby": json.dumps(card).encode()}))


def whiskers(ax: Any) -> list[tuple[float, float]]:
    """Both ends of each drawn whisker, along its axis."""
    found = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    along = 1 if found[0].has_yerr else 0
    return [
        (float(segment[0][along]), float(segment[1][along])) for each in found for segment in each[2][0].get_segments()
    ]


def test_time_runs_along_a_line_in_its_order() -> None:
    ax = answer([20, 10, 30], day=DAYS).plot()
    (line,) = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    assert list(line[0].get_ydata()) == [10, 20, 30]
    assert whiskers(ax) == [(5, 15), (15, 25), (25, 35)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("day", "n")
    assert ax.get_title(loc="left") == "n by day"
    assert "whiskers: 95% intervals" in [text.get_text() for text in ax.texts]


def test_names_stand_at_bars_with_whiskers() -> None:
    ax = answer([20, 10, None], place=["a", "b", "c"]).plot()
    (bars,) = [c for c in ax.containers if isinstance(c, BarContainer)]
    assert [bar.get_width() for bar in bars] == [20, 10]
    assert whiskers(ax) == [(15, 25), (5, 15)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_bars_that_may_be_nothing_are_pale() -> None:
    ax = answer([20, 4, -9], 5, place=["a", "b", "c"]).plot()
    (bars,) = [c for c in ax.containers if isinstance(c, BarContainer)]
    solid, pale, negative = (bar.get_alpha() or 0 for bar in bars)
    assert pale < 0.5 * solid and negative == solid
    assert any(PALE_BARS in text.get_text() for text in ax.texts)
    clear = answer([20, 30], 5, place=["a", "b"]).plot()
    assert not any("pale" in text.get_text() for text in clear.texts)


def test_a_bar_is_pale_where_half_the_interval_is_wider_than_the_number() -> None:
    ax = answer([50, 9], ends=[[45, 55], [6, 138]], place=["a", "b"]).plot()
    solid, pale = (bar.get_alpha() or 0 for bar in ax.patches)
    assert pale < 0.5 * solid


@pytest.mark.parametrize(
    ("keys", "order"), [({"hour": [1, 2, 1, 2]}, ["m", "f"]), ({"place": ["a", "b", "a", "b"]}, ["f", "m"])]
)
def test_a_second_key_makes_a_series_each(keys: dict[str, list[Any]], order: list[str]) -> None:
    """A legend lists lines as they end, the highest first, and bars in their order."""
    ax = answer([1, 2, 3, 4], **keys, who=["f", "f", "m", "m"]).plot()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == order
    assert len(whiskers(ax)) == 4


def test_lines_have_markers_of_their_own() -> None:
    ax = answer([*range(14)], hour=[1, 2] * 7, who=[who for who in "abcdefg" for _ in range(2)]).plot()
    lines = [c[0] for c in ax.containers if isinstance(c, ErrorbarContainer)]
    assert len({line.get_marker() for line in lines}) == len(lines) == 7


def test_few_days_are_marked_by_days_not_by_hours() -> None:
    ax = answer([20, 10, 30], day=DAYS).plot()
    assert {place % 1 for place in ax.get_xticks()} == {0.0}


def test_a_line_leaves_out_the_number_of_a_null_day_with_a_note() -> None:
    ax = answer([20, 10, 30, 7], day=[*DAYS, None]).plot()
    (line,) = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    assert list(line[0].get_ydata()) == [10, 20, 30]
    assert any("not drawn: 1 number where day is NULL" in text.get_text() for text in ax.texts)
    days = [*DAYS, None]
    among = answer([20, 10, 30, 7], day=days, who=["f", "f", "f", None]).plot()  # a series without any day
    assert among.get_xlabel() == "day" and among.get_legend() is None


def test_the_largest_pairs_stand_in_their_order_and_not_in_sets_full_of_gaps() -> None:
    pairs = [("a", "x"), ("b", "y"), ("a", "z")]
    ax = answer([9, 8, 7], 1, start=[one for one, _ in pairs], end=[other for _, other in pairs]).plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a, x", "b, y", "a, z"]
    assert ax.get_legend() is None
    alone = answer([9, 8, 7], 1, start=["a", "b", "c"], end=["x", "x", "y"]).plot()
    assert [label.get_text() for label in alone.get_yticklabels()] == ["a, x", "b, x", "c, y"]


@pytest.mark.parametrize(("keys", "axis"), [({"place": ["a", "b"]}, "xaxis"), ({"hour": [1, 2]}, "yaxis")])
def test_millions_on_an_axis_are_written_in_full(keys: dict[str, list[Any]], axis: str) -> None:
    ax = answer([3_000_000, 8_000_000], 1e5, **keys).plot()
    ax.figure.draw_without_rendering()
    shown = [label.get_text() for label in getattr(ax, axis).get_ticklabels()]
    assert "4,000,000" in shown and not any("e+" in text for text in shown)


def test_further_keys_stand_in_the_series_name() -> None:
    ax = answer([1, 2, 3, 4], place=["a"] * 4, who=["f", "m", "f", "m"], old=["x", "x", "y", "y"]).plot()
    legend = ax.get_legend()
    assert legend is not None and legend.get_title().get_text() == "who, old"
    assert [text.get_text() for text in legend.get_texts()] == ["f, x", "m, x", "f, y", "m, y"]


@pytest.mark.parametrize(
    ("keys", "along"),
    [
        ({"place": ["a", "b", "a", "b"], "day": [DAYS[0]] * 2 + [DAYS[1]] * 2}, "day"),
        ({"place": ["a", "b", "a", "b"], "hour": [1, 1, 2, 2]}, "hour"),
        ({"hour": [1, 1, 2, 2], "day": [DAYS[0], DAYS[1]] * 2}, "day"),
        ({"place": ["a", "b", "a", "b"], "open": [True, True, False, False]}, None),
    ],
)
def test_a_line_runs_along_time_wherever_it_stands(keys: dict[str, list[Any]], along: str | None) -> None:
    ax = answer([1, 2, 3, 4], **keys).plot()
    assert ax.get_xlabel() == (along or "n")
    assert len(ax.get_legend_handles_labels()[1]) == 2


def test_a_series_of_one_point_stands_among_lines() -> None:
    ax = answer([1, 2, 3], day=[DAYS[0], DAYS[1], DAYS[1]], who=["f", "f", "m"]).plot()
    assert ax.get_xlabel() == "day"


def test_a_single_number_is_a_bar() -> None:
    assert whiskers(answer([20]).plot()) == [(15, 25)]


def test_an_answer_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(passersby.RefusedError, match="value="):
        answer([1], a=["x"]).plot(value="m")
    with pytest.raises(passersby.RefusedError, match="no number"):
        answer([None, None], a=["x", "y"]).plot()


def test_a_map_colours_zones_and_hatches_what_may_be_nothing() -> None:
    ax = answer([100, 5.5, 20], 5, zone=["z0", "z1", "z9"]).plot_map(SQUARES)
    patches = [patch for patch in ax.patches if patch.get_visible()]
    assert [bool(patch.get_hatch()) for patch in patches] == [False, True]
    assert len(ax.collections[0].get_paths()) == 3  # all zones are below
    with pytest.raises(passersby.RefusedError, match="zone="):
        answer([1.0], zone=["elsewhere"]).plot_map(SQUARES)


@pytest.mark.parametrize(("numbers", "shade"), [([1600, 100, 100], 0.25), ([100, 80, 60], 0.8)])
def test_few_large_zones_do_not_leave_the_others_pale(numbers: list[float], shade: float) -> None:
    ax = answer(numbers, 5, zone=["z0", "z1", "z2"]).plot_map(SQUARES)
    colours = [patch.get_facecolor() for patch in ax.patches]
    assert colours[1] == pytest.approx(colormaps[MAP_COLOURS](0.05 + 0.75 * round(shade * 255) / 255))
    assert ("square root" in ax.figure.axes[1].get_ylabel()) == (shade == 0.25)


def test_zones_bear_names_and_numbers_that_fit_and_regions_bear_none() -> None:
    features = [
        {"id": f"z{i}", "properties": {"name": name}, "geometry": mapping(box(i, 0, i + 1, 1))}
        for i, name in enumerate(("North", "Twice", "Twice", "W" * 90))
    ]
    region = {"id": "all", "properties": {"name": "Region"}, "geometry": mapping(box(0, 0, 4, 1))}
    zones = {"type": "FeatureCollection", "features": [region, *features]}
    ax = answer([200, 50, 5, 60, 400], 6, zone=["z0", "z1", "z2", "z3", "all"]).plot_map(zones)
    drawn = [text.get_text() for text in ax.texts if text.get_fontsize() == 6]
    few = answer([200, 50], 6, zone=["z0", "z1"]).plot_map(SQUARES)
    assert [text.get_fontsize() for text in few.texts if "±" in text.get_text()][-2:] == [10, 10]
    assert drawn == ["North\n200 ± 6", "z1\n50 ± 6", "z2\n5 ± 6", "z3\n60 ± 6"]
    legend = ax.get_legend()
    assert legend is not None and "may be noise" in legend.get_texts()[0].get_text()


@pytest.mark.parametrize(("style", "first"), [("default", "#0072B2"), ("dark_background", "#56B4E9")])
def test_drawings_take_the_colours_of_the_style(style: str, first: str) -> None:
    with pyplot.style.context(style):
        ink, surface = (to_hex(mpl.rcParams[name]) for name in ("text.color", "axes.facecolor"))
        bars = answer([20, 10], place=["a", "b"]).plot()
        assert to_hex(bars.containers[0][0].get_facecolor()) == first.lower()
        zones = answer([100, 1], 5, zone=["z0", "z1"]).plot_map(SQUARES)
        assert to_hex(zones.patches[1].get_facecolor()) == surface
        flows = answer([90], 5, o=["z0"], d=["z1"]).plot_flows(SQUARES)
        names = [text for text in flows.texts if text.get_text() in SQUARES]
        assert [to_hex(text.get_color()) for text in names] == [ink, ink]
        assert all(text.get_zorder() > arrow.get_zorder() for text in names for arrow in flows.patches)


def test_arrows_have_a_legend_with_intervals() -> None:
    flows = answer([100, 60, 50], 5, o=["z0", "z1", "z1"], d=["z1", "z0", "z2"]).plot_flows(SQUARES)
    legend = flows.get_legend()
    assert legend is not None and legend.get_title().get_text() == "n"
    assert [text.get_text() for text in legend.get_texts()] == ["100 ± 5", "60 ± 5", "50 ± 5"]


def test_names_stand_off_arrows_and_a_view_has_room_around_its_zones() -> None:
    shapes = {f"z{n}": f"POLYGON (({n} 0, {n + 1} 0, {n + 1} 1, {n} 1, {n} 0))" for n in range(9)}
    shapes["north"] = "POLYGON ((4 5, 5 5, 5 6, 4 6, 4 5))"
    flows = answer([100], 5, o=["z4"], d=["north"]).plot_flows(shapes)
    heights = {text.get_text(): text.xyann[1] for text in flows.texts if isinstance(text, Annotation)}
    assert heights["z4"] < 0 < heights["north"] and len(flows.lines) == 2
    west, east = flows.get_xlim()
    assert 0 < west < 4 and 5 < east < 9 and flows.get_ylim() == (0.0, 6.0)  # within the map
    assert answer([100], 5, zone=["z4"]).plot_map(shapes).get_xlim() == pytest.approx((3.925, 5.075))


def test_flows_are_those_that_are_clear_among_so_many() -> None:
    ax = answer([100, 6, 50, 70], 5, o=["z0", "z1", "z1", "z2"], d=["z1", "z0", "z1", "z9"]).plot_flows(SQUARES)
    assert len(ax.patches) == 1
    with pytest.raises(passersby.RefusedError, match="clearly above 0"):
        answer([6], 5.9, o=["z0"], d=["z0"]).plot_flows(SQUARES)


def test_a_number_below_an_interval_cut_at_zero_is_not_above_zero() -> None:
    ends: list[list[float] | None] = [[95, 130], [0, 400], [0, 300]]
    zones = answer([100, -40, 3], ends=ends, zone=["z0", "z1", "z2"]).plot_map(SQUARES)
    assert [bool(patch.get_hatch()) for patch in zones.patches] == [False, True, True]
    flows = answer([100, -40, 3], ends=ends, o=["z0", "z1", "z2"], d=["z1", "z2", "z0"]).plot_flows(SQUARES)
    assert any("arrows: flows that are clearly above 0" in text.get_text() for text in flows.texts)
    bars = answer([100, -40, 3], ends=ends, zone=["z0", "z1", "z2"]).plot()
    assert whiskers(bars) == [(95, 130), (0, 400), (0, 300)]
    assert [bar.get_width() for bar in bars.containers[0]] == [100, 0, 3]


def test_a_number_that_was_moved_close_to_its_low_end_is_not_above_zero_for_that() -> None:
    """Shown as 9, released as 72 with noise of 66: among many, as good as none."""
    ends: list[list[float] | None] = [[1000, 1300], [6, 138], [5, 137]]
    moved = answer([1119, 9, 8], ends=ends, zone=["z0", "z1", "z2"])
    moved.card["note_codes"], moved.card["notes"] = ["shrunk"], ["a note"]
    assert [bool(patch.get_hatch()) for patch in moved.plot_map(SQUARES).patches] == [False, True, True]


def test_the_zone_of_a_typical_interval_is_named_as_on_the_map() -> None:
    features = [{"id": "z0", "properties": {"name": "North"}, "geometry": mapping(box(0, 0, 1, 1))}]
    ax = answer([200], 6, zone=["z0"]).plot_map({"type": "FeatureCollection", "features": features})
    assert any("a typical interval, North (z0): 200 ± 6" in text.get_text() for text in ax.texts)


def test_simultaneous_intervals_are_not_widened_again() -> None:
    flow = answer(
        [100] + [0] * 99, ends=[[40, 300]] + [[0, 60]] * 99, o=["z0"] * 100, d=[f"z{i + 1}" for i in range(100)]
    )
    with pytest.raises(passersby.RefusedError, match="intervals = 'simultaneous'"):
        flow.plot_flows(SQUARES)
    flow.card["simultaneous"] = {"confidence": 0.95, "numbers": 100}
    ax = flow.plot_flows(SQUARES)
    assert len(ax.patches) == 1
    assert any("95% intervals, all 100 together" in text.get_text() for text in ax.texts)


def test_of_many_bars_the_largest_are_drawn() -> None:
    ax = answer([*range(100), 7], 1, zone=[f"z{i}" for i in range(101)]).plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"z{i}" for i in range(99, 59, -1)]
    assert any("the 40 largest of 101" in text.get_text() for text in ax.texts)


def test_intervals_of_many_numbers_at_once_are_wider() -> None:
    assert _bonferroni_factor(1, 0.95) == 1
    assert _bonferroni_factor(1000, 0.95) == pytest.approx(
        4.0556 / 1.95996, rel=1e-4
    )  # the normal's quantile at 0.025 / 1000


def test_zones_are_read_from_geojson_a_file_or_wkt(tmp_path: Path) -> None:
    ring = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    features = [{"type": "Feature", "id": "a", "geometry": ring, "properties": {}}, {"id": "b", "geometry": None}]
    told = {"type": "FeatureCollection", "features": features}
    (tmp_path / "zones.json").write_text(json.dumps(told), encoding="utf-8")
    assert set(shapes_of(told)) == set(shapes_of(tmp_path / "zones.json")) == {"a"}
    assert shapes_of(SQUARES)["z0"].area == 1
    for wrong in ({"a": "no shape"}, {"type": "FeatureCollection", "features": [{}]}):
        with pytest.raises(passersby.RefusedError, match="no zones"):
            shapes_of(wrong)


def test_a_line_runs_along_the_numbers_with_most_values() -> None:
    """Weekdays by hour: seven lines of 24 points, not 24 lines of seven."""
    rows = [(day, hour) for day in range(1, 8) for hour in range(24)]
    ax = answer([1] * 168, dow=[day for day, _ in rows], hour=[hour for _, hour in rows]).plot()
    assert (ax.get_xlabel(), len(ax.get_legend_handles_labels()[1])) == ("hour", 7)


def test_of_many_lines_the_largest_are_drawn_in_colours_of_their_own() -> None:
    rows = [(day, place) for day in DAYS for place in range(30)]
    numbers = [10 + place for _, place in rows]
    ax = answer(numbers, day=[day for day, _ in rows], place=[f"p{place}" for _, place in rows]).plot()
    assert ax.get_legend_handles_labels()[1] == [f"p{place}" for place in range(23, 30)]
    assert len({str(line.get_color()) for line in ax.lines if len(line.get_xdata()) == len(DAYS)}) == 7
    assert any("the 7 largest of 30" in text.get_text() for text in ax.texts)


def test_too_many_sets_of_bars_are_bars_that_all_keys_name() -> None:
    pairs = [(f"z{i % 3}", f"z{i}") for i in range(20)]
    ax = answer([*range(20)], 1, start=[one for one, _ in pairs], end=[other for _, other in pairs]).plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{one}, {other}" for one, other in pairs]
    assert ax.get_legend() is None and ax.figure.get_size_inches()[1] < 10
    places = answer([*range(20)], 1, name=[f"p{i}" for i in range(20)], lon=[16.0 + i / 100 for i in range(20)]).plot()
    assert [label.get_text() for label in places.get_yticklabels()] == [f"p{i}" for i in range(20)]
