"""Physical plan: how the rows of a plan are read and grouped, chosen by optional passes.

Each pass of ROW_SHORTCUTS is a physical shortcut: it changes the generated SQL, and no integer. `Target.shortcuts`
switches them; all are on but in tests.

Keys are encoded as one integer per public key where they are several columns with text:

    GROUP BY person, key_code      instead of        GROUP BY person, city, category

Rows are joined to the key set before they are grouped, which drops the others (`dialect/codegen/proofs.md#render`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.expressions import Field, Ref, conjunction, conjuncts
from dialect.algebra.relations import Distinct, Filter
from dialect.algebra.release_plan import ContributionBounds, GroupKey, PrivatePlan, VectorKind
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.pushdown import (
    Dictionary,
    Pushdown,
    aggregated_plan,
    encode_text_keys,
    find_pushdown,
    pre_grain_values,
)
from dialect.codegen.contribution.unclipped_units import can_merge_unclipped
from dialect.codegen.contribution.zero_fill import ENCODED_KEY, key_join_condition
from dialect.functions.registry import is_not_null


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


@dataclass(frozen=True)
class PhysicalPlan:
    """A plan with its bounds, and what the shortcuts chose; the defaults are those without any."""

    plan: PrivatePlan  # with expressions pushed down to the public input
    grouped_plan: (
        PrivatePlan  # over whose rows partial aggregates are computed: by encoded key, or before keys are joined
    )
    bounds: ContributionBounds
    dictionaries: Mapping[int, Dictionary] = field(default_factory=dict)  # integer codes of text keys, by key index
    pre_grained: frozenset[int] = frozenset()  # vectors whose values are converted to value grains in the public input
    is_key_encoded: bool = False
    pushdown: Pushdown | None = None
    merges_unclipped_units: bool = False


def physical_plan(plan: PrivatePlan, bounds: ContributionBounds, target: Target) -> PhysicalPlan:
    """Choose how a plan's rows are read and grouped, by the shortcuts of the target."""
    physical = PhysicalPlan(plan, plan, bounds)
    for shortcut, choose in ROW_SHORTCUTS:
        physical = choose(physical) if shortcut in target.shortcuts else physical
    return physical


def _encode_texts(physical: PhysicalPlan) -> PhysicalPlan:
    """Dictionary-encode text keys of the public input."""
    plan, dictionaries = encode_text_keys(physical.plan)
    return replace(physical, plan=plan, grouped_plan=plan, dictionaries=dictionaries)


def _convert_to_grains(physical: PhysicalPlan) -> PhysicalPlan:
    """Convert values of the public input to value grains there."""
    plan, pre_grained = pre_grain_values(physical.plan, physical.bounds)
    return replace(physical, plan=plan, grouped_plan=plan, pre_grained=pre_grained)


def _encode_keys(physical: PhysicalPlan) -> PhysicalPlan:
    """Group by one integer for a whole public key."""
    if not is_key_encoded(physical.plan, physical.bounds, physical.dictionaries):
        return physical
    return replace(physical, grouped_plan=plan_by_encoded_key(physical.plan), is_key_encoded=True)


def _push_aggregation_down(physical: PhysicalPlan) -> PhysicalPlan:
    """Aggregate rows before the row with the group keys is joined; an encoded key is grouped by."""
    pushdown = None if physical.is_key_encoded else find_pushdown(physical.plan)
    if pushdown is None:
        return physical
    return replace(physical, grouped_plan=aggregated_plan(physical.plan, pushdown), pushdown=pushdown)


def _merge_unclipped_units(physical: PhysicalPlan) -> PhysicalPlan:
    """Sum unclipped units without rows of their own."""
    return replace(physical, merges_unclipped_units=can_merge_unclipped(physical.grouped_plan, physical.bounds))


ROW_SHORTCUTS: tuple[tuple[Shortcut, Callable[[PhysicalPlan], PhysicalPlan]], ...] = (
    (Shortcut.DICTIONARY_CODES, _encode_texts),
    (Shortcut.PUBLIC_GRAINS, _convert_to_grains),
    (Shortcut.ENCODED_KEYS, _encode_keys),
    (Shortcut.AGGREGATION_PUSHDOWN, _push_aggregation_down),
    (Shortcut.UNCLIPPED_UNITS, _merge_unclipped_units),
)
