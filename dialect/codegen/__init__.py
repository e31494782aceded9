"""Code generation: a release plan as bounded SQL of an engine, and the outer query as SQL over its releases.

PrivatePlan and ContributionBounds -> BoundedSql, whose result is exact integers per group, with no row of any person.

Modules, each before those that import it:

    engines, stored_rows, relations, contribution, materialized_rollups, lake, partition_selection, partials,
    profile, bounded_sql, outer_query.
"""

from __future__ import annotations

from dialect.codegen.engines.dialects import DUCKDB_DIALECT, ENGINE_DIALECTS, EngineDialect
from dialect.codegen.lake import (
    KEY_SET,
    LAKE_RESULT,
    lake_rollup,
    partition_sql,
    placeholder,
    row_count_sql,
    stored_rollup_sql,
)
from dialect.codegen.materialized_rollups import is_rollup_compatible, write_rollup
from dialect.codegen.outer_query import (
    ARITHMETIC,
    OuterSql,
    write_derived_release,
    write_group_mapping,
    write_outer_query,
    write_pinned_counts,
)
from dialect.codegen.partials import (
    SHARED_PARTIALS,
    Measure,
    ProfileHistogram,
    SharedPlan,
    with_shared_ctes,
    with_shared_from,
)
from dialect.codegen.partition_selection import max_weight, plan_over_released_keys, selection_plan
from dialect.codegen.profile import (
    CENTRE_STEPS,
    HIGHEST_BIN,
    LOWEST_BIN,
    MEAN_STEPS,
    NEGATIVE_BINS,
    CentredAverage,
    MeanBins,
    OtherCentres,
    without_shared_measures,
    write_distances_sql,
    write_means_sql,
    write_profile_sql,
    write_totals_sql,
)
from dialect.codegen.relations.relation import RELEASED_KEYS
from dialect.codegen.stored_rows import (
    SAME_BITS_FORMS,
    SPARK_UNSIGNED_TYPE,
    eligible_persons_sql,
    read_eligible_from,
    same_bits_datasets,
    stored_column,
    stored_time,
)
