"""View matching: whether a stored release answers another plan.

Two PrivatePlans -> how the groups of one are computed from the groups of the other.

Modules, each before those that import it:

    view_matching.

Terms in all modules: wanted is the release that a query needs, stored a release of the client that exists already. A
cell is a group of the stored release, and its field has the value of one stored key.
"""

from __future__ import annotations

from dialect.planner.reuse.view_matching import CanonicalPlan, Derivation, canonical_plan, find_derivation
