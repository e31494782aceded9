"""Averages with a profile: a public centre, and the clip bounds of sum and count, from the stored histograms.

An average is a centre plus a noisy sum of values minus the centre, over a noisy count; one clipping factor per unit
scales both. The profile counts units by their rows and by the mean of their values, so that the centre is a usual
value, and the clip bounds are those of least expected error of the average (`engine/pricing/proofs.md#mean_norms`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from dialect import PrivatePlan
from dialect.algebra import VectorKind
from dialect.catalog import SqlType
from dialect.codegen import Measure, ProfileHistogram
from dialect.sensitivity import TunedClipBound
from engine.pricing.clip_bounds.column_means import MeanDistribution, distribution_of_means, mean_parts
from engine.pricing.clip_bounds.distribution import ContributionDistribution, contribution_distribution
from engine.pricing.clip_bounds.histograms import (
    HIGHEST_COUNT_BIN,
    MEAN_BINS,
    ContributionHistogram,
    HistogramSubject,
    Quantity,
)
from engine.pricing.clip_bounds.means import ASSUMED_MEAN_SLOPE, MeanErrorModel, mean_deviations
from engine.pricing.clip_bounds.tails import Floats
from engine.pricing.clip_bounds.tuning import BOUND_DEVIATIONS, ClipErrorModel, tune_clip_bounds

# how much larger the error of an average by clipping may be than the model tells: which units are clipped may have to
# do with their values
MEAN_ERROR_FACTOR = 2.0
REASON = "chosen from the profile that was bought with the question"
DAY = date(1970, 1, 1)  # of histograms that belong to one question


@dataclass(frozen=True)
class Average:
    """An average that is computed from two vectors of a plan: indices of its centred sum and of its count."""

    total: int
    count: int


@dataclass(frozen=True)
class ChosenAverage:
    """Clip bounds and centre of an average, chosen from a profile."""

    average: Average
    centre: float
    bounds: Mapping[int, TunedClipBound]  # of its count and its sum, by index
    share_error: float  # standard deviation of the error of the count, as a share of it
    mean_error: float  # standard deviation of the error of the average by clipping, in its unit


def averages_of(plan: PrivatePlan) -> tuple[Average, ...]:
    """List the averages whose two vectors share a clipping factor with no others."""
    groups: dict[int, list[int]] = {}
    for i, vector in enumerate(plan.vectors):
        groups.setdefault(vector.scale_group, []).append(i)
    pairs = (members for members in groups.values() if len(members) == 2)
    found = []
    for members in pairs:
        totals = [i for i in members if plan.vectors[i].kind is VectorKind.CENTRED]
        counts = [i for i in members if plan.vectors[i].kind in (VectorKind.ROWS, VectorKind.VALID)]
        if len(totals) == len(counts) == 1 and plan.vectors[totals[0]].partial_bounds is None:
            found.append(Average(totals[0], counts[0]))
    return tuple(found)


def average_histograms(average: Average, plan: PrivatePlan) -> tuple[ProfileHistogram, ...]:
    """List the histograms of an average: units by rows, by rows over all groups, and by the mean of their values."""
    by_groups = (ProfileHistogram(average.count, Measure.NORM),) if plan.keys else ()
    return (
        *by_groups,
        ProfileHistogram(average.count, Measure.TOTAL),
        ProfileHistogram(average.total, Measure.MEAN, average.count, mean_parts()),
    )


def choose_average(
    average: Average, plan: PrivatePlan, stored: Mapping[ProfileHistogram, tuple[Floats, float]],
    groups: int, prices: Sequence[int], *, is_shown: bool, grain: float,
) -> ChosenAverage | None:  # fmt: skip
    """Choose centre and clip bounds of an average; None if no unit is visible.

    `stored` = noisy units by bin and their noise scale; `prices` of every vector in pico-rho; `is_shown`: the count is
    a column of its own; `grain` = smallest step of a centre, by which values can still be counted.
    """
    histograms = [_histogram(each, plan, stored) for each in average_histograms(average, plan)]
    *rows, means = histograms
    keyed, totals = (rows[0], rows[1]) if len(rows) == 2 else (rows[0], None)
    distribution = contribution_distribution(keyed, totals, groups)
    vector = plan.vectors[average.total]
    measured = distribution_of_means(means, vector.lower, vector.upper)
    if distribution is None or measured is None:
        return None
    centre = _centre(measured, is_integer=vector.value is None or vector.value.type is not SqlType.DOUBLE)
    centre = vector.centre + round((centre - vector.centre) / grain) * grain
    centred = replace(vector, centre=centre)
    models = _models(
        average, plan, distribution, measured, centred.centre, centred.magnitude, groups, is_shown=is_shown
    )
    count_bound, sum_bound = tune_clip_bounds(models, [prices[average.count], prices[average.total]])
    if count_bound is None or sum_bound is None:
        return None
    return ChosenAverage(
        average,
        centre,
        {average.count: _within_interval(count_bound), average.total: _within_interval(sum_bound)},
        (count_bound.residual_bias_bound or 0.0) / BOUND_DEVIATIONS,
        (sum_bound.residual_bias_bound or 0.0) * MEAN_ERROR_FACTOR / BOUND_DEVIATIONS,
    )


def _within_interval(bound: TunedClipBound) -> TunedClipBound:
    """Return a clip bound without the error that it leaves, which the interval holds."""
    return replace(bound, key_reason=REASON, predicted_bias=0.0, residual_bias_bound=None)


def _centre(measured: MeanDistribution, *, is_integer: bool) -> float:
    """Centre of least noise; whole for integers."""
    return float(round(measured.centre)) if is_integer else measured.centre


def _models(
    average: Average, plan: PrivatePlan, distribution: ContributionDistribution, measured: MeanDistribution,
    centre: float, magnitude: float, groups: int, *, is_shown: bool,
) -> tuple[ClipErrorModel, ClipErrorModel]:  # fmt: skip
    """Clip-error models of count and sum, as `clip_error_models` makes them from a calibration."""
    sensitivity = math.sqrt(2) if plan.charged_windows.is_crossing else 1.0
    sum_sensitivity = 2.0 if plan.charged_windows.is_crossing else 1.0
    deviations = mean_deviations(measured, centre, magnitude, distribution)
    mean = MeanErrorModel(distribution, float(groups), sensitivity, sum_sensitivity, ASSUMED_MEAN_SLOPE, deviations)
    count = ClipErrorModel(
        distribution, float(groups), sensitivity, counts_rows=True, counts_persons=False, is_corrected=is_shown,
        mean_model=mean, is_ratio_only=not is_shown,
    )  # fmt: skip
    return count, replace(count, follows_vector=(0, magnitude))


def _histogram(
    measured: ProfileHistogram, plan: PrivatePlan, stored: Mapping[ProfileHistogram, tuple[Floats, float]]
) -> ContributionHistogram:
    """Convert a histogram of a profile to a calibration histogram, from which clip-error models are built."""
    counts, sigma = stored[measured]
    vector = plan.vectors[measured.vector]
    if measured.measure is Measure.MEAN:
        subject = HistogramSubject("", (), Quantity.MEANS, measured.measure, vector.upper - vector.lower)
        bins = MEAN_BINS
    else:
        keys = tuple(key.canonical_text for key in plan.keys) if measured.measure is Measure.NORM else ()
        subject, bins = HistogramSubject("", keys, Quantity.ROWS), HIGHEST_COUNT_BIN + 1
    rounded = tuple(round(n) for n in np.asarray(counts)[:bins])
    return ContributionHistogram(subject, rounded, sigma, "", DAY, DAY)
