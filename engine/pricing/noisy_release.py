"""Noisy release: every exact vector gets its noise, and private keys are shown that pass their threshold.

A vector with correlated noise is two measurements with independent noise (`dialect.sensitivity.bounding`): its
centred vector, and the number of units, which follows the vectors in the exact result.

Proof: `engine/mechanism/proofs.md#correlated`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dialect import ContributionBounds
from engine.backends.exact import Exact, Int64Vector
from engine.mechanism.gaussian import NoiseSource, NoisyVector
from engine.mechanism.release import Release, ReleaseDescription, centred_sum
from engine.pricing.price import ROUND_PARTS, Cost, VectorPrice

PROMISING_DEVIATIONS = 2.0  # standard deviations of the first round's noise


def noisy_release(
    exact: Exact,
    bounds: ContributionBounds,
    cost: Cost,
    add_noise: NoiseSource,
    meaning: ReleaseDescription | None = None,
) -> Release:
    """Add noise to the exact vectors of a release.

    Claim: the release is as private as its cost says, for neighbours whose vectors differ by at most the sensitivities
    of their bounds, and whose numbers of units differ by at most 1. Raises: NoiseRefused; ValueError if there are more
    groups than a centred vector's sensitivity allows. Proof: engine/mechanism/proofs.md#correlated
    """

    def measured(vector: Int64Vector, sensitivity: int, price: VectorPrice) -> NoisyVector:
        """Noisy vector at its price."""
        return add_noise(vector, sensitivity, price.sigma, price.pico_rho)

    noisy: list[NoisyVector] = []
    unit_counts: list[NoisyVector | None] = []
    for vector, bound, price in zip(exact.vectors, bounds.vectors, cost.vectors, strict=not bounds.centred_vectors):
        if price.correlated is None:
            noisy.append(measured(vector, bound.sensitivity, price))
            unit_counts.append(None)
            continue
        if vector.size * bound.half_person**2 > bound.sensitivity**2:
            raise ValueError("more groups than were counted")
        units = measured(exact.vectors[-1][:1], 1, price.correlated.units)
        centred = measured(vector, bound.sensitivity, price.correlated.centred)
        noisy.append(centred_sum(centred, units, bound.grain_size))
        unit_counts.append(units)
    pairs = list(zip(bounds.vectors, cost.vectors, strict=True))
    grains, sigmas = (bound.grain_size for bound in bounds.vectors), (price.sigma for price in cost.vectors)
    if not bounds.centred_vectors:
        return Release(exact.keys, tuple(noisy), tuple(grains), tuple(sigmas), meaning)
    shared = tuple(price.shared_sigma(bound) for bound, price in pairs)
    return Release(
        exact.keys, tuple(noisy), tuple(grains), tuple(sigmas), meaning,
        unit_counts=tuple(unit_counts), shared_sigmas=shared,
    )  # fmt: skip


def passes_threshold(noisy_weights: NoisyVector, cost: Cost) -> npt.NDArray[np.bool_]:
    """Mark the private keys that pass: noisy weight >= threshold, both in grains (proofs.md#partition-selection)."""
    assert cost.threshold is not None  # noqa: S101  called for private keys only
    return noisy_weights >= cost.threshold


def is_promising(noisy_weights: NoisyVector, cost: Cost) -> npt.NDArray[np.bool_]:
    """Mark the keys of the second round: not released by the first one, and not hopeless by its noisy weights.

    With PROMISING_DEVIATIONS more, the sum of both rounds would pass at the same weight.
    """
    assert cost.second is not None and cost.keys is not None  # noqa: S101  called for two rounds only
    hoped = (noisy_weights + PROMISING_DEVIATIONS * cost.keys.sigma) * sum(ROUND_PARTS)
    return ~passes_threshold(noisy_weights, cost) & (hoped >= cost.second.threshold)


def passes_both_rounds(
    first: NoisyVector, is_open: npt.NDArray[np.bool_], second: NoisyVector, cost: Cost
) -> npt.NDArray[np.bool_]:
    """Mark the keys of the second round that pass: weighted sum of both noisy weights >= threshold, in grains.

    `first` = noisy weights of all keys, `second` of those that are open. Proof: proofs.md#two-rounds
    """
    assert cost.second is not None  # noqa: S101  called for two rounds only
    of_first, of_second = ROUND_PARTS
    return of_first * first[is_open] + of_second * second >= cost.second.threshold
