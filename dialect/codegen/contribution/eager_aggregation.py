"""Aggregation pushdown: a person's rows are aggregated before the one row that holds the group key is joined.

    SELECT h.zone, COUNT(*) FROM event e JOIN home h USING (person) GROUP BY h.zone

event is aggregated per person, then joined to home: of 10 million events only 100,000 rows are joined, and the key's
text is not carried through the aggregation. Proof: `dialect/codegen/proofs.md#render`.

Source: Yan and Larson, Eager Aggregation and Lazy Aggregation, VLDB 1995.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, Field, Ref, conjunction, conjuncts, fields_of
from dialect.algebra.relations import Filter, Join, Operator, PerPerson, Project, Public, Relation
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.algebra.target import Rolled, Target
from dialect.codegen.relations.relation import write_rows


@dataclass(frozen=True)
class Sides:
    """Inputs of a join on the person key alone, between which aggregation can be pushed down."""

    many: PerPerson  # the aggregated input
    own: PerPerson  # the input with at most one row per person, which holds the keys


def sides(plan: PrivatePlan) -> Sides | None:
    """Split a plan's source into the aggregated input and the input with the keys; None where that is not possible.

    Claim: a unit's numbers over the rows of `aggregated`, joined with the person's row of `key_input`, are those over
    the joined rows. Symbols: none. Source and proof: dialect/codegen/proofs.md#render. Raises: nothing.
    """
    found = _sides(plan.source) if plan.one_group_per_person and plan.keys else None
    if found is None or any(vector.kind is VectorKind.DISTINCT for vector in plan.vectors):
        return None
    counted = {f for vector in plan.vectors for f in vector.fields}
    counted |= {f for name, f in plan.unit.items() if name != "person"}
    told = {key.field for key in plan.keys}
    return found if counted <= set(found.many.fields) and told <= set(found.own.fields) else None


def counting(plan: PrivatePlan, parted: Sides) -> PrivatePlan:
    """Derive the plan of the aggregated input alone: one row per unit, without group keys."""
    return replace(plan, source=parted.many, keys=(), one_group_per_person=False)


def joined(plan: PrivatePlan, parted: Sides, numbers: Rolled, target: Target) -> Rolled:
    """Join each unit's partial aggregates to the row that holds its group keys."""
    person = parted.own.person
    own = write_rows(parted.own, {key.field for key in plan.keys} | {person}, target)
    keys = ", ".join(f"r.{key.field.id} AS k{i}" for i, key in enumerate(plan.keys))
    text = f"SELECT l.*, {keys} FROM ({numbers.text}) AS l JOIN ({own}) AS r ON {_same(person.id)}"
    return replace(numbers, text=text)


def _same(person: str) -> str:
    return f"l.person = r.{person}"


def _sides(relation: Relation) -> Sides | None:
    operator = relation.operator
    if isinstance(operator, Join):
        return _of_persons(operator) or _with_public(operator)
    if isinstance(operator, Filter):
        found = _sides(operator.source)
        for each in conjuncts(operator.condition):
            found = None if found is None else _filtered(found, each)
        return found
    if isinstance(operator, Project):
        found = _sides(operator.source)
        for field, expr in operator.computed:
            found = None if found is None else _computed(found, field, expr)
        return found
    return None


def _of_persons(join: Join) -> Sides | None:
    """Split an inner join on the person key alone, one of whose inputs has one row per person."""
    left, right = join.left, join.right
    if join.how != "inner" or not isinstance(left, PerPerson) or not isinstance(right, PerPerson):
        return None
    same = join.condition
    persons = {Ref(left.person), Ref(right.person)}
    if not isinstance(same, Call) or same.name != "=" or set(same.arguments) != persons:
        return None
    if right.one_row_per_person:
        return Sides(left, right)
    return Sides(right, left) if left.one_row_per_person else None


def _with_public(join: Join) -> Sides | None:
    """Push a join with public rows into the aggregated input, if its condition reads only that one."""
    found = _sides(join.left) if isinstance(join.right, Public) else None
    if found is None or not set(fields_of(join.condition)) <= {*found.many.fields, *join.right.fields}:
        return None
    return replace(found, many=_over(found.many, replace(join, left=found.many), join.right.fields))


def _filtered(found: Sides, condition: Expr) -> Sides | None:
    read = set(fields_of(condition))
    if read <= set(found.many.fields):
        return replace(found, many=_over(found.many, Filter(found.many, conjunction((condition,)))))
    if read <= set(found.own.fields):
        return replace(found, own=_over(found.own, Filter(found.own, conjunction((condition,)))))
    return None


def _computed(found: Sides, field: Field, expr: Expr) -> Sides | None:
    read = set(fields_of(expr))
    if read <= set(found.many.fields):
        return replace(found, many=_over(found.many, Project(found.many, ((field, expr),)), (field,)))
    if read <= set(found.own.fields):
        return replace(found, own=_over(found.own, Project(found.own, ((field, expr),)), (field,)))
    return None


def _over(side: PerPerson, operator: Operator, more: tuple[Field, ...] = ()) -> PerPerson:
    return replace(side, operator=operator, fields=(*side.fields, *more))
