"""Holdings: the stored releases of a client, each with its plan, recovered from its SQL and verified by its key.

Replay: a repeated release key gets the stored release, or a new one if that is older than `replay_max_age`. Age is
counted in whole days since the charge, by the ledger's own clock, from timestamps written before data was read
(`proofs.md#replay`). A generation is one renewal of a release: generation 0 has the release key itself, generation n a
digest of key and n. Generations are stored without gaps.

A charge records the versions of data, catalog, mechanism and code, for auditors.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib import metadata
from itertools import count

from budgets import OWNER, Ledger, ReleaseAge
from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra import PrivatePlan
from dialect.catalog import Dataset
from dialect.planner.reuse import CanonicalPlan, canonical_plan
from engine.catalog.version import UNIT_SEPARATOR, catalog_version, format_units
from engine.mechanism.release import Release, ReleaseDescription, release_from_bytes
from engine.pricing.compile_release import MECHANISM_VERSION, CompiledRelease
from engine.pricing.compile_release import release_key as key_of_release

_FIRST_BATCH = 16  # keys looked up at first; doubled each time


@dataclass(frozen=True)
class ReplayGenerations:
    """Generations of the stored releases of a dataset: the n-th renewal of a release has a key of its own."""

    ledger: Ledger
    dataset: Dataset

    def current_key(self, release_key: str) -> str:
        """Release key that applies now: the newest stored generation, or the next one if that is too old.

        Claim: neither the client nor any row influences it. Symbols: releases 0, 1, ... of one meaning, each charged
        only after the one before it was stored. Formula: the last that is stored, the next one where its age in days
        is `replay_max_age` or more. Raises: LedgerError. Proof: proofs.md#replay
        """
        last, next_key = self._last_and_next(release_key)
        max_days = self.dataset.replay_days
        return next_key if last is None or max_days is None or last.age_days >= max_days else last.release_key

    def latest_key(self, release_key: str) -> str:
        """Key of the newest stored generation, at any age; the first key if none is stored."""
        last, next_key = self._last_and_next(release_key)
        return next_key if last is None else last.release_key

    def fresh_keys(self, release_keys: Sequence[str]) -> frozenset[str]:
        """Select the stored releases that are not too old to derive answers from."""
        max_days = self.dataset.replay_days
        if max_days is None:
            return frozenset(release_keys)
        ages = self.ledger.release_ages(self.dataset.name, release_keys)
        return frozenset(key for key, each in ages.items() if each.age_days < max_days)

    def is_generation_of(self, release_key: str, stored_key: str) -> bool:
        """Check whether a stored release is this one or a later generation of it."""
        return release_key == stored_key or stored_key in self._stored_keys(release_key)

    def _stored_keys(self, release_key: str) -> Iterator[str]:
        """Iterate over the keys of the stored generations of a release."""
        last, next_key = self._last_and_next(release_key)
        for number in count() if last is not None else ():
            name = _generation_key(release_key, number)
            if name == next_key:
                return
            yield name

    def _last_and_next(self, release_key: str) -> tuple[ReleaseAge | None, str]:
        """Newest stored generation of a release (None: none is stored), and the key of the next one.

        Without a maximum age there is one generation, and its key is the next one whether or not it is stored. Keys are
        looked up in batches of doubling size until one is missing.
        """
        last: ReleaseAge | None = None
        if self.dataset.replay_days is None:
            return last, release_key
        first, batch_size = 0, _FIRST_BATCH
        while True:
            names = [_generation_key(release_key, number) for number in range(first, first + batch_size)]
            stored = self.ledger.release_ages(self.dataset.name, names)
            for each in names:
                if each not in stored:
                    return last, each
                last = stored[each]
            first, batch_size = first + batch_size, 2 * batch_size


def _generation_key(release_key: str, generation: int) -> str:
    """Release key of the n-th renewal of a release; that of generation 0 is the key itself."""
    return release_key if generation == 0 else sha256(f"{release_key}\n{generation}".encode()).hexdigest()


def with_current_keys(
    compiled: Sequence[CompiledRelease], ledger: Ledger, catalog: Catalog, *, any_age: bool = False
) -> tuple[CompiledRelease, ...]:
    """Set every release key of a query to the generation that applies now; `any_age`: to the newest stored one."""
    if not compiled:
        return ()
    generations = ReplayGenerations(ledger, catalog.datasets_by_name[compiled[0].plan.dataset])
    key = generations.latest_key if any_age else generations.current_key
    return tuple(
        replace(
            each,
            release_key=key(each.release_key),
            profile=each.profile and replace(each.profile, release_key=key(each.profile.release_key)),
        )
        for each in compiled
    )


def load_paid_releases(compiled: Sequence[CompiledRelease], ledger: Ledger, client: str) -> Mapping[str, bytes] | None:
    """Load every release of a query from the client's paid ones, as payloads by key; None if any is missing."""
    if not compiled:
        return None
    wanted = {each.release_key for each in compiled}
    releases = ledger.replay(client, compiled[0].plan.dataset, wanted)
    return {key: release.payload for key, release in releases.items()} if wanted <= releases.keys() else None


def version_text(catalog: Catalog, dataset: Dataset) -> str:
    """Text of the current versions of data, catalog, mechanism and code, and of the privacy unit."""
    versions_by_name = {
        "data": dataset.full_data_version,
        "catalog": catalog_version(catalog),
        "mechanism": MECHANISM_VERSION,
        "code": code_version(),
    }
    noted = ", ".join(f"{what} {version}" for what, version in versions_by_name.items())
    return UNIT_SEPARATOR.join((noted, format_units(catalog, dataset.name)))


def data_version_of(version_text: str) -> str:
    """Parse the data version from a versions text; empty if absent, as in old rows."""
    match = re.match(r"data ([^,]+), ", version_text)
    return match[1] if match else ""


@cache
def code_version() -> str:
    """Version of the installed code; `unknown` without package metadata."""
    try:
        return metadata.version("passersby")
    except metadata.PackageNotFoundError:
        return "unknown"


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
    key = key_of_release(question.plans[meaning.place], meaning.bounds, meaning.cost, catalog)
    return matchable_plan(question, meaning.place) if replays.is_generation_of(key, release_key) else None


def matchable_plan(question: Question, plan_index: int) -> CanonicalPlan | None:
    """Return a plan of a query in the form that is matched; None for a quantile's histogram, which is no sum."""
    is_quantile = any(each.plan_index == plan_index for each in question.releases if each.histogram is not None)
    return None if is_quantile else canonical_plan(question.plans[plan_index])
