"""Ways of one question -> which of their numbers may hold the noise of one stored release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction

from engine.reuse.ways import Way


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
    dialect/proofs.md#shared-noise
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
