"""Prediction of a release at another price: the stored numbers, with the noise and the correction of that price.

The client holds the profile and the numbers. Clip bounds are chosen from the profile for the other price, as they would
be if it were paid, and their noise and what correction leaves follow (`engine/pricing/proofs.md#predicted_price`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dialect import Catalog, ContributionBounds
from dialect.codegen import Measure, ProfileHistogram
from engine.mechanism.gaussian import NoisyVector, gaussian_scale
from engine.mechanism.release import Release
from engine.pricing.clip_bounds.profiles.averages import ChosenAverages
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile, read_profile
from engine.pricing.clip_bounds.profiles.estimator import median_excess
from engine.pricing.clip_bounds.profiles.histogram_reading import HistogramReading
from engine.pricing.clip_bounds.profiles.numbers import ProfiledVector, corrected
from engine.pricing.price import VectorPrice

MAX_INTEGER = 2.0**62


def expected_profile(profile: StoredProfile, catalog: Catalog, pico_rho: int) -> StoredProfile:
    """Return a stored profile as it is expected to be at another price, with the noise scale of that price.

    What a bin has beyond its reading counts as noise, and shrinks or grows with the scale. Means of values keep their
    counts. `pico_rho` = price of the profile.
    """
    compiled, stored = profile.compiled, profile.release
    scale = gaussian_scale(compiled.sensitivity, pico_rho // len(compiled.shared.histograms)) / stored.sigmas[0]
    readings = {
        ProfileHistogram(index, measure): each
        for index, read in read_profile(profile, catalog).items()
        for measure, each in ((Measure.NORM, read.norms), (Measure.TOTAL, read.totals or read.norms))
        if each.last_visible >= 0
    }

    def rescaled(counts: NoisyVector, found: HistogramReading | None) -> NoisyVector:
        """Scale what the noisy units have beyond their reading."""
        if found is None:
            return counts
        read = np.bincount(found.bins, found.units.mean(axis=0), len(counts)) / stored.grains[0]
        return NoisyVector(np.rint(read + scale * (counts - read)).astype(np.int64))

    pairs = zip(compiled.shared.histograms, stored.noisy, strict=True)
    noisy = [rescaled(counts, readings.get(histogram)) for histogram, counts in pairs]
    release = replace(stored, noisy=tuple(noisy), sigmas=tuple(sigma * scale for sigma in stored.sigmas))
    return replace(profile, release=release)


def predicted_release(
    stored: Release,
    vectors: Sequence[ProfiledVector],
    averages: Sequence[ChosenAverages],
    bounds: ContributionBounds,
    prices: Sequence[VectorPrice],
) -> Release:
    """Return a stored release with the noise that another price would give, and the error that correction would leave.

    Claim: post-processing of stored releases. Symbols: `vectors`, `averages`, `bounds`, `prices` = what would be chosen
    from the stored profile at the other price. Formula: none. Source and proof:
    engine/pricing/proofs.md#predicted_price. Raises nothing.
    """
    retained = {each.index: _retained_share(each) for each in vectors}
    grains = tuple(bound.grain_size for bound in bounds.vectors)
    numbers = (noisy * own for noisy, own in zip(stored.noisy, stored.grains, strict=True))
    clipped = tuple(
        NoisyVector(np.rint(number * retained.get(i, 1.0) / grain).clip(-MAX_INTEGER, MAX_INTEGER).astype(np.int64))
        for i, (number, grain) in enumerate(zip(numbers, grains, strict=True))
    )
    measured = Release(stored.keys, clipped, grains, tuple(price.sigma for price in prices))
    found = corrected(measured, vectors, averages, bounds, _expected_totals(vectors))
    scales = zip(found.sigmas, found.grains, stored.grains, strict=True)
    corrections = (
        replace(each, centre=own.centre) for each, own in zip(found.corrections, stored.corrections, strict=False)
    )
    return replace(
        stored,
        sigmas=tuple(sigma * grain / own for sigma, grain, own in scales),
        corrections=tuple(corrections) or stored.corrections,
    )


def _retained_share(vector: ProfiledVector) -> float:
    """Return the expected share of a vector's numbers that its clip bound leaves."""
    profile, bound = vector.profile, vector.design.shape_bound
    if profile.is_signed or profile.is_unseen:
        return 1.0
    return float(profile.retained_shares(np.array([bound])).mean())


def _expected_totals(vectors: Sequence[ProfiledVector]) -> Mapping[int, tuple[float, float]]:
    """Return the expected clipped total of each vector that buys one, and its noise scale, in value grains."""
    return {
        each.index: (
            each.profile.total - median_excess(each.profile.totals, each.total_bound),
            gaussian_scale(each.total_bound, each.total_pico_rho),
        )
        for each in vectors
        if each.total_pico_rho and each.profile.totals is not None
    }
