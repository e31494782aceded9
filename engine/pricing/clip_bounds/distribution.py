"""Contribution distribution: noisy histograms of norms, combined into norms and totals of people.

Post-processing alone. A histogram of norms by keys and one of totals are paired by rank: who has a large norm has a
large total, except that people with one norm differ in the number of their groups
(`engine/pricing/proofs.md#pairing`).

Terms:
    norm         L2 norm of one person's vector of contributions to the groups of a query
    total        sum of the same person's contributions over all groups; at least the norm
    clip bound   C: a person's vector is scaled down to norm C if it is longer
    bin          people whose squared norm is within a factor of two
    pairing      assignment of the people counted by norm to those counted by total
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from engine.pricing.clip_bounds.histograms import ContributionHistogram, Quantity
from engine.pricing.clip_bounds.tails import TAIL_RELATIVE_ERROR, Floats, denoised_people

TOTAL_DISPERSION = 0.24  # standard deviation of ln(total / norm) among people with one norm who choose their groups
KINDS_PER_NORM = 7  # equally likely kinds of people with one norm, by factor on their mean total
FIT_ITERATIONS = 2  # iterations fitting mean totals to the measured ones; a third changes little


def totals_by_rank(people: Floats, norms: Floats, ranked_people: Floats, totals: Floats, groups: int | None) -> Floats:
    """Mean total of the people with each norm, by pairing ranks; norms and totals rise.

    The k-th person by norm is taken for the k-th by total. `people` = numbers of people with `norms`, `ranked_people` =
    numbers with `totals`, `groups` = upper bound on the number of groups: a total lies between the norm and
    sqrt(groups) times the norm. People may be rows, one for each scenario.
    """
    return np.clip(_totals_at_ranks(people, ranked_people, totals), norms, norms * _max_total_ratio(groups))


def paired_totals(
    people: Floats, norms: Floats, ranked_people: Floats, totals: Floats, groups: int | None, *, counts_rows: bool
) -> Floats:
    """Mean total of the people with each norm, if people with one norm differ in their totals.

    Parameters as of `totals_by_rank`; `counts_rows` = rows are counted, which also fall into groups by chance. The
    result reproduces the measured distribution of totals.
    """
    ranked, max_ratio = totals_by_rank(people, norms, ranked_people, totals, groups), _max_total_ratio(groups)
    factors = np.exp(
        np.outer(_total_dispersion(norms, ranked, groups, counts_rows=counts_rows), _standard_normal_points())
    )
    factors /= factors.mean(axis=1, keepdims=True)
    means = ranked
    for _ in range(FIT_ITERATIONS):
        kind_totals = np.clip(means[:, None] * factors, norms[:, None], (norms * max_ratio)[:, None])
        measured = _measured_means(kind_totals, people, ranked_people, totals)
        means = np.clip(means * measured / kind_totals.mean(axis=1), norms, norms * max_ratio)
    return np.clip(means * float(people @ ranked) / float(people @ means), norms, norms * max_ratio)


def _max_total_ratio(groups: int | None) -> float:
    """Largest ratio of a total to its norm: the root of the number of groups, by Cauchy and Schwarz."""
    return math.inf if groups is None else math.sqrt(groups)


def _standard_normal_points() -> Floats:
    """Approximate the standard normal distribution by KINDS_PER_NORM equally likely points of variance 1."""
    places = np.array([NormalDist().inv_cdf((kind + 0.5) / KINDS_PER_NORM) for kind in range(KINDS_PER_NORM)])
    return places / places.std()


def _totals_at_ranks(people: Floats, ranked_people: Floats, totals: Floats) -> Floats:
    """Mean total of the people at the same ranks as each point; in rows, one for each scenario, or in one."""

    def shares(numbers: Floats, of: Floats) -> Floats:
        """Cumulative shares, from 0 on."""
        cumulative = np.cumsum(numbers, axis=-1) / of.sum(axis=-1, keepdims=True)
        return np.concatenate([np.zeros((*cumulative.shape[:-1], 1)), cumulative], axis=-1)

    ranks, amounts = shares(ranked_people, ranked_people), shares(totals * ranked_people, ranked_people)
    ends = shares(people, people)
    rows = zip(ends, ranks, amounts, strict=True)
    cumulative = np.array([np.interp(*each) for each in rows]) if ends.ndim > 1 else np.interp(ends, ranks, amounts)
    return np.diff(cumulative) / np.maximum(np.diff(ends), math.ulp(1.0))


def _total_dispersion(norms: Floats, totals: Floats, groups: int | None, *, counts_rows: bool) -> Floats:
    """Return the standard deviation of ln(total) among people with one norm, by how concentrated their groups are.

    Rows that fall by chance add t to the squared norm of a person with total t, people evenly in every group add t^2 /
    groups. It is at most ln(total / norm): people in one group each do not differ.
    """
    concentrated = norms**2 - (totals if counts_rows else 0.0)
    even_squares = 0.0 if groups is None else totals**2 / groups
    evenness = np.minimum(1.0, even_squares / np.maximum(concentrated, 1e-300))
    return np.minimum(TOTAL_DISPERSION * (1 - evenness), np.log(totals / norms))


def _measured_means(kind_totals: Floats, people: Floats, ranked_people: Floats, totals: Floats) -> Floats:
    """Mean measured total of the people at the ranks that each kind of people is assumed to have."""
    order = np.argsort(kind_totals, axis=None, kind="stable")
    measured = np.empty(kind_totals.size)
    measured[order] = _totals_at_ranks(np.repeat(people / KINDS_PER_NORM, KINDS_PER_NORM)[order], ranked_people, totals)
    return measured.reshape(kind_totals.shape).mean(axis=1)


POINTS_PER_BIN = 4  # points of a bin without integer norms: a quarter of a doubling of squared norms
HIGHEST_INTEGER_BIN = 6  # highest bin whose integer squared norms are enumerated: 64 to 127 of them
MAX_BIN_SLOPE = 3.0  # largest slope of ln(people) per bin
PAIRING_ERROR_SHARE = 0.5  # usual relative error of the correction that pairing makes to ranks


@dataclass(frozen=True, eq=False)
class ContributionDistribution:
    """Contribution distribution: people by norm and total, in the vector's unit; compared by identity, for caches."""

    norms: Floats  # L2 norm of one person's vector over the groups, rising
    totals: Floats  # contribution of the same person over all groups together
    people: Floats  # number of such people in one privacy window
    source: str  # source, for display
    bin_noise: float = 0.0  # standard deviation of the number of people read in a bin
    ranked_totals: Floats | None = None  # totals by ranks alone; None: equal to `totals`

    @property
    def total(self) -> float:
        """Sum of all contributions, in the vector's unit."""
        return float(self.totals @ self.people)

    @property
    def mean_norm(self) -> float:
        """Mean norm of a person."""
        return float(self.norms @ self.people) / float(self.people.sum())

    def with_longer_norms(self, factor: float) -> ContributionDistribution:
        """Return the same contributions in fewer groups: every norm is multiplied by a factor, totals are not."""
        return self if factor == 1 else replace(self, norms=self.norms * factor)

    def retained_shares(self, clip_bound: float) -> Floats:
        """Share of each person's contribution that clipping at a bound leaves."""
        return np.minimum(1.0, clip_bound / np.maximum(self.norms, 1e-300))

    def clipped_share(self, clip_bound: float) -> float:
        """Share of all contributions that clipping at a bound removes."""
        return float((self.totals * self.people) @ (1 - self.retained_shares(clip_bound))) / self.total

    def scaled(self, factor: float, people_factor: float = 1.0) -> ContributionDistribution:
        """Return the same distribution with every contribution, and the number of people, multiplied by a factor."""
        ranked = None if self.ranked_totals is None else self.ranked_totals * factor
        bin_noise = self.bin_noise * people_factor
        return ContributionDistribution(
            self.norms * factor, self.totals * factor, self.people * people_factor, self.source, bin_noise, ranked
        )

    def histogram_error(self, clip_bound: float) -> float:
        """Return the standard deviation, by histogram noise, of the share that clipping leaves, relative to it.

        Errors of bins are independent; those of bins hidden by noise, which are read as one tail, are fully
        correlated.
        """
        shares = self.retained_shares(clip_bound) / (1 - self.clipped_share(clip_bound)) - 1
        _, places = np.unique(np.floor(2 * np.log2(self.norms) + 1e-9), return_inverse=True)  # about one per bin
        people = np.bincount(places, self.people)
        mean_effects = np.bincount(places, self.people * self.totals * shares) / people
        is_hidden = TAIL_RELATIVE_ERROR * people < self.bin_noise
        visible_error = self.bin_noise * float(np.linalg.norm(mean_effects[~is_hidden]))
        return (
            math.hypot(visible_error, TAIL_RELATIVE_ERROR * float(people[is_hidden] @ mean_effects[is_hidden]))
            / self.total
        )

    def pairing_error(self, clip_bound: float) -> float:
        """Usual relative error of the share that clipping leaves, by pairing totals with the wrong norms."""
        if self.ranked_totals is None:
            return 0.0
        weights = self.people * self.ranked_totals
        by_rank = float(weights @ self.retained_shares(clip_bound)) / float(weights.sum())
        return PAIRING_ERROR_SHARE * abs(by_rank / (1 - self.clipped_share(clip_bound)) - 1)


@lru_cache(maxsize=256)
def contribution_distribution(
    keyed_histogram: ContributionHistogram, total_histogram: ContributionHistogram | None, groups: int | None = None
) -> ContributionDistribution | None:
    """Contribution distribution from a histogram by keys and one of the same contributions without keys.

    `groups` is an upper bound on the number of groups. None where no bin is significant. Proof:
    engine/pricing/proofs.md#contribution-distribution
    """
    counts_groups = keyed_histogram.subject.kind is Quantity.PERSONS
    people, squared = _people_by_squared_norm(keyed_histogram, groups if counts_groups else None)
    if people.sum() <= 0:
        return None
    norms = np.sqrt(squared) * keyed_histogram.subject.unit
    source = f"the calibration of {keyed_histogram.made_on:%Y-%m-%d}"
    if counts_groups:  # a person in g groups has norm sqrt(g) and total g
        return ContributionDistribution(norms, squared, people, source, keyed_histogram.sigma)
    ranked_people, squared_totals = (
        _people_by_squared_norm(total_histogram) if total_histogram is not None else (np.zeros(0), np.zeros(0))
    )
    if keyed_histogram is total_histogram or total_histogram is None or ranked_people.sum() <= 0:
        return ContributionDistribution(norms, norms, people, source, keyed_histogram.sigma)
    inputs = people, norms, ranked_people, np.sqrt(squared_totals) * total_histogram.subject.unit, groups
    totals = paired_totals(*inputs, counts_rows=keyed_histogram.subject.kind is Quantity.ROWS)
    # heavy people are read from both histograms, half from each
    noise = math.hypot(keyed_histogram.sigma, total_histogram.sigma) / 2
    return ContributionDistribution(norms, totals, people, source, noise, totals_by_rank(*inputs))


def _people_by_squared_norm(histogram: ContributionHistogram, max_squared: int | None = None) -> tuple[Floats, Floats]:
    """Spread the people of each bin over squared norms within it: integers where rows or groups are counted.

    Within a bin the density follows the slope between its neighbouring bins.
    """
    counts = denoised_people(histogram)
    occupied = [
        (float(count), *_points_in_bin(histogram, counts, bin_index, max_squared))
        for bin_index, count in enumerate(counts)
        if count > 0
    ]
    if not occupied:
        return np.zeros(0), np.zeros(0)
    people = np.concatenate([count * weights / weights.sum() for count, _, weights in occupied])
    squared = np.concatenate([points for _, points, _ in occupied])
    order = np.argsort(squared, kind="stable")
    return people[order], squared[order]


def _points_in_bin(
    histogram: ContributionHistogram, counts: Floats, bin_index: int, max_squared: int | None
) -> tuple[Floats, Floats]:
    """Squared norms in a bin, and the weights of people over them."""
    slope = _density_slope(counts, bin_index)
    points = _integer_squared_norms(histogram, histogram.subject.bins[bin_index])
    if max_squared is not None and len(points):
        points = points[points <= max_squared] if points[0] <= max_squared else np.array([float(max_squared)])
    if not len(points):
        points = np.exp2(histogram.subject.bins[bin_index] + (np.arange(POINTS_PER_BIN) + 0.5) / POINTS_PER_BIN)
    steps = np.gradient(np.log(points)) if len(points) > 1 else np.ones(1)
    return points, steps * (points / points[0]) ** slope


def _integer_squared_norms(histogram: ContributionHistogram, bin_number: int) -> Floats:
    """Possible squared norms of a low bin: integers for counts, squares for rows in one group; else none."""
    subject = histogram.subject
    if subject.column is not None:
        return np.zeros(0)
    if subject.kind is Quantity.ROWS and not subject.keys:
        low, high = (math.ceil(math.sqrt(2.0**end) - 1e-9) for end in (bin_number, bin_number + 1))
        return np.arange(low, high, dtype=np.float64) ** 2 if bin_number <= 2 * HIGHEST_INTEGER_BIN else np.zeros(0)
    return np.arange(2.0**bin_number, 2.0 ** (bin_number + 1)) if bin_number <= HIGHEST_INTEGER_BIN else np.zeros(0)


def _density_slope(counts: Floats, bin_index: int) -> float:
    """Slope of ln(people) over ln(squared norm) in a bin, from its neighbouring bins."""
    neighbours = [(counts[i], counts[i + 1]) for i in (bin_index - 1, bin_index) if i >= 0 and i + 1 < len(counts)]
    steps = [math.log(after / before) for before, after in neighbours if min(before, after) > 0]
    mean = sum(steps) / len(steps) if steps else 0.0
    return max(-MAX_BIN_SLOPE, min(MAX_BIN_SLOPE, mean)) / math.log(2)
