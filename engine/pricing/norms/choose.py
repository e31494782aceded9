"""Tuned clip bounds: the bound of least squared error for each vector, clipping bias and noise together.

Decided from public facts: the plan, the number of its keys, released histograms, the price
(`engine/pricing/proofs.md#choose_bounds`).

Bias correction: a number of which clipping leaves the share k is divided by k. The total is then unbiased; a group
whose people differ is left with another share, so public facts bound the remaining error of a corrected number
(`engine/pricing/proofs.md#correction`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from budgets import PICO
from dialect.sensitivity import ChosenNorm
from engine.pricing.norms.histograms import Measured
from engine.pricing.norms.means import MeanFacts, Narrowed
from engine.pricing.norms.spread import Spread

MOST_LOST = 0.5  # share of a total: beyond it, the correction itself would be most of the answer
MISREAD_PERSONS = 0.1  # relative error of the clipped share of persons, by histogram noise
MISREAD = 0.06  # cautious relative error of clipping unevenness, by the resolution of histogram bins
WITHIN_BINS = 0.005  # the same as usually found, used to choose clip bounds
UNTOLD = 0.1  # share of a squared norm within which a person's rows are indistinguishable from random ones
UNLIKE = 0.12  # difference between groups, relative to clipping unevenness, where people prefer some groups
OF_PERSONS = 0.3  # difference between groups, relative to the clipped share of persons, who count once in a group
ALIGNED = 0.4  # share of the largest joint effect of people's preferences, as if all preferred the same groups
UNEVEN = 1.0  # squared coefficient of variation of group sizes: about as large as their mean
DEVIATIONS = 3.0  # reported bound in standard deviations: covers 19 of 20 groups, as a few are far from the others


def usual_size(spread: Spread, groups: float) -> float:
    """Size of a usual group, in the vector's unit: the root mean square of group sizes."""
    return math.sqrt(1 + UNEVEN * (1 - 1 / groups)) * spread.total / groups


def off_by(spread: Spread, norm: float, groups: float, *, rows: bool, persons: bool, usually: bool = False) -> float:
    """Return the standard deviation of the error that bias correction leaves, as a share of a usual group.

    Claim: a function of public histograms, whose quality is measured and not proven. Symbols: people with norms r_i
    and totals t_i over G groups keep k_i = min(1, C/r_i), all together k; e_i = k_i/k - 1. Formula: the root of the
    sum of squares of four parts: by chance sum (r_i^2 - t_i^2/G) e_i^2 / G; differing groups and a misread bin, each
    in proportion to the root of sum t_i e_i^2 / sum t_i; noise in the histogram. `expected` = the expected error, with
    a smaller third part, instead of a cautious one. Raises nothing. Source and proof:
    engine/pricing/proofs.md#correction
    """
    lost = spread.lost(norm)
    kept = 1 - lost
    cut = np.abs(spread.kept(norm) / kept - 1)
    size = usual_size(spread, groups)
    uneven = np.maximum(0.0, spread.norms**2 - spread.totals**2 / groups)  # uneven part of each squared norm
    by_chance = math.sqrt(float(spread.people @ (uneven * cut**2)) / groups) / size
    if persons:  # a histogram of group counts does not show which groups people are in
        return math.hypot(by_chance, OF_PERSONS * lost / kept, MISREAD_PERSONS * lost / kept)
    unevenly = math.sqrt(float((spread.people * spread.totals) @ cut**2) / spread.total)
    drawn = spread.totals * (1 - 1 / groups) + UNTOLD * spread.norms**2 if rows else 0.0  # rows falling by chance
    preferring = float(spread.people @ (cut * np.sqrt(np.maximum(0.0, uneven - drawn) / groups))) / size
    unlike = min(UNLIKE * unevenly, ALIGNED * preferring)
    misread = math.hypot(WITHIN_BINS * unevenly, spread.mispaired(norm)) if usually else MISREAD * unevenly
    return math.hypot(by_chance, unlike, misread, spread.misread(norm))


STEPS = 4  # candidate clip bounds per doubling


@dataclass(frozen=True)
class Foreseen:
    """Expected error of one number at one clip bound, in its unit."""

    norm: float
    noise: float  # standard deviation
    bias: float  # expected bias of a usual group; at most 0
    off: float | None  # standard deviation of the error left by bias correction; None: uncorrected
    chosen: bool


@dataclass(frozen=True)
class NormFacts:
    """Clip-error model of one query vector: expected noise and clipping bias as a function of clip bound and price."""

    spread: Spread
    groups: float  # number of groups over which contributions are spread
    moved: float  # sensitivity of the vector, in clip bounds
    rows: bool  # is it a count of rows?
    persons: bool  # is it a count of persons?
    corrected: bool = False  # is the bias corrected? the histogram measures exactly these contributions
    mean: MeanFacts | None = None  # model of the average that the number is part of
    ratio: bool = False  # is it shown in averages only?
    follows: tuple[int, float] | None = None  # index of the vector whose clip bound it follows, and the factor
    measured: Measured | None = None  # subject of the histogram
    coarser: bool = False  # finer groups than measured: clipping bias is unknown

    def in_groups_of(self, size: float) -> NormFacts:
        """Return the same model for usual groups of another size, in the vector's unit."""
        groups = max(1.0, math.sqrt(1 + UNEVEN) * self.spread.total / size)
        return replace(self, groups=groups, mean=self.mean and replace(self.mean, groups=groups))

    def noise(self, norm: float, pico_rho: int) -> float:
        """Return the standard deviation of the noise of one number, in its unit, bias correction included."""
        return self.moved * norm / math.sqrt(2 * pico_rho / PICO) / self.kept(norm)

    def kept(self, norm: float) -> float:
        """Share of the total that clipping leaves, by which numbers are divided; 1 without bias correction."""
        lost = self.spread.lost(norm)
        return 1 - lost if self.corrected and lost <= MOST_LOST else 1.0

    def bias(self, norm: float) -> float:
        """Return the expected amount that clipping removes from a usual group, in the vector's unit."""
        return self.spread.lost(norm) * usual_size(self.spread, self.groups)

    def off(self, norm: float, *, usually: bool = False) -> float | None:
        """Return the standard deviation of the error left by bias correction; None if uncorrected.

        It is a share of a usual group. `expected` = the expected error instead of a cautious one.
        """
        if self.kept(norm) == 1:
            return None
        return off_by(self.spread, norm, self.groups, rows=self.rows, persons=self.persons, usually=usually)

    def error(self, norm: float, pico_rho: int) -> float:
        """Return the expected root mean squared error of a group, in its unit: noise and clipping error.

        Uncorrected bias has the same sign in every group and adds up, so it is taken at a usual, larger group; the
        error of a correction has either sign, so it is taken at a group of mean size.
        """
        off = self.off(norm, usually=True)
        wrong = self.bias(norm) if off is None else off * self.spread.total / self.groups
        return math.hypot(self.noise(norm, pico_rho), wrong)

    def norms(self) -> list[float]:
        """Candidate clip bounds: STEPS per doubling, rounded to integers where rows or groups are counted."""
        low, high = math.log2(self.spread.norms.min()), math.log2(self.spread.norms.max())
        tried = [2.0 ** (place / STEPS) for place in range(math.floor(low * STEPS), math.ceil(high * STEPS) + 1)]
        whole = self.rows or self.persons
        return sorted({max(1.0, float(round(norm))) for norm in tried}) if whole else tried


def choose_bounds(made: Sequence[NormFacts | None], pico_rhos: Sequence[int]) -> tuple[ChosenNorm | None, ...]:
    """Choose the clip bound of least expected error for each query vector at its price.

    Claim: the choice is a function of plan, catalog, released histograms and price. Symbols: C, people with norms r_i
    and totals t_i, G groups, s(C) noise, k(C) the share that clipping leaves, d(C) the error left by correcting with
    it, u = UNEVEN. Formula: least (1 + u) (sum t_i (1 - C/r_i)+ / G)^2 + s(C)^2, or d(C)^2 + s(C)^2 / k(C)^2 where the
    bias is corrected, over C = 2^(j/4), and of equally good ones the smallest; of averages by `means`. Raises nothing.
    Source and proof: engine/pricing/proofs.md#choose_bounds
    """
    return _all_chosen(tuple(made), tuple(pico_rhos))


@lru_cache(maxsize=1024)
def _all_chosen(made: tuple[NormFacts | None, ...], pico_rhos: tuple[int, ...]) -> tuple[ChosenNorm | None, ...]:
    """Return the cached choice: pricing, bounding and the release key each need it once."""
    chosen: dict[int, ChosenNorm] = {}
    for place, each in enumerate(made):
        if each is not None and each.follows is None:
            chosen[place] = _chosen(each, pico_rhos[place], _beside(place, made, pico_rhos))
    chosen |= dict(_following(made, chosen, pico_rhos))
    return tuple(chosen.get(place) for place in range(len(made)))


def _beside(place: int, made: Sequence[NormFacts | None], pico_rhos: Sequence[int]) -> int | None:
    """Smallest price among the sums whose clip bound follows a count's; None if there are none."""
    prices = [pico_rhos[i] for i, other in enumerate(made) if other and other.follows and other.follows[0] == place]
    return min(prices, default=None)


def _chosen(each: NormFacts, own: int, beside: int | None) -> ChosenNorm:
    told = each.spread.told
    if each.mean is not None and each.ratio and beside is not None:
        norm = each.mean.least(each.norms(), own, beside).norm
        return ChosenNorm(norm, None, f"chosen from {told} for an average at this price")
    norm = min(each.norms(), key=lambda norm: each.error(norm, own))
    off, kept = each.off(norm), each.kept(norm)
    if off is None:
        bias = None if each.coarser else -each.spread.lost(norm)
        return ChosenNorm(norm, bias, f"chosen from {told} for this price")
    why = f"chosen from {told} for this price, and what it is expected to cut away, {1 - kept:.1%}, is given back"
    return ChosenNorm(norm, 0.0, why, kept, DEVIATIONS * off)


def _following(
    made: Sequence[NormFacts | None], chosen: Mapping[int, ChosenNorm], pico_rhos: Sequence[int]
) -> Iterator[tuple[int, ChosenNorm]]:
    """Clip bounds of sums below averages: each follows from its count's bound, with the same bias correction."""
    for place, each in enumerate(made):
        if each is not None and each.follows is not None and each.mean is not None:
            leader, times = each.follows
            count = chosen[leader]
            found: Narrowed = each.mean.least([count.norm], pico_rhos[leader], pico_rhos[place])
            within = DEVIATIONS * each.mean.bias(count.norm, found.share) * times
            yield place, replace(count, norm=count.norm * found.share * times, bias_within=within)


def foreseen(each: NormFacts | None, norm: float, pico_rho: int) -> tuple[Foreseen, ...]:
    """Return the expected error at half the clip bound, at the bound and at its double; empty if it is not known."""
    if each is None or each.ratio or each.coarser or each.follows is not None:
        return ()
    half = max(1.0, float(round(norm / 2))) if each.rows or each.persons else norm / 2
    return tuple(_foreseen(each, at, pico_rho, chosen=at == norm) for at in dict.fromkeys([half, norm, 2 * norm]))


def _foreseen(each: NormFacts, at: float, pico_rho: int, *, chosen: bool) -> Foreseen:
    off = each.off(at)
    size = usual_size(each.spread, each.groups)
    return Foreseen(at, each.noise(at, pico_rho), -each.bias(at), None if off is None else off * size, chosen)
