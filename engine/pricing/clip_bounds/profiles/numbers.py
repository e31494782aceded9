"""Numbers of a release with a profile: the clip bounds chosen from it, and the correction of what was measured.

The choice is made from the stored profile, and the correction from released numbers: both are post-processing
(`engine/pricing/proofs.md#profiles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from budgets import PICO
from dialect import Catalog, ContributionBounds
from dialect.algebra import ClipRule
from dialect.sensitivity import TunedClipBound
from engine.backends.exact import Int64Vector
from engine.mechanism.gaussian import NoiseSource, NoisyVector, gaussian_scale
from engine.mechanism.release import Release, VectorCorrection
from engine.pricing.clip_bounds.profiles.averages import REASON, ChosenAverages, correct_averages
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile, read_profile
from engine.pricing.clip_bounds.profiles.estimator import (
    Correction,
    Design,
    VectorProfile,
    choose_design,
    correct_shape,
    correct_total,
    or_nothing,
)
from engine.pricing.clip_bounds.profiles.histogram_reading import Floats
from engine.pricing.price import VectorPrice

UNIT_CORRECTION = Correction(1.0, 0.0)


@dataclass(frozen=True)
class ProfiledVector:
    """One vector whose clip bound was chosen from its profile."""

    index: int
    grain: float  # value grain of the profile, in the vector's unit
    profile: VectorProfile
    design: Design
    pico_rho: int  # price of the vector: of its numbers and its total

    @property
    def total_pico_rho(self) -> int:
        """Price of the total over all groups, in pico-rho; 0: none is bought."""
        return 0 if self.design.total_bound is None else int(self.pico_rho * self.design.total_part)

    @property
    def total_bound(self) -> int:
        """Clip bound of the total, in value grains of the profile: its sensitivity."""
        return max(1, round(self.design.total_bound or 0))

    @property
    def tuned(self) -> TunedClipBound:
        """Clip bound of the numbers by group."""
        return TunedClipBound(self.design.shape_bound * self.grain, 0.0, REASON)


@or_nothing
def choose_vectors(
    stored: StoredProfile, catalog: Catalog, bounds: ContributionBounds, prices: Sequence[VectorPrice]
) -> tuple[ProfiledVector, ...]:  # fmt: skip
    """Choose the clip bounds of the profiled vectors; `bounds` = fallback bounds, `prices` of every vector."""
    return tuple(
        ProfiledVector(
            index, grain := 2.0 ** -stored.compiled.shared.profile_bounds.vectors[index].value_bits, profile,
            choose_design(profile, prices[index].pico_rho / PICO, bounds.vectors[index].clip_bound / grain),
            prices[index].pico_rho,
        )
        for index, profile in read_profile(stored, catalog).items()
    )  # fmt: skip


def noisy_totals(
    vectors: Sequence[ProfiledVector], exact: Sequence[Int64Vector], add_noise: NoiseSource
) -> dict[int, tuple[float, float]]:
    """Add noise to the totals: (noisy total, standard deviation of its noise) in value grains, by vector."""
    found = {}
    for vector, total in zip((each for each in vectors if each.total_pico_rho), exact, strict=True):
        sigma = gaussian_scale(vector.total_bound, vector.total_pico_rho)
        noisy: NoisyVector = add_noise(total, vector.total_bound, sigma, vector.total_pico_rho)
        found[vector.index] = float(noisy[0]), sigma
    return found


def corrected(
    measured: Release,
    vectors: Sequence[ProfiledVector],
    averages: Sequence[ChosenAverages],
    bounds: ContributionBounds,
    totals: Mapping[int, tuple[float, float]],
) -> Release:
    """Correct the numbers of a release, by its grains, and note the error that the correction leaves.

    Claim: post-processing of released numbers. Formula: numbers divided by the share that clipping left. Source and
    proof: engine/pricing/proofs.md#profile-estimator, of averages #averages. Raises nothing.
    """
    grains, corrections = list(measured.grains), [VectorCorrection()] * len(measured.grains)
    for vector in vectors:
        scale = measured.grains[vector.index] / vector.grain  # of one released grain, in value grains of the profile
        numbers = np.asarray(measured.noisy[vector.index] * scale, dtype=np.float64)
        deviation = measured.sigmas[vector.index] * scale
        found = UNIT_CORRECTION
        if bounds.vectors[vector.index].rule is not ClipRule.UNCLIPPED:
            found = _correction(vector, numbers, deviation, totals.get(vector.index))
        grains[vector.index] /= found.retained_share
        floor = found.floor * vector.grain
        corrections[vector.index] = VectorCorrection(found.residual, floor=floor, retained_share=found.retained_share)
    for group in averages:
        factors, found_corrections = correct_averages(group, measured)
        for index, factor in factors.items():
            grains[index] *= factor
        for index, correction in found_corrections.items():
            corrections[index] = correction
    return replace(measured, grains=tuple(grains), corrections=tuple(corrections))


def _correction(
    vector: ProfiledVector, numbers: Floats, deviation: float, total: tuple[float, float] | None
) -> Correction:
    """Correction of one vector: of its only number, or of its numbers by group."""
    if vector.profile.groups == 1 and not vector.profile.is_signed:
        return correct_total(vector.profile, vector.design, float(numbers.sum()), deviation)
    return correct_shape(vector.profile, vector.design, float(numbers.sum()), deviation, total)
