"""Bounded SQL: exact integers per group in which each person's contribution is bounded (`proofs.md#render`).

PrivatePlan and ContributionBounds -> BoundedSql, by these CTEs:

    source              rows of people, with keys, values and conditions
    key_set             the public key set k0, k1, ...
    unit_partials       per-unit partial aggregates: one row per (unit, group), exact integers v0, v1, ...
    truncated_partials  the same after group truncation: at most L0 groups per unit, where a limit is needed
    unit_count          number of admitted units with any row in a listed group, where noise is correlated
    clip_factors        clipping factors f0, f1, ...: one row per admitted unit, where vectors are scaled
    group_sums          one row per group, w0, w1, ...: the person is gone

The final SELECT returns one row per public key, zeros included, in public order.

Where vectors are only scaled, unclipped units are summed without a row of their own (`unclipped_units`, which also
explains norm_tests, merged_partials, clipped_sums and unclipped_sums). Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    admitted         meets the eligibility conditions and has not objected (`dialect.codegen.eligibility`)
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit (value_bits of its VectorBound)
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    pre-grained      its values are converted to value grains in the public input already (`public_pushdown`)
    dictionaries     integer codes of text keys, by key index (`public_pushdown`)
    encoded key      one integer for a whole public key (`key_encoding`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target, UnitPartials
from dialect.algebra.release_plan import ClipRule, ContributionBounds, PrivatePlan, VectorKind
from dialect.catalog.eligibility import Eligibility
from dialect.codegen.contribution.aggregation_pushdown import join_keys
from dialect.codegen.contribution.clipping import (
    clipped_contribution,
    clipping_factors,
    combine_windows,
    has_single_row_units,
    partials_cte,
    sum_template,
)
from dialect.codegen.contribution.distinct import distinct_counts, distinct_values, truncated_values
from dialect.codegen.contribution.group_truncation import truncate_groups
from dialect.codegen.contribution.key_encoding import encoded_rows, without_implied_predicates
from dialect.codegen.contribution.per_unit import capped_partials, merged_partials, unit_partials
from dialect.codegen.contribution.physical_plan import PhysicalPlan, physical_plan
from dialect.codegen.contribution.public_pushdown import Dictionary
from dialect.codegen.contribution.unclipped_units import (
    CLIPPED_UNITS,
    all_sums,
    is_source_materialized,
    norm_test_sql,
    unclipped_sums,
)
from dialect.codegen.contribution.zero_fill import answer_sql, dictionary_sql, key_set_semi_join, key_set_sql
from dialect.codegen.eligibility import eligibility_ctes, eligible_persons_sql, join_admitted, objectors_to_broadcast
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, EngineDialect, dialect_of
from dialect.codegen.lake import (
    KEY_SET,
    LAKE_RESULT,
    broadcast_sql,
    check_lake_support,
    extract_broadcasts,
    placeholder,
)
from dialect.codegen.materialized_rollups import partials_from_rollup
from dialect.codegen.other_keys import RELEASED, released_sql, source_ctes, source_keys
from dialect.codegen.relations.relation import write_rows
from dialect.codegen.relations.truncation import stored_table_truncations

NO_DICTIONARIES: Mapping[int, Dictionary] = {}


def write_bounded_sql(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, admission: Eligibility | None
) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, or for the lake that holds people's rows.

    A materialized rollup is read instead of rows if one covers the plan. If stored tables are truncated, a second text
    without the truncation is written, with the conditions under which the engine may run it.
    """
    rollup_partials = None if plan.mapping is not None else partials_from_rollup(plan, bounds, target, admission)
    if target.lake is not None and rollup_partials is None:
        return _for_lake(plan, bounds, target, target.lake, admission)
    bounded = _in_duckdb(plan, bounds, target, admission, rollup_partials)
    if rollup_partials is not None or not (truncations := stored_table_truncations(plan.source, target, write_rows)):
        return bounded
    untruncated_text = _in_duckdb(
        plan, bounds, replace(target, unexceeded_limits=frozenset(truncations)), admission, None
    ).text
    return replace(
        bounded,
        untruncated_text=untruncated_text,
        untruncated_conditions=tuple((most, kept) for (_, kept), most in truncations.items()),
    )


def _in_duckdb(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    target: Target,
    admission: Eligibility | None,
    rollup_partials: UnitPartials | None,
) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, from a rollup's partial aggregates or from stored rows.

    Stored rows are read and grouped as the physical plan says. A rollup already holds keys and value grains.
    """
    physical, ctes = PhysicalPlan(plan, plan, bounds), eligibility_ctes(admission, target, plan.dataset)
    partials = rollup_partials
    if partials is None:
        physical = physical_plan(plan, bounds, target) if plan.mapping is None else physical
        source, partials = _grouped_rows(physical, target)
        merges = physical.merges_unclipped_units
        released = "" if plan.mapping is None else released_sql(plan.mapping, target)
        ctes += source_ctes(plan, source, released, DUCKDB_DIALECT, merges and is_source_materialized(plan))
        if merges:
            test = norm_test_sql(plan, physical.plan, bounds, target, physical.pre_grained, admission)
            ctes.append(("norm_tests", True, test))
    bounded_plan, dictionaries, is_encoded = physical.plan, physical.dictionaries, physical.is_key_encoded
    if bounded_plan.key_set is not None and bounded_plan.keys:
        ctes += [
            (f"dictionary{i}", False, dictionary_sql(dictionary, target)) for i, dictionary in dictionaries.items()
        ]
        ctes.append(("key_set", True, key_set_sql(bounded_plan.key_set, dictionaries, target, is_encoded)))
    summed_plan = physical.grouped_plan if is_encoded else bounded_plan
    ctes += _aggregation_ctes(summed_plan, bounds, target, admission, dictionaries, partials)
    text = _with_clause(ctes, answer_sql(bounded_plan, dictionaries, is_encoded, centred=bounds.centred_vectors))
    return BoundedSql(text, len(plan.keys), _column_count(bounds), eligible_sql=eligible_persons_sql(admission, target))


def _column_count(bounds: ContributionBounds) -> int:
    """Count the result columns w0, w1, ...: the vectors, and the number of units where noise is correlated."""
    return len(bounds.vectors) + bool(bounds.centred_vectors)


def _grouped_rows(physical: PhysicalPlan, target: Target) -> tuple[str, UnitPartials]:
    """Write the CTE `source`, and its partial aggregates grouped by unit and keys."""
    plan, source_plan, rows = physical.plan, physical.grouped_plan, "source"
    if physical.is_key_encoded:
        source_plan, rows = without_implied_predicates(plan), encoded_rows(plan, physical.dictionaries)
    write = merged_partials if physical.merges_unclipped_units else unit_partials
    partials = write(physical.grouped_plan, physical.bounds, physical.pre_grained, rows=rows)
    if physical.pushdown is not None:
        partials = join_keys(plan, physical.pushdown, partials, target)
    return _source_rows(source_plan, target), partials


def _for_lake(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, lake: Target, admission: Eligibility | None
) -> BoundedSql:
    """Write two statements: the lake's, over broadcast public rows, and DuckDB's, which adds the public key order.

    DuckDB's statement joins the lake's sums, in the table LAKE_RESULT, to the key set. The key set itself is broadcast
    only where groups outside it must be dropped.
    """
    check_lake_support(plan, lake)
    source, lake_target, rows = extract_broadcasts(plan.source, lake)
    ctes = [
        *eligibility_ctes(admission, lake_target, plan.dataset),
        *source_ctes(
            plan, _source_rows(replace(plan, source=source), lake_target), f"SELECT * FROM {placeholder(RELEASED)}",
            dialect_of(lake_target),
        ),
    ]  # fmt: skip
    is_limited_to_key_set = key_set_semi_join("p", plan, NO_DICTIONARIES) != ""
    keys = list[Subquery]()
    if plan.key_set is not None and plan.keys:
        keys = [("key_set", True, key_set_sql(plan.key_set, NO_DICTIONARIES, target))]
    ctes += [("key_set", False, f"SELECT * FROM {placeholder(KEY_SET)}")] if is_limited_to_key_set else []
    partials = unit_partials(plan, bounds, frozenset(), dialect_of(lake_target))
    ctes += _aggregation_ctes(plan, bounds, lake_target, admission, NO_DICTIONARIES, partials)
    of_groups = answer_sql(replace(plan, key_set=None), NO_DICTIONARIES, is_ordered=False)
    units = f"w{len(plan.vectors)}"  # column of the lake's result with the number of units
    if bounds.centred_vectors:
        of_groups = f"SELECT g.*, u.units AS {units} FROM ({of_groups}) AS g CROSS JOIN unit_count AS u"
    text = _with_clause(ctes, of_groups, dialect_of(lake))
    broadcast = objectors_to_broadcast(admission, plan.dataset in lake.same_bits_datasets)
    broadcast = broadcast | ({KEY_SET: keys[0][2]} if is_limited_to_key_set else {})
    broadcast |= {} if plan.mapping is None else {RELEASED: released_sql(plan.mapping, target)}
    broadcast |= broadcast_sql(rows, lake_target, target)
    ordered = answer_sql(plan, NO_DICTIONARIES, tables=("group_sums",), centred=bounds.centred_vectors)
    keys.append(("group_sums", False, f"SELECT * FROM {LAKE_RESULT}"))
    if bounds.centred_vectors:
        keys.append(("unit_count", False, f"SELECT max({units}) AS units FROM {LAKE_RESULT}"))
    return BoundedSql(text, len(plan.keys), _column_count(bounds), broadcast, _with_clause(keys, ordered))


def _with_clause(subqueries: Iterable[Subquery], answer: str, dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Write WITH and the final SELECT; the flag of a subquery: True MATERIALIZED, None NOT MATERIALIZED."""
    modifiers = {True: dialect.materialized, False: "", None: dialect.not_materialized}
    ctes = ",\n".join(f"{cte} AS {modifiers[materialized]}({text})" for cte, materialized, text in subqueries)
    return f"WITH {ctes}\n{answer}"


def _aggregation_ctes(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    target: Target,
    admission: Eligibility | None,
    dictionaries: Mapping[int, Dictionary],
    partials: UnitPartials,
) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums per group. Only here do person keys leave the rows.

    Persons who are not admitted are dropped at the step with the fewest rows: in `clip_factors` where vectors are
    scaled (in Spark in `unit_partials`), else in `group_sums`. Vectors of distinct values have the further CTEs
    distinct_values<i>, truncated_values<i> and distinct_counts<i>, which read `source` again and drop them as well.
    """
    if partials.merges_unclipped_units:
        return _merged_aggregation_ctes(plan, bounds, dictionaries, partials)
    is_scaled, dialect = any(bound.rule is ClipRule.SCALE for bound in bounds.vectors), dialect_of(target)
    # materialized, else DuckDB joins admitted persons to rows; reading a rollup again is cheaper than materializing it
    materialized = (
        None if partials.keeps_stored_groups else is_scaled or admission is not None or bounds.max_groups is not None
    )
    text, admission_after = capped_partials(plan, bounds, dictionaries, partials.text), admission
    if is_scaled and not dialect.materialized:  # else a filter pushed into one read would make Spark compute it twice
        text, admission_after = f"SELECT * FROM {join_admitted(f'({text}) AS c', admission, dialect)}", None
    ctes = [("unit_partials", materialized, text)]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    if bounds.centred_vectors:
        ctes.append(("unit_count", bool(dialect.materialized), _unit_count(plan, admission_after, dialect)))
    # admission is cheapest here, at one row per person; materialized, so that DuckDB does not push it into the rows
    if is_scaled:
        materialize_factors = admission is not None and not has_single_row_units(plan, bounds)
        ctes.append(("clip_factors", materialize_factors, clipping_factors(plan, bounds, admission_after, dialect)))
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


def _source_rows(plan: PrivatePlan, target: Target) -> str:
    """Write the plan's source with the columns that units, keys and vectors read."""
    needed_fields = {*plan.unit_columns.values(), *source_keys(plan)}
    for vector in plan.vectors:
        needed_fields |= vector.fields
    return write_rows(plan.source, needed_fields, target)


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
