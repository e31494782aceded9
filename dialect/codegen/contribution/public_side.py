"""Pushdown to the public input: expressions over public rows are computed before these are joined to people's rows.

Text keys of joined public rows are dictionary-encoded, and rows are grouped by their codes; summed values are
converted to integer grains. PrivatePlan -> an equivalent plan. Proof: `dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from dialect.algebra.expressions import Field, Ref
from dialect.algebra.relations import Filter, Grained, Join, Operator, PerPerson, Project, Public, Ranked, Relation
from dialect.algebra.release_plan import Bounding, PrivatePlan, Vector, VectorBound
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.clipping import grains


@dataclass(frozen=True)
class Coded:
    """A dictionary-encoded public text column: the public rows, the text and its code."""

    ranked: Public
    text: Field
    code: Field


def coded_keys(plan: PrivatePlan) -> tuple[PrivatePlan, Mapping[int, Coded]]:
    """Dictionary-encode text keys that come from public rows; also return the dictionaries by key index."""
    if plan.key_set is None or plan.one_group_per_person:
        return plan, {}
    source: PerPerson = plan.source
    keys, codes = list(plan.keys), dict[int, Coded]()
    for i, key in enumerate(plan.keys):
        if key.field.type is not SqlType.VARCHAR:
            continue
        code = Field(f"{key.field.id}_code{i}", key.field.name, SqlType.BIGINT, nullable=True)
        found = _carried(source, key.field, code, partial(_ranked, code))
        if found is not None:
            changed, rows, text = found
            codes[i] = Coded(rows, text, code)
            assert isinstance(changed, PerPerson)  # noqa: S101  only its operator has changed
            source, keys[i] = changed, replace(key, field=code)
    return replace(plan, source=source, keys=tuple(keys)), codes


def grained_values(plan: PrivatePlan, bounds: Bounding) -> tuple[PrivatePlan, frozenset[int]]:
    """Convert values that come from public rows to integer grains there; also return the vectors' indices."""
    source, vectors, places = plan.source, list(plan.vectors), set[int]()
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if vector.value is None or not vector.summed or vector.factor is not None:
            continue
        made = Field(f"{vector.value.id}_grains{i}", vector.value.name, SqlType.BIGINT, nullable=True)
        found = _carried(source, vector.value, made, partial(_grained, made, vector, bound))
        if found is not None:
            assert isinstance(found[0], PerPerson)  # noqa: S101  only its operator has changed
            source, vectors[i] = found[0], replace(vector, value=made)
            places.add(i)
    return replace(plan, source=source, vectors=tuple(vectors)), frozenset(places)


def _ranked(code: Field, rows: Public, text: Field) -> Operator:
    return Ranked(rows, text, code)


def _grained(made: Field, vector: Vector, bound: VectorBound, rows: Public, value: Field) -> Operator:
    return Grained(rows, value, made, grains(replace(vector, value=value), bound))


_Make = Callable[[Public, Field], Operator]
_Found = tuple[Relation, Public, Field]


def _carried(relation: Relation, origin: Field, made: Field, make: _Make) -> _Found | None:
    """Add a computed column to the public rows that a field comes from, and pass it up through the relation."""
    if isinstance(relation, Public):
        public = Public(make(relation, origin), (*relation.fields, made), relation.facts)
        return public, public, origin
    found = _below(relation.operator, origin, made, make)
    if found is None:
        return None
    operator, rows, first = found
    return replace(relation, operator=operator, fields=(*relation.fields, made)), rows, first


def _below(operator: Operator, origin: Field, made: Field, make: _Make) -> tuple[Operator, Public, Field] | None:
    if isinstance(operator, Project):
        value = dict(operator.computed).get(origin, Ref(origin))
        found = _carried(operator.source, value.field, made, make) if isinstance(value, Ref) else None
        return None if found is None else (replace(operator, source=found[0]), *found[1:])
    if isinstance(operator, Filter):
        found = _carried(operator.source, origin, made, make)
        return None if found is None else (replace(operator, source=found[0]), *found[1:])
    if isinstance(operator, Join):
        if origin in operator.left.fields:
            found = _carried(operator.left, origin, made, make)
            return None if found is None else (replace(operator, left=found[0]), *found[1:])
        found = _carried(operator.right, origin, made, make)
        return None if found is None else (replace(operator, right=found[0]), *found[1:])
    return None
