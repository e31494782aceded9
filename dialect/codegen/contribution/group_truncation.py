"""Group truncation: at most L0 groups per unit; the groups of a unit with more are chosen by hash.

Proof: `dialect/codegen/proofs.md#render`. A unit is a person, or a person and privacy window; `unit_partials` has one
row per (unit, group). CTEs:

    units_over_limit    units with more than L0 groups, as columns u0, ...
    truncated_partials  all groups of the other units, and the first L0 of these by hash (`row_rank`: a group's rank)
"""

from __future__ import annotations

from dialect.algebra.codegen_types import Subquery
from dialect.algebra.release_plan import PrivatePlan
from dialect.codegen.engines.dialects import EngineDialect, hash_order
from dialect.codegen.relations.relation import first_rows, units_over_limit


def truncate_groups(plan: PrivatePlan, max_groups: int, dialect: EngineDialect) -> list[Subquery]:
    """Write the CTEs that truncate partial aggregates to L0 groups per unit; only units beyond the limit are sorted."""
    if not dialect.rereads_rows:  # the partials would be computed four times
        first = _first_by_hash(plan, max_groups, "unit_partials", dialect)
        return [("truncated_partials", True, f"SELECT * FROM {first}")]
    over_limit, is_same_unit = units_over_limit(plan.unit_columns, "unit_partials", max_groups)
    within_limit = f"SELECT * FROM unit_partials ANTI JOIN units_over_limit ON {is_same_unit}"
    beyond_limit = f"(SELECT * FROM unit_partials SEMI JOIN units_over_limit ON {is_same_unit}) AS b"
    truncated_partials = (
        f"{within_limit} UNION ALL SELECT * EXCLUDE (row_rank)"
        f" FROM {_first_by_hash(plan, max_groups, beyond_limit, dialect)}"
    )
    return [("units_over_limit", True, over_limit), ("truncated_partials", True, truncated_partials)]


def _first_by_hash(plan: PrivatePlan, max_groups: int, rows: str, dialect: EngineDialect) -> str:
    """Write the first L0 rows of each unit, ordered by a hash of the unit and the group alone."""
    order = hash_order([*plan.unit_columns, *plan.key_columns], dialect)
    return first_rows(rows, plan.unit_columns, order, max_groups)
