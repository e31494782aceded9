"""Cost of a release: the share of rho and the noise scale of each query vector (`proofs.md#price`).

The price is split by the columns computed from the vectors (`proofs.md#split`): a column that is one vector (count,
sum) weighs as much as another. A mean uses two; its sum gets more than its count, whose noise moves the mean only by
the distance between mean and public centre.

Terms:
    share      part of the release's rho that one query vector gets, in pico-rho (10^-12)
    grain      unit of the integers in which a vector is released, as a fraction of the vector's unit
    weight     of a person in a group, for partition selection: about 1/sqrt(k) if the person is in k groups
    threshold  least noisy sum of weights at which a private key is released
    round      of partition selection: in the second one people spread their weight over promising keys alone
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

from budgets import PICO, Loss
from dialect import ContributionBounds, PrivatePlan, Question
from dialect.algebra import CountOf, Formula, MeanOf, MomentsOf, SumOf, VectorBound
from dialect.codegen import max_weight
from engine.errors import EngineKind
from engine.mechanism.gaussian import gaussian_scale
from engine.mechanism.thresholds import person_threshold

ASSUMED_MEAN_OFFSET = (
    0.5  # assumed distance of a group's mean from the centre, in ratios of the clip bounds of sum and count
)
MAX_PARTS = 64  # parts of the vector with the largest share
MIN_PARTS = 4  # parts of a vector that is in no shown number

PriceParts = tuple[int, ...]  # of a plan's vectors; with private keys partition selection comes last


def split_prices(question: Question) -> tuple[PriceParts, ...]:
    """Split the price of every release of a query among its vectors.

    Claim: of all splits this one minimizes the sum, over shown numbers, of variance over the least variance that the
    number could have alone. Symbols: number j is moved by sum_i a_ji Z_i, with Z_i the noise of vector i in units of
    its C_i. Formula: shares in proportion to the root of W_i = sum_j a_ji^2 / (sum_i a_ji)^2. Source and proof:
    proofs.md#split. Raises nothing.
    """
    weights = [[0.0] * len(plan.vectors) for plan in question.plans]
    shown = dict.fromkeys((each.plan_index, output.formula) for each in question.releases for output in each.outputs)
    for plan, formula in shown:  # a number shown twice counts once
        coefficients = _noise_coefficients(formula)
        total = sum(coefficients.values())
        for vector, coefficient in coefficients.items():
            weights[plan][vector] += (coefficient / total) ** 2
    pairs = zip(question.plans, weights, strict=True)
    # with private keys partition selection weighs as much as one shown number
    return tuple(_price_parts([*own, *([1.0] if each_plan.key_set is None else [])]) for each_plan, own in pairs)


def split_price(parts: PriceParts, pico_rho: int) -> tuple[int, ...]:
    """Split a price in the given proportions, in whole pico-rho, rounded down."""
    return tuple(pico_rho * part // sum(parts) for part in parts)


def equal_parts(vectors: Sequence[object], has_selection: bool) -> PriceParts:
    """Equal proportions for all query vectors, and for partition selection if keys are private."""
    return (1,) * (len(vectors) + has_selection)


def _noise_coefficients(formula: Formula) -> Mapping[int, float]:
    """Coefficient of each vector's noise (in units of its clip bound C) in a shown number, up to a common factor."""
    if isinstance(formula, CountOf | SumOf):
        return {formula.vector: 1.0}
    if isinstance(formula, MeanOf):
        return {formula.centred_sum: 1.0, formula.count: ASSUMED_MEAN_OFFSET}
    if isinstance(formula, MomentsOf):
        return dict.fromkeys(formula.vectors, ASSUMED_MEAN_OFFSET) | dict.fromkeys(formula.products, 1.0)
    return {0: 1.0}  # quantiles: their one histogram


def _price_parts(weights: Sequence[float]) -> PriceParts:
    """Whole proportions of a price from weights, in proportion to their roots; a vector of weight 0 gets MIN_PARTS.

    It is in no shown number, yet is released with the others and needs some of the price.
    """
    largest = max(weights) or 1.0
    return tuple(max(MIN_PARTS, round(MAX_PARTS * math.sqrt(weight / largest))) for weight in weights)


ROUND_PARTS = (2, 3)  # of the price of partition selection, and of the noisy weights in their sum
ScaleFunction = Callable[[int, int], float]  # (sensitivity, pico_rho) -> noise scale, in grains


@dataclass(frozen=True)
class CorrelatedPrice:
    """Price of a vector with correlated noise: that of its centred vector, and that of the number of units."""

    centred: VectorPrice
    units: VectorPrice


@dataclass(frozen=True)
class VectorPrice:
    """Share of the price and noise scale of one query vector."""

    pico_rho: int
    sigma: float  # scale of one number's noise, in released grains: of the discrete Gaussian, or of the sum of two
    correlated: CorrelatedPrice | None = field(default=None, repr=False)  # None: independent noise

    def shared_sigma(self, bound: VectorBound) -> float:
        """Scale of the part of the noise that all groups share, in released grains; 0 for independent noise."""
        return 0.0 if self.correlated is None else self.correlated.units.sigma * bound.half_person

    def deviation(self, bound: VectorBound) -> float:
        """Sigma: the standard deviation of the noise of one number, in the vector's unit."""
        return self.sigma * bound.grain_size


@dataclass(frozen=True)
class SecondRound:
    """Second round of partition selection: its price, and the threshold of the sum of both noisy weights."""

    price: VectorPrice
    threshold: int  # of the weighted sum of the noisy weights (ROUND_PARTS), in grains


@dataclass(frozen=True)
class Cost:
    """Privacy loss of one release, with the noise scales and the key threshold that it buys."""

    loss: Loss
    vectors: tuple[VectorPrice, ...]
    keys: VectorPrice | None  # price of partition selection, of its first round; None: public keys
    threshold: int | None  # threshold of noisy weight for a private key, in grains, in the first round
    threshold_persons: int | None  # the last threshold in persons who are in no other group, rounded up
    max_groups: int | None  # limit on the groups per person (L0) with private keys; None: public keys
    second: SecondRound | None = field(default=None, repr=False)  # None: one group per person, or public keys

    @property
    def keys_pico_rho(self) -> int:
        """Price of partition selection, in pico-rho; 0 with public keys."""
        second = 0 if self.second is None else self.second.price.pico_rho
        return second + (0 if self.keys is None else self.keys.pico_rho)


def price(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    rho: Fraction,
    delta: Fraction,
    parts: PriceParts = (),
    selection_bounds: ContributionBounds | None = None,
) -> Cost:
    """Split a privacy loss over query vectors and partition selection, and compute their noise scales.

    Claim: releasing every vector with its scale is (sum of pico_rho * 10^-12)-zCDP, plus `delta` for private keys.
    Symbols: `rho`, `delta` = loss of the whole release; `parts` = proportions, equal by default. Shares are rounded
    down, the whole loss is charged.
    Formula: rho = sum of s_i^2 / (2 sigma_i^2) over vectors with sensitivity s_i.
    Source: Bun and Steinke, arXiv 1605.02065, Lemma 1.7 (composition); proofs.md#price.
    Raises: Refusal where a share is below one pico-rho.
    """
    loss = Loss.rounded_up(rho, Fraction(0) if selection_bounds is None else delta)
    share_list = split_price(parts or equal_parts(plan.vectors, selection_bounds is not None), loss.pico_rho)
    if min(share_list) < 1 + bool(bounds.centred_vectors):  # correlated noise needs two parts
        raise EngineKind.RHO_TOO_SMALL_FOR_NUMBERS.at(count=len(share_list))
    pairs = zip(share_list[: len(plan.vectors)], bounds.vectors, strict=True)
    prices = tuple(vector_price(bound, share) for share, bound in pairs)
    if selection_bounds is None:
        return Cost(loss, prices, None, None, None, None)
    return _with_selection(Cost(loss, prices, None, None, None, None), selection_bounds, share_list[len(plan.vectors)])


def _with_selection(cost: Cost, bounds: ContributionBounds, pico_rho: int) -> Cost:
    """Add the price of partition selection and its thresholds: two rounds where people are in several groups.

    Claim: keys that a person alone brings are released with probability at most delta. Symbols: Z1, Z2 = noise of both
    rounds; W = one person, in grains; parts a and b of price and sum. Formula: half of delta for the first threshold;
    the second one is least with P[a Z1 + b Z2 >= threshold - (a + b) W] for max_groups keys below the other half.
    Source and proof: proofs.md#two-rounds. Raises nothing.
    """
    assert bounds.max_groups is not None  # noqa: S101  private keys have an L0 bound
    max_groups, sensitivity, delta = bounds.max_groups, bounds.vectors[0].sensitivity, cost.loss.atto_delta
    person_weight = 1 << bounds.vectors[0].fraction_bits  # weight of a person in a single group, in grains
    if max_groups == 1 or min(pico_rho, delta) < 2:
        keys = VectorPrice(pico_rho, gaussian_scale(sensitivity, pico_rho))
        threshold = _threshold_weight(bounds, max_groups, keys.sigma, delta)
        return replace(
            cost, keys=keys, threshold=threshold, threshold_persons=-(-threshold // person_weight),
            max_groups=max_groups,
        )  # fmt: skip
    first, second = ROUND_PARTS
    first_price = max(1, pico_rho * first // (first + second))
    keys, again = (
        VectorPrice(each, gaussian_scale(sensitivity, each)) for each in (first_price, pico_rho - first_price)
    )
    threshold = _threshold_weight(bounds, max_groups, keys.sigma, delta // 2)
    both = math.hypot(first * keys.sigma, second * again.sigma)
    margin = person_threshold(both, max_groups, delta - delta // 2) - 1 + first + second
    of_sum = margin + (first + second) * person_weight
    persons = -(-of_sum // ((first + second) * person_weight))
    return replace(
        cost, keys=keys, threshold=threshold, threshold_persons=persons, max_groups=max_groups,
        second=SecondRound(again, of_sum),
    )  # fmt: skip


def vector_price(bound: VectorBound, pico_rho: int, scale: ScaleFunction = gaussian_scale) -> VectorPrice:
    """Price of one query vector, with the noise scale that it buys: `scale` of (sensitivity, pico-rho)."""
    if bound.is_correlated:
        return correlated_price(bound, pico_rho, scale)
    return VectorPrice(pico_rho, scale(bound.sensitivity, pico_rho))


def correlated_price(bound: VectorBound, pico_rho: int, scale: ScaleFunction = gaussian_scale) -> VectorPrice:
    """Split the price of a vector with correlated noise between its centred vector and the number of units.

    Claim: both together are (pico_rho * 10^-12)-zCDP, from 2 pico-rho on, and no other split gives one number less
    noise, up to rounding.
    Symbols: S = sensitivity of the centred vector, h = half a person, both in grains; 1 = that of the number of units.
    Formula: shares S : h; sigma^2 = S^2 / (2 rho_y) + h^2 / (2 rho_n) = (S + h)^2 / (2 rho).
    Source and proof: proofs.md#correlated_price. Raises: ValueError below 1 pico-rho.
    """
    half = bound.half_person
    of_units = max(1, pico_rho * half // (bound.sensitivity + half))
    of_centred = max(1, pico_rho - of_units)
    units = VectorPrice(of_units, scale(1, of_units))
    centred = VectorPrice(of_centred, scale(bound.sensitivity, of_centred))
    return VectorPrice(pico_rho, math.hypot(centred.sigma, half * units.sigma), CorrelatedPrice(centred, units))


def approximate_threshold(selection_bounds: ContributionBounds, pico_rho: int, delta: Fraction) -> float:
    """Approximate threshold of private keys at a price of partition selection, in persons, by a normal tail.

    `delta` is divided among the groups of one person (union bound), each of which the normal tail may pass by noise
    alone.
    """
    sigma = 1 / math.sqrt(2 * pico_rho / PICO)
    # not of 1 - 1e-17, which is 1
    return 1 - sigma * NormalDist().inv_cdf(float(delta) / (selection_bounds.max_groups or 1))


@lru_cache(maxsize=4096)
def _threshold_weight(selection_bounds: ContributionBounds, max_groups: int, sigma: float, atto_delta: int) -> int:
    """Threshold in grains of weight that covers a person who is alone in 1, 2, ... or all of their groups.

    Claim: it is the largest of the thresholds that each number of groups needs. Formula: for k in a..b none is larger
    than the weight at a plus the threshold at b; an interval whose upper estimate is not above the maximum found so far
    is skipped. Source and proof: proofs.md#partition-selection. Raises: nothing.
    """

    def upper_estimate(fewest: int, groups: int) -> int:
        """Upper estimate of the threshold for `fewest` to `groups` groups of a person; exact if both are equal.

        A person's weight falls with the number of groups, and the noise margin grows: so the weight of the fewest
        groups plus the margin of the most is at least the threshold of each number between.
        """
        return max_weight(fewest, selection_bounds) - 1 + person_threshold(sigma, groups, atto_delta)

    largest, intervals = max(upper_estimate(1, 1), upper_estimate(max_groups, max_groups)), [(1, max_groups)]
    while intervals:
        fewest, groups = intervals.pop()
        if upper_estimate(fewest, groups) > largest:
            middle = (fewest + groups) // 2
            largest = max(largest, upper_estimate(middle, middle))
            intervals += [(fewest, middle), (middle + 1, groups)] if fewest < groups else []
    return largest
