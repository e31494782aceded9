"""Contribution bounding: which clip rule and clip bound each query vector has, and why.

PrivatePlan and the catalog's clip bounds -> ContributionBounds; `dialect.codegen.contribution` writes them as SQL.

Terms in all modules: a clip bound is the largest L2 norm of one person's numbers over all groups. The L0 bound is the
largest number of groups per person. A clip rule keeps a person's numbers within the clip bound: by scaling, clamping or
truncation. A query vector has one number per group; its magnitude is the largest absolute value of one row.

Modules, each before those that import it:

    grouping, clip_bounds, bounding.
"""

from __future__ import annotations

from dialect.sensitivity.bounding import LOG_NORMAL_SIGMA, MAX_GRAIN_BITS, TunedClipBound, finest_value_bits
from dialect.sensitivity.clip_bounds import (
    column_multiple,
    counted_table,
    declares_clip_bounds,
    max_groups_within,
    values_by_group,
)
from dialect.sensitivity.grouping import (
    grouping_attributes,
    key_determination_test,
    key_equivalents,
    per_group_distinct_bounds,
)
