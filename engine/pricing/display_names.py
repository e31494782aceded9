"""Display names of releases and query vectors in messages: the analyst's SQL names."""

from __future__ import annotations

from collections.abc import Iterable

from dialect.algebra import Key, PrivatePlan, Vector, VectorKind

_IN_SQL = {VectorKind.VALID: "count", VectorKind.CENTRED: "avg"}


def vector_spoken(vector: Vector) -> str:
    """Display name of a query vector: the SQL aggregate that it is computed for, such as count(x) or avg(x)."""
    word = _IN_SQL.get(vector.kind)
    return vector.text if word is None else vector.text.replace(f"{vector.kind}(", f"{word}(", 1)


def release_spoken(plan: PrivatePlan) -> str:
    """Display name of a release: its group keys."""
    return f"by {', '.join(key.text for key in plan.keys)}" if plan.keys else "of all rows"


def which_release(plan: PrivatePlan, plans: Iterable[PrivatePlan]) -> str:
    """Suffix that names a release by its group keys; empty if the query has only one release."""
    return f" {release_spoken(plan)}" if len(tuple(plans)) > 1 else ""


def why_key(key: Key, kind: str) -> str:
    """Reason for a key's kind (public or private), without the kind as a prefix."""
    return key.why.removeprefix(f"{kind}: ")
