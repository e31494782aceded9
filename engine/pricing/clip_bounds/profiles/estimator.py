"""Clip bounds chosen from a profile, and the correction of what they cut away, with its uncertainty.

A grouped answer has two parts: its total over all groups, a single number that bears the noise of a large clip bound,
and its shape over the groups, for which a small one suffices where large contributors are where others are. The shape
is divided by the share of the total that clipping left. Everything is a function of released numbers
(`engine/pricing/proofs.md#profile-estimator`).

Terms:
    total, shape    sum over all groups with each unit's sum clipped; numbers by group with each unit's norm clipped
    retained share  share of the total that clipping of the norm leaves in the shape
    excess          sum of the parts of units' sums beyond the clip bound of the total
    design          clip bounds, and the split of the price between total and shape
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import ParamSpec, TypeVar

import numpy as np

from engine.pricing.clip_bounds.distribution import totals_by_rank
from engine.pricing.clip_bounds.profiles.histogram_reading import (
    REMEMBERED_READINGS,
    Floats,
    HistogramReading,
    sums_from,
)

TOTAL_PARTS = (0.0, 0.25)  # candidate shares of the price for the total; 0: the profile alone tells what is lost
BOUNDS_PER_DOUBLING = 4
TAIL_LAW_ERROR = 0.35  # relative error of the excess, as no population follows the law exactly
RETAINED_SHARE_ERROR = 0.5  # standard deviation of the retained share by the profile, relative to what is lost
LEAST_SHARE_ERROR = 0.01
GROUP_DIFFERENCE = 0.4  # how groups differ in their retained share, relative to what is lost
PERSON_GROUP_DIFFERENCE = 2.0  # the same by a key of persons: some groups have no large contributor, others hardly else
USUAL_SIZE = 0.7  # size of a usual group over the mean: most groups are smaller
MIN_RETAINED_SHARE = 0.2
# intervals are wider than the expected error, as the model may itself be wrong; chosen on the data of the honesty bench
INTERVAL_FACTOR, TOTAL_INTERVAL_FACTOR = 1.5, 1.8  # of numbers by group, and of one without keys
INTERVAL_GROUP_DIFFERENCE = 1.0
SMALL_GROUP_DIFFERENCE = 0.4  # how much more a small group may lose, relative to what a mean group does
SMALL_PERSON_GROUP_DIFFERENCE = 1.0  # the same by a key of persons
SIGNED_GROUP_DIFFERENCE = 0.8  # what a group may lose of signed numbers, relative to the sizes that a mean group loses
SPREAD_LEVELS, SPREAD_WIDTH = (0.025, 0.975), 3.92  # quantiles, and how many standard deviations they are apart
P = ParamSpec("P")
T = TypeVar("T")
FAILED_ARITHMETIC = (ArithmeticError, ValueError, LookupError)
COMBINED_SHARE_ERROR = 0.5  # further error of the share where a person's windows are combined, relative to what is lost


def or_nothing(choose: Callable[P, tuple[T, ...]]) -> Callable[P, tuple[T, ...]]:
    """Choose nothing from a stored profile if arithmetic fails: then fallback bounds hold.

    An execution that fails by it would tell of noise that is never stored, and a retry would draw it anew
    (`engine/pricing/proofs.md#profiles`).
    """

    @wraps(choose)
    def chosen(*given: P.args, **named: P.kwargs) -> tuple[T, ...]:
        """Choose, or nothing."""
        try:
            return choose(*given, **named)
        except FAILED_ARITHMETIC:
            return ()

    return chosen


@dataclass(frozen=True, eq=False)
class VectorProfile:
    """Profile of one query vector, in value grains."""

    norms: HistogramReading
    totals: HistogramReading | None  # None: without keys, where norms are totals; or signed numbers
    groups: int  # public keys; 1 without keys
    sensitivity: float  # of a clipped vector, in clip bounds: more than 1 where windows cross
    is_signed: bool  # may numbers be negative? then nothing is corrected
    counts_groups: bool = False  # a unit of norm r is in r^2 groups, and adds so much to the total
    is_combined: bool = False  # a person counts once in several windows: the profile of each tells about the share
    bins_per_group: int = 1  # of a histogram, whose numbers are read as cumulative counts; its total is not
    has_person_key: bool = False  # is a key a function of the person, as a contract is?

    @property
    def is_empty(self) -> bool:
        """Whether there are no units at all."""
        return not self.norms.units.any()

    @property
    def is_unseen(self) -> bool:
        """Whether no unit is visible."""
        return self.norms.last_visible < 0

    @property
    def usual_group(self) -> float:
        """Contributions to a usual group, in value grains."""
        usual = (USUAL_SIZE if self.groups > 1 else 1.0) * self.total / self.groups
        # at the middle of b bins, half of them are summed: their group of b usual bins, per noise scale of the sum
        return float(usual * self.bins_per_group / math.sqrt(max(1.0, self.bins_per_group / 2)))

    @cached_property
    def total(self) -> float:
        """Median, over scenarios, of the sum of all contributions over all groups."""
        return float(np.median(self.contributions.sum(axis=1) if self.totals is None else self.totals.totals))

    def retained_shares(self, clip_bounds: Floats) -> Floats:
        """Share of the total that clipping norms leaves: scenarios x clip bounds."""
        # points that a clip bound leaves unchanged
        within = np.searchsorted(self.norms.points, clip_bounds, side="right")
        whole, norms = self._sums
        return (whole[:, within] + clip_bounds * norms[:, within]) / np.maximum(whole[:, -1:], 1e-300)

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        """Sums of the contributions up to each point, and from each on of contributions over norms."""
        whole = np.pad(np.cumsum(self.contributions, axis=1), ((0, 0), (1, 0)))
        return whole, sums_from(self.contributions / self.norms.points)

    @cached_property
    def contributions(self) -> Floats:
        """Sum of the units with each norm over all groups, by scenario; norms and sums are paired by rank."""
        norms, totals = self.norms, self.totals
        if self.counts_groups:
            return norms.units * norms.points**2
        if totals is None or totals.last_visible < 0:
            return norms.units * norms.points
        ranked = np.resize(totals.units, (len(norms.units), len(totals.points)))
        means = totals_by_rank(norms.units, norms.points, ranked, totals.points, self.groups)
        return norms.units * means


@dataclass(frozen=True)
class Design:
    """Clip bounds in value grains, the total's share of the price, and the expected error of a usual group."""

    total_bound: float | None  # None: no total is bought
    shape_bound: float
    total_part: float
    expected_error: float


@dataclass(frozen=True)
class Correction:
    """Share of the numbers that was left by clipping, and the standard deviation of the error of a corrected number."""

    retained_share: float
    residual: float  # as a share of the number
    floor: float = 0.0  # added to it, of a number of any size, in value grains


def choose_design(profile: VectorProfile, rho: float, fallback: float) -> Design:
    """Choose the design of least expected error at a price, rho; `fallback` = clip bound where no unit is visible.

    Claim: the choice is a function of released numbers, the price and public facts. Formula: least deviation by
    noise, correction and differences of groups, averaged over the scenarios of the reading. Source and proof:
    engine/pricing/proofs.md#profile-estimator.
    """
    if profile.is_empty:
        return Design(None, fallback, 0.0, profile.sensitivity * fallback / math.sqrt(2 * rho))
    if profile.groups == 1 and not profile.is_signed:
        bound, error = best_total(profile.norms, rho, geometric_deviation)
        return Design(None, bound, 0.0, error)
    return min(_shape_designs(profile, rho), key=lambda design: design.expected_error)


def candidate_bounds(reading: HistogramReading) -> Floats:
    """Candidate clip bounds, in value grains: BOUNDS_PER_DOUBLING of them, up to the largest contribution."""
    steps = math.ceil(BOUNDS_PER_DOUBLING * math.log2(max(2.0, float(reading.points.max()))))
    return 2.0 ** (np.arange(steps + 1) / BOUNDS_PER_DOUBLING)


def best_total(totals: HistogramReading, rho: float, average: Callable[[Floats], Floats]) -> tuple[float, float]:
    """Clip bound of a total with the least average deviation over scenarios at a price, and its standard deviation."""
    bounds, apart, of_excess = _excess_of_candidates(totals)
    noise = bounds**2 / (2 * rho)
    best = int(np.argmin(average(noise + apart)))
    return float(bounds[best]), math.sqrt(noise[best] + of_excess[best])


@lru_cache(maxsize=REMEMBERED_READINGS)
def _excess_of_candidates(totals: HistogramReading) -> tuple[Floats, Floats, Floats]:
    """Candidate clip bounds of a total, and the variance of the excess beyond each: by scenario, and over all."""
    bounds = candidate_bounds(totals)
    excess, noise = excesses(totals, bounds), _histogram_noise(totals, bounds)
    apart = (excess - np.median(excess, axis=0)) ** 2 + (TAIL_LAW_ERROR * excess) ** 2
    return bounds, apart + noise, _over_scenarios(excess, noise)


def mean_deviation(variances: Floats) -> Floats:
    """Compute the mean standard deviation over scenarios: the usual ones count, where squares are of the rare ones."""
    return np.sqrt(variances).mean(axis=0)


def geometric_deviation(variances: Floats) -> Floats:
    """Compute the geometric mean of the standard deviation over scenarios: the usual ones alone count."""
    return np.exp(np.log(variances).mean(axis=0) / 2)


def excess_variances(totals: HistogramReading, bounds: Floats) -> Floats:
    """Compute the variance of the excess beyond clip bounds: by scenario, by histogram noise, by the law's error."""
    return _over_scenarios(excesses(totals, bounds), _histogram_noise(totals, bounds))


def _over_scenarios(excess: Floats, noise: Floats) -> Floats:
    """Variance of excesses over scenarios, by the noise of the histogram, and by the law's error."""
    of_law = (TAIL_LAW_ERROR * excess.mean(axis=0)) ** 2
    return spread(excess) ** 2 + noise + of_law


def excesses(totals: HistogramReading, bounds: Floats) -> Floats:
    """Compute the excess beyond clip bounds: scenarios x clip bounds."""
    above = np.searchsorted(totals.points, bounds, side="right")  # first point beyond a clip bound
    units, sums = (each[:, above] for each in totals.sums_from)
    return np.maximum(0.0, sums - units * bounds)


def _histogram_noise(totals: HistogramReading, bounds: Floats) -> Floats:
    """Variance of the excess beyond clip bounds by the noise of the histogram."""
    return totals.excess_noise(np.maximum(0.0, totals.points[:, None] - bounds[None, :]))


def spread(scenarios: Floats) -> Floats:
    """Compute the standard deviation over scenarios by their middle 95%: rarer ones would dominate it."""
    low, high = np.quantile(scenarios, SPREAD_LEVELS, axis=0)
    return (high - low) / SPREAD_WIDTH


def median_excess(totals: HistogramReading, bound: float) -> float:
    """Median, over scenarios, of the excess beyond a clip bound."""
    return float(np.median(totals.units @ np.maximum(0.0, totals.points - bound)))


@dataclass(frozen=True, eq=False)
class ClippingEffects:
    """Losses and errors of grouped numbers by clipping, at each clip bound; noise is not in them."""

    retained: Floats  # median retained share
    deviation: Floats  # of the share that the profile tells, relative to the median: scenarios x clip bounds
    by_chance: Floats  # variance of a usual group, as the units of groups differ by chance, in value grains

    @classmethod
    def at(cls, profile: VectorProfile, bounds: Floats) -> ClippingEffects:
        """Compute the effects of clip bounds, in value grains."""
        shares = profile.retained_shares(bounds)
        retained = np.maximum(np.median(shares, axis=0), 1e-9)
        of_law = (RETAINED_SHARE_ERROR * (1 - shares)) ** 2 + LEAST_SHARE_ERROR**2
        deviation = np.sqrt(of_law + (shares - retained) ** 2) / retained
        unevenness = np.minimum(1.0, bounds[None, :] / profile.norms.points[:, None])
        unevenness /= retained
        unevenness -= 1
        squares = profile.norms.units.mean(axis=0) * profile.norms.points**2
        return cls(
            retained, deviation, (squares @ np.square(unevenness, out=unevenness)) / (2 * max(1, profile.groups))
        )


@lru_cache(maxsize=REMEMBERED_READINGS)
def _effects_of_candidates(profile: VectorProfile) -> tuple[Floats, ClippingEffects]:
    """Candidate clip bounds of grouped numbers, and the effects of each."""
    bounds = candidate_bounds(profile.norms)
    return bounds, ClippingEffects.at(profile, bounds)


def _shape_designs(profile: VectorProfile, rho: float) -> Iterator[Design]:
    """Best designs of grouped numbers, with and without a total."""
    bounds, effects = _effects_of_candidates(profile)
    for part in TOTAL_PARTS:
        if part and (profile.totals is None or profile.is_signed or profile.bins_per_group > 1):
            continue
        total_bound, total_error = None, math.inf
        if part and profile.totals is not None:
            total_bound, deviation = best_total(profile.totals, rho * part, mean_deviation)
            total_error = deviation / max(profile.total, 1e-9)
        errors = _shape_errors(profile, bounds, effects, rho * (1 - part), total_error)
        best = int(np.argmin(errors))
        yield Design(total_bound, float(bounds[best]), part, float(errors[best]))


def _shape_errors(
    profile: VectorProfile, bounds: Floats, effects: ClippingEffects, rho: float, total_error: float
) -> Floats:
    """Compute the expected error of a usual group at each clip bound, in value grains, after correction.

    Signed numbers are not corrected. `effects` of the clip bounds, `total_error` = error of the total relative to it.
    """
    group, retained = profile.usual_group, effects.retained
    noise = profile.sensitivity * bounds / math.sqrt(2 * rho)
    if profile.is_signed:
        return np.hypot(noise, (1 - retained) * group)
    summed_noise = math.sqrt(profile.groups) * noise / (retained * max(profile.total, 1e-9))
    by_sum = np.hypot(total_error, summed_noise)
    share_error = 1 / np.hypot(1 / np.maximum(by_sum, 1e-12), 1 / np.maximum(effects.deviation, 1e-12))
    difference = PERSON_GROUP_DIFFERENCE if profile.has_person_key else GROUP_DIFFERENCE
    differing = difference * (1 - retained) / retained * group
    variances = (noise / retained) ** 2 + (share_error * group) ** 2 + effects.by_chance + differing**2
    return np.where(retained < MIN_RETAINED_SHARE, np.inf, mean_deviation(variances))


def share_deviations(shares: Floats) -> Floats:
    """Compute the standard deviation of the profile's retained share, at each clip bound; scenarios x clip bounds."""
    parts = (RETAINED_SHARE_ERROR * (1 - shares.mean(axis=0)), spread(shares), LEAST_SHARE_ERROR)
    return np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)


def correct_total(profile: VectorProfile, design: Design, noisy_total: float, scale: float) -> Correction:
    """Correct a number without keys: add the expected excess; `scale` = standard deviation of its noise."""
    if profile.is_empty:
        return Correction(1.0, 0.0)
    excess, variance = _excess_beyond(profile.norms, design.shape_bound)
    whole = max(noisy_total, scale) + excess
    return Correction(max(noisy_total, scale) / whole, TOTAL_INTERVAL_FACTOR * math.sqrt(variance) / whole)


@lru_cache(maxsize=REMEMBERED_READINGS)
def _excess_beyond(totals: HistogramReading, bound: float) -> tuple[float, float]:
    """Median and variance of the excess beyond a clip bound: remembered, as the reading is."""
    return median_excess(totals, bound), float(excess_variances(totals, np.array([bound]))[0])


@lru_cache(maxsize=REMEMBERED_READINGS)
def _retained_share(profile: VectorProfile, bound: float) -> tuple[float, float]:
    """Compute mean and standard deviation of the profile's retained share at a clip bound; cached."""
    shares = profile.retained_shares(np.array([bound]))
    return float(shares.mean()), float(share_deviations(shares)[0])


def correct_shape(
    profile: VectorProfile, design: Design, shape_sum: float, shape_scale: float, total: tuple[float, float] | None
) -> Correction:
    """Correct grouped numbers by the share of the total that their sum shows, and by that of the profile.

    `shape_sum` = sum of the noisy shape, `shape_scale` = noise of one number; `total` = (noisy clipped total, standard
    deviation of its noise), None if none was bought. In value grains.
    """
    if profile.is_empty:
        return Correction(1.0, 0.0)
    profiled, deviation = _retained_share(profile, design.shape_bound)
    if profile.is_signed:
        lost_by_mean_group = (1 - profiled) * profile.total / profile.groups
        return Correction(1.0, (1 - profiled) + deviation, SIGNED_GROUP_DIFFERENCE * lost_by_mean_group)
    if profile.is_combined:
        deviation = math.hypot(deviation, COMBINED_SHARE_ERROR * (1 - profiled))
    weights, estimates = [1 / deviation**2], [profiled]
    if total is not None and design.total_bound is not None and profile.totals is not None:
        excess, variance = _excess_beyond(profile.totals, design.total_bound)
        whole, whole_variance = total[0] + excess, total[1] ** 2 + variance
        if whole > 3 * math.sqrt(whole_variance) and shape_sum > 0:
            share = shape_sum / whole
            relative = profile.groups * shape_scale**2 / shape_sum**2 + whole_variance / whole**2
            weights.append(1 / (share**2 * relative))
            estimates.append(share)
    combined = float(np.average(estimates, weights=weights))
    retained = min(1.0, max(MIN_RETAINED_SHARE, combined))
    share_error = 1 / math.sqrt(sum(weights)) / retained
    lost = (1 - retained) / retained
    residual = math.hypot(INTERVAL_FACTOR * share_error, INTERVAL_GROUP_DIFFERENCE * lost)
    mean_group = max(0.0, shape_sum) / retained / profile.groups
    of_small = SMALL_PERSON_GROUP_DIFFERENCE if profile.has_person_key else SMALL_GROUP_DIFFERENCE
    return Correction(retained, residual, of_small * lost * mean_group)
