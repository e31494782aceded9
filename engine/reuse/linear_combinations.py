"""Optimal linear combination: wanted rows as sums and differences of the rows of stored releases.

    -- stored: counts of all rows, and of rows with age >= 18
    -- wanted: WHERE age < 18    -- all rows minus the adults

The combination is decided by conditions, key sets, noise scales and released numbers (proofs.md#linear-combinations).

Terms:
    row set      rows that a stored release, or a part of it, counts; given by its conditions
    pattern      of one kind of row: is it wanted, then is it in each row set (module `weights`)
    direct       of a source that counts just the wanted rows, whose bias needs no propagation
    bias share   share of a total by which clipping may bias it
    required     standard deviation of the wanted release's noise, in units: what is derived may have no more
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from dialect import Catalog
from dialect.algebra import QueryVector, VectorBound, VectorKind
from dialect.planner.reuse import CanonicalPlan, Decompositions, Derivation, RowSets, StoredPart, stored_parts
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.derived_release import MIN_SUMMED_SIGMA, DerivedRelease
from engine.reuse.holdings import Holdings, StoredRelease
from engine.reuse.sources import MAX_EXTRA_BIAS, LinearCombination, has_similar_bias, noise_deviations
from engine.reuse.weights import Pattern, is_reachable, least_variance_weights

MIN_ROW_SETS = 2  # fewest other row sets in a combination
MAX_SEARCHED_RELEASES = 32  # most stored releases searched, of the same plan and of others; the oldest first
INVISIBLE_BIAS_SHARE = 0.1  # of a standard deviation: a smaller bias has no visible effect on an interval
MARGIN_DEVIATIONS = 3.0  # standard deviations of margin where released totals decide
_NEVER_NEGATIVE = (VectorKind.ROWS, VectorKind.VALID)
DeriveRelease = Callable[[StoredRelease, Derivation], DerivedRelease | None]


@dataclass(frozen=True)
class _RowSet:
    """Row set of one stored release (or a part of it), a column of the weight equations."""

    index: int  # index of the release in the holdings
    stored: StoredRelease
    part: StoredPart


class CombinationSearch:
    """Search for linear combinations of a client's holdings that give a wanted release."""

    def __init__(
        self,
        wanted: CompiledRelease,
        matchable_plan: CanonicalPlan,
        holdings: Holdings,
        catalog: Catalog,
        derive: DeriveRelease,
        condition_reader: Decompositions | None = None,
    ) -> None:
        self.wanted, self.matchable_plan, self.holdings, self.catalog, self.derive = (
            wanted,
            matchable_plan,
            holdings,
            catalog,
            derive,
        )
        self._derived: dict[int, DerivedRelease | None] = {}
        self._row_sets, self._searched_count, self._usable = RowSets(condition_reader), 0, list[int]()
        self._row_sets.add(matchable_plan.conditions)  # the wanted set comes first, as in a Pattern of `weights`

    def combine_up_to(self, index: int, charged: CompiledRelease | None = None) -> LinearCombination | None:
        """Combine the holdings up to an index, and optionally a new charge; None if they do not give the wanted rows.

        Claim: without bounds and noise the numbers are the wanted ones, on every data set; noise is independent, each
        counted once. Symbols: `index` = index in charge order, rising from call to call; the number of holdings means
        all of them. Formula: that of `least_variance_weights`. Source and proof: proofs.md#linear-combinations. Raises:
        ExecutionFailed.

        Each call adds the row sets that are new since the last; without a new one it repeats no search, except at the
        end.
        """
        added = [
            i
            for i, each in enumerate(self._candidate_row_sets[self._searched_count :], self._searched_count)
            if each.index <= index
        ]
        self._searched_count += len(added)
        self._usable += [i for i in added if self._row_sets.add(self._candidate_row_sets[i].part.conditions)]
        if len(self._usable) < MIN_ROW_SETS or not (added or index == len(self.holdings.releases)):
            return None  # nothing new since the last call
        patterns = self._row_sets.patterns()
        if not _is_reachable_without_wanted(patterns):
            return None
        derivable = [i for i, part in enumerate(self._usable) if self._derive(part) is not None]
        patterns = tuple(_restricted(patterns, derivable))
        return (
            self._combine([self._usable[i] for i in derivable], patterns, charged)
            if _is_reachable_without_wanted(patterns)
            else None
        )

    @cached_property
    def _candidate_row_sets(self) -> list[_RowSet]:
        """Row sets of the oldest holdings that differ from the wanted rows in conditions alone."""
        row_sets, searched = list[_RowSet](), Counter[bool]()
        for index, stored in enumerate(self.holdings.releases):
            has_same_plan = stored.has_plan(self.wanted.plan)
            parts = (
                stored_parts(self.matchable_plan, stored.matchable_plan)
                if searched[has_same_plan] < MAX_SEARCHED_RELEASES
                else ()
            )
            searched[has_same_plan] += bool(parts)
            row_sets += [_RowSet(index, stored, part) for part in parts]
        return row_sets

    def _derive(self, set_index: int) -> DerivedRelease | None:
        """Derive the numbers of a row set, cached; None if that is impossible or its noise too narrow to sum."""
        if set_index not in self._derived:
            row_set = self._candidate_row_sets[set_index]
            derivation = row_set.part.find_derivation(self.catalog)
            release = None if derivation is None else self.derive(row_set.stored, derivation)
            has_enough_noise = release is not None and min(release.release.sigmas) >= MIN_SUMMED_SIGMA
            self._derived[set_index] = release if has_enough_noise else None
        return self._derived[set_index]

    def _combine(
        self, derivable: Sequence[int], patterns: Sequence[Pattern], charged: CompiledRelease | None
    ) -> LinearCombination | None:
        """Combine derived releases, and a new charge, by least-variance weights; None without weights or a known bias.

        The charge counts just the wanted rows: its column in a pattern repeats the wanted one. Added sources come
        before subtracted ones. Variances are relative to the required ones, summed over vectors.
        """
        releases = [each for each in map(self._derive, derivable) if each is not None]
        extended = [(*each, *([each[0]] if charged else [])) for each in patterns]
        required = noise_deviations(self.wanted)
        deviations = [each.release.deviations() for each in releases] + ([noise_deviations(charged)] if charged else [])
        weights = least_variance_weights(
            extended,
            [
                sum((a / b) ** 2 for a, b in zip(each_deviations, required, strict=True))
                for each_deviations in deviations
            ],
        )
        # a new charge of weight 0 would be paid for nothing
        if weights is None or (charged is not None and not weights[-1]):
            return None
        # False sorts before True: added sources first
        used = sorted((i for i in range(len(derivable)) if weights[i]), key=lambda i: weights[i] < 0)
        is_direct = [all(each[i + 1] == each[0] for each in extended) for i in used]
        combination = LinearCombination(tuple(releases[i] for i in used), tuple(weights[i] for i in used), ())
        charged_weights = () if charged is None else (weights[-1],)
        bounds = _combined_bounds(self.wanted, combination, is_direct, charged)
        return None if bounds is None else replace(combination, bounds=bounds, charged_weights=charged_weights)


def _is_reachable_without_wanted(patterns: Sequence[Pattern]) -> bool:
    """Check whether the wanted rows are a combination of MIN_ROW_SETS or more row sets other than themselves.

    Stored releases of just the wanted rows are averaged elsewhere and would make every search succeed.
    """
    sets = range(len(patterns[0]) - 1 if patterns else 0)
    others = [i for i in sets if any(each[i + 1] != each[0] for each in patterns)]
    return len(others) >= MIN_ROW_SETS and is_reachable(tuple(_restricted(patterns, others)))


def _restricted(patterns: Sequence[Pattern], columns: Sequence[int]) -> Iterator[Pattern]:
    """Restrict the patterns to some row sets; kinds of rows in none of them, and not wanted, are dropped."""
    restricted = ((each[0], *(each[i + 1] for i in columns)) for each in patterns)
    yield from dict.fromkeys(each for each in restricted if any(each))


def _combined_bounds(
    wanted: CompiledRelease, combination: LinearCombination, is_direct: Sequence[bool], charged: CompiledRelease | None
) -> tuple[VectorBound, ...] | None:
    """Propagate clipping-bias bounds through a combination; None if they are unknown or too large.

    Claim: if each release is off by at most the share of its total that its bounds state, the wanted total is off by
    at most the share returned; where something is subtracted, provided that released totals are within three
    deviations. Symbols: `is_direct` = sources of just the wanted rows, as the new charge is; of the others c_i =
    weights, b = largest share, N_i = totals. Formula: b sum |c_i| N_i / sum c_i N_i. Raises: nothing.
    Proof: proofs.md#linear-combinations.
    """
    direct_bounds = [each.bounds for each, is_alone in zip(combination.derived, is_direct, strict=True) if is_alone]
    direct_bounds += [] if charged is None else [charged.bounds.vectors]
    # releases of just the wanted rows are averaged by inverse variance elsewhere, not here
    if all(is_direct) or not all(has_similar_bias(bounds, wanted.bounds.vectors) for bounds in direct_bounds):
        return None
    pairs = zip(combination.derived, combination.weights, is_direct, strict=True)
    others = [(source, weight) for source, weight, is_alone in pairs if not is_alone]
    vectors = enumerate(zip(wanted.plan.vectors, wanted.bounds.vectors, noise_deviations(wanted), strict=True))
    per_vector = [_bound_of_vector(others, place, *of) for place, of in vectors]
    known = [each for each in per_vector if each is not None]
    if len(known) < len(per_vector):
        return None
    return tuple(_worst_bound([each, *(bounds[i] for bounds in direct_bounds)]) for i, each in enumerate(known))


_WeightedSources = Sequence[tuple[DerivedRelease, Fraction]]  # stored releases of other rows, with their weights


def _bound_of_vector(
    others: _WeightedSources, index: int, vector: QueryVector, own: VectorBound, required: float
) -> VectorBound | None:
    """Bias bound of one vector of a combination; None if it is unknown or too large.

    Without clipping bias anywhere signs do not matter. Otherwise shares of a total only bound a combination of numbers
    that can't be negative: counts, and sums of values from 0 on. Sums of such numbers keep the worst share, differences
    need the released totals.
    """
    bounds = [source.bounds[index] for source, _ in others]
    # None: unknown bias
    if any(bound.predicted_bias is None for bound in bounds):
        return None
    worst = _worst_bound(bounds)
    largest_share = max(_bias_share(bound) for bound in bounds)
    if not largest_share:
        return worst
    if vector.kind not in _NEVER_NEGATIVE and not (vector.kind is VectorKind.SUM and vector.lower >= 0):
        return None
    if all(weight > 0 for _, weight in others):
        return worst if has_similar_bias([worst], [own]) else None
    return _bound_of_difference(others, index, largest_share, worst, own, required)


def _bias_share(bound: VectorBound) -> float:
    """Largest share of a total by which clipping may bias a number."""
    return (bound.residual_bias_bound or 0.0) - (bound.predicted_bias or 0.0)


def _worst_bound(bounds: Sequence[VectorBound]) -> VectorBound:
    """First of the bounds with the worst predicted bias (None: one is unknown) and the largest residual bound."""
    residual_bounds = [bound.residual_bias_bound for bound in bounds if bound.residual_bias_bound is not None]
    biases = [bound.predicted_bias for bound in bounds if bound.predicted_bias is not None]
    # biases are at most 0: the smallest is the worst
    worst = min(biases) if len(biases) == len(bounds) else None
    return replace(
        bounds[0], predicted_bias=worst, residual_bias_bound=max(residual_bounds) if residual_bounds else None
    )


def _bound_of_difference(
    others: _WeightedSources, index: int, largest_share: float, worst: VectorBound, own: VectorBound, required: float
) -> VectorBound | None:
    """Bias bound of a difference, from released totals moved by three deviations against it; None if too large."""
    numbers = [float(w) * source.release.noisy[index] * source.release.grains[index] for source, w in others]
    margin = MARGIN_DEVIATIONS * float(
        np.linalg.norm([float(w) * source.release.deviations()[index] for source, w in others])
    )
    total, total_margin = sum(float(each.sum()) for each in numbers), margin * len(numbers[0]) ** 0.5
    least_total = total - total_margin
    share = (
        largest_share * (sum(abs(float(each.sum())) for each in numbers) + total_margin) / least_total
        if least_total > 0
        else np.inf
    )
    largest_bias = largest_share * (float(np.abs(np.stack(numbers)).sum(axis=0).max()) + margin)
    is_small = share <= _bias_share(own) + (own.residual_bias_bound or 0.0) + MAX_EXTRA_BIAS
    if not is_small and largest_bias > INVISIBLE_BIAS_SHARE * required:
        return None
    why = (
        f"{worst.key_reason}, in each of the answers taken off each other,"
        f" which moves no number by more than {largest_bias:,.3g}"
    )
    plain = f"{worst.reason}, in each of the subtracted answers, which moves no number by more than {largest_bias:,.3g}"
    return replace(
        worst, predicted_bias=0.0, residual_bias_bound=share if is_small else None, key_reason=why, plain_reason=plain
    )
