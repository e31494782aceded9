"""Derive a release from a stored one, by sums over its groups.

Everything here is a function of released numbers, noise scales and public key sets (proofs.md#derived-releases).

Terms:
    stored, wanted  release that the client holds, and the one that a query needs (`stored_groups`, `requested_keys`)
    grain           unit of a release's noisy integers, as a fraction of the vector's unit
    sigma           scale of the noise, in grains
    pinned key      key of the stored release that the wanted one sums over or fixes: all its values must be there
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyarrow as pa

from dialect.algebra import VectorBound
from dialect.codegen import write_derived_release, write_pinned_counts
from dialect.planner.reuse import Derivation
from engine.backends.lockdown import run_outer
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release

MIN_SUMMED_SIGMA = 1.0  # grains: sums of narrower noise are not nearly normal


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


def derive_release(
    stored: Release, derivation: Derivation, wanted_keys: pa.Table, *, reads_single_groups: bool = False
) -> tuple[Release, int] | None:
    """Derive the wanted release by summing groups of a stored one; None if a wanted key may be missing or differ.

        stored:  SELECT zone, hour, COUNT(*) FROM visits GROUP BY zone, hour
        wanted:  SELECT zone, COUNT(*) FROM visits GROUP BY zone    -- sums of 24 stored groups

    Returns the derived release and the largest number of stored groups in one wanted group. None also where sums are
    not allowed but needed, or their noise is too narrow to be nearly normal. `reads_single_groups` = no number of the
    outer query reads several groups of the derived release.

    Claim: each number is the sum of the stored noisy integers of its groups, exactly, and has at most the returned
    variance; so has each linear combination of numbers, reckoned as if they were independent. Symbols: sigma_s = scale
    of the stored noise, n = most groups in one. Formula: sigma = sigma_s sqrt(n); if correlated, as `_noise_of_sums`.
    Source and proof: proofs.md#derived-releases. Raises: ExecutionFailed.
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
    if max_source_groups > 1 and min(stored.sigmas[index] for index in derivation.vectors) < MIN_SUMMED_SIGMA:
        return None
    noisy = tuple(NoisyVector(rows.column(f"w{i}").to_numpy()) for i in range(len(derivation.vectors)))
    grains = tuple(stored.grains[index] for index in derivation.vectors)
    keys = rows.select([f"k{i}" for i in range(len(derivation.keys))])
    groups = 1 if reads_single_groups else keys.num_rows
    sigmas, shared_sigmas = zip(
        *(_noise_of_sums(stored, index, max_source_groups, groups) for index in derivation.vectors), strict=True
    )
    corrections = tuple(stored.corrections[index] for index in derivation.vectors) if stored.corrections else ()
    derived = Release(keys, noisy, grains, sigmas, shared_sigmas=shared_sigmas, corrections=corrections)
    return derived, max_source_groups


def _noise_of_sums(stored: Release, vector: int, source_groups: int, groups_read: int) -> tuple[float, float]:
    """Scale of the noise of sums over at most `source_groups` stored groups, and of the part that they share.

    Where the outer query reads several of them (`groups_read`), the covariance is replaced by that of independent
    noise which is at least as large for every linear combination; then nothing counts as shared.

    Formula: own^2 n + m (shared n)^2, with n = `source_groups`, m = `groups_read`. Proof: proofs.md#derived-releases
    """
    shared = stored.shared_sigmas[vector] * source_groups if stored.shared_sigmas else 0.0
    if not shared:
        return stored.sigmas[vector] * source_groups**0.5, 0.0
    own_variance = (stored.sigmas[vector] ** 2 - stored.shared_sigmas[vector] ** 2) * source_groups
    return math.sqrt(own_variance + groups_read * shared**2), shared if groups_read == 1 else 0.0


def has_all_pinned_values(derivation: Derivation, tables: dict[str, pa.Table]) -> bool:
    """Check that the stored release covers every value of each pinned key, so that sums over it are complete."""
    (counts,) = run_outer(write_pinned_counts(derivation), tables).to_pylist()
    return all(counts[f"n{i}"] == count for i, (_, count) in enumerate(derivation.required_values))
