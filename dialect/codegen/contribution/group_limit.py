"""Group truncation: at most L0 groups per unit; the groups of a unit with more are chosen by hash.

Proof: `dialect/codegen/proofs.md#render`. CTEs:

    beyond    units with more than L0 groups
    chosen    all groups of the other units, and the first L0 by hash of these
"""

from __future__ import annotations

from dialect.algebra.release_plan import PrivatePlan
from dialect.algebra.target import Subquery
from dialect.codegen.engine_syntax import Words, in_order


def first_groups(plan: PrivatePlan, max_groups: int, said: Words) -> list[Subquery]:
    """Write the CTEs that truncate partial aggregates to L0 groups per unit; only units beyond the limit are sorted."""
    if not said.kept:  # without materialized CTEs, the partials would be computed four times
        return [("chosen", True, f"SELECT * FROM {_placed(plan, max_groups, 'partials', said)}")]
    unit = ", ".join(plan.unit)
    named = ", ".join(f"{name} AS u{i}" for i, name in enumerate(plan.unit))
    beyond = f"SELECT {named} FROM partials GROUP BY {unit} HAVING count(*) > {max_groups}"
    same = " AND ".join(f"{name} IS NOT DISTINCT FROM u{i}" for i, name in enumerate(plan.unit))
    few = f"SELECT * FROM partials ANTI JOIN beyond ON {same}"
    more = f"(SELECT * FROM partials SEMI JOIN beyond ON {same}) AS b"
    chosen = f"{few} UNION ALL SELECT * EXCLUDE (place) FROM {_placed(plan, max_groups, more, said)}"
    return [("beyond", True, beyond), ("chosen", True, chosen)]


def _placed(plan: PrivatePlan, max_groups: int, rows: str, said: Words) -> str:
    """Write the first L0 rows of each unit, ordered by a hash of the unit and the group alone."""
    order = in_order([*plan.unit, *(f"k{i}" for i in range(len(plan.keys)))], said)
    place = f"row_number() OVER (PARTITION BY {', '.join(plan.unit)} ORDER BY {order})"
    return f"(SELECT *, {place} AS place FROM {rows}) AS c WHERE place BETWEEN 1 AND {max_groups}"
