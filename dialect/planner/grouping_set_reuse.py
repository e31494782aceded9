"""Roll-up rewriting: which grouping sets are released, and which are summed from the groups of finer ones.

Proof: `proofs.md#roll-ups`. A coarse set may be summed from a finer one if the additional keys partition each coarse
group completely: every row lies in one of the finer groups, and their number is known.

    GROUP BY GROUPING SETS ((city, gender), (city))   ->   release (city, gender); sum it by city
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, expand, fields_of
from dialect.algebra.formulas import CountOf, Output, SumOf
from dialect.algebra.relations import Boundary, Group, Measure, PerPerson, Released
from dialect.algebra.release_plan import SHOWN_SUMS, PrivatePlan
from dialect.analysis import predicates as known_facts
from dialect.analysis.time_granularity import step_of
from dialect.catalog.model import SqlType
from dialect.functions.emitter import plain_text
from dialect.functions.inference import nullable
from dialect.notes import Note, NoteCode
from dialect.parser.context import Reading
from dialect.planner.keys.dependent_keys import over_lists, tellers
from dialect.planner.keys.key_set import lists_of
from dialect.planner.keys.public_domains import PublicList
from dialect.planner.noise_tracking import with_sums
from dialect.planner.quantiles import is_quantile
from dialect.planner.releases import Planning, Set, one_release, released
from dialect.sensitivity.bounding import bound

_COMPARISONS = {"<", "<=", ">", ">="}
Lists = Mapping[Expr, PublicList]


def parts(kept: Iterable[Field], more: Iterable[Field], source: PerPerson, reading: Reading) -> int | None:
    """Count the listed groups by `added_keys` within each group by `coarse_keys`; None if rows might be lost.

    Claim: keys(coarse + added) = keys(coarse) x keys(added), and every row has one of keys(added). Symbols: keys =
    key sets. Needs: the plan preserves no public rows. Source and proof: proofs.md#roll-ups. Raises: nothing.
    """
    first, exprs = [expand(Ref(key)) for key in kept], [expand(Ref(key)) for key in more]
    coarse, added = lists_of(first, source, reading), lists_of(exprs, source, reading)
    if coarse is None or added is None or set(coarse) & set(added):
        return None
    if any((place < len(first)) != (by < len(first)) for place, by in tellers([*first, *exprs], source.facts).items()):
        return None  # a key on one side determines one on the other
    closed = all(each.source.closed for each in added.values())
    far = any(nullable(expr) and not nullable(expr, far=False) for expr in exprs)
    if not closed or far or not _whole(coarse, added, source.facts):
        return None
    sizes = [each.size for each in added.values()]
    size = prod(each or 0 for each in sizes)
    return size or None


def _whole(coarse: Lists, added: Lists, facts: Sequence[Expr]) -> bool:
    """Return whether the added lists are complete: predicates on their values only define them, and remove none."""
    said = [*over_lists(facts, [*coarse.values(), *added.values()])]
    for expr, each in added.items():
        own = {f for _, new in each.stands_for for f in fields_of(new)}
        about = [fact for fact, written in said if own.intersection(fields_of(written))]
        if not (_makes_steps(about, expr, facts) or _makes(about, expr, each)):
            return False
    return True


def _makes_steps(about: Sequence[Expr], expr: Expr, facts: Sequence[Expr]) -> bool:
    """Return whether a key is a truncated time, and all predicates on it are the bounds its list was made from."""
    if not isinstance(expr, Call) or step_of(expr, expr.arguments[-1]) is None:
        return False
    return all(known_facts.is_end(fact, expr.arguments[-1], facts) for fact in about)


def _makes(about: Sequence[Expr], expr: Expr, made: PublicList) -> bool:
    """Return whether a list was made from all predicates on its key: one list of constants, or range bounds alone."""
    constants = known_facts.listed(expr, about)
    if constants is not None:
        return len(about) == 1 and len(constants) == made.size
    if not about:
        return True
    ends = known_facts.between(expr, about) if expr.type in (SqlType.BIGINT, SqlType.DATE) else None
    return ends is not None and all(_is_end(fact, expr) for fact in about)


def _is_end(fact: Expr, expr: Expr) -> bool:
    if not isinstance(fact, Call) or fact.name not in _COMPARISONS or expr not in fact.arguments:
        return False
    return any(isinstance(part, Literal) and part.type is expr.type for part in fact.arguments)


MOST_SETS = 16  # most grouping sets to search
_CLEARLY = 1e-9  # tolerance for equal logarithms

Errors = Mapping[Set, Mapping[Set, float]]  # released set -> set -> log variance of a cell, at equal budget


@dataclass(frozen=True)
class _Draft:
    """A tentative plan of one grouping set, for comparing errors."""

    plan: PrivatePlan
    reading: Reading


def finer_of(boundary: Boundary, planning: Planning) -> tuple[Field, ...] | None:
    """Return the grouping set whose groups are summed for this release point; None if it is released itself."""
    if boundary.among is None:
        return None
    if boundary.among not in planning.added_up:
        planning.added_up[boundary.among] = _chosen(boundary, planning.reading)
    finer = planning.added_up[boundary.among].get(frozenset(boundary.keys))
    return next((keys for keys in boundary.among.sets if frozenset(keys) == finer), None)


def added_up(boundary: Boundary, finer: tuple[Field, ...], planning: Planning) -> Released:
    """Compute a grouping set by summing the released numbers of a finer one.

    Claim: each shown number is the sum of released numbers, exact where they are. Symbols: none. Needs: `finer_set`.
    Source and proof: proofs.md#roll-ups. Raises: Refusal if the finer groups cannot be released.
    """
    cells = tuple(replace(m, field=replace(m.field, id=planning.reading.fresh())) for m in boundary.measures)
    below = released(replace(boundary, keys=finer, measures=cells, among=None), planning)
    wanted = {key.id for key in boundary.keys}
    keys = tuple(f for f in below.fields if f.id in wanted)
    sums = tuple(
        Measure("sum", (Ref(cell.field),), None, m.field) for cell, m in zip(cells, boundary.measures, strict=True)
    )
    group = with_sums(Group(below, keys, sums), planning)
    note = _note(boundary.keys, finer)
    planning.notes += [note] if note not in planning.notes else []
    return Released(group, keys + tuple(m.field for m in group.measures))


def _note(keys: tuple[Field, ...], finer: tuple[Field, ...]) -> Note:
    groups = f"Groups by {_names(keys)}" if keys else "Totals"
    return Note(NoteCode.ROLLED_UP, f"{groups} are sums of the released groups by {_names(finer)}: no further release.")


def _names(keys: tuple[Field, ...]) -> str:
    return ", ".join(plain_text(expand(Ref(key))) for key in keys)


def _chosen(boundary: Boundary, reading: Reading) -> Mapping[Set, Set]:
    """Choose which grouping sets to roll up, and from which finer set each."""
    assert boundary.among is not None  # noqa: S101  the caller checks
    sets = {frozenset(keys): keys for keys in boundary.among.sets}
    if not 1 < len(sets) <= MOST_SETS or not boundary.measures or not all(map(_may_add_up, boundary.measures)):
        return {}
    first = next(reading.ids)
    drafts: dict[Set, _Draft] = {}
    for each, keys in sets.items():
        apart = replace(reading, ids=count(first))  # drafts must not consume field ids of the query
        made, outputs = one_release(replace(boundary, keys=keys), apart)
        if not _adds_up(made, outputs):
            return {}
        drafts[each] = _Draft(made, apart)
    return _least(_errors(drafts))


def _may_add_up(measure: Measure) -> bool:
    return not is_quantile(measure) and measure.bounds is None  # stated bounds apply per group, so groups do not add up


def _adds_up(plan: PrivatePlan, outputs: Sequence[Output]) -> bool:
    """Return whether each person's numbers, and so the totals, are additive over the parts of a group."""
    if plan.key_set is None or plan.source.kept is not None or plan.limits.max_groups is not None:
        return False
    return all(
        isinstance(each.formula, CountOf | SumOf) and plan.vectors[each.formula.vector].kind in SHOWN_SUMS
        for each in outputs
    )


def _errors(drafts: Mapping[Set, _Draft]) -> Errors:
    """Compute the log variance of a cell of each set, released itself or summed from each finer set."""
    errors: dict[Set, dict[Set, float]] = {}
    for fine, draft in drafts.items():
        own = _log_norms(draft)
        errors[fine] = {fine: own}
        for coarse in (each for each in drafts if each < fine):
            cells = parts(_sorted(coarse), _sorted(fine - coarse), draft.plan.source, draft.reading)
            if cells is not None:
                errors[fine][coarse] = own + math.log(cells)
    return errors


def _sorted(keys: Set) -> list[Field]:
    return sorted(keys, key=lambda key: key.id)


def _log_norms(draft: _Draft) -> float:
    """Return the mean log of squared sensitivity over the vectors of a plan, which share its budget equally."""
    bounds = bound(draft.plan, draft.reading.catalog, None).vectors
    return math.fsum(2 * math.log(each.sensitivity * each.grain) for each in bounds) / len(bounds)


def _least(errors: Errors) -> Mapping[Set, Set]:
    """Greedily stop releasing sets: each time the one whose roll-up lowers the mean log error most."""
    kept = tuple(errors)
    while True:
        fewer = [tuple(each for each in kept if each != left) for left in kept]
        best = min(fewer, key=lambda some: _total(some, errors), default=kept)
        if not _total(best, errors) < _total(kept, errors) - _CLEARLY:
            break
        kept = best
    return {each: _nearest(each, kept, errors) for each in errors if each not in kept}


def _total(kept: tuple[Set, ...], errors: Errors) -> float:
    """Sum the log variances of all sets, where the `released_sets` share the budget."""
    if not all(any(each in errors[fine] for fine in kept) for each in errors):
        return math.inf
    made = (errors[_nearest(each, kept, errors)][each] for each in errors)
    return math.fsum(made) + len(errors) * math.log(len(kept))


def _nearest(each: Set, kept: tuple[Set, ...], errors: Errors) -> Set:
    """Return the released set with the least noisy numbers for a set: the set itself, if it is released."""
    return each if each in kept else min((f for f in kept if each in errors[f]), key=lambda fine: errors[fine][each])
