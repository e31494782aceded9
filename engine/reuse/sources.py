"""Release sources: each release of a question is derived from stored ones, newly charged, or both combined.

Decided by text, catalog, prices and scales of noise, and by how many listed groups make one; by the client's own
released numbers where they are subtracted, and never by an exact one (proofs.md#ways).

Noise correlation: which of a question's numbers may hold the noise of one stored release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import MINIMUM_RHO, PICO
from dialect.algebra import VectorBound
from engine.mechanism.release import Release, from_bytes
from engine.pricing.prepare import Prepared
from engine.reuse.combine import Deviations, Made, mixed, variances, weighed

Again = Callable[[Fraction], Prepared]  # the same release at another price
Beside = Callable[["Prepared | None"], "Combined | None"]  # all that is held, with what is bought
LARGEST_MORE_BIAS = 0.01  # a release that is cut by so much more of a total still stands for another one
LEAST_SAVED = 0.05  # of a price: for less, nothing is mixed
_TRIES = 8


@dataclass(frozen=True)
class Combined:
    """What several held releases, each taken so many times, say of one that is wanted."""

    sources: tuple[Made, ...]
    weights: tuple[Fraction, ...]
    bounds: tuple[VectorBound, ...]  # what bounding may leave the numbers off by
    own: tuple[Fraction, ...] = ()  # of a release that is bought beside them


@dataclass(frozen=True)
class Way:
    """How one release of a question comes about."""

    wanted: Prepared
    sources: tuple[Made, ...] = ()  # made of releases that are held
    bought: Prepared | None = None  # what is charged for, if it is not paid yet
    combined: Combined | None = None  # of the sources and what is bought; None: their mean, by inverse variance

    def release(self, stored: Mapping[str, bytes]) -> Release:
        """Give the release: as it was stored, or the weighted sum or mean of what it is made of."""
        own = None if self.bought is None else from_bytes(stored[self.bought.release_key])
        if own is not None and not self.sources:
            return own
        releases = [*(each.release for each in self.sources), *([] if own is None else [own])]
        return mixed(releases) if self.combined is None else weighed(releases, self.times)

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Say how often each source, and what is bought, is taken; nothing where their mean is."""
        return () if self.combined is None else self.combined.weights + self.combined.own

    def variances(self) -> tuple[float, ...]:
        """Give the variance of each vector, in squared units."""
        noises = [*map(_noise, self.sources), *([] if self.bought is None else [asked_of(self.bought)])]
        if self.combined is None:
            return variances(noises)
        spread = ([(float(w) * one) ** 2 for one in noise] for w, noise in zip(self.times, noises, strict=True))
        return tuple(map(sum, zip(*spread, strict=True)))

    @property
    def told(self) -> Prepared:
        """Give the release as it is told of: with the bounds and the noise of what its numbers are made of."""
        if not self.sources:
            return self.wanted
        vectors = tuple(
            replace(price, sigma=variance**0.5 / bound.grain)
            for price, variance, bound in zip(
                self.wanted.cost.vectors, self.variances(), self.wanted.bounds.vectors, strict=True
            )
        )
        bounds = replace(
            self.wanted.bounds, vectors=self.sources[0].bounds if self.combined is None else self.combined.bounds
        )
        return replace(self.wanted, bounds=bounds, cost=replace(self.wanted.cost, vectors=vectors))


def bought_of(ways: Sequence[Way]) -> tuple[Prepared, ...]:
    """List the releases that a question is charged for, if they are not paid yet."""
    return tuple(way.bought for way in ways if way.bought is not None)


def way_of(
    wanted: Prepared, candidates: Iterator[Made | Combined], again: Again | None, held: AbstractSet[str], beside: Beside
) -> Way:
    """Choose how a release comes about.

    Claim: what is made has at most the variance of what is wanted, and the choice is the same when the asker holds
    more, bought later; no noise is counted twice. Symbols: candidates in the order in which they were bought; `held`
    = keys of all that the asker holds; `beside` = what all that is held says together with a release that is bought.
    Formula: the first that is enough
    alone, or together with those before it that are cut alike; else a release at the least price that is enough with
    these. Source and proof: proofs.md#ways. Raises: nothing.
    """
    asked, alike = asked_of(wanted), dict[object, list[Made]]()
    free = next((way for each in candidates if (way := _free(wanted, each, asked, alike)) is not None), None)
    if free is not None or again is None:
        return free or Way(wanted, bought=wanted)
    grains = tuple(bound.grain for bound in wanted.bounds.vectors)
    same = alike.get(_cut(wanted.bounds.vectors, grains), [])

    def mean(bought: Prepared | None) -> Way | None:
        return Way(wanted, tuple(same), bought) if same else None

    def combined(bought: Prepared | None) -> Way | None:
        made = beside(bought)
        return None if made is None else Way(wanted, made.sources, bought, made)

    anew = _Anew(again, held)
    made = [_with_less(wanted, together, asked, anew) for together in (mean, combined)]
    return min((way for way in made if way is not None), key=_price, default=Way(wanted, bought=wanted))


def _free(wanted: Prepared, each: Made | Combined, asked: Deviations, alike: dict[object, list[Made]]) -> Way | None:
    """Tell whether a candidate is enough, or is together with those before it that are `alike`."""
    if isinstance(each, Combined):
        way = Way(wanted, each.sources, None, each)
        return way if _narrow(way.variances(), asked) else None
    if not as_little_cut(each.bounds, wanted.bounds.vectors):
        return None
    together = alike.setdefault(_cut(each.bounds, each.release.grains), [])
    together.append(each)
    enough = next((some for some in ([each], together) if _enough(list(map(_noise, some)), asked)), None)
    return None if enough is None else Way(wanted, tuple(enough))


@dataclass(frozen=True)
class _Anew:
    """Where releases are bought that the asker does not hold: one that is held has no noise of its own to add."""

    again: Again
    held: AbstractSet[str]

    def release(self, rho: Fraction) -> Prepared:
        """Price a release, a little higher where one of that price is held."""
        made = self.again(rho)
        while made.release_key in self.held:
            rho += Fraction(len(made.plan.vectors), PICO)
            made = self.again(rho)
        return made


def as_little_cut(held: Sequence[VectorBound], wanted: Sequence[VectorBound]) -> bool:
    """Tell whether bounds take as little off totals as those of the release that is wanted, or hardly more."""
    return all(_close(mine, own) for mine, own in zip(held, wanted, strict=True))


def _close(held: VectorBound, wanted: VectorBound) -> bool:
    if held.predicted_bias is None or wanted.predicted_bias is None:
        return wanted.predicted_bias is None and (held.predicted_bias is not None or held.norm == wanted.norm)
    within = 2 * (wanted.bias_within or 0.0) + LARGEST_MORE_BIAS
    return held.predicted_bias >= wanted.predicted_bias - LARGEST_MORE_BIAS and (held.bias_within or 0.0) <= within


def _cut(bounds: Sequence[VectorBound], grains: Sequence[float]) -> object:
    """Name how people are cut: numbers that are cut otherwise are not mixed as if both were right."""
    return tuple((bound.norm, bound.predicted_bias, bound.bias_within) for bound in bounds), tuple(grains)


def _enough(noises: Sequence[Deviations], asked: Deviations) -> bool:
    return _narrow(variances(noises), asked)


def _narrow(spread: Sequence[float], asked: Deviations) -> bool:
    return all(variance <= most**2 for variance, most in zip(spread, asked, strict=True))


def _price(way: Way) -> Fraction:
    return way.bought.cost.loss.rho if way.bought is not None else Fraction(0)


def _with_less(
    wanted: Prepared, together: Callable[[Prepared | None], Way | None], asked: Deviations, anew: _Anew
) -> Way | None:
    """Buy a release at the least price that is enough together with what is held; none where little is saved."""
    held = together(None)
    if held is None:
        return None
    left = max(1 - most**2 / variance for variance, most in zip(held.variances(), asked, strict=True))
    rho = max(wanted.cost.loss.rho * Fraction(left), MINIMUM_RHO)
    for _ in range(_TRIES):
        if rho > wanted.cost.loss.rho * Fraction(1 - LEAST_SAVED):
            break
        bought = anew.release(rho)
        way = together(bought) if bought.bounds == wanted.bounds else None
        if way is not None and _narrow(way.variances(), asked):
            return way
        rho *= Fraction(1001, 1000)
    return None


def asked_of(prepared: Prepared) -> Deviations:
    """Give the noise that a release has at its price."""
    pairs = zip(prepared.cost.vectors, prepared.bounds.vectors, strict=True)
    return tuple(cost.deviation(bound) for cost, bound in pairs)


def _noise(made: Made) -> Deviations:
    return made.release.deviations()


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


def clashing(ways: Sequence[Way]) -> list[int]:
    """List the combined ways that may hold the noise of another one with the opposite sign.

    Claim: without any, whatever two ways share is taken with weights of one sign in both. Raises: nothing. Proof:
    dialect/postprocess/proofs.md#shared-noise
    """
    found = [_signs(way) for way in ways]
    others = [[theirs for j, theirs in enumerate(found) if j != i] for i in range(len(ways))]
    return [i for i, way in enumerate(ways) if way.combined and any(_differ(found[i], each) for each in others[i])]


Signs = Mapping[str, AbstractSet[bool]]  # by stored release: whether it is added, or taken off


def _differ(mine: Signs, theirs: Signs) -> bool:
    return any(len(mine[key] | theirs[key]) > 1 for key in mine.keys() & theirs.keys())


def _signs(way: Way) -> Signs:
    """Say how a way takes each release that it is made of: what is held, and what it is or will be itself."""
    keys = [each.release_key for each in way.sources] + ([way.bought.release_key] if way.bought else [])
    found: dict[str, set[bool]] = {}
    for key, times in zip(keys, way.times or [Fraction(1)] * len(keys), strict=True):
        found.setdefault(key, set()).add(times > 0)
    return found
