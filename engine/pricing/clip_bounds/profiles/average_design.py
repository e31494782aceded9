"""Clip bounds of averages: those of least expected error of an average, from the profile of its units.

An average is a centre plus the sum of distances from it over the count, both scaled by one clipping factor for each
unit. The more is clipped, the less noise is needed, and the more the average of what is left may differ from that of
all values: because units with many values have other means, and because those with distant means are clipped more.
Class means tell the former, signed norms of distances the latter (`engine/pricing/proofs.md#averages`).

Terms:
    distance  of a unit: the sum of its values minus the centre times their number
    sum bound clip bound of the distances, over all groups
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dialect.codegen import NEGATIVE_BINS
from engine.pricing.clip_bounds.column_means import MeanDistribution
from engine.pricing.clip_bounds.profiles.class_means import ClassPosterior, class_of, prior_of_classes
from engine.pricing.clip_bounds.profiles.estimator import TAIL_LAW_ERROR, VectorProfile
from engine.pricing.clip_bounds.profiles.histogram_reading import (
    LAW_ERROR,
    SCENARIOS,
    Floats,
    HistogramReading,
    equally_likely,
    possible_bins,
    weighted_sums,
)

T = TypeVar("T", bound=np.generic)
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
HIGHEST_CLASS_READ = 20
REACH_COVER = 0.98  # share of units whose means are within reach of class means
LEAST_PLACE = 1e-4  # share of units below which a mean is left out
GROUP_OFFSET, WHOLE_OFFSET = 1.0, 0.15  # distance of the averages of groups, and of all, from the centre, in spreads
CLASS_GROUP_DIFFERENCE = 0.4  # how groups differ in what clipping moves, as a share of what is usual
HIDDEN_UNITS = (0.5, 1.25, 2.0)  # of a population that noise hides, in noise scales of units of a kind
MORE_HIDDEN_UNITS = (3.5, 6.0)  # of one that is spread over several bins, in noise scales of one
CLASS_SIGMAS = 2.0  # units that a class may have beyond those that are read, in their noise scales
GRID_ERROR = 0.3  # error of a median, as possible populations are few
NEAREST_SPREADS = 0.25  # mean of a measured one beyond the others, in spreads: many values add up
HIDDEN_SPREAD = (0.25, 0.5, 0.25)  # its units, by bin of their distances
USUAL_MISFIT = 0.05  # misfit of the clamped means of usual units, as a share of the units of their class
HIDDEN_CLASS = 10.0  # units of a class, in noise scales of a bin of means: up to there any mean may be theirs
HIDDEN_PRIOR = 0.5  # probability that there is one
HIDDEN_MEANS = 8  # possible means of it
# its largest mean, in spreads of usual ones, as declared ranges may be far wider; of products the square of this
FARTHEST_HIDDEN = 64.0
HIDDEN_REACH = 4.0  # its largest mean, in largest distances of one value, before it is measured; of products 1
HIDDEN_LEVEL, HIDDEN_WIDTH = 0.95, 1.96  # quantile of what it adds, and how many standard deviations that is
ABOVE_LEVEL = 0.975  # the same of squares, which it adds above alone
UNLIKELY = 1e-3  # populations that have less together are left out
HIDDEN_CHOICE = 0.03  # of the variance of class means by units that noise hides, where clip bounds are chosen
MULTIPLIED_SCENARIOS = 4  # whose logarithms are taken together
HIDDEN_SHARE, HIDDEN_SHARE_TOTAL = 0.5, 0.1  # of what one may add that is not measured, in the choice; without keys
FARTHEST_SPREADS, FARTHEST_SIGMAS = 2.0, 2.0  # mean distance of a unit beyond that of its class, in spreads and errors
LEAST_EXPECTED = 1.0  # units that are expected beyond the largest likely number of rows
SIDES_MISFIT = 0.25  # of the distances of both sides against class means, as a share of their sizes
LEAST_KEPT = 0.02  # share of values that clipping leaves at least
COUNT_PARTS = (0.3, 0.6)  # least and largest share of the price for a count that is not shown
COUNT_NOISE = 0.25  # noise of a count, as a share of it, that doubles the squared error of what is divided by it


@dataclass(frozen=True, eq=False)
class AverageProfile:
    """Profile of one average: units by the number of their values, and by their mean."""

    rows: VectorProfile  # of the count
    means: MeanDistribution
    units_deviation: float  # standard deviation of the noise of units in a bin

    @cached_property
    def units(self) -> Floats:
        """Expected units at each norm of the count."""
        return self.rows.norms.units.mean(axis=0)

    @cached_property
    def values(self) -> Floats:
        """Values of a unit at each norm, over all groups."""
        per_unit: Floats = self.rows.contributions.mean(axis=0) / np.maximum(self.units, 1e-12)
        return np.maximum(per_unit, 1.0)

    @cached_property
    def members(self) -> Floats:
        """1 for each norm in its class, else 0: classes x norms."""
        classes = class_of(self.values, HIGHEST_CLASS_READ)
        return np.equal.outer(np.arange(classes.max() + 1), classes).astype(np.float64)

    def by_class(self, numbers: Floats) -> Floats:
        """Sum a number of each norm by class."""
        return np.einsum("cp,p->c", self.members, numbers)

    @cached_property
    def class_units(self) -> Floats:
        """Expected units of each class."""
        return self.by_class(self.units)

    @cached_property
    def class_weights(self) -> Floats:
        """Share of all values that the units of each class have."""
        return self.by_class(self.units * self.values) / self.total

    @cached_property
    def largest_rows(self) -> float:
        """Largest norm of the count that at least LEAST_EXPECTED units have or exceed, as expected."""
        beyond = np.cumsum(self.units[::-1])[::-1] >= LEAST_EXPECTED
        return float(self.rows.norms.points[beyond].max(initial=self.rows.norms.largest_visible))

    @cached_property
    def total_per_norm(self) -> float:
        """Sum over the groups per norm, of units with many values."""
        norms = self.rows.norms.points
        return max(1.0, float(self.units @ (self.values * norms)) / max(1e-12, float(self.units @ norms**2)))

    @cached_property
    def total(self) -> float:
        """Number of all values."""
        return max(1.0, float(self.units @ self.values))

    @cached_property
    def places(self) -> tuple[Floats, Floats]:
        """Means that units have, and the share of units at each."""
        kept = self.means.people > LEAST_PLACE
        return self.means.means[kept], self.means.people[kept] / self.means.people[kept].sum()

    @cached_property
    def mean(self) -> float:
        """Mean of the means of units."""
        places, shares = self.places
        return float(places @ shares)

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the means of units; not 0."""
        places, shares = self.places
        known = self.means.resolution
        least = known if math.isfinite(known) else (self.means.upper - self.means.lower) / 256
        return max(math.sqrt(float(shares @ (places - self.mean) ** 2)), least)  # what bins can't tell apart

    @property
    def is_share(self) -> bool:
        """Whether bins don't tell means apart: of conditions, values that nearly nobody has, and products."""
        return not math.isfinite(self.means.resolution)

    @property
    def reach(self) -> float:
        """Distance from the mean within which nearly all means are."""
        places, shares = self.places
        far = np.abs(places - self.mean)
        order = np.argsort(far)
        within = int(np.searchsorted(np.cumsum(shares[order]), REACH_COVER).clip(max=len(order) - 1))
        return max(float(far[order][within]), self.spread / 2)

    def beyond(self, centre: float, reach: float) -> float:
        """Compute the mean distance of units beyond the reach of class means."""
        places, shares = self.places
        return float(shares @ np.maximum(0.0, np.abs(places - centre) - reach))


def measured_rows(most: float) -> tuple[Ints, Ints]:
    """Return the rows of class means, and of units by distance, that are measured: what follows reads no others.

    `most` = public largest distance of a unit from the planned centre, in the unit of the bins: from another one it is
    at most twice as far, and a population has two bins beside its own.
    """
    bins = min(NEGATIVE_BINS, possible_bins(NEGATIVE_BINS, 2 * most) + 2)
    return np.arange(HIGHEST_CLASS_READ + 1), np.add.outer((0, NEGATIVE_BINS), np.arange(bins)).ravel()


def within_rows(
    reading: HistogramReading, profile: AverageProfile, classes: ClassPosterior, sign: int, limit: float,
    spreads: float = FARTHEST_SPREADS,
) -> HistogramReading:  # fmt: skip
    """Limit units beyond the visible bins of one side to those whose numbers of values can take them so far.

    A unit with n values is at most n times the farthest usual mean of its class away, so many `spreads` beyond that of
    the class; `limit` = largest distance of one value on this side, `sign` = 1 above the centre, -1 below it.
    """
    errors = np.sqrt(np.maximum(0.0, np.diag(classes.covariance)))
    of_class = np.maximum(0.0, sign * classes.distances + FARTHEST_SIGMAS * errors) + spreads * profile.spread
    of_class[profile.class_units < HIDDEN_CLASS * profile.units_deviation] = limit
    if profile.is_share:
        of_class[:] = limit
    reached = profile.values * np.einsum("cp,c->p", profile.members, np.minimum(of_class, limit))
    order = np.argsort(reached)
    beyond = np.append(np.cumsum(profile.units[order][::-1])[::-1], 0.0)  # units from each place on
    possible = beyond[np.searchsorted(reached[order], reading.points)]
    is_hidden = reading.bins > reading.last_visible
    from_here = np.cumsum(reading.units[:, ::-1], axis=1)[:, ::-1]
    limited = np.where(is_hidden, np.minimum(from_here, possible), 0.0)
    units = limited - np.pad(limited[:, 1:], ((0, 0), (0, 1)))
    return replace(reading, units=np.where(is_hidden, units, reading.units))


def paired_scenarios(
    positive: HistogramReading, negative: HistogramReading, profile: AverageProfile, classes: ClassPosterior
) -> tuple[HistogramReading, HistogramReading]:
    """Pair the scenarios of both sides: equally likely ones, once class means tell the sum of all distances.

    Units that a noisy bin alone puts far from the centre would have moved class means. Without keys nothing is told,
    as few units may be much of a total; nor of values whose means bins don't tell apart, as shares of rare events.
    """
    above, below = (profile.total_per_norm * each.totals / profile.total for each in (positive, negative))
    net, sizes = np.subtract.outer(above, below), np.add.outer(above, below)
    log_weights = np.zeros_like(net)
    if profile.rows.groups > 1 and not profile.is_share:
        of_classes = float(classes.variances(profile.class_weights[:, None])[0])
        variances = of_classes + (SIDES_MISFIT * sizes) ** 2
        expected = float(profile.class_weights @ classes.distances)
        log_weights = -0.5 * ((net - expected) ** 2 / variances + np.log(variances))
    of_above, of_below = np.divmod(equally_likely(sizes, log_weights, SCENARIOS), len(below))
    return replace(positive, units=positive.units[of_above]), replace(negative, units=negative.units[of_below])


def beyond_class_means(
    classes: ClassPosterior, profile: AverageProfile, positive: HistogramReading, negative: HistogramReading
) -> ClassPosterior:
    """Class means that may all lie as far off as norms tell: of shares of rare events, and of products.

    Class means are of clamped values, and units that have most of such events are too few to tell how far to clamp.
    """
    if not profile.is_share:
        return classes
    net = profile.total_per_norm * float(positive.totals.mean() - negative.totals.mean()) / profile.total
    misfit = net - float(profile.class_weights @ classes.distances)
    return replace(classes, covariance=classes.covariance + misfit**2)


@dataclass(frozen=True, eq=False)
class FarUnits:
    """What is measured of units whose distances are far from those of others."""

    class_sums: Floats  # clamped means by class, in reaches, beyond those of usual units
    class_variances: Floats
    sides: Floats  # noisy units by bin of distances beyond the expected ones: above and below the centre, by bins
    variances: Floats  # of these
    expected: Floats  # units by bin that the readings expect beyond the visible bins
    last_visible: tuple[int, int]
    first: float  # distance where bins begin, in the unit of the average
    reach: float  # of class means

    def log_likelihoods(self, classes: Ints, norms: Floats, means: Floats, units: Floats, is_below: Bools) -> Floats:
        """Log likelihood ratios of possible populations against none, by class, norm, mean and number of units.

        Class means that units expected by the readings explain are no evidence of further ones.
        """
        clamped, side = np.minimum(1.0, means / self.reach), is_below.astype(np.int64)
        bins = np.clip(np.floor(2 * np.log2(norms / self.first)).astype(np.int64), 1, self.sides.shape[1] - 2)
        moved, unexplained = units * clamped, np.where(is_below, -1.0, 1.0) * self.class_sums[classes]
        known = clamped * sum(self.expected[side, bins + step] for step in (-1, 0, 1))
        unexplained -= np.minimum(known, np.maximum(unexplained, 0.0))
        result: Floats = moved * (unexplained - moved / 2) / self.class_variances[classes]
        for step, part in zip((-1, 0, 1), HIDDEN_SPREAD, strict=True):
            own = part * units
            result += own * (self.sides[side, bins + step] - own / 2) / self.variances[side, bins + step]
        return np.where(bins <= np.array(self.last_visible)[side], -np.inf, result)


def far_units(
    profile: AverageProfile, classes: ClassPosterior, reach: float, first: float,
    noisy: Sequence[tuple[Floats, float]], sides: Sequence[HistogramReading],
) -> FarUnits:  # fmt: skip
    """Compare what is measured with what usual units explain.

    `noisy` = class means in reaches, and units by bin of their distances, each with its noise scale; `first` = distance
    where bins begin, in the unit of the average; `sides` = readings above and below the centre.
    """
    (sums, class_sigma), (counts, sigma) = noisy
    units, shape = profile.class_units, (2, NEGATIVE_BINS)
    usual, misfit = units * np.clip(classes.distances / reach, -1, 1), USUAL_MISFIT * units
    beyond, variances, hidden = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for side, (reading, begin) in enumerate(zip(sides, (0, NEGATIVE_BINS), strict=True)):
        expected = np.bincount(reading.bins, reading.units.mean(axis=0), NEGATIVE_BINS)[:NEGATIVE_BINS]
        is_hidden = np.arange(NEGATIVE_BINS) > reading.last_visible
        beyond[side] = np.where(is_hidden, counts[begin : begin + NEGATIVE_BINS] - expected, 0.0)
        variances[side], hidden[side] = sigma**2 + (LAW_ERROR * expected) ** 2, np.where(is_hidden, expected, 0.0)
    last = (sides[0].last_visible, sides[1].last_visible)
    class_sums, class_variances = sums[: len(units)] - usual, class_sigma**2 + misfit**2
    return FarUnits(class_sums, class_variances, beyond, variances, hidden, last, first, reach)


@dataclass(frozen=True, eq=False)
class HiddenPopulation:
    """Units that noise may hide: as many values as others have, and distances far from theirs."""

    norms: Floats  # of distances of one unit, by possible population
    sums: Floats  # of distances of all its units over all groups, per norm of one; negative below the centre
    chances: Floats  # probability of each; together at most 1
    is_measured: bool  # by class means and distances

    def shifts(self, bounds: Floats) -> Floats:
        """Median of the sum of what its distances exceed clip bounds by: 0 where none is as likely as any."""
        if max(self.chances[self.sums > 0].sum(), self.chances[self.sums < 0].sum()) < 0.5:
            return np.zeros(len(bounds))
        return _quantiles(self._exceeded(bounds), self._all_chances, 0.5)

    def deviations(self, bounds: Floats) -> Floats:
        """Deviation of the sum of what its distances exceed clip bounds by, from its median, to either side."""
        return np.maximum(*self.sides(bounds))

    def sides(self, bounds: Floats, *, is_square: bool = False) -> tuple[Floats, Floats]:
        """Deviations of that sum below and above its median."""
        shifts, level = self.shifts(bounds), ABOVE_LEVEL if is_square else HIDDEN_LEVEL
        apart = self._exceeded(bounds) - shifts[None, :]
        sides = (_quantiles(np.maximum(0.0, sign * apart), self._all_chances, level) for sign in (-1, 1))
        below, above = (np.hypot(side / HIDDEN_WIDTH, GRID_ERROR * shifts) for side in sides)
        return below, above

    def _exceeded(self, bounds: Floats) -> Floats:
        """Compute what distances exceed clip bounds by: of no population, and of each possible one."""
        exceeded = self.sums[:, None] * np.maximum(0.0, self.norms[:, None] - bounds[None, :])
        return np.concatenate([np.zeros((1, len(bounds))), exceeded])

    @property
    def _all_chances(self) -> Floats:
        """Probabilities of no population, and of each possible one."""
        return np.append(1 - self.chances.sum(), self.chances)


def _quantiles(amounts: Floats, chances: Floats, level: float) -> Floats:
    """Quantile of amounts of unequal probabilities; alternatives x columns."""
    by_column = np.ascontiguousarray(amounts.T)
    order = np.argsort(by_column, axis=1, kind="stable")
    places = np.argmax(np.cumsum(chances[order], axis=1) >= level - 1e-9, axis=1)
    columns = np.arange(len(by_column))
    return by_column[columns, order[columns, places]]


def hidden_population(
    profile: AverageProfile, limits: tuple[float, float], sigma: float, found: FarUnits | None = None, *,
    is_value: bool = True,
) -> HiddenPopulation:  # fmt: skip
    """List the populations that noise may hide, with their probabilities.

    Their means are anywhere from the usual ones on, on a logarithmic scale. Without keys, or once they are measured,
    any class is as likely as one with many units or values: machines and staff are few, have many values, and means
    unlike others. `limits` = largest distances of a value, or of a product, above and below the centre; `sigma` = noise
    scale of units by the norm of their distances, beside those by rows and by means; `found` = what is measured of far
    units, None: nothing yet.
    """
    reach = HIDDEN_REACH if is_value and found is None else 1.0
    farthest = profile.spread * (FARTHEST_HIDDEN if is_value else FARTHEST_HIDDEN**2)
    limits = (min(limits[0], farthest), min(limits[1], farthest))
    all_sigmas = np.array([sigma, profile.units_deviation, profile.rows.norms.sigma])
    classes = np.flatnonzero(profile.class_units > 0)
    units = profile.class_units[classes]
    norms = profile.by_class(profile.units * profile.rows.norms.points)[classes] / units
    values = profile.by_class(profile.units * profile.values)[classes] / units
    least = (FARTHEST_SPREADS if found is None else NEAREST_SPREADS) * profile.spread
    lengths = np.array([max(0.0, math.log(reach * limit / least)) for limit in limits])
    steps = (np.arange(HIDDEN_MEANS) + 0.5) / HIDDEN_MEANS
    means = least * np.exp(np.multiply.outer(lengths, steps)).ravel()
    of_side = np.repeat(lengths / max(float(lengths.sum()), 1e-12), HIDDEN_MEANS) / HIDDEN_MEANS
    counts = float(np.sum(all_sigmas**-2.0) ** -0.5) * np.array(HIDDEN_UNITS)
    if found is not None:  # measured ones tell which are likely
        counts = np.append(counts, sigma * np.array(MORE_HIDDEN_UNITS))
    # a class may have more than what is read: noise hides units in its two bins
    unread = 0.0 if found is None else CLASS_SIGMAS * math.sqrt(2) * profile.rows.norms.sigma
    counts = np.minimum(counts, np.maximum(1.0, units + unread)[:, None])
    of_class = units / units.sum()
    if found is not None or profile.rows.groups == 1:
        of_class = (of_class + units * values / (units @ values) + 1 / len(units)) / 3
    shape = (len(units), len(means), counts.shape[1])

    def each(amounts: npt.NDArray[T]) -> npt.NDArray[T]:
        """List amounts by class, mean and number of units."""
        return np.broadcast_to(amounts, shape).ravel()

    chances = each(HIDDEN_PRIOR * np.multiply.outer(of_class, of_side)[..., None] / counts.shape[1])
    of_population = each(np.multiply.outer(norms, means)[..., None])
    is_below = each((np.arange(len(means)) >= HIDDEN_MEANS)[None, :, None])
    numbers = each(counts[:, None, :])
    if found is not None:
        places, of_mean = each(classes[:, None, None]), each(means[None, :, None])
        log_ratios = found.log_likelihoods(places, of_population, of_mean, numbers, is_below)
        weights = chances * np.exp(np.clip(log_ratios, -500, 500))
        chances = weights / (1 - chances.sum() + weights.sum())
    sums = np.where(is_below, -1.0, 1.0) * each((values / norms)[:, None, None]) * numbers
    kept = chances > UNLIKELY / len(chances)
    return HiddenPopulation(of_population[kept], sums[kept], chances[kept], found is not None)


def with_hidden_means(
    usual: ClassPosterior, profile: AverageProfile, limits: tuple[float, float], *, is_value: bool
) -> ClassPosterior:
    """Distances of classes that may also have units whose means noise hides."""
    far = hidden_means(profile, max(limits) if is_value else 0.0)
    return replace(usual, covariance=usual.covariance + np.diag(far**2))


def hidden_means(profile: AverageProfile, limit: float) -> Floats:
    """Deviation of the mean of each class by units whose means noise hides, anywhere up to a limit; 0 with keys.

    Their means are on a logarithmic scale from the usual ones on; `limit` = largest distance of a value.
    """
    least, limit = FARTHEST_SPREADS * profile.spread, min(limit, FARTHEST_HIDDEN * profile.spread)
    if limit <= least or profile.rows.groups > 1:
        return np.zeros(len(profile.class_units))
    usual = math.sqrt(HIDDEN_PRIOR * (limit**2 - least**2) / (2 * math.log(limit / least)))
    hidden = HIDDEN_UNITS[1] * profile.units_deviation
    return usual * np.minimum(1.0, hidden / np.maximum(profile.class_units, 1e-3))


@dataclass(frozen=True, eq=False)
class DistanceProfile:
    """What is measured about the centre: class means, and units by the norm of their distances."""

    classes: ClassPosterior
    usual: ClassPosterior  # the same without units that noise hides
    positive: HistogramReading  # of units above the centre; in the unit of the average
    negative: HistogramReading
    spread: float  # of the means of units
    total_per_norm: float  # sum of distances over all groups, per norm
    hidden: HiddenPopulation
    is_measured: bool = True  # False: likely ones, before they are measured
    is_share: bool = False  # do bins not tell means apart? few units may have most of a rare event, so that means count

    def excess(self, bounds: Floats) -> tuple[Floats, Floats]:
        """Sum of what distances exceed clip bounds by: net of both sides, and its squared error in each scenario.

        The net sum is the median over scenarios, as a rare one would dominate the mean; of shares the mean. Errors:
        scenarios x bounds.
        """
        net, apart, squares = np.zeros(len(bounds)), np.zeros((1, len(bounds))), np.zeros(len(bounds))
        for side, sign in ((self.positive, 1), (self.negative, -1)):
            beyond = np.maximum(0.0, side.points[:, None] - bounds[None, :])
            by_scenario = weighted_sums(side.units, beyond)
            middle = by_scenario.mean(axis=0) if self.is_share else np.median(by_scenario, axis=0)
            net, apart = net + sign * middle, apart + sign * (by_scenario - middle)
            squares += side.excess_noise(beyond) + (TAIL_LAW_ERROR * middle) ** 2
        errors = self.total_per_norm**2 * (apart**2 + squares)
        return self.total_per_norm * net + self.hidden.shifts(bounds), errors

    def clipped_share(self, bound: float) -> float:
        """Share of all distances, of either sign, that clipping takes."""
        sides = [(side.units.mean(axis=0), side.points) for side in (self.positive, self.negative)]
        taken = sum(float(units @ np.maximum(0.0, points - bound)) for units, points in sides)
        return taken / max(1e-12, sum(float(units @ points) for units, points in sides))

    def by_chance(self, bounds: Floats) -> Floats:
        """Sum over units of squared distances that clipping takes."""
        parts = (
            weighted_sums(side.units.mean(axis=0), np.maximum(0.0, side.points[:, None] - bounds[None, :]) ** 2)
            for side in (self.positive, self.negative)
        )
        return np.sum(list(parts), axis=0)

    def candidate_bounds(self) -> Floats:
        """Candidate clip bounds of the distances, in the unit of the average."""
        sides = [side for side in (self.positive, self.negative) if side.last_visible >= 0]
        largest = max((float(side.points.max()) for side in sides), default=16 * self.spread)
        steps = math.ceil(4 * math.log2(max(2.0, largest / self.spread))) + 8
        return largest * 2.0 ** (-np.arange(steps + 1) / 4)


@dataclass(frozen=True, eq=False)
class CountClipping:
    """What clipping of the count leaves, by alternative clip bound."""

    moved: Floats  # classes x alternatives: how much less a class weighs
    retained: Floats  # share of all values
    by_chance: Floats  # sum over units of squared changes of the norm


def weight_deviation(profile: AverageProfile, bound: float, classes: ClassPosterior) -> float:
    """Deviation of what clipping of the count moves, by who may lie beyond the visible bins: those weigh more or less.

    `bound` = clip bound of the count. A rare scenario would dominate the variance: the quantile HIDDEN_LEVEL counts.
    """
    factors = np.minimum(1.0, bound / profile.rows.norms.points)
    values = profile.rows.norms.units * profile.values
    whole, kept = (np.einsum("cp,sp->cs", profile.members, each) for each in (values, values * factors))
    moved = whole / np.maximum(whole.sum(axis=0), 1e-9) - kept / np.maximum(kept.sum(axis=0), 1e-9)
    apart = moved - count_clipping(profile, np.array([bound])).moved
    squares = (classes.distances @ apart) ** 2 + np.maximum(0.0, classes.variances(apart))
    return math.sqrt(float(np.quantile(squares, HIDDEN_LEVEL))) / HIDDEN_WIDTH


def count_clipping(profile: AverageProfile, bounds: Floats) -> CountClipping:
    """Compute what clipping of the count leaves, at some clip bounds."""
    norms = profile.rows.norms.points
    factors = np.minimum(1.0, bounds[None, :] / norms[:, None])
    values = profile.units * profile.values
    kept = weighted_sums(profile.members * values, factors)
    sums = np.maximum(kept.sum(axis=0), 1e-9)
    retained = sums / profile.total
    changes = weighted_sums(profile.units * norms**2, (factors / retained - 1) ** 2)
    return CountClipping(profile.class_weights[:, None] - kept / sums, retained, changes)


@dataclass(frozen=True)
class AverageDesign:
    """Clip bounds of one average, and the count's share of the price of both."""

    count_bound: float
    sum_bound: float  # in the unit of the average
    count_part: float


def best_designs(
    profile: AverageProfile, distances: DistanceProfile, bounds: Floats, rho: float,
    sensitivities: tuple[float, float], count_part: float | None,
) -> tuple[Floats, tuple[AverageDesign, ...]]:  # fmt: skip
    """Best design at each clip bound of the count, for a price, and its expected error: a standard deviation.

    `sensitivities` of count and sum, in clip bounds; `count_part` = the count's share of the price, None: the best.
    """
    left, sum_bounds = count_clipping(profile, bounds), distances.candidate_bounds()
    group, groups = profile.rows.usual_group, profile.rows.groups
    offset = (GROUP_OFFSET if groups > 1 else WHOLE_OFFSET) * profile.spread
    of_count = sensitivities[0] * offset * bounds[:, None]
    of_sum = sensitivities[1] * sum_bounds[None, :]
    parts = np.clip(of_count / (of_count + of_sum), *COUNT_PARTS) if count_part is None else np.array([[count_part]])
    divided = 2 * rho * (left.retained[:, None] * group) ** 2
    noise = (of_count**2 / parts + of_sum**2 / (1 - parts)) / divided
    of_divisor = (sensitivities[0] * bounds[:, None]) ** 2 / parts / divided  # relative variance
    net, errors = distances.excess(sum_bounds)
    by_sum = errors / profile.total**2
    if not distances.hidden.is_measured:
        share = HIDDEN_SHARE if groups > 1 else HIDDEN_SHARE_TOTAL
        by_sum += (share * distances.hidden.deviations(sum_bounds) / profile.total) ** 2
    of_usual, of_all = (np.maximum(0.0, each.variances(left.moved)) for each in (distances.usual, distances.classes))
    by_count = (1 - HIDDEN_CHOICE) * of_usual + HIDDEN_CHOICE * of_all
    if groups > 1:
        shift = distances.classes.distances @ left.moved
        by_count += (CLASS_GROUP_DIFFERENCE * shift) ** 2 + (0.5 * CLASS_GROUP_DIFFERENCE) ** 2 * prior_of_classes(
            profile.class_units, 0.0, profile.spread
        ).variances(left.moved)
        by_count += left.by_chance * profile.spread**2 / groups / group**2
        by_sum += (CLASS_GROUP_DIFFERENCE * net / profile.total) ** 2 + distances.by_chance(
            sum_bounds
        ) / groups / group**2
    other = noise + by_count[:, None]
    # but of shares, rare scenarios choose no clip bound
    squares = other + by_sum.mean(axis=0) if distances.is_share else _geometric_means(other, by_sum)
    squares *= 1 + (of_divisor / COUNT_NOISE**2) ** 2
    squares = np.where(left.retained[:, None] < LEAST_KEPT, np.inf, squares)
    best = squares.argmin(axis=1)
    places = np.arange(len(best)), best
    chosen = (bounds, sum_bounds[best], np.broadcast_to(parts, squares.shape)[places])
    designs = tuple(map(AverageDesign, *(numbers.tolist() for numbers in chosen)))
    return np.sqrt(squares[places]), designs


def _geometric_means(shared: Floats, by_scenario: Floats) -> Floats:
    """Geometric means over scenarios of what all share plus what each has: rows of what is shared x alternatives.

    Logarithms are taken of products of a few scenarios, which no positive number between 10^-75 and 10^75 overflows.
    """
    logs = np.zeros_like(shared)
    for few in np.array_split(by_scenario, -(-len(by_scenario) // MULTIPLIED_SCENARIOS)):
        product = shared + few[0]
        for each in few[1:]:
            product *= shared + each
        logs += np.log(product)
    return np.exp(logs / len(by_scenario))


def count_errors(profile: AverageProfile, bounds: Floats, noise: Floats) -> Floats:
    """Compute the expected relative error of a shown count, corrected by the share of the values that is left."""
    retained = count_clipping(profile, bounds).retained
    lost, is_grouped = 1 - retained, profile.rows.groups > 1
    relative = noise / (retained * profile.rows.usual_group)
    by_share = np.hypot(0.3 * lost, 0.01) / retained
    return np.sqrt(relative**2 + by_share**2 + (CLASS_GROUP_DIFFERENCE * lost / retained) ** 2 * is_grouped)
