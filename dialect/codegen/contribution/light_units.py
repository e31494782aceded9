"""Unclipped units: units that clipping leaves unchanged are summed into their group without rows of their own.

A unit is unclipped if its L1 contribution to every vector is at most the clip bound, so that its L2 norm is too.
Proof: `dialect/codegen/proofs.md#light-units`. CTEs, in which `heavy` units are those that may be clipped:

    weighed    one row per admitted unit, with a marker if it may have to be clipped
    together   one row per (heavy unit, group), and one per group for all unclipped units, with a NULL person
    partials   partial aggregates of heavy units, bounded as always
    light      sums of unclipped units, in released grains
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.expressions import Field, fields_of
from dialect.algebra.relations import Filter, Join, Project, Public, Relation
from dialect.algebra.release_plan import SUMS_OVER_ROWS, Bounding, PrivatePlan, Rule, Vector, VectorBound
from dialect.algebra.target import Target
from dialect.analysis.predicates import fixed_field
from dialect.analysis.uniqueness import meets_one_row
from dialect.catalog.admission import Admission
from dialect.codegen.admission import of_admitted
from dialect.codegen.contribution.clipping import grains, part
from dialect.codegen.relations.relation import write_rows
from dialect.codegen.relations.truncation import is_read_again
from dialect.sensitivity.norms import is_single

HEAVY = "SELECT * FROM together WHERE person IS NOT NULL"


def has_light_units(plan: PrivatePlan, bounds: Bounding) -> bool:
    """Return whether unclipped units can be merged. Decided from the plan and its bounds alone.

    Claim: then a unit's numbers add up from row to row, and a unit that is not longer than C by the sum of what its
    rows may add is not scaled. Source and proof: dialect/codegen/proofs.md#light-units. Raises: nothing.
    """
    if not plan.keys or is_single(plan) or bounds.max_groups is not None:
        return False
    pairs = zip(plan.vectors, bounds.vectors, strict=True)
    return all(v.kind in SUMS_OVER_ROWS and v.part is None and bound.rule is Rule.SCALE for v, bound in pairs)


def is_kept(plan: PrivatePlan) -> bool:
    """Return whether the source is materialized to be read twice: where it has few rows, or is costly to read again."""
    return not is_read_again(plan.source) or any(fixed_field(fact) is not None for fact in plan.source.facts)


def weighing(
    asked: PrivatePlan,
    plan: PrivatePlan,
    bounds: Bounding,
    target: Target,
    grained: frozenset[int],
    admission: Admission | None,
) -> str:
    """Write the L1 norm test of units, over the materialized source or over a second read of the query's own rows."""
    if is_kept(asked):
        return _weighed(plan, bounds, admission, "source", grained)
    return _weighed(asked, bounds, admission, _rows_again(asked, target))


def _rows_again(plan: PrivatePlan, target: Target) -> str:
    """Write a superset of the source's rows with the columns that the norm test reads."""
    needed = frozenset(plan.unit.values()).union(*(vector.fields for vector in plan.vectors))
    return f"({write_rows(_not_fewer(plan.source, needed), needed, target)})"


def _weighed(
    plan: PrivatePlan, bounds: Bounding, admission: Admission | None, rows: str, grained: frozenset[int] = frozenset()
) -> str:
    """Write one row per admitted unit: its key, and the key again if some vector may exceed its clip bound."""
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    light = dict.fromkeys(f"{_length(v, bound, i in grained)} <= {bound.whole_norm}" for i, (v, bound) in pairs)
    heavy = f"CASE WHEN NOT ({' AND '.join(light)}) THEN {{}} END"
    columns = [f"{field.id} AS {name}" for name, field in plan.unit.items()]
    columns += [f"{heavy.format(field.id)} AS heavy_{name}" for name, field in plan.unit.items()]
    by = ", ".join(str(place + 1) for place in range(len(plan.unit)))
    text = f"SELECT {', '.join(columns)} FROM {rows} AS r GROUP BY {by}"
    return f"SELECT * FROM {of_admitted(f'({text}) AS m', admission)}"


def _length(vector: Vector, bound: VectorBound, grained: bool) -> str:
    """Write an upper bound on a vector's norm over groups: its number of rows, or the sum of absolute grains."""
    if not vector.summed:
        return part(vector, bound)
    assert vector.value is not None  # noqa: S101  sums have a value
    each = vector.value.id if grained else grains(vector, bound)
    where = f" FILTER (WHERE {vector.condition.id})" if vector.condition is not None else ""
    return f"coalesce(sum(abs({each})){where}, 0)"


def _not_fewer(relation: Relation, needed: frozenset[Field]) -> Relation:
    """Drop joins that only look up one public row and are not read; the result has at least the source's rows."""
    operator = relation.operator
    if isinstance(operator, Project):
        own = {field for field, _ in operator.computed}
        read = {f for field, expr in operator.computed if field in needed for f in fields_of(expr)}
        return replace(relation, operator=replace(operator, source=_not_fewer(operator.source, needed - own | read)))
    if isinstance(operator, Filter):
        below = needed.union(fields_of(operator.condition))
        return replace(relation, operator=replace(operator, source=_not_fewer(operator.source, below)))
    if isinstance(operator, Join) and operator.how in ("inner", "left") and isinstance(operator.right, Public):
        looked_up = meets_one_row(operator.right, operator.condition) and not needed & set(operator.right.fields)
        return _not_fewer(operator.left, needed) if looked_up else relation
    return relation


def of_heavy(plan: PrivatePlan, rows: str) -> tuple[str, Mapping[str, str]]:
    """Join rows to the norm test; also return the unit columns, which are NULL for unclipped units."""
    same = " AND ".join(f"{field.id} = weighed.{name}" for name, field in plan.unit.items())
    return f"{rows} JOIN weighed ON {same}", {name: f"heavy_{name}" for name in plan.unit}


def light_sums(plan: PrivatePlan, bounds: Bounding) -> str:
    """Write one row per group: the sum of all unclipped units, in released grains."""
    keys = [f"k{i}" for i in range(len(plan.keys))]
    steps = enumerate(2**bound.fraction_bits for bound in bounds.vectors)
    totals = [f"CAST(v{i} AS HUGEINT) * {step} AS w{i}" for i, step in steps]
    return f"SELECT {', '.join([*keys, *totals])} FROM together WHERE person IS NULL"


def both_sums(plan: PrivatePlan) -> str:
    """Write one row per group: the sum of unclipped and clipped units."""
    keys = ", ".join(f"k{i}" for i in range(len(plan.keys)))
    totals = ", ".join(f"sum(w{i}) AS w{i}" for i in range(len(plan.vectors)))
    return f"SELECT {keys}, {totals} FROM (SELECT * FROM light UNION ALL SELECT * FROM heavy) AS b GROUP BY {keys}"
