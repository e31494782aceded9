"""The clip bound of an average: narrow if people's means are equal, wide if they vary with activity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from dialect import compile_query
from dialect.catalog.model import Bounds
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.column_means import MeanDistribution, mean_distribution
from engine.pricing.clip_bounds.distribution import contribution_distribution
from engine.pricing.clip_bounds.error_models import vectors_shown_alone
from engine.pricing.clip_bounds.histograms import (
    MEAN_STEPS,
    Calibration,
    ContributionHistogram,
    HistogramSubject,
    Quantity,
)
from engine.pricing.clip_bounds.means import (
    ASSUMED_MEAN_SLOPE,
    OTHER_DIFFERENCE_SHARE,
    SUM_BOUND_SHARES,
    MeanErrorModel,
    mean_deviations,
    measured_mean_slope,
)
from engine.pricing.clip_bounds.tuning import BOUND_DEVIATIONS
from engine.pricing.compile_release import CompiledRelease, price_release, unpriced_release
from engine.pricing.price import split_prices
from tests.engine.pricing.test_column_means import COLUMN
from tests.engine.pricing.test_column_means import histogram as mean_histogram
from tests.engine.pricing.test_contribution_distribution import MADE, UNTIL
from tests.engine.pricing.test_contribution_distribution import histogram as row_histogram
from tests.engine.town import make_town, opened
from tests.support.statistics.calibrated import made_up_calibration

GROUPS, PEOPLE, PRICE = 24, 20_000, 7 * 10**9
NOISE = 20.0
NORMS = [2.0 ** (j / 4) for j in range(40)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def mean_slopes(rows: np.ndarray, means: np.ndarray, noise: int) -> ContributionHistogram:
    """Add up people's means, in magnitudes from -1 to 1, by their rows, with noise."""
    measured = HistogramSubject("visit", (), Quantity.MEANS_BY_ROWS, "minutes", 30.0)
    bins = np.floor(2 * np.log2(rows)).astype(int)
    steps = np.bincount(bins, np.rint(MEAN_STEPS * means), len(measured.bins))
    steps = steps + np.random.default_rng(noise).normal(0, NOISE * MEAN_STEPS, len(steps))
    return ContributionHistogram(measured, tuple(int(n) for n in steps), NOISE * MEAN_STEPS, "forever", MADE, UNTIL)


@cache
def world(lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Everybody's rows per group as floats, and each one's mean, which varies with the logarithm of rows."""
    draw = np.random.default_rng(9)
    rows = np.ceil(draw.lognormal(3, 1.2, PEOPLE)).astype(int)
    means = np.clip(-0.5 + lean * (np.log(rows) - 3) + draw.normal(0, 0.1, PEOPLE), -1, 1)
    return np.array([draw.multinomial(n, np.full(GROUPS, 1 / GROUPS)) for n in rows], dtype=float), means


@pytest.mark.parametrize("lean", [0.0, -0.05, 0.1])
def test_the_slope_of_means_over_activity_is_estimated(lean: float) -> None:
    rows, means = world(lean)
    totals = rows.sum(axis=1)
    found = [
        measured_mean_slope(mean_slopes(totals, means, seed), row_histogram(totals**2, noise=seed))
        for seed in range(1, 6)
    ]
    assert np.median(found) == pytest.approx(abs(lean), abs=0.02)
    assert measured_mean_slope(None, None) == ASSUMED_MEAN_SLOPE


@pytest.mark.parametrize("lean", [0.0, 0.1])
def test_the_tuned_clip_bound_of_a_mean_has_nearly_the_least_true_error(lean: float) -> None:
    rows, means = world(lean)
    totals, norms = rows.sum(axis=1), np.sqrt((rows**2).sum(axis=1))
    spread = contribution_distribution(
        row_histogram(norms**2, keys=("zone",), noise=3), row_histogram(totals**2, noise=4), GROUPS
    )
    assert spread is not None
    found = measured_mean_slope(mean_slopes(totals, means, 5), row_histogram(totals**2, noise=4))
    facts = MeanErrorModel(spread, GROUPS, 1.0, 1.0, found)

    def true_error(norm: float) -> float:
        kept = np.minimum(1, norm / norms)
        count, summed, whole = np.stack([kept, kept * means, means]) @ rows
        bias = summed / count - whole / rows.sum(axis=0)
        return float(np.hypot(np.sqrt(np.mean(bias**2)), noise(norm, count)))

    def noise(norm: float, count: np.ndarray) -> float:
        both = 1 / (2 * 2 * PRICE * 1e-12) + 0.25 / (2 * PRICE * 1e-12)
        return float(norm * np.sqrt(both) / np.mean(count))

    chosen = facts.tune(NORMS, PRICE, 2 * PRICE).count_bound
    best = min(map(true_error, NORMS))
    assert true_error(chosen) < 2.5 * best  # what cannot be known of people is reckoned with
    of_a_total = 150.0  # what few people reach, as for the total beside it
    assert lean or true_error(chosen) < true_error(of_a_total) / 3


def test_means_that_vary_with_activity_are_clipped_less() -> None:
    rows, _ = world(0.0)
    totals, norms = rows.sum(axis=1), np.sqrt((rows**2).sum(axis=1))
    spread = contribution_distribution(row_histogram(norms**2, keys=("zone",)), row_histogram(totals**2), GROUPS)
    assert spread is not None
    several = [MeanErrorModel(spread, GROUPS, 1.0, 1.0, lean) for lean in (0.0, 0.05, 0.2)]
    chosen = [facts.tune(NORMS, PRICE, 2 * PRICE).count_bound for facts in several]
    assert chosen[0] < chosen[1] < chosen[2]
    biases = [MeanErrorModel(spread, GROUPS, 1.0, 1.0, 0.05).clipping_bias(norm) for norm in (2, 8, 32, 1e6)]
    assert biases[0] > biases[1] > biases[2] > 1e-3 > 1e-9 > biases[3]


def prepared(town: Engine, sql: str, calibration: Calibration) -> CompiledRelease:
    question = compile_query(sql, town.catalog)
    ((parts,), (alone,)) = split_prices(question), vectors_shown_alone(question)
    made = unpriced_release(question.plans[0], town.catalog, town.backend, calibration, parts, alone)
    return price_release(made, town.backend, Fraction(5, 1000))


def test_sum_and_count_of_an_average_have_matching_clip_bounds(town: Engine) -> None:
    rows = (0, 40, 80, 200, 300, 200, 60, 30, 10, 5)
    known = made_up_calibration(town.catalog, rows)
    made = prepared(town, "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone", known)
    norms = {
        vector.kind.value: bound.clip_bound
        for vector, bound in zip(made.plan.vectors, made.bounds.vectors, strict=True)
    }
    assert norms["centred"] == 30 * norms["valid"]
    assert all(bound.retained_share == 1 for bound in made.bounds.vectors)
    beside = prepared(town, "SELECT zone, AVG(minutes) AS m, COUNT(minutes) AS n FROM visit GROUP BY zone", known)
    wider = {
        vector.kind.value: bound.clip_bound
        for vector, bound in zip(beside.plan.vectors, beside.bounds.vectors, strict=True)
    }
    assert wider["valid"] > norms["valid"]  # a count that is shown needs more
    assert wider["centred"] == 30 * wider["valid"]
    assert len({bound.retained_share for bound in beside.bounds.vectors}) == 1  # or the average would be moved


# ------------------------------------------------------------------ where people's means were measured


def about(means: np.ndarray, rows: np.ndarray, lean: float) -> tuple[MeanErrorModel, float]:
    """Inputs of the clip bounds of an average of values in 0..1 about the measured centre, and the centre."""
    totals, norms = rows.sum(axis=1), np.sqrt((rows**2).sum(axis=1))
    spread = contribution_distribution(
        row_histogram(norms**2, keys=("zone",), noise=3), row_histogram(totals**2, noise=4), GROUPS
    )
    column = replace(COLUMN, bounds=Bounds(0, 1))
    made = mean_distribution(mean_histogram(means, 7, NOISE, unit=1.0), column)
    assert spread is not None and made is not None
    magnitude = max(made.centre, 1 - made.centre)
    known = mean_deviations(made, made.centre, magnitude, spread)
    return MeanErrorModel(spread, GROUPS, 1.0, 1.0, lean, known), made.centre


def clipped(
    rows: np.ndarray, means: np.ndarray, centre: float, norm: float, of_sum: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows left in each group after clipping, and the shift of its average; each person's values are equal."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    kept = np.minimum(1, np.minimum(norm / norms, of_sum / np.maximum(norms * np.abs(means - centre), 1e-12)))
    left, summed, whole, whole_sum = np.stack([kept, kept * means, np.ones_like(means), means]) @ rows
    return left, summed / left - whole_sum / whole


def two_ends(people: int) -> np.ndarray:
    return (np.random.default_rng(4).random(people) < 0.25).astype(float)


def near_an_end(people: int) -> np.ndarray:
    return np.clip(np.random.default_rng(5).lognormal(-3.2, 0.5, people), 0, 1)


@pytest.mark.parametrize("sort", [two_ends, near_an_end])
def test_the_clip_bound_of_a_centred_sum_has_nearly_the_least_true_error(
    sort: Callable[[int], np.ndarray],
) -> None:
    rows, _ = world(0.0)
    means = sort(len(rows))
    facts, centre = about(means, rows, 0.0)
    magnitude = max(centre, 1 - centre)

    def true_error(norm: float, share: float) -> float:
        left, moved = clipped(rows, means, centre, norm, norm * share * magnitude)
        off = np.mean(np.abs(means - centre))
        both = (share * magnitude) ** 2 / (4 * PRICE * 1e-12) + off**2 / (2 * PRICE * 1e-12)
        return float(np.hypot(np.sqrt(np.mean(moved**2)), norm * np.sqrt(both) / np.mean(left)))

    chosen = facts.tune(NORMS, PRICE, 2 * PRICE)
    best = min(true_error(norm, share) for norm in NORMS for share in SUM_BOUND_SHARES)
    assert facts.deviations is not None
    unknown = (
        OTHER_DIFFERENCE_SHARE * facts.deviations.standard_deviation * magnitude
    )  # what cannot be known of people is reckoned with
    assert true_error(chosen.count_bound, chosen.sum_bound_share) < math.hypot(2.5 * best, unknown)
    _, moved = clipped(rows, means, centre, chosen.count_bound, chosen.count_bound * chosen.sum_bound_share * magnitude)
    told = BOUND_DEVIATIONS * facts.clipping_bias(chosen.count_bound, chosen.sum_bound_share) * magnitude
    assert np.mean(np.abs(moved) <= told) >= 0.93
    if sort is near_an_end:  # and nowhere near what a centre in the middle needs
        middle = replace(facts, deviations=None).tune(NORMS, PRICE, 2 * PRICE)
        left, still = clipped(rows, means, 0.5, middle.count_bound, middle.count_bound * 0.5)
        noise = middle.count_bound * np.sqrt(0.25 / (4 * PRICE * 1e-12) + 0.2 / (2 * PRICE * 1e-12)) / np.mean(left)
        assert true_error(chosen.count_bound, chosen.sum_bound_share) < np.hypot(noise, np.sqrt(np.mean(still**2))) / 2


def test_the_clipping_bias_of_a_sum_is_predicted() -> None:
    """People at the farther end lose more; a planted reading that takes all for near the centre foresees nothing."""
    rows, _ = world(0.0)
    means = two_ends(len(rows))
    facts, _ = about(means, rows, 0.0)
    magnitude, share, norm = 0.75, 0.25, 8.0
    _, moved = clipped(rows, means, 0.25, norm, norm * share * magnitude)
    third = mean_deviations(
        MeanDistribution(np.array([0.0, 1.0]), np.array([0.75, 0.25]), 0, 1, 0.25), 0.25, magnitude, facts.distribution
    )
    told = replace(facts, deviations=third).clipping_bias(norm, share) * magnitude
    assert np.mean(np.abs(moved)) == pytest.approx(told, rel=0.15)
    blind = replace(facts, deviations=replace(third, norm_ratios=np.zeros(2))).clipping_bias(norm, share) * magnitude
    assert np.mean(np.abs(moved)) > 3 * blind


def test_a_sum_with_measured_means_has_a_clip_bound_of_its_own(town: Engine) -> None:
    known = made_up_calibration(town.catalog, (0, 40, 80, 200, 300, 200, 60, 30, 10, 5))
    means = mean_histogram(np.full(900, 0.5), 1, 1.0, name="minutes")
    sql = "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone"
    made = prepared(town, sql, Calibration((*known.histograms, means)))
    norms = {v.kind.value: bound.clip_bound for v, bound in zip(made.plan.vectors, made.bounds.vectors, strict=True)}
    assert norms["centred"] < 30 * norms["valid"]
    both = prepared(town, sql.replace("AVG(minutes)", "STDDEV(minutes)"), Calibration((*known.histograms, means)))
    moments = {v.kind.value: bound.clip_bound for v, bound in zip(both.plan.vectors, both.bounds.vectors, strict=True)}
    assert moments["centred"] == 30 * moments["valid"]  # squares are cut by the same factor


def test_a_person_s_values_differ_most_where_their_mean_is_in_the_middle() -> None:
    """Of a mean at an end all values are at that end; half of them lie at either where it is half way."""
    rows, _ = world(0.0)
    spread = contribution_distribution(
        row_histogram((rows**2).sum(axis=1), noise=3), row_histogram(rows.sum(axis=1) ** 2, noise=4), GROUPS
    )
    assert spread is not None
    means = np.array([-1.0, 0.0, 2.0, 3.0])
    known = mean_deviations(MeanDistribution(means, np.full(4, 0.25), -1, 3, 1.0), 1.0, 10.0, spread)
    alone = min(1.0, float(spread.people @ spread.totals) / float(spread.people @ spread.norms**2))
    within = np.array([0.0, 1.0 * 3.0, 3.0 * 1.0, 0.0])
    assert known.norm_ratios * 10 == pytest.approx(np.sqrt((means - 1) ** 2 + alone * within))
    assert known.means * 10 == pytest.approx(means - 1)
