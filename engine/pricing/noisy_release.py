"""Noisy release: every exact vector of a release gets its noise, and becomes a released one.

A vector with correlated noise is two measurements with independent noise (`dialect.sensitivity.correlated_noise`): its
centred vector, and the number of units, which follows the vectors in the exact result.

Proof: `engine/mechanism/proofs.md#correlated`.
"""

from __future__ import annotations

from dialect import ContributionBounds
from engine.backends.exact import Exact, Int64Vector
from engine.mechanism.gaussian import NoiseSource, NoisyVector
from engine.mechanism.release import Release, ReleaseDescription, centred_sum
from engine.pricing.price import Cost, VectorPrice


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
