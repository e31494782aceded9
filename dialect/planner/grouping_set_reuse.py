"""Roll-up rewriting: which grouping sets are released, and which are summed from the groups of finer ones.

Proof: `proofs.md#roll-ups`. A coarse set may be summed from a finer one if the additional keys partition each coarse
group completely: every row lies in one of the finer groups, and their number is known.

    GROUP BY GROUPING SETS ((city, gender), (city))   ->   release (city, gender); sum it by city

Terms: the boundary is the release point, the operator at which private rows become released numbers. A fact is a
predicate that is true of every row. A cell is one group of a finer set. A list is closed (exhaustive) if no row can
have a value outside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.formulas import CountOf, ReleasedNumber, SumOf
from dialect.algebra.relations import AggregateCall, Group, GroupingSets, PerPerson, Released, ReleasePoint
from dialect.algebra.release_plan import SHOWN_ADDITIVE_KINDS, PrivatePlan
from dialect.analysis import predicates
from dialect.analysis.time_granularity import truncation_unit
from dialect.catalog.model import SqlType
from dialect.functions.emitter import plain_text
from dialect.functions.registry import may_be_null
from dialect.notes import Note, NoteCode
from dialect.parser.compile_context import CompileContext
from dialect.planner.keys.key_set import as_dates, determining_keys, public_lists, rewrite_facts_over_lists
from dialect.planner.keys.public_domains import PublicList
from dialect.planner.noise_fields import track_aggregate_noise
from dialect.planner.query_vectors import is_histogram_aggregate
from dialect.planner.releases import GroupingSet, Planning, plan_release, plan_release_point
from dialect.sensitivity.bounding import bound_contributions

_COMPARISONS = {"<", "<=", ">", ">="}
Lists = Mapping[Expr, PublicList]


def count_finer_groups(
    coarse_keys: Iterable[Field], added_keys: Iterable[Field], source: PerPerson, context: CompileContext
) -> int | None:
    """Count the listed groups by `added_keys` within each group by `coarse_keys`; None if rows might be lost.

    Claim: keys(coarse + added) = keys(coarse) x keys(added), and every row has one of keys(added). Symbols: keys =
    key sets. Needs: the plan preserves no public rows. Source and proof: proofs.md#roll-ups. Raises: nothing.
    """
    coarse_exprs = [key.expression for key in coarse_keys]
    added_exprs = [key.expression for key in added_keys]
    coarse, added = public_lists(coarse_exprs, source, context), public_lists(added_exprs, source, context)
    if coarse is None or added is None or set(coarse) & set(added):
        return None
    if any(
        # positions in both lists of keys, the coarse ones first
        (place < len(coarse_exprs)) != (determinant < len(coarse_exprs))
        for place, determinant in determining_keys(as_dates([*coarse_exprs, *added_exprs], source.predicates)).items()
    ):
        return None  # a key on one side determines one on the other
    closed = all(each.source.is_exhaustive for each in added.values())
    # times beyond the calendar truncate to NULL, which no list contains
    may_be_out_of_range = any(may_be_null(expr) and not may_be_null(expr, include_far=False) for expr in added_exprs)
    if not closed or may_be_out_of_range or not _is_complete(coarse, added, source.predicates):
        return None
    sizes = [each.size for each in added.values()]
    size = prod(each or 0 for each in sizes)
    return size or None


def _is_complete(coarse: Lists, added: Lists, facts: Sequence[Expr]) -> bool:
    """Return whether the added lists are complete: facts on their values only define them, and remove none.

    `coarse` and `added` map key expressions to their public lists. A fact that removes listed values would make the
    number of finer groups in a coarse one unknown.
    """
    derivable = [*rewrite_facts_over_lists(facts, [*coarse.values(), *added.values()])]
    for expr, each in added.items():
        list_fields = {f for _, new in each.replacements for f in fields_of(new)}
        on_list = [fact for fact, written in derivable if list_fields.intersection(fields_of(written))]
        if not (_is_truncation_of_bounds(on_list, expr, facts) or _is_list_of_facts(on_list, expr, each)):
            return False
    return True


def _is_truncation_of_bounds(facts_on_key: Sequence[Expr], expr: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether a key is a truncated time, and all facts on it are the bounds its list was made from."""
    if not isinstance(expr, Call) or truncation_unit(expr, expr.arguments[-1]) is None:
        return False
    return all(predicates.is_time_bound(fact, expr.arguments[-1], facts) for fact in facts_on_key)


def _is_list_of_facts(facts_on_key: Sequence[Expr], expr: Expr, public_list: PublicList) -> bool:
    """Return whether a list was made from all facts on its key: one list of constants, or range bounds alone.

    Any further fact might remove listed values, and a shorter list of constants means that some were removed.
    """
    constants = predicates.listed_values(expr, facts_on_key)
    if constants is not None:
        return len(facts_on_key) == 1 and len(constants) == public_list.size
    if not facts_on_key:
        return True
    ends = predicates.between(expr, facts_on_key) if expr.type in (SqlType.BIGINT, SqlType.DATE) else None
    return ends is not None and all(_is_bound(fact, expr) for fact in facts_on_key)


def _is_bound(fact: Expr, expr: Expr) -> bool:
    """Return whether a fact only compares a key with a constant of its own type; equality would leave no range."""
    if not isinstance(fact, Call) or fact.name not in _COMPARISONS or expr not in fact.arguments:
        return False
    return any(isinstance(part, Literal) and part.type is expr.type for part in fact.arguments)


MAX_GROUPING_SETS = 16  # most grouping sets to search
_LOG_TOLERANCE = 1e-9  # tolerance for equal logarithms

# released set -> set -> log variance of a cell, at equal budget
LogVariances = Mapping[GroupingSet, Mapping[GroupingSet, float]]


@dataclass(frozen=True)
class _Draft:
    """A tentative plan of one grouping set, for comparing errors."""

    plan: PrivatePlan
    context: CompileContext


def finer_set(boundary: ReleasePoint, grouping_sets: GroupingSets, planning: Planning) -> tuple[Field, ...] | None:
    """Return the keys of the grouping set that is summed for one of several; None if it is released itself.

    The choice is made once for all grouping sets of a GROUP BY, and cached in `planning.roll_ups`.
    """
    if grouping_sets not in planning.roll_ups:
        planning.roll_ups[grouping_sets] = _choose_roll_ups(boundary, planning.context)
    finer = planning.roll_ups[grouping_sets].get(frozenset(boundary.keys))
    return next((keys for keys in grouping_sets.sets if frozenset(keys) == finer), None)


def sum_finer_groups(boundary: ReleasePoint, finer: tuple[Field, ...], planning: Planning) -> Released:
    """Compute a grouping set by summing the released numbers of a finer one, and note it.

    `finer` has the keys of that set; its release is planned, and shared with other sets that use it.

    Claim: each shown number is the sum of released numbers, exact where they are. Symbols: none. Needs: `finer_set`.
    Source and proof: proofs.md#roll-ups. Raises: Refusal if the finer groups cannot be released.
    """
    cells = tuple(replace(m, result=replace(m.result, id=planning.context.new_field_id())) for m in boundary.aggregates)
    below = plan_release_point(replace(boundary, keys=finer, aggregates=cells, grouping_sets=None), planning)
    wanted = {key.id for key in boundary.keys}
    keys = tuple(f for f in below.fields if f.id in wanted)
    sums = tuple(
        AggregateCall("sum", (Ref(cell.result),), None, m.result)
        for cell, m in zip(cells, boundary.aggregates, strict=True)
    )
    group = Group(below, keys, sums)
    note = _roll_up_note(boundary.keys, finer)
    planning.notes += [note] if note not in planning.notes else []
    return track_aggregate_noise(Released(group, keys + tuple(m.result for m in sums)), group, planning)


def _roll_up_note(keys: tuple[Field, ...], finer: tuple[Field, ...]) -> Note:
    """Build the note that some groups are sums of the released groups of a finer set."""
    groups = f"Groups by {_key_list(keys)}" if keys else "Totals"
    return Note(
        NoteCode.ROLLED_UP, f"{groups} are sums of the released groups by {_key_list(finer)}: no further release."
    )


def _key_list(keys: tuple[Field, ...]) -> str:
    """Return keys as SQL text, separated by commas."""
    return ", ".join(plain_text(key.expression) for key in keys)


def _choose_roll_ups(boundary: ReleasePoint, context: CompileContext) -> Mapping[GroupingSet, GroupingSet]:
    """Choose which grouping sets to roll up: maps each of these to the finer set that is summed.

    Empty if there are too few or too many sets, or if some aggregate or plan is not additive.
    """
    assert boundary.grouping_sets is not None  # noqa: S101  the caller checks
    sets = {frozenset(keys): keys for keys in boundary.grouping_sets.sets}
    if (
        not 1 < len(sets) <= MAX_GROUPING_SETS
        or not boundary.aggregates
        or not all(map(_is_summable, boundary.aggregates))
    ):
        return {}
    first = next(context.field_ids)
    drafts: dict[GroupingSet, _Draft] = {}
    for each, keys in sets.items():
        draft_context = replace(context, field_ids=count(first))  # drafts must not consume field ids of the query
        plan, outputs = plan_release(replace(boundary, keys=keys), draft_context)
        if not _is_additive(plan, outputs):
            return {}
        drafts[each] = _Draft(plan, draft_context)
    return _choose_released_sets(_log_variances(drafts))


def _is_summable(measure: AggregateCall) -> bool:
    """Return whether an aggregate of a coarse group can be the sum of those of finer groups.

    Quantiles are not additive, and bounds stated in the query limit a person's number in each group separately.
    """
    # stated bounds apply per group, so groups do not add up
    return not is_histogram_aggregate(measure) and measure.stated_bounds is None


def _is_additive(plan: PrivatePlan, outputs: Sequence[ReleasedNumber]) -> bool:
    """Return whether each person's numbers, and so the totals, are additive over the parts of a group.

    Needs a public key set without preserved rows, no limit on groups per person, and counts and sums alone.
    """
    if plan.key_set is None or plan.source.preserved_side is not None or plan.limits.max_groups is not None:
        return False
    return all(
        isinstance(each.formula, CountOf | SumOf) and plan.vectors[each.formula.vector].kind in SHOWN_ADDITIVE_KINDS
        for each in outputs
    )


def _log_variances(drafts: Mapping[GroupingSet, _Draft]) -> LogVariances:
    """Compute the log variance of a cell of each set, released itself or summed from each finer set.

    The sum of n independent cells has n times the variance of one. A set without an entry cannot be summed from that
    finer set.
    """
    log_variances: dict[GroupingSet, dict[GroupingSet, float]] = {}
    for fine, draft in drafts.items():
        own = _mean_log_sensitivity(draft)
        log_variances[fine] = {fine: own}
        for coarse in (each for each in drafts if each < fine):
            cells = count_finer_groups(_sorted(coarse), _sorted(fine - coarse), draft.plan.source, draft.context)
            if cells is not None:
                log_variances[fine][coarse] = own + math.log(cells)
    return log_variances


def _sorted(keys: GroupingSet) -> list[Field]:
    """Return keys in the order of their ids, as sets have none."""
    return sorted(keys, key=lambda key: key.id)


def _mean_log_sensitivity(draft: _Draft) -> float:
    """Return the mean log of squared sensitivity, in the vectors' units, over the vectors of a plan.

    The vectors share the budget equally, so the noise variance of each is proportional to its squared sensitivity.
    """
    bounds = bound_contributions(draft.plan, draft.context.catalog, None).vectors
    return math.fsum(2 * math.log(each.sensitivity * each.grain_size) for each in bounds) / len(bounds)


def _choose_released_sets(log_variances: LogVariances) -> Mapping[GroupingSet, GroupingSet]:
    """Greedily stop releasing sets: each time the one whose roll-up lowers the mean log error most.

    Each set that is not released leaves more budget for the others. Returns, per set that is no longer released, the
    set that it is summed from.
    """
    released_sets = tuple(log_variances)
    while True:
        # each candidate leaves out one set that is released so far
        candidates = [tuple(each for each in released_sets if each != left) for left in released_sets]
        best = min(candidates, key=lambda some: _total_log_variance(some, log_variances), default=released_sets)
        if (
            not _total_log_variance(best, log_variances)
            < _total_log_variance(released_sets, log_variances) - _LOG_TOLERANCE
        ):
            break
        released_sets = best
    return {each: _nearest(each, released_sets, log_variances) for each in log_variances if each not in released_sets}


def _total_log_variance(released_sets: tuple[GroupingSet, ...], log_variances: LogVariances) -> float:
    """Sum the log variances of all sets, released or summed, where `released_sets` share the budget equally.

    With k released sets each variance is k times as large as alone. Infinite if some set cannot be computed from them.
    """
    if not all(any(each in log_variances[fine] for fine in released_sets) for each in log_variances):
        return math.inf
    nearest = (log_variances[_nearest(each, released_sets, log_variances)][each] for each in log_variances)
    return math.fsum(nearest) + len(log_variances) * math.log(len(released_sets))


def _nearest(each: GroupingSet, released_sets: tuple[GroupingSet, ...], log_variances: LogVariances) -> GroupingSet:
    """Return the released set with the least noisy numbers for a set: the set itself, if it is released."""
    if each in released_sets:
        return each
    return min((f for f in released_sets if each in log_variances[f]), key=lambda fine: log_variances[fine][each])
