"""Holdings: the stored releases of a client, each with its plan, recovered from its SQL and verified by its key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from budgets import OWNER, Ledger, PaidRelease
from dialect import Catalog, Refusal, read
from dialect.algebra import PrivatePlan
from dialect.planner.reuse import Told, told
from engine.mechanism.release import Meaning, Release, from_bytes
from engine.pricing import release_key as keys
from engine.reuse.replay import Repeats

Showing = Callable[[str, str], AbstractSet[str]]  # client, dataset -> keys of scheduled releases that it may read
Known = MutableMapping[str, Told | None]  # release key -> recovered plan; None: not recoverable


def nothing_shown(client: str, dataset: str) -> AbstractSet[str]:
    """Return no scheduled releases."""
    del client, dataset
    return frozenset()


@dataclass(frozen=True)
class Held:
    """Stored release that a client has paid for, or may read for free, with its plan."""

    release_key: str
    told: Told
    settled_at: str  # UTC
    charge_id: int  # sequence number of its charge in the ledger
    standing: bool = False  # from a scheduled query, which everybody's budget has paid for

    def says(self, plan: PrivatePlan) -> bool:
        """Return whether its plan is textually the same as another (equal canonical form)."""
        return self.told.plan.canonical == plan.canonical


@dataclass(frozen=True)
class Shelf:
    """Holdings of one client in one dataset: releases paid for or free to read, in charge order."""

    ledger: Ledger
    client: str
    dataset: str
    held: tuple[Held, ...]

    def own_first(self, plan: PrivatePlan) -> Shelf:
        """Reorder the releases of each charge: those of exactly this plan come first."""
        order = sorted(self.held, key=lambda each: (each.charge_id, not each.says(plan)))
        return replace(self, held=tuple(order))

    def keys(self) -> frozenset[str]:
        """List the release keys of all holdings."""
        return frozenset(each.release_key for each in self.held)

    def bought(self) -> frozenset[str]:
        """List the release keys that the client has paid for itself."""
        return frozenset(each.release_key for each in self.held if not each.standing)

    def release(self, held: Held) -> Release:
        """Load the noisy numbers of a stored release."""
        payer = OWNER if held.standing else self.client
        return from_bytes(self.ledger.replay(payer, self.dataset, [held.release_key])[held.release_key].payload)


def shelf_of(
    ledger: Ledger, client: str, dataset: str, catalog: Catalog, known: Known, shown: AbstractSet[str] = frozenset()
) -> Shelf:
    """Find the holdings of a client in a dataset that are still valid: same data, same catalog meaning.

    Claim: each plan returned is the plan of the release that bears the key. Symbols: `plan_cache` caches recovered
    plans; `scheduled_keys` = keys of scheduled releases that the client may read now. Source and proof:
    engine/pipeline/proofs.md#stored-plans. Raises: Forbidden.
    """
    repeats = Repeats(ledger, catalog.dataset(dataset))
    own = _found(ledger, client, catalog, known, repeats)
    if not shown:
        return Shelf(ledger, client, dataset, tuple(own))
    ledger.replay(client, dataset, ())  # raises Forbidden for a frozen client, who may read nothing either
    mine = {each.release_key for each in own}
    others = [each for each in _found(ledger, OWNER, catalog, known, repeats, shown) if each.release_key not in mine]
    return Shelf(ledger, client, dataset, tuple(sorted([*own, *others], key=lambda each: each.charge_id)))


def _found(
    ledger: Ledger, payer: str, catalog: Catalog, known: Known, repeats: Repeats, only: AbstractSet[str] | None = None
) -> list[Held]:
    """Find the stored releases of a payer, optionally only some keys, with their recovered plans."""
    dataset = repeats.dataset.name
    paid = [each for each in ledger.releases(payer) if each.dataset == dataset and each.settled_at is not None]
    paid = [each for each in paid if only is None or each.release_key in only]
    young = repeats.young([each.release_key for each in paid])
    paid = [each for each in paid if each.release_key in young]  # too old for replay, too old to derive from
    unknown = [each.release_key for each in paid if each.release_key not in known]
    if unknown:
        for key, stored in ledger.replay(payer, dataset, unknown).items():
            known[key] = plan_again(key, from_bytes(stored.payload).meaning, catalog, repeats)
    return list(_held(paid, known, only is not None))


def _held(paid: Iterable[PaidRelease], known: Known, standing: bool) -> Iterator[Held]:
    for each in paid:
        plan = known.get(each.release_key)
        if plan is not None and each.settled_at is not None:
            yield Held(each.release_key, plan, each.settled_at, each.charge_id, standing)


def plan_again(release_key: str, meaning: Meaning | None, catalog: Catalog, repeats: Repeats) -> Told | None:
    """Recover a release's plan by binding its SQL again; None if the release key differs today, or for quantiles."""
    if meaning is None:
        return None
    try:
        question = read(meaning.sql, catalog)
    except Refusal:
        return None
    binned = any(each.plan == meaning.place for each in question.releases if each.histogram is not None)
    if binned or meaning.place >= len(question.plans):
        return None
    plan = question.plans[meaning.place]
    return (
        told(plan)
        if repeats.means(keys.release_key(plan, meaning.bounds, meaning.cost, catalog), release_key)
        else None
    )
