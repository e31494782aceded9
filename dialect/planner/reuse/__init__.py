"""View matching: whether a stored release answers another plan.

Two PrivatePlans -> how the groups of one are computed from the groups of the other.

Modules, each before those that import it:

    predicate_regions, view_matching.

Terms in all modules: wanted is the release that a query needs, stored a release of the client that exists already. A
cell is a group of the stored release, and its field has the value of one stored key.
"""

from __future__ import annotations

from dialect.planner.reuse.predicate_regions import Decompositions, RowSets
from dialect.planner.reuse.view_matching import (
    CanonicalPlan,
    Derivation,
    StoredPart,
    canonical_plan,
    equivalent_part_derivation,
    find_derivation,
    stored_parts,
)

__all__ = [
    "CanonicalPlan",
    "Decompositions",
    "Derivation",
    "RowSets",
    "StoredPart",
    "canonical_plan",
    "equivalent_part_derivation",
    "find_derivation",
    "stored_parts",
]
