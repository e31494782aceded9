"""Unclipped units: units that clipping leaves unchanged are summed into their group without rows of their own.

A unit is unclipped if its L1 contribution to every vector is at most the clip bound, so that its L2 norm is too.
Proof: `dialect/codegen/proofs.md#light-units`. CTEs, in which clipped units are those that may have to be clipped:

    norm_tests       one row per admitted unit: its columns, and clipped_<column>, NULL if the unit is unclipped
    merged_partials  one row per (clipped unit, group), and one per group for all unclipped units, with a NULL person
    unit_partials    partial aggregates of clipped units, capped as always
    clipped_sums     sums of the clipped contributions of clipped units, one row per group
    unclipped_sums   sums of unclipped units, one row per group, in released grains
    group_sums       both added up

Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    norm test        the CTE `norm_tests`: an upper bound of a unit's L1 norm per vector, compared with the clip bound
    admitted         meets the eligibility conditions and has not objected (`dialect.codegen.stored_rows`)
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit (value_bits of its VectorBound)
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    pre-grained      its values are converted to value grains in the public input already (`pushdown`)
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field, fields_of
from dialect.algebra.relations import Filter, Join, Project, Public, Relation
from dialect.algebra.release_plan import (
    ROW_ADDITIVE_KINDS,
    ClipRule,
    ContributionBounds,
    PrivatePlan,
    QueryVector,
    VectorBound,
)
from dialect.algebra.traversal import map_children
from dialect.analysis.predicates import constant_field
from dialect.analysis.uniqueness import matches_at_most_one_row
from dialect.catalog.model import Eligibility
from dialect.codegen.contribution.clipping import partial_aggregate, value_grains
from dialect.codegen.relations.relation import is_cheap_to_reread, write_rows
from dialect.codegen.stored_rows import join_admitted

CLIPPED_UNITS = "SELECT * FROM merged_partials WHERE person IS NOT NULL"


def can_merge_unclipped(plan: PrivatePlan, bounds: ContributionBounds) -> bool:
    """Return whether unclipped units can be merged. Decided from the plan and its bounds alone.

    All vectors must be sums over rows that are scaled (rule SCALE). With one group per unit or with group truncation,
    units need rows of their own, and nothing is gained.

    Claim: a unit's numbers are sums over its rows, and a unit whose rows contribute at most C in absolute value is not
    scaled. Source and proof: dialect/codegen/proofs.md#light-units. Raises: nothing.
    """
    if not plan.keys or plan.is_single or bounds.max_groups is not None:
        return False
    pairs = zip(plan.vectors, bounds.vectors, strict=True)
    return all(
        v.kind in ROW_ADDITIVE_KINDS and v.partial_bounds is None and bound.rule is ClipRule.SCALE for v, bound in pairs
    )


def is_source_materialized(plan: PrivatePlan) -> bool:
    """Return whether the CTE `source` is materialized, to be read by the norm test and by the aggregation.

    So it is where the rows are costly to read again (not just scans, filters, projections and joins), or where a
    predicate fixes a field to a constant, so that few rows remain. Else both reads are written out.
    """
    return not is_cheap_to_reread(plan.source) or any(
        constant_field(fact) is not None for fact in plan.source.predicates
    )


def norm_test_sql(
    original_plan: PrivatePlan,
    plan: PrivatePlan,
    bounds: ContributionBounds,
    target: Target,
    pre_grained: frozenset[int],
    admission: Eligibility | None,
) -> str:
    """Write the L1 norm test of units, over the materialized source or over a second read of the query's own rows.

    `original_plan` is the plan before pushdown to the public input; a second read needs no joins with public rows, and
    its values are not pre-grained. `plan` is the one that the CTE `source` was written from.
    """
    if is_source_materialized(original_plan):
        return _norm_test(plan, bounds, admission, "source", pre_grained)
    return _norm_test(original_plan, bounds, admission, _superset_rows(original_plan, target))


def _superset_rows(plan: PrivatePlan, target: Target) -> str:
    """Write a superset of the source's rows with the columns that the norm test reads.

    Further rows can only enlarge a unit's L1 bound: the test may call a unit clipped that is not, never the reverse.
    """
    needed_fields = frozenset(plan.unit_columns.values()).union(*(vector.fields for vector in plan.vectors))
    return f"({write_rows(_without_lookup_joins(plan.source, needed_fields), needed_fields, target)})"


def _norm_test(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    admission: Eligibility | None,
    rows: str,
    pre_grained: frozenset[int] = frozenset(),
) -> str:
    """Write one row per admitted unit: its key, and the key again if some vector may exceed its clip bound.

    The second copy is clipped_<column>, NULL for unclipped units. `rows` is the FROM item that is read, with fields as
    columns.
    """
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    within_bound = dict.fromkeys(
        f"{_norm_upper_bound(v, bound, i in pre_grained)} <= {bound.clip_bound_value_grains}" for i, (v, bound) in pairs
    )
    clipped_only = f"CASE WHEN NOT ({' AND '.join(within_bound)}) THEN {{}} END"
    columns = [f"{field.id} AS {name}" for name, field in plan.unit_columns.items()]
    columns += [f"{clipped_only.format(field.id)} AS clipped_{name}" for name, field in plan.unit_columns.items()]
    by = ", ".join(str(place + 1) for place in range(len(plan.unit_columns)))
    text = f"SELECT {', '.join(columns)} FROM {rows} AS r GROUP BY {by}"
    return f"SELECT * FROM {join_admitted(f'({text}) AS m', admission)}"


def _norm_upper_bound(vector: QueryVector, bound: VectorBound, is_grained: bool) -> str:
    """Write an upper bound of a vector's norm over groups, in value grains.

    For counts of rows, the count itself; for sums, the sum of the absolute values of the rows.
    """
    if not vector.is_sum:
        return partial_aggregate(vector, bound)
    assert vector.value is not None  # noqa: S101  sums have a value
    row_grains = vector.value.id if is_grained else value_grains(vector, bound)
    where = f" FILTER (WHERE {vector.condition.id})" if vector.condition is not None else ""
    return f"coalesce(sum(abs({row_grains})){where}, 0)"


def _without_lookup_joins(relation: Relation, needed: frozenset[Field]) -> Relation:
    """Drop joins that only look up one public row and are not read; the result has at least the source's rows.

    Descends through projections, filters and joins, and stops at any other operator. `needed` are the fields that are
    read above the relation. An inner join may drop rows, but as it matches at most one row it never multiplies them.
    """
    operator = relation.operator
    if isinstance(operator, Project):
        computed_fields = {field for field, _ in operator.computed}
        read_fields = {f for field, expr in operator.computed if field in needed for f in fields_of(expr)}
        return map_children(
            relation, lambda source: _without_lookup_joins(source, needed - computed_fields | read_fields)
        )
    if isinstance(operator, Filter):
        needed_below = needed.union(fields_of(operator.condition))
        return map_children(relation, lambda source: _without_lookup_joins(source, needed_below))
    if isinstance(operator, Join) and operator.kind in ("inner", "left") and isinstance(operator.right, Public):
        is_lookup_only = matches_at_most_one_row(operator.right, operator.condition) and not needed & set(
            operator.right.fields
        )
        return _without_lookup_joins(operator.left, needed) if is_lookup_only else relation
    return relation


def join_norm_test(plan: PrivatePlan, rows: str) -> tuple[str, Mapping[str, str]]:
    """Join rows to the norm test; also return the unit columns, which are NULL for unclipped units.

    The second value maps each column of the unit to the column clipped_<name> that stands in its place.
    """
    condition = " AND ".join(f"{field.id} = norm_tests.{name}" for name, field in plan.unit_columns.items())
    return f"{rows} JOIN norm_tests ON {condition}", {name: f"clipped_{name}" for name in plan.unit_columns}


def unclipped_sums(plan: PrivatePlan, bounds: ContributionBounds) -> str:
    """Write the CTE `unclipped_sums`, one row per group: the sum of all unclipped units, in released grains."""
    keys = plan.key_columns
    steps = enumerate(2**bound.fraction_bits for bound in bounds.vectors)
    totals = [f"CAST(v{i} AS HUGEINT) * {step} AS w{i}" for i, step in steps]
    return f"SELECT {', '.join([*keys, *totals])} FROM merged_partials WHERE person IS NULL"


def all_sums(plan: PrivatePlan) -> str:
    """Write the CTE `group_sums`, one row per group: `unclipped_sums` plus `clipped_sums`."""
    keys = ", ".join(plan.key_columns)
    totals = ", ".join(f"sum(w{i}) AS w{i}" for i in range(len(plan.vectors)))
    both = "SELECT * FROM unclipped_sums UNION ALL SELECT * FROM clipped_sums"
    return f"SELECT {keys}, {totals} FROM ({both}) AS b GROUP BY {keys}"
