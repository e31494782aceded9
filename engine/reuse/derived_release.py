"""Derive a release from stored ones: sums of a stored release's groups, and weighted sums of several releases.

Everything here is a function of released numbers, noise scales and public key sets (proofs.md#derived-releases).

Terms:
    stored, wanted  release that the client holds, and the one that a query needs (`stored_groups`, `requested_keys`)
    grain           unit of a release's noisy integers, as a fraction of the vector's unit
    sigma           scale of the noise, in grains
    pinned key      key of the stored release that the wanted one sums over or fixes: all its values must be there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from dialect.algebra import VectorBound
from dialect.codegen import write_derived_release, write_pinned_counts
from dialect.planner.reuse import Derivation
from engine.backends.exact import Int64Vector
from engine.backends.sandbox import run_outer
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release

WEIGHT_BITS = 10  # weights are multiples of 2^-10, so that weighted integers are integers in finer grains
MAX_WEIGHTED_GRAINS = 2**63 // 2**WEIGHT_BITS - 1  # grains: weighted numbers fit 64 bits
MAX_ROUNDED_GRAINS = 2.0**62  # grains
MIN_SUMMED_SIGMA = 1.0  # grains: sums of narrower noise are not nearly normal

NoiseDeviations = tuple[float, ...]  # standard deviation of each vector's noise, in its unit


@dataclass(frozen=True)
class DerivedRelease:
    """Release derived from one stored release, with its noise and contribution bounds."""

    release_key: str  # key of the stored release
    settled_at: str
    release: Release  # wanted keys, numbers, and the noise of the largest sum
    max_source_groups: int  # largest number of stored groups in one wanted group
    has_same_keys: bool  # has the stored release no other keys?
    bounds: tuple[VectorBound, ...]  # clip bounds of the stored release
    is_scheduled: bool = False  # is it from a scheduled query?

    @property
    def derivation_text(self) -> str:
        """Derivation in words: summed groups, the same numbers, or a selection of groups."""
        if self.max_source_groups > 1:
            return f"up to {self.max_source_groups:,} groups added up"
        return "the same numbers" if self.has_same_keys else "some of its groups"


def derive_release(stored: Release, derivation: Derivation, wanted_keys: pa.Table) -> tuple[Release, int] | None:
    """Derive the wanted release by summing groups of a stored one; None if a wanted key may be missing or differ.

        stored:  SELECT zone, hour, COUNT(*) FROM visits GROUP BY zone, hour
        wanted:  SELECT zone, COUNT(*) FROM visits GROUP BY zone    -- sums of 24 stored groups

    Returns the derived release and the largest number of stored groups in one wanted group. None also where sums are
    not allowed but needed, or their noise is too narrow to be nearly normal.

    Claim: each number is the sum of the stored noisy integers of its groups, exactly, and has the variance of that
    many. Symbols: sigma_s = scale of the stored noise, n = most groups in one. Formula: sigma = sigma_s sqrt(n). Source
    and proof: proofs.md#derived-releases. Raises: ExecutionFailed.
    """
    columns = {f"k{i}": stored.keys.column(i) for i in range(stored.keys.num_columns)}
    columns |= {f"w{i}": pa.array(noisy) for i, noisy in enumerate(stored.noisy)}
    tables = {"stored_groups": pa.table(columns), "requested_keys": wanted_keys}
    rows = run_outer(write_derived_release(derivation), tables)
    source_groups = rows.column("source_groups").to_numpy()
    if (
        not len(source_groups)
        or source_groups.max() < 1
        or (derivation.needs_single_groups and source_groups.max() > 1)
    ):
        return None
    if source_groups.min() < 1 and not derivation.is_complete:
        return None
    if derivation.required_values and not has_all_pinned_values(derivation, tables):
        return None
    max_source_groups = int(source_groups.max())
    sigmas = tuple(stored.sigmas[index] * max_source_groups**0.5 for index in derivation.vectors)
    if max_source_groups > 1 and min(stored.sigmas[index] for index in derivation.vectors) < MIN_SUMMED_SIGMA:
        return None
    noisy = tuple(NoisyVector(rows.column(f"w{i}").to_numpy()) for i in range(len(derivation.vectors)))
    grains = tuple(stored.grains[index] for index in derivation.vectors)
    return Release(
        rows.select([f"k{i}" for i in range(len(derivation.keys))]), noisy, grains, sigmas
    ), max_source_groups


def has_all_pinned_values(derivation: Derivation, tables: dict[str, pa.Table]) -> bool:
    """Check that the stored release covers every value of each pinned key, so that sums over it are complete."""
    (counts,) = run_outer(write_pinned_counts(derivation), tables).to_pylist()
    return all(counts[f"n{i}"] == count for i, (_, count) in enumerate(derivation.required_values))


def mean_variances(deviations: Sequence[NoiseDeviations]) -> tuple[float, ...]:
    """Compute the variance of each vector of the inverse-variance weighted mean of releases, in squared units."""
    weights = _inverse_variance_weights(deviations)
    return tuple(
        sum((weight / 2**WEIGHT_BITS * noise[i]) ** 2 for weight, noise in zip(weights[i], deviations, strict=True))
        for i in range(len(deviations[0]))
    )


def _inverse_variance_weights(deviations: Sequence[NoiseDeviations]) -> list[list[int]]:
    """Inverse-variance weights per vector, one for each release: integer multiples of 2^-WEIGHT_BITS that add up to 1.

    What rounding leaves is added to the largest weight, which it changes least.
    """
    weights = []
    for i in range(len(deviations[0])):
        inverse = [1 / noise[i] ** 2 for noise in deviations]
        integer_weights = [round(2**WEIGHT_BITS * one / sum(inverse)) for one in inverse]
        integer_weights[integer_weights.index(max(integer_weights))] += 2**WEIGHT_BITS - sum(integer_weights)
        weights.append(integer_weights)
    return weights


def weighted_mean(releases: Sequence[Release]) -> Release:
    """Weighted mean of independent noisy releases of one vector in equal grains.

    Claim: each number is sum of m_i n_i in grains of 2^-10, exactly, if no n_i is beyond 2^53 grains. Symbols: n_i =
    noisy integers, m_i = integer weights that add up to 2^10, by inverse variance. Source and proof:
    proofs.md#derived-releases. Raises: nothing.
    """
    if len(releases) == 1:
        return releases[0]
    deviations = [each.deviations() for each in releases]
    weights, combined_variances = _inverse_variance_weights(deviations), mean_variances(deviations)
    noisy = tuple(
        NoisyVector(np.sum([w * _clamped(r.noisy[i]) for w, r in zip(weights[i], releases, strict=True)], axis=0))
        for i in range(len(weights))
    )
    grains = tuple(grain / 2**WEIGHT_BITS for grain in releases[0].grains)
    sigmas = tuple(variance**0.5 / grain for variance, grain in zip(combined_variances, grains, strict=True))
    return Release(releases[0].keys, noisy, grains, sigmas)


def linear_combination(releases: Sequence[Release], weights: Sequence[Fraction]) -> Release:
    """Compute a linear combination of independent releases over the same keys; weights may be negative.

    Claim: each number is sum of c_i n_i, exactly where grains are equal and weights integers, else to half of a grain,
    which is 2^-10 of the finest or 2^-20 of the noise. Symbols: n_i = noisy integers, of at most 2^53 grains, c_i =
    weights. Formula: variance = sum c_i^2 v_i. Source and proof: proofs.md#weighted-sums. Raises: nothing.
    """
    vectors: list[tuple[NoisyVector, float, float]] = []
    for i in range(len(releases[0].noisy)):
        pairs = list(zip(releases, weights, strict=True))
        deviation = sum((float(weight) * each.deviations()[i]) ** 2 for each, weight in pairs) ** 0.5
        finest = min(each.grains[i] for each in releases)
        if all(each.grains[i] == finest for each in releases) and all(weight.denominator == 1 for weight in weights):
            total, grain = (
                np.sum([_clamped(each.noisy[i]) * weight.numerator for each, weight in pairs], axis=0),
                finest,
            )
        else:
            grain = max(finest / 2**WEIGHT_BITS, deviation / 2 ** (2 * WEIGHT_BITS))
            exact = np.sum([float(weight) * each.grains[i] / grain * each.noisy[i] for each, weight in pairs], axis=0)
            total = np.rint(exact).clip(-MAX_ROUNDED_GRAINS, MAX_ROUNDED_GRAINS).astype(np.int64)
        vectors.append((NoisyVector(total), grain, deviation / grain))
    noisy, grains, sigmas = zip(*vectors, strict=True)
    return Release(releases[0].keys, tuple(noisy), tuple(grains), tuple(sigmas))


def _clamped(noisy: NoisyVector) -> Int64Vector:
    """Noisy integers within MAX_WEIGHTED_GRAINS, so that weighted ones fit 64 bits; no real number is as large."""
    return np.clip(noisy, -MAX_WEIGHTED_GRAINS, MAX_WEIGHTED_GRAINS)
