"""Per-unit aggregation: exact partial aggregates, one row per (unit, group).

A source with at most one row per person is not grouped. Proof: `dialect/codegen/proofs.md#render`. Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    partial          exact number of one unit in one group, before clipping: column v0, v1, ... of its vector
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit (value_bits of its VectorBound)
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    pre-grained      its values are converted to value grains in the public input already (`public_pushdown`)
    unclipped unit   unit that clipping leaves unchanged (`unclipped_units`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.codegen_types import UnitPartials
from dialect.algebra.relations import Distinct, Filter, Group, PerPerson, Project, Relation, Scan
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan, QueryVector, VectorBound, VectorKind
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.clipping import aggregated_vectors, capped_partial, partial_aggregate, value_grains
from dialect.codegen.contribution.public_pushdown import Dictionary
from dialect.codegen.contribution.unclipped_units import join_norm_test
from dialect.codegen.contribution.zero_fill import key_set_semi_join
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, EngineDialect


def is_one_row_per_person(plan: PrivatePlan) -> bool:
    """Return whether no person has a second row, because the source is a primary-key scan or grouped by person.

    Filters and projections add no rows, so that the operator below them decides.

    Claim: no person has a second row, for all data and for each operator that may stand below. Proof:
    dialect/codegen/proofs.md#render. Raises: nothing.
    """
    relation: Relation = plan.source
    while isinstance(relation.operator, Filter | Project):
        relation = relation.operator.source
    if not isinstance(relation, PerPerson):
        return False
    operator = relation.operator
    if isinstance(operator, Group | Distinct):
        return plan.charged_windows.window_field is None and set(operator.keys) == {relation.person}
    return isinstance(operator, Scan) and relation.has_one_row_per_person


def partial_of_row(
    vector: QueryVector, bound: VectorBound, is_grained: bool = False, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write the partial aggregate of a unit with a single row, in value grains: no grouping is needed.

    `is_grained`: the value is in value grains already. The result equals that of `partial_aggregate` over the one row:
    a sum is NULL without a value, a person count is 1 or NULL, and a row count is 1 or 0.
    """
    conditions = [vector.condition.id] if vector.condition is not None else []
    if vector.is_sum:
        assert vector.value is not None  # noqa: S101  sums have a value
        value = vector.value.id if is_grained else value_grains(vector, bound, dialect)
        return _case_when(conditions, value) if conditions else value
    if vector.value is not None:
        is_double = vector.kind is VectorKind.VALID and vector.value.type is SqlType.DOUBLE
        conditions.append(f"{vector.value.id} IS NOT NULL")
        conditions += [dialect.is_finite.format(vector.value.id)] if is_double else []
    otherwise = "" if vector.kind is VectorKind.PERSONS else " ELSE CAST(0 AS BIGINT)"
    return _case_when(conditions, "CAST(1 AS BIGINT)", otherwise) if conditions else "CAST(1 AS BIGINT)"


def _case_when(conditions: list[str], then: str, otherwise: str = "") -> str:
    """Write `then` where all conditions are true, else NULL or the ELSE clause `otherwise`."""
    return f"CASE WHEN {' AND '.join(conditions)} THEN {then}{otherwise} END"


def merged_partials(
    plan: PrivatePlan, bounds: ContributionBounds, pre_grained: frozenset[int], rows: str
) -> UnitPartials:
    """Write one row per (clipped unit, group) of `rows`, and one per group for all unclipped units.

    `rows` are joined to the CTE `norm_tests` (`join_norm_test`). The caller writes that CTE first.
    """
    joined_rows, columns = join_norm_test(plan, rows)
    return replace(
        unit_partials(plan, bounds, pre_grained, rows=joined_rows, unit_columns=columns), merges_unclipped_units=True
    )


def unit_partials(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    pre_grained: frozenset[int],
    dialect: EngineDialect = DUCKDB_DIALECT,
    rows: str = "source",
    unit_columns: Mapping[str, str] | None = None,
) -> UnitPartials:
    """Write one row per (unit, group); grouped by the unit alone if the keys are functions of the person.

    `rows` is the FROM item to read. `unit_columns` maps a unit column to the column of `rows` that holds it; by
    default, the plan's own fields. Columns of the result: the unit, k0, ..., then v0, ... of the vectors that have a
    partial.
    """
    has_single_rows = is_one_row_per_person(plan)
    # single rows are not aggregated at all
    is_key_determined = not has_single_rows and plan.has_one_group_per_person and dialect.groups_by_unit_alone
    key_template = "any_value({})" if is_key_determined else "{}"
    keys = "".join(f", {key_template.format(key.field.id)} AS k{position}" for position, key in enumerate(plan.keys))
    columns = {name: field.id for name, field in plan.unit_columns.items()} if unit_columns is None else unit_columns
    unit = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    group_positions = ", ".join(
        str(position + 1) for position in range(len(plan.unit_columns) + (0 if is_key_determined else len(plan.keys)))
    )
    write, group_by = (partial_of_row, "") if has_single_rows else (partial_aggregate, f" GROUP BY {group_positions}")
    pairs = aggregated_vectors(plan, bounds)
    totals = "".join(f", {write(vector, bound, i in pre_grained, dialect)} AS v{i}" for i, vector, bound in pairs)
    return UnitPartials(f"SELECT {unit}{keys}{totals} FROM {rows}{group_by}", keeps_stored_groups=False)


def capped_partials(
    plan: PrivatePlan, bounds: ContributionBounds, dictionaries: Mapping[int, Dictionary], partials: str
) -> str:
    """Write the cap of partial aggregates (`capped_partial`), and drop groups outside the public key set."""
    numbers = [capped_partial(f"v{i}", vector, bound) for i, vector, bound in aggregated_vectors(plan, bounds)]
    columns = ", ".join((*plan.unit_columns, *plan.key_columns, *numbers))
    return f"SELECT {columns} FROM ({partials}) AS p{key_set_semi_join('p', plan, dictionaries)}"
