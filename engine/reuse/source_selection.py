"""Source selection: which releases of a query are computed from the client's holdings, by view matching.

Proof: proofs.md#release-sources.

Terms:
    wanted      release of the query, as compiled at its price
    holdings    stored releases of the client, in charge order
    derivation  how a wanted release is summed from the groups of a stored one
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from budgets import Ledger
from dialect import Catalog, Question
from dialect.algebra import Note, NoteCode, PrivatePlan
from dialect.codegen.relations import write_rows
from dialect.parser import strip_comments
from dialect.planner.reuse import Derivation, canonical_plan, find_derivation
from engine.backends.protocol import Backend
from engine.errors import TooLarge, refuse_before_charge
from engine.mechanism.release import ReleaseDescription
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.derived_release import DerivedRelease, derive_release
from engine.reuse.holdings import (
    Holdings,
    RecoveredPlans,
    ScheduledKeys,
    StoredRelease,
    find_holdings,
    no_scheduled_keys,
)
from engine.reuse.sources import ReleaseSource, charged_releases, is_precise_enough, stored_bounds

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
        self.matchable_plan = canonical_plan(wanted.plan)

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
