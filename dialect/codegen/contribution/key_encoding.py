"""Dictionary encoding of group keys: one integer per public key, where keys are several columns with text.

    GROUP BY person, key_code      instead of        GROUP BY person, city, category

Rows are joined to the key set before they are grouped, which also drops rows outside it. Proof:
`dialect/codegen/proofs.md#render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialect.algebra.expressions import Field, Ref, conjunction, conjuncts
from dialect.algebra.relations import Distinct, Filter
from dialect.algebra.release_plan import ContributionBounds, GroupKey, PrivatePlan, VectorKind
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.public_pushdown import Dictionary
from dialect.codegen.contribution.zero_fill import ENCODED_KEY, key_join_condition
from dialect.functions.builders import is_not_null


def is_key_encoded(plan: PrivatePlan, bounds: ContributionBounds, dictionaries: Mapping[int, Dictionary]) -> bool:
    """Return whether rows are grouped by encoded keys. Decided from the plan alone, where that is less work.

    Conditions: a public key set that rows must be joined with anyway (not exhaustive), without repeated keys, at least
    two keys, one of them text without a dictionary. Group truncation and distinct values hash the keys themselves.

    Claim: no two keys of the set are equal, and nothing selects among a person's groups by the values of their keys.
    Source and proof: dialect/codegen/proofs.md#render. Raises: nothing.
    """
    key_set = plan.key_set
    if key_set is None or key_set.is_exhaustive or plan.has_one_group_per_person or bounds.max_groups is not None:
        return False
    if any(vector.kind is VectorKind.DISTINCT for vector in plan.vectors):
        return False
    # a key has one number only if the key set has no repeated rows
    key_rows = key_set.relation.operator
    if not isinstance(key_rows, Distinct) or set(key_rows.keys) != set(key_set.keys):
        return False
    texts = [i for i, key in enumerate(key_set.keys) if key.type is SqlType.VARCHAR and i not in dictionaries]
    # not for exactly two keys that are both texts: DuckDB itself packs two short texts into one integer
    return bool(texts) and len(key_set.keys) > 1 and (len(key_set.keys), len(texts)) != (2, 2)


def plan_by_encoded_key(plan: PrivatePlan) -> PrivatePlan:
    """Derive the plan whose only key is the encoded one; rows outside the key set are already gone."""
    return replace(
        plan, keys=(GroupKey(Field(ENCODED_KEY, None, SqlType.BIGINT, nullable=False), ENCODED_KEY, ""),), key_set=None
    )


def encoded_rows(plan: PrivatePlan, dictionaries: Mapping[int, Dictionary]) -> str:
    """Write the source joined to the CTE `key_set`, which adds the encoded key and drops rows outside the key set."""
    assert plan.key_set is not None  # noqa: S101  encoded keys are public
    keys = ", ".join(f"{key.field.id} AS k{i}" for i, key in enumerate(plan.keys))
    return f"(SELECT *, {keys} FROM source) AS r JOIN key_set ON {key_join_condition('r', plan.key_set, dictionaries)}"


def without_implied_predicates(plan: PrivatePlan) -> PrivatePlan:
    """Drop `key IS NOT NULL` predicates, which the equality with a key of the set implies.

    Only from the topmost filter, and only for keys that are never NULL in the key set.
    """
    operator = plan.source.operator
    if not isinstance(operator, Filter) or plan.key_set is None:
        return plan
    pairs = zip(plan.keys, plan.key_set.keys, strict=True)
    implied = [is_not_null(Ref(key.field)) for key, listed in pairs if not listed.nullable]
    remaining = tuple(each for each in conjuncts(operator.condition) if each not in implied)
    return replace(plan, source=plan.source.with_operator(replace(operator, condition=conjunction(remaining))))
