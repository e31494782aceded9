"""Display names of releases and query vectors in messages: the analyst's SQL names."""

from __future__ import annotations

from collections.abc import Iterable

from dialect.algebra import GroupKey, PrivatePlan, QueryVector, VectorKind

_SQL_NAMES = {VectorKind.VALID: "count", VectorKind.CENTRED: "avg"}


def vector_display_name(vector: QueryVector) -> str:
    """Display name of a query vector: the SQL aggregate that it is computed for, such as count(x) or avg(x)."""
    sql_name = _SQL_NAMES.get(vector.kind)
    return (
        vector.canonical_text
        if sql_name is None
        else vector.canonical_text.replace(f"{vector.kind}(", f"{sql_name}(", 1)
    )


def release_display_name(plan: PrivatePlan) -> str:
    """Display name of a release: its group keys."""
    return f"by {', '.join(key.canonical_text for key in plan.keys)}" if plan.keys else "of all rows"


def release_suffix(plan: PrivatePlan, plans: Iterable[PrivatePlan]) -> str:
    """Suffix that names a release by its group keys; empty if the query has only one release."""
    return f" {release_display_name(plan)}" if len(tuple(plans)) > 1 else ""


def key_reason(key: GroupKey, kind: str) -> str:
    """Reason for a key's kind (public or private), without the kind as a prefix."""
    return key.reason.removeprefix(f"{kind}: ")
