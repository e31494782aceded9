"""Prepared releases + what the asker holds -> ways: which are free, and from what (proofs.md#ways)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import pyarrow as pa

from budgets import Ledger
from dialect import Catalog, Question
from dialect.derivation import Derivation, derivation, told
from dialect.private_plan import PrivatePlan, VectorBound
from dialect.words import uncommented
from dialect.write_rows import write_rows
from engine.backends.protocol import Backend
from engine.choose_bounds import bounds_said
from engine.errors import uncharged
from engine.held import Held, Known, Shelf, shelf_of
from engine.made_of import Made, made_of
from engine.prepare import Prepared, priced
from engine.release import Meaning
from engine.repeats import current
from engine.spoken import which_release
from engine.ways import Again, Way, way_of

SHORT = 12  # characters by which people tell releases apart
MOST_LOOKED_AT = 64  # held releases that can say a wanted one; the first bought come first


@dataclass(frozen=True)
class Finder:
    """Where what is held is looked for."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    known: Known  # plans of releases that were found before
    mixes: bool = True  # a release may be bought beside what is held; a share of held numbers would move with it

    def ways(self, prepared: tuple[Prepared, ...], client: str) -> tuple[Way, ...]:
        """Find how each release of a question comes about for a client; raises Refusal where that is too much."""
        if not prepared:
            return ()
        shelf = shelf_of(self.ledger, client, prepared[0].plan.dataset, self.catalog, self.known)
        exact = shelf.keys()
        with uncharged("What you hold can't be looked through for this answer"):
            return tuple(Way(p, bought=p) if p.release_key in exact else self._way(p, shelf) for p in prepared)

    def _way(self, wanted: Prepared, shelf: Shelf) -> Way:
        if wanted.plan.key_set is None:
            return Way(wanted, bought=wanted)
        again = self._again(wanted) if self.mixes else None
        return way_of(wanted, self._candidates(wanted, shelf), again, shelf.keys())

    def _again(self, wanted: Prepared) -> Again:
        made = wanted.sized.bounded_as(wanted.bounds)  # numbers that are cut otherwise are not mixed

        def again(rho: Fraction) -> Prepared:
            anew = priced(made, self.backend, rho, wanted.cost.loss.delta)
            return current([anew], self.ledger, self.catalog)[0]

        return again

    def _candidates(self, wanted: Prepared, shelf: Shelf) -> Iterator[Made]:
        """Walk what the held releases say of a wanted one, in the order in which they were bought."""
        keys: pa.Table | None = None
        own = told(wanted.plan)
        found = ((held, derivation(own, held.told, self.catalog)) for held in shelf.held)
        some = [(held, each) for held, each in found if each is not None]
        for held, each in some[:MOST_LOOKED_AT]:
            keys = public_keys(wanted.plan, self.backend) if keys is None else keys
            made = self._made(wanted, held, each, keys, shelf)
            if made is not None:
                yield made

    def _made(self, wanted: Prepared, held: Held, derived: Derivation, keys: pa.Table, shelf: Shelf) -> Made | None:
        release = shelf.release(held)
        assert release.meaning is not None  # noqa: S101  else it has no plan
        made = made_of(release, derived, keys)
        if made is None:
            return None
        bounds = tuple(_bounds(wanted, release.meaning, derived.vectors))
        whole = len(held.told.plan.keys) == len(wanted.plan.keys)
        return Made(held.release_key, held.settled_at, made[0], made[1], whole, bounds)


def public_keys(plan: PrivatePlan, backend: Backend) -> pa.Table:
    """Read the public list of a plan's keys: k0, k1, ..., or one row where there are none."""
    assert plan.key_set is not None  # noqa: S101  the caller asks
    if not plan.key_set.keys:
        return pa.table({"none": [0]})
    rows = backend.public(write_rows(plan.key_set.relation, plan.key_set.keys, backend.target))
    return pa.table({f"k{i}": rows.column(f.id) for i, f in enumerate(plan.key_set.keys)})


def _bounds(wanted: Prepared, meaning: Meaning, places: Iterable[int]) -> Iterator[VectorBound]:
    """Tell by which bounds people were cut in a held release, vector by vector of the wanted one."""
    for own, place in zip(wanted.bounds.vectors, places, strict=True):
        norm, bias = meaning.norms[place], meaning.biases[place]
        within = meaning.withins[place] if meaning.withins else None
        yield replace(own, norm=norm, predicted_bias=bias, bias_within=within, why=meaning.whys[place])


def meaning_of(question: Question, prepared: Prepared) -> Meaning:
    """Say what a release is of, in words from which its plan is found again."""
    place = next(i for i, plan in enumerate(question.plans) if plan.canonical == prepared.plan.canonical)
    bounds = prepared.bounds.vectors
    return Meaning(
        uncommented(question.sql), place, bounds_said(prepared.bounds), repr(prepared.cost),
        tuple(bound.norm for bound in bounds),
        tuple(bound.predicted_bias for bound in bounds), tuple(bound.why for bound in bounds),
        tuple(bound.bias_within for bound in bounds),
    )  # fmt: skip


def notes_of(ways: tuple[Way, ...]) -> tuple[str, ...]:
    """Say which numbers are made of releases that the client holds, and that these cost nothing."""
    plans = [each.wanted.plan for each in ways]
    return tuple(_note(way, which_release(way.wanted.plan, plans).strip()) for way in ways if way.sources)


def _note(way: Way, which: str) -> str:
    made = (f"{each.release_key[:SHORT]} of {each.settled_at[:10]} ({each.how})" for each in way.sources)
    bought = "" if way.bought is None else f", averaged with a new one for rho {float(way.bought.cost.loss.rho):.3g}"
    return f"{f'{which}: ' if which else ''}made of answers that you hold: {', '.join(made)}{bought}"


def day_of(ways: tuple[Way, ...], stored: Collection[str], ledger: Ledger) -> str | None:
    """Name the first day, in UTC, of which numbers are that come from store; `stored` are keys from before."""
    moments = [each.settled_at for way in ways for each in way.sources]
    for bought in (way.bought for way in ways):
        if bought is not None and bought.release_key in stored:
            moments += [each.settled_at for each in ledger.made(bought.plan.dataset, [bought.release_key]).values()]
    return min(moments, default="")[:10] or None


def parts_that_share(ways: tuple[Way, ...]) -> Mapping[tuple[int, int], int]:
    """Give one number to the vectors of different releases of a question that are made of one held release."""
    sources: dict[str, set[int]] = {}
    for i, way in enumerate(ways):
        keys = [each.release_key for each in way.sources] + ([way.bought.release_key] if way.bought else [])
        for key in keys:
            sources.setdefault(key, set()).add(i)
    joined = list(range(len(ways)))
    for plans in sources.values():
        least = min(joined[i] for i in plans)
        joined = [least if part in {joined[i] for i in plans} else part for part in joined]
    several = {part for part in joined if joined.count(part) > 1}
    return {
        (i, vector): joined[i]
        for i, way in enumerate(ways)
        if joined[i] in several
        for vector in range(len(way.wanted.plan.vectors))
    }
