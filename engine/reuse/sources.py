"""Release sources: each release of a query is derived from stored ones, newly charged, or both combined.

Decided by text, catalog, prices and noise scales, and by how many listed groups make one; where released numbers are
subtracted, also by the client's own released numbers; never by an exact number (proofs.md#release-sources).

Noise correlation: which numbers of a query may share the noise of one stored release.
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

Again = Callable[[Fraction], Prepared]  # compiles the same release at another rho
Beside = Callable[["Prepared | None"], "Combined | None"]  # combines all holdings with a newly charged release
LARGEST_MORE_BIAS = 0.01  # a stored release with this much more bias, as a share of a total, is still accepted
LEAST_SAVED = 0.05  # share of the price that averaging must save
_TRIES = 8


@dataclass(frozen=True)
class Combined:
    """Linear combination of several stored releases, and possibly a new one, that gives a wanted release."""

    sources: tuple[Made, ...]
    weights: tuple[Fraction, ...]
    bounds: tuple[VectorBound, ...]  # clip bounds with the bias that clipping may leave
    own: tuple[Fraction, ...] = ()  # weight of a newly charged release, if there is one


@dataclass(frozen=True)
class Way:
    """Source of one release of a query: stored releases it is derived from, a new charge, or both."""

    wanted: Prepared
    sources: tuple[Made, ...] = ()  # stored releases that it is derived from
    bought: Prepared | None = None  # release to be charged, unless it is paid
    combined: Combined | None = None  # weights of sources and charged release; None: inverse-variance mean

    def release(self, stored: Mapping[str, bytes]) -> Release:
        """Build the release from stored payloads: as it was stored, or as weighted sum or mean of its sources."""
        own = None if self.bought is None else from_bytes(stored[self.bought.release_key])
        if own is not None and not self.sources:
            return own
        releases = [*(each.release for each in self.sources), *([] if own is None else [own])]
        return mixed(releases) if self.combined is None else weighed(releases, self.times)

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Coefficient of each source and of the charged release; empty for an inverse-variance mean."""
        return () if self.combined is None else self.combined.weights + self.combined.own

    def variances(self) -> tuple[float, ...]:
        """Compute the noise variance of each vector, in squared units."""
        noises = [*map(_noise, self.sources), *([] if self.bought is None else [asked_of(self.bought)])]
        if self.combined is None:
            return variances(noises)
        spread = ([(float(w) * one) ** 2 for one in noise] for w, noise in zip(self.times, noises, strict=True))
        return tuple(map(sum, zip(*spread, strict=True)))

    @property
    def told(self) -> Prepared:
        """The compiled release with the actual bounds and noise of its sources, for reporting."""
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
    """List the releases that a query is charged for, unless they are paid already."""
    return tuple(way.bought for way in ways if way.bought is not None)


def way_of(
    wanted: Prepared, candidates: Iterator[Made | Combined], again: Again | None, held: AbstractSet[str], beside: Beside
) -> Way:
    """Choose the source of a release: a stored one, a new charge, or both averaged.

    Claim: what is derived has at most the variance of what is wanted, and the choice is the same when the client holds
    more, bought later; no noise is counted twice. Symbols: candidates in charge order; `stored_keys` = keys of all
    holdings; `combine_with` = combination of all holdings with a newly charged release. Formula: the first candidate
    that is precise enough alone, or averaged with earlier ones of equal clip bounds; else a release at the smallest
    price that is precise enough together with these. Source and proof: proofs.md#release-sources. Raises: nothing.
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
    """Source without a charge, if a candidate is precise enough alone or averaged with earlier ones of equal bounds."""
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
    """Compiler of new releases that the client does not hold yet: a held one would add no independent noise."""

    again: Again
    held: AbstractSet[str]

    def release(self, rho: Fraction) -> Prepared:
        """Compile a release at a price, slightly raised while the client already holds a release of that price."""
        made = self.again(rho)
        while made.release_key in self.held:
            rho += Fraction(len(made.plan.vectors), PICO)
            made = self.again(rho)
        return made


def as_little_cut(held: Sequence[VectorBound], wanted: Sequence[VectorBound]) -> bool:
    """Check that the clipping bias of a stored release is at most slightly larger than that of the wanted one."""
    return all(_close(mine, own) for mine, own in zip(held, wanted, strict=True))


def _close(held: VectorBound, wanted: VectorBound) -> bool:
    if held.predicted_bias is None or wanted.predicted_bias is None:
        return wanted.predicted_bias is None and (held.predicted_bias is not None or held.norm == wanted.norm)
    within = 2 * (wanted.bias_within or 0.0) + LARGEST_MORE_BIAS
    return held.predicted_bias >= wanted.predicted_bias - LARGEST_MORE_BIAS and (held.bias_within or 0.0) <= within


def _cut(bounds: Sequence[VectorBound], grains: Sequence[float]) -> object:
    """Return the grouping key of equally clipped releases; differently clipped ones are never averaged."""
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
    """Charge a release at the smallest price that is precise enough with holdings; None if little is saved."""
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
    """Noise of each vector of a compiled release at its price, as standard deviations in units."""
    pairs = zip(prepared.cost.vectors, prepared.bounds.vectors, strict=True)
    return tuple(cost.deviation(bound) for cost, bound in pairs)


def _noise(made: Made) -> Deviations:
    return made.release.deviations()


def parts_that_share(ways: tuple[Way, ...]) -> Mapping[tuple[int, int], int]:
    """Noise correlation: label the vectors of different releases that are derived from one stored release.

    Maps (release index, vector index) to the label of its correlated set; vectors of independent releases are absent.
    """
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
    """List the combined sources that may contain another one's noise with the opposite sign.

    Claim: without any, noise shared by two sources has coefficients of one sign in both. Raises: nothing. Proof:
    dialect/postprocess/proofs.md#shared-noise
    """
    found = [_signs(way) for way in ways]
    others = [[theirs for j, theirs in enumerate(found) if j != i] for i in range(len(ways))]
    return [i for i, way in enumerate(ways) if way.combined and any(_differ(found[i], each) for each in others[i])]


Signs = Mapping[str, AbstractSet[bool]]  # release key -> signs of its coefficients (True: added)


def _differ(mine: Signs, theirs: Signs) -> bool:
    return any(len(mine[key] | theirs[key]) > 1 for key in mine.keys() & theirs.keys())


def _signs(way: Way) -> Signs:
    """Signs of the coefficients of each stored or charged release in a source."""
    keys = [each.release_key for each in way.sources] + ([way.bought.release_key] if way.bought else [])
    found: dict[str, set[bool]] = {}
    for key, times in zip(keys, way.times or [Fraction(1)] * len(keys), strict=True):
        found.setdefault(key, set()).add(times > 0)
    return found
