"""plan + asked loss -> what each vector costs, and how wide its noise is (`proofs.md#price`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from budgets import Loss
from dialect import Bounding, Code, PrivatePlan, Refusal
from engine.noise import gaussian_scale
from engine.split import Parts, evenly, shares
from engine.thresholds import threshold


@dataclass(frozen=True)
class VectorPrice:
    """The share and the noise of one vector."""

    pico_rho: int
    sigma: float  # scale of the discrete Gaussian, in released grains


@dataclass(frozen=True)
class Cost:
    """What one release costs, and what that buys."""

    loss: Loss
    vectors: tuple[VectorPrice, ...]
    threshold: int | None  # noisy grains of persons that a private key must reach
    threshold_persons: int | None  # the same in persons, rounded up
    max_groups: int | None


def price(plan: PrivatePlan, bounds: Bounding, rho: Fraction, delta: Fraction, parts: Parts = ()) -> Cost:
    """Split a loss over a plan's vectors, evenly without `parts`, and find their scales.

    Claim: releasing every vector with its scale is (sum of pico_rho * 10^-12)-zCDP, plus `delta` for private keys.
    Symbols: `rho`, `delta` = what the whole release may cost; the shares are rounded down, the charge is the whole.
    Formula: rho = sum of s_i^2 / (2 sigma_i^2) over vectors with sensitivity s_i.
    Source: Bun and Steinke, arXiv 1605.02065, Lemma 1.7 (composition); proofs.md#price.
    Raises: Refusal where a share is below one pico-rho.
    """
    max_groups = bounds.max_groups if plan.key_set is None else None  # only private keys cost delta
    loss = Loss.of(rho, delta if max_groups is not None else Fraction(0))
    own = shares(parts or evenly(plan.vectors), loss.pico_rho)
    if min(own) < 1:
        raise Refusal(Code.PARAM, f"This rho is too little for {len(plan.vectors)} noisy numbers.", "rho = 0.005")
    pairs = zip(own, bounds.vectors, strict=True)
    prices = tuple(VectorPrice(share, gaussian_scale(bound.sensitivity, share)) for share, bound in pairs)
    if max_groups is None:
        return Cost(loss, prices, None, None, None)
    place = key_vector(plan)
    person = 1 << bounds.vectors[place].fraction_bits  # grains that one person counts
    limit = threshold(prices[place].sigma, max_groups, loss.atto_delta) - 1 + person
    return Cost(loss, prices, limit, -(-limit // person), max_groups)


def key_vector(plan: PrivatePlan) -> int:
    """Find the plain count of persons among a plan's vectors; plans with private keys always have it."""
    return next(i for i, vector in enumerate(plan.vectors) if vector.decides_keys)
