"""What a client holds: stored releases, each with its plan found again, and proved by the release's own key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from budgets import OWNER, Ledger, PaidRelease
from dialect import Catalog, Refusal, read
from dialect.algebra import PrivatePlan
from dialect.planner.reuse import Told, told
from engine.mechanism.release import Meaning, Release, from_bytes
from engine.pricing.prepare import key_of
from engine.reuse.replay import Repeats

Showing = Callable[[str, str], AbstractSet[str]]  # client, dataset -> releases of standing questions that it may see
Known = MutableMapping[str, Told | None]  # by release key: what was found; None: nothing can be made of it


def nothing_shown(client: str, dataset: str) -> AbstractSet[str]:
    """Show nothing."""
    del client, dataset
    return frozenset()


@dataclass(frozen=True)
class Held:
    """One release that is stored, and that a client has paid for, or is shown for nothing."""

    release_key: str
    told: Told
    settled_at: str  # UTC
    charge_id: int  # of its charge in the ledger
    standing: bool = False  # of a standing question, which everybody has paid for

    def says(self, plan: PrivatePlan) -> bool:
        """Tell whether it is of a plan in the plan's own words."""
        return self.told.plan.canonical == plan.canonical


@dataclass(frozen=True)
class Shelf:
    """All that one client holds of one dataset, or is shown for nothing, in the order in which it was bought."""

    ledger: Ledger
    client: str
    dataset: str
    held: tuple[Held, ...]

    def own_first(self, plan: PrivatePlan) -> Shelf:
        """Give the same, of what was bought together a release of the same rows and numbers first."""
        order = sorted(self.held, key=lambda each: (each.charge_id, not each.says(plan)))
        return replace(self, held=tuple(order))

    def keys(self) -> frozenset[str]:
        """Name all releases."""
        return frozenset(each.release_key for each in self.held)

    def bought(self) -> frozenset[str]:
        """Name those that the client has paid for itself."""
        return frozenset(each.release_key for each in self.held if not each.standing)

    def release(self, held: Held) -> Release:
        """Read the noisy numbers of a release."""
        payer = OWNER if held.standing else self.client
        return from_bytes(self.ledger.replay(payer, self.dataset, [held.release_key])[held.release_key].payload)


def shelf_of(
    ledger: Ledger, client: str, dataset: str, catalog: Catalog, known: Known, shown: AbstractSet[str] = frozenset()
) -> Shelf:
    """Find what a client holds of a dataset: of these data, and declared to mean the same as today.

    Claim: each plan given is the plan of the release that bears the key. Symbols: `known` remembers what was found;
    `shown` = releases of standing questions that the client may see now. Source and proof:
    engine/pipeline/proofs.md#held. Raises:
    Forbidden.
    """
    repeats = Repeats(ledger, catalog.dataset(dataset))
    own = _found(ledger, client, catalog, known, repeats)
    if not shown:
        return Shelf(ledger, client, dataset, tuple(own))
    ledger.replay(client, dataset, ())  # whoever is stopped is shown nothing either
    mine = {each.release_key for each in own}
    others = [each for each in _found(ledger, OWNER, catalog, known, repeats, shown) if each.release_key not in mine]
    return Shelf(ledger, client, dataset, tuple(sorted([*own, *others], key=lambda each: each.charge_id)))


def _found(
    ledger: Ledger, payer: str, catalog: Catalog, known: Known, repeats: Repeats, only: AbstractSet[str] | None = None
) -> list[Held]:
    """Find the releases that somebody has paid for and that are stored, or some of them, and their plans."""
    dataset = repeats.dataset.name
    paid = [each for each in ledger.releases(payer) if each.dataset == dataset and each.settled_at is not None]
    paid = [each for each in paid if only is None or each.release_key in only]
    young = repeats.young([each.release_key for each in paid])
    paid = [each for each in paid if each.release_key in young]  # nothing is made of what is no more repeated
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
    """Read the plan of a release again; None where today's reading of it has another key, or is of quantiles."""
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
    return told(plan) if repeats.means(key_of(plan, meaning.bounds, meaning.cost, catalog), release_key) else None
