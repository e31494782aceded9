"""Dictionary encoding of group keys: one integer per public key, where keys are several columns with text.

    GROUP BY person, number        instead of        GROUP BY person, city, category

Rows are joined to the key set before they are grouped, which also drops rows outside it. Proof:
`dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.expressions import Field, Ref, conjunction, conjuncts
from dialect.algebra.relations import Distinct, Filter
from dialect.algebra.release_plan import Bounding, Key, PrivatePlan, VectorKind
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.key_rows import NUMBER, same_keys
from dialect.codegen.contribution.public_side import Coded
from dialect.functions.builders import is_there


def is_numbered(plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded]) -> bool:
    """Return whether rows are grouped by encoded keys. Decided from the plan alone, where that is less work.

    Claim: then no two keys of the list are equal, and nothing chooses among a person's groups by what their keys are.
    Source and proof: dialect/codegen/proofs.md#render. Raises: nothing.
    """
    listed = plan.key_set
    if listed is None or listed.closed or plan.one_group_per_person or bounds.max_groups is not None:
        return False
    if any(vector.kind is VectorKind.DISTINCT for vector in plan.vectors):
        return False
    apart = listed.relation.operator
    if not isinstance(apart, Distinct) or set(apart.keys) != set(listed.keys):
        return False
    texts = [i for i, key in enumerate(listed.keys) if key.type is SqlType.VARCHAR and i not in codes]
    # DuckDB itself packs two short texts into one integer
    return bool(texts) and len(listed.keys) > 1 and (len(listed.keys), len(texts)) != (2, 2)


def by_number(plan: PrivatePlan) -> PrivatePlan:
    """Derive the plan whose only key is the encoded one; rows outside the key set are already gone."""
    return replace(plan, keys=(Key(Field(NUMBER, None, SqlType.BIGINT, nullable=False), NUMBER, ""),), key_set=None)


def numbered_rows(plan: PrivatePlan, codes: Mapping[int, Coded]) -> str:
    """Write the source joined to the key set, which adds the encoded key."""
    assert plan.key_set is not None  # noqa: S101  encoded keys are public
    keys = ", ".join(f"{key.field.id} AS k{i}" for i, key in enumerate(plan.keys))
    return f"(SELECT *, {keys} FROM source) AS r JOIN keys ON {same_keys('r', plan.key_set, codes)}"


def without_told(plan: PrivatePlan) -> PrivatePlan:
    """Drop `key IS NOT NULL` predicates, which the equality with a key of the set implies."""
    operator = plan.source.operator
    if not isinstance(operator, Filter) or plan.key_set is None:
        return plan
    pairs = zip(plan.keys, plan.key_set.keys, strict=True)
    told = [is_there(Ref(key.field)) for key, listed in pairs if not listed.nullable]
    left = tuple(each for each in conjuncts(operator.condition) if each not in told)
    return replace(plan, source=replace(plan.source, operator=replace(operator, condition=conjunction(left))))
