"""Reading of a profile's histogram: units by contribution, with what noise hides beyond its visible bins.

Post-processing of released numbers alone. Bins clear of the noise are taken as counted. Beyond them, units are
extrapolated by a tail law, and a second, small population of large contributors may hide in the noise. Both are only
known up to a posterior distribution: a scenario is one law, alone or with one second population
(`engine/pricing/proofs.md#profile-reading`).

Terms:
    contribution  L2 norm of one unit's vector over the groups, or its sum, in value grains
    bin           squared contributions within a factor of two
    visible       so many units that noise alone can't explain them
    scenario      one possible distribution of units by contribution; all agree on the visible bins
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SIGNIFICANT_SIGMAS = 6.0  # a bin near visible ones is visible above this
ISOLATED_SIGMAS = 6.5  # a bin far from the others is visible above this
FULLEST_SIGMAS = 4.5  # the fullest bin is visible above this; if it is not, none is
FEW_BINS = 2  # where fewer are visible by themselves, neighbouring bins may be visible together
TOGETHER_BINS, TOGETHER_SIGMAS = (2, 3, 5), 1.5  # so many of them; the outer ones above so many noise scales
MAX_BIN_GAP = 2  # largest distance between connected visible bins
FITTED_BINS = 8  # most visible bins that a tail is fitted to
HIDDEN_FITTED_BINS = 22  # bins beyond the visible ones that are fitted too
RELATIVE_MISFIT = 0.12  # relative misfit of a bin: no population follows a law exactly
FREE_MISFIT = 1.0  # the same of a bin before the tail, which follows no law
LEAST_TAIL_BINS = 4  # visible bins of the tail at least, if there are more: fewer say little of a law
MISFIT_GROWTH = 0.2  # further misfit of each bin below the last visible one, in misfits of that
# slopes of ln(units) over ln(contribution) at the last visible bin; the steep ones end a population at once
SLOPES = np.concatenate([np.arange(0.4, 4.01, 0.1), [5.0, 6.5, 8.5, 11.0, 15.0, 25.0]])
SLOPE_PRIOR, POWER_LAW_SLOPE_PRIOR = (1.6, 0.9), (1.5, 0.4)  # mean and standard deviation; of power laws
LEAST_LOG_PRIOR = -6.0  # no slope is excluded
CURVATURES = (0.0, 0.08, 0.18, 0.3, 0.45, 0.65, 0.9, 1.3, 2.0, 3.0)  # 0: a power law; others: log-normal
POWER_LAW_PRIOR = 0.15  # probability of curvature 0
CURVATURE_DEVIATION = 1.5  # of a half-normal prior of the other curvatures
_LAWS = [each.ravel() for each in np.meshgrid(SLOPES, np.array(CURVATURES), indexing="ij")]  # slopes, curvatures
LEVELS = np.arange(-0.6, 0.61, 0.15)  # ln of the law's units at the last visible bin, about the counted ones
LAW_ERROR = 0.35  # relative error of a law in one bin
LAWS = 11  # kept laws: equally likely quantiles of the tail's contribution
SCENARIOS = 31  # kept scenarios: the same of laws with and without a second population
SECOND_PRIOR = 0.5  # probability of a second population: residents, staff, machines
SECOND_BINS = 22  # bins beyond the last visible one that it may be in
SECOND_DECAY = 0.85  # probability of a bin, relative to that of the nearer one
# what it contributes, as shares of what is visible, and how likely that is
SECOND_SHARES = {
    0.01: 0.24,
    0.02: 0.24,
    0.04: 0.2,
    0.08: 0.15,
    0.16: 0.09,
    0.32: 0.04,
    0.64: 0.02,
    1.28: 0.01,
    2.56: 0.01,
}
# the same of values and distances, of which few units may have far more than all others
VALUE_SHARES = {
    **SECOND_SHARES, 0.08: 0.14, 0.16: 0.08, 5.12: 0.01, 10.24: 0.005, 20.48: 0.005
}  # fmt: skip
LEAST_SECOND_UNITS = 5.0  # fewer are no population
SECOND_SPREAD = (0.6, 0.4)  # its units, by bin
BROAD_SPREAD = (0.04, 0.11, 0.21, 0.28, 0.21, 0.11, 0.04)  # the same of a broad one: log-normal
BROAD_PRIOR, BROAD_STEP = 0.15, 2  # probability of a broad one; bins between possible ones
BROAD_SHARES = {0.16: 0.4, 0.4: 0.25, 1.0: 0.2, 2.56: 0.15}
BROAD_VALUE_SHARES = {0.16: 0.35, 0.4: 0.25, 1.0: 0.2, 2.56: 0.1, 6.5: 0.06, 16.0: 0.04}
# units of a population of which no bin is visible, in noise scales of a bin: many, if spread over many bins
UNSEEN_UNITS = (0.1, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0, 8.5, 12.0, 17.0, 24.0, 34.0)
UNSEEN_SPREADS = (0.6, 1.5, 3.0, 4.5)  # standard deviations of its contributions, in bins: log-normal
UNSEEN_POWER = -0.5  # the prior of more than one noise scale of units falls with this power of their number
UNSEEN_DECAY = 0.8  # probability of a bin, relative to the one before
UNSEEN_VALUE_BINS = 24  # of values, all bins up to so many below the largest are equally likely
POINTS_PER_BIN = 4
LAST_INTEGER_BIN = 8  # bins of counts up to this one list their integers
REMEMBERED_READINGS = 64  # about 200 kB each, with what follows from them


@dataclass(frozen=True, eq=False)
class HistogramReading:
    """Units by contribution: points of contribution, and the units at each, in equally likely scenarios."""

    points: Floats  # contributions, in value grains; rising
    units: Floats  # scenarios x points
    bins: npt.NDArray[np.int64]  # bin of each point
    sigma: float  # noise scale of the number of units of a bin
    last_visible: int  # last visible bin

    @property
    def totals(self) -> Floats:
        """Sum of all contributions, by scenario."""
        return self.units @ self.points

    @cached_property
    def sums_from(self) -> tuple[Floats, Floats]:
        """Units from each point on, and the sums of their contributions."""
        return sums_from(self.units), sums_from(self.units * self.points)

    @property
    def largest_visible(self) -> float:
        """Largest contribution in a visible bin; 0 if there is none."""
        return float(self.points[self.bins <= self.last_visible].max(initial=0.0))

    def excess_noise(self, beyond: Floats) -> Floats:
        """Variance of a sum over units by the noise of visible bins, and by chance in the units beyond them.

        `beyond` = what a unit at each point adds: points x alternatives.
        """
        begins = np.searchsorted(self.bins, np.arange(self.last_visible + 2))  # points are listed by bin
        visible, sizes = begins[-1], np.diff(begins)
        per_bin = np.add.reduceat(beyond[:visible], begins[:-1]) / sizes[:, None] if visible else beyond[:0]
        by_chance = weighted_sums(self.units.mean(axis=0)[visible:], beyond[visible:] ** 2)
        return self.sigma**2 * (per_bin**2).sum(axis=0) + by_chance


def sums_from(amounts: Floats) -> Floats:
    """Cumulative sums of the amounts from each place to the end: scenarios x (places + 1); the last is 0."""
    sums = np.zeros((amounts.shape[0], amounts.shape[1] + 1))
    np.cumsum(amounts[:, ::-1], axis=1, out=sums[:, -2::-1])
    return sums


def weighted_sums(units: Floats, amounts: Floats) -> Floats:
    """Sum what units at each point add: scenarios x points, or points alone; points x alternatives.

    On this thread alone: a product this small waits far longer for the threads of a matrix library on a busy machine.
    """
    return np.einsum("...p,pa->...a", units, amounts)


def read_histogram(counts: Floats, sigma: float, *, is_total: bool, is_count: bool, most: float) -> HistogramReading:
    """Read a noisy histogram of a profile.

    `counts` = noisy units by bin, from squared contributions of 1 on; `sigma` = their noise scale; `is_total`: of sums
    and not of norms; `is_count`: of rows or groups, not of values; `most` = public largest contribution, in grains.
    No visible bin: scenarios of one population, as the noisy bins tell. The last readings are remembered, as the
    profile of one price is read again for each client and by `explain`.
    """
    return _read(np.asarray(counts, dtype=np.float64).tobytes(), sigma, is_total, is_count, most)


@lru_cache(maxsize=REMEMBERED_READINGS)
def _read(stored: bytes, sigma: float, is_total: bool, is_count: bool, most: float) -> HistogramReading:
    """Read a noisy histogram, given as the bytes of its floats; who has the reading can't change it."""
    reading = _reading(np.frombuffer(stored), sigma, is_total=is_total, is_count=is_count, most=most)
    for numbers in (reading.points, reading.units, reading.bins):
        numbers.flags.writeable = False
    return reading


def _reading(counts: Floats, sigma: float, *, is_total: bool, is_count: bool, most: float) -> HistogramReading:
    """Read a noisy histogram."""
    counts = np.where(np.arange(len(counts)) < possible_bins(len(counts), most), counts, 0.0)
    visible = _visible_range(counts, sigma)
    points, bins = _points(len(counts), is_total, is_count, most)
    if visible is None:
        return HistogramReading(points, _spread(_unseen(counts, sigma, most, is_count), points, bins), bins, sigma, -1)
    first, last = visible
    people = np.where((np.arange(len(counts)) >= first) & (np.arange(len(counts)) <= last), np.maximum(counts, 0), 0.0)
    laws = _tail_laws(counts, sigma, (first, last), most, _fillings(len(counts), is_total and is_count))
    seen = float(people[: last + 1] @ _contributions(len(counts))[: last + 1])
    seconds = _second_populations(_contributions(len(counts))[last + 1 :], seen, most, is_count=is_count)
    tails = _tail_scenarios(laws, counts, last, sigma, seconds)
    by_bin = np.tile(people, (len(tails), 1))
    by_bin[:, last + 1 :] = tails
    return HistogramReading(points, _spread(by_bin, points, bins), bins, sigma, last)


def possible_bins(count: int, most: float) -> int:
    """Count the first bins, of so many, that contributions up to the public largest one, in grains, are in."""
    return int(np.count_nonzero(np.exp2(np.arange(count) / 2) <= max(most, 1.0)))


def _visible_range(counts: Floats, sigma: float) -> tuple[int, int] | None:
    """First and last visible bin; None if there is none."""
    fullest = int(np.argmax(counts))
    if counts[fullest] <= FULLEST_SIGMAS * sigma:
        return None
    known = set(map(int, np.flatnonzero(counts > SIGNIFICANT_SIGMAS * sigma)))
    starts = [fullest, *map(int, np.flatnonzero(counts > ISOLATED_SIGMAS * sigma))]
    first, last = _end_of_run(known, min(starts), -1), _end_of_run(known, max(starts), 1)
    if last - first >= FEW_BINS:
        return first, last
    known |= _visible_together(counts, sigma)
    return _end_of_run(known, first, -1), _end_of_run(known, last, 1)


def _visible_together(counts: Floats, sigma: float) -> set[int]:
    """Neighbouring bins that noise alone can't explain together; the outer ones exceed the noise by themselves."""
    found = set[int]()
    for width in TOGETHER_BINS:
        sums = np.convolve(counts, np.ones(width), mode="valid")
        for begin in map(int, np.flatnonzero(sums > SIGNIFICANT_SIGMAS * sigma * math.sqrt(width))):
            inside = range(begin, begin + width)
            if min(counts[begin], counts[inside[-1]]) > TOGETHER_SIGMAS * sigma:
                found |= set(inside)
    return found


def _end_of_run(known: set[int], number: int, step: int) -> int:
    """Last bin of a run of significant bins, at most MAX_BIN_GAP apart, in one direction."""
    near = [number + step * far for far in range(1, MAX_BIN_GAP + 1) if number + step * far in known]
    return _end_of_run(known, near[0], step) if near else number


@lru_cache(maxsize=64)
def _points(count: int, is_total: bool, is_count: bool, most: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Points of contribution in each bin, at most `most`, and the bin of each; a bin without any has its middle."""
    points, bins = list[float](), list[int]()
    for number in range(count):
        low, high = 2.0 ** (number / 2), 2.0 ** ((number + 1) / 2)
        inside = [low * (high / low) ** ((i + 0.5) / POINTS_PER_BIN) for i in range(POINTS_PER_BIN)]
        if is_count and number <= LAST_INTEGER_BIN:
            whole = (
                range(math.ceil(low - 1e-9), math.ceil(high - 1e-9))
                if is_total
                else range(2**number, 2 ** (number + 1))
            )
            inside = [float(n) if is_total else math.sqrt(n) for n in whole] or inside
        kept = [each for each in inside if each <= most] or inside[:1]
        points += kept
        bins += [number] * len(kept)
    return np.array(points), np.array(bins)


def _spread(by_bin: Floats, points: Floats, bins: npt.NDArray[np.int64]) -> Floats:
    """Spread the units of each bin over its points, by the slope between its neighbours; scenarios x bins."""
    padded = np.pad(by_bin, ((0, 0), (1, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(padded), axis=1)  # between bins, per half doubling of contributions
    usable = np.where(np.isfinite(steps), np.clip(steps, -2, 2), 0.0)
    slope = (usable[:, :-1] + usable[:, 1:]) / 2 / (math.log(2) / 2)
    logs = np.log(points) - bins * math.log(2) / 2
    weights = np.exp(np.clip(slope[:, bins], -6, 6) * logs)
    begins = np.searchsorted(bins, np.arange(by_bin.shape[1]))  # points are listed by bin, and each has some
    return by_bin[:, bins] * weights / np.add.reduceat(weights, begins, axis=1)[:, bins]


def _fillings(count: int, holds_integers: bool) -> Floats:
    """Count the integers in each bin relative to its width: low bins of counts hold more or fewer than others."""
    ends = np.ceil(np.exp2(np.arange(count + 1) / 2) - 1e-9)
    widths = np.diff(np.exp2(np.arange(count + 1) / 2))
    return np.where(np.arange(count) < 24, np.diff(ends) / widths, 1.0) if holds_integers else np.ones(count)


def _contributions(count: int) -> Floats:
    """Contribution in the middle of each bin."""
    return np.exp2((np.arange(count) + 0.5) / 2)


def _tail_laws(counts: Floats, sigma: float, visible: tuple[int, int], most: float, fillings: Floats) -> Floats:
    """Units in the bins beyond the last visible one, by equally likely laws.

    ln(units) = a - b x - c x^2 with x = ln(contribution) from the last visible bin on, fitted to visible bins from an
    unknown one on, where the tail begins, and to the noisy ones beyond; times the filling of the bin.
    """
    first, last = visible
    begin, end = max(first, last - FITTED_BINS + 1), min(len(counts), last + 1 + HIDDEN_FITTED_BINS)
    level = math.log(max(float(counts[last]), sigma) / max(float(fillings[last]), 0.25))
    levels = np.exp(level + LEVELS)
    laws = _laws(len(counts), last) * fillings
    misfits = RELATIVE_MISFIT * (1 + MISFIT_GROWTH * np.maximum(0, last - np.arange(begin, end)))
    begins = max(1, last - begin + 2 - LEAST_TAIL_BINS)
    fits = _log_fits(counts[begin:end], sigma, misfits, laws[:, begin:end], levels, begins)
    contributions = _contributions(len(counts))[last + 1 :]
    beyond = np.where(contributions <= max(most, 1.0), laws[:, last + 1 :], 0.0)
    chosen = equally_likely(np.outer(beyond @ contributions, levels), _log_prior()[:, None] + fits, LAWS)
    of_law, of_level = np.divmod(chosen, len(levels))
    return beyond[of_law] * levels[of_level, None]


def _log_fits(observed: Floats, sigma: float, misfits: Floats, laws: Floats, levels: Floats, begins: int) -> Floats:
    """Compute the logarithm of the likelihood of every law at every level, over all bins where the tail may begin.

    The tail begins in one of the first bins, so many `begins`. Those before it follow no law.
    """
    sizes = np.maximum(observed, 0.0)
    variances = sigma**2 + (misfits * sizes) ** 2
    free = sigma**2 + (FREE_MISFIT * sizes[:begins]) ** 2
    by_bin = np.ascontiguousarray(laws.T)  # numpy adds up whole rows fast
    # (observed - level * law)^2 / variance is quadratic in the level; its parts are summed from each begin on
    squares, products, own = (
        _sums_to_end(part / variances[:, None], begins)
        for part in (by_bin**2, by_bin * observed[:, None], observed[:, None] ** 2)
    )
    factors = levels[None, :, None]
    fits = squares[:, None] * factors**2 - (2 * products)[:, None] * factors + own[:, None]  # begins, levels, laws
    of_tail, before = np.log(variances[:begins]), np.log(free)
    of_scales = np.cumsum(of_tail[::-1])[::-1] + np.cumsum(before) - before
    fits += of_scales[:, None, None]
    fits *= -0.5
    best = fits.max(axis=0)
    fits -= best
    return (best + np.log(np.exp(fits, out=fits).sum(axis=0))).T


def _sums_to_end(rows: Floats, count: int) -> Floats:
    """Add up the rows from each of the first ones, so many, to the end."""
    sums = np.empty((count, rows.shape[1]))
    sums[-1] = rows[: -len(rows) + count - 2 : -1].sum(axis=0)
    for place in reversed(range(count - 1)):
        np.add(sums[place + 1], rows[place], out=sums[place])
    return sums


@lru_cache(maxsize=32)
def _laws(count: int, last: int) -> Floats:
    """Units by bin of every law at level 0, relative to those of the last visible bin: laws x bins.

    A law is a slope and a curvature, and each level multiplies it.
    """
    x = (np.arange(count) - last) * math.log(2) / 2
    exponents = -_LAWS[0][:, None] * x - _LAWS[1][:, None] * x**2
    return np.exp(np.clip(exponents, -50, 50))


def equally_likely(contributed: Floats, log_weights: Floats, kept: int) -> npt.NDArray[np.int64]:
    """Choose equally likely alternatives: quantiles by what each contributes; flat indices."""
    weights = np.exp(log_weights - log_weights.max()).ravel()
    order = np.argsort(contributed, axis=None, kind="stable")
    places = np.cumsum(weights[order]) / weights.sum()
    return order[np.searchsorted(places, (np.arange(kept) + 0.5) / kept).clip(max=len(order) - 1)]


def _tail_scenarios(
    laws: Floats, counts: Floats, last: int, sigma: float, populations: tuple[Floats, Floats]
) -> Floats:
    """Units in the bins beyond the last visible one, in equally likely scenarios: a law and perhaps a population.

    `populations` = possible second ones, and the logarithms of their prior. Noisy units of the bins beyond tell how
    likely a scenario is.
    """
    counted, contributions = counts[last + 1 :], _contributions(len(counts))[last + 1 :]
    seconds, prior = populations
    counted, far = counted[:HIDDEN_FITTED_BINS], contributions[HIDDEN_FITTED_BINS:]
    near_laws, far_laws = np.hsplit(laws, [len(counted)])
    near_seconds, far_seconds = np.hsplit(seconds, [len(counted)])
    # bins x scenarios: a sum over the bins adds whole rows
    shape = len(counted), len(laws) * len(seconds)
    expected = (near_laws.T[:, :, None] + near_seconds.T[:, None, :]).reshape(shape)
    own = np.square(LAW_ERROR * expected)
    variances, apart = own + sigma**2, counted[:, None] - expected
    # the law of each scenario and the noisy counts of hidden bins together, by inverse variance
    own *= apart
    own /= variances
    expected += own
    tails = np.maximum(expected, 0.0, out=expected)
    np.square(apart, out=apart)
    apart /= variances
    misfits = apart.sum(axis=0) + _log_product(variances / sigma**2)
    contributed = np.einsum("b,ba->a", contributions[: len(counted)], tails)
    contributed += np.add.outer(far_laws @ far, far_seconds @ far).ravel()
    chosen = equally_likely(contributed, np.tile(prior, len(laws)) - misfits / 2, SCENARIOS)
    of_law, of_second = np.divmod(chosen, len(seconds))
    return np.hstack([tails[:, chosen].T, far_laws[of_law] + far_seconds[of_second]])


def _log_product(factors: Floats) -> Floats:
    """Logarithm of the product of each column; of half of it at a time, which no factor below 10^28 overflows."""
    halves = np.array_split(factors, 2)
    return sum(np.log(np.multiply.reduce(half, axis=0)) for half in halves)


def _second_populations(contributions: Floats, seen: float, most: float, *, is_count: bool) -> tuple[Floats, Floats]:
    """Units by bin of each possible second population, none first, and the logarithms of their prior.

    `seen` = what all visible units contribute; `is_count`: rows or groups, not values.
    """
    shares, broad_shares = (SECOND_SHARES, BROAD_SHARES) if is_count else (VALUE_SHARES, BROAD_VALUE_SHARES)
    narrow, narrow_prior = _populations(contributions, seen, most, shares, SECOND_SPREAD, 1)
    broad, broad_prior = _populations(contributions, seen, most, broad_shares, BROAD_SPREAD, BROAD_STEP)
    none = np.zeros((1, len(contributions)))
    neither = np.array([1 - SECOND_PRIOR - BROAD_PRIOR])
    prior = np.concatenate([neither, SECOND_PRIOR * narrow_prior, BROAD_PRIOR * broad_prior])
    return np.concatenate([none, narrow, broad]), np.log(prior)


def _populations(
    contributions: Floats, seen: float, most: float, shares: Mapping[float, float], parts: tuple[float, ...], step: int
) -> tuple[Floats, Floats]:
    """Units by bin of populations that begin every `step` bins and have so many `parts` of them in a bin."""
    places = np.flatnonzero(contributions[:SECOND_BINS:step] <= most) * step
    shapes = np.zeros((len(places), len(contributions) + len(parts)))
    for number, part in enumerate(parts):
        shapes[np.arange(len(places)), places + number] = part
    shapes = np.where(contributions <= most, shapes[:, : len(contributions)], 0.0)
    sizes = np.outer(seen / (shapes @ contributions), list(shares))
    of_place, of_share = np.nonzero(sizes * shapes.sum(axis=1)[:, None] >= LEAST_SECOND_UNITS)
    decays = SECOND_DECAY**places
    chances = decays[of_place] / decays.sum() * np.array(list(shares.values()))[of_share]
    units: Floats = sizes[of_place, of_share, None] * shapes[of_place]
    return units, chances


def _unseen(counts: Floats, sigma: float, most: float, is_count: bool) -> Floats:
    """Units by bin in equally likely scenarios, where no bin is visible: one population, narrow or wide, somewhere."""
    possible = possible_bins(len(counts), most)
    bins, sizes = np.arange(len(counts)), np.array(UNSEEN_UNITS)
    middles, spreads = np.tile(bins[:possible], len(UNSEEN_SPREADS)), np.repeat(UNSEEN_SPREADS, possible)
    apart = np.subtract.outer(middles, bins) / spreads[:, None]
    shapes = np.where(bins < possible, np.exp(-0.5 * apart**2), 0.0) / (spreads[:, None] * math.sqrt(2 * math.pi))
    expected = np.multiply.outer(sigma * sizes, shapes)
    fits = (expected @ counts - 0.5 * np.square(expected).sum(axis=-1)) / sigma**2
    begin = 0 if is_count else max(0, possible - UNSEEN_VALUE_BINS)
    fits += np.maximum(0, middles - begin) * math.log(UNSEEN_DECAY)
    fits += UNSEEN_POWER * np.log(np.maximum(1.0, sizes))[:, None]
    chosen = equally_likely(expected @ _contributions(len(counts)), fits, SCENARIOS)
    of_size, of_shape = np.divmod(chosen, len(shapes))
    return expected[of_size, of_shape]


@lru_cache(maxsize=1)
def _log_prior() -> Floats:
    """Logarithms of the prior of the laws, by slope and curvature."""
    slopes, curvatures = _LAWS
    mean, deviation = np.where(curvatures[:, None] == 0, POWER_LAW_SLOPE_PRIOR, SLOPE_PRIOR).T
    usual = -0.5 * ((slopes - mean) / deviation) ** 2 - np.log(deviation / SLOPE_PRIOR[1])
    return np.maximum(usual, LEAST_LOG_PRIOR) + _log_curvature_prior(curvatures)


def _log_curvature_prior(curvatures: Floats) -> Floats:
    """Logarithm of the prior of curvatures: POWER_LAW_PRIOR on 0, the rest half-normal."""
    half_normal = np.exp(-0.5 * (np.array(CURVATURES[1:]) / CURVATURE_DEVIATION) ** 2)
    density = np.exp(-0.5 * (curvatures / CURVATURE_DEVIATION) ** 2) / half_normal.sum()
    return np.log(np.where(curvatures == 0, POWER_LAW_PRIOR, (1 - POWER_LAW_PRIOR) * density))
