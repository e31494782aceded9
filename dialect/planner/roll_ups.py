"""Sets of keys -> which are released, and which are added up from the groups of finer ones (`proofs.md#roll-ups`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from dialect.algebra.expressions import Field, Ref, expand
from dialect.algebra.formulas import CountOf, Output, SumOf
from dialect.algebra.private_plan import SHOWN_SUMS, PrivatePlan
from dialect.algebra.relations import Boundary, Group, Measure, Released
from dialect.functions.plain_text import plain_text
from dialect.parser.context import Reading
from dialect.planner.boundaries import Planning, Set, released
from dialect.planner.complete_keys import parts
from dialect.planner.histograms import is_quantile
from dialect.planner.one_release import one_release
from dialect.planner.released_sums import with_sums
from dialect.sensitivity.bound import bound

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
