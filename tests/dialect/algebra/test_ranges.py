"""The range of an expression holds its value for all rows within the declared bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dialect.algebra import value_ranges as ranges
from dialect.algebra.expressions import Field, Ref
from dialect.algebra.relations import BoundQuery
from dialect.catalog.model import Bounds
from dialect.functions.emitter import write_expr
from dialect.functions.registry import OVERLOADS_BY_NAME, callable_names, range_of
from dialect.functions.signatures import Function
from tests.support.sql.form_samples import ALL, TYPES, Sample, samples

RULED = [
    sample
    for form in ALL
    if form.range_rule is not None and form.argument_kinds and form.name != "nullif"
    for sample in samples(form)
    if all(not isinstance(kind, str) or kind in {"int", "double"} for kind in sample.kinds)
]
NUMBERS = st.integers(-1000, 1000).map(float) | st.floats(-1e6, 1e6)


def _range(sample: Sample, bounds: list[Bounds]) -> Bounds:
    arguments = [
        Ref(replace(argument.field, bounds=bounds.pop(0))) if isinstance(argument, Ref) else argument
        for argument in sample.arguments()
    ]
    return range_of(replace(sample.call(), arguments=tuple(arguments)))


@pytest.mark.parametrize("sample", RULED, ids=lambda sample: f"{sample.form.row_name} {sample.kinds}"[:60])
@settings(max_examples=max(10, settings.default.max_examples // 3))  # of each of many samples
@given(data=st.data())
def test_a_value_lies_in_the_range(sample: Sample, data: st.DataObject, database: duckdb.DuckDBPyConnection) -> None:
    columns = sample.columns()
    points: list[float] = []
    bounds: list[Bounds] = []
    for _, kind in columns:
        low, value, high = sorted(data.draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
        if kind == "int":
            low, value, high = math.floor(low), math.floor(value), math.ceil(high)
        points.append(value)
        bounds.append(Bounds(float(low), float(high)))
    inferred = _range(sample, list(bounds))
    cells = ", ".join(
        f"CAST({value!r} AS {TYPES[kind]}) AS {name}" for value, (name, kind) in zip(points, columns, strict=True)
    )
    (found,) = database.execute(f"SELECT {write_expr(sample.call())} FROM (SELECT {cells})").fetchall()[0]
    assume(isinstance(found, int | float) and math.isfinite(found))
    slack = 1e-9 * max(1.0, abs(found))
    assert inferred.lower - slack <= found <= inferred.upper + slack, (points, bounds, inferred)


EXPRESSIONS = {
    "100 * dwell_s": (0, 720_000),
    "dwell_s * dwell_s": (0, 7200**2),
    "lat * lat": (0, 8100),
    "lat * (lat + 0)": (-8100, 8100),
    "abs(lat)": (0, 90),
    "-lat + 10": (-80, 100),
    "dwell_s / 60": (0, 120),
    "least(dwell_s, 60)": (0, 60),  # a NULL is left out: only what can't be NULL caps
    "least(dwell_s, lat)": (-90, 7200),
    "least(coalesce(dwell_s, 0), 60)": (0, 60),
    "least(greatest(lon, 0), 10)": (0, 10),
    "greatest(lat, 0)": (0, 90),
    "coalesce(lat, 100)": (-90, 100),
    "CASE WHEN lon > 5 THEN 1 WHEN lon > 2 THEN 3 ELSE 0 END": (0, 3),
    "CASE WHEN lon > 5 THEN lat END": (-90, 90),
    "round(dwell_s, -2)": (-100, 7300),
    "(dwell_s > 5)::INT": (0, 1),
    "hour(ts)": (0, 23),
    "nullif(lat, 0)": (-90, 90),
    "dwell_s % 7": (0, 7),
    "sqrt(dwell_s)": (0, math.sqrt(7200)),
    "power(lat, 2)": (0, 8100),
    "power(lat, 3)": (-729_000, 729_000),
    "CASE WHEN lat > 5 THEN 1 ELSE 'inf'::DOUBLE END": (1, 1),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_range_of_an_expression(text: str, rows_of: Callable[[str], BoundQuery]) -> None:
    field = rows_of(f"SELECT {text} AS x FROM events").columns[0][1]
    assert field.bounds is not None
    assert (field.bounds.lower, field.bounds.upper) == pytest.approx(EXPRESSIONS[text])


@pytest.mark.parametrize(
    "text", ["lon", "1 / lat", "ln(dwell_s)", "exp(dwell_s)", "power(lat, 0.5)", "power(dwell_s, lat)", "lat / lat"]
)
def test_an_unbounded_expression_has_no_range(text: str, rows_of: Callable[[str], BoundQuery]) -> None:
    bounds = rows_of(f"SELECT {text} AS x FROM events").columns[0][1].bounds
    assert bounds is None or not bounds.is_finite


def test_every_number_that_can_be_bounded_has_a_rule() -> None:
    unruled = {
        form.name
        for name in callable_names()
        for form in OVERLOADS_BY_NAME[name]
        if _is_number(form) and form.range_rule is None
    }
    times = {"epoch", "epoch_ms", "epoch_us", "julian", "date_diff", "date_sub", "dwell_minutes", "-"}
    unbounded = {"tan", "cot", "log", "cosh", "atanh"}
    members = {"list_extract", "list_min", "list_max", "list_sum", "list_avg"}
    assert unruled == times | unbounded | members | {
        "dp_interval_low",
        "dp_interval_high",
        "h3_parent",
        "coalesce",
        "least",
        "greatest",
    }


def _is_number(form: Function) -> bool:
    return form.result.value in {"BIGINT", "DOUBLE", "NULL"}


def test_an_unknown_end_stays_unknown() -> None:
    assert ranges.multiply(Bounds(0, 0), ranges.UNKNOWN) == ranges.UNKNOWN
    assert ranges.hull([Bounds(0, 1), Bounds(-1, math.inf)]) == Bounds(-1, math.inf)
    assert ranges.power(Bounds(-2, 3), Bounds(2, 2)) == Bounds(0, 9)
    assert Field("x", None, TYPES["int"]).bounds is None


PLACES = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
SIZES = st.sampled_from([0.0, 1e-9, 0.001, 0.5, 3.0, 40.0, 90.0, 179.0])


@settings(max_examples=max(60, settings.default.max_examples))
@given(
    start=PLACES,
    sizes=st.tuples(SIZES, SIZES),
    at=st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1.0]), min_size=4, max_size=4),
)
def test_a_distance_lies_within_what_the_bounds_of_places_leave(
    start: tuple[float, float], sizes: tuple[float, float], at: list[float], database: duckdb.DuckDBPyConnection
) -> None:
    ends = [(low, low + size) for low, size in zip(start, sizes, strict=True)] * 2
    points = [min(low + share * (high - low), high) for (low, high), share in zip(ends, at, strict=True)]
    sample = next(iter(samples(OVERLOADS_BY_NAME["haversine_m"][0])))  # of doubles alone
    inferred = _range(sample, [Bounds(low, high) for low, high in ends])
    cells = ", ".join(
        f"CAST({value!r} AS DOUBLE) AS {name}" for value, (name, _) in zip(points, sample.columns(), strict=True)
    )
    (found,) = database.execute(f"SELECT {write_expr(sample.call())} FROM (SELECT {cells})").fetchall()[0]
    assert found is None or 0 <= found <= inferred.upper


def test_a_town_is_not_as_wide_as_the_earth() -> None:
    lon, lat = Bounds(-104, -103), Bounds(20, 21)
    (way,) = (form.range_rule for form in OVERLOADS_BY_NAME["haversine_m"])
    assert way is not None and way(lon, lat, lon, lat).upper == pytest.approx(222_390, rel=1e-3)
    assert way(lon, Bounds(-math.inf, 21), lon, lat) == way(*[Bounds(-180, 180)] * 4) == Bounds(0, 6_371_000 * math.pi)
