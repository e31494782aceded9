"""Holdings: the stored releases of a client, each with its plan, recovered from its SQL and verified by its key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from budgets import OWNER, Ledger
from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra import PrivatePlan
from dialect.planner.reuse import CanonicalPlan, canonical_plan
from engine.mechanism.release import Release, ReleaseDescription, release_from_bytes
from engine.pricing import release_key as keys
from engine.reuse.replay import ReplayGenerations

ScheduledKeys = Callable[[str, str], AbstractSet[str]]  # client, dataset -> keys of scheduled releases that it may read
MAX_RECOVERED_PLANS = 20_000  # about 20 kB each; more than any client is expected to hold


def no_scheduled_keys(client: str, dataset: str) -> AbstractSet[str]:
    """Return no scheduled releases."""
    del client, dataset
    return frozenset()


@dataclass
class RecoveredPlans:
    """Plans of stored releases by release key, the most recently used ones; None where one is not recoverable."""

    plans: OrderedDict[str, CanonicalPlan | None] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def find(self, release_keys: Sequence[str]) -> dict[str, CanonicalPlan | None]:
        """Return the known plans of some releases."""
        with self._lock:
            known = [key for key in release_keys if key in self.plans]
            for key in known:
                self.plans.move_to_end(key)
            return {key: self.plans[key] for key in known}

    def add(self, plans: Mapping[str, CanonicalPlan | None]) -> None:
        """Keep plans, and leave out the least recently used ones beyond MAX_RECOVERED_PLANS."""
        with self._lock:
            self.plans.update(plans)
            while len(self.plans) > MAX_RECOVERED_PLANS:
                self.plans.popitem(last=False)


@dataclass(frozen=True)
class StoredRelease:
    """Stored release that a client has paid for, or may read for free, with its plan."""

    release_key: str
    matchable_plan: CanonicalPlan
    settled_at: str  # UTC
    charge_id: int  # sequence number of its charge in the ledger
    is_scheduled: bool = False  # from a scheduled query, which everybody's budget has paid for

    def has_plan(self, plan: PrivatePlan) -> bool:
        """Return whether its plan is textually the same as another (equal canonical form)."""
        return self.matchable_plan.plan.canonical_text == plan.canonical_text


@dataclass(frozen=True)
class Holdings:
    """Holdings of one client in one dataset: releases paid for or free to read, in charge order."""

    ledger: Ledger
    client: str
    dataset: str
    releases: tuple[StoredRelease, ...]

    def same_plan_first(self, plan: PrivatePlan) -> Holdings:
        """Reorder the releases of each charge: those of exactly this plan come first."""
        order = sorted(self.releases, key=lambda each: (each.charge_id, not each.has_plan(plan)))
        return replace(self, releases=tuple(order))

    def paid_keys(self) -> frozenset[str]:
        """List the release keys that the client has paid for itself."""
        return frozenset(each.release_key for each in self.releases if not each.is_scheduled)

    def load(self, stored: StoredRelease) -> Release:
        """Load the noisy numbers of a stored release."""
        payer = OWNER if stored.is_scheduled else self.client
        return release_from_bytes(
            self.ledger.replay(payer, self.dataset, [stored.release_key])[stored.release_key].payload
        )


def find_holdings(
    ledger: Ledger,
    client: str,
    dataset: str,
    catalog: Catalog,
    recovered_plans: RecoveredPlans,
    scheduled_keys: AbstractSet[str] = frozenset(),
) -> Holdings:
    """Find the holdings of a client in a dataset that are still valid: same data, same catalog meaning.

    Claim: each plan returned is the plan of the release that bears the key. Symbols: `recovered_plans` caches them;
    `scheduled_keys` = keys of scheduled releases that the client may read now. Source and proof:
    engine/pipeline/proofs.md#stored-plans. Raises: Forbidden.
    """
    replays = ReplayGenerations(ledger, catalog.datasets_by_name[dataset])
    own = _stored_releases(ledger, client, catalog, recovered_plans, replays)
    if not scheduled_keys:
        return Holdings(ledger, client, dataset, tuple(own))
    ledger.replay(client, dataset, ())  # raises Forbidden for a frozen client, who may read nothing either
    paid_keys = {each.release_key for each in own}
    others = [
        each
        for each in _stored_releases(ledger, OWNER, catalog, recovered_plans, replays, scheduled_keys)
        if each.release_key not in paid_keys
    ]
    return Holdings(ledger, client, dataset, tuple(sorted([*own, *others], key=lambda each: each.charge_id)))


def _stored_releases(
    ledger: Ledger,
    payer: str,
    catalog: Catalog,
    recovered_plans: RecoveredPlans,
    replays: ReplayGenerations,
    only_keys: AbstractSet[str] | None = None,
) -> list[StoredRelease]:
    """Find the stored releases of a payer, with their recovered plans, in charge order; `only_keys`: these alone.

    `only_keys` is given for scheduled releases, which the owner has paid for: they are marked so.
    """
    dataset = replays.dataset.name
    paid = [each for each in ledger.paid_releases(payer) if each.dataset == dataset and each.settled_at is not None]
    paid = [each for each in paid if only_keys is None or each.release_key in only_keys]
    fresh_keys = replays.fresh_keys([each.release_key for each in paid])
    paid = [each for each in paid if each.release_key in fresh_keys]  # too old for replay, too old to derive from
    plans = recovered_plans.find([each.release_key for each in paid])
    unknown = [each.release_key for each in paid if each.release_key not in plans]
    if unknown:
        found = {
            key: recover_plan(key, release_from_bytes(stored.payload).description, catalog, replays)
            for key, stored in ledger.replay(payer, dataset, unknown).items()
        }
        recovered_plans.add(found)
        plans |= found
    # without those whose plan can't be recovered
    return [
        StoredRelease(each.release_key, plan, each.settled_at, each.charge_id, only_keys is not None)
        for each in paid
        if (plan := plans.get(each.release_key)) is not None and each.settled_at is not None
    ]


def recover_plan(
    release_key: str, meaning: ReleaseDescription | None, catalog: Catalog, replays: ReplayGenerations
) -> CanonicalPlan | None:
    """Recover a release's plan by binding its SQL again; None if the release key differs today, or for quantiles.

    A quantile's histogram is no sum over groups, so nothing is derived from it. `meaning.place` = index of its plan in
    the query. None also without a description, as in old releases, and where the catalog refuses the SQL now.
    """
    if meaning is None:
        return None
    try:
        question = compile_query(meaning.sql, catalog)
    except Refusal:
        return None
    if meaning.place >= len(question.plans):
        return None
    key = keys.release_key(question.plans[meaning.place], meaning.bounds, meaning.cost, catalog)
    return matchable_plan(question, meaning.place) if replays.is_generation_of(key, release_key) else None


def matchable_plan(question: Question, plan_index: int) -> CanonicalPlan | None:
    """Return a plan of a query in the form that is matched; None for a quantile's histogram, which is no sum."""
    is_quantile = any(each.plan_index == plan_index for each in question.releases if each.histogram is not None)
    return None if is_quantile else canonical_plan(question.plans[plan_index])
