"""Ways of one question -> which of their numbers may hold the noise of one stored release."""

from __future__ import annotations

from collections.abc import Mapping

from engine.ways import Way


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


def shares_otherwise(one: Way, other: Way) -> bool:
    """Tell whether two ways may hold the same noise with opposite signs (dialect/proofs.md#shared-noise)."""
    mine, theirs = _signs(one), _signs(other)
    return any(len(mine[key] | theirs[key]) > 1 for key in mine.keys() & theirs.keys())


def _signs(way: Way) -> Mapping[str, set[bool]]:
    found: dict[str, set[bool]] = {}
    for i, each in enumerate(way.sources):
        found.setdefault(each.release_key, set()).add(not way.times or way.times[i] > 0)
    return found
