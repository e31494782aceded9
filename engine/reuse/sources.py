"""Release sources: each release of a query is derived from stored ones, newly charged, or both combined.

Decided by text, catalog, prices and noise scales, and by how many listed groups make one; where released numbers are
subtracted, also by the client's own released numbers; never by an exact number (proofs.md#release-sources).

Noise correlation: which numbers of a query may share the noise of one stored release.

Terms:
    wanted           the release as compiled for the query at its price
    required         standard deviation of its noise per vector, in units: a source must have at most that
    precise          with at most the required noise
    bias             predicted clipping bias of a total, relative and at most 0; None: unknown
    residual         bound on the bias that is left after correction, relative
    equally clipped  with the same clip bounds, biases and grains, so that an average is of one kind of number
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import MIN_QUERY_RHO, PICO
from dialect.algebra import VectorBound
from engine.mechanism.release import Release, release_from_bytes
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.derived_release import (
    DerivedRelease,
    NoiseDeviations,
    linear_combination,
    mean_variances,
    weighted_mean,
)

CompileAtRho = Callable[[Fraction], CompiledRelease]  # compiles the same release at another rho
CombineWithCharged = Callable[
    ["CompiledRelease | None"], "LinearCombination | None"
]  # combines all holdings with a newly charged release
MAX_EXTRA_BIAS = 0.01  # a stored release with this much more bias, as a share of a total, is still accepted
MIN_SAVED_SHARE = 0.05  # share of the price that averaging must save
_MAX_ATTEMPTS = 8


@dataclass(frozen=True)
class LinearCombination:
    """Linear combination of several stored releases, and possibly a new one, that gives a wanted release."""

    derived: tuple[DerivedRelease, ...]
    weights: tuple[Fraction, ...]
    bounds: tuple[VectorBound, ...]  # clip bounds with the bias that clipping may leave
    charged_weights: tuple[Fraction, ...] = ()  # weight of a newly charged release, if there is one


@dataclass(frozen=True)
class ReleaseSource:
    """Source of one release of a query: stored releases it is derived from, a new charge, or both."""

    wanted: CompiledRelease
    derived: tuple[DerivedRelease, ...] = ()  # stored releases that it is derived from
    charged: CompiledRelease | None = None  # release to be charged, unless it is paid
    combination: LinearCombination | None = None  # weights of sources and charged release; None: inverse-variance mean

    def build(self, stored: Mapping[str, bytes]) -> Release:
        """Build the release from stored payloads: as it was stored, or as weighted sum or mean of its sources."""
        charged_release = None if self.charged is None else release_from_bytes(stored[self.charged.release_key])
        if charged_release is not None and not self.derived:
            return charged_release
        releases = [*(each.release for each in self.derived), *([] if charged_release is None else [charged_release])]
        return weighted_mean(releases) if self.combination is None else linear_combination(releases, self.coefficients)

    @property
    def coefficients(self) -> tuple[Fraction, ...]:
        """Coefficient of each source and of the charged release; empty for an inverse-variance mean."""
        return () if self.combination is None else self.combination.weights + self.combination.charged_weights

    def noise_variances(self) -> tuple[float, ...]:
        """Compute the noise variance of each vector, in squared units."""
        deviations = [
            *map(_derived_deviations, self.derived),
            *([] if self.charged is None else [noise_deviations(self.charged)]),
        ]
        if self.combination is None:
            return mean_variances(deviations)
        weighted_squares = (
            [(float(w) * one) ** 2 for one in noise] for w, noise in zip(self.coefficients, deviations, strict=True)
        )
        return tuple(map(sum, zip(*weighted_squares, strict=True)))

    @property
    def reported(self) -> CompiledRelease:
        """The compiled release with the actual bounds and noise of its sources, for reporting."""
        if not self.derived:
            return self.wanted
        vectors = tuple(
            replace(price, sigma=variance**0.5 / bound.grain_size)
            for price, variance, bound in zip(
                self.wanted.cost.vectors, self.noise_variances(), self.wanted.bounds.vectors, strict=True
            )
        )
        bounds = replace(
            self.wanted.bounds, vectors=self.derived[0].bounds if self.combination is None else self.combination.bounds
        )
        return replace(self.wanted, bounds=bounds, cost=replace(self.wanted.cost, vectors=vectors))


def charged_releases(sources: Sequence[ReleaseSource]) -> tuple[CompiledRelease, ...]:
    """List the releases that a query is charged for, unless they are paid already."""
    return tuple(source.charged for source in sources if source.charged is not None)


def choose_source(
    wanted: CompiledRelease,
    candidates: Iterator[DerivedRelease | LinearCombination],
    compile_at_rho: CompileAtRho | None,
    stored_keys: AbstractSet[str],
    combine_with: CombineWithCharged,
) -> ReleaseSource:
    """Choose the source of a release: a stored one, a new charge, or both averaged.

    Claim: what is derived has at most the variance of what is wanted, and the choice is the same when the client holds
    more, bought later; no noise is counted twice. Symbols: candidates in charge order; `stored_keys` = keys of all
    holdings; `combine_with` = combination of all holdings with a newly charged release. Formula: the first candidate
    that is precise enough alone, or averaged with earlier ones of equal clip bounds; else a release at the smallest
    price that is precise enough together with these. Source and proof: proofs.md#release-sources. Raises: nothing.
    """
    required, equally_clipped = noise_deviations(wanted), dict[object, list[DerivedRelease]]()
    free = next(
        (
            source
            for each in candidates
            if (source := _free_source(wanted, each, required, equally_clipped)) is not None
        ),
        None,
    )
    if free is not None or compile_at_rho is None:
        return free or ReleaseSource(wanted, charged=wanted)
    grains = tuple(bound.grain_size for bound in wanted.bounds.vectors)
    same_bounds = equally_clipped.get(_clipping_key(wanted.bounds.vectors, grains), [])

    def mean(charged: CompiledRelease | None) -> ReleaseSource | None:
        """Average the equally clipped holdings with a new charge (None: without); None if there are none."""
        return ReleaseSource(wanted, tuple(same_bounds), charged) if same_bounds else None

    def combined(charged: CompiledRelease | None) -> ReleaseSource | None:
        """Combine all holdings linearly with a new charge (None: without); None if they do not give the rows."""
        combination = combine_with(charged)
        return None if combination is None else ReleaseSource(wanted, combination.derived, charged, combination)

    compiler = _NewReleases(compile_at_rho, stored_keys)
    made = [_with_smaller_charge(wanted, together, required, compiler) for together in (mean, combined)]
    return min(
        (source for source in made if source is not None),
        key=_charged_rho,
        default=ReleaseSource(wanted, charged=wanted),
    )


def _free_source(
    wanted: CompiledRelease,
    candidate: DerivedRelease | LinearCombination,
    required: NoiseDeviations,
    equally_clipped: dict[object, list[DerivedRelease]],
) -> ReleaseSource | None:
    """Source without a charge, if a candidate is precise enough alone or averaged with earlier ones of equal bounds."""
    if isinstance(candidate, LinearCombination):
        source = ReleaseSource(wanted, candidate.derived, None, candidate)
        return source if _is_precise(source.noise_variances(), required) else None
    if not has_similar_bias(candidate.bounds, wanted.bounds.vectors):
        return None
    together = equally_clipped.setdefault(_clipping_key(candidate.bounds, candidate.release.grains), [])
    together.append(candidate)
    sufficient = next(
        (some for some in ([candidate], together) if _is_precise_mean(list(map(_derived_deviations, some)), required)),
        None,
    )
    return None if sufficient is None else ReleaseSource(wanted, tuple(sufficient))


@dataclass(frozen=True)
class _NewReleases:
    """Compiler of new releases that the client does not hold yet: a held one would add no independent noise."""

    compile_at_rho: CompileAtRho
    stored_keys: AbstractSet[str]

    def release(self, rho: Fraction) -> CompiledRelease:
        """Compile a release at a price, slightly raised while the client already holds a release of that price."""
        compiled = self.compile_at_rho(rho)
        while compiled.release_key in self.stored_keys:
            rho += Fraction(len(compiled.plan.vectors), PICO)
            compiled = self.compile_at_rho(rho)
        return compiled


def has_similar_bias(stored: Sequence[VectorBound], wanted: Sequence[VectorBound]) -> bool:
    """Check that the clipping bias of a stored release is at most slightly larger than that of the wanted one."""
    return all(_is_similar(mine, own) for mine, own in zip(stored, wanted, strict=True))


def _is_similar(stored: VectorBound, wanted: VectorBound) -> bool:
    """Check that the clipping bias of a stored vector is about that of the wanted one, or smaller.

    If the wanted bias is unknown, a known one is better, and an equal clip bound has the same one. If only the stored
    bias is unknown, it may be larger.
    """
    if stored.predicted_bias is None or wanted.predicted_bias is None:
        return wanted.predicted_bias is None and (
            stored.predicted_bias is not None or stored.clip_bound == wanted.clip_bound
        )
    max_residual = 2 * (wanted.residual_bias_bound or 0.0) + MAX_EXTRA_BIAS
    return (
        stored.predicted_bias >= wanted.predicted_bias - MAX_EXTRA_BIAS
        and (stored.residual_bias_bound or 0.0) <= max_residual
    )


def _clipping_key(bounds: Sequence[VectorBound], grains: Sequence[float]) -> object:
    """Return the grouping key of equally clipped releases; differently clipped ones are never averaged."""
    return tuple((bound.clip_bound, bound.predicted_bias, bound.residual_bias_bound) for bound in bounds), tuple(grains)


def _is_precise_mean(deviations: Sequence[NoiseDeviations], required: NoiseDeviations) -> bool:
    """Check that the inverse-variance mean of some releases has at most the required noise."""
    return _is_precise(mean_variances(deviations), required)


def _is_precise(noise_variances: Sequence[float], required: NoiseDeviations) -> bool:
    """Check that every vector has at most the required noise."""
    return all(variance <= max_deviation**2 for variance, max_deviation in zip(noise_variances, required, strict=True))


def _charged_rho(source: ReleaseSource) -> Fraction:
    """Return the rho of the newly charged release of a source; 0 without one."""
    return source.charged.cost.loss.rho if source.charged is not None else Fraction(0)


def _with_smaller_charge(
    wanted: CompiledRelease,
    together: Callable[[CompiledRelease | None], ReleaseSource | None],
    required: NoiseDeviations,
    compiler: _NewReleases,
) -> ReleaseSource | None:
    """Charge a release at the smallest price that is precise enough with holdings; None if little is saved.

    `together` builds the source from the holdings and a charge (None: without). Precisions, which are inverse variances
    and proportional to rho, add up: the holdings lack `missing_share` of the required precision. Rounding may leave the
    first price short, so it is raised by a thousandth, _MAX_ATTEMPTS times at most.
    """
    free_source = together(None)
    if free_source is None:
        return None
    missing_share = max(
        1 - max_deviation**2 / variance
        for variance, max_deviation in zip(free_source.noise_variances(), required, strict=True)
    )
    rho = max(wanted.cost.loss.rho * Fraction(missing_share), MIN_QUERY_RHO)
    for _ in range(_MAX_ATTEMPTS):
        if rho > wanted.cost.loss.rho * Fraction(1 - MIN_SAVED_SHARE):
            break
        charged = compiler.release(rho)
        source = together(charged) if charged.bounds == wanted.bounds else None
        if source is not None and _is_precise(source.noise_variances(), required):
            return source
        rho *= Fraction(1001, 1000)
    return None


def noise_deviations(compiled: CompiledRelease) -> NoiseDeviations:
    """Noise of each vector of a compiled release at its price, as standard deviations in units."""
    pairs = zip(compiled.cost.vectors, compiled.bounds.vectors, strict=True)
    return tuple(cost.deviation(bound) for cost, bound in pairs)


def _derived_deviations(derived: DerivedRelease) -> NoiseDeviations:
    """Return the noise of each vector of a derived release, as standard deviations in units."""
    return derived.release.deviations()


def correlated_vectors(release_sources: tuple[ReleaseSource, ...]) -> Mapping[tuple[int, int], int]:
    """Noise correlation: label the vectors of different releases that are derived from one stored release.

    Maps (release index, vector index) to the label of its correlated set, which is the smallest release index in it;
    vectors of independent releases are absent. Correlation is transitive here: sets that overlap are merged.
    """
    plans_by_key: dict[str, set[int]] = {}
    for i, source in enumerate(release_sources):
        keys = [each.release_key for each in source.derived] + ([source.charged.release_key] if source.charged else [])
        for key in keys:
            plans_by_key.setdefault(key, set()).add(i)
    labels = list(range(len(release_sources)))
    for plans in plans_by_key.values():
        # releases that share this key get one label, and all that already had one of their labels follow
        least = min(labels[i] for i in plans)
        labels = [least if label in {labels[i] for i in plans} else label for label in labels]
    shared_labels = {label for label in labels if labels.count(label) > 1}
    return {
        (i, vector): labels[i]
        for i, source in enumerate(release_sources)
        if labels[i] in shared_labels
        for vector in range(len(source.wanted.plan.vectors))
    }


def sign_conflicts(sources: Sequence[ReleaseSource]) -> list[int]:
    """List the combined sources that may contain another one's noise with the opposite sign.

    Claim: without any, noise shared by two sources has coefficients of one sign in both. Raises: nothing. Proof:
    dialect/postprocess/proofs.md#shared-noise
    """
    signs = [_signs(source) for source in sources]
    others = [[theirs for j, theirs in enumerate(signs) if j != i] for i in range(len(sources))]
    return [
        i
        for i, source in enumerate(sources)
        if source.combination and any(_has_opposite_signs(signs[i], each) for each in others[i])
    ]


SignsByKey = Mapping[str, AbstractSet[bool]]  # release key -> signs of its coefficients (True: added)


def _has_opposite_signs(mine: SignsByKey, theirs: SignsByKey) -> bool:
    """Check whether a release that both sources share has coefficients of both signs."""
    # more than one sign: added somewhere and subtracted elsewhere
    return any(len(mine[key] | theirs[key]) > 1 for key in mine.keys() & theirs.keys())


def _signs(source: ReleaseSource) -> SignsByKey:
    """Signs of the coefficients of each stored or charged release in a source; an average adds all of them."""
    keys = [each.release_key for each in source.derived] + ([source.charged.release_key] if source.charged else [])
    signs: dict[str, set[bool]] = {}
    for key, coefficient in zip(keys, source.coefficients or [Fraction(1)] * len(keys), strict=True):
        signs.setdefault(key, set()).add(coefficient > 0)
    return signs
