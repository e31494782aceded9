"""Fallback clip bounds of tables that declare none: orders of magnitude from public limits, never a measurement.

Privacy holds for any clip bound. A fallback bound is wide, so that it removes little where nobody said how much a
person contributes; how much it removes is unknown, and no bias is predicted from it.
"""

from __future__ import annotations

import math

from dialect.catalog.model import ClipBounds, Table

# rows of one person in one privacy window that count fully: a person is typically seen some to some tens of times a
# window in trips, visits, check-ins and purchases (medians of 3 to 40), and the next power of two covers most
FALLBACK_ROWS = 64
FALLBACK_GROUPS = 20  # groups of one person that count fully, where the table declares no maximum


def fallback_clip_bounds(table: Table) -> ClipBounds:
    """Return clip bounds for a table that declares none; the share of people within them is unknown.

    A person counts fully with `FALLBACK_ROWS` rows, at most `max_rows_per_person`, and in `max_groups_per_person`
    groups, whose memberships have the norm of their root. A table with one row per person has 1 of each.
    """
    if table.has_one_row_per_person:
        return ClipBounds(1.0, 1.0, expected_coverage=None)
    rows = min(FALLBACK_ROWS, table.max_rows_per_person or FALLBACK_ROWS)
    groups = min(rows, table.max_groups_per_person or FALLBACK_GROUPS)  # a row is in one group
    return ClipBounds(float(rows), math.sqrt(groups), expected_coverage=None)
