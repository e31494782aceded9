"""Rows of which each person has one -> one row per person and group, without grouping (`proofs.md#render`)."""

from __future__ import annotations

from dialect.algebra.private_plan import PrivatePlan, Vector, VectorBound, VectorKind
from dialect.algebra.relations import Distinct, Filter, Group, PerPerson, Project, Relation, Scan
from dialect.catalog.catalog import SqlType
from dialect.codegen.contribution.partials import grains
from dialect.codegen.engines import OF_DUCKDB, Words


def has_one_row_each(plan: PrivatePlan) -> bool:
    """Tell whether no person has a second row, by what is written last: a table's primary key, or GROUP BY the person.

    Claim: so it is for all data, and whatever stands below. Proof: proofs.md#render. Raises: nothing.
    """
    relation: Relation = plan.source
    while isinstance(relation.operator, Filter | Project):
        relation = relation.operator.source
    if not isinstance(relation, PerPerson):
        return False
    operator = relation.operator
    if isinstance(operator, Group | Distinct):
        return plan.touched.window is None and set(operator.keys) == {relation.person}
    return isinstance(operator, Scan) and relation.one_row_per_person


def part_of_row(vector: Vector, bound: VectorBound, grained: bool = False, said: Words = OF_DUCKDB) -> str:
    """Write what one row is to its person's exact number, in grains: what adding up this row alone gives."""
    met = [vector.condition.id] if vector.condition is not None else []
    if vector.summed:
        assert vector.value is not None  # noqa: S101  sums have a value
        own = vector.value.id if grained else grains(vector, bound, said)
        return _where(met, own) if met else own
    if vector.value is not None:
        double = vector.kind is VectorKind.VALID and vector.value.type is SqlType.DOUBLE
        met.append(f"{vector.value.id} IS NOT NULL")
        met += [said.is_finite.format(vector.value.id)] if double else []
    nothing = "" if vector.kind is VectorKind.PERSONS else " ELSE CAST(0 AS BIGINT)"
    return _where(met, "CAST(1 AS BIGINT)", nothing) if met else "CAST(1 AS BIGINT)"


def _where(met: list[str], then: str, otherwise: str = "") -> str:
    return f"CASE WHEN {' AND '.join(met)} THEN {then}{otherwise} END"
