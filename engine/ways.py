"""Releases that a question wants + what its asker holds -> how each comes about: made of what is held, bought, or both.

Decided by text, catalog, prices and scales of noise, and by how many listed groups make one: never by a number, be it
exact or noisy (proofs.md#ways).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import MINIMUM_RHO, PICO
from dialect.private_plan import VectorBound
from engine.made_of import Deviations, Made, mixed, variances
from engine.prepare import Prepared
from engine.release import Release, from_bytes

Again = Callable[[Fraction], Prepared]  # the same release at another price
LARGEST_MORE_BIAS = 0.01  # a release that is cut by so much more of a total still stands for another one
LEAST_SAVED = 0.05  # of a price: for less, nothing is mixed
_TRIES = 8


@dataclass(frozen=True)
class Way:
    """How one release of a question comes about."""

    wanted: Prepared
    sources: tuple[Made, ...] = ()  # made of releases that are held
    bought: Prepared | None = None  # what is charged for, if it is not paid yet

    def release(self, stored: Mapping[str, bytes]) -> Release:
        """Give the release: as it was stored, or the weighted mean of what it is made of."""
        own = None if self.bought is None else from_bytes(stored[self.bought.release_key])
        if own is not None and not self.sources:
            return own
        return mixed([*(each.release for each in self.sources), *([] if own is None else [own])])

    @property
    def told(self) -> Prepared:
        """Give the release as it is told of: with the bounds and the noise of what its numbers are made of."""
        if not self.sources:
            return self.wanted
        spread = variances([*map(_noise, self.sources), *([] if self.bought is None else [_asked(self.bought)])])
        vectors = tuple(
            replace(price, sigma=variance**0.5 / bound.grain)
            for price, variance, bound in zip(self.wanted.cost.vectors, spread, self.wanted.bounds.vectors, strict=True)
        )
        bounds = replace(self.wanted.bounds, vectors=self.sources[0].bounds)
        return replace(self.wanted, bounds=bounds, cost=replace(self.wanted.cost, vectors=vectors))


def bought_of(ways: Sequence[Way]) -> tuple[Prepared, ...]:
    """List the releases that a question is charged for, if they are not paid yet."""
    return tuple(way.bought for way in ways if way.bought is not None)


def way_of(wanted: Prepared, candidates: Iterator[Made], again: Again | None, held: AbstractSet[str]) -> Way:
    """Choose how a release comes about.

    Claim: what is made has at most the variance of what is wanted, and the choice is the same when the asker holds
    more, bought later; no noise is counted twice. Symbols: candidates in the order in which they were bought; `held`
    = keys of all that the asker holds. Formula: the first that is enough
    alone, or together with those before it that are cut alike; else a release at the least price that is enough with
    these. Source and proof: proofs.md#ways. Raises: nothing.
    """
    asked = _asked(wanted)
    alike: dict[object, list[Made]] = {}
    for each in candidates:
        if not as_little_cut(each.bounds, wanted.bounds.vectors):
            continue
        together = alike.setdefault(_cut(each.bounds, each.release.grains), [])
        together.append(each)
        enough = next((some for some in ([each], together) if _enough(list(map(_noise, some)), asked)), None)
        if enough is not None:
            return Way(wanted, tuple(enough))
    grains = tuple(bound.grain for bound in wanted.bounds.vectors)
    same = alike.get(_cut(wanted.bounds.vectors, grains), [])
    if not same or again is None:
        return Way(wanted, bought=wanted)
    return _mixed_with_less(wanted, same, asked, _Anew(again, held))


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
    return all(variance <= most**2 for variance, most in zip(variances(noises), asked, strict=True))


def _mixed_with_less(wanted: Prepared, same: list[Made], asked: Deviations, anew: _Anew) -> Way:
    """Buy a release at the least price that is enough together with what is held; all of it where little is saved."""
    held = list(map(_noise, same))
    left = max(1 - most**2 / variance for variance, most in zip(variances(held), asked, strict=True))
    rho = max(wanted.cost.loss.rho * Fraction(left), MINIMUM_RHO)
    for _ in range(_TRIES):
        if rho > wanted.cost.loss.rho * Fraction(1 - LEAST_SAVED):
            break
        bought = anew.release(rho)
        if bought.bounds == wanted.bounds and _enough([*held, _asked(bought)], asked):
            return Way(wanted, tuple(same), bought)
        rho *= Fraction(1001, 1000)
    return Way(wanted, bought=wanted)


def _asked(prepared: Prepared) -> Deviations:
    """Give the noise that a release has at its price."""
    pairs = zip(prepared.cost.vectors, prepared.bounds.vectors, strict=True)
    return tuple(cost.deviation(bound) for cost, bound in pairs)


def _noise(made: Made) -> Deviations:
    return made.release.deviations()
