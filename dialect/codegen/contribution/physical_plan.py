"""Physical plan: how the rows of a plan are read and grouped, chosen by optional passes.

Each pass of ROW_SHORTCUTS is a physical shortcut: it changes the generated SQL, and no integer. `Target.shortcuts`
switches them; all are on but in tests.

Keys are encoded as one integer per public key where they are several columns with text:

    GROUP BY person, key_code      instead of        GROUP BY person, city, category

Rows are joined to the key set before they are grouped, which drops the others (`dialect/codegen/proofs.md#render`).

Zero fill gives key-set rows: one row per public key shown, in public order, zeros included. CTEs that are read or
written here:

    key_set             the public key set: k0, k1, ...; code<i> of dictionary-encoded keys; `key_code` of encoded keys
    dictionary<i>       dictionary of key i: each public text with its integer code
    group_sums          one row per group: k0, ... and the sums w0, ...
    distinct_counts<i>  the same for vector i of distinct values
    clipped_totals      one row: t0, ..., totals over all groups
    unit_count          one row: `units`, the number of units with any row in a listed group (correlated noise)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.expressions import Field, Ref, conjunction, conjuncts
from dialect.algebra.relations import Distinct, Filter
from dialect.algebra.release_plan import ContributionBounds, GroupKey, KeySet, PrivatePlan, VectorKind
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
from dialect.codegen.relations.relation import write_rows
from dialect.functions.registry import is_not_null

MAX_BIGINT = 2**63 - 1
UNITS = "(SELECT coalesce(max(units), 0) FROM unit_count)"  # number of units, 0 where there is none
NOTHING_CENTRED: Mapping[int, int] = {}
CLIPPED_TOTALS = "clipped_totals"
ENCODED_KEY = "key_code"  # column with the encoded key, in arbitrary order


def dictionary_sql(dictionary: Dictionary, target: Target) -> str:
    """Write a dictionary: each text with its code."""
    rows = write_rows(dictionary.rows, (dictionary.text, dictionary.code), target)
    return f"SELECT DISTINCT {dictionary.text.id} AS text, {dictionary.code.id} AS code FROM ({rows}) AS t"


def key_set_sql(
    key_set: KeySet,
    dictionaries: Mapping[int, Dictionary],
    target: Target,
    is_encoded: bool = False,
    is_numbered_in_order: bool = False,
) -> str:
    """Write the public keys k0, k1, ... and the codes that replace them in grouping; no group has code 0.

    A text that no public row holds gets code 0, which matches no group; NULL stays NULL. With `is_encoded`, a further
    column numbers the keys: in any order, or in that of the keys, which several statements agree on.
    """
    columns = [f"{f.id} AS k{i}" for i, f in enumerate(key_set.keys)]
    for i in dictionaries:
        text = key_set.keys[i].id
        columns.append(f"CASE WHEN {text} IS NOT NULL THEN coalesce(dictionary{i}.code, 0) END AS code{i}")
    if is_encoded:
        order = f"ORDER BY {', '.join(key.id for key in key_set.keys)}" if is_numbered_in_order else ""
        columns.append(f"CAST(row_number() OVER ({order}) AS INTEGER) AS {ENCODED_KEY}")
    joins = "".join(f" LEFT JOIN dictionary{i} ON {key_set.keys[i].id} = dictionary{i}.text" for i in dictionaries)
    return f"SELECT {', '.join(columns)} FROM ({write_rows(key_set.relation, key_set.keys, target)}) AS k{joins}"


def answer_sql(
    plan: PrivatePlan,
    dictionaries: Mapping[int, Dictionary],
    is_encoded: bool = False,
    tables: Sequence[str] | None = None,
    is_ordered: bool = True,
    centred: Mapping[int, int] = NOTHING_CENTRED,
    total_count: int = 0,
) -> str:
    """Write the answer: one row per key in public order, sums narrowed to BIGINT by a clamp.

    `centred` maps each vector with correlated noise to half a person in its grains, which is subtracted once per unit.
    The number of units itself then follows the vectors as one more column, the same in every row. So do totals, the
    columns t0, ... of the CTE `clipped_totals`.

    `tables` are the CTEs that hold w0, ...: by default `group_sums` and the counts of distinct values. Public keys are
    left joined to them, so that absent groups give zeros. Private keys (no key set) are those of `group_sums` alone; as
    its groups contain those of all counts, it comes first. Encoded keys are joined by their number, column k0 of
    `group_sums`.
    """
    columns = [f"{'group_sums' if plan.key_set is None else 'key_set'}.{key}" for key in plan.key_columns]
    columns = [f"{column} AS k{i}" for i, column in enumerate(columns)]
    totals = [
        f"coalesce(w{i}, 0) - {UNITS} * {centred[i]}" if i in centred else f"w{i}" for i in range(len(plan.vectors))
    ]
    columns += [f"{clamped_to_bigint(total)} AS w{i}" for i, total in enumerate(totals)]
    columns += [f"{clamped_to_bigint(UNITS)} AS w{len(plan.vectors)}"] if centred else []
    columns += [f"t{i} AS w{len(plan.vectors) + bool(centred) + i}" for i in range(total_count)]
    order = " ORDER BY " + ", ".join(f"{key} NULLS LAST" for key in plan.key_columns) if is_ordered else ""
    totals_join = f" CROSS JOIN {CLIPPED_TOTALS}" if total_count else ""
    if tables is None:
        tables = [
            "group_sums",
            *(f"distinct_counts{i}" for i, v in enumerate(plan.vectors) if v.kind is VectorKind.DISTINCT),
        ]
    if not plan.keys:
        return f"SELECT {', '.join(columns)} FROM {' CROSS JOIN '.join(tables)}{totals_join}"
    if is_encoded:
        of_key = f"key_set.{ENCODED_KEY} = group_sums.k0"
        return f"SELECT {', '.join(columns)} FROM key_set LEFT JOIN group_sums ON {of_key}{totals_join}{order}"
    if plan.key_set is None:
        count_joins = "".join(f" LEFT JOIN {table} ON {_same_group_as_sums(table, plan)}" for table in tables[1:])
        return f"SELECT {', '.join(columns)} FROM group_sums{count_joins}{totals_join}{order}"
    joins = "".join(
        f" LEFT JOIN {table} ON {key_join_condition(table, plan.key_set, dictionaries)}" for table in tables
    )
    return f"SELECT {', '.join(columns)} FROM key_set{joins}{totals_join}{order}"


def _same_group_as_sums(table: str, plan: PrivatePlan) -> str:
    """Write the join condition of a table with `group_sums`; NULL keys form a group of their own."""
    return " AND ".join(f"group_sums.{key} IS NOT DISTINCT FROM {table}.{key}" for key in plan.key_columns)


def key_set_semi_join(rows: str, plan: PrivatePlan, dictionaries: Mapping[int, Dictionary]) -> str:
    """Write the semi-join that drops groups outside the public key set; "" where there can be none."""
    if plan.key_set is None or plan.key_set.is_exhaustive or not plan.keys:
        return ""
    return f" SEMI JOIN key_set ON {key_join_condition(rows, plan.key_set, dictionaries)}"


def key_join_condition(table: str, key_set: KeySet, dictionaries: Mapping[int, Dictionary]) -> str:
    """Write the join condition between public keys and a table's group keys.

    Dictionary-encoded keys are compared by code. Nullable keys compare NULL as a value, others by plain equality, which
    engines hash faster.
    """
    pairs = [
        (f"key_set.{'code' if i in dictionaries else 'k'}{i}", key, f"{table}.k{i}")
        for i, key in enumerate(key_set.keys)
    ]
    return " AND ".join(f"{one} {'IS NOT DISTINCT FROM' if key.nullable else '='} {two}" for one, key, two in pairs)


def clamped_to_bigint(total: str) -> str:
    """Write a sum clamped to 64 bits, which never raises; 0 where nothing was added."""
    return f"CAST(greatest(-{MAX_BIGINT}, least({MAX_BIGINT}, coalesce({total}, 0))) AS BIGINT)"


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
