"""Contribution bounding: which clip rule and clip bound each query vector has, and why.

PrivatePlan and the catalog's clip bounds -> Bounding; `codegen/contribution` writes it as SQL.

Modules, each before those that import it:

    grouping, norms, bounding.
"""

from __future__ import annotations

from dialect.sensitivity.bounding import SPREAD, ChosenNorm
from dialect.sensitivity.grouping import few_values, own_keys, parted_by, told_by
from dialect.sensitivity.norms import counted_table, most_groups, multiple_of, values_by_group

__all__ = [
    "SPREAD",
    "ChosenNorm",
    "counted_table",
    "few_values",
    "most_groups",
    "multiple_of",
    "own_keys",
    "parted_by",
    "told_by",
    "values_by_group",
]
