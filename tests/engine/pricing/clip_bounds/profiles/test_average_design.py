"""Distances beyond the visible bins: limited by numbers of values, and those of a population that noise hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.pricing.clip_bounds.column_means import MeanDistribution
from engine.pricing.clip_bounds.profiles import average_design
from engine.pricing.clip_bounds.profiles.average_design import (
    AverageProfile,
    DistanceProfile,
    FarUnits,
    HiddenPopulation,
    best_designs,
    beyond_class_means,
    count_clipping,
    far_units,
    hidden_means,
    hidden_population,
    paired_scenarios,
    weight_deviation,
    with_hidden_means,
    within_rows,
)
from engine.pricing.clip_bounds.profiles.class_means import ClassPosterior
from engine.pricing.clip_bounds.profiles.estimator import VectorProfile, candidate_bounds
from engine.pricing.clip_bounds.profiles.histogram_reading import HistogramReading, read_histogram

LIMIT = 0.9  # largest distance of one value


@pytest.fixture(scope="module")
def profile() -> AverageProfile:
    """Shares of 12,000 units whose numbers of values are log-normal."""
    values = np.maximum(1, np.exp(2 + np.random.default_rng(1).standard_normal(12_000))).round()
    counts = np.bincount(np.floor(2 * np.log2(values)).astype(int), minlength=80).astype(float)
    rows = read_histogram(counts, 30.0, is_total=True, is_count=True, most=1e4)
    means = MeanDistribution(np.array([0.0, 0.1, 0.3]), np.array([0.3, 0.5, 0.2]), 0.0, 1.0, 0.5)
    return AverageProfile(VectorProfile(rows, None, 1, 1.0, is_signed=False), means, 30.0)


@pytest.fixture(scope="module")
def clear(profile: AverageProfile) -> AverageProfile:
    """The same with means that noise hides of nobody, and that bins tell apart."""
    return replace(profile, units_deviation=0.1, means=replace(profile.means, resolution=0.01))


@pytest.fixture(scope="module")
def reading(profile: AverageProfile) -> HistogramReading:
    """Distances whose visible bins end below 3, with a tail that noise cannot tell from none."""
    del profile
    counts = np.zeros(80)
    counts[6:15] = np.geomspace(2000, 250, 9)
    found = read_histogram(counts, 35.0, is_total=True, is_count=False, most=1e12)
    return replace(found, points=found.points / 64)


def classes_of(profile: AverageProfile, deviation: float = 0.02) -> ClassPosterior:
    size = len(profile.class_units)
    return ClassPosterior(np.zeros(size), deviation**2 * np.eye(size))


def test_no_unit_is_farther_than_its_values_take_it(profile: AverageProfile, reading: HistogramReading) -> None:
    found = within_rows(reading, profile, classes_of(profile), 1, LIMIT)
    is_hidden = reading.bins > reading.last_visible
    assert (found.units[:, ~is_hidden] == reading.units[:, ~is_hidden]).all()
    assert (found.units >= 0).all()
    assert found.units.sum() <= reading.units.sum()
    farthest = LIMIT * profile.values[profile.units > 0].max()
    assert reading.units[:, reading.points > farthest].sum() > 0
    assert found.units[:, found.points > farthest].sum() == 0
    beyond = found.units[:, found.points > 10.0].sum(axis=1)
    assert (beyond <= profile.units[profile.values * LIMIT > 10.0].sum() + 1e-6).all()


def test_an_uncertain_class_may_lie_farther(clear: AverageProfile, reading: HistogramReading) -> None:
    near, far = (within_rows(reading, clear, classes_of(clear, each), 1, LIMIT).totals for each in (0.02, 0.5))
    assert (near <= far + 1e-9).all()
    assert near.mean() < far.mean() < reading.totals.mean()


def test_a_class_whose_means_noise_hides_may_lie_anywhere(
    profile: AverageProfile, clear: AverageProfile, reading: HistogramReading
) -> None:
    """Machines among people: their means are in no visible bin, so that no spread of the others limits them."""
    hidden, known = (within_rows(reading, each, classes_of(each), 1, LIMIT).totals for each in (profile, clear))
    assert (known <= hidden + 1e-9).all() and known.mean() < hidden.mean()
    far, none = (hidden_means(each, LIMIT) for each in (profile, clear))
    few = np.argmin(profile.class_units)
    assert far[few] == pytest.approx(far.max()) and 0.1 * LIMIT < far[few] < LIMIT
    assert (none <= far).all() and none[np.argmax(profile.class_units)] < far[np.argmax(profile.class_units)] / 100
    assert (hidden_means(profile, profile.spread) == 0).all()


def test_no_class_mean_limits_what_units_have_of_a_rare_event(clear: AverageProfile, reading: HistogramReading) -> None:
    """Where nearly all means are in one bin, these tell no spread of what a few people have."""
    share = replace(clear, means=replace(clear.means, resolution=np.inf))
    known, untold = (within_rows(reading, each, classes_of(each), 1, LIMIT).totals for each in (clear, share))
    assert (known <= untold + 1e-9).all() and known.max() < untold.max() / 1.3


def heavy(profile: AverageProfile, units: float, sigma: float = 30.0) -> AverageProfile:
    """Most units have at most five values, and so many in each of seven bins have some thousand."""
    counts = np.zeros(80)
    counts[:5], counts[18:25] = np.geomspace(60_000, 1_000, 5), units
    rows = read_histogram(counts, sigma, is_total=True, is_count=True, most=1e4)
    assert rows.largest_visible < 8
    return replace(profile, rows=VectorProfile(rows, None, 1, 1.0, is_signed=False))


def test_distances_are_read_as_far_as_expected_units_reach(
    profile: AverageProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units in no visible bin, which the reading expects, may have far more values than any in visible ones."""
    assert 1_000 < heavy(profile, 80.0).largest_rows < 10_000
    assert heavy(profile, 0.0, sigma=0.1).largest_rows < 50  # nearly without noise, nobody is expected far beyond
    monkeypatch.setattr(average_design, "LEAST_EXPECTED", 1e6)  # planted: the visible bins alone
    assert heavy(profile, 80.0).largest_rows < 8


def test_class_means_of_a_rare_event_deny_no_far_units(
    profile: AverageProfile, clear: AverageProfile, reading: HistogramReading
) -> None:
    """Clamped means are near 0 where a few people have most of an event, whose norms and numbers tell more."""
    units = 0.1 * profile.total / reading.points[-1]
    above, none = with_far_units(reading, len(reading.units), units), replace(reading, units=0 * reading.units)
    usual, weights = classes_of(profile, 0.005), profile.class_weights
    told = beyond_class_means(usual, profile, above, none)
    value, variance = float(above.totals.mean()) / profile.total, 0.01**2
    assert float(weights @ told.observe(weights, value, variance).distances) > 0.95 * value > 0.09
    assert float(weights @ usual.observe(weights, value, variance).distances) < 0.5 * value  # planted: means as told
    assert beyond_class_means(usual, profile, reading, reading).variances(weights[:, None])[0] == pytest.approx(
        usual.variances(weights[:, None])[0]
    )  # norms of both sides confirm them
    assert beyond_class_means(usual, clear, above, none) is usual


def test_a_class_on_the_other_side_is_nearer(clear: AverageProfile, reading: HistogramReading) -> None:
    above = replace(classes_of(clear), distances=np.full(len(clear.class_units), 0.4))
    sides = [within_rows(reading, clear, above, sign, LIMIT).totals.mean() for sign in (1, -1)]
    assert sides[0] > sides[1]


def test_products_are_limited_by_numbers_of_values_alone(clear: AverageProfile, reading: HistogramReading) -> None:
    """Mean squares of units have long tails, so that no spread of their class limits them."""
    usual, widest = (within_rows(reading, clear, classes_of(clear), 1, LIMIT, each) for each in (2.0, np.inf))
    farthest = LIMIT * clear.values[clear.units > 0].max()
    assert usual.totals.mean() < widest.totals.mean()
    assert widest.units[:, widest.points > farthest].sum() == 0


def test_a_population_that_noise_hides_is_held(profile: AverageProfile) -> None:
    """Thirty units of 16 values each, whose means are near the upper end: beyond a clip bound they exceed the noise."""
    bound, units, values = np.array([2.0]), 30, 16
    exceeded = units * (values * LIMIT - bound[0])
    hidden = hidden_population(profile, (LIMIT, 0.1), 35.0)
    assert exceeded < 1.96 * hidden.deviations(bound)[0] < 10 * exceeded


def test_what_noise_hides_falls_with_the_clip_bound_and_with_the_noise(profile: AverageProfile) -> None:
    bounds = np.geomspace(0.1, 1e4, 20)
    small, large = (hidden_population(profile, (LIMIT, LIMIT), sigma).deviations(bounds) for sigma in (3.0, 30.0))
    assert (np.diff(large) <= 0).all() and large[0] > 0 and large[-1] == 0
    assert (small <= large + 1e-9).all() and (small[large > 1_000] < large[large > 1_000] / 1.2).all()


def test_a_wide_declared_range_hides_no_farther_population(profile: AverageProfile) -> None:
    """A range a thousand times wider than any value costs no wider interval."""
    bounds, farthest = np.geomspace(0.1, 1e4, 20), 64 * profile.spread
    widths = [hidden_population(profile, (limit, 0.1), 20.0).deviations(bounds) for limit in (farthest, 1e3, 1e6)]
    assert (widths[0] == widths[1]).all() and (widths[1] == widths[2]).all() and widths[0][0] > 0
    assert np.array_equal(*(hidden_means(profile, limit) for limit in (farthest, 1e6)))


def test_no_population_hides_within_the_usual_means(profile: AverageProfile) -> None:
    nearest, bounds = 2 * profile.spread, np.geomspace(0.1, 1e4, 20)
    limits = (0.99 * nearest, 0.5 * nearest)
    assert (hidden_population(profile, limits, 20.0, is_value=False).deviations(bounds) == 0).all()
    assert hidden_population(profile, limits, 20.0).deviations(bounds)[0] > 0  # of values that bounds cut off


def test_who_may_weigh_more_widens_averages(profile: AverageProfile) -> None:
    """300 units of some hundred values each are in no visible bin: their class may have much of all values."""
    counts = np.zeros(80)
    counts[:12] = np.geomspace(4_000, 300, 12)
    clear, doubtful = counts.copy(), counts.copy()
    doubtful[16:22] += (20, 60, 80, 80, 40, 20)
    classes = ClassPosterior(np.zeros(14), 0.1**2 * np.eye(14))

    def deviation(units: np.ndarray, bound: float) -> float:
        rows = read_histogram(units, 30.0, is_total=True, is_count=True, most=1e4)
        own = replace(profile, rows=VectorProfile(rows, None, 1, 1.0, is_signed=False))
        return weight_deviation(own, bound, classes)

    assert deviation(doubtful, 16.0) > max(0.01, 1.7 * deviation(clear, 16.0))
    assert deviation(doubtful, 1e4) < 1e-12  # nothing is clipped, but for rounding


STAFF, STAFF_VALUES, STAFF_MEAN = 100, 150, 0.3  # units, values of one, and its mean distance


def measured(profile: AverageProfile, staff: int) -> FarUnits:
    """Measured distances, without noise, of staff above the centre in the class of 128 to 255 values."""
    sigma, first, size = 35.0, 1e-3, 128
    sums, counts = np.zeros(21), np.zeros(2 * size)
    sums[7] = staff
    place = int(2 * np.log2(STAFF_VALUES * STAFF_MEAN / first))
    counts[place - 1 : place + 2] = staff * np.array([0.25, 0.5, 0.25])
    points = first * 2 ** ((np.arange(size) + 0.5) / 2)
    side = HistogramReading(points, np.zeros((1, size)), np.arange(size), sigma, 2)
    return far_units(profile, classes_of(profile), 0.05, first, ((sums, sigma), (counts, sigma)), (side, side))


def with_staff(found: FarUnits | None, read: float = 75, sigma: float = 10.0) -> HiddenPopulation:
    """Populations that may hide among units of whom 150 (twice those `read` in a bin) have 128 to 255 values."""
    counts = np.zeros(80)
    counts[:12], counts[14:16] = np.geomspace(4_000, 300, 12), read
    rows = read_histogram(counts, sigma, is_total=True, is_count=True, most=1e4)
    means = MeanDistribution(np.array([0.0, 0.02]), np.array([0.5, 0.5]), 0.0, 1.0, 0.0)
    profile = AverageProfile(VectorProfile(rows, None, 5, 1.0, is_signed=False), means, 30.0)
    return hidden_population(profile, (LIMIT, 0.1), 35.0, found=found)


def test_measured_distances_tell_whether_staff_hide(profile: AverageProfile) -> None:
    """Too few for any visible bin, they are far from others: class means and distances tell of them together."""
    bound, exceeded = np.array([4.0]), STAFF * (STAFF_VALUES * STAFF_MEAN - 4.0)
    before, found, none = (with_staff(each) for each in (None, measured(profile, 3 * STAFF // 2), measured(profile, 0)))
    assert before.shifts(bound)[0] == 0 == none.shifts(bound)[0]  # none is as likely as any
    assert found.shifts(bound)[0] > exceeded / 3
    assert abs(found.shifts(bound)[0] - exceeded) < 1.96 * found.deviations(bound)[0]
    assert none.deviations(bound)[0] < found.deviations(bound)[0] / 3
    assert found.chances.sum() > 0.9 > 0.5 > none.chances.sum()


def test_squares_hold_rarer_populations_above(profile: AverageProfile) -> None:
    """Squares are moved upwards alone: one end of an interval at 95% leaves out half of what both do."""
    hidden, bounds = hidden_population(profile, (1e3, 0.1), 20.0, is_value=False), np.geomspace(1.0, 1e3, 8)
    (below, above), (_, usual) = hidden.sides(bounds, is_square=True), hidden.sides(bounds)
    assert (below == 0).all() and (above >= usual).all() and above[0] > 1.5 * usual[0] > 0


def test_a_planted_cap_by_read_units_is_found(profile: AverageProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where noise hides staff, few units of their class are read: these are no limit of how many there are."""
    bound, exceeded = np.array([4.0]), STAFF * (STAFF_VALUES * STAFF_MEAN - 4.0)

    def is_held() -> bool:
        found = with_staff(measured(profile, 3 * STAFF // 2), read=0, sigma=30.0)
        return bool(abs(found.shifts(bound)[0] - exceeded) < 1.96 * found.deviations(bound)[0])

    assert is_held()
    monkeypatch.setattr(average_design, "CLASS_SIGMAS", 0.0)
    assert not is_held()


def test_the_clipped_share_of_distances_is_that_of_both_sides(
    profile: AverageProfile, reading: HistogramReading
) -> None:
    hidden = hidden_population(profile, (LIMIT, LIMIT), 20.0)
    classes = classes_of(profile)
    distances = DistanceProfile(classes, classes, reading, reading, profile.spread, 1.0, hidden)
    bounds = [float(reading.points.max()), 1.0, 0.1]
    shares = [distances.clipped_share(bound) for bound in bounds]
    assert shares[0] == 0 < shares[1] < shares[2] < 1


def count_noise(profile: AverageProfile, distances: DistanceProfile, rho: float = 1e-5) -> float:
    """Noise of the count at the chosen clip bound, as a share of what that leaves."""
    errors, designs = best_designs(profile, distances, candidate_bounds(profile.rows.norms), rho, (1.0, 1.0), None)
    best = designs[int(np.argmin(errors))]
    left = count_clipping(profile, np.array([best.count_bound])).retained[0] * profile.total
    return float(best.count_bound / np.sqrt(2 * rho * best.count_part) / left)


def test_the_noise_of_a_count_leaves_it_clear_of_0(
    profile: AverageProfile, reading: HistogramReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In first order the noise of the count does not matter: then averages are NULL where it is as large as the count."""
    hidden = hidden_population(profile, (LIMIT, LIMIT), 20.0)
    classes = classes_of(profile, 1.0)
    distances = DistanceProfile(classes, classes, reading, reading, profile.spread, 1.0, hidden)
    assert count_noise(profile, distances) < 1.2 * average_design.COUNT_NOISE
    monkeypatch.setattr(average_design, "COUNT_NOISE", 1e9)
    assert count_noise(profile, distances) > 2 * average_design.COUNT_PARTS[0]


def test_usual_class_means_choose_clip_bounds(
    profile: AverageProfile, reading: HistogramReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units that noise hides widen intervals; clip bounds for them would be noisy wherever there are none."""
    usual, hidden = classes_of(profile, 0.01), hidden_population(profile, (LIMIT, LIMIT), 20.0)
    classes = with_hidden_means(usual, profile, (LIMIT, LIMIT), is_value=True)
    distances = DistanceProfile(classes, usual, reading, reading, profile.spread, 1.0, hidden)
    chosen = count_noise(profile, distances)
    monkeypatch.setattr(average_design, "HIDDEN_CHOICE", 1.0)
    assert count_noise(profile, distances) > 1.2 * chosen


def grouped(profile: AverageProfile, resolution: float = 0.01) -> AverageProfile:
    """The same units by ten keys, with means that bins tell apart."""
    means = replace(profile.means, resolution=resolution)
    return replace(profile, rows=replace(profile.rows, groups=10), means=means)


def with_far_units(reading: HistogramReading, scenarios: int, units: float) -> HistogramReading:
    """The same reading, where some scenarios have units at the largest distance."""
    found = reading.units.copy()
    found[-scenarios:, -1] += units
    return replace(reading, units=found)


def test_class_means_tell_that_no_units_are_far(profile: AverageProfile, reading: HistogramReading) -> None:
    """A noisy bin puts half of the scenarios' units far away, which would have moved class means."""
    units = 10 * profile.total / reading.points[-1]
    above = with_far_units(reading, len(reading.units) // 2, units)
    by_keys, classes = grouped(profile), classes_of(profile)
    told, _ = paired_scenarios(above, reading, by_keys, classes)
    assert (above.units[:, -1] > units / 2).sum() == len(reading.units) // 2
    assert (told.units[:, -1] < units / 2).all()
    for untold in (profile, grouped(profile, np.inf)):  # no keys; shares of rare events
        same, other = paired_scenarios(above, reading, untold, classes)
        assert abs(int((same.units[:, -1] > units / 2).sum()) - len(reading.units) // 2) <= 1
        assert len(same.units) == len(other.units) == len(reading.units)


def test_far_units_that_class_means_confirm_are_kept(profile: AverageProfile, reading: HistogramReading) -> None:
    by_keys, usual = grouped(profile), classes_of(profile)
    units = 10 * profile.total / (reading.points[-1] * by_keys.total_per_norm)
    above = with_far_units(reading, len(reading.units) // 2, units)
    far = replace(usual, distances=np.full(len(usual.distances), 10.0))
    told, _ = paired_scenarios(above, reading, by_keys, far)
    assert (told.units[:, -1] > units / 2).mean() > 0.9


def with_rare_units(profile: AverageProfile, reading: HistogramReading, scenarios: int) -> HistogramReading:
    """The same reading, where some scenarios have units far beyond the usual clip bound."""
    units, place = reading.units.copy(), int(np.searchsorted(reading.points, 50 * 1.2))
    units[-scenarios:, place] += 100 * profile.total / reading.points[place]
    return replace(reading, units=units)


@pytest.fixture(scope="module")
def distances(profile: AverageProfile, reading: HistogramReading) -> DistanceProfile:
    hidden, classes = hidden_population(profile, (LIMIT, LIMIT), 20.0), classes_of(profile)
    return DistanceProfile(classes, classes, reading, reading, profile.spread, 1.0, hidden)


def sum_bound(profile: AverageProfile, distances: DistanceProfile) -> float:
    """Return the chosen clip bound of the distances."""
    errors, designs = best_designs(profile, distances, candidate_bounds(profile.rows.norms), 1e-6, (1.0, 1.0), None)
    return designs[int(np.argmin(errors))].sum_bound


def test_rare_scenarios_choose_no_clip_bound(
    profile: AverageProfile, reading: HistogramReading, distances: DistanceProfile
) -> None:
    """Two of 31 scenarios have units far away: a clip bound for them would be noisy in all others."""
    usual = sum_bound(profile, distances)
    rare, common = (replace(distances, positive=with_rare_units(profile, reading, n)) for n in (2, 15))
    assert sum_bound(profile, rare) < 2 * usual
    assert sum_bound(profile, common) > 10 * usual
    assert abs(rare.excess(np.array([usual]))[0][0]) < profile.total / 100


def test_rare_scenarios_count_for_shares(
    profile: AverageProfile, reading: HistogramReading, distances: DistanceProfile
) -> None:
    """Few people may make most of a rare event: the mean of the scenarios is added, and clip bounds allow for it."""
    usual = sum_bound(profile, distances)
    rare = replace(distances, positive=with_rare_units(profile, reading, 2), is_share=True)
    assert sum_bound(profile, rare) > 10 * usual
    assert rare.excess(np.array([usual]))[0][0] > profile.total


@pytest.mark.parametrize("scenarios", [1, 3, 4, 9, 48])
def test_geometric_means_are_those_of_logarithms(scenarios: int) -> None:
    random = np.random.default_rng(scenarios)
    shared, each = (10.0 ** random.uniform(-60, 60, shape) for shape in ((7, 5), (scenarios, 5)))
    expected = np.exp(np.mean([np.log(shared + one) for one in each], axis=0))
    np.testing.assert_allclose(average_design._geometric_means(shared, each), expected, rtol=1e-12)
