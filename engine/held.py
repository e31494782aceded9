"""What a client holds: stored releases, each with its plan found again, and proved by the release's own key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass

from budgets import Ledger, PaidRelease
from dialect import Catalog, Refusal, read
from dialect.derivation import Told, told
from engine.prepare import key_of
from engine.release import Meaning, Release, from_bytes
from engine.repeats import Repeats

Known = MutableMapping[str, Told | None]  # by release key: what was found; None: nothing can be made of it


@dataclass(frozen=True)
class Held:
    """One release that a client has paid for and that is stored."""

    release_key: str
    told: Told
    settled_at: str  # UTC, for people only


@dataclass(frozen=True)
class Shelf:
    """All that one client holds of one dataset, in the order in which it was bought."""

    ledger: Ledger
    client: str
    dataset: str
    held: tuple[Held, ...]

    def keys(self) -> frozenset[str]:
        """Name all releases."""
        return frozenset(each.release_key for each in self.held)

    def release(self, held: Held) -> Release:
        """Read the noisy numbers of a release."""
        return from_bytes(self.ledger.replay(self.client, self.dataset, [held.release_key])[held.release_key].payload)


def shelf_of(ledger: Ledger, client: str, dataset: str, catalog: Catalog, known: Known) -> Shelf:
    """Find what a client holds of a dataset: of these data, and declared to mean the same as today.

    Claim: each plan given is the plan of the release that bears the key. Symbols: `known` remembers what was found.
    Source and proof: proofs.md#held. Raises: Forbidden.
    """
    paid = [each for each in ledger.releases(client) if each.dataset == dataset and each.settled_at is not None]
    repeats = Repeats(ledger, catalog.dataset(dataset))
    young = repeats.young([each.release_key for each in paid])
    paid = [each for each in paid if each.release_key in young]  # nothing is made of what is no more repeated
    unknown = [each.release_key for each in paid if each.release_key not in known]
    if unknown:
        for key, stored in ledger.replay(client, dataset, unknown).items():
            known[key] = plan_again(key, from_bytes(stored.payload).meaning, catalog, repeats)
    return Shelf(ledger, client, dataset, tuple(_held(paid, known)))


def _held(paid: Iterable[PaidRelease], known: Known) -> Iterator[Held]:
    for each in paid:
        plan = known.get(each.release_key)
        if plan is not None and each.settled_at is not None:
            yield Held(each.release_key, plan, each.settled_at)


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
