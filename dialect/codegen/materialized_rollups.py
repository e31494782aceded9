"""Materialized rollups: partial aggregates of a plan, read from a stored table with one row per unit and group.

    rollup: person, hour, zone -> rows        query: SELECT zone, COUNT(*) FROM visit GROUP BY zone

A rollup holds the exact numbers of every unit in each of its groups, before contribution bounding and eligibility, and
also for groups outside any public key set. A query that reads it applies these as it would over rows
(`proofs.md#person-rollups`). Columns of a rollup: person, win, its keys h0, ..., and its numbers n0, .... Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    wanted view      canonical form of the query's plan, with fields renamed to canonical names
    rollup view      the same of the plan that declares the rollup
    value grain      fixed-point unit of a stored number: 2^-value_bits of the value's unit
    encoded key      integer code of a public text key (`pushdown`)
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.algebra.codegen_types import Rollup, Shortcut, Target, UnitPartials
from dialect.algebra.expressions import Expr, Field, Ref, conjunction
from dialect.algebra.release_plan import (
    GROUP_ADDITIVE_KINDS,
    ContributionBounds,
    PrivatePlan,
    QueryVector,
    VectorBound,
    VectorKind,
)
from dialect.analysis.predicates import is_implied
from dialect.analysis.time_granularity import UnderivableError, rewrite_over_keys
from dialect.catalog.model import Eligibility, SqlType
from dialect.codegen.contribution.clipping import MAX_UNSQUARED_GRAINS, partial_aggregate
from dialect.codegen.contribution.pushdown import encode_text_keys
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.codegen.relations.relation import write_rows
from dialect.codegen.stored_rows import is_eligibility_stored
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import CanonicalPlan, canonical_plan, non_null_keys

_EXACT_EQUALITY_TYPES = (  # types whose equal values are identical, so that no expression distinguishes them
    SqlType.BOOLEAN,
    SqlType.BIGINT,
    SqlType.VARCHAR,
    SqlType.DATE,
    SqlType.TIMESTAMP,
    SqlType.TIMESTAMPTZ,
)


def is_rollup_compatible(plan: PrivatePlan) -> bool:
    """Return whether all vectors of a plan add up across groups, over keys whose equal values are identical.

    Row truncation and preserved sides of outer joins are excluded: their rows depend on more than the stored groups.
    """
    adds_up = all(_is_additive(vector) for vector in plan.vectors)
    has_exact_keys = all(key.field.type in _EXACT_EQUALITY_TYPES for key in plan.keys)
    return adds_up and has_exact_keys and plan.limits.max_rows is None and plan.source.preserved_side is None


def _is_additive(vector: QueryVector) -> bool:
    """Return whether a vector over coarser groups follows from stored groups: by a sum, or max for persons."""
    return vector.kind in (*GROUP_ADDITIVE_KINDS, VectorKind.PERSONS)


def write_rollup(plan: PrivatePlan, bounds: ContributionBounds, target: Target) -> str:
    """Write the rows of a rollup: person, win, h0, ... for its keys, n0, ... for its numbers in value grains.

    A vector that is always 1 has no number. `bounds` only define the value grains: nothing is clipped.
    """
    needed_fields = {*plan.unit_columns.values(), *(key.field for key in plan.keys)}
    for vector in plan.vectors:
        needed_fields |= vector.fields
    columns = [f"{field.id} AS {name}" for name, field in plan.unit_columns.items()]
    columns += [f"{key.field.id} AS h{i}" for i, key in enumerate(plan.keys)]
    # GROUP BY 1, 2, ...: unit and keys come first
    key_positions = ", ".join(str(place + 1) for place in range(len(columns)))
    numbers = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    dialect = ENGINE_DIALECTS[target.engine]
    columns += [
        f"CAST({partial_aggregate(v, bound, dialect=dialect)} AS BIGINT) AS n{i}"
        for i, (v, bound) in numbers
        if not v.is_selection_vector
    ]
    source = write_rows(plan.source, needed_fields, target)
    rows = f"SELECT {', '.join(columns)} FROM ({source}) AS s GROUP BY {key_positions}"
    return f"{rows} ORDER BY {key_positions}" if dialect.sorts_rollups else rows


def partials_from_rollup(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, admission: Eligibility | None = None
) -> UnitPartials | None:
    """Write a plan's partial aggregates over a rollup that covers them; None where no rollup does.

    Only for public key sets: a rollup with the same private tables whose groups are finer, and whose predicates are
    implied.

    Claim: for all data, the rows are those of the plan's partials over the rows that the rollup was computed from.
    Symbols: none. Source and proof: proofs.md#person-rollups. Raises: nothing.
    """
    candidates = [each for each in target.rollups if set(each.plan.tables) == set(plan.tables)]
    if (
        not candidates
        or Shortcut.ROLLUPS not in target.shortcuts
        or plan.key_set is None
        or not is_rollup_compatible(plan)
        or not is_eligibility_stored(admission, target)
    ):
        return None
    if _truncates_by_encoded_key(plan, bounds, target):
        return None
    wanted_view = canonical_plan(plan)
    return next((found for each in candidates if (found := _read_rollup(wanted_view, bounds, each)) is not None), None)


def _truncates_by_encoded_key(plan: PrivatePlan, bounds: ContributionBounds, target: Target) -> bool:
    """Return whether group truncation over rows would hash encoded keys, which a rollup does not store.

    The hash chooses the groups of a person, so that both reads must hash the same values. A lake does not encode keys.
    """
    encodes_texts = target.lake is None and Shortcut.DICTIONARY_CODES in target.shortcuts
    return encodes_texts and bounds.max_groups is not None and bool(encode_text_keys(plan)[1])


def _read_rollup(wanted_view: CanonicalPlan, bounds: ContributionBounds, rollup: Rollup) -> UnitPartials | None:
    """Write a plan's partial aggregates over one rollup; None if the rollup does not answer the plan.

    It must store each number, have the same joins (structure), hold every row, and determine window, keys and remaining
    predicates by its stored columns. Grouping is left out where the plan's keys are exactly the stored ones.
    """
    plan, rollup_view = wanted_view.plan, canonical_plan(rollup.plan)
    stored_numbers = _stored_numbers(plan, bounds, rollup)
    has_same_joins = wanted_view.structure == rollup_view.structure
    if stored_numbers is None or not has_same_joins or not _covers(wanted_view, rollup_view):
        return None
    stored_columns, predicates = _stored_columns(rollup_view), tuple(wanted_view.conditions.values())
    steps = non_null_keys(stored_columns, predicates)
    remaining = [each for text, each in wanted_view.conditions.items() if text not in rollup_view.conditions]
    try:
        expressions = [
            *(wanted_view.rename(Ref(field)) for name, field in plan.unit_columns.items() if name != "person"),
            *wanted_view.keys,
        ]
        columns = [rewrite_over_keys(each, stored_columns, steps) for each in expressions]
        condition = conjunction(tuple(rewrite_over_keys(each, stored_columns, steps) for each in remaining))
    except UnderivableError:
        return None
    names = [*(name for name in plan.unit_columns if name != "person"), *plan.key_columns]
    select_columns = ["person", *(f"{write_expr(expr)} AS {name}" for name, expr in zip(names, columns, strict=True))]
    keeps_stored_groups = {expr.field for expr in columns if isinstance(expr, Ref)} == set(stored_columns.values())
    numbers = [
        f"{_rolled_up_number(plan.vectors[i], place, keeps_stored_groups)} AS v{i}"
        for i, place in stored_numbers.items()
    ]
    by = "" if keeps_stored_groups else f" GROUP BY {', '.join(str(i + 1) for i in range(len(select_columns)))}"
    text = f"SELECT {', '.join([*select_columns, *numbers])} FROM {rollup.address} WHERE {write_expr(condition)}{by}"
    return UnitPartials(text, keeps_stored_groups)


def _covers(wanted_view: CanonicalPlan, rollup_view: CanonicalPlan) -> bool:
    """Return whether the rollup holds every row that the plan reads: the plan's predicates imply the rollup's.

    `conditions` of a view map the canonical text of a predicate to the predicate; equal texts need no proof.
    """
    predicates = tuple(wanted_view.conditions.values())
    return all(
        is_implied(each, predicates)
        for text, each in rollup_view.conditions.items()
        if text not in wanted_view.conditions
    )


def _stored_columns(rollup_view: CanonicalPlan) -> Mapping[Expr, Field]:
    """Map canonical expressions to the stored columns that hold them: keys h0, ..., and the privacy window win.

    A window that is also a key keeps the key's column.
    """
    columns = {key: Field(f"h{i}", None, key.type) for i, key in enumerate(rollup_view.keys)}
    window = rollup_view.plan.charged_windows.window_field
    if window is not None:
        columns.setdefault(rollup_view.rename(Ref(window)), Field("win", None, window.type))
    return columns


def _stored_numbers(plan: PrivatePlan, bounds: ContributionBounds, rollup: Rollup) -> Mapping[int, int] | None:
    """Match query vectors to stored numbers with the same value, condition, bounds and grains: index -> index of n<j>.

    None if some vector has no match. A vector that is always 1 needs no number.
    """
    indices: dict[int, int] = {}
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if vector.is_selection_vector:
            continue
        stored_index = next(
            (j for j in range(len(rollup.plan.vectors)) if _is_same_number(plan, i, bound, rollup, j)), None
        )
        if stored_index is None:
            return None
        indices[i] = stored_index
    return indices


def _is_same_number(plan: PrivatePlan, i: int, bound: VectorBound, rollup: Rollup, j: int) -> bool:
    """Return whether vector i of a plan is number j of a rollup.

    Canonical texts cover value and condition. A vector that is always 1 is not stored, so that it is no candidate. Sums
    must also have the same value grains, which counts do not have.
    """
    one, other = plan.vectors[i], rollup.plan.vectors[j]
    definitions = [(v.kind, v.lower, v.upper, v.centre, v.is_integer) for v in (one, other)]
    is_same = (
        plan.vector_texts[i] == rollup.plan.vector_texts[j]
        and definitions[0] == definitions[1]
        and not other.is_selection_vector
    )
    return is_same and (not one.is_sum or bound.value_bits == rollup.bounds.vectors[j].value_bits)


def _rolled_up_number(vector: QueryVector, stored_index: int, keeps_stored_groups: bool) -> str:
    """Write a number of a group from those of stored groups; NULL where it is NULL in all of them.

    A count is kept within 64 bits; a sum is capped later (`capped_partial`).
    """
    if keeps_stored_groups:
        return f"n{stored_index}"
    if vector.kind is VectorKind.PERSONS:
        return f"max(n{stored_index})"
    total = f"sum(n{stored_index})"
    return total if vector.is_sum else f"CAST(least({total}, {MAX_UNSQUARED_GRAINS}) AS BIGINT)"
