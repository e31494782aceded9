"""Means of units are measured on the scale of the values, however wide the declared bounds are."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dialect.algebra import QueryVector
from dialect.catalog import SqlType
from dialect.codegen import HIGHEST_BIN, LOWEST_BIN
from engine.pricing.clip_bounds.column_means import MEAN_PARTS, MeanDistribution
from engine.pricing.clip_bounds.profiles import unit_means
from engine.pricing.clip_bounds.profiles.unit_means import distribution_by_parts, parts_of

SIGMA = 40.0
AMOUNTS = np.random.default_rng(1).lognormal(math.log(30), 0.6, 20_000)  # of mean 36 and standard deviation 24


def vector(lower: float, upper: float, value_type: SqlType = SqlType.DOUBLE) -> QueryVector:
    """What parts are read of: a range and a type."""
    made: Any = SimpleNamespace(lower=lower, upper=upper, value=SimpleNamespace(type=value_type))
    return made  # type: ignore[no-any-return]


def read(means: np.ndarray, of: QueryVector) -> MeanDistribution | None:
    """Count units by the bins of their means, and read them with noise."""
    ends = of.lower + (of.upper - of.lower) * np.array([0.0, *parts_of(of), 1.0])
    counts = np.zeros(HIGHEST_BIN - LOWEST_BIN + 1)
    counts[: len(ends) - 1] = np.histogram(means, ends)[0]
    return distribution_by_parts(counts + np.random.default_rng(2).normal(0, SIGMA, len(counts)), SIGMA, of)


def spread(made: MeanDistribution) -> float:
    """Standard deviation of means."""
    return math.sqrt(made.people @ (made.means - made.centre) ** 2)


@pytest.mark.parametrize(
    ("lower", "upper"), [(0, 1), (1, 20), (-40, 60), (-20_000, 20_000), (-5, 1e6), (-100, 0), (-90, -10), (3, 3)]
)
def test_bins_rise_and_fit_into_a_histogram(lower: float, upper: float) -> None:
    ends = np.array([0.0, *parts_of(vector(lower, upper)), 1.0])
    assert (np.diff(ends) > 0).all()
    assert len(ends) - 1 <= HIGHEST_BIN - LOWEST_BIN + 1


@pytest.mark.parametrize(("lower", "upper"), [(0, 500), (0, 100_000), (-20_000, 20_000), (-5, 100_000)])
def test_means_have_their_own_scale_in_wide_bounds(lower: float, upper: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """To within a quarter; bins that are as fine from both ends alone tell no scale below that of the bounds."""
    of = vector(lower, upper)
    made = read(AMOUNTS, of)
    assert made is not None
    assert made.centre == pytest.approx(AMOUNTS.mean(), rel=0.25)
    assert spread(made) == pytest.approx(AMOUNTS.std(), rel=0.25)
    assert made.resolution < spread(made)
    monkeypatch.setattr(unit_means, "is_narrow", lambda vector: True)
    coarse = read(AMOUNTS, of)
    assert coarse is not None
    assert upper == 500 or abs(coarse.centre - AMOUNTS.mean()) > AMOUNTS.mean()


def test_bins_of_few_people_are_read_together() -> None:
    made = read(AMOUNTS[:900], vector(0, 100_000))
    assert made is not None
    assert made.centre == pytest.approx(AMOUNTS.mean(), rel=0.5)


def test_where_nearly_all_means_are_0_they_tell_no_scale() -> None:
    """Then the few others may be anywhere: the scale is that of the range."""
    made = read(np.concatenate([np.zeros(20_000), AMOUNTS[:300]]), vector(0, 100_000))
    assert made is not None
    assert math.isinf(made.resolution)
    assert made.means[0] > 100


def test_whole_numbers_of_a_narrow_range_have_the_bins_of_calibrations() -> None:
    assert parts_of(vector(0, 1, SqlType.BIGINT)) == MEAN_PARTS
    assert parts_of(vector(1, 1_000, SqlType.BIGINT)) != MEAN_PARTS


def test_nobody_gives_no_mean() -> None:
    assert read(AMOUNTS[:0], vector(0, 100)) is None
