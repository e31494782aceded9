"""Clip bounds of averages: a ratio hardly changes where sum and count are clipped by the same factor.

One factor per person scales both, so that a small clip bound biases an average only by how much clipped people differ
from others. A calibration measures how people's means differ, and how they change with the number of their rows
(`engine/pricing/proofs.md#mean_norms`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgets import PICO
from engine.pricing.clip_bounds.column_means import MeanDistribution
from engine.pricing.clip_bounds.distribution import ContributionDistribution
from engine.pricing.clip_bounds.histograms import MEAN_STEPS, ContributionHistogram
from engine.pricing.clip_bounds.tails import Floats, denoised_people
from engine.pricing.price import ASSUMED_MEAN_OFFSET

ASSUMED_MEAN_SLOPE = 0.05  # assumed slope of means over ln(rows), in largest magnitudes of a value
ASSUMED_OTHER_DIFFERENCE = (
    0.01  # other differences of people with more rows, by group, in largest magnitudes of a value
)
OTHER_DIFFERENCE_SHARE = 0.05  # the same, as a share of the measured standard deviation of means
SUM_BOUND_SHARES = tuple(
    2.0 ** (-place / 2)
    for place in range(13)  # 1 to 1/64, two per doubling
)  # clip bound of the sum, in C times the largest magnitude


@dataclass(frozen=True, eq=False)
class MeanDeviations:
    """People's means and norms about the public centre, in units of the largest magnitude of a value."""

    people: Floats  # shares of people, adding up to 1
    means: Floats  # means of each kind of people minus the centre
    norm_ratios: Floats  # largest ratio of a person's norm of the centred sum to that of the count

    @property
    def standard_deviation(self) -> float:
        """Standard deviation of people's means."""
        return math.sqrt(max(0.0, float(self.people @ self.means**2) - float(self.people @ self.means) ** 2))

    @property
    def root_mean_square(self) -> float:
        """Root mean square of people's means about the centre, in units of the largest magnitude of a value."""
        return math.sqrt(float(self.people @ self.means**2))


def mean_deviations(
    means: MeanDistribution, centre: float, magnitude: float, distribution: ContributionDistribution
) -> MeanDeviations:
    """Deviations of people's means from a centre; a person's variance is bounded by that of values at both bounds.

    Over several groups a person's sums add up and their random parts average out.
    """
    variance_bounds = (means.means - means.lower) * (means.upper - means.means)  # variance bound of Bhatia and Davis
    within_group_share = min(
        1.0, float(distribution.people @ distribution.totals) / float(distribution.people @ distribution.norms**2)
    )
    norm_ratios = np.sqrt((means.means - centre) ** 2 + within_group_share * variance_bounds)
    return MeanDeviations(means.people, (means.means - centre) / magnitude, np.minimum(1.0, norm_ratios / magnitude))


@dataclass(frozen=True)
class MeanClipBounds:
    """Clip bound C of a count; clip bound of the average's centred sum, as a share of C times the largest magnitude."""

    count_bound: float
    sum_bound_share: float


@dataclass(frozen=True)
class MeanErrorModel:
    """Clip-error model of an average: noise and clipping bias as a function of the clip bounds of its count and sum."""

    distribution: ContributionDistribution  # distribution of rows
    groups: float  # number of groups over which contributions are spread
    count_sensitivity: float  # sensitivity of the count, in clip bounds
    sum_sensitivity: float  # sensitivity of the sum, in its clip bounds
    mean_slope: float  # slope of people's means over ln(rows), in largest magnitudes of a value
    deviations: MeanDeviations | None = None  # measured means; None: unknown, or several sums

    @property
    def sum_bound_shares(self) -> tuple[float, ...]:
        """Candidate clip bounds of the sum, as shares of C times the largest magnitude."""
        return SUM_BOUND_SHARES if self.deviations is not None else (1.0,)

    def clipping_bias(self, clip_bound: float, share: float = 1.0) -> float:
        """Return the expected clipping bias of an average, in units of the largest magnitude of a value."""
        # (retained shares, biases) of a single clip bound
        return float(self._retained_and_bias([clip_bound], share)[1][0])

    def tune(self, clip_bounds: Sequence[float], pico_rho: int, pico_rho_sum: int) -> MeanClipBounds:
        """Clip bounds of least expected error; of equally good ones the smallest."""
        errors = np.array(
            [self._expected_errors(clip_bounds, share, pico_rho, pico_rho_sum) for share in self.sum_bound_shares]
        )
        share_index, bound_index = divmod(int(np.argmin(errors)), len(clip_bounds))
        return MeanClipBounds(clip_bounds[bound_index], self.sum_bound_shares[share_index])

    def _expected_errors(self, clip_bounds: Sequence[float], share: float, pico_rho: int, pico_rho_sum: int) -> Floats:
        """Root mean squared error of an average for each clip bound, in units of the largest magnitude of a value.

        Noise of sum and count together, over the rows of a group that clipping leaves; and the clipping bias.
        """
        mean_offset = (
            ASSUMED_MEAN_OFFSET
            if self.deviations is None
            else min(ASSUMED_MEAN_OFFSET, self.deviations.root_mean_square)
        )
        parts = (
            (self.sum_sensitivity * share) ** 2 / pico_rho_sum,
            (mean_offset * self.count_sensitivity) ** 2 / pico_rho,
        )
        noise = np.asarray(clip_bounds) * math.sqrt(sum(parts) * PICO / 2)
        retained, bias = self._retained_and_bias(clip_bounds, share)
        return np.hypot(noise * self.groups / (retained * self.distribution.total), bias)

    def _retained_and_bias(self, clip_bounds: Sequence[float], share: float) -> tuple[Floats, Floats]:
        """For each clip bound: the share of rows left by clipping, and the bias of the average of what is left."""
        people, means, norm_ratios = self._kinds_of_people()
        weights = self.distribution.people * self.distribution.totals / self.distribution.total
        activity = np.log(np.maximum(self.distribution.totals, 1.0))
        # per person, in the count's unit
        largest_norms = np.outer(self.distribution.norms, np.maximum(1.0, norm_ratios / share)).ravel()
        kind_weights = np.outer(weights, people).ravel()
        columns = np.stack(
            [kind_weights, kind_weights * np.tile(means, len(weights)), kind_weights * np.repeat(activity, len(means))]
        )
        # rows of `columns`: weight of each kind of people, its weight times mean, its weight times ln(rows)
        retained_sums, squares = clipped_sums(largest_norms, columns, np.asarray(clip_bounds, dtype=np.float64))
        totals, retained = columns.sum(axis=1, keepdims=True), retained_sums[0]
        mean_shift, activity_shift = retained_sums[1:] / retained - totals[1:] / totals[0]
        unevenness = np.sqrt(np.maximum(0.0, squares / retained**2 - 1))
        if self.deviations is None:
            return retained, np.hypot(self.mean_slope * activity_shift, ASSUMED_OTHER_DIFFERENCE * unevenness)
        activity_deviation = math.sqrt(max(0.0, float(weights @ activity**2) - float(weights @ activity) ** 2))
        # bounds the covariance
        mean_slope = min(self.mean_slope, self.deviations.standard_deviation / max(activity_deviation, math.ulp(1.0)))
        parts = (
            mean_slope * activity_shift,
            mean_shift,
            OTHER_DIFFERENCE_SHARE * self.deviations.standard_deviation * unevenness,
        )
        return retained, np.sqrt(sum(part**2 for part in parts))

    def _kinds_of_people(self) -> tuple[Floats, Floats, Floats]:
        """Kinds of people by mean, as arrays of equal length: shares, means minus the centre, norm ratios.

        Where means were not measured there is one kind, of mean 0, whose centred sum has the norm of its count.
        """
        measured = self.deviations
        if measured is None:
            return (np.ones(1), np.zeros(1), np.ones(1))
        return (measured.people, measured.means, measured.norm_ratios)


def clipped_sums(largest_norms: Floats, columns: Floats, clip_bounds: Floats) -> tuple[Floats, Floats]:
    """Sum of each column times min(1, C / norm), and of the first column times its square, for every clip bound C."""
    order = np.argsort(largest_norms, kind="stable")
    lengths, sorted_columns = np.maximum(largest_norms[order], 1e-300), columns[:, order]
    places = np.searchsorted(lengths, clip_bounds, side="right")
    squares = sorted_columns[:1] / lengths**2
    below, above, above_squared = (_prefix_sums(each) for each in (sorted_columns, sorted_columns / lengths, squares))
    clipped = below[:, places] + clip_bounds * (above[:, -1:] - above[:, places])
    squared = below[0, places] + clip_bounds**2 * (above_squared[0, -1] - above_squared[0, places])
    return clipped, squared


def _prefix_sums(columns: Floats) -> Floats:
    """Prefix sums of each column, starting with 0."""
    return np.concatenate([np.zeros((len(columns), 1)), np.cumsum(columns, axis=1)], axis=1)


def measured_mean_slope(means_by_rows: ContributionHistogram | None, rows: ContributionHistogram | None) -> float:
    """Slope of people's means over ln(rows), or the largest slope that noise may hide, if that is more; at most 1.

    Weighted regression over the bins of `rows` that have people. ASSUMED_MEAN_SLOPE if it was not measured, or by one
    bin.
    """
    if means_by_rows is None or rows is None:
        return ASSUMED_MEAN_SLOPE
    people = denoised_people(rows)
    nonempty = people > 0
    if nonempty.sum() < 2:
        return ASSUMED_MEAN_SLOPE
    means = np.asarray(means_by_rows.counts, dtype=np.float64)[nonempty] / people[nonempty] / MEAN_STEPS
    places = np.asarray(means_by_rows.subject.bins, dtype=np.float64)[nonempty] * math.log(2) / 2
    noise = means_by_rows.sigma / MEAN_STEPS
    # precision of each bin's mean; people differ by at most 1
    precisions = people[nonempty] ** 2 / (noise**2 + people[nonempty])
    weights = precisions * np.exp(places / 2)  # heavier people weigh more in averages, and are clipped
    offsets = places - float(weights @ places) / float(weights.sum())
    sum_of_squares = float(weights @ offsets**2)
    slope = float(weights @ (offsets * means)) / sum_of_squares
    return min(1.0, max(abs(slope), math.sqrt(float((weights * offsets) ** 2 @ (1 / precisions))) / sum_of_squares))
