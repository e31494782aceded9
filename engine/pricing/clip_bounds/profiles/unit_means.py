"""Means of units in a profile: bins that are fine about 0, and the distribution that their noisy units tell.

Declared bounds are often far wider than values: amounts up to a million, of which most are below a hundred. Most
quantities have a scale of their own about 0, so that bins of the same ratio tell it whatever the bounds
(`engine/pricing/proofs.md#averages`).
"""

from __future__ import annotations

import math

import numpy as np

from dialect.algebra import QueryVector
from dialect.catalog import SqlType
from engine.pricing.clip_bounds.column_means import MEAN_PARTS, MeanDistribution, denoised_means
from engine.pricing.clip_bounds.profiles.products import NARROW_RANGE
from engine.pricing.clip_bounds.tails import Floats

# binary logarithms of where bins begin, as shares of the range from one end, and of either side of 0
FROM_END = np.concatenate([np.arange(-20, -4, 1 / 2), np.arange(-4, -2, 1 / 4), np.arange(-2, -1, 1 / 8)])
FROM_ZERO = np.concatenate([np.arange(-16, -3, 1 / 2), np.arange(-3, 0, 1 / 4)])
UPPER_HALF = tuple(np.arange(0.5, 0.75, 1 / 16))  # where bins begin in the middle
NEIGHBOURS = (1, 2, 4, 8)  # bins that are read together, where fewer people are clear of the noise
ABOUT_ZERO, NEARLY_ALL = 2**-7.5, 0.95  # distance of means about 0, as a share of the range; people who have 0
CLEAR_SHARE = 0.8  # of the people that any of these tells


def parts_of(vector: QueryVector) -> tuple[float, ...]:
    """Where the bins of a vector's means begin, but for the first, as shares of its range.

    They are fine about 0, or about the end of the range that is nearest to it; at the other end as those of
    `MEAN_PARTS`. Whole numbers of a narrow range, as of a condition, have those alone.
    """
    if is_narrow(vector):
        return MEAN_PARTS
    ends, usual = np.exp2(FROM_END), np.array(MEAN_PARTS)
    zero = _nearest_to_zero(vector)
    if zero in (0.0, 1.0):
        found = np.concatenate([ends, UPPER_HALF, usual[usual >= 0.75]])
        return tuple(map(float, found if zero == 0.0 else 1 - found[::-1]))
    sides = max(zero, 1 - zero) * np.exp2(FROM_ZERO)
    below, above = zero - sides[sides < zero][::-1], zero + sides[sides < 1 - zero]
    return tuple(map(float, np.concatenate([below, above])))


def is_narrow(vector: QueryVector) -> bool:
    """Check whether values are whole numbers of a narrow range, or a single one."""
    is_whole = vector.value is not None and vector.value.type in (SqlType.BIGINT, SqlType.BOOLEAN)
    return vector.lower == vector.upper or (is_whole and vector.upper - vector.lower <= NARROW_RANGE)


def _nearest_to_zero(vector: QueryVector) -> float:
    """Place of 0, or of the end of the range that is nearest to it, as a share of the range."""
    return min(1.0, max(0.0, -vector.lower / (vector.upper - vector.lower)))


def distribution_by_parts(counts: Floats, sigma: float, vector: QueryVector) -> MeanDistribution | None:
    """Distribution of means from noisy units by bin; None if no bin is clear of the noise.

    Where nearly all means are 0, they do not tell the scale of others: the bins about 0 are read as one.
    """
    ends, width = np.array([0.0, *parts_of(vector), 1.0]), vector.upper - vector.lower
    widths = NEIGHBOURS[:1] if is_narrow(vector) else NEIGHBOURS
    read = [_denoised(counts[: len(ends) - 1], sigma, ends, together) for together in widths]
    most = max(float(people.sum()) for people, _ in read)
    if most <= 0:
        return None
    people, ends = next(each for each in read if each[0].sum() >= CLEAR_SHARE * most)
    if is_narrow(vector):
        return _distribution(people, ends, vector, math.inf)
    zero, resolution = _nearest_to_zero(vector), math.inf
    place = min(len(people) - 1, int(np.searchsorted(ends, zero, side="right")) - 1)
    if people[place] > NEARLY_ALL * people.sum():
        kept = (np.abs(ends - zero) >= ABOUT_ZERO) | np.isin(ends, (0.0, 1.0))
        begins = np.flatnonzero(kept[:-1])
        people, ends = np.add.reduceat(people, begins), ends[kept]
    else:
        resolution = width * float(people @ np.diff(ends)) / float(people.sum()) / math.sqrt(12)
    return _distribution(people, ends, vector, resolution)


def _distribution(people: Floats, ends: Floats, vector: QueryVector, resolution: float) -> MeanDistribution:
    """Distribution over the middles of bins."""
    means = vector.lower + (vector.upper - vector.lower) * (ends[1:] + ends[:-1]) / 2
    shares = people / people.sum()
    return MeanDistribution(means, shares, vector.lower, vector.upper, float(means @ shares), resolution)


def _denoised(counts: Floats, sigma: float, ends: Floats, together: int) -> tuple[Floats, Floats]:
    """Denoised units by so many bins together, and where these bins begin and end."""
    begins = np.arange(0, len(counts), together)
    sums = np.add.reduceat(counts, begins)
    return denoised_means(sums, sigma * math.sqrt(together)), np.append(ends[begins], ends[-1])
