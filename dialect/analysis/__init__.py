"""Properties of relations: predicates, unique keys, functional dependencies, cardinality, canonical form.

Every property is derived from the plan and the catalog. No row is read.

Modules, each before those that import it:

    canonical_form, uniqueness, cardinality, date_bounds, disjunctive_joins, functional_dependencies,
    time_granularity, key_rewriting, lints, predicates, row_costs, sql_size, ties, work_bound.
"""

from __future__ import annotations

from dialect.analysis.cardinality import as_many_rows, chosen_by_time, every_row, most_rows
from dialect.analysis.lints import looked_up, shown_value
from dialect.analysis.row_costs import LISTED
from dialect.analysis.uniqueness import multiplies, pairs_rows, spreads
from dialect.analysis.work_bound import NO_WORK, Work, bounded_work

__all__ = [
    "LISTED",
    "NO_WORK",
    "Work",
    "as_many_rows",
    "bounded_work",
    "chosen_by_time",
    "every_row",
    "looked_up",
    "most_rows",
    "multiplies",
    "pairs_rows",
    "shown_value",
    "spreads",
]
