"""The hindsight bound: the least error that any fixed clip bound would have reached at the same price, knowing the data.

Claim: of all clip bounds on a geometric grid, the one with the least median over groups of the root-mean-square
relative error, clipping bias and independent Gaussian noise together, without any correction. Of averages, shares and
variances: one common factor per unit for all vectors, around the catalog's centre, over a grid of ratios of their clip
bounds; there the bias is not monotone in the clip bound, and a bound counts with the largest bias of all bounds from it
upwards, because a chance zero of the bias is no merit of a bound. Symbols: w = what a unit contributes to a group, N = the unit's L2 norm over all groups, C = clip bound,
x = exact value, rho = the vector's share of the price. Formula: a clipped sum is sum w min(1, C / N), with noise of
standard deviation C / sqrt(2 rho). Source: DESIGN.md section 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from tests.bench.honesty.questions import Aggregate

Floats = npt.NDArray[np.float64]
BOUNDS = 60  # clip bounds on the grid
RATIOS = {1: 1, 2: 13, 3: 7}  # by number of vectors: ratios of each further clip bound to the first
LARGEST = 10  # groups of which the bound is also computed by themselves
SHARES = {  # of the price, by vector, as the engine divides a release's among what one number is computed from
    1: (1.0,),
    2: (1 / 3, 2 / 3),
    3: (1 / 4, 1 / 4, 1 / 2),
}


@dataclass(frozen=True)
class Contributions:
    """What every unit contributes to every group, an entry each."""

    group: npt.NDArray[np.int64]
    values: tuple[Floats, ...]  # by vector
    norms: tuple[Floats, ...]  # by vector: norm of the entry's unit over all groups


@dataclass(frozen=True)
class Hindsight:
    """Errors of the best fixed clip bound, relative, by group."""

    clip_bound: float  # of the first vector
    bias: Floats
    deviation: Floats

    @property
    def error(self) -> Floats:
        """Root-mean-square relative error."""
        return np.hypot(self.bias, self.deviation)


def hindsights(
    of: Contributions, exact: Floats, aggregate: Aggregate, centre: float, rho: float, sensitivity: float
) -> tuple[Hindsight, Hindsight]:
    """Return the bound over all groups, and the bound over the largest groups alone."""
    is_asked = np.isfinite(exact) & (exact != 0)
    largest = np.zeros(len(exact), dtype=bool)
    largest[np.argsort(-np.where(is_asked, np.abs(exact), -1))[:LARGEST]] = True
    best: list[Hindsight | None] = [None, None]
    least = [math.inf, math.inf]
    for bounds, bias, deviation in _curves(of, exact, aggregate, centre, rho, sensitivity):
        error = np.hypot(bias, deviation)
        for place, groups in enumerate((is_asked, largest & is_asked)):
            medians = np.median(error[:, groups], axis=1) if groups.any() else np.array([0.0])
            at = int(np.argmin(medians))
            if medians[at] < least[place]:
                least[place], best[place] = medians[at], Hindsight(float(bounds[at]), bias[at], deviation[at])
    nothing = Hindsight(math.nan, np.full(len(exact), math.nan), np.full(len(exact), math.nan))
    return best[0] or nothing, best[1] or nothing


def _curves(
    of: Contributions, exact: Floats, aggregate: Aggregate, centre: float, rho: float, sensitivity: float
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield, for each ratio of clip bounds: first clip bounds, relative bias and deviation by bound and group."""
    count = len(of.values)
    typical = [math.sqrt(float(np.mean(norm**2))) or 1.0 for norm in of.norms]
    steps = np.geomspace(1 / 8, 8, RATIOS[count]) if count > 1 else np.ones(1)
    relative = np.where((exact == 0) | ~np.isfinite(exact), np.nan, np.abs(exact))
    for chosen in product(steps, repeat=count - 1):
        ratios = [1.0, *(typical[i + 1] / typical[0] * step for i, step in enumerate(chosen))]
        norm = np.max([each / ratio for each, ratio in zip(of.norms, ratios, strict=True)], axis=0)
        bounds = _grid(norm)
        sums = _clipped_sums(of, norm, bounds, len(exact))
        sigmas = [
            sensitivity * bounds * ratio / math.sqrt(2 * rho * share)
            for ratio, share in zip(ratios, SHARES[count], strict=True)
        ]
        value, variance = _estimate(sums, sigmas, aggregate, centre)
        with np.errstate(invalid="ignore", divide="ignore"):
            bias, deviation = (value - exact) / relative, np.sqrt(variance) / relative
        bias, deviation = np.nan_to_num(bias, nan=np.inf), np.nan_to_num(deviation, nan=np.inf)
        yield bounds, (_without_chance_zeros(bias) if count > 1 else bias), deviation


def _without_chance_zeros(bias: Floats) -> Floats:
    """Give every clip bound the largest bias of all bounds from it upwards, with its own sign."""
    return np.copysign(np.maximum.accumulate(np.abs(bias)[::-1], axis=0)[::-1], bias)


def _grid(norm: Floats) -> Floats:
    positive = norm[norm > 0]
    if not len(positive):
        return np.ones(1)
    low, high = float(np.quantile(positive, 0.02)) / 4, float(positive.max())
    return np.geomspace(min(low, high), high, BOUNDS)


def _clipped_sums(of: Contributions, norm: Floats, bounds: Floats, groups: int) -> list[Floats]:
    """Clipped sums of every vector by bound and group.

    A unit of norm N is clipped at C < N: its part falls from w to w C / N. Sums of w and of w / N over the units
    between neighbouring bounds give the clipped sums at all bounds in one pass.
    """
    place = np.searchsorted(bounds, norm * (1 - 1e-12), side="left").astype(np.int64) * groups + of.group
    size = (len(bounds) + 1) * groups
    inverse = 1 / np.where(norm > 0, norm, 1.0)
    found = []
    for value in of.values:
        whole = np.bincount(place, value, size).reshape(-1, groups)
        scaled = np.bincount(place, value * inverse, size).reshape(-1, groups)
        above = np.cumsum(scaled[::-1], axis=0)[::-1][1:]  # of units whose norm is above each bound
        found.append(np.cumsum(whole, axis=0)[:-1] + bounds[:, None] * above)
    return found


def _estimate(
    sums: Sequence[Floats], sigmas: Sequence[Floats], aggregate: Aggregate, centre: float
) -> tuple[Floats, Floats]:
    """Expected number and its noise variance, by bound and group, with the noise in first order."""
    variances = [sigma[:, None] ** 2 for sigma in sigmas]
    if len(sums) == 1:
        return sums[0], np.broadcast_to(variances[0], sums[0].shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.where(sums[0] > 0, sums[0], np.nan)
        first = sums[1] / count
        if len(sums) == 2:
            return centre + first, (variances[1] + first**2 * variances[0]) / count**2
        second = sums[2] / count
        value = second - first**2
        by_count = 2 * first**2 - second
        variance = (variances[2] + 4 * first**2 * variances[1] + by_count**2 * variances[0]) / count**2
        if aggregate is Aggregate.STDDEV:
            root = np.sqrt(np.where(value > 0, value, np.nan))
            return root, variance / (4 * root**2)
        return value, variance
