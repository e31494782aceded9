"""Averages with a profile: centre and clip bounds from what is measured, and the correction of what clipping moves.

Averages that are divided by one count share its clipping factor. Their centre follows from the stored profile. Then a
part of their price buys class means and norms of distances about it, from which clip bounds are chosen
(`average_design`) and the shown averages are corrected (`engine/pricing/proofs.md#averages`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from budgets import PICO
from dialect import PrivatePlan
from dialect.algebra import Factor, QueryVector, VectorKind
from dialect.codegen import CENTRE_STEPS, MEAN_STEPS, NEGATIVE_BINS, CentredAverage, Measure, ProfileHistogram
from dialect.sensitivity import TunedClipBound
from engine.backends.exact import Exact
from engine.mechanism.gaussian import NoiseSource, gaussian_scale
from engine.mechanism.release import Release, VectorCorrection
from engine.pricing.clip_bounds.column_means import MeanDistribution
from engine.pricing.clip_bounds.profiles.average_design import (
    CLASS_GROUP_DIFFERENCE,
    FARTHEST_SPREADS,
    AverageDesign,
    AverageProfile,
    DistanceProfile,
    best_designs,
    beyond_class_means,
    count_clipping,
    count_errors,
    far_units,
    hidden_population,
    measured_rows,
    paired_scenarios,
    weight_deviation,
    with_hidden_means,
    within_rows,
)
from engine.pricing.clip_bounds.profiles.class_means import (
    ClassPosterior,
    clamped_part,
    posterior_of_classes,
    prior_of_classes,
)
from engine.pricing.clip_bounds.profiles.estimator import FAILED_ARITHMETIC, VectorProfile, candidate_bounds
from engine.pricing.clip_bounds.profiles.histogram_reading import Floats, HistogramReading, read_histogram
from engine.pricing.clip_bounds.profiles.products import (
    AVERAGED_KINDS,
    BINS_PER_SIDE,
    Grains,
    ProductScale,
    about_factors,
    grain_bits,
    has_fractional_centre,
    product_range,
)
from engine.pricing.clip_bounds.profiles.unit_means import distribution_by_parts, parts_of

REASON = "chosen from the profile that was bought with the question"
CLEAR_COUNT = 5.0  # standard deviations from which on the average over all groups is taken as measured
MANY_GROUPS = 10
# shares of the price, by number of groups, for: means of products, class means, norms of distances
VALUE_SHARES, VALUE_SHARES_OF_MANY = (0.0, 0.1, 0.1), (0.0, 0.05, 0.05)
PRODUCT_SHARES_TOTAL, PRODUCT_SHARES, PRODUCT_SHARES_OF_MANY = (0.06, 0.1, 0.3), (0.05, 0.08, 0.17), (0.03, 0.05, 0.1)
ONLY_MOMENTS = 0.75  # a sum is in no average that is shown if its price is below this share of its products'
KEPT_PART_TOTAL, KEPT_PART = 0.25, 0.6  # what such a sum keeps of its price, without keys and with
MOST_OF_SHOWN_COUNT = 0.95  # of the price of an average and its count, for a count that is shown
# of what correction leaves, of values and of products: fitted on a bench, as no population follows the laws exactly
ERROR_FACTOR, PRODUCT_ERROR_FACTOR = 1.5, 2.5
DISTANCE_ROWS = 2 * NEGATIVE_BINS
Means = Mapping[int, MeanDistribution]  # of units' mean products, by sum of products
Distances = Mapping[int, DistanceProfile]  # by centred sum


@dataclass(frozen=True)
class Averages:
    """Averages that are computed from one count: indices of their centred sums and of the count."""

    totals: tuple[int, ...]  # of values, and of products
    count: int


class DistancePrices(NamedTuple):
    """Prices in pico-rho."""

    means: int  # units by their mean product; of averages of values none
    classes: int
    norms: int


@dataclass(frozen=True, eq=False)
class AboutCentre:
    """One average about a centre that its profile chose, and the price of its sum and its part of the count.

    The average of products, which is below a variance, has the centres of its factors as well.
    """

    total: int  # index of its centred sum
    count: int
    profile: AverageProfile
    centre: float
    measured: CentredAverage
    grain: float  # value grain of the profile
    most: float  # public largest distance of a unit, in grains of 1 / CENTRE_STEPS
    pico_rho: int
    is_crossing: bool
    product: ProductScale | None = None  # None: an average of values

    @cached_property
    def prices(self) -> DistancePrices:
        """Prices of what is measured between profile and numbers, in pico-rho."""
        groups = self.profile.rows.groups
        if self.product is None:
            shares = VALUE_SHARES if groups < MANY_GROUPS else VALUE_SHARES_OF_MANY
        else:
            few = PRODUCT_SHARES_TOTAL if groups == 1 else PRODUCT_SHARES
            shares = few if groups < MANY_GROUPS else PRODUCT_SHARES_OF_MANY
        means, classes, norms = (max(1, int(self.pico_rho * share)) if share else 0 for share in shares)
        return DistancePrices(means, classes, norms)

    @property
    def number_pico_rho(self) -> int:
        """Price of its sum and its part of the count, in pico-rho."""
        return self.pico_rho - sum(self.prices)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Largest distances of one value above and below the centre."""
        ends = self.profile.means if self.product is None else self.product
        return max(ends.upper - self.centre, self.profile.spread), max(self.centre - ends.lower, self.profile.spread)

    @cached_property
    def largest(self) -> tuple[float, float]:
        """Largest distances of a unit above and below the centre that are likely, by the rows of a unit."""
        rows = self.profile.largest_rows
        return self.limits[0] * rows, self.limits[1] * rows

    @property
    def unit_sensitivity(self) -> int:
        """How much a unit moves a number of units: one that is replaced may be in two bins; rounded up."""
        return 2 if self.is_crossing else 1

    @property
    def reach(self) -> float:
        """Largest distance that class means hold, in the unit of the average."""
        return self.measured.reach * self.grain / CENTRE_STEPS


@dataclass(frozen=True, eq=False)
class AveragesAboutCentres:
    """Averages that share a count, before their clip bounds are chosen."""

    averages: tuple[AboutCentre, ...]
    is_shown: bool  # is the count a column of its own?
    count_share: int  # price of the count, in pico-rho


@dataclass(frozen=True, eq=False)
class MeasuredAverages:
    """Averages by the count that they share, and their measured distances."""

    groups: tuple[AveragesAboutCentres, ...] = ()
    distances: Distances = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ChosenAverages:
    """Averages that share a count, with their clip bounds."""

    group: AveragesAboutCentres
    distances: tuple[DistanceProfile, ...]  # of each average
    designs: tuple[AverageDesign, ...]

    @property
    def count(self) -> int:
        """Index of the count."""
        return self.group.averages[0].count

    @property
    def bounds(self) -> Mapping[int, TunedClipBound]:
        """Clip bounds of count and sums, by index."""
        count = {self.count: TunedClipBound(self.designs[0].count_bound, 0.0, REASON)}
        pairs = zip(self.group.averages, self.designs, strict=True)
        return count | {each.total: TunedClipBound(design.sum_bound, 0.0, REASON) for each, design in pairs}

    @property
    def prices(self) -> Mapping[int, int]:
        """Price of count and sums, in pico-rho, by index; what is left of their shares bought distances."""
        found = {self.count: 0}
        for each, design in zip(self.group.averages, self.designs, strict=True):
            of_count = int(each.number_pico_rho * design.count_part)
            found[self.count] += of_count
            found[each.total] = each.number_pico_rho - of_count
        return found


def averages_of(plan: PrivatePlan) -> tuple[Averages, ...]:
    """List the averages of a plan, by the count that they share; no other vectors share its clipping factor."""
    groups: dict[int, list[int]] = {}
    for i, vector in enumerate(plan.vectors):
        groups.setdefault(vector.scale_group, []).append(i)
    found = []
    for members in groups.values():
        totals = tuple(i for i in members if plan.vectors[i].kind in AVERAGED_KINDS)
        counts = [i for i in members if plan.vectors[i].kind in (VectorKind.ROWS, VectorKind.VALID)]
        is_whole = len(totals) == len(members) - 1 and len(counts) == 1
        if totals and is_whole and all(plan.vectors[i].partial_bounds is None for i in members):
            found.append(Averages(totals, counts[0]))
    return tuple(found)


def average_histograms(averages: Averages, plan: PrivatePlan) -> tuple[ProfileHistogram, ...]:
    """List the histograms of averages: units by rows, by rows over all groups, and by the mean of each value."""
    by_groups = (ProfileHistogram(averages.count, Measure.NORM),) if plan.keys and not plan.is_single else ()
    return (
        *by_groups,
        ProfileHistogram(averages.count, Measure.TOTAL),
        *(_histogram_of_means(total, averages, plan) for total in values_of(averages, plan)),
    )


def _histogram_of_means(total: int, averages: Averages, plan: PrivatePlan) -> ProfileHistogram:
    """Histogram of units by the mean of the values that one centred sum adds."""
    return ProfileHistogram(total, Measure.MEAN, averages.count, parts_of(plan.vectors[total]))


def values_of(averages: Averages, plan: PrivatePlan) -> tuple[int, ...]:
    """List the centred sums of averages, without sums of products."""
    return tuple(i for i in averages.totals if plan.vectors[i].factor is None)


def about_centres(
    averages: Averages, plan: PrivatePlan, rows: VectorProfile, stored: Mapping[ProfileHistogram, tuple[Floats, float]],
    prices: Sequence[int], grains: Mapping[int, Grains], *, is_shown: bool, means: Means | None = None,
) -> AveragesAboutCentres | None:  # fmt: skip
    """Choose the centres of averages from their stored profile; None if no unit is visible.

    Claim: a function of released numbers, prices and public facts. Symbols: `rows` = profile of the count, `stored` =
    noisy units by bin and their noise scale, `prices` of every vector in pico-rho, `grains` of each sum,
    `is_shown`: the count is a column of its own; `means` = measured ones of units' products, else likely ones. Formula:
    the mean of the means of units. Source and proof: engine/pricing/proofs.md#averages. Raises nothing.
    """
    if any(plan.vectors[i].lower == plan.vectors[i].upper for i in averages.totals):
        return None  # of a single value, which has no spread
    values = values_of(averages, plan)
    found = [_profile(total, averages, plan, rows, stored) for total in values]
    profiles = {total: each for total, each in zip(values, found, strict=True) if each is not None}
    if rows.is_unseen or len(profiles) < len(values):
        return None
    count_share, is_crossing = prices[averages.count], plan.charged_windows.is_crossing
    pools = _pools(averages, plan, prices, rows.groups, is_shown=is_shown)
    made = dict[int, AboutCentre]()
    for total in sorted(averages.totals, key=lambda i: plan.vectors[i].factor is not None):  # centres, then products
        vector, own, scale = plan.vectors[total], grains[total], None
        if vector.factor is None:
            profile, bits, most = profiles[total], own.value_bits, own.most
        else:
            scale = product_scale(total, averages.count, plan, made)
            profile = _product_profile(scale, plan, made, rows, means or {})
            bits = min(own.finest_bits, grain_bits(max(abs(profile.mean), profile.spread)))
            most = own.most * 2.0 ** (bits - own.value_bits)
        grain, centre = 2.0**-bits, _centre(profile, vector, 2.0**-own.finest_bits)
        steps = round((centre - (0.0 if scale else vector.centre)) / grain * CENTRE_STEPS)
        measured = CentredAverage(total, averages.count, steps, max(1, round(profile.reach / grain * CENTRE_STEPS)))
        facts = (profile, centre, measured, grain, most * CENTRE_STEPS, pools[total], is_crossing, scale)
        made[total] = AboutCentre(total, averages.count, *facts)
    return AveragesAboutCentres(tuple(made[i] for i in averages.totals), is_shown, count_share)


def _pools(
    averages: Averages, plan: PrivatePlan, prices: Sequence[int], groups: int, *, is_shown: bool
) -> dict[int, int]:
    """Share the price of sums and count among averages, in pico-rho: together at most that price.

    Where values have no average of their own that is shown, products get most of what they have, but not of the price
    of a count that is shown.
    """
    of_count = prices[averages.count] // len(averages.totals)
    pools = {i: prices[i] + of_count for i in averages.totals}
    products = [i for i in averages.totals if plan.vectors[i].factor is not None]
    for i in values_of(averages, plan) if products else ():
        if prices[i] <= ONLY_MOMENTS * min(prices[product] for product in products):
            own = of_count if is_shown else 0
            kept = own + int((pools[i] - own) * (KEPT_PART_TOTAL if groups == 1 else KEPT_PART))
            for product in products:
                pools[product] += (pools[i] - kept) // len(products)
            pools[i] = kept
    return pools


def product_scale(total: int, count: int, plan: PrivatePlan, made: Mapping[int, AboutCentre]) -> ProductScale:
    """Centres and size of a sum of products, by the averages of its factors."""
    vector = plan.vectors[total]
    assert vector.factor is not None  # noqa: S101  the caller asks
    one, other = (_average_of(side, plan, made) for side in (vector, vector.factor))
    size = one.profile.spread * other.profile.spread
    centres = (one.centre, other.centre)
    return ProductScale(total, count, centres, size, *product_range(vector, centres))


def _average_of(side: QueryVector | Factor, plan: PrivatePlan, made: Mapping[int, AboutCentre]) -> AboutCentre:
    """Average of one factor's values. Raises LookupError where there is none."""
    wanted = (side.value, side.lower, side.upper)
    own = ((plan.vectors[i], each) for i, each in made.items())
    return {(v.value, v.lower, v.upper): each for v, each in own if v.factor is None}[wanted]


def _product_profile(
    scale: ProductScale, plan: PrivatePlan, made: Mapping[int, AboutCentre], rows: VectorProfile, means: Means
) -> AverageProfile:
    """Profile of an average of products: by measured means of units, else by likely ones."""
    values = _average_of(plan.vectors[scale.total], plan, made).profile
    found = means.get(scale.total)
    return AverageProfile(rows, scale.likely_means(values.means) if found is None else found, values.units_deviation)


def _profile(
    total: int, averages: Averages, plan: PrivatePlan, rows: VectorProfile,
    stored: Mapping[ProfileHistogram, tuple[Floats, float]],
) -> AverageProfile | None:  # fmt: skip
    """Profile of one average; None if no mean is visible."""
    counts, sigma = stored[_histogram_of_means(total, averages, plan)]
    means = distribution_by_parts(np.rint(counts), sigma, plan.vectors[total])
    return None if means is None else AverageProfile(rows, means, sigma)


def _centre(profile: AverageProfile, vector: QueryVector, finest: float) -> float:
    """Centre of an average: whole steps from the planned one, which are small against the spread.

    Of products never 0: squares that are moved to another centre are rounded, so that they may be negative.
    """
    step = max(finest, 2.0 ** (math.ceil(math.log2(max(profile.spread, 2.0**-40))) - 8))
    if vector.factor is not None:
        return (round(profile.mean / step) or 1) * step
    centre = vector.centre + round((profile.mean - vector.centre) / step) * step
    return min(max(centre, vector.lower), vector.upper)


def with_chosen_centre(vector: QueryVector, chosen: AboutCentre) -> QueryVector:
    """Subtract the chosen centre from the values of a centred sum, or from products of distances from centres."""
    is_integer = vector.is_integer and not has_fractional_centre(vector)
    if vector.factor is None or chosen.product is None:
        return replace(vector, centre=chosen.centre, is_integer=is_integer)
    about = about_factors(vector, chosen.product)
    return replace(about, offset=chosen.centre, is_integer=is_integer)


def noisy_means(averages: Sequence[AboutCentre], exact: Exact, add_noise: NoiseSource) -> Means:
    """Add noise to units by their mean product: distributions, by sum of products; without those that are not clear.

    Claim: that of an average costs its prices.means. Symbols: a unit is in one bin. Formula: sensitivity 1, or 2
    where units are replaced. Source and proof: engine/pricing/proofs.md#products. Raises NoiseRefused.
    """
    places = exact.keys.column(0).to_numpy().astype(np.int64)
    found = dict[int, MeanDistribution]()
    for each, counts in zip(averages, exact.vectors, strict=True):
        assert each.product is not None  # noqa: S101  the caller chooses products
        dense = np.zeros(2 * BINS_PER_SIDE + 1, dtype=np.int64)
        dense[places] = counts
        sigma = gaussian_scale(each.unit_sensitivity, each.prices.means)
        released = add_noise(dense, each.unit_sensitivity, sigma, each.prices.means)
        try:
            means = each.product.means(np.asarray(released, dtype=np.float64), sigma)
        except FAILED_ARITHMETIC:  # that it failed would tell of noise that is never stored
            continue
        found |= {} if means is None else {each.total: means}
    return found


def noisy_distances(
    averages: Sequence[AboutCentre], exact: Exact, add_noise: NoiseSource
) -> Mapping[int, DistanceProfile]:
    """Add noise to class means and to units by the norm of their distances, by centred sum.

    Claim: those of an average cost its prices.classes and prices.norms. Symbols: a unit is in one class and in one bin.
    Formula: sensitivities MEAN_STEPS and 1, or twice as much where units are replaced. Source and proof:
    engine/pricing/proofs.md#averages. Raises NoiseRefused.
    """
    places = exact.keys.column(0).to_numpy().astype(np.int64)
    found = {}
    for i, each in enumerate(averages):
        noisy, (of_classes, of_bins) = [], measured_rows(each.most)
        means = (2 * i, of_classes, MEAN_STEPS, each.prices.classes)
        for column, rows, step, pico_rho in (means, (2 * i + 1, of_bins, 1, each.prices.norms)):
            dense, released = np.zeros(DISTANCE_ROWS, dtype=np.int64), np.zeros(DISTANCE_ROWS)
            dense[places] = exact.vectors[column]
            sensitivity = step * each.unit_sensitivity
            sigma = gaussian_scale(sensitivity, pico_rho)
            released[rows] = add_noise(dense[rows], sensitivity, sigma, pico_rho)
            noisy.append((released / step, sigma / step))
        try:
            usual = _classes(each, *noisy[0])
            classes = with_hidden_means(usual, each.profile, each.limits, is_value=each.product is None)
            positive, negative = (_norms(each, noisy[1][0], noisy[1][1], classes, sign) for sign in (1, -1))
            positive, negative = paired_scenarios(positive, negative, each.profile, classes)
            classes = beyond_class_means(classes, each.profile, positive, negative)
            first = each.grain / CENTRE_STEPS
            far = None  # mean squares of units have long tails, which are no population
            if each.product is None:
                far = far_units(each.profile, classes, each.reach, first, noisy, (positive, negative))
            hidden = hidden_population(each.profile, each.limits, noisy[1][1], far, is_value=each.product is None)
        except FAILED_ARITHMETIC:  # that it failed would tell of noise that is never stored
            found[each.total] = _likely_distances(each)
            continue
        is_share = each.product is None and each.profile.is_share
        facts = (each.profile.spread, each.profile.total_per_norm, hidden, True, is_share)
        found[each.total] = DistanceProfile(classes, usual, positive, negative, *facts)
    return found


def _likely_distances(average: AboutCentre) -> DistanceProfile:
    """Distances of one average that are likely by the profile alone."""
    profile, norms = average.profile, average.profile.rows.norms
    of_units = gaussian_scale(average.unit_sensitivity, average.prices.norms)
    side = replace(norms, points=norms.points * profile.spread, units=norms.units / 2, sigma=of_units)
    sigma = gaussian_scale(MEAN_STEPS * average.unit_sensitivity, average.prices.classes) / MEAN_STEPS
    sums = profile.class_units * (profile.mean - average.centre) / average.reach
    usual = _classes(average, sums, sigma)
    classes = with_hidden_means(usual, profile, average.limits, is_value=average.product is None)
    hidden = hidden_population(profile, average.limits, of_units, is_value=average.product is None)
    sides = paired_scenarios(side, side, profile, classes)
    return DistanceProfile(classes, usual, *sides, profile.spread, profile.total_per_norm, hidden, is_measured=False)


def _norms(average: AboutCentre, counts: Floats, sigma: float, classes: ClassPosterior, sign: int) -> HistogramReading:
    """Read the norms of units on one side of the centre, in the unit of the average: 1 above it, -1 below it."""
    begin, side = (0, 0) if sign > 0 else (NEGATIVE_BINS, 1)
    most = min(average.most, 2.0 ** (NEGATIVE_BINS / 2), average.largest[side] / average.grain * CENTRE_STEPS)
    own = counts[begin : begin + NEGATIVE_BINS]
    reading = read_histogram(own, sigma, is_total=True, is_count=False, most=most)
    in_units = replace(reading, points=reading.points * average.grain / CENTRE_STEPS)
    spreads = FARTHEST_SPREADS if average.product is None else math.inf  # mean squares of units have no usual limit
    return within_rows(in_units, average.profile, classes, sign, average.limits[side], spreads)


def _classes(average: AboutCentre, sums: Floats, sigma: float) -> ClassPosterior:
    """Distances of classes from their noisy sums."""
    profile, reach = average.profile, average.reach
    units = profile.class_units
    amount = math.hypot(reach * sigma, 0.5 * profile.spread * profile.units_deviation)
    measured = sums[: len(units)] * reach / np.maximum(units, 1e-3)
    taken = clamped_part(measured, reach)
    beyond = np.hypot(profile.beyond(average.centre, reach), taken)
    deviations = np.hypot(amount / np.maximum(units, 1e-3), beyond)
    return posterior_of_classes(units, measured + taken, deviations, profile.mean - average.centre, profile.spread)


def choose_bounds(group: AveragesAboutCentres, distances: Distances | None) -> ChosenAverages:
    """Choose the clip bounds of averages that share a count; without measured distances from likely ones.

    Claim: a function of released numbers, prices and public facts. Formula: the clip bound of the count has the least
    sum, over the averages and a shown count, of squared errors relative to the least possible. Source and proof:
    engine/pricing/proofs.md#averages. Raises nothing.
    """
    if distances is not None:
        with suppress(*FAILED_ARITHMETIC):  # that it failed would tell of noise that is never stored
            return _with_least_error(group, distances)
    return _with_least_error(group, {each.total: _likely_distances(each) for each in group.averages})


def _with_least_error(group: AveragesAboutCentres, distances: Distances) -> ChosenAverages:
    """Choose the clip bounds of least error by distances."""
    sensitivities = (math.sqrt(2), 2.0) if group.averages[0].is_crossing else (1.0, 1.0)
    profile = group.averages[0].profile
    bounds = candidate_bounds(profile.rows.norms)
    own = tuple(distances[each.total] for each in group.averages)
    own_count = group.count_share / len(group.averages)
    found = [
        best_designs(
            each.profile, measured, bounds, each.number_pico_rho / PICO, sensitivities,
            # the part of a shown count in the price leaves something for the sum
            min(MOST_OF_SHOWN_COUNT, own_count / each.pico_rho) if group.is_shown else None,
        )
        for each, measured in zip(group.averages, own, strict=True)
    ]  # fmt: skip
    relative = [(errors / errors.min()) ** 2 for errors, _ in found]
    if group.is_shown:
        noise = sensitivities[0] * bounds / math.sqrt(2 * group.count_share / PICO)
        of_count = count_errors(profile, bounds, noise)
        relative.append((of_count / of_count.min()) ** 2)
    best = int(np.argmin(np.sum(relative, axis=0)))
    return ChosenAverages(group, own, tuple(designs[best] for _, designs in found))


def correct_averages(chosen: ChosenAverages, measured: Release) -> tuple[dict[int, float], dict[int, VectorCorrection]]:
    """Correct averages: factors of the grains, and corrections, by index of the vector.

    Claim: post-processing of released numbers. Formula: the centre that is added back is moved by the expected
    difference of the average of all values and that of what clipping left. Source and proof:
    engine/pricing/proofs.md#averages. Raises nothing.
    """
    factors = dict[int, float]()
    triples = zip(chosen.group.averages, chosen.distances, chosen.designs, strict=True)
    corrections = {each.total: _correction(each, own, design, measured) for each, own, design in triples}
    if chosen.group.is_shown:
        retained, error = _retained(chosen)
        factors = dict.fromkeys([chosen.count, *corrections], 1 / retained)
        corrections[chosen.count] = VectorCorrection(error, retained_share=retained)
    return factors, corrections


def _retained(chosen: ChosenAverages) -> tuple[float, float]:
    """Share of the count that clipping leaves, and the relative error of a count that is divided by it."""
    rows = chosen.group.averages[0].profile.rows
    scenarios = rows.retained_shares(np.array([chosen.designs[0].count_bound]))
    retained = max(0.05, float(scenarios.mean()))
    lost = 1 - retained
    deviation = math.hypot(0.3 * lost, 0.01, float(scenarios.std())) / retained
    return retained, math.hypot(deviation, CLASS_GROUP_DIFFERENCE * lost / retained if rows.groups > 1 else 0.0)


def _correction(
    average: AboutCentre, distances: DistanceProfile, design: AverageDesign, measured: Release
) -> VectorCorrection:
    """Correct one average by its class means, its norms, and the measured average over all groups."""
    profile, rows = average.profile, average.profile.rows
    left = count_clipping(profile, np.array([design.count_bound]))
    moved, retained = left.moved[:, 0], float(left.retained[0])
    sum_bound, values = np.array([design.sum_bound]), retained * profile.total
    excess, errors = distances.excess(sum_bound)
    net, error = float(excess[0]) / values, math.sqrt(errors.mean()) / values
    clipped, variance = _measured_average(average, measured)
    posterior = distances.classes
    if math.isfinite(variance):
        kept = profile.class_weights - moved
        if not distances.is_measured:
            posterior = posterior.moved(clipped + net - float(kept @ posterior.distances))
        above, below = average.limits
        posterior = posterior.observe_apart(kept, clipped + net, variance + error**2).within(-below, above)
        shift = float(profile.class_weights @ posterior.distances) - clipped
        uncertainty = float(posterior.variances(profile.class_weights[:, None])[0])
    else:
        shift = float(moved @ posterior.distances) + net
        uncertainty = float(posterior.variances(moved[:, None])[0]) + error**2
    if rows.groups == 1:
        amount = max(0.0, uncertainty - variance) if math.isfinite(variance) else uncertainty
    else:
        within = _share_within_groups(average, measured)
        shift *= within
        prior = prior_of_classes(profile.class_units, 0.0, profile.spread).variances(moved[:, None])[0]
        differing = (CLASS_GROUP_DIFFERENCE * shift) ** 2 + (0.5 * (1 - within) * shift) ** 2
        differing += (0.5 * CLASS_GROUP_DIFFERENCE) ** 2 * prior
        by_chance = float(left.by_chance[0]) * profile.spread**2 + float(distances.by_chance(sum_bound)[0])
        amount = uncertainty + differing + by_chance / rows.groups / rows.usual_group**2
    # of values, `distances.hidden` holds units far away that noise hides: they count once
    of_weights = distances.usual if average.product is None and not distances.is_share else posterior
    amount += weight_deviation(profile, design.count_bound, of_weights) ** 2
    factor = ERROR_FACTOR if average.product is None else PRODUCT_ERROR_FACTOR
    is_square = average.product is not None and average.product.is_square
    below, above = (float(side[0]) / values for side in distances.hidden.sides(sum_bound, is_square=is_square))
    error = math.hypot(factor * math.sqrt(max(0.0, amount)), below if is_square else max(below, above))
    above = max(0.0, above - below) if is_square else 0.0
    lost = max(1 - retained, distances.clipped_share(design.sum_bound)) if rows.groups > 1 else 0.0
    return VectorCorrection(lost, error, centre=average.centre + shift, shift=shift, above=above)


def _share_within_groups(average: AboutCentre, measured: Release) -> float:
    """Share of the variance of means that is within groups: only that part moves the average of a group."""
    total, count = (
        np.asarray(measured.noisy[i], dtype=np.float64) * measured.grains[i] for i in (average.total, average.count)
    )
    deviations = measured.deviations()
    clear = count > CLEAR_COUNT * deviations[average.count]
    if clear.sum() < 2:
        return 1.0
    averages, weights = total[clear] / count[clear], count[clear]
    noise = (deviations[average.total] ** 2 + averages**2 * deviations[average.count] ** 2) / weights**2
    mean = float(np.average(averages, weights=weights))
    between = max(0.0, float(np.average((averages - mean) ** 2 - noise, weights=weights)))
    within = average.profile.spread**2
    return within / (within + between)


def _measured_average(average: AboutCentre, measured: Release) -> tuple[float, float]:
    """Distance of the clipped average over all groups, and the variance of its noise; infinite if it is not clear."""
    total, count = (
        float(np.asarray(measured.noisy[i], dtype=np.float64).sum()) * measured.grains[i]
        for i in (average.total, average.count)
    )
    groups = len(measured.noisy[average.count])
    of_total, of_count = (groups * measured.deviations()[i] ** 2 for i in (average.total, average.count))
    if count <= CLEAR_COUNT * math.sqrt(of_count):
        return 0.0, math.inf
    distance = total / count
    return distance, (of_total + distance**2 * of_count) / count**2
