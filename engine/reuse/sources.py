"""Release sources: each release of a query is replayed, derived from a stored one, or newly charged.

Decided by text, catalog, prices and noise scales, and by how many listed groups make one; never by a released or an
exact number (proofs.md#release-sources).

Sources are chosen by view matching: which releases can be computed from what the client holds. Noise correlation:
which numbers of a query may share the noise of one stored release. A derived release is sums over the groups of a
stored one: a function of released numbers, noise scales and public key sets (proofs.md#derived-releases).

Terms:
    wanted      the release as compiled for the query at its price
    holdings    stored releases of the client, in charge order
    derivation  how a wanted release is summed from the groups of a stored one
    bias        predicted clipping bias of a total, relative and at most 0; None: unknown
    residual    bound on the bias that is left after correction, relative
    grain       unit of a release's noisy integers, as a fraction of the vector's unit
    sigma       scale of the noise, in grains
    pinned key  key of the stored release that the wanted one sums over or fixes: all its values must be there
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa

from budgets import Ledger
from dialect import Catalog, Question
from dialect.algebra import Note, NoteCode, PrivatePlan, VectorBound
from dialect.codegen import write_derived_release, write_pinned_counts
from dialect.codegen.relations import write_rows
from dialect.parser import strip_comments
from dialect.planner.reuse import CanonicalPlan, Derivation, canonical_plan, find_derivation
from engine.backends.lockdown import run_outer
from engine.backends.protocol import Backend
from engine.errors import TooLarge, refuse_before_charge
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release, ReleaseDescription, release_from_bytes
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.holdings import (
    Holdings,
    RecoveredPlans,
    ScheduledKeys,
    StoredRelease,
    find_holdings,
    no_scheduled_keys,
)

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


DISPLAYED_KEY_CHARACTERS = 12  # displayed characters of a release key
MAX_MATCHED_RELEASES = 64  # most matching stored releases searched, of the same plan and of others; the oldest first


@dataclass(frozen=True)
class ViewMatcher:
    """View matcher over a client's holdings."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    recovered_plans: RecoveredPlans
    scheduled_keys: ScheduledKeys = no_scheduled_keys  # scheduled releases that a client may read

    def choose_sources(self, compiled: tuple[CompiledRelease, ...], client: str) -> tuple[ReleaseSource, ...]:
        """Choose the source of each release of a query for a client. Raises Refusal if the search is too expensive.

        Claim: what is derived has at most the noise of what is wanted, and the choice is the same when the client holds
        more, bought later. Formula: the first stored release, in charge order, that is precise enough. Source and
        proof: proofs.md#release-sources
        """
        if not compiled:
            return ()
        dataset = compiled[0].plan.dataset
        holdings = find_holdings(
            self.ledger, client, dataset, self.catalog, self.recovered_plans, self.scheduled_keys(client, dataset)
        )
        paid_keys = holdings.paid_keys()
        with refuse_before_charge(TooLarge.HOLDINGS):
            return tuple(
                ReleaseSource(p) if p.release_key in paid_keys else self._choose_source(p, holdings) for p in compiled
            )

    def _choose_source(self, wanted: CompiledRelease, holdings: Holdings) -> ReleaseSource:
        """Source of one release that is not stored under its own key.

        Private keys are always charged: a stored release lacks the keys below its threshold.
        """
        if wanted.plan.key_set is None:
            return ReleaseSource(wanted)
        derived = _HoldingsSearch(self, wanted, holdings).derived_releases()
        return ReleaseSource(wanted, next((each for each in derived if is_precise_enough(each, wanted)), None))


class _HoldingsSearch:
    """Search of a client's holdings for one wanted release."""

    def __init__(self, matcher: ViewMatcher, wanted: CompiledRelease, holdings: Holdings) -> None:
        self.matcher, self.wanted = matcher, wanted
        # else a repeat would match other releases of the same charge first
        self.holdings = holdings.same_plan_first(wanted.plan)

    @cached_property
    def matchable_plan(self) -> CanonicalPlan:
        """The plan of the wanted release in canonical form."""
        return canonical_plan(self.wanted.plan)

    @cached_property
    def key_table(self) -> pa.Table:
        """Public key set of the wanted release, as a table k0, k1, ..."""
        return read_key_set(self.wanted.plan, self.matcher.backend)

    def derived_releases(self) -> Iterator[DerivedRelease]:
        """Iterate over releases derived from one stored release each, in charge order."""
        matched = Counter[bool]()  # number of matches of the same plan, and of others
        for stored in self.holdings.releases:
            has_same_plan = stored.has_plan(self.wanted.plan)
            if matched[has_same_plan] >= MAX_MATCHED_RELEASES:
                continue
            derivation = find_derivation(self.matchable_plan, stored.matchable_plan, self.matcher.catalog)
            if derivation is None:
                continue
            matched[has_same_plan] += 1
            derived = self._derive(stored, derivation)
            if derived is not None:
                yield derived

    def _derive(self, stored: StoredRelease, match: Derivation) -> DerivedRelease | None:
        """Derive the wanted numbers from a stored release, with its bounds; None if a wanted key may be missing."""
        release = self.holdings.load(stored)
        assert release.description is not None  # noqa: S101  its plan was recovered from it
        is_by_group = self.wanted.unpriced_release.reads_single_groups
        result = derive_release(release, match, self.key_table, reads_single_groups=is_by_group)
        if result is None:
            return None
        bounds = stored_bounds(self.wanted, release.description, match.vectors)
        # `result` = (derived release, largest number of stored groups in one of its groups)
        has_all_keys = len(stored.matchable_plan.plan.keys) == len(self.wanted.plan.keys)
        return DerivedRelease(
            stored.release_key, stored.settled_at, result[0], result[1], has_all_keys, bounds, stored.is_scheduled
        )


def read_key_set(plan: PrivatePlan, backend: Backend) -> pa.Table:
    """Read the public key set of a plan: columns k0, k1, ...; one row if it has no keys."""
    assert plan.key_set is not None  # noqa: S101  checked by the caller
    if not plan.key_set.keys:
        # one row: a release without keys has one group
        return pa.table({"none": [0]})
    rows = backend.public(write_rows(plan.key_set.relation, plan.key_set.keys, backend.target))
    return pa.table({f"k{i}": rows.column(f.id) for i, f in enumerate(plan.key_set.keys)})


def describe_release(question: Question, compiled: CompiledRelease) -> ReleaseDescription:
    """Describe a release by SQL and bounds, stored with it so that its plan can be recovered."""
    bounds = compiled.bounds.vectors
    return ReleaseDescription(
        sql=strip_comments(question.sql),
        place=plan_index(question, compiled),
        bounds=compiled.key_texts[0],
        cost=compiled.key_texts[1],
        norms=tuple(bound.clip_bound for bound in bounds),
        biases=tuple(bound.predicted_bias for bound in bounds),
        whys=tuple(bound.key_reason for bound in bounds),
        withins=tuple(bound.residual_bias_bound for bound in bounds),
    )


def plan_index(question: Question, compiled: CompiledRelease) -> int:
    """Return the index of a release's plan in its query."""
    return next(i for i, plan in enumerate(question.plans) if plan.canonical_text == compiled.plan.canonical_text)


def source_notes(sources: tuple[ReleaseSource, ...]) -> tuple[Note, ...]:
    """Describe which numbers are derived from the client's holdings, for free."""
    return tuple(
        _source_note(source.derived, source.wanted.plan.display_name if len(sources) > 1 else "")
        for source in sources
        if source.derived is not None
    )


def _source_note(derived: DerivedRelease, release_name: str) -> Note:
    """Note that names the stored release a number is derived from, with key, day and derivation.

    `release_name` = empty if the query has one release.
    """
    text = (
        f"{f'{release_name}: ' if release_name else ''}derived from answers that you hold:"
        f" {'standing ' if derived.is_scheduled else ''}{derived.release_key[:DISPLAYED_KEY_CHARACTERS]} of"
        f" {derived.settled_at[:10]} ({derived.derivation_text})."
    )
    return Note(NoteCode.REUSED, text[:1].upper() + text[1:])


def oldest_day(sources: tuple[ReleaseSource, ...], stored_keys: Collection[str], ledger: Ledger) -> str | None:
    """First day, in UTC, of the stored releases that numbers come from; `stored_keys` = stored before this call."""
    moments = [source.derived.settled_at for source in sources if source.derived is not None]
    for charged in charged_releases(sources):
        if charged.release_key in stored_keys:
            moments += [
                each.settled_at for each in ledger.release_ages(charged.plan.dataset, [charged.release_key]).values()
            ]
    return min(moments, default="")[:10] or None
