"""Bounded SQL: exact integers per group in which each person's contribution is bounded (`proofs.md#render`).

PrivatePlan and ContributionBounds -> BoundedSql, by these CTEs:

    source              rows of people, with keys, values and conditions
    key_set             the public key set k0, k1, ...
    unit_partials       per-unit partial aggregates: one row per (unit, group), exact integers v0, v1, ...
    truncated_partials  the same after group truncation: at most L0 groups per unit, where a limit is needed
    unit_count          number of admitted units with any row in a listed group, where noise is correlated
    unit_measures       one row per admitted unit, with the norms that its profile has measured, if it has one
    clip_factors        clipping factors f0, f1, ...: one row per admitted unit, where vectors are scaled; with totals,
                        sum<i> over its groups of vector i, in the profile's value grains
    clipped_totals      one row: totals over all groups, if any are measured
    group_sums          one row per group, w0, w1, ...: the person is gone

The final SELECT returns one row per public key, zeros included, in public order.

Where vectors are only scaled, unclipped units are summed without a row of their own (`unclipped_units`, which also
explains norm_tests, merged_partials, clipped_sums and unclipped_sums). Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    admitted         meets the eligibility conditions and has not objected (`dialect.codegen.stored_rows`)
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit (value_bits of its VectorBound)
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    pre-grained      its values are converted to value grains in the public input already (`pushdown`)
    dictionaries     integer codes of text keys, by key index (`pushdown`)
    encoded key      one integer for a whole public key (`key_encoding`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target, UnitPartials
from dialect.algebra.release_plan import ClipRule, ContributionBounds, PrivatePlan, VectorKind
from dialect.catalog.model import Eligibility
from dialect.codegen.contribution.clipping import (
    clipped_contribution,
    clipping_factors,
    combine_windows,
    distinct_counts,
    distinct_values,
    has_single_row_units,
    partials_cte,
    sum_template,
    truncate_groups,
    truncated_values,
)
from dialect.codegen.contribution.physical_plan import (
    CLIPPED_TOTALS,
    answer_sql,
    clamped_to_bigint,
    key_set_semi_join,
    key_set_sql,
)
from dialect.codegen.contribution.pushdown import Dictionary
from dialect.codegen.contribution.unclipped_units import CLIPPED_UNITS, all_sums, unclipped_sums
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, ENGINE_DIALECTS, EngineDialect
from dialect.codegen.lake import LAKE_RESULT
from dialect.codegen.materialized_rollups import partials_from_rollup
from dialect.codegen.partials import (
    NO_DICTIONARIES,
    NO_TOTALS,
    Partials,
    SharedPlan,
    UnitTotal,
    capped_partials,
    in_grains_of,
    is_shareable,
    read_lake_partials,
    read_partials,
    recentred,
    shared_partials,
    with_clause,
    with_untruncated,
)
from dialect.codegen.profile import UNIT_MEASURES, has_measured_norms, measured_units
from dialect.codegen.stored_rows import join_admitted


def write_bounded_sql(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    target: Target,
    admission: Eligibility | None = None,
    shared: SharedPlan | None = None,
    totals: Mapping[int, int] = NO_TOTALS,
    *,
    is_alone: bool = False,
) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, or for the lake that holds people's rows.

    `admission` = conditions on the persons whose rows are read; None: everybody's are.

    A materialized rollup is read instead of rows if one covers the plan. If stored tables are truncated, a second text
    without the truncation is written, with the conditions under which the engine may run it. `shared` = the plan of
    partial aggregates that other statements of the release read as well, if all numbers follow from them; or that this
    one alone reads, if it `is_alone`. `totals` = by index of a vector, the clip bound of its total over all groups, in
    the value grains of the release's profile: the total is measured as well (`total_count`) where DuckDB reads shared
    partials with the profile's limit of groups.
    """
    if shared is not None and is_shareable(plan, bounds, shared):
        return _from_shared(plan, bounds, target, admission, shared, totals, is_alone)
    rollup_partials = (
        None
        if plan.mapping is not None or not target.rollups
        else partials_from_rollup(plan, bounds, target, admission)
    )
    if target.lake is not None and rollup_partials is None:
        return _for_lake(read_lake_partials(plan, bounds, target, target.lake, admission), target, admission)

    def write(of: Target) -> BoundedSql:
        return _in_duckdb(read_partials(plan, bounds, of, admission, rollup_partials), admission)

    return write(target) if rollup_partials is not None else with_untruncated(write, plan, target)


def _from_shared(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, admission: Eligibility | None, shared: SharedPlan,
    totals: Mapping[int, int], is_alone: bool,
) -> BoundedSql:  # fmt: skip
    """Write the bounded SQL of a plan from partial aggregates that other statements of its release read as well."""
    has_totals = bounds.max_groups == shared.profile_bounds.max_groups

    def write(of: Target) -> BoundedSql:
        moved = recentred(shared, plan)
        fine = shared_partials(shared, of, admission, is_alone=is_alone)
        if fine.is_in_lake:
            return _for_lake(in_grains_of(fine, bounds, moved), target, admission)
        of_units = [(i, most, shared.profile_bounds.vectors[i]) for i, most in totals.items() if has_totals]
        partials = in_grains_of(fine, bounds, moved, of_units)
        has_norms = not is_alone and has_measured_norms(plan, bounds, shared, moved)
        return _in_duckdb(partials, admission, measured_units(shared, of, admission) if has_norms else "")

    return with_untruncated(write, plan, target)


def _in_duckdb(partials: Partials, admission: Eligibility | None, measures: str = "") -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, from its partial aggregates.

    `measures` = SQL of the measures of admitted units that a profile reads, if they have the norms of all vectors.
    """
    plan, bounds, shared = partials.answer_plan, partials.bounds, partials.shared
    ctes = [*partials.ctes, *_aggregation_ctes(partials, admission)]
    if measures:
        shared = {UNIT_MEASURES: measures, **shared}
        ctes = [*partials.rows, *partials.keys, *_measured_aggregation_ctes(partials, measures)]
    count, total_count = _column_count(bounds), len(partials.totals)
    if total_count:
        units = UNIT_MEASURES if measures else "clip_factors"
        ctes.append((CLIPPED_TOTALS, False, _clipped_totals(partials.totals, units)))
    facts = (plan, partials.dictionaries, partials.is_key_encoded)
    answer = answer_sql(*facts, centred=bounds.centred_vectors, total_count=total_count)
    return BoundedSql(
        with_clause(ctes, answer), len(plan.keys), count + total_count,
        eligible_sql=partials.eligible_sql, shared=shared, total_count=total_count,
    )  # fmt: skip


def _clipped_totals(totals: Iterable[UnitTotal], units: str) -> str:
    """Write one row: totals over all groups, each unit's sum clipped. Rows of nobody are no unit."""
    clipped = (f"least(coalesce(sum{each.index}, 0), {each.clip_bound})" for each in totals)
    sums = ", ".join(f"{clamped_to_bigint(f'sum({number})')} AS t{i}" for i, number in enumerate(clipped))
    return f"SELECT {sums} FROM {units} WHERE person IS NOT NULL"


def _column_count(bounds: ContributionBounds) -> int:
    """Count the result columns w0, w1, ...: the vectors, and the number of units where noise is correlated."""
    return len(bounds.vectors) + bool(bounds.centred_vectors)


def _for_lake(partials: Partials, target: Target, admission: Eligibility | None) -> BoundedSql:
    """Write two statements: the lake's, over broadcast public rows, and DuckDB's, which adds the public key order.

    DuckDB's statement joins the lake's sums, in the table LAKE_RESULT, to the key set.
    """
    plan, bounds, dialect = partials.answer_plan, partials.bounds, ENGINE_DIALECTS[partials.target.engine]
    keys = list[Subquery]()
    if plan.key_set is not None and plan.keys:
        keys = [("key_set", True, key_set_sql(plan.key_set, NO_DICTIONARIES, target))]
    ctes = [*partials.ctes, *_aggregation_ctes(partials, admission)]
    of_groups = answer_sql(replace(plan, key_set=None), NO_DICTIONARIES, is_ordered=False)
    units = f"w{len(plan.vectors)}"  # column of the lake's result with the number of units
    if bounds.centred_vectors:
        of_groups = f"SELECT g.*, u.units AS {units} FROM ({of_groups}) AS g CROSS JOIN unit_count AS u"
    text = with_clause(ctes, of_groups, dialect)
    ordered = answer_sql(plan, NO_DICTIONARIES, tables=("group_sums",), centred=bounds.centred_vectors)
    keys.append(("group_sums", False, f"SELECT * FROM {LAKE_RESULT}"))
    if bounds.centred_vectors:
        keys.append(("unit_count", False, f"SELECT max({units}) AS units FROM {LAKE_RESULT}"))
    return BoundedSql(text, len(plan.keys), _column_count(bounds), partials.broadcast, with_clause(keys, ordered))


def _aggregation_ctes(found: Partials, admission: Eligibility | None) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums per group. Only here do person keys leave the rows.

    Persons who are not admitted are dropped at the step with the fewest rows: in `clip_factors` where vectors are
    scaled (in Spark in `unit_partials`), else in `group_sums`. Vectors of distinct values have the further CTEs
    distinct_values<i>, truncated_values<i> and distinct_counts<i>, which read `source` again and drop them as well.
    """
    plan, bounds, dictionaries, partials = found.plan, found.bounds, found.dictionaries, found.unit
    if partials.merges_unclipped_units:
        return _merged_aggregation_ctes(plan, bounds, dictionaries, partials)
    dialect = ENGINE_DIALECTS[found.target.engine]
    is_scaled = bool(found.totals) or any(bound.rule is ClipRule.SCALE for bound in bounds.vectors)
    # materialized, else DuckDB joins admitted persons to rows; reading a rollup again is cheaper than materializing it
    materialized = (
        None if partials.keeps_stored_groups else is_scaled or admission is not None or bounds.max_groups is not None
    )
    text, admission_after = capped_partials(plan, bounds, dictionaries, partials.text, found.totals), admission
    if is_scaled and not dialect.materialized:  # else a filter pushed into one read would make Spark compute it twice
        text, admission_after = f"SELECT * FROM {join_admitted(f'({text}) AS c', admission, dialect)}", None
    ctes = [("unit_partials", materialized, text)]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    if bounds.centred_vectors:
        ctes.append(("unit_count", bool(dialect.materialized), _unit_count(plan, admission_after, dialect)))
    # admission is cheapest here, at one row per person; materialized, so that DuckDB does not push it into the rows
    if is_scaled:
        is_single_row = has_single_row_units(plan, bounds)
        materialize_factors = bool(found.totals) or (admission is not None and not is_single_row)
        one, summed = ("1", "{}") if is_single_row else ("count(*)", dialect.wide_sum)
        of_units = (f"{one if t.is_one else summed.format(t.column)} AS sum{t.index}" for t in found.totals)
        factors = clipping_factors(plan, bounds, admission_after, dialect, sums=of_units)
        ctes.append(("clip_factors", materialize_factors, factors))
    sums = _sums_per_group(plan, bounds, None if is_scaled else admission, is_scaled, dialect)
    ctes.append(("group_sums", False, sums))
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if vector.kind is VectorKind.DISTINCT:  # counted across people and not summed
            limits = _admitted_groups_join(plan, bounds, dictionaries, admission, dialect)
            ctes += [
                (f"distinct_values{i}", False, distinct_values(plan, vector, limits)),
                (f"truncated_values{i}", False, truncated_values(f"distinct_values{i}", plan, vector, bound, dialect)),
                (f"distinct_counts{i}", False, distinct_counts(f"truncated_values{i}", plan, vector, bound, f"w{i}")),
            ]
    return ctes


def _measured_aggregation_ctes(found: Partials, measures: str) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums where the norms of admitted units are measured already.

    The join to the clipping factors drops persons who are not admitted.
    """
    plan, bounds, dialect = found.plan, found.bounds, ENGINE_DIALECTS[found.target.engine]
    capped = capped_partials(plan, bounds, found.dictionaries, found.unit.text)
    ctes: list[Subquery] = [(UNIT_MEASURES, True, measures), ("unit_partials", None, capped)]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    if bounds.centred_vectors:
        ctes.append(("unit_count", True, f"SELECT count(*) AS units FROM {UNIT_MEASURES}"))
    ctes.append(("clip_factors", False, clipping_factors(plan, bounds, None, dialect, UNIT_MEASURES)))
    return [*ctes, ("group_sums", False, _sums_per_group(plan, bounds, None, is_scaled=True, dialect=dialect))]


def _unit_count(plan: PrivatePlan, admission: Eligibility | None, dialect: EngineDialect) -> str:
    """Write the number of admitted units with any row in a listed group: each privacy window of a person is a unit."""
    units = f"SELECT DISTINCT {', '.join(plan.unit_columns)} FROM {join_admitted('unit_partials', admission, dialect)}"
    return f"SELECT count(*) AS units FROM ({units} WHERE person IS NOT NULL) AS u"


def _merged_aggregation_ctes(
    plan: PrivatePlan, bounds: ContributionBounds, dictionaries: Mapping[int, Dictionary], partials: UnitPartials
) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums where unclipped units are already merged.

    The norm test has already dropped persons who are not admitted.
    """
    return [
        ("merged_partials", True, partials.text),
        ("unit_partials", False, capped_partials(plan, bounds, dictionaries, CLIPPED_UNITS)),
        ("clip_factors", False, clipping_factors(plan, bounds, None)),
        ("clipped_sums", False, _sums_per_group(plan, bounds, None, is_scaled=True)),
        ("unclipped_sums", False, unclipped_sums(plan, bounds)),
        ("group_sums", False, all_sums(plan)),
    ]


def _admitted_groups_join(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    dictionaries: Mapping[int, Dictionary],
    admission: Eligibility | None,
    dialect: EngineDialect,
) -> str:
    """Write the joins that limit per-unit rows `v` to admitted persons and remaining groups.

    Remaining are the groups that group truncation chose, else those of the public key set.
    """
    admission_join = join_admitted("", admission, dialect)
    if bounds.max_groups is not None:
        conditions = [f"truncated_partials.{name} = v.{name}" for name in plan.unit_columns]
        conditions += [f"truncated_partials.{key} IS NOT DISTINCT FROM v.{key}" for key in plan.key_columns]
        return f"{admission_join} SEMI JOIN truncated_partials ON {' AND '.join(conditions)}"
    return admission_join + key_set_semi_join("v", plan, dictionaries)


def _sums_per_group(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    admission: Eligibility | None,
    is_scaled: bool,
    dialect: EngineDialect = DUCKDB_DIALECT,
) -> str:
    """Write the sums over units: one row per group, without persons.

    Where a unit is a person and window, the windows of a person are combined first, because a person counts once per
    group. `admission` is None where an earlier CTE has dropped the persons who are not admitted.
    """
    keys = plan.key_columns
    summed_indices = [i for i, vector in enumerate(plan.vectors) if vector.kind is not VectorKind.DISTINCT]
    source = join_admitted(partials_cte(bounds), admission, dialect)
    if is_scaled and has_single_row_units(plan, bounds):
        source = "clip_factors"  # has the partial aggregates as columns, too
    elif is_scaled:
        source += f" JOIN clip_factors USING ({', '.join(plan.unit_columns)})"
    weights = {i: clipped_contribution(i, plan, bounds, dialect) for i in summed_indices}
    counts_persons = any(plan.vectors[i].kind is VectorKind.PERSONS for i in summed_indices)
    if plan.charged_windows.window_field is not None and counts_persons:
        source = f"({combine_windows(plan, source, weights, dialect)}) AS o"
        weights = {i: f"w{i}" for i in summed_indices}
    templates = {i: sum_template(plan, bounds.vectors[i], dialect) for i in weights}
    totals = [f"{templates[i].format(weight)} AS w{i}" for i, weight in weights.items()]
    columns = ", ".join([*keys, *totals]) or "count(*) AS dummy"
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {columns} FROM {source}{by}"
