"""Pushdown to the public input: expressions over public rows are computed before these are joined to people's rows.

Text keys of joined public rows are dictionary-encoded, and rows are grouped by their codes; summed values are
converted to value grains (fixed-point integers, in units of 2^-value_bits of the value's unit).
PrivatePlan -> an equivalent plan. Proof: `dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from dialect.algebra.expressions import Field, Ref
from dialect.algebra.relations import (
    DictionaryEncoded,
    Filter,
    FixedPointEncoded,
    Join,
    Operator,
    PerPerson,
    Project,
    Public,
    Relation,
)
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan, QueryVector, VectorBound
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.clipping import value_grains


@dataclass(frozen=True)
class Dictionary:
    """A dictionary-encoded public text column: the public rows, the text and its code."""

    rows: Public
    text: Field
    code: Field


def encode_text_keys(plan: PrivatePlan) -> tuple[PrivatePlan, Mapping[int, Dictionary]]:
    """Dictionary-encode text keys that come from public rows; also return the dictionaries by key index.

    Only for public key sets, whose rows translate codes back to texts. Where each person has one group, keys are
    carried along and not grouped by, so that codes gain nothing.
    """
    if plan.key_set is None or plan.has_one_group_per_person:
        return plan, {}
    source: PerPerson = plan.source
    keys, dictionaries = list(plan.keys), dict[int, Dictionary]()
    for i, key in enumerate(plan.keys):
        if key.field.type is not SqlType.VARCHAR:
            continue
        code = Field(f"{key.field.id}_code{i}", key.field.name, SqlType.BIGINT, nullable=True)
        carried = _carry_up(source, key.field, code, partial(_encode, code))
        if carried is not None:
            new_source, rows, text = carried
            dictionaries[i] = Dictionary(rows, text, code)
            assert isinstance(new_source, PerPerson)  # noqa: S101  only its operator has changed
            source, keys[i] = new_source, replace(key, field=code)
    return replace(plan, source=source, keys=tuple(keys)), dictionaries


def pre_grain_values(plan: PrivatePlan, bounds: ContributionBounds) -> tuple[PrivatePlan, frozenset[int]]:
    """Convert values that come from public rows to value grains there; also return the vectors' indices.

    A product is left out: its second factor may come from other rows. In the new plan, the vector's value is the field
    of grains.
    """
    source, vectors, indices = plan.source, list(plan.vectors), set[int]()
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if vector.value is None or not vector.is_sum or vector.factor is not None:
            continue
        grains_field = Field(f"{vector.value.id}_grains{i}", vector.value.name, SqlType.BIGINT, nullable=True)
        carried = _carry_up(source, vector.value, grains_field, partial(_to_grains, grains_field, vector, bound))
        if carried is not None:
            assert isinstance(carried[0], PerPerson)  # noqa: S101  only its operator has changed
            source, vectors[i] = carried[0], replace(vector, value=grains_field)
            indices.add(i)
    return replace(plan, source=source, vectors=tuple(vectors)), frozenset(indices)


def _encode(code: Field, rows: Public, text: Field) -> Operator:
    """Make the operator that adds a code for `text`; the new field comes first, so that it can be bound."""
    return DictionaryEncoded(rows, text, code)


def _to_grains(grains_field: Field, vector: QueryVector, bound: VectorBound, rows: Public, value: Field) -> Operator:
    """Make the operator that adds the value grains of one vector's value."""
    return FixedPointEncoded(rows, value, grains_field, value_grains(replace(vector, value=value), bound))


_MakeOperator = Callable[[Public, Field], Operator]
_Carried = tuple[Relation, Public, Field]  # changed relation, public rows with the new column, origin field in them


def _carry_up(relation: Relation, origin: Field, new_field: Field, make_operator: _MakeOperator) -> _Carried | None:
    """Add a computed column to the public rows that a field comes from, and pass it up through the relation.

    Returns the changed relation, the public rows with the column, and the field of these rows that `origin` is; None
    where the field is computed above the public rows or comes from people's rows. `make_operator(rows, field)` computes
    it.
    """
    if isinstance(relation, Public):
        public = Public(make_operator(relation, origin), (*relation.fields, new_field), relation.predicates)
        return public, public, origin
    operator = relation.operator
    # only projections, filters and joins pass a new column through; a projection may rename the field
    if not isinstance(operator, Project | Filter | Join):
        return None
    value = dict(operator.computed).get(origin, Ref(origin)) if isinstance(operator, Project) else Ref(origin)
    is_right = isinstance(operator, Join) and origin not in operator.left.fields
    sources = list(relation.children)
    carried = _carry_up(sources[is_right], value.field, new_field, make_operator) if isinstance(value, Ref) else None
    if carried is None:
        return None
    sources[is_right], rows, origin_below = carried
    return replace(relation.with_children(sources), fields=(*relation.fields, new_field)), rows, origin_below
