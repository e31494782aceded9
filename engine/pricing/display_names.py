"""Releases and their vectors -> how an analyst would call them."""

from __future__ import annotations

from collections.abc import Iterable

from dialect.algebra import Key, PrivatePlan, Vector, VectorKind

_IN_SQL = {VectorKind.VALID: "count", VectorKind.CENTRED: "avg"}


def vector_spoken(vector: Vector) -> str:
    """Call a vector as SQL calls what it is made for: count(x), avg(x)."""
    word = _IN_SQL.get(vector.kind)
    return vector.text if word is None else vector.text.replace(f"{vector.kind}(", f"{word}(", 1)


def release_spoken(plan: PrivatePlan) -> str:
    """Call a release by its groups."""
    return f"by {', '.join(key.text for key in plan.keys)}" if plan.keys else "of all rows"


def which_release(plan: PrivatePlan, plans: Iterable[PrivatePlan]) -> str:
    """Call a release by its groups where a question makes several."""
    return f" {release_spoken(plan)}" if len(tuple(plans)) > 1 else ""


def why_key(key: Key, kind: str) -> str:
    """Say why a key is of its kind, which stands beside it."""
    return key.why.removeprefix(f"{kind}: ")
