"""Where values usually lie is read from noisy histograms, and questions are read by it: averages alone, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from dialect.catalog.model import Bounds, Catalog, Column, SqlType
from engine.catalog.version import catalog_version
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.column_means import MeanDistribution, mean_distribution, with_measured_columns
from engine.pricing.clip_bounds.histograms import (
    HIGHEST_DISTANCE_BIN,
    LOWEST_DISTANCE_BIN,
    MEAN_BINS,
    Calibration,
    Calibrations,
    ContributionHistogram,
    HistogramSubject,
    Quantity,
)
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town, opened

LOWER, UPPER, NOISE = -10.0, 50.0, 30.0
COLUMN = Column("km", SqlType.DOUBLE, "DOUBLE", bounds=Bounds(LOWER, UPPER), centred_sum_clip_bound=100.0)
MEAN = "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone"
COUNT = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


def histogram(
    shares: np.ndarray, noise: int, sigma: float = NOISE, name: str = "km", unit: float = 60.0
) -> ContributionHistogram:
    """Count people by the places of their means between the bounds, as a calibration does."""
    ends = np.minimum(shares, 1 - shares)
    near = (
        np.clip(np.floor(2 * np.log2(np.maximum(ends, 0.001))), LOWEST_DISTANCE_BIN, HIGHEST_DISTANCE_BIN).astype(int)
        - LOWEST_DISTANCE_BIN
    )
    counts = np.bincount(np.where(shares < 0.5, near, MEAN_BINS - 1 - near), minlength=MEAN_BINS)
    noisy = counts + np.rint(np.random.default_rng(noise).normal(0, sigma, MEAN_BINS)).astype(int)
    measured = HistogramSubject("visit", (), Quantity.MEANS, name, unit)
    return ContributionHistogram(
        measured, tuple(int(n) for n in noisy), sigma, "forever", date(2000, 1, 1), date(2999, 1, 1)
    )


def read(shares: np.ndarray, noise: int = 1, sigma: float = NOISE) -> MeanDistribution:
    made = mean_distribution(histogram(shares, noise, sigma), COLUMN)
    assert made is not None
    return made


PEOPLE = {
    "near the lower end": np.clip(np.random.default_rng(1).lognormal(-3.5, 0.4, 10_000), 0, 1),
    "in the middle": np.clip(np.random.default_rng(2).normal(0.4, 0.05, 10_000), 0, 1),
    "near the upper end": 1 - np.clip(np.random.default_rng(3).lognormal(-3.0, 0.3, 10_000), 0, 1),
}


@pytest.mark.parametrize("sort", PEOPLE)
def test_the_centre_is_near_the_mean(sort: str) -> None:
    """Of 10,000 people and noise of 30 the mean is found to within half of what people differ by, and the bins' width."""
    shares = PEOPLE[sort]
    for noise in range(20):
        made = read(shares, noise)
        mean = LOWER + (UPPER - LOWER) * shares.mean()
        assert abs(made.centre - mean) < (UPPER - LOWER) * max(0.5 * shares.std(), 0.03)
        assert made.people.sum() == pytest.approx(1)
        spread = math.sqrt(made.people @ (made.means - mean) ** 2)
        assert spread < 2 * (UPPER - LOWER) * shares.std() + 1


def test_a_bimodal_distribution_keeps_the_middle_as_centre() -> None:
    """A sum about the mean of two ends would need noise for the farther one."""
    made = read((np.arange(10_000) % 10 < 3).astype(float))
    assert abs(made.centre - (LOWER + UPPER) / 2) < 0.1 * (UPPER - LOWER)
    assert made.people[0] + made.people[-1] > 0.95


def test_mere_noise_gives_no_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    for noise in range(50):
        assert mean_distribution(histogram(np.zeros(0), noise), COLUMN) is None
    shares = PEOPLE["near the lower end"][:2_000]
    means = [LOWER + (UPPER - LOWER) * shares.mean(), *(read(shares, noise).centre for noise in range(20))]
    assert max(means[1:]) - means[0] < 2
    monkeypatch.setattr(
        import_module("engine.pricing.clip_bounds.column_means"), "SIGNIFICANT_MEAN_SIGMAS", 0.0
    )  # planted: noise is taken for people
    import_module("engine.pricing.clip_bounds.column_means").distribution_of_means.cache_clear()
    assert max(read(shares, noise).centre for noise in range(20)) - means[0] > 2
    import_module("engine.pricing.clip_bounds.column_means").distribution_of_means.cache_clear()


def test_other_bounds_than_those_measured_are_not_read() -> None:
    assert mean_distribution(histogram(PEOPLE["in the middle"], 1), replace(COLUMN, bounds=Bounds(0, 100))) is None
    assert mean_distribution(None, COLUMN) is None


# ------------------------------------------------------------------ questions that are read by it


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Engine]:
    declared = CATALOG.replace(", centre = 30", "")
    with opened(make_town(tmp_path, declared=declared), tmp_path) as engine:
        yield engine


def knowing(engine: Engine, shares: np.ndarray) -> Engine:
    known = Calibration((histogram(shares, 1, 1.0, "minutes", 60.0),))
    return replace(engine, calibrations=Calibrations({"town": known}))


def centre_of(engine: Engine, sql: str = MEAN) -> float:
    (plan,) = engine.read(sql, "ann").plans
    return next(vector.centre for vector in plan.vectors if vector.kind.value == "centred")


def keys_of(engine: Engine, sql: str) -> set[str]:
    return {made.release_key for made in engine.compile(engine.read(sql, "ann"), Request("ann")).releases}


def test_an_average_is_taken_about_the_usual_value(town: Engine) -> None:
    assert centre_of(town) == 30
    near = knowing(town, np.full(1_000, 0.1))
    assert centre_of(near) == pytest.approx(6, abs=1)
    answered = near.answer(MEAN, Request("ann"))
    assert near.answer(MEAN, Request("ann")).charged_loss.pico_rho == 0  # while the calibration stays
    assert answered.charged_loss.pico_rho > 0
    assert keys_of(near, MEAN) != keys_of(town, MEAN)
    assert (
        centre_of(knowing(near, np.full(1_000, 0.6))) > 30
    )  # another calibration is another reading, of one shelf too


def test_a_query_without_an_average_keeps_its_release_key(town: Engine) -> None:
    assert keys_of(knowing(town, np.full(1_000, 0.1)), COUNT) == keys_of(town, COUNT)


def test_a_declared_centre_comes_first(tmp_path: Path) -> None:
    with opened(make_town(tmp_path), tmp_path) as engine:
        assert centre_of(knowing(engine, np.full(1_000, 0.1))) == 30


def test_a_catalog_stays_the_same_object_and_the_same_version(town: Engine) -> None:
    near = knowing(town, np.full(1_000, 0.1))
    made: Catalog = with_measured_columns(near.catalog, near.calibrations)
    assert made is with_measured_columns(near.catalog, near.calibrations) is not near.catalog
    assert catalog_version(made) == catalog_version(near.catalog)
    assert with_measured_columns(town.catalog, town.calibrations) is town.catalog
