"""Optimal linear combination: wanted rows as sums and differences of the rows of stored releases.

    -- stored: counts of all rows, and of rows with age >= 18
    -- wanted: WHERE age < 18    -- all rows minus the adults

The combination is decided by conditions, key sets, noise scales and released numbers (proofs.md#linear-combinations).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from dialect import Catalog
from dialect.algebra import Vector, VectorBound, VectorKind
from dialect.planner.reuse import Derivation, Part, Read, RowSets, Told, held_parts
from engine.pricing.prepare import Prepared
from engine.reuse.combine import LEAST_SIGMA, Made
from engine.reuse.holdings import Held, Shelf
from engine.reuse.sources import LARGEST_MORE_BIAS, Combined, as_little_cut, asked_of
from engine.reuse.weights import Pattern, reachable, weights_of

LEAST_PARTED = 2  # fewest other row sets in a combination
MOST_PARTED = 32  # most stored releases searched, of the same plan and of others; the oldest first
UNSEEN = 0.1  # of a standard deviation: a smaller bias has no visible effect on an interval
SURE = 3.0  # standard deviations of margin where released totals decide
_NOT_BELOW_0 = (VectorKind.ROWS, VectorKind.VALID)
Making = Callable[[Held, Derivation], Made | None]


@dataclass(frozen=True)
class _Column:
    """Row set of one stored release (or a part of it), a column of the weight equations."""

    place: int  # index of the release in the holdings
    held: Held
    part: Part


class Combining:
    """Search for linear combinations of a client's holdings that give a wanted release."""

    def __init__(
        self, wanted: Prepared, own: Told, shelf: Shelf, catalog: Catalog, making: Making, read: Read | None = None
    ) -> None:
        self.wanted, self.own, self.shelf, self.catalog, self.making = wanted, own, shelf, catalog, making
        self._made: dict[int, Made | None] = {}
        self._sets, self._seen, self._fitting = RowSets(read), 0, list[int]()
        self._sets.add(own.conditions)  # the wanted set comes first, as in a Pattern of `weights`

    def through(self, place: int, bought: Prepared | None = None) -> Combined | None:
        """Combine the holdings up to a place, and optionally a new charge; None if they do not give the wanted rows.

        Claim: without bounds and noise the numbers are the wanted ones, on every data set; noise is independent, each
        counted once. Symbols: `index` = index in charge order, rising from call to call; the number of holdings means
        all of them. Formula: that of `least_variance_weights`. Source and proof: proofs.md#linear-combinations. Raises:
        ExecutionFailed.
        """
        more = [i for i, each in enumerate(self._parted[self._seen :], self._seen) if each.place <= place]
        self._seen += len(more)
        self._fitting += [i for i in more if self._sets.add(self._parted[i].part.conditions)]
        if len(self._fitting) < LEAST_PARTED or not (more or place == len(self.shelf.held)):
            return None  # nothing new since the last call
        patterns = self._sets.patterns()
        if not _says_more(patterns):
            return None
        able = [i for i, part in enumerate(self._fitting) if self._of(part) is not None]
        patterns = tuple(_only(patterns, able))
        return self._combined([self._fitting[i] for i in able], patterns, bought) if _says_more(patterns) else None

    @cached_property
    def _parted(self) -> list[_Column]:
        """Row sets of the oldest holdings that differ from the wanted rows in conditions alone."""
        found, parted = list[_Column](), Counter[bool]()
        for place, held in enumerate(self.shelf.held):
            own = held.says(self.wanted.plan)
            parts = held_parts(self.own, held.told) if parted[own] < MOST_PARTED else ()
            parted[own] += bool(parts)
            found += [_Column(place, held, part) for part in parts]
        return found

    def _of(self, column: int) -> Made | None:
        """Derive the numbers of a row set, cached; None if that is impossible or its noise too narrow to sum."""
        if column not in self._made:
            of = self._parted[column]
            derived = of.part.derivation(self.catalog)
            made = None if derived is None else self.making(of.held, derived)
            wide = made is not None and min(made.release.sigmas) >= LEAST_SIGMA
            self._made[column] = made if wide else None
        return self._made[column]

    def _combined(self, able: Sequence[int], patterns: Sequence[Pattern], bought: Prepared | None) -> Combined | None:
        made = [each for each in map(self._of, able) if each is not None]
        tried = [(*each, *([each[0]] if bought else [])) for each in patterns]
        asked = asked_of(self.wanted)
        noises = [each.release.deviations() for each in made] + ([asked_of(bought)] if bought else [])
        weights = weights_of(tried, [sum((a / b) ** 2 for a, b in zip(noise, asked, strict=True)) for noise in noises])
        if weights is None or (bought is not None and not weights[-1]):
            return None
        used = sorted((i for i in range(len(able)) if weights[i]), key=lambda i: weights[i] < 0)
        direct = [all(each[i + 1] == each[0] for each in tried) for i in used]
        held = Combined(tuple(made[i] for i in used), tuple(weights[i] for i in used), ())
        own = () if bought is None else (weights[-1],)
        bounds = _carried(self.wanted, held, direct, bought)
        return None if bounds is None else replace(held, bounds=bounds, own=own)


def _says_more(patterns: Sequence[Pattern]) -> bool:
    """Check whether the wanted rows are a combination of row sets other than themselves."""
    sets = range(len(patterns[0]) - 1 if patterns else 0)
    others = [i for i in sets if any(each[i + 1] != each[0] for each in patterns)]
    return len(others) >= LEAST_PARTED and reachable(tuple(_only(patterns, others)))


def _only(patterns: Sequence[Pattern], columns: Sequence[int]) -> Iterator[Pattern]:
    """Restrict the patterns to some row sets; kinds of rows in none of them, and not wanted, are dropped."""
    found = ((each[0], *(each[i + 1] for i in columns)) for each in patterns)
    yield from dict.fromkeys(each for each in found if any(each))


def _carried(
    wanted: Prepared, held: Combined, direct: Sequence[bool], bought: Prepared | None
) -> tuple[VectorBound, ...] | None:
    """Propagate clipping-bias bounds through a combination; None if they are unknown or too large.

    Claim: if each release is off by at most the share of its total that its bounds state, the wanted total is off by
    at most the share returned; where something is subtracted, provided that released totals are within three
    deviations. Symbols: `is_direct` = sources of just the wanted rows, as the new charge is; of the others c_i =
    weights, b = largest share, N_i = totals. Formula: b sum |c_i| N_i / sum c_i N_i. Raises: nothing.
    Proof: proofs.md#linear-combinations.
    """
    whole = [each.bounds for each, alone in zip(held.sources, direct, strict=True) if alone]
    whole += [] if bought is None else [bought.bounds.vectors]
    if all(direct) or not all(as_little_cut(bounds, wanted.bounds.vectors) for bounds in whole):
        return None
    pairs = zip(held.sources, held.weights, direct, strict=True)
    others = [(source, weight) for source, weight, alone in pairs if not alone]
    vectors = enumerate(zip(wanted.plan.vectors, wanted.bounds.vectors, asked_of(wanted), strict=True))
    made = [_of_vector(others, place, *of) for place, of in vectors]
    known = [each for each in made if each is not None]
    if len(known) < len(made):
        return None
    return tuple(_worst([each, *(bounds[i] for bounds in whole)]) for i, each in enumerate(known))


_Others = Sequence[tuple[Made, Fraction]]  # stored releases of other rows, with their weights


def _of_vector(others: _Others, place: int, vector: Vector, own: VectorBound, asked: float) -> VectorBound | None:
    bounds = [source.bounds[place] for source, _ in others]
    if any(bound.predicted_bias is None for bound in bounds):
        return None
    told = _worst(bounds)
    most = max(_share(bound) for bound in bounds)
    if not most:
        return told
    if vector.kind not in _NOT_BELOW_0 and not (vector.kind is VectorKind.SUM and vector.lower >= 0):
        return None
    if all(weight > 0 for _, weight in others):
        return told if as_little_cut([told], [own]) else None
    return _of_difference(others, place, most, told, own, asked)


def _share(bound: VectorBound) -> float:
    """Largest share of a total by which clipping may bias a number."""
    return (bound.bias_within or 0.0) - (bound.predicted_bias or 0.0)


def _worst(bounds: Sequence[VectorBound]) -> VectorBound:
    withins = [bound.bias_within for bound in bounds if bound.bias_within is not None]
    biases = [bound.predicted_bias for bound in bounds if bound.predicted_bias is not None]
    worst = min(biases) if len(biases) == len(bounds) else None
    return replace(bounds[0], predicted_bias=worst, bias_within=max(withins) if withins else None)


def _of_difference(
    others: _Others, place: int, most: float, told: VectorBound, own: VectorBound, asked: float
) -> VectorBound | None:
    """Bias bound of a difference, from released totals moved by three deviations against it; None if too large."""
    numbers = [float(w) * source.release.noisy[place] * source.release.grains[place] for source, w in others]
    away = SURE * float(np.linalg.norm([float(w) * source.release.deviations()[place] for source, w in others]))
    total, whole = sum(float(each.sum()) for each in numbers), away * len(numbers[0]) ** 0.5
    least = total - whole
    share = most * (sum(abs(float(each.sum())) for each in numbers) + whole) / least if least > 0 else np.inf
    moved = most * (float(np.abs(np.stack(numbers)).sum(axis=0).max()) + away)
    small = share <= _share(own) + (own.bias_within or 0.0) + LARGEST_MORE_BIAS
    if not small and moved > UNSEEN * asked:
        return None
    why = f"{told.why}, in each of the answers taken off each other, which moves no number by more than {moved:,.3g}"
    plain = f"{told.reason}, in each of the subtracted answers, which moves no number by more than {moved:,.3g}"
    return replace(told, predicted_bias=0.0, bias_within=share if small else None, why=why, plain_why=plain)
