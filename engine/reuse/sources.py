"""Release sources: each release of a query is replayed, derived from a stored one, or newly charged.

Decided by text, catalog, prices and noise scales, and by how many listed groups make one; never by a released or an
exact number (proofs.md#release-sources).

Noise correlation: which numbers of a query may share the noise of one stored release.

Terms:
    wanted    the release as compiled for the query at its price
    bias      predicted clipping bias of a total, relative and at most 0; None: unknown
    residual  bound on the bias that is left after correction, relative
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dialect.algebra import VectorBound
from engine.mechanism.release import Release, ReleaseDescription, release_from_bytes
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.derived_release import DerivedRelease

MAX_EXTRA_BIAS = 0.01  # a stored release with this much more bias, as a share of a total, is still accepted


@dataclass(frozen=True)
class ReleaseSource:
    """Source of one release of a query: the stored release it is derived from, or the wanted release itself."""

    wanted: CompiledRelease
    derived: DerivedRelease | None = None  # None: the wanted release, which is charged unless it is paid
    measured: Release | None = None  # its numbers, where its clip bounds were chosen from a profile

    @property
    def release_key(self) -> str:
        """Key of the release that the numbers come from."""
        return self.wanted.release_key if self.derived is None else self.derived.release_key

    def build(self, stored: Mapping[str, bytes]) -> Release:
        """Build the release: derived, or as it is in the stored payloads."""
        return release_from_bytes(stored[self.release_key]) if self.derived is None else self.derived.release

    @cached_property
    def reported(self) -> CompiledRelease:
        """Return the compiled release with the actual bounds and noise of its source, for reporting."""
        if self.derived is not None:
            release, own_bounds, profile = self.derived.release, self.derived.bounds, None
        elif self.measured is not None and self.measured.description is not None:
            release, description, profile = self.measured, self.measured.description, self.wanted.profile
            own_bounds = stored_bounds(self.wanted, description, range(len(self.wanted.bounds.vectors)))
        else:
            return _before_profile(self.wanted)
        rows = zip(self.wanted.cost.vectors, release.deviations(), self.wanted.bounds.vectors, strict=True)
        vectors = tuple(replace(price, sigma=deviation / bound.grain_size) for price, deviation, bound in rows)
        bounds = replace(self.wanted.bounds, vectors=own_bounds)
        return replace(self.wanted, bounds=bounds, cost=replace(self.wanted.cost, vectors=vectors), profile=profile)

    def with_measured(self, release: Release) -> ReleaseSource:
        """Return the same source with its numbers, if they say more than the compiled release."""
        is_profiled = self.derived is None and self.wanted.profile is not None
        return replace(self, measured=release) if is_profiled else self


def _before_profile(wanted: CompiledRelease) -> CompiledRelease:
    """Return a release with the bias of the clip bounds that its profile will choose: numbers are corrected for it."""
    profiled = frozenset[int]() if wanted.profile is None else wanted.unpriced_release.profiled_vectors
    vectors = tuple(
        replace(bound, predicted_bias=0.0, key_reason="chosen after the profile", plain_reason="")
        if i in profiled
        else bound
        for i, bound in enumerate(wanted.bounds.vectors)
    )
    return replace(wanted, bounds=replace(wanted.bounds, vectors=vectors)) if profiled else wanted


def with_measured(sources: Sequence[ReleaseSource], releases: Sequence[Release]) -> tuple[ReleaseSource, ...]:
    """Return the same sources with their numbers, where a profile chose clip bounds."""
    return tuple(source.with_measured(release) for source, release in zip(sources, releases, strict=True))


def stored_bounds(
    wanted: CompiledRelease, meaning: ReleaseDescription, places: Iterable[int]
) -> tuple[VectorBound, ...]:
    """Clip bounds and bias of a stored release, for each vector of the wanted one.

    `places` = index of the stored vector for each wanted one. The description's fields `norms`, `biases`, `withins` and
    `whys` hold clip bounds, predicted biases, residual bias bounds and reasons; old releases have no `withins`.
    """
    bounds = list[VectorBound]()
    for own, place in zip(wanted.bounds.vectors, places, strict=True):
        clip_bound, bias = meaning.norms[place], meaning.biases[place]
        residual = meaning.withins[place] if meaning.withins else None
        why = meaning.whys[place]
        made = replace(
            own, clip_bound=clip_bound, predicted_bias=bias, residual_bias_bound=residual, key_reason=why,
            plain_reason="",
        )  # fmt: skip
        bounds.append(made)
    return tuple(bounds)


def charged_releases(sources: Sequence[ReleaseSource]) -> tuple[CompiledRelease, ...]:
    """List the releases that a query is charged for, unless they are paid already."""
    return tuple(source.wanted for source in sources if source.derived is None)


def is_precise_enough(derived: DerivedRelease, wanted: CompiledRelease) -> bool:
    """Return whether a derived release has at most the noise of the wanted one, and about its clipping bias.

    Claim: no number has more noise than the price would buy; where a profile is to choose a clip bound, at that of the
    derived release. Proof: proofs.md#release-sources
    """
    rows = zip(derived.release.deviations(), derived.bounds, wanted.cost.vectors, wanted.bounds.vectors, strict=True)
    profiled = wanted.unpriced_release.profiled_vectors
    return has_similar_bias(derived.bounds, wanted.bounds.vectors) and all(
        deviation <= price.deviation(bound) * (min(1.0, own.clip_bound / bound.clip_bound) if i in profiled else 1.0)
        for i, (deviation, own, price, bound) in enumerate(rows)
    )


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


def correlated_vectors(sources: Sequence[ReleaseSource]) -> Mapping[tuple[int, int], int]:
    """Noise correlation: label the vectors of different releases that come from one stored release.

    Maps (release index, vector index) to the label of its correlated set, which is the smallest release index in it;
    vectors of independent releases are absent.
    """
    keys = [source.release_key for source in sources]
    return {
        (i, vector): keys.index(source.release_key)
        for i, source in enumerate(sources)
        if keys.count(source.release_key) > 1
        for vector in range(len(source.wanted.plan.vectors))
    }
