"""Quantiles of a histogram: exact where counts are, within their intervals where those are noisy, NULL where too few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.expressions import Field
from dialect.algebra.formulas import Histogram, QuantileOf, ReleasedNumber
from dialect.algebra.release_plan import ReleaseColumns
from dialect.catalog.model import SqlType
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.quantiles import HistogramCounts, quantile, quantile_table
from tests.support.sql.samples import gaussian_samples
from tests.support.statistics.statistics import binomial_at_least

WHOLE = Histogram(0, tuple(map(float, range(24))), (0.0,) * 24)
WIDTH = 0.5
DRAWS, SIGMA = 3_000, 150.0
PARTS = Histogram(0, tuple(-10.0 + WIDTH * place for place in range(128)), (WIDTH,) * 128)
GROWING = Histogram(0, (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0), (1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0))
LEVELS = st.sampled_from((0.0, 0.01, 0.25, 0.5, 0.9, 1.0))


def _counts(values: np.ndarray, bins: Histogram, sigma: float = 0.0) -> HistogramCounts:
    place = np.clip(np.searchsorted(bins.starts, values, side="right") - 1, 0, bins.bin_count - 1)
    return HistogramCounts(np.bincount(place, minlength=bins.bin_count)[None, :].astype(np.float64), sigma, bins)


@given(values=st.lists(st.integers(0, 23), min_size=1, max_size=60), level=LEVELS)
def test_whole_values_are_exact(values: list[int], level: float) -> None:
    found, _, _ = quantile(_counts(np.array(values), WHOLE), QuantileOf(level), 0.95)
    assert found[0].as_py() == pytest.approx(np.quantile(values, level))


@given(values=st.lists(st.floats(-10, 54), min_size=1, max_size=60), level=LEVELS)
def test_other_values_are_within_a_bin(values: list[float], level: float) -> None:
    found, lower, upper = quantile(_counts(np.array(values), PARTS), QuantileOf(level), 0.95)
    true = float(np.quantile(values, level))
    assert abs(found[0].as_py() - true) <= WIDTH + 1e-9
    assert lower[0] - 1e-9 <= true <= upper[0] + WIDTH + 1e-9


@given(values=st.lists(st.floats(0, 15.9), min_size=1, max_size=60), level=LEVELS)
def test_values_are_within_a_bin_of_its_own_width(values: list[float], level: float) -> None:
    found, lower, upper = quantile(_counts(np.array(values), GROWING), QuantileOf(level), 0.95)
    true = float(np.quantile(values, level, method="lower"))
    width = GROWING.value_widths[int(np.searchsorted(GROWING.starts, true, side="right")) - 1]
    between = float(np.quantile(values, level, method="higher")) - true
    assert abs(found[0].as_py() - true) <= between + max(width, 4.0) + 1e-9
    assert lower[0] <= found[0].as_py() <= upper[0]


def test_the_least_and_the_largest_are_rounded_outwards() -> None:
    counts = _counts(np.array([3] * 99 + [9] * 101), WHOLE)
    assert quantile(counts, QuantileOf(98.2 / 199, "down"), 0.95)[0].to_pylist() == [4]
    assert quantile(counts, QuantileOf(98.2 / 199, "up"), 0.95)[0].to_pylist() == [5]


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Draw the noise of many releases once: each level by itself meets it as if it were its own."""
    return gaussian_samples(DRAWS * PARTS.bin_count, SIGMA).reshape(DRAWS, PARTS.bin_count)


@pytest.mark.parametrize("level", [0.01, 0.25, 0.5, 0.99])
def test_quantiles_lie_in_their_intervals(level: float, noise: np.ndarray) -> None:
    values = np.random.default_rng(3).gamma(2.0, 8.0, 60_000) - 10
    exact = _counts(values, PARTS).noisy
    true = float(np.quantile(values, level))
    found, lower, upper = quantile(HistogramCounts(exact + noise, SIGMA, PARTS), QuantileOf(level), 0.95)
    assert found.null_count == 0
    assert binomial_at_least(int(((lower <= true) & (true <= upper)).sum()), DRAWS, 0.95)
    assert float(np.mean(upper - lower)) < 40.0  # of a range of 64
    # planted: ends of a noise ten times too small
    _, low, high = quantile(HistogramCounts(exact + noise, SIGMA / 10, PARTS), QuantileOf(level), 0.95)
    assert not binomial_at_least(int(((low <= true) & (true <= high)).sum()), DRAWS, 0.95)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_an_interval_holds_what_clipping_may_have_moved(level: float) -> None:
    """A tenth of the rows, all at the top, was clipped; without what clipping moved, the interval is too narrow."""
    every = np.repeat(np.arange(24), 100)
    left = HistogramCounts(_counts(every[:-240], WHOLE).noisy, 1.0, WHOLE)  # the highest two bins and a half are gone
    true = float(np.quantile(every, level, method="lower"))
    _, lower, upper = quantile(replace(left, clipping=0.1), QuantileOf(level), 0.95)
    assert lower[0] <= true <= upper[0]
    _, lower, upper = quantile(left, QuantileOf(level), 0.95)
    assert upper[0] < true


def test_too_few_rows_have_no_quantile() -> None:
    found, lower, _ = quantile(HistogramCounts(np.full((1, 128), 3.0), 40.0, PARTS), QuantileOf(0.5), 0.95)
    assert found.to_pylist() == [None]
    assert np.isnan(lower[0])


def test_groups_keep_their_order_and_their_nulls() -> None:
    keys = pa.table({"k0": ["b", "b", None, "a"], "k1": [1, 0, 1, 1], "k2": [2.0, 2.0, 2.0, 1.0]})
    fields = tuple(Field(name, None, kind) for name, kind in (("x", SqlType.VARCHAR), ("y", SqlType.DOUBLE)))
    value, *ends = (Field(name, None, SqlType.DOUBLE) for name in ("m", "lo", "hi"))
    output = ReleasedNumber(value, QuantileOf(0.5), (ends[0], ends[1]))
    columns = ReleaseColumns(0, fields, (output,), (), Histogram(1, (10.0, 11.0), (0.0, 0.0)))
    made = quantile_table(keys, NoisyVector(np.array([5, 1, 4, 9])), 1.0, 0.0, columns, 0.95)
    assert made.to_pylist() == [
        {"x": "b", "y": 2.0, "m": 11.0, "lo": 11.0, "hi": 11.0},
        {"x": None, "y": 2.0, "m": 11.0, "lo": 11.0, "hi": 11.0},
        {"x": "a", "y": 1.0, "m": 11.0, "lo": 11.0, "hi": 11.0},
    ]
