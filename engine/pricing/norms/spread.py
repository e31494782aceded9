"""Contribution distribution: noisy histograms of norms, combined into norms and totals of people.

Post-processing alone. A histogram of norms by keys and one of totals are paired by rank: who has a large norm has a
large total, except that people with one norm differ in the number of their groups
(`engine/pricing/proofs.md#pairing`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from engine.pricing.norms.histograms import Histogram, Kind
from engine.pricing.norms.tails import CONTINUED, Floats, believed

DISPERSED = 0.24  # standard deviation of ln(total / norm) among people with one norm who choose their groups
KINDS = 7  # equally likely kinds of people with one norm, by factor on their mean total
TIMES = 2  # iterations fitting mean totals to the measured ones; a third changes little


def by_rank(people: Floats, norms: Floats, others: Floats, totals: Floats, groups: int | None) -> Floats:
    """Mean total of the people with each norm, by pairing ranks; norms and totals rise.

    `people` have `norms`, `ranked_people` have `totals`, `groups` is an upper bound on the number of groups: a total
    lies between the norm and sqrt(groups) times the norm.
    """
    return np.clip(_as_heavy(people, others, totals), norms, norms * _most(groups))


def paired(people: Floats, norms: Floats, others: Floats, totals: Floats, groups: int | None, *, rows: bool) -> Floats:
    """Mean total of the people with each norm, if people with one norm differ in their totals.

    Parameters as of `totals_by_rank`; `counts_rows` = rows are counted, which also fall into groups by chance. The
    result reproduces the measured distribution of totals.
    """
    ranked, most = by_rank(people, norms, others, totals, groups), _most(groups)
    factors = np.exp(np.outer(_differing(norms, ranked, groups, rows=rows), _standard()))
    factors /= factors.mean(axis=1, keepdims=True)
    means = ranked
    for _ in range(TIMES):
        each = np.clip(means[:, None] * factors, norms[:, None], (norms * most)[:, None])
        measured = _measured(each, people, others, totals)
        means = np.clip(means * measured / each.mean(axis=1), norms, norms * most)
    return np.clip(means * float(people @ ranked) / float(people @ means), norms, norms * most)


def _most(groups: int | None) -> float:
    return math.inf if groups is None else math.sqrt(groups)


def _standard() -> Floats:
    """Return the standard normal distribution, approximated by KINDS equally likely points."""
    places = np.array([NormalDist().inv_cdf((kind + 0.5) / KINDS) for kind in range(KINDS)])
    standard: Floats = places / places.std()
    return standard


def _as_heavy(people: Floats, others: Floats, totals: Floats) -> Floats:
    """Mean total of the people at the same ranks as each point."""
    places = np.concatenate([[0.0], np.cumsum(others) / others.sum()])
    amounts = np.concatenate([[0.0], np.cumsum(totals * others) / others.sum()])
    ends = np.concatenate([[0.0], np.cumsum(people) / people.sum()])
    up_to = np.interp(ends, places, amounts)
    means: Floats = np.diff(up_to) / np.maximum(np.diff(ends), math.ulp(1.0))
    return means


def _differing(norms: Floats, totals: Floats, groups: int | None, *, rows: bool) -> Floats:
    """Return the standard deviation of ln(total) among people with one norm, by how concentrated their groups are.

    Rows that fall by chance add t to the squared norm of a person with total t, people evenly in every group add t^2 /
    groups. It is at most ln(total / norm): people in one group each do not differ.
    """
    concentrated = norms**2 - (totals if rows else 0.0)
    everywhere = 0.0 if groups is None else totals**2 / groups
    alike = np.minimum(1.0, everywhere / np.maximum(concentrated, 1e-300))
    differing: Floats = np.minimum(DISPERSED * (1 - alike), np.log(totals / norms))
    return differing


def _measured(each: Floats, people: Floats, others: Floats, totals: Floats) -> Floats:
    """Mean measured total of the people at the ranks that each kind of people is assumed to have."""
    order = np.argsort(each, axis=None, kind="stable")
    found = np.empty(each.size)
    found[order] = _as_heavy(np.repeat(people / KINDS, KINDS)[order], others, totals)
    means: Floats = found.reshape(each.shape).mean(axis=1)
    return means


POINTS = 4  # points of a bin without integer norms: a quarter of a doubling of squared norms
LATTICE = 6  # highest bin whose integer squared norms are enumerated: 64 to 127 of them
STEEPEST = 3.0  # largest slope of ln(people) per bin
PAIRED_WITHIN = 0.5  # usual relative error of the correction that pairing makes to ranks


@dataclass(frozen=True, eq=False)
class Spread:
    """Contribution distribution: people by norm and total, in the vector's unit; compared by identity, for caches."""

    norms: Floats  # L2 norm of one person's vector over the groups, rising
    totals: Floats  # contribution of the same person over all groups together
    people: Floats  # number of such people in one privacy window
    told: str  # source, for display
    noise: float = 0.0  # standard deviation of the number of people read in a bin
    ranked: Floats | None = None  # totals by ranks alone; None: equal to `totals`

    @property
    def total(self) -> float:
        """Sum of all contributions, in the vector's unit."""
        return float(self.totals @ self.people)

    @property
    def length(self) -> float:
        """Mean norm of a person."""
        return float(self.norms @ self.people) / float(self.people.sum())

    def longer(self, factor: float) -> Spread:
        """Return the same contributions in fewer groups: every norm is multiplied by a factor, totals are not."""
        return self if factor == 1 else replace(self, norms=self.norms * factor)

    def kept(self, norm: float) -> Floats:
        """Share of each person's contribution that clipping at a bound leaves."""
        shares: Floats = np.minimum(1.0, norm / np.maximum(self.norms, 1e-300))
        return shares

    def lost(self, norm: float) -> float:
        """Share of all contributions that clipping at a bound removes."""
        return float((self.totals * self.people) @ (1 - self.kept(norm))) / self.total

    def times(self, factor: float, people: float = 1.0) -> Spread:
        """Return the same distribution with every contribution, and the number of people, multiplied by a factor."""
        ranked = None if self.ranked is None else self.ranked * factor
        noise = self.noise * people
        return Spread(self.norms * factor, self.totals * factor, self.people * people, self.told, noise, ranked)

    def misread(self, norm: float) -> float:
        """Return the standard deviation, by histogram noise, of the share that clipping leaves, relative to it.

        Errors of bins are independent; those of bins hidden by noise, which are read as one tail, are fully
        correlated.
        """
        shares = self.kept(norm) / (1 - self.lost(norm)) - 1
        _, places = np.unique(np.floor(2 * np.log2(self.norms) + 1e-9), return_inverse=True)  # about one per bin
        people = np.bincount(places, self.people)
        each = np.bincount(places, self.people * self.totals * shares) / people
        hidden = CONTINUED * people < self.noise
        seen = self.noise * float(np.linalg.norm(each[~hidden]))
        return math.hypot(seen, CONTINUED * float(people[hidden] @ each[hidden])) / self.total

    def mispaired(self, norm: float) -> float:
        """Usual relative error of the share that clipping leaves, by pairing totals with the wrong norms."""
        if self.ranked is None:
            return 0.0
        weights = self.people * self.ranked
        by_rank = float(weights @ self.kept(norm)) / float(weights.sum())
        return PAIRED_WITHIN * abs(by_rank / (1 - self.lost(norm)) - 1)


@lru_cache(maxsize=256)
def norm_spread(by_keys: Histogram, in_all: Histogram | None, groups: int | None = None) -> Spread | None:
    """Contribution distribution from a histogram by keys and one of the same contributions without keys.

    `groups` is an upper bound on the number of groups. None where no bin is significant. Proof:
    engine/pricing/proofs.md#contribution-distribution
    """
    of_groups = by_keys.measured.kind is Kind.PERSONS
    people, squared = _points(by_keys, groups if of_groups else None)
    if people.sum() <= 0:
        return None
    norms = np.sqrt(squared) * by_keys.measured.unit
    told = f"the calibration of {by_keys.made_on:%Y-%m-%d}"
    if of_groups:  # a person in g groups has norm sqrt(g) and total g
        return Spread(norms, squared, people, told, by_keys.sigma)
    others, squared_totals = _points(in_all) if in_all is not None else (np.zeros(0), np.zeros(0))
    if by_keys is in_all or in_all is None or others.sum() <= 0:
        return Spread(norms, norms, people, told, by_keys.sigma)
    measured = people, norms, others, np.sqrt(squared_totals) * in_all.measured.unit, groups
    totals = paired(*measured, rows=by_keys.measured.kind is Kind.ROWS)
    noise = math.hypot(by_keys.sigma, in_all.sigma) / 2  # heavy people are read from both histograms, half from each
    return Spread(norms, totals, people, told, noise, by_rank(*measured))


def _points(histogram: Histogram, most: int | None = None) -> tuple[Floats, Floats]:
    """Spread the people of each bin over squared norms within it: integers where rows or groups are counted.

    Within a bin the density follows the slope between its neighbouring bins.
    """
    counts = believed(histogram)
    held = [(float(count), *_in_bin(histogram, counts, place, most)) for place, count in enumerate(counts) if count > 0]
    if not held:
        return np.zeros(0), np.zeros(0)
    people = np.concatenate([count * weights / weights.sum() for count, _, weights in held])
    squared = np.concatenate([points for _, points, _ in held])
    order = np.argsort(squared, kind="stable")
    return people[order], squared[order]


def _in_bin(histogram: Histogram, counts: Floats, place: int, most: int | None) -> tuple[Floats, Floats]:
    """Squared norms in a bin, and the weights of people over them."""
    slope, points = _slope(counts, place), _whole(histogram, histogram.measured.bins[place])
    if most is not None and len(points):
        points = points[points <= most] if points[0] <= most else np.array([float(most)])
    if not len(points):
        points = np.exp2(histogram.measured.bins[place] + (np.arange(POINTS) + 0.5) / POINTS)
    steps = np.gradient(np.log(points)) if len(points) > 1 else np.ones(1)
    return points, steps * (points / points[0]) ** slope


def _whole(histogram: Histogram, place: int) -> Floats:
    """Possible squared norms of a low bin: integers for counts, squares for rows in one group; else none."""
    measured = histogram.measured
    if measured.column is not None:
        return np.zeros(0)
    if measured.kind is Kind.ROWS and not measured.keys:
        low, high = (math.ceil(math.sqrt(2.0**end) - 1e-9) for end in (place, place + 1))
        return np.arange(low, high, dtype=np.float64) ** 2 if place <= 2 * LATTICE else np.zeros(0)
    return np.arange(2.0**place, 2.0 ** (place + 1)) if place <= LATTICE else np.zeros(0)


def _slope(counts: Floats, place: int) -> float:
    """Slope of ln(people) over ln(squared norm) in a bin, from its neighbouring bins."""
    beside = [(counts[i], counts[i + 1]) for i in (place - 1, place) if i >= 0 and i + 1 < len(counts)]
    steps = [math.log(after / before) for before, after in beside if min(before, after) > 0]
    mean = sum(steps) / len(steps) if steps else 0.0
    return max(-STEEPEST, min(STEEPEST, mean)) / math.log(2)
