"""Which of the norms that are declared by keys are also true of a plan's own groups (`proofs.md#usual-keys`)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from dialect.algebra.private_plan import PrivatePlan
from dialect.catalog.catalog import NormsByKeys, Table
from dialect.sensitivity.few_values import few_values
from dialect.sensitivity.parted import is_of_one_day, own_keys, parted_by, told_by


def usual_norms(plan: PrivatePlan, table: Table) -> list[NormsByKeys]:
    """List the declared norms of rows and sums that are also of this plan: of all rows, and by keys that part its rows.

    Where at most k groups by such keys lie in one of the plan's, the norm is the root of k times as much.

    Claim: each of them is true of the plan's own groups if it is of those that it is declared for, where what a
    person adds to groups has one sign. Proof: proofs.md#usual-keys. Raises: nothing.
    """
    norms, parts = table.norms, parted_by(plan, table.name)
    assert norms is not None  # noqa: S101
    in_all = NormsByKeys((), norms.rows, norms.persons, covers=norms.covers)
    others = [(each, frozenset(each.keys) - parts) for each in norms.by_keys]
    values = few_values(plan, table.name, frozenset().union(*(keys for _, keys in others)))
    met = ((each, most_groups(values, keys)) for each, keys in others)
    return [in_all, *(_times(each, math.sqrt(groups)) for each, groups in met if groups is not None)]


def most_groups(values: Mapping[str, int], others: Collection[str]) -> int | None:
    """Bound how many groups by further keys lie in one of a plan, by the most values of each; None for any number."""
    return math.prod(values[text] for text in others) if values.keys() >= set(others) else None


def _times(usual: NormsByKeys, factor: float) -> NormsByKeys:
    if factor == 1:
        return usual
    rows, sums = usual.rows and usual.rows * factor, {name: norm * factor for name, norm in usual.sums.items()}
    return replace(usual, rows=rows, sums=sums)


def norm_of_rows(plan: PrivatePlan, table: Table) -> tuple[float, float]:
    """Find the smallest norm of rows, and the largest share of people of whom it is declared."""
    declared = ((each.rows, -each.covers) for each in usual_norms(plan, table) if each.rows is not None)
    rows, uncovered = min(declared)
    return rows, -uncovered


def norm_of_persons(plan: PrivatePlan, table: Table) -> NormsByKeys | None:
    """Pick the smallest of keys that tell the plan's own, which has no more groups then; else that of most of its keys.

    Conditions count for nothing here, at one place nobody is in more hours than in all; but for rows of one day what is
    declared of all is far too much, and that of most of its keys is nearer.
    """
    assert table.norms is not None  # noqa: S101
    own, declared, told = own_keys(plan), table.norms.by_keys, told_by(plan, table.name)
    telling = [each for each in declared if each.persons is not None and told(each.keys)]
    nearest = max((each for each in declared if own.issuperset(each.keys)), key=_keys, default=None)
    if not plan.keys or not telling or (nearest is not None and is_of_one_day(plan, table.name)):
        return nearest
    return min(telling, key=lambda each: each.persons or math.inf)


def _keys(usual: NormsByKeys) -> int:
    return len(usual.keys)
