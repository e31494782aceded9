"""View matching: whether a stored release answers another plan.

Two PrivatePlans -> how the groups of one are computed from the groups of the other.

Modules, each before those that import it:

    predicate_regions, view_matching.
"""

from __future__ import annotations

from dialect.planner.reuse.predicate_regions import Read, RowSets
from dialect.planner.reuse.view_matching import Derivation, Part, Told, derivation, held_parts, same_rows, told

__all__ = [
    "Derivation",
    "Part",
    "Read",
    "RowSets",
    "Told",
    "derivation",
    "held_parts",
    "same_rows",
    "told",
]
