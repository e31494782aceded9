"""Hierarchical consistency: releases that are levels of one hierarchy are adjusted so that details add up.

Weighted least squares over the finest groups, from all levels at once; counts are then not negative, and integers. All
of it is post-processing. Plans, bounds and key sets alone decide which releases are adjusted together.

Solved by conjugate gradients on sums over groups: no matrix is built, and as many steps are needed as there are
different ways in which levels overlap (proofs.md#consistency).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect import Catalog, Question
from dialect.algebra import SUMS_OVER_GROUPS, Note, NoteCode, Rule, Vector, VectorBound, VectorKind
from dialect.codegen import write_images
from dialect.planner.reuse import Derivation, derivation, told
from engine.backends.exact import Int64Vector
from engine.backends.sandbox import outer
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import Floats
from engine.mechanism.release import Release
from engine.pricing.prepare import Prepared
from engine.reuse.combine import all_listed
from engine.reuse.sources import Way, parts_that_share

MOST_STEPS, CLOSE = 400, 1e-11
MOST_ROUNDS = 25  # rounds of fixing negative groups at 0


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

    def spread(self, rows: Floats) -> Floats:
        """Assign each of the finest groups the number of its group at this level; 0 if it is in none."""
        return np.where(self.groups >= 0, rows[self.groups], 0.0)


def nearest(levels: Sequence[Level], free: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Solve weighted least squares for the finest numbers; those that are not free are 0.

    Claim: argmin over x of sum |A_i x - y_i|^2 / sigma_i^2. Symbols: A_i = sums of a level, y_i its noisy numbers.
    Formula: conjugate gradients on the normal equations. Raises: nothing. Proof: proofs.md#consistency
    """
    kept = np.ones(len(levels[0].groups)) if free is None else free.astype(np.float64)

    def normal(x: Floats) -> Floats:
        total: Floats = kept * np.sum([each.spread(each.sums(x)) / each.sigma**2 for each in levels], axis=0)
        return total

    wanted = kept * np.sum([each.spread(each.noisy) / each.sigma**2 for each in levels], axis=0)
    x = kept * levels[0].spread(levels[0].noisy)
    left = wanted - normal(x)
    step, size = left.copy(), float(left @ left)
    enough = CLOSE**2 * float(wanted @ wanted)
    for _ in range(MOST_STEPS):
        if size <= enough:
            break
        along = normal(step)
        far = size / float(step @ along)
        x, left = x + far * step, left - far * along
        size, before = float(left @ left), size
        step = left + size / before * step
    return x


def never_negative(levels: Sequence[Level]) -> Floats:
    """Solve least squares without negative numbers: those are fixed at 0 and the others solved again."""
    free = np.ones(len(levels[0].groups), dtype=bool)
    found = nearest(levels)
    for _ in range(MOST_ROUNDS):
        if not (found < 0).any():
            break
        free &= found > 0
        found = nearest(levels, free)
    return np.maximum(found, 0.0)


def whole(finest: Floats) -> Int64Vector:
    """Round so that each run of neighbours keeps its sum within 1; numbers from 0 on do not become negative.

    Formula: s_k = round(x_1 + ... + x_k) - round(x_1 + ... + x_(k-1)). Raises: nothing. Proof: proofs.md#consistency
    """
    run: Int64Vector = np.rint(np.cumsum(finest)).astype(np.int64)
    return np.diff(run, prepend=0)


T = TypeVar("T")
PLACES = 10  # estimates are in 2^-10 of the finest grain
ALIKE = 0.01  # share of a total by which expected biases of levels may differ
NOTE = "Levels are made consistent (consistent = true): details add up to totals; counts are whole and at least 0."
_COUNTS = (VectorKind.ROWS, VectorKind.VALID)


@dataclass(frozen=True)
class _Branch:
    """Release of the hierarchy, with the group of it in which each of the finest groups lies."""

    place: int  # index among the query's releases
    groups: Int64Vector  # row here of each of the finest groups, or -1
    cells: int  # most of the finest groups in one row


def agreed(
    question: Question, ways: Sequence[Way], releases: tuple[Release, ...], catalog: Catalog
) -> tuple[Release, ...]:
    """Make the releases of a query consistent, if its options request it."""
    if not question.options.consistent:
        return releases
    shared = {plan for plan, _ in parts_that_share(tuple(ways))}
    return agreeing([way.told for way in ways], releases, [i not in shared for i in range(len(ways))], catalog)


def agreed_notes(releases: Sequence[Release]) -> tuple[Note, ...]:
    """Note that numbers were adjusted to be consistent."""
    return (Note(NoteCode.CONSISTENT, NOTE),) if any(release.narrow for release in releases) else ()


def agreeing(
    prepared: Sequence[Prepared], releases: Sequence[Release], apart: Sequence[bool], catalog: Catalog
) -> tuple[Release, ...]:
    """Make releases that are levels of one hierarchy consistent; others are returned unchanged.

        SELECT zone, hour, COUNT(*) ... GROUP BY zone, hour    -- finest level
        SELECT zone, COUNT(*) ... GROUP BY zone                -- its sums over hours, released with noise of its own

    Claim: the estimates are unbiased before they are cut at 0, no linear combination of them has more variance than
    the same one of the released numbers, and details add up to totals exactly. Symbols: `is_independent` = flags of
    releases with independent noise. Formula: x = argmin sum |A_i x - y_i|^2 / sigma_i^2. Source: Hay, Rastogi, Miklau,
    Suciu 2010 (arXiv 0904.0942), section 4, for trees. Raises: ExecutionFailed. Proof: proofs.md#consistency
    """
    able = [i for i, p in enumerate(prepared) if apart[i] and p.plan.key_set is not None and all(releases[i].sigmas)]
    words = {i: told(prepared[i].plan) for i in able}
    below: dict[int, dict[int, Derivation]] = {
        fine: {i: d for i in able if i != fine and (d := derivation(words[i], words[fine], catalog)) is not None}
        for fine in able
    }
    finest = max(below, key=lambda i: len(below[i]), default=None)
    if finest is None or not below[finest]:
        return tuple(releases)
    rows = np.arange(releases[finest].keys.num_rows)
    found = (_branch(i, d, releases[i], releases[finest]) for i, d in below[finest].items())
    branches = [_Branch(finest, rows, 1), *(each for each in found if each is not None)]
    return _agreed(prepared, releases, branches)


def _branch(place: int, derived: Derivation, coarse: Release, fine: Release) -> _Branch | None:
    """Map each of the finest groups to its group in a coarser release; None if such a group has no finest one."""
    tables = {"held": _numbered(fine), "wanted": _numbered(coarse)}
    if derived.pinned and not all_listed(derived, tables):
        return None
    pairs = outer(write_images(derived), tables)
    groups = np.full(fine.keys.num_rows, -1, dtype=np.int64)
    groups[pairs.column("fine").to_numpy()] = pairs.column("coarse").to_numpy()
    cells = np.bincount(groups[groups >= 0], minlength=coarse.keys.num_rows)
    whole = len(cells) > 0 and cells.max() > 0 and (cells.min() > 0 or derived.closed)
    return _Branch(place, groups, int(cells.max())) if whole else None


def _numbered(release: Release) -> pa.Table:
    columns = {f"k{i}": release.keys.column(i) for i in range(release.keys.num_columns)}
    return pa.table({"row": np.arange(len(release.noisy[0])), **columns})


def _agreed(
    prepared: Sequence[Prepared], releases: Sequence[Release], branches: Sequence[_Branch]
) -> tuple[Release, ...]:
    """Adjust every vector that at least two releases of the hierarchy have in common."""
    made = {branch.place: _Making(releases[branch.place]) for branch in branches}
    for text in prepared[branches[0].place].plan.texts:
        some = [branch for branch in branches if text in prepared[branch.place].plan.texts]
        places = {branch.place: prepared[branch.place].plan.texts.index(text) for branch in some}
        kind = prepared[branches[0].place].plan.vectors[places[branches[0].place]].kind
        if len(some) > 1 and kind in SUMS_OVER_GROUPS and _cut_alike(prepared, places):
            _settle(some, places, kind in _COUNTS, releases, made)
    return tuple(made[i].release if i in made else each for i, each in enumerate(releases))


def _cut_alike(prepared: Sequence[Prepared], places: Mapping[int, int]) -> bool:
    """Check that all levels have about the same clipping bias; otherwise details need not add up to totals."""
    pairs = [(prepared[i].plan.vectors[place], prepared[i].bounds.vectors[place]) for i, place in places.items()]
    biases = [0.0 if _loses_rows_alone(vector, bound) else bound.predicted_bias for vector, bound in pairs]
    known = [bias for bias in biases if bias is not None]
    return len(known) == len(biases) and max(known) - min(known) <= ALIKE


def _loses_rows_alone(vector: Vector, bound: VectorBound) -> bool:
    """Check that only rows beyond the query's own limits are dropped, which are the same at every level."""
    return bound.predicted_bias is None and bound.rule is Rule.WITHIN and vector.part is None


@dataclass
class _Making:
    """Release whose vectors are replaced one by one."""

    release: Release

    def put(self, place: int, noisy: Int64Vector, grain: float, narrow: float, shown: Int64Vector | None) -> None:
        """Replace a vector by estimates in finer grains, keeping the released sigma and adding that of one estimate."""
        own = self.release
        sigma = own.sigmas[place] * own.grains[place] / grain
        self.release = replace(
            own,
            noisy=_with(own.noisy, place, NoisyVector(noisy)),
            grains=_with(own.grains, place, grain),
            sigmas=_with(own.sigmas, place, sigma),
            narrow=_with(own.narrow or own.sigmas, place, narrow / grain),
            settled=_with(own.settled or (None,) * len(own.noisy), place, shown),
        )


def _with(some: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*some[:place], value, *some[place + 1 :])


def _settle(
    some: Sequence[_Branch], places: Mapping[int, int], counts: bool, releases: Sequence[Release],
    made: Mapping[int, _Making],
) -> None:  # fmt: skip
    levels = [_level(branch, releases[branch.place], places[branch.place]) for branch in some]
    grain = min(releases[i].grains[place] for i, place in places.items()) / 2**PLACES
    finest = np.rint(nearest(levels) / grain).astype(np.int64)
    shown = whole(never_negative(levels)) if counts else None
    for branch, level in zip(some, levels, strict=True):
        told = 1 / level.sigma**2 + (0.0 if level is levels[0] else 1 / (branch.cells * levels[0].sigma ** 2))
        whole_numbers = None if shown is None else _added(level, shown)
        made[branch.place].put(places[branch.place], _added(level, finest), grain, told**-0.5, whole_numbers)


def _level(branch: _Branch, release: Release, place: int) -> Level:
    values = np.asarray(release.noisy[place] * release.grains[place], dtype=np.float64)
    return Level(branch.groups, values, release.deviations()[place])


def _added(level: Level, finest: Int64Vector) -> Int64Vector:
    inside = level.groups >= 0
    added = np.zeros(len(level.noisy), dtype=np.int64)
    np.add.at(added, level.groups[inside], finest[inside])
    return added
