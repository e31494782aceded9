"""Physical plan: how the rows of a plan are read and grouped, chosen by optional passes.

Each pass of ROW_SHORTCUTS is a physical shortcut: it changes the generated SQL, and no integer. `Target.shortcuts`
switches them; all are on but in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.codegen.contribution.aggregation_pushdown import Pushdown, aggregated_plan, find_pushdown
from dialect.codegen.contribution.key_encoding import is_key_encoded, plan_by_encoded_key
from dialect.codegen.contribution.public_pushdown import Dictionary, encode_text_keys, pre_grain_values
from dialect.codegen.contribution.unclipped_units import can_merge_unclipped


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
