"""Shown columns with their intervals: as wide as the noise, and no wider than a grain."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dialect.codegen.outer_query import OuterSql
from dialect.postprocess.display_rounding import RoundingDistance
from engine.mechanism.answer import Answer, build_answer, half_widths
from engine.mechanism.intervals import IntervalLevels
from engine.mechanism.release import RawNoise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.statistics.statistics import gaussian_within

QUARTERS = {0: RoundingDistance(0.0, {"c1": 0.5})}


def answered(
    parts: dict[str, list[float | None]], *, ratio: bool = False, alone: str | None = None, **more: Any
) -> Answer:
    """Answer one column `n` whose parts are given."""
    rows = pa.table({"s0": more.get("shown", [1.0] * len(parts["numerator"]))})
    nothing, all_ = [0.0] * len(parts["numerator"]), [1.0] * len(parts["numerator"])
    uncorrected = {"numerator_residual": nothing, "denominator_residual": nothing}
    for name, values in (uncorrected | {"retained_share": all_, "noise_variance": nothing} | parts).items():
        rows = rows.append_column(f"s0_{name}", pa.array(values, pa.float64()))
    rounded = more.get("rounded", {})
    outer = OuterSql("", ("n",), (0,), (0,) if ratio else (), {0: alone} if alone else {}, rounding=rounded)
    raw = RawNoise({}, more.get("sigmas", {"c1": 10.0, "c2": 40.0}), set(more.get("parted", ())))
    return build_answer(rows, outer, IntervalLevels(0.95), raw)


def linear(*values: float, variance: float = 100.0, offset: float = 0.0) -> dict[str, list[float | None]]:
    count = len(values)
    return {"offset": [offset] * count, "numerator": [*values], "numerator_variance": [variance] * count}


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.9, 1.0, 1.5, 3.0, 7.07, 12.0])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_a_single_count_has_at_least_the_stated_coverage(sigma: float, level: float) -> None:
    """Exactly, by summation: the normal quantile alone would cover 88% at sigma 1 where 95% are asked."""
    (width,) = half_widths([sigma], level, {"c1": sigma}, "c1")
    assert gaussian_within(sigma, int(width)) >= Decimal(level)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.3, 8.0])
def test_a_difference_of_counts_is_covered_too(sigma: float) -> None:
    far = int(np.ceil(12 * sigma))
    weights = np.exp(-(np.arange(-far, far + 1) ** 2) / (2 * sigma**2))
    law = np.convolve(weights, weights) / weights.sum() ** 2
    (width,) = half_widths([sigma * np.sqrt(2)], 0.95, {"c1": sigma, "c2": sigma}, None)
    steps = np.arange(-2 * far, 2 * far + 1)
    assert law[np.abs(steps) <= width].sum() >= 0.95


def test_units_and_weights_scale_an_interval() -> None:
    (one,) = half_widths([2.0], 0.95, {"c1": 2.0}, "c1")
    (scaled,) = half_widths([2.0 * 0.001], 0.95, {"c1": 2.0}, "c1")
    assert scaled == pytest.approx(one * 0.001)


def test_without_noise_there_is_no_width() -> None:
    assert half_widths([0.0, 0.0], 0.95, {"c1": 0.0}, "c1").tolist() == [0.0, 0.0]


def test_ends_lie_on_both_sides_of_the_value() -> None:
    found = answered(linear(5.0, -5.0, offset=1.0), alone="c1")
    lower, upper = found.intervals["n"]
    assert ((lower + upper) / 2).tolist() == [6.0, -4.0]
    assert set(upper - lower) == {2 * half_widths([10.0], 0.95, {"c1": 10.0}, "c1")[0]}
    assert found.unstable == {}


def corrected(*values: float, share: float = 0.5) -> dict[str, list[float | None]]:
    """Parts of numbers that were divided by the share of them that clipping left: deviation 10 by noise, 30 in all."""
    count = len(values)
    own = {"numerator_residual": 800.0, "noise_variance": 100.0, "retained_share": share}
    own |= dict.fromkeys(("denominator", "denominator_variance", "covariance"), 0.0)
    return linear(*values, variance=900.0) | {name: [part] * count for name, part in own.items()}


def test_a_corrected_number_is_at_least_its_clipped_part_less_noise() -> None:
    """Half of each number was counted, with half of its noise; a number below 0 is still within its interval."""
    numbers = (1000.0, 100.0, 10.0, -50.0)
    (half,) = half_widths([10.0], 0.95, {"c1": 10.0}, "c1")
    lower, upper = answered(corrected(*numbers), alone="c1").intervals["n"]
    surely = [min(0.5 * (number - half), number) for number in numbers]
    assert lower == pytest.approx(
        [max(number - 3 * half, least) for number, least in zip(numbers, surely, strict=True)]
    )
    assert upper == pytest.approx([number + 3 * half for number in numbers])
    assert lower[0] == pytest.approx(1000 - 3 * half) and lower[1] == pytest.approx(surely[1])
    plain, _ = answered(corrected(*numbers, share=1.0), alone="c1").intervals["n"]
    assert plain == pytest.approx([number - 3 * half for number in numbers])


def test_the_lower_end_of_a_rounded_number_is_lower_by_half_a_step() -> None:
    """Counts rounded to tens: 104 is 100, although surely more than 100 were counted."""
    (half,) = half_widths([10.0], 0.95, {"c1": 10.0}, "c1")
    parts = corrected(400.0, share=0.9) | {"numerator_variance": [1e6]}
    plain, rounded = (
        answered(parts, alone="c1", rounded={0: RoundingDistance(moved)}, shown=pa.array([400])).intervals["n"][0][0]
        for moved in (0.0, 5.0)
    )
    assert plain == math.floor(0.9 * (400.0 - half))
    assert rounded == math.floor(0.9 * (400.0 - half) - 5.0)


def missed_below(left: float, divisor: float, share: float) -> float:
    """How often a number of 1,000 lies below its interval, where clipping left a share of it and it was divided."""
    noise = np.random.default_rng(7).normal(0.0, 10.0, 4000)
    parts = corrected(*((1000.0 * left + noise) / divisor), share=share)
    parts["noise_variance"] = [(10.0 / divisor) ** 2] * len(noise)
    parts["numerator_variance"] = [1e8] * len(noise)  # correction may be off by more than the number
    lower, _ = answered(parts, alone="c1").intervals["n"]
    return float((lower > 1000.0).mean())


@pytest.mark.parametrize("left", [0.1, 0.5, 1.0])
def test_whatever_clipping_left_the_lower_end_keeps_its_level(left: float) -> None:
    """Divided by the share of all groups, a number that lost less than they is too large; its lower end is not."""
    assert missed_below(left, 0.5, 0.5) <= 0.035


def test_a_planted_share_above_that_of_the_division_is_found() -> None:
    assert missed_below(1.0, 0.5, 0.9) > 0.9


def test_integers_beyond_double_precision_have_interval_ends() -> None:
    """Sums of integers go up to 2^63; refusing to round one would be a failure that depends on the data."""
    large = 2**60 + 1
    more: dict[str, Any] = {"alone": "c1", "rounded": QUARTERS}
    lower, upper = answered(linear(float(large)), **more, shown=pa.array([large])).intervals["n"]
    assert lower[0] <= large <= upper[0] and (upper - lower)[0] < 1000


def test_whole_numbers_have_whole_ends_equally_far_in_every_row() -> None:
    """Values that round to 5, 8 and 8: the old interval is inside the new one."""
    parts = linear(5.25, 7.5, 8.0, variance=4.0)
    more: dict[str, Any] = {"alone": "c1", "sigmas": {"c1": 8.0}}  # in quarters
    old_lower, old_upper = answered(parts, **more).intervals["n"]
    lower, upper = answered(parts, **more, shown=pa.array([5, 8, 8]), rounded=QUARTERS, parted={"c1"}).intervals["n"]
    assert (lower <= old_lower).all() and (old_upper <= upper).all()
    (half,) = set((upper - lower) / 2)
    assert half == np.ceil((old_upper - old_lower)[0] / 2 + 0.5)
    assert ((lower + upper) / 2).tolist() == [5, 8, 8]


def test_numbers_that_were_whole_keep_their_ends() -> None:
    lower, upper = answered(linear(5.0, -7.0), alone="c1", shown=pa.array([5, -7]), rounded=QUARTERS).intervals["n"]
    (half,) = half_widths([10.0], 0.95, {"c1": 10.0}, "c1")
    assert (lower.tolist(), upper.tolist()) == ([5 - half, -7 - half], [5 + half, -7 + half])


def test_a_key_as_factor_widens_each_row_by_its_own_rounding() -> None:
    lower, upper = answered(linear(5.25, 7.0), alone="c1", shown=pa.array([5, 7])).intervals["n"]
    (half,) = half_widths([10.0], 0.95, {"c1": 10.0}, "c1")
    assert ((upper - lower) / 2).tolist() == [np.ceil(half + 0.25), half]


def test_a_whole_ratio_and_a_missing_number_have_whole_ends_too() -> None:
    parts: dict[str, list[float | None]] = {
        **linear(500.0),
        "denominator": [100.0],
        "denominator_variance": [9.0],
        "covariance": [0.0],
    }
    lower, upper = answered(parts, ratio=True, shown=pa.array([5])).intervals["n"]
    assert (lower[0] % 1, upper[0] % 1) == (0, 0) and lower[0] < 5 < upper[0]
    lower, upper = answered(linear(5.0, 6.0), shown=pa.array([None, 6])).intervals["n"]
    assert np.isnan(lower).tolist() == np.isnan(upper).tolist() == [True, False]


def test_a_missing_value_has_no_interval() -> None:
    found = answered(linear(5.0, 6.0), shown=[None, 6.0])
    assert np.isnan(found.intervals["n"]).tolist() == [[True, False], [True, False]]


def test_a_coefficient_beyond_double_range_has_no_interval(recwarn: pytest.WarningsRecorder) -> None:
    found = answered(linear(float("inf"), 1.0, variance=float("inf")), alone="c1")
    assert np.isnan(found.intervals["n"][0][0])
    assert not recwarn.list


def test_a_ratio_with_an_unstable_denominator_is_null_and_counted() -> None:
    parts: dict[str, list[float | None]] = {
        "offset": [0.0] * 3,
        "numerator": [500.0, 500.0, 500.0],
        "numerator_variance": [100.0] * 3,
        "denominator": [1000.0, 15.0, -1000.0],
        "denominator_variance": [100.0] * 3,
        "covariance": [0.0] * 3,
    }
    found = answered(parts, ratio=True, shown=[0.5, 33.0, -0.5])
    assert found.table.column("n").to_pylist() == [0.5, None, None]
    assert found.unstable == {"n": 2}
    lower, upper = found.intervals["n"]
    assert lower[0] < 0.5 < upper[0]
    assert np.isnan([lower[1:], upper[1:]]).all()


def test_a_ratio_without_a_denominator_is_no_unstable_one() -> None:
    parts: dict[str, list[float | None]] = {
        **{
            name: [value] * 2
            for name, value in {"offset": 0.0, "numerator": 500.0, "numerator_variance": 100.0}.items()
        },
        "denominator": [None, 1000.0],  # of LAG in the first row
        "denominator_variance": [None, 100.0],
        "covariance": [0.0] * 2,
    }
    found = answered(parts, ratio=True, shown=[None, 0.5])
    assert found.table.column("n").to_pylist() == [None, 0.5]
    assert found.unstable == {}


def test_columns_without_noise_carry_no_interval(engine: Engine) -> None:
    sql = "SELECT zone, COUNT(*) AS n, COUNT(*) > 100 AS many, 7 AS seven FROM visit GROUP BY zone"
    assert set(engine.answer(sql, Request("ann")).answer.intervals) == {"n"}


@pytest.mark.parametrize(
    ("sql", "width"),
    [
        ("SELECT COUNT(*) AS n FROM visit", 1.0),
        ("SELECT -2 * COUNT(*) + 5 AS n FROM visit", 2.0),
        ("SELECT COUNT(*) / 4 AS n FROM visit", 0.25),
    ],
)
def test_the_interval_follows_what_is_computed_from_a_count(engine: Engine, sql: str, width: float) -> None:
    given = engine.answer(sql, Request("ann"))
    ((lower,), (upper,)) = given.answer.intervals["n"]
    (value,) = given.answer.table.column("n").to_pylist()
    sigma, grain = given.releases[0].sigmas[0], given.releases[0].grains[0]
    (half,) = half_widths([sigma * grain], 0.95, {"c": sigma}, "c")
    assert upper - lower == pytest.approx(2 * width * half)
    assert (lower + upper) / 2 == pytest.approx(value, abs=1)


@pytest.mark.parametrize(
    ("kind", "day"),
    [(pa.date32(), 1), (pa.timestamp("us"), 86_400_000_000), (pa.timestamp("us", "UTC"), 86_400_000_000)],
)
def test_a_date_that_python_does_not_know_is_shown_as_null(kind: pa.DataType, day: int) -> None:
    """Infinite dates reach private keys; a client that failed on one would do so after the charge."""
    far = 2**31 - 1 if day == 1 else 2**63 - 1
    counted = pa.array([far, -far, -719_163 * day, -719_162 * day, 0, 2_932_896 * day, 2_932_897 * day, None])
    rows = pa.table({"s0": (counted.cast(pa.int32()) if day == 1 else counted).cast(kind)})
    shown = (
        build_answer(rows, OuterSql("", ("d",), (), (), {}), IntervalLevels(0.95), RawNoise())
        .table.column("d")
        .to_pylist()
    )
    assert [value is None for value in shown] == [True, True, True, False, False, False, True, True]
