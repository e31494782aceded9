"""Per-unit aggregation: exact partial aggregates, one row per (unit, group); a unit is a person or a person and window.

A source with at most one row per person is not grouped. Proof: `dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.relations import Distinct, Filter, Group, PerPerson, Project, Relation, Scan
from dialect.algebra.release_plan import Bounding, PrivatePlan, Vector, VectorBound, VectorKind
from dialect.algebra.target import Rolled
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.clipping import capped, grains, is_unit, part
from dialect.codegen.contribution.key_rows import listed_among
from dialect.codegen.contribution.light_units import has_light_units, of_heavy
from dialect.codegen.contribution.public_side import Coded
from dialect.codegen.engine_syntax import OF_DUCKDB, Words


def has_one_row_each(plan: PrivatePlan) -> bool:
    """Return whether no person has a second row, because the source is a primary-key scan or grouped by person.

    Claim: so it is for all data, and whichever operators stand below. Proof: dialect/codegen/proofs.md#render. Raises:
    nothing.
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
    """Write the partial aggregate of a unit with a single row, in value grains: no grouping is needed."""
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


def _key_columns(plan: PrivatePlan) -> str:
    return "".join(f", k{position}" for position in range(len(plan.keys)))


def groups_of(plan: PrivatePlan, bounds: Bounding, grained: frozenset[int], rows: str) -> Rolled:
    """Write one row per (unit, group); unclipped units share one row per group where they can be merged."""
    if not has_light_units(plan, bounds):
        return numbers_of(plan, bounds, grained, rows=rows)
    joined, columns = of_heavy(plan, rows)
    return replace(numbers_of(plan, bounds, grained, rows=joined, named=columns), weighed=True)


def numbers_of(
    plan: PrivatePlan,
    bounds: Bounding,
    grained: frozenset[int],
    said: Words = OF_DUCKDB,
    rows: str = "source",
    named: Mapping[str, str] | None = None,
) -> Rolled:
    """Write one row per (unit, group); grouped by the unit alone if the keys are functions of the person."""
    once = has_one_row_each(plan)
    # Spark would sort all rows to aggregate a text by any_value
    told = not once and plan.one_group_per_person and said is OF_DUCKDB
    read = "any_value({})" if told else "{}"
    keys = "".join(f", {read.format(key.field.id)} AS k{position}" for position, key in enumerate(plan.keys))
    columns = {name: field.id for name, field in plan.unit.items()} if named is None else named
    unit = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    by = ", ".join(str(position + 1) for position in range(len(plan.unit) + (0 if told else len(plan.keys))))
    write, grouped = (part_of_row, "") if once else (part, f" GROUP BY {by}")
    pairs = _with_part(plan, bounds)
    totals = "".join(f", {write(vector, bound, i in grained, said)} AS v{i}" for i, vector, bound in pairs)
    return Rolled(f"SELECT {unit}{keys}{totals} FROM {rows}{grouped}", as_stored=False)


def capped_of(plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded], numbers: str) -> str:
    """Write the cap of partial aggregates, and drop groups outside the public key set."""
    bounded = "".join(f", {capped(f'v{i}', vector, bound)}" for i, vector, bound in _with_part(plan, bounds))
    text = f"SELECT {', '.join(plan.unit)}{_key_columns(plan)}{bounded} FROM ({numbers}) AS p"
    return text + listed_among("p", plan, codes)


def _with_part(plan: PrivatePlan, bounds: Bounding) -> list[tuple[int, Vector, VectorBound]]:
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    return [(i, vector, bound) for i, (vector, bound) in pairs if _has_part(vector)]


def _has_part(vector: Vector) -> bool:
    return not is_unit(vector) and vector.kind is not VectorKind.DISTINCT
