"""Tuned clip bounds: the bound of least squared error for each vector, clipping bias and noise together.

Decided from public facts: the plan, the number of its keys, released histograms, the price
(`engine/pricing/proofs.md#tune_clip_bounds`).

Bias correction: a number of which clipping leaves the share k is divided by k. The total is then unbiased; a group
whose people differ is left with another share, so public facts bound the remaining error of a corrected number
(`engine/pricing/proofs.md#correction`).

Terms:
    norm, total         L2 norm and sum of one person's contributions to the groups
    clip bound          C: contributions of norm above C are scaled down to C
    usual group         group of root-mean-square size: groups differ in size, and errors matter where numbers are large
    clipping unevenness how much the share that clipping leaves differs between people
    follows             the clip bound of a sum below an average is its count's, times a factor
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from budgets import PICO
from dialect.sensitivity import TunedClipBound
from engine.pricing.clip_bounds.distribution import ContributionDistribution
from engine.pricing.clip_bounds.histograms import HistogramSubject
from engine.pricing.clip_bounds.means import MeanClipBounds, MeanErrorModel

MAX_CORRECTED_SHARE = 0.5  # share of a total: beyond it, the correction itself would be most of the answer
PERSON_HISTOGRAM_ERROR = 0.1  # relative error of the clipped share of persons, by histogram noise
BIN_RESOLUTION_ERROR = 0.06  # cautious relative error of clipping unevenness, by the resolution of histogram bins
USUAL_BIN_RESOLUTION_ERROR = 0.005  # the same as usually found, used to choose clip bounds
RANDOMNESS_MARGIN = 0.1  # share of a squared norm within which a person's rows are indistinguishable from random ones
GROUP_DIFFERENCE = 0.12  # difference between groups, relative to clipping unevenness, where people prefer some groups
PERSON_GROUP_DIFFERENCE = (
    0.3  # difference between groups, relative to the clipped share of persons, who count once in a group
)
PREFERENCE_ALIGNMENT = (
    0.4  # share of the largest joint effect of people's preferences, as if all preferred the same groups
)
GROUP_SIZE_VARIATION = 1.0  # squared coefficient of variation of group sizes: about as large as their mean
BOUND_DEVIATIONS = (
    3.0  # reported bound in standard deviations: covers 19 of 20 groups, as a few are far from the others
)


def usual_group_size(distribution: ContributionDistribution, groups: float) -> float:
    """Size of a usual group, in the vector's unit: the root mean square of group sizes."""
    return math.sqrt(1 + GROUP_SIZE_VARIATION * (1 - 1 / groups)) * distribution.total / groups


def correction_error(
    distribution: ContributionDistribution,
    clip_bound: float,
    groups: float,
    *,
    counts_rows: bool,
    counts_persons: bool,
    expected: bool = False,
) -> float:
    """Return the standard deviation of the error that bias correction leaves, as a share of a usual group.

    Claim: a function of public histograms, whose quality is measured and not proven. Symbols: people with norms r_i
    and totals t_i over G groups keep k_i = min(1, C/r_i), all together k; e_i = k_i/k - 1. Formula: the root of the
    sum of squares of four parts: by chance sum (r_i^2 - t_i^2/G) e_i^2 / G; differing groups and a misread bin, each
    in proportion to the root of sum t_i e_i^2 / sum t_i; noise in the histogram. `expected` = the expected error, with
    a smaller third part, instead of a cautious one. Raises nothing. Source and proof:
    engine/pricing/proofs.md#correction
    """
    clipped = distribution.clipped_share(clip_bound)
    retained = 1 - clipped
    clipping = np.abs(distribution.retained_shares(clip_bound) / retained - 1)
    size = usual_group_size(distribution, groups)
    # uneven part of each squared norm
    uneven_squares = np.maximum(0.0, distribution.norms**2 - distribution.totals**2 / groups)
    by_chance = math.sqrt(float(distribution.people @ (uneven_squares * clipping**2)) / groups) / size
    if counts_persons:  # a histogram of group counts does not show which groups people are in
        return math.hypot(
            by_chance, PERSON_GROUP_DIFFERENCE * clipped / retained, PERSON_HISTOGRAM_ERROR * clipped / retained
        )
    unevenness = math.sqrt(float((distribution.people * distribution.totals) @ clipping**2) / distribution.total)
    # rows falling by chance
    random = distribution.totals * (1 - 1 / groups) + RANDOMNESS_MARGIN * distribution.norms**2 if counts_rows else 0.0
    preferences = (
        float(distribution.people @ (clipping * np.sqrt(np.maximum(0.0, uneven_squares - random) / groups))) / size
    )
    group_difference = min(GROUP_DIFFERENCE * unevenness, PREFERENCE_ALIGNMENT * preferences)
    histogram_error = (
        math.hypot(USUAL_BIN_RESOLUTION_ERROR * unevenness, distribution.pairing_error(clip_bound))
        if expected
        else BIN_RESOLUTION_ERROR * unevenness
    )
    return math.hypot(by_chance, group_difference, histogram_error, distribution.histogram_error(clip_bound))


BOUNDS_PER_DOUBLING = 4  # candidate clip bounds per doubling


@dataclass(frozen=True)
class ClipBoundOutcome:
    """Expected error of one number at one clip bound, in its unit."""

    norm: float  # clip bound C
    noise: float  # standard deviation
    bias: float  # expected bias of a usual group; at most 0
    off: float | None  # standard deviation of the error left by bias correction; None: uncorrected
    chosen: bool


@dataclass(frozen=True)
class ClipErrorModel:
    """Clip-error model of one query vector: expected noise and clipping bias as a function of clip bound and price."""

    distribution: ContributionDistribution
    groups: float  # number of groups over which contributions are spread
    sensitivity: float  # sensitivity of the vector, in clip bounds
    counts_rows: bool  # is it a count of rows?
    counts_persons: bool  # is it a count of persons?
    is_corrected: bool = False  # is the bias corrected? the histogram measures exactly these contributions
    mean_model: MeanErrorModel | None = None  # model of the average that the number is part of
    is_ratio_only: bool = False  # is it shown in averages only?
    follows_vector: tuple[int, float] | None = None  # index of the vector whose clip bound it follows, and the factor
    subject: HistogramSubject | None = None  # subject of the histogram
    is_coarser_measured: bool = False  # finer groups than measured: clipping bias is unknown
    is_exact: bool = False  # does the histogram measure exactly these contributions?

    def with_group_size(self, size: float) -> ClipErrorModel:
        """Return the same model for usual groups of another size, in the vector's unit."""
        groups = max(1.0, math.sqrt(1 + GROUP_SIZE_VARIATION) * self.distribution.total / size)
        return replace(self, groups=groups, mean_model=self.mean_model and replace(self.mean_model, groups=groups))

    def noise_deviation(self, clip_bound: float, pico_rho: int) -> float:
        """Return the standard deviation of the noise of one number, in its unit, bias correction included."""
        return self.sensitivity * clip_bound / math.sqrt(2 * pico_rho / PICO) / self.retained_share(clip_bound)

    def retained_share(self, clip_bound: float) -> float:
        """Share of the total that clipping leaves, by which numbers are divided; 1 without bias correction."""
        clipped = self.distribution.clipped_share(clip_bound)
        return 1 - clipped if self.is_corrected and clipped <= MAX_CORRECTED_SHARE else 1.0

    def clipping_bias(self, clip_bound: float) -> float:
        """Return the expected amount that clipping removes from a usual group, in the vector's unit."""
        return self.distribution.clipped_share(clip_bound) * usual_group_size(self.distribution, self.groups)

    def correction_error(self, clip_bound: float, *, expected: bool = False) -> float | None:
        """Return the standard deviation of the error left by bias correction; None if uncorrected.

        It is a share of a usual group. `expected` = the expected error instead of a cautious one.
        """
        if self.retained_share(clip_bound) == 1:
            return None
        return correction_error(
            self.distribution,
            clip_bound,
            self.groups,
            counts_rows=self.counts_rows,
            counts_persons=self.counts_persons,
            expected=expected,
        )

    def expected_error(self, clip_bound: float, pico_rho: int) -> float:
        """Return the expected root mean squared error of a group, in its unit: noise and clipping error.

        Uncorrected bias has the same sign in every group and adds up, so it is taken at a usual, larger group; the
        error of a correction has either sign, so it is taken at a group of mean size.
        """
        correction = self.correction_error(clip_bound, expected=True)
        clipping_error = (
            self.clipping_bias(clip_bound) if correction is None else correction * self.distribution.total / self.groups
        )
        return math.hypot(self.noise_deviation(clip_bound, pico_rho), clipping_error)

    def candidate_bounds(self) -> list[float]:
        """Candidate clip bounds: BOUNDS_PER_DOUBLING of them, rounded to integers where rows or groups are counted."""
        low, high = math.log2(self.distribution.norms.min()), math.log2(self.distribution.norms.max())
        candidates = [
            2.0 ** (step / BOUNDS_PER_DOUBLING)
            for step in range(math.floor(low * BOUNDS_PER_DOUBLING), math.ceil(high * BOUNDS_PER_DOUBLING) + 1)
        ]
        is_integer = self.counts_rows or self.counts_persons
        return sorted({max(1.0, float(round(candidate))) for candidate in candidates}) if is_integer else candidates


def tune_clip_bounds(
    models: Sequence[ClipErrorModel | None], pico_rhos: Sequence[int]
) -> tuple[TunedClipBound | None, ...]:
    """Choose the clip bound of least expected error for each query vector at its price.

    Claim: the choice is a function of plan, catalog, released histograms and price. Symbols: C, people with norms r_i
    and totals t_i, G groups, s(C) noise, k(C) the share that clipping leaves, d(C) the error left by correcting with
    it, u = GROUP_SIZE_VARIATION. Formula: least (1 + u) (sum t_i (1 - C/r_i)+ / G)^2 + s(C)^2, or d(C)^2 + s(C)^2 /
    k(C)^2 where the bias is corrected, over C = 2^(j/4), and of equally good ones the smallest; of averages by module
    `means`. Raises nothing. Source and proof: engine/pricing/proofs.md#tune_clip_bounds
    """
    return _tuned(tuple(models), tuple(pico_rhos))


@lru_cache(maxsize=1024)
def _tuned(models: tuple[ClipErrorModel | None, ...], pico_rhos: tuple[int, ...]) -> tuple[TunedClipBound | None, ...]:
    """Compute `tune_clip_bounds`, cached: pricing, bounding and the release key each need it once.

    Sums below averages come last, since their bounds follow from the chosen bounds of their counts.
    """
    chosen: dict[int, TunedClipBound] = {}
    for index, model in enumerate(models):
        if model is not None and model.follows_vector is None:
            chosen[index] = _tune_one(model, pico_rhos[index], _least_following_price(index, models, pico_rhos))
    chosen |= dict(_following_bounds(models, chosen, pico_rhos))
    return tuple(chosen.get(index) for index in range(len(models)))


def _least_following_price(index: int, models: Sequence[ClipErrorModel | None], pico_rhos: Sequence[int]) -> int | None:
    """Smallest price among the sums whose clip bound follows a count's; None if there are none."""
    prices = [
        pico_rhos[i]
        for i, other in enumerate(models)
        # follows_vector = (index of the count, factor)
        if other and other.follows_vector and other.follows_vector[0] == index
    ]
    return min(prices, default=None)


def _tune_one(model: ClipErrorModel, own_price: int, sum_price: int | None) -> TunedClipBound:
    """Tuned clip bound of a vector that follows no other, with its bias and the reason in words.

    `sum_price` = smallest price of the sums that follow it; None: none does. A count that is shown in averages only is
    tuned for the average. Without correction the bias is the share removed, unknown for finer groups than measured.
    """
    source = model.distribution.source
    if model.mean_model is not None and model.is_ratio_only and sum_price is not None:
        clip_bound = model.mean_model.tune(model.candidate_bounds(), own_price, sum_price).count_bound
        return TunedClipBound(clip_bound, None, f"chosen from {source} for an average at this price")
    clip_bound = min(model.candidate_bounds(), key=lambda clip_bound: model.expected_error(clip_bound, own_price))
    correction, retained = model.correction_error(clip_bound), model.retained_share(clip_bound)
    if correction is None:
        bias = None if model.is_coarser_measured else -model.distribution.clipped_share(clip_bound)
        return TunedClipBound(clip_bound, bias, f"chosen from {source} for this price")
    reason = (
        f"chosen from {source} for this price, and what it is expected to cut away, {1 - retained:.1%}, is given back"
    )
    return TunedClipBound(clip_bound, 0.0, reason, retained, BOUND_DEVIATIONS * correction)


def _following_bounds(
    models: Sequence[ClipErrorModel | None], chosen: Mapping[int, TunedClipBound], pico_rhos: Sequence[int]
) -> Iterator[tuple[int, TunedClipBound]]:
    """Clip bounds of sums below averages: each follows from its count's bound, with the same bias correction."""
    for index, model in enumerate(models):
        if model is not None and model.follows_vector is not None and model.mean_model is not None:
            # leader = index of the count
            leader, factor = model.follows_vector
            count = chosen[leader]
            narrowed: MeanClipBounds = model.mean_model.tune([count.clip_bound], pico_rhos[leader], pico_rhos[index])
            bias_bound = (
                BOUND_DEVIATIONS * model.mean_model.clipping_bias(count.clip_bound, narrowed.sum_bound_share) * factor
            )
            yield (
                index,
                replace(
                    count,
                    clip_bound=count.clip_bound * narrowed.sum_bound_share * factor,
                    residual_bias_bound=bias_bound,
                ),
            )


def clip_bound_outcomes(model: ClipErrorModel | None, clip_bound: float, pico_rho: int) -> tuple[ClipBoundOutcome, ...]:
    """Return the expected error at half the clip bound, at the bound and at its double; empty if it is not known."""
    if model is None or model.is_ratio_only or model.is_coarser_measured or model.follows_vector is not None:
        return ()
    half_bound = max(1.0, float(round(clip_bound / 2))) if model.counts_rows or model.counts_persons else clip_bound / 2
    return tuple(
        _outcome(model, candidate, pico_rho, chosen=candidate == clip_bound)
        for candidate in dict.fromkeys([half_bound, clip_bound, 2 * clip_bound])
    )


def _outcome(model: ClipErrorModel, clip_bound: float, pico_rho: int, *, chosen: bool) -> ClipBoundOutcome:
    """Compute the expected error of a usual group at one clip bound."""
    correction = model.correction_error(clip_bound)
    size = usual_group_size(model.distribution, model.groups)
    return ClipBoundOutcome(
        clip_bound,
        model.noise_deviation(clip_bound, pico_rho),
        -model.clipping_bias(clip_bound),
        None if correction is None else correction * size,
        chosen,
    )
