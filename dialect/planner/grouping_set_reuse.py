"""Roll-up rewriting: which grouping sets are released, and which are summed from the groups of finer ones.

Proof: `proofs.md#roll-ups`. A set may be summed where the added keys part each of its groups completely: every row
surely lies in one of the finer groups, and their number is known.
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
    """Say into how many listed groups `more` keys part each group by the `kept` ones; None where rows might be lost.

    Claim: keys(kept + more) = keys(kept) x keys(more), and every row has one of keys(more). Symbols: keys = key sets.
    Needs: no row is kept of a public table. Source and proof: proofs.md#roll-ups. Raises: nothing.
    """
    first, exprs = [expand(Ref(key)) for key in kept], [expand(Ref(key)) for key in more]
    coarse, added = lists_of(first, source, reading), lists_of(exprs, source, reading)
    if coarse is None or added is None or set(coarse) & set(added):
        return None
    if any((place < len(first)) != (by < len(first)) for place, by in tellers([*first, *exprs], source.facts).items()):
        return None  # a key on one side chooses among those of the other
    closed = all(each.source.closed for each in added.values())
    far = any(nullable(expr) and not nullable(expr, far=False) for expr in exprs)
    if not closed or far or not _whole(coarse, added, source.facts):
        return None
    sizes = [each.size for each in added.values()]
    size = prod(each or 0 for each in sizes)
    return size or None


def _whole(coarse: Lists, added: Lists, facts: Sequence[Expr]) -> bool:
    """Tell whether no fact takes values out of the added lists: each says what its list was made from, and no more."""
    said = [*over_lists(facts, [*coarse.values(), *added.values()])]
    for expr, each in added.items():
        own = {f for _, new in each.stands_for for f in fields_of(new)}
        about = [fact for fact, written in said if own.intersection(fields_of(written))]
        if not (_makes_steps(about, expr, facts) or _makes(about, expr, each)):
            return False
    return True


def _makes_steps(about: Sequence[Expr], expr: Expr, facts: Sequence[Expr]) -> bool:
    """Tell whether all that is known of a time sets ends to it, between which its steps were listed."""
    if not isinstance(expr, Call) or step_of(expr, expr.arguments[-1]) is None:
        return False
    return all(known_facts.is_end(fact, expr.arguments[-1], facts) for fact in about)


def _makes(about: Sequence[Expr], expr: Expr, made: PublicList) -> bool:
    """Tell whether a list was made from all that is known of an expression: one list of constants, or ends alone."""
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


MOST_SETS = 16  # of which roll-ups are looked for
_CLEARLY = 1e-9  # logarithms that differ by less are equal

Errors = Mapping[Set, Mapping[Set, float]]  # released set -> set -> log of a cell's variance, at the same price


@dataclass(frozen=True)
class _Draft:
    """The release that a set would be."""

    plan: PrivatePlan
    reading: Reading


def finer_of(boundary: Boundary, planning: Planning) -> tuple[Field, ...] | None:
    """Find the keys of the set that a boundary's groups are added up from; None if they are a release of their own."""
    if boundary.among is None:
        return None
    if boundary.among not in planning.added_up:
        planning.added_up[boundary.among] = _chosen(boundary, planning.reading)
    finer = planning.added_up[boundary.among].get(frozenset(boundary.keys))
    return next((keys for keys in boundary.among.sets if frozenset(keys) == finer), None)


def added_up(boundary: Boundary, finer: tuple[Field, ...], planning: Planning) -> Released:
    """Add the numbers of finer groups up.

    Claim: what is shown is the sum of released numbers, exact where they are. Symbols: none. Needs: `finer_of`.
    Source and proof: proofs.md#roll-ups. Raises: Refusal where the finer groups can't be released.
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


def _note(keys: tuple[Field, ...], finer: tuple[Field, ...]) -> str:
    groups = f"Groups by {_names(keys)}" if keys else "Totals"
    return f"{groups} are added up from those by {_names(finer)}, and are no release of their own."


def _names(keys: tuple[Field, ...]) -> str:
    return ", ".join(plain_text(expand(Ref(key))) for key in keys)


def _chosen(boundary: Boundary, reading: Reading) -> Mapping[Set, Set]:
    """Choose for each set whether it is released, and what it is added up from if not."""
    assert boundary.among is not None  # noqa: S101  the caller asks
    sets = {frozenset(keys): keys for keys in boundary.among.sets}
    if not 1 < len(sets) <= MOST_SETS or not boundary.measures or not all(map(_may_add_up, boundary.measures)):
        return {}
    first = next(reading.ids)
    drafts: dict[Set, _Draft] = {}
    for each, keys in sets.items():
        apart = replace(reading, ids=count(first))  # what is only compared takes no names from the question
        made, outputs = one_release(replace(boundary, keys=keys), apart)
        if not _adds_up(made, outputs):
            return {}
        drafts[each] = _Draft(made, apart)
    return _least(_errors(drafts))


def _may_add_up(measure: Measure) -> bool:
    return not is_quantile(measure) and measure.bounds is None  # named bounds are of each group's own number


def _adds_up(plan: PrivatePlan, outputs: Sequence[Output]) -> bool:
    """Tell whether numbers of parts of a group add up to those of the group, for each person and so for all."""
    if plan.key_set is None or plan.source.kept is not None or plan.limits.max_groups is not None:
        return False
    return all(
        isinstance(each.formula, CountOf | SumOf) and plan.vectors[each.formula.vector].kind in SHOWN_SUMS
        for each in outputs
    )


def _errors(drafts: Mapping[Set, _Draft]) -> Errors:
    """Say how large the variance of a set's cell is if the set is released, or added up from one that is."""
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
    """Give the mean logarithm of C squared over the vectors of a plan: each has the same share of the price."""
    bounds = bound(draft.plan, draft.reading.catalog, None).vectors
    return math.fsum(2 * math.log(each.sensitivity * each.grain) for each in bounds) / len(bounds)


def _least(errors: Errors) -> Mapping[Set, Set]:
    """Stop releasing sets one by one, each time the one whose roll-up makes the mean logarithm of errors least."""
    kept = tuple(errors)
    while True:
        fewer = [tuple(each for each in kept if each != left) for left in kept]
        best = min(fewer, key=lambda some: _total(some, errors), default=kept)
        if not _total(best, errors) < _total(kept, errors) - _CLEARLY:
            break
        kept = best
    return {each: _nearest(each, kept, errors) for each in errors if each not in kept}


def _total(kept: tuple[Set, ...], errors: Errors) -> float:
    """Add the logarithms of all sets' variances up where some are released, and share the price."""
    if not all(any(each in errors[fine] for fine in kept) for each in errors):
        return math.inf
    made = (errors[_nearest(each, kept, errors)][each] for each in errors)
    return math.fsum(made) + len(errors) * math.log(len(kept))


def _nearest(each: Set, kept: tuple[Set, ...], errors: Errors) -> Set:
    """Find the released set whose groups say least noisily what a set's are: itself, if it is released."""
    return each if each in kept else min((f for f in kept if each in errors[f]), key=lambda fine: errors[fine][each])
