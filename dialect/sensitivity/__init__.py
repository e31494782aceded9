"""Contribution bounding: which clip rule and clip bound each query vector has, and why.

PrivatePlan and the catalog's clip bounds -> Bounding; `codegen/contribution` writes it as SQL.

Modules, each before those that import it:

    grouping, clip_bounds, bounding.
"""

from __future__ import annotations

from dialect.sensitivity.bounding import LOG_NORMAL_SIGMA, TunedClipBound
from dialect.sensitivity.clip_bounds import column_multiple, counted_table, max_groups_within, values_by_group
from dialect.sensitivity.grouping import (
    grouping_attributes,
    key_determination_test,
    key_equivalents,
    per_group_distinct_bounds,
)

__all__ = [
    "LOG_NORMAL_SIGMA",
    "TunedClipBound",
    "column_multiple",
    "counted_table",
    "grouping_attributes",
    "key_determination_test",
    "key_equivalents",
    "max_groups_within",
    "per_group_distinct_bounds",
    "values_by_group",
]
