"""Dictionary encoding of group keys: one integer a public key, where keys are several columns with text.

Rows meet the key set before they are grouped, and rows outside it are left out there.

Proof: `dialect/codegen/proofs.md#render`.
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
    """Tell whether groups are formed by numbers of keys: by the plan alone, where that is less work.

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
    # two texts are packed into one integer by DuckDB itself, as far as they are short
    return bool(texts) and len(listed.keys) > 1 and (len(listed.keys), len(texts)) != (2, 2)


def by_number(plan: PrivatePlan) -> PrivatePlan:
    """Give the plan whose one key is the number; what no list holds is gone from its rows."""
    return replace(plan, keys=(Key(Field(NUMBER, None, SqlType.BIGINT, nullable=False), NUMBER, ""),), key_set=None)


def numbered_rows(plan: PrivatePlan, codes: Mapping[int, Coded]) -> str:
    """Write the rows of the source that have a listed key, with its number."""
    assert plan.key_set is not None  # noqa: S101  numbered keys are public
    keys = ", ".join(f"{key.field.id} AS k{i}" for i, key in enumerate(plan.keys))
    return f"(SELECT *, {keys} FROM source) AS r JOIN keys ON {same_keys('r', plan.key_set, codes)}"


def without_told(plan: PrivatePlan) -> PrivatePlan:
    """Leave out conditions that a key is there: equality with a listed key, which is there, says it."""
    operator = plan.source.operator
    if not isinstance(operator, Filter) or plan.key_set is None:
        return plan
    pairs = zip(plan.keys, plan.key_set.keys, strict=True)
    told = [is_there(Ref(key.field)) for key, listed in pairs if not listed.nullable]
    left = tuple(each for each in conjuncts(operator.condition) if each not in told)
    return replace(plan, source=replace(plan.source, operator=replace(operator, condition=conjunction(left))))
