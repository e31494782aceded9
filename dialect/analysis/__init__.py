"""Properties of relations: predicates, unique keys, functional dependencies, cardinality, canonical form.

Every property is derived from the plan and the catalog. No row is read.

Modules, each before those that import it:

    canonical_form, uniqueness, time_granularity, date_bounds, clocks, predicates, value_counts, person_rows, lints,
    work_bounds.
"""

from __future__ import annotations

from dialect.analysis.lints import format_value, public_lookup_constants
from dialect.analysis.person_rows import (
    MAX_DECLARED_TEXT,
    filters_time_only,
    has_stored_rows_only,
    is_full_scan,
    reduced_truncations,
    row_bounds,
)
from dialect.analysis.predicates import counts_time
from dialect.analysis.uniqueness import (
    has_many_to_many_join,
    has_unkeyed_many_to_many_join,
    may_match_several_public_rows,
)
from dialect.analysis.value_counts import count_values, excluded_ranges
from dialect.analysis.work_bounds import NO_WORK, Work, partial_counts, partials_work, work_bound
