"""COUNT(DISTINCT x) across people: each person's values are truncated to m by hash, then counted exactly.

Truncation reads that person's own rows alone (`dialect/codegen/proofs.md#different-values`). CTEs:

    distinct_values   one row per (person, group, value), normalised; columns: unit, k0, ..., and x0, ... of the value
    truncated_values  the same, at most m of each (person, group), of at most L0 groups
    distinct_counts   one row per group: no person is left

`m` is max_values and L0 is max_groups of the vector's bound. A released grain is the unit of released integers, here
2^-fraction_bits of one value.
"""

from __future__ import annotations

from dialect.algebra.expressions import Field
from dialect.algebra.release_plan import PrivatePlan, QueryVector, VectorBound
from dialect.catalog.model import SqlType
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, EngineDialect, hash_order


def distinct_values(plan: PrivatePlan, vector: QueryVector, limiting_join: str) -> str:
    """Write one row per unit, group and distinct value; `limiting_join` limits persons and groups.

    NULL is not counted, but a tuple with a NULL in it is, as in SQL's COUNT(DISTINCT (a, b)).
    """
    tuple_fields = [vector.value, *vector.other_values]
    columns = [f"{field.id} AS {name}" for name, field in plan.unit_columns.items()]
    columns += [f"{key.field.id} AS k{i}" for i, key in enumerate(plan.keys)]
    columns += [f"{_normalized(part)} AS x{i}" for i, part in enumerate(tuple_fields) if part is not None]
    tests = [] if vector.other_values or vector.value is None else [f"{vector.value.id} IS NOT NULL"]
    tests += [vector.condition.id] if vector.condition is not None else []
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    return f"SELECT * FROM (SELECT DISTINCT {', '.join(columns)} FROM source{where}) AS v{limiting_join}"


def truncated_values(
    source: str, plan: PrivatePlan, vector: QueryVector, bound: VectorBound, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write the truncation to m values of each unit and group, in at most L0 groups; both by salted hash.

    `row_rank` ranks the values of a group, `group_rank` the groups of a unit. Without limits, all rows.
    """
    group = [*plan.unit_columns, *plan.key_columns]
    value = [f"x{i}" for i in range(1 + len(vector.other_values))]
    limits = (
        ("row_number", group, group + value, "row_rank", bound.max_values),
        ("dense_rank", list(plan.unit_columns), group, "group_rank", bound.max_groups),
    )
    ranks = [
        f"{function}() OVER (PARTITION BY {', '.join(parts)} ORDER BY {hash_order(order, dialect)}) AS {column}"
        for function, parts, order, column, most in limits
        if most is not None
    ]
    tests = [f"{column} BETWEEN 1 AND {most}" for *_, column, most in limits if most is not None]
    if not tests:
        return f"SELECT * FROM {source}"
    return f"SELECT * FROM (SELECT *, {', '.join(ranks)} FROM {source}) AS c WHERE {' AND '.join(tests)}"


def distinct_counts(source: str, plan: PrivatePlan, vector: QueryVector, bound: VectorBound, column: str) -> str:
    """Write one row per group: the number of remaining distinct values, in released grains, as `column`."""
    keys = plan.key_columns
    value = [f"x{i}" for i in range(1 + len(vector.other_values))]
    distinct_rows = f"SELECT DISTINCT {', '.join((*keys, *value))} FROM {source}"
    total = f"count(*) * {2**bound.fraction_bits}" if bound.fraction_bits else "count(*)"
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, f'{total} AS {column}'])} FROM ({distinct_rows}) AS d{by}"


def _normalized(column: Field) -> str:
    """Write a value normalised so that equal values are identical: both zeros, and all NaNs."""
    if column.type is not SqlType.DOUBLE:
        return column.id
    zero, nan = "CAST(0 AS DOUBLE)", "CAST('nan' AS DOUBLE)"
    return f"CASE WHEN {column.id} = 0 THEN {zero} WHEN isnan({column.id}) THEN {nan} ELSE {column.id} END"
