"""Expected error of a number whose clip bound a profile will choose, from a calibration of the same contributions.

A calibration tells units by contribution. The profile of a question at its price has more noise, behind which another
population may hide, and its interval holds that (`engine/pricing/proofs.md#profile-reading`). So the calibrated units
are read as that profile is expected to be read. Decided from public facts: catalog, calibration, plan, price.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from budgets import PICO
from dialect.codegen import HIGHEST_BIN, LOWEST_BIN
from engine.mechanism.gaussian import gaussian_scale
from engine.pricing.clip_bounds.profiles.estimator import (
    VectorProfile,
    choose_design,
    correct_shape,
    correct_total,
    median_excess,
)
from engine.pricing.clip_bounds.profiles.histogram_reading import Floats, HistogramReading, read_histogram
from engine.pricing.clip_bounds.tuning import ClipErrorModel


@dataclass(frozen=True)
class ExpectedProfile:
    """Public facts of the profile of one query vector, at its price."""

    sigma: float  # noise scale of the number of units of a bin
    grain: float  # value grain, in the unit of the vector
    most: float  # largest contribution of a unit, in value grains
    groups: int  # public keys; 1 without keys
    has_totals: bool  # are sums over all groups measured beside norms?
    has_person_key: bool  # is a key a function of the person?


@lru_cache(maxsize=1024)
def calibrated_error(model: ClipErrorModel, expected: ExpectedProfile, pico_rho: int) -> float:
    """Return the expected error of a usual group's number, in its unit: noise, and what correction leaves.

    `pico_rho` = price of the number.
    """
    profile = _read(model, expected)
    design = choose_design(profile, pico_rho / PICO, expected.most)
    total_pico_rho = int(pico_rho * design.total_part)
    noise = profile.sensitivity * design.shape_bound / math.sqrt(2 * max(1, pico_rho - total_pico_rho) / PICO)
    if profile.groups == 1:
        clipped = profile.total - median_excess(profile.norms, design.shape_bound)
        found = correct_total(profile, design, clipped, noise)
    else:
        total = None
        if design.total_bound is not None and profile.totals is not None:
            left = profile.total - median_excess(profile.totals, design.total_bound)
            total = left, gaussian_scale(max(1, round(design.total_bound)), max(1, total_pico_rho))
        shape_sum = profile.total * float(profile.retained_shares(np.array([design.shape_bound])).mean())
        found = correct_shape(profile, design, shape_sum, noise, total)
    left_error = found.residual * profile.usual_group
    return math.hypot(noise / found.retained_share, left_error, found.floor) * expected.grain


def _read(model: ClipErrorModel, expected: ExpectedProfile) -> VectorProfile:
    """Read the calibrated units as the profile is expected to be read."""
    distribution, counts_groups = model.distribution, model.counts_persons

    def reading(contributions: Floats, *, is_total: bool) -> HistogramReading:
        """Read the expected histogram of units by contribution, with the noise of the profile."""
        bins = np.floor(2 * np.log2(np.maximum(contributions / expected.grain, 1.0)) + 1e-9).astype(np.int64)
        by_bin = np.bincount(bins.clip(max=HIGHEST_BIN), distribution.people, HIGHEST_BIN - LOWEST_BIN + 1)
        counts = np.asarray(by_bin, dtype=np.float64)
        is_count = model.counts_rows or counts_groups
        return read_histogram(counts, expected.sigma, is_total=is_total, is_count=is_count, most=expected.most)

    is_total = expected.groups == 1 and not counts_groups
    norms = reading(distribution.norms, is_total=is_total)
    totals = None
    if counts_groups:
        totals = replace(norms, points=norms.points**2)
    elif expected.has_totals:
        totals = reading(distribution.totals, is_total=True)
        totals = None if totals.last_visible < 0 else totals  # as of a profile that was bought
    counted = {"is_signed": False, "counts_groups": counts_groups, "has_person_key": expected.has_person_key}
    return VectorProfile(norms, totals, expected.groups, model.sensitivity, **counted)
