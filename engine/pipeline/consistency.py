"""Hierarchical consistency: releases that are levels of one hierarchy are adjusted so that details add up.

Weighted least squares over the finest groups, from all levels at once; counts are then not negative, and integers. All
of it is post-processing. Plans, bounds and key sets alone decide which releases are adjusted together.

Solved by conjugate gradients on sums over groups: no matrix is built, and as many steps are needed as there are
different ways in which levels overlap (proofs.md#consistency).

Terms:
    finest groups  groups of the finest release; every group of another level is a sum of some of them
    level, branch  a release of the hierarchy, with the group in it of each finest group (row number, or -1: none)
    free           of a finest number: solved for, not fixed at 0
    grain          unit of a release's noisy integers, as a fraction of the vector's unit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect import Catalog
from dialect.algebra import GROUP_ADDITIVE_KINDS, ClipRule, Note, NoteCode, QueryVector, VectorBound, VectorKind
from dialect.codegen import write_group_mapping
from dialect.planner.reuse import Derivation, canonical_plan, find_derivation
from engine.backends.exact import Int64Vector
from engine.backends.lockdown import run_outer
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import Floats
from engine.mechanism.release import Release
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.sources import ReleaseSource, correlated_vectors, has_all_pinned_values

MAX_STEPS, TOLERANCE = 400, 1e-11
MAX_ROUNDS = 25  # rounds of fixing negative groups at 0


@dataclass(frozen=True)
class Level:
    """One level of a hierarchy: noisy sums over the finest groups."""

    groups: Int64Vector  # row in `noisy` of each of the finest groups, or -1
    noisy: Floats
    sigma: float

    def sums(self, finest: Floats) -> Floats:
        """Sum the finest numbers into the groups of this level."""
        inside = self.groups >= 0
        return np.bincount(self.groups[inside], finest[inside], minlength=len(self.noisy)).astype(np.float64)

    def broadcast(self, values: Floats) -> Floats:
        """Assign each of the finest groups the number of its group at this level; 0 if it is in none."""
        return np.where(self.groups >= 0, values[self.groups], 0.0)


def least_squares(levels: Sequence[Level], free: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Solve weighted least squares for the finest numbers; those that are not free are 0.

    Claim: argmin over x of sum |A_i x - y_i|^2 / sigma_i^2. Symbols: A_i = sums of a level, y_i its noisy numbers.
    Formula: conjugate gradients on the normal equations. Raises: nothing. Proof: proofs.md#consistency
    """
    free_mask = np.ones(len(levels[0].groups)) if free is None else free.astype(np.float64)

    def apply_normal(x: Floats) -> Floats:
        """Apply the matrix of the normal equations to finest numbers; the fixed ones stay 0."""
        return free_mask * np.sum([each.broadcast(each.sums(x)) / each.sigma**2 for each in levels], axis=0)

    target = free_mask * np.sum([each.broadcast(each.noisy) / each.sigma**2 for each in levels], axis=0)
    x = free_mask * levels[0].broadcast(levels[0].noisy)
    residual = target - apply_normal(x)
    step, size = residual.copy(), float(residual @ residual)
    max_residual = TOLERANCE**2 * float(target @ target)
    for _ in range(MAX_STEPS):
        if size <= max_residual:
            break
        direction = apply_normal(step)
        step_length = size / float(step @ direction)
        x, residual = x + step_length * step, residual - step_length * direction
        size, before = float(residual @ residual), size
        step = residual + size / before * step
    return x


def non_negative_least_squares(levels: Sequence[Level]) -> Floats:
    """Solve least squares without negative numbers: those are fixed at 0 and the others solved again."""
    free = np.ones(len(levels[0].groups), dtype=bool)
    solution = least_squares(levels)
    for _ in range(MAX_ROUNDS):
        if not (solution < 0).any():
            break
        free &= solution > 0
        solution = least_squares(levels, free)
    return np.maximum(solution, 0.0)


def round_consistently(finest: Floats) -> Int64Vector:
    """Round so that each run of neighbours keeps its sum within 1; numbers from 0 on do not become negative.

    Formula: s_k = round(x_1 + ... + x_k) - round(x_1 + ... + x_(k-1)). Raises: nothing. Proof: proofs.md#consistency
    """
    run: Int64Vector = np.rint(np.cumsum(finest)).astype(np.int64)
    return np.diff(run, prepend=0)


T = TypeVar("T")
ESTIMATE_BITS = 10  # estimates are in 2^-10 of the finest grain
MAX_BIAS_DIFFERENCE = 0.01  # share of a total by which expected biases of levels may differ
CONSISTENCY_NOTE = (
    "Levels are made consistent (consistent = true): details add up to totals; counts are whole and at least 0."
)
_COUNTS = (VectorKind.ROWS, VectorKind.VALID)


@dataclass(frozen=True)
class _HierarchyLevel:
    """Release of the hierarchy, with the group of it in which each of the finest groups lies."""

    release_index: int  # index among the query's releases
    groups: Int64Vector  # row here of each of the finest groups, or -1
    max_finest_groups: int  # most of the finest groups in one row


def make_query_consistent(
    sources: Sequence[ReleaseSource], releases: tuple[Release, ...], catalog: Catalog
) -> tuple[Release, ...]:
    """Make the releases of a query consistent, whose options request it.

    Releases that share noise, being derived from one stored release, are not adjusted, nor are those whose groups do:
    least squares assumes independence.
    """
    correlated = {plan for plan, _ in correlated_vectors(tuple(sources))}
    return make_consistent(
        [source.reported for source in sources],
        releases,
        [i not in correlated and not each.is_correlated for i, each in enumerate(releases)],
        catalog,
    )


def consistency_notes(releases: Sequence[Release]) -> tuple[Note, ...]:
    """Note that numbers were adjusted to be consistent."""
    return (
        (Note(NoteCode.CONSISTENT, CONSISTENCY_NOTE),) if any(release.consistent_sigmas for release in releases) else ()
    )


def make_consistent(
    compiled: Sequence[CompiledRelease], releases: Sequence[Release], is_independent: Sequence[bool], catalog: Catalog
) -> tuple[Release, ...]:
    """Make releases that are levels of one hierarchy consistent; others are returned unchanged.

        SELECT zone, hour, COUNT(*) ... GROUP BY zone, hour    -- finest level
        SELECT zone, COUNT(*) ... GROUP BY zone                -- its sums over hours, released with noise of its own

    Claim: the estimates are unbiased before they are cut at 0, no linear combination of them has more variance than
    the same one of the released numbers, and details add up to totals exactly. Symbols: `is_independent` = flags of
    releases with independent noise. Formula: x = argmin sum |A_i x - y_i|^2 / sigma_i^2. Source: Hay, Rastogi, Miklau,
    Suciu 2010 (arXiv 0904.0942), section 4, for trees. Raises: ExecutionFailed. Proof: proofs.md#consistency
    """
    adjustable = [
        i
        for i, p in enumerate(compiled)
        if is_independent[i] and p.plan.key_set is not None and all(releases[i].sigmas)
    ]
    matchable_plans = {i: canonical_plan(compiled[i].plan) for i in adjustable}
    derivations_by_finest: dict[int, dict[int, Derivation]] = {
        fine: {
            i: d
            for i in adjustable
            if i != fine and (d := find_derivation(matchable_plans[i], matchable_plans[fine], catalog)) is not None
        }
        for fine in adjustable
    }
    finest = max(derivations_by_finest, key=lambda i: len(derivations_by_finest[i]), default=None)
    if finest is None or not derivations_by_finest[finest]:
        return tuple(releases)
    rows = np.arange(releases[finest].keys.num_rows)
    coarser_levels = (
        _coarser_level(i, d, releases[i], releases[finest]) for i, d in derivations_by_finest[finest].items()
    )
    branches = [_HierarchyLevel(finest, rows, 1), *(each for each in coarser_levels if each is not None)]
    return _adjust_common_vectors(compiled, releases, branches)


def _coarser_level(
    release_index: int, derivation: Derivation, coarse: Release, fine: Release
) -> _HierarchyLevel | None:
    """Map each of the finest groups to its group in a coarser release; None if such a group has no finest one.

    A coarser group without finest ones may be 0 if the finest release covers all rows (`derivation.is_complete`).
    """
    tables = {"stored_groups": _with_row_numbers(fine), "requested_keys": _with_row_numbers(coarse)}
    if derivation.required_values and not has_all_pinned_values(derivation, tables):
        return None
    pairs = run_outer(write_group_mapping(derivation), tables)
    groups = np.full(fine.keys.num_rows, -1, dtype=np.int64)
    groups[pairs.column("fine").to_numpy()] = pairs.column("coarse").to_numpy()
    cells = np.bincount(groups[groups >= 0], minlength=coarse.keys.num_rows)
    is_complete = len(cells) > 0 and cells.max() > 0 and (cells.min() > 0 or derivation.is_complete)
    return _HierarchyLevel(release_index, groups, int(cells.max())) if is_complete else None


def _with_row_numbers(release: Release) -> pa.Table:
    """Return the key table of a release with a column `row_index` that numbers its groups."""
    columns = {f"k{i}": release.keys.column(i) for i in range(release.keys.num_columns)}
    return pa.table({"row_index": np.arange(len(release.noisy[0])), **columns})


def _adjust_common_vectors(
    compiled: Sequence[CompiledRelease], releases: Sequence[Release], branches: Sequence[_HierarchyLevel]
) -> tuple[Release, ...]:
    """Adjust every vector that at least two releases of the hierarchy have in common."""
    adjusted = {branch.release_index: _AdjustedRelease(releases[branch.release_index]) for branch in branches}
    for text in compiled[branches[0].release_index].plan.vector_texts:
        sharing = [branch for branch in branches if text in compiled[branch.release_index].plan.vector_texts]
        vector_indexes = {
            branch.release_index: compiled[branch.release_index].plan.vector_texts.index(text) for branch in sharing
        }
        kind = compiled[branches[0].release_index].plan.vectors[vector_indexes[branches[0].release_index]].kind
        if len(sharing) > 1 and kind in GROUP_ADDITIVE_KINDS and _have_similar_bias(compiled, vector_indexes):
            _adjust_vector(sharing, vector_indexes, kind in _COUNTS, releases, adjusted)
    return tuple(adjusted[i].release if i in adjusted else each for i, each in enumerate(releases))


def _have_similar_bias(compiled: Sequence[CompiledRelease], vector_indexes: Mapping[int, int]) -> bool:
    """Check that all levels have about the same clipping bias; otherwise details need not add up to totals."""
    pairs = [
        (compiled[i].plan.vectors[vector_index], compiled[i].bounds.vectors[vector_index])
        for i, vector_index in vector_indexes.items()
    ]
    biases = [0.0 if _drops_only_excess_rows(vector, bound) else bound.predicted_bias for vector, bound in pairs]
    known = [bias for bias in biases if bias is not None]
    return len(known) == len(biases) and max(known) - min(known) <= MAX_BIAS_DIFFERENCE


def _drops_only_excess_rows(vector: QueryVector, bound: VectorBound) -> bool:
    """Check that only rows beyond the query's own limits are dropped, which are the same at every level."""
    return bound.predicted_bias is None and bound.rule is ClipRule.UNCLIPPED and vector.partial_bounds is None


@dataclass
class _AdjustedRelease:
    """Release whose vectors are replaced one by one."""

    release: Release

    def replace_vector(
        self,
        index: int,
        noisy: Int64Vector,
        grain: float,
        estimate_deviation: float,
        consistent_counts: Int64Vector | None,
    ) -> None:
        """Replace a vector by estimates in finer grains, keeping the released sigma and adding that of one estimate."""
        present = self.release
        sigma = present.sigmas[index] * present.grains[index] / grain
        self.release = replace(
            present,
            noisy=_replaced(present.noisy, index, NoisyVector(noisy)),
            grains=_replaced(present.grains, index, grain),
            sigmas=_replaced(present.sigmas, index, sigma),
            consistent_sigmas=_replaced(present.consistent_sigmas or present.sigmas, index, estimate_deviation / grain),
            consistent_counts=_replaced(
                present.consistent_counts or (None,) * len(present.noisy), index, consistent_counts
            ),
        )


def _replaced(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """Return a tuple with the value at one index replaced."""
    return (*values[:index], value, *values[index + 1 :])


def _adjust_vector(
    branches: Sequence[_HierarchyLevel], vector_indexes: Mapping[int, int], is_count: bool, releases: Sequence[Release],
    adjusted: Mapping[int, _AdjustedRelease],
) -> None:  # fmt: skip
    """Adjust one vector at every level that has it, in place: estimates, and integers from 0 on for counts.

    `vector_indexes` = index of the vector in each release, by release index. The first branch is the finest level. The
    deviation of an estimate is that of the inverse-variance mean of its own number and the sum of its finest ones.
    """
    levels = [
        _level(branch, releases[branch.release_index], vector_indexes[branch.release_index]) for branch in branches
    ]
    grain = min(releases[i].grains[vector_index] for i, vector_index in vector_indexes.items()) / 2**ESTIMATE_BITS
    finest = np.rint(least_squares(levels) / grain).astype(np.int64)
    whole_counts = round_consistently(non_negative_least_squares(levels)) if is_count else None
    for branch, level in zip(branches, levels, strict=True):
        precision = 1 / level.sigma**2 + (
            0.0 if level is levels[0] else 1 / (branch.max_finest_groups * levels[0].sigma ** 2)
        )
        level_counts = None if whole_counts is None else _sum_integers(level, whole_counts)
        adjusted[branch.release_index].replace_vector(
            vector_indexes[branch.release_index], _sum_integers(level, finest), grain, precision**-0.5, level_counts
        )


def _level(branch: _HierarchyLevel, release: Release, vector_index: int) -> Level:
    """Level of one vector: its noisy numbers and their standard deviation, in the vector's unit."""
    values = np.asarray(release.noisy[vector_index] * release.grains[vector_index], dtype=np.float64)
    return Level(branch.groups, values, release.deviations()[vector_index])


def _sum_integers(level: Level, finest: Int64Vector) -> Int64Vector:
    """Sum integers of the finest groups into the groups of a level; exact, unlike `Level.sums`."""
    inside = level.groups >= 0
    sums = np.zeros(len(level.noisy), dtype=np.int64)
    np.add.at(sums, level.groups[inside], finest[inside])
    return sums
