"""View matching: which releases of a query can be answered from the client's holdings (proofs.md#release-sources)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import pyarrow as pa

from budgets import Ledger
from dialect import Catalog, Question
from dialect.algebra import Note, NoteCode, PrivatePlan, VectorBound
from dialect.codegen.relations import write_rows
from dialect.parser import uncommented
from dialect.planner.reuse import Derivation, Read, derivation, held_parts, same_rows, told
from engine.backends.protocol import Backend
from engine.errors import uncharged
from engine.mechanism.release import Meaning
from engine.pricing.display_names import which_release
from engine.pricing.prepare import Prepared, priced
from engine.pricing.release_key import bounds_text, cost_text
from engine.reuse.combine import Made, made_of
from engine.reuse.holdings import Held, Known, Shelf, Showing, nothing_shown, shelf_of
from engine.reuse.linear_combinations import MOST_PARTED, Combining
from engine.reuse.replay import current
from engine.reuse.sources import Again, Combined, Way, clashing, way_of

SHORT = 12  # displayed characters of a release key
MOST_LOOKED_AT = 64  # most matching stored releases searched, of the same plan and of others; the oldest first

OF_DIFFERENT_TIMES = (
    "Answers of different times are subtracted: who objected, or withdrew that, in between still counts in the "
    "difference, and no interval covers it."
)


@dataclass(frozen=True)
class Finder:
    """View matcher over a client's holdings."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    known: Known  # cache of recovered plans
    showing: Showing = nothing_shown  # scheduled releases that a client may read
    mixes: bool = True  # may a new release be averaged with holdings? not if relative targets depend on them

    def ways(self, prepared: tuple[Prepared, ...], client: str) -> tuple[Way, ...]:
        """Choose the source of each release of a query for a client. Raises Refusal if the search is too expensive."""
        if not prepared:
            return ()
        dataset = prepared[0].plan.dataset
        shelf = shelf_of(self.ledger, client, dataset, self.catalog, self.known, self.showing(client, dataset))
        exact = shelf.bought()
        with uncharged("What you hold can't be looked through for this answer"):
            ways = [Way(p, bought=p) if p.release_key in exact else self._way(p, shelf) for p in prepared]
            while places := clashing(ways):  # its replacement may clash with another in turn
                ways[places[0]] = self._way(ways[places[0]].wanted, shelf, combines=False)
            return tuple(ways)

    def _way(self, wanted: Prepared, shelf: Shelf, combines: bool = True) -> Way:
        if wanted.plan.key_set is None:
            return Way(wanted, bought=wanted)
        finding = _Finding(self, wanted, shelf, combines)
        again = self._again(wanted) if self.mixes and not finding.is_full else None
        return way_of(wanted, finding.candidates(), again, shelf.keys(), finding.beside)

    def _again(self, wanted: Prepared) -> Again:
        made = wanted.sized.bounded_as(wanted.bounds)  # differently clipped numbers are never averaged

        def again(rho: Fraction) -> Prepared:
            anew = priced(made, self.backend, rho, wanted.cost.loss.delta)
            return current([anew], self.ledger, self.catalog)[0]

        return again


class _Finding:
    """Search of a client's holdings for one wanted release."""

    def __init__(self, finder: Finder, wanted: Prepared, shelf: Shelf, combines: bool) -> None:
        self.finder, self.wanted, self.combines = finder, wanted, combines
        self.shelf = shelf.own_first(wanted.plan)  # else a repeat would match other releases of the same charge first
        self.own, self.read, self.compared = told(wanted.plan), Read(), 0
        self.combining = Combining(wanted, self.own, self.shelf, finder.catalog, self._made, self.read)

    @property
    def is_full(self) -> bool:
        """Whether a repeated query would miss one more release of this plan, because the search is limited."""
        return sum(held.says(self.wanted.plan) for held in self.shelf.held) >= MOST_PARTED

    @cached_property
    def keys(self) -> pa.Table:
        """Public key set of the wanted release, as a table k0, k1, ..."""
        return public_keys(self.wanted.plan, self.finder.backend)

    def candidates(self) -> Iterator[Made | Combined]:
        """Iterate over derived releases, and combinations with earlier ones, in charge order."""
        looked_at = Counter[bool]()  # number of matches of the same plan, and of others
        for place, held in enumerate(self.shelf.held):
            own = held.says(self.wanted.plan)
            found = self._derived(held) if looked_at[own] < MOST_LOOKED_AT else None
            if found is not None:
                looked_at[own] += 1
                made = self._made(held, found)
                if made is not None:
                    yield made
            together = self.combining.through(place) if self.combines else None
            if together is not None:
                yield together

    def beside(self, bought: Prepared | None) -> Combined | None:
        """Combine all holdings, optionally with a newly charged release."""
        return self.combining.through(len(self.shelf.held), bought) if self.combines else None

    def _derived(self, held: Held) -> Derivation | None:
        found = derivation(self.own, held.told, self.finder.catalog)
        parts = held_parts(self.own, held.told) if found is None and self.compared < MOST_LOOKED_AT else ()
        self.compared += bool(parts)
        return found or same_rows(self.own, parts, self.finder.catalog, self.read)

    def _made(self, held: Held, derived: Derivation) -> Made | None:
        release = self.shelf.release(held)
        assert release.meaning is not None  # noqa: S101  its plan was recovered from it
        made = made_of(release, derived, self.keys)
        if made is None:
            return None
        bounds = tuple(_bounds(self.wanted, release.meaning, derived.vectors))
        whole = len(held.told.plan.keys) == len(self.wanted.plan.keys)
        return Made(held.release_key, held.settled_at, made[0], made[1], whole, bounds, held.standing)


def public_keys(plan: PrivatePlan, backend: Backend) -> pa.Table:
    """Read the public key set of a plan: columns k0, k1, ...; one row if it has no keys."""
    assert plan.key_set is not None  # noqa: S101  checked by the caller
    if not plan.key_set.keys:
        return pa.table({"none": [0]})
    rows = backend.public(write_rows(plan.key_set.relation, plan.key_set.keys, backend.target))
    return pa.table({f"k{i}": rows.column(f.id) for i, f in enumerate(plan.key_set.keys)})


def _bounds(wanted: Prepared, meaning: Meaning, places: Iterable[int]) -> Iterator[VectorBound]:
    """Clip bounds and bias of a stored release, for each vector of the wanted one."""
    for own, place in zip(wanted.bounds.vectors, places, strict=True):
        norm, bias = meaning.norms[place], meaning.biases[place]
        within = meaning.withins[place] if meaning.withins else None
        why = meaning.whys[place]
        yield replace(own, norm=norm, predicted_bias=bias, bias_within=within, why=why, plain_why="")


def meaning_of(question: Question, prepared: Prepared) -> Meaning:
    """Describe a release by SQL and bounds, stored with it so that its plan can be recovered."""
    place = next(i for i, plan in enumerate(question.plans) if plan.canonical == prepared.plan.canonical)
    bounds = prepared.bounds.vectors
    return Meaning(
        uncommented(question.sql), place, bounds_text(prepared.bounds), cost_text(prepared.cost),
        tuple(bound.norm for bound in bounds),
        tuple(bound.predicted_bias for bound in bounds), tuple(bound.why for bound in bounds),
        tuple(bound.bias_within for bound in bounds),
    )  # fmt: skip


def notes_of(ways: tuple[Way, ...]) -> tuple[Note, ...]:
    """Describe which numbers are derived from the client's holdings, for free."""
    plans = [each.wanted.plan for each in ways]
    made = tuple(_note(way, which_release(way.wanted.plan, plans).strip()) for way in ways if way.sources)
    return (
        (*made, Note(NoteCode.DIFFERENT_TIMES, OF_DIFFERENT_TIMES)) if any(map(_is_of_different_times, ways)) else made
    )


def _is_of_different_times(way: Way) -> bool:
    """Check whether releases of different times are subtracted; objections may have changed in between."""
    moments = {each.settled_at for each in way.sources} | ({""} if way.bought is not None else set())
    return any(times < 0 for times in way.times) and len(moments) > 1


def _note(way: Way, which: str) -> Note:
    times = [_times_told(each) for each in way.times] or [""] * len(way.sources)
    made = (
        f"{by}{'standing ' if each.standing else ''}{each.release_key[:SHORT]} of {each.settled_at[:10]} ({each.how})"
        for each, by in zip(way.sources, times, strict=False)
    )
    bought = "" if way.bought is None else f", averaged with a new one for rho {float(way.bought.cost.loss.rho):.3g}"
    text = f"{f'{which}: ' if which else ''}derived from answers that you hold: {', '.join(made)}{bought}."
    return Note(NoteCode.REUSED, text[:1].upper() + text[1:])


def _times_told(times: Fraction) -> str:
    """Format a coefficient: nothing for 1, `less` for -1, else a factor."""
    if abs(times) == 1:
        return "" if times > 0 else "less "
    return f"{float(times):.3g} times "


def day_of(ways: tuple[Way, ...], stored: Collection[str], ledger: Ledger) -> str | None:
    """First day, in UTC, of the stored releases that numbers come from; `stored_keys` = stored before this call."""
    moments = [each.settled_at for way in ways for each in way.sources]
    for bought in (way.bought for way in ways):
        if bought is not None and bought.release_key in stored:
            moments += [each.settled_at for each in ledger.made(bought.plan.dataset, [bought.release_key]).values()]
    return min(moments, default="")[:10] or None
