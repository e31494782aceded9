"""Fallback clip bounds of tables that declare none: orders of magnitude from public facts, never a measurement.

Privacy holds for any clip bound. A fallback bound is wide, so that it removes little where nobody said how much a
person contributes; how much it removes is unknown, and no bias is predicted from it.
"""

from __future__ import annotations

import math

from dialect.catalog.model import ClipBounds, Table

# a person with this many times the mean number of rows still counts fully: size classes are within a factor of 3 of
# the numbers of rows, and contributions are skewed
FALLBACK_MULTIPLE = 4
# rows that count fully where no public fact tells the mean: people are typically seen some to some tens of times a
# window in trips, visits, check-ins and purchases, and this power of two covers most of them
FALLBACK_ROWS = 64
MIN_FALLBACK_ROWS = 8
FALLBACK_GROUPS = 20  # groups that count fully, where the table declares no maximum
FALLBACK_VALUE_SHARE = 0.25  # a usual value as a share of the largest: declared value bounds are wide


def fallback_clip_bounds(table: Table) -> ClipBounds:
    """Return clip bounds for a table that declares none; the share of people within them is unknown.

    A person counts fully with `FALLBACK_MULTIPLE` times the mean number of rows that size classes imply, or
    `FALLBACK_ROWS` where they imply none, at most `max_rows_per_person`; and in `max_groups_per_person` groups, whose
    memberships have the norm of their root. A table with one row per person has 1 of each.
    """
    if table.has_one_row_per_person:
        return ClipBounds(1.0, 1.0, expected_coverage=None)
    mean = table.mean_rows_per_person
    usual = FALLBACK_ROWS if mean is None else max(MIN_FALLBACK_ROWS, math.ceil(FALLBACK_MULTIPLE * mean))
    rows = min(usual, table.max_rows_per_person or usual)
    groups = min(rows, table.max_groups_per_person or FALLBACK_GROUPS)  # a row is in one group
    return ClipBounds(float(rows), math.sqrt(groups), expected_coverage=None)
