"""View matching: how the groups of one release are computed from the groups of another.

Proof: `dialect/analysis/proofs.md#derivation`. Decided from text, catalog and public lists; no released number is read.

    stored:  SELECT hour, gender, COUNT(*) ... GROUP BY hour, gender
    wanted:  SELECT hour, COUNT(*) ... WHERE gender = 'F' GROUP BY hour   ->   filter the stored groups, sum by hour

Terms: wanted is the release that a query needs, stored a release of the client that exists already. A cell is a group
of the stored release; fields k0, k1, ... have the values of its keys. A list of key values is open if rows may have
other values, which are then in no group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import (
    Expr,
    Field,
    Literal,
    Ref,
    conjunction,
    expand_definitions,
    fields_of,
    map_fields,
)
from dialect.algebra.release_plan import GROUP_ADDITIVE_KINDS, PrivatePlan, VectorKind
from dialect.analysis.canonical_form import CanonicalForm
from dialect.analysis.predicates import between, is_implied, listed_values
from dialect.analysis.time_granularity import UnderivableError, rewrite_over_keys
from dialect.catalog.model import Catalog
from dialect.functions.registry import is_local_time, is_null_beyond_calendar, may_be_null
from dialect.parser.compile_context import CompileContext
from dialect.planner.keys.key_set import public_lists
from dialect.planner.keys.public_domains import PublicList

# PERSONS is not additive, but a single group can be reused
_REUSABLE_KINDS = *GROUP_ADDITIVE_KINDS, VectorKind.PERSONS


@dataclass(frozen=True)
class Derivation:
    """Recipe for wanted groups: each is the sum of the stored groups with its keys that satisfy the condition."""

    keys: tuple[Expr, ...]  # in the order of the wanted keys, over the stored ones: fields k0, k1, ...
    condition: Expr  # over the stored keys
    vectors: tuple[int, ...]  # index of the stored vector, per wanted vector
    # (stored key with an open list, number of wanted values that must be listed)
    required_values: tuple[tuple[int, int], ...]
    is_complete: bool  # a wanted group without stored groups is certainly empty
    needs_single_groups: bool  # not additive: each wanted group must be a single stored group


@dataclass(frozen=True)
class CanonicalPlan:
    """A plan in canonical form: comparable with other plans, its fields renamed to canonical names.

    `structure` is the canonical text of its rows without conditions; `conditions` are by canonical text; `keys` are in
    the order of the plan's keys.
    """

    plan: PrivatePlan
    structure: str
    conditions: Mapping[str, Expr]
    keys: tuple[Expr, ...]
    canonical_names: Mapping[str, str]

    def rename(self, expr: Expr) -> Expr:
        """Replace each field of an expression by its canonical field, to compare plans by text."""
        return _rename_fields(expand_definitions(expr), self.canonical_names)


def canonical_plan(plan: PrivatePlan) -> CanonicalPlan:
    """Return the canonical form of a plan."""
    canonical = CanonicalForm()
    structure, texts = canonical.structure_and_conjuncts(plan.source)
    conditions = {
        text: _rename_fields(expand_definitions(canonical.conjuncts[text]), canonical.names) for text in texts
    }
    keys = tuple(_rename_fields(key, canonical.names) for key in plan.key_exprs)
    return CanonicalPlan(plan, structure, conditions, keys, canonical.names)


def find_derivation(wanted: CanonicalPlan, stored: CanonicalPlan, catalog: Catalog) -> Derivation | None:
    """Find how the groups of a wanted release are computed from a stored one; None if they are not derivable.

    Every window charged to the wanted release must be charged to the stored one, which otherwise has no rows of it. It
    is not derivable if the stored release may lack wanted rows, or its keys do not determine a wanted key or condition.

    Claim: for every data set, a wanted exact number before bounding is the sum of the stored ones of its groups, if
    each wanted group has at least one and each open list has all required values. Symbols: `wanted`, `stored`. Raises:
    nothing. Proof: dialect/analysis/proofs.md#derivation
    """
    vectors = match_vectors(wanted, stored)
    if vectors is None or not set(wanted.plan.charged_windows.windows) <= set(stored.plan.charged_windows.windows):
        return None
    conditions = tuple(wanted.conditions.values())
    if not all(
        is_implied(each, conditions) for text, each in stored.conditions.items() if text not in wanted.conditions
    ):
        return None  # the stored release may lack wanted rows
    completeness = _required_open_lists(wanted, stored, catalog)
    if completeness is None:
        return None
    pairs = zip(stored.keys, stored.plan.keys, strict=True)
    cells = {expr: Field(f"k{i}", None, expr.type, may_be_null(Ref(key.field))) for i, (expr, key) in enumerate(pairs)}
    try:
        keys = tuple(rewrite_over_keys(key, cells) for key in wanted.keys)
        extra_conditions = [each for text, each in wanted.conditions.items() if text not in stored.conditions]
        condition = conjunction(tuple(rewrite_over_keys(each, cells) for each in extra_conditions))
    except UnderivableError:
        return None
    needs_single_groups = any(vector.kind not in GROUP_ADDITIVE_KINDS for vector in wanted.plan.vectors)
    return Derivation(keys, condition, vectors, completeness[0], completeness[1], needs_single_groups)


def match_vectors(wanted: CanonicalPlan, stored: CanonicalPlan) -> tuple[int, ...] | None:
    """Find the wanted vectors in a stored release over the same tables, ignoring conditions; None if one is missing."""
    is_comparable = wanted.structure == stored.structure and _is_comparable(wanted.plan, stored.plan)
    return _match_vectors(wanted.plan, stored.plan) if is_comparable else None


def _is_comparable(wanted: PrivatePlan, stored: PrivatePlan) -> bool:
    """Return whether both plans have public keys, the same limits, and comparable charged privacy windows.

    A limit on groups truncates the groups of each person, so that numbers of two groupings are not comparable. Releases
    that cross windows bound people over all of them, so both must have the same windows.
    """
    both_public = all(each.key_set is not None and each.source.preserved_side is None for each in (wanted, stored))
    same_limits = all(each.limits.max_groups is None for each in (wanted, stored)) and wanted.limits == stored.limits
    crossing = wanted.charged_windows.is_crossing or stored.charged_windows.is_crossing
    mine, theirs = set(wanted.charged_windows.windows), set(stored.charged_windows.windows)
    return wanted.dataset == stored.dataset and both_public and same_limits and (mine == theirs or not crossing)


def _rename_fields(expr: Expr, names: Mapping[str, str]) -> Expr:
    """Replace the ids of the fields in an expression by their canonical names, so that two plans are comparable."""
    return map_fields(expr, lambda read: Ref(replace(read, id=names.get(read.id, read.id))))


def _match_vectors(wanted: PrivatePlan, stored: PrivatePlan) -> tuple[int, ...] | None:
    """Match each wanted vector with a stored one of the same value, condition, bounds and scale group.

    Returns the index of the stored vector, per wanted vector; None if one is missing. Vectors of one wanted mean must
    also share a scale group in the stored release.
    """
    if any(vector.kind not in _REUSABLE_KINDS or vector.partial_bounds is not None for vector in wanted.vectors):
        return None
    if not set(wanted.vector_texts) <= set(stored.vector_texts):
        return None
    indices = tuple(stored.vector_texts.index(text) for text in wanted.vector_texts)
    factors = {
        (v.scale_group, stored.vectors[place].scale_group) for v, place in zip(wanted.vectors, indices, strict=True)
    }
    return indices if len(factors) == len({mine for mine, _ in factors}) else None  # one factor per mean


def _required_open_lists(
    wanted: CanonicalPlan, stored: CanonicalPlan, catalog: Catalog
) -> tuple[tuple[tuple[int, int], ...], bool] | None:
    """Check that every wanted row lies in a listed stored group; None if not certain.

    Returns the stored keys whose list is open, each as (index of the key, number of listed values that must be
    present); and whether a wanted group without stored groups is certainly empty. It is not if both plans have the same
    open list, whose unlisted rows neither counts.
    """
    conditions = tuple(wanted.conditions.values())
    stored_lists, wanted_lists = (_public_lists(each.plan, catalog) for each in (stored, wanted))
    if stored_lists is None or wanted_lists is None:
        return None
    dropped = _unlisted_rows_dropped(wanted, wanted_lists.values())
    required_values: list[tuple[int, int]] = []
    is_complete = True
    for each in (stored.rename(each) for found in stored_lists.values() for each in _open_expressions(found)):
        constants = listed_values(each, conditions)
        if each in dropped:
            is_complete = False
            continue
        if constants is None or each not in stored.keys:
            return None
        required_values.append((stored.keys.index(each), len(constants)))
    may_be_null = any(_may_be_out_of_range_null(key, conditions) and key not in wanted.keys for key in stored.keys)
    return None if may_be_null else (tuple(required_values), is_complete)


def _unlisted_rows_dropped(wanted: CanonicalPlan, lists: Iterable[PublicList]) -> set[Expr]:
    """Return the wanted keys with an open list: rows with other values are in no wanted group either.

    Subexpressions of keys are excluded: a key may be listed although its subexpression is not.
    """
    return {own for found in lists for each in _open_expressions(found) if (own := wanted.rename(each)) in wanted.keys}


def _public_lists(plan: PrivatePlan, catalog: Catalog) -> Mapping[Expr, PublicList] | None:
    """Return the public lists of a plan's keys, by the subexpression that each enumerates; None if one is private."""
    return public_lists(plan.key_exprs, plan.source, CompileContext(catalog, ""))


def _open_expressions(public_list: PublicList) -> Iterator[Expr]:
    """Yield the expressions that a list enumerates, if rows may have other values."""
    if not public_list.source.is_exhaustive:
        yield from (old for old, _ in public_list.replacements)


def _may_be_out_of_range_null(key: Expr, conditions: tuple[Expr, ...]) -> bool:
    """Return whether a time beyond the calendar's range may make a key NULL, which no list contains."""
    return may_be_null(key) and not may_be_null(key, include_far=False) and _may_exceed_calendar(key, conditions)


def non_null_keys(cells: Mapping[Expr, Field], conditions: tuple[Expr, ...]) -> Mapping[Expr, Field]:
    """Return the stored keys, with their fields, that are non-NULL wherever their time is, given the conditions."""
    return {
        key: field
        for key, field in cells.items()
        if not (is_null_beyond_calendar(key) and _may_exceed_calendar(key, conditions))
    }


def _may_exceed_calendar(key: Expr, conditions: tuple[Expr, ...]) -> bool:
    """Return whether a key may read a time beyond the calendar's range: one that conditions do not bound."""
    bounded_times = {f for part in _compared_times(conditions) if between(part, conditions) for f in fields_of(part)}
    return not set(fields_of(key)) <= bounded_times


def _compared_times(conditions: tuple[Expr, ...]) -> Iterator[Expr]:
    """Yield the times that conditions compare: a column, or a column in its time zone."""
    for part in (part for fact in conditions for part in fact.children if not isinstance(part, Literal)):
        if isinstance(part, Ref) or is_local_time(part):
            yield part
