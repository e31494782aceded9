"""Partition selection: a release with private keys as two passes, one for the keys and one for their numbers.

The first pass sums per-person weights per key: a person in k groups has weight 1 / sqrt(k) in each, so that the L2 norm
of each person is 1. Keys whose noisy weight passes a threshold are released. The second pass is bounded over the
released keys as over a public key set (`proofs.md#selection`).

Rows of unreleased keys can be mapped to groups of others before anything is bounded. A plan over released keys with
`mapping` reads its rows through two CTEs:

    unmapped    rows of people, as the plan's source has them
    released    the released keys
    source      the same rows with one more column a key: its value where the whole key is released, else that of the
                group of other keys

A semi-join and an anti-join give each row exactly once, whatever the released keys are (`proofs.md#other-keys`).

A released grain is the unit of released integers: 2^-fraction_bits of one person here.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dialect.algebra.codegen_types import Subquery, Target
from dialect.algebra.expressions import Field, Literal
from dialect.algebra.relations import Public, ReleaseScan, SetOperation
from dialect.algebra.release_plan import ContributionBounds, KeyMapping, KeySet, KeySource, PrivatePlan
from dialect.codegen.engines.dialects import EngineDialect
from dialect.codegen.relations.relation import RELEASED_KEYS_INDEX, write_rows


def selection_plan(plan: PrivatePlan) -> PrivatePlan:
    """Derive the plan of the first pass: the weighted person count that selects keys, and no other vector.

    Every plan with private keys has that vector. As the only one, it becomes scale group 0.
    """
    index = next(i for i, vector in enumerate(plan.vectors) if vector.is_selection_vector)
    return replace(
        plan,
        vectors=(replace(plan.vectors[index], scale_group=0),),
        vector_texts=(plan.vector_texts[index],),
        others=None,
    )


def plan_over_released_keys(plan: PrivatePlan) -> PrivatePlan:
    """Derive the plan of the second pass: the same vectors over the keys that the first pass released.

    Its key set is read from the table RELEASED_KEYS; it is not exhaustive, so that rows with other keys are dropped, or
    mapped to the groups of other keys if the plan has them (proofs.md#other-keys).
    """
    fields = tuple(replace(key.field, id=f"k{i}", nullable=True) for i, key in enumerate(plan.keys))
    rows = Public(ReleaseScan(RELEASED_KEYS_INDEX, fields), fields)
    if plan.others is None:
        return replace(plan, key_set=_released_key_set(rows, fields))
    mapping = KeyMapping(tuple(key.field for key in plan.keys), rows, plan.others.values)
    mapped = tuple(
        replace(key, field=replace(key.field, id=f"mapped{i}", nullable=True, definition=key.field.expression))
        for i, key in enumerate(plan.keys)
    )
    both = tuple(replace(field, id=f"listed{i}") for i, field in enumerate(fields))
    columns = tuple(zip(fields, plan.others.fields, both, strict=True))
    listed = Public(SetOperation(rows, plan.others.relation, "union", True, columns), both)
    return replace(plan, keys=mapped, key_set=_released_key_set(listed, both), mapping=mapping)


def _released_key_set(rows: Public, fields: tuple[Field, ...]) -> KeySet:
    """Build the key set of released keys."""
    return KeySet(rows, fields, (KeySource(rows, "the released keys", is_exhaustive=False),))


def max_weight(groups: int, bounds: ContributionBounds) -> int:
    """Return the largest weight per group of a person in `groups` groups, in released grains, rounded up.

    Claim: no number of the first pass that rests on one person alone, who is in `groups` groups, is larger. Symbols:
    2^j grains are one person, j = fraction_bits. Formula: 2^j, and floor(2^j / sqrt(groups)) + 1 for several groups.
    Source and proof: proofs.md#selection. Raises ValueError for groups below 1.
    """
    if groups < 1:
        raise ValueError(f"a person is in at least one group, not {groups}")
    one_person = 1 << bounds.vectors[0].fraction_bits
    return one_person if groups == 1 else math.isqrt(one_person * one_person // groups) + 1


RELEASED = "released"  # placeholder of the released keys in a lake's SQL


def source_keys(plan: PrivatePlan) -> tuple[Field, ...]:
    """Return the fields of the plan's source that its keys are read from."""
    return tuple(key.field for key in plan.keys) if plan.mapping is None else plan.mapping.keys


def released_sql(mapping: KeyMapping, target: Target) -> str:
    """Write the released keys, in DuckDB."""
    return write_rows(mapping.released, mapping.released.fields, target)


def source_ctes(
    plan: PrivatePlan, rows: str, released: str, dialect: EngineDialect, is_materialized: bool = False
) -> list[Subquery]:
    """Write the CTE `source` of some rows, after those that map unreleased keys if the plan has them.

    Claim: each row is there once, and its keys depend on itself and the released keys alone. Proof:
    dialect/codegen/proofs.md#other-keys. Raises: nothing.
    """
    mapping = plan.mapping
    if mapping is None:
        return [("source", is_materialized, rows)]
    columns = list(zip(mapping.keys, mapping.released.fields, mapping.values, plan.keys, strict=True))
    same = " AND ".join(f"p.{key.id} IS NOT DISTINCT FROM released.{own.id}" for key, own, _, _ in columns)
    kept = ", ".join(f"p.{key.id} AS {mapped.field.id}" for key, _, _, mapped in columns)
    others = ", ".join(
        f"{f'p.{key.id}' if value is None else _quoted(value, dialect)} AS {mapped.field.id}"
        for key, _, value, mapped in columns
    )
    text = (
        f"SELECT p.*, {kept} FROM unmapped AS p SEMI JOIN released ON {same}"
        f" UNION ALL SELECT p.*, {others} FROM unmapped AS p ANTI JOIN released ON {same}"
    )
    return [("unmapped", True, rows), ("released", True, released), ("source", is_materialized, text)]


def _quoted(value: Literal, dialect: EngineDialect) -> str:
    """Write the value of a key in groups of others; NULL takes the type of the key."""
    return "NULL" if value.value is None else dialect.emitter.quote(value)
