"""Clip-error models of a plan's query vectors, from plan, catalog and calibration histograms.

Decided from public facts: the plan, the number of its keys, released histograms
(`engine/pricing/proofs.md#choose_bounds`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from dialect import Catalog, PrivatePlan, Question
from dialect.algebra import CountOf, SumOf, Vector, VectorKind
from dialect.analysis import every_row, multiplies, spreads
from dialect.sensitivity import counted_table, few_values, most_groups, multiple_of, own_keys, parted_by, told_by
from engine.pricing.norms.choose import NormFacts
from engine.pricing.norms.histograms import Calibration, Histogram, Kind, Measured
from engine.pricing.norms.means import UNKNOWN_LEAN, Deviations, MeanFacts, deviations, lean_of
from engine.pricing.norms.spread import Spread, norm_spread
from engine.pricing.norms.values import peoples_means

CELLS_OF_PRIVATE_KEYS = 50  # assumed rows in a group of private keys, if nothing was measured
LARGER = 2.5  # size of a usual released group, in thresholds


def shown_alone(question: Question) -> tuple[frozenset[int], ...]:
    """Query vectors of each plan that are columns of their own; others are only parts of averages and the like."""
    shown: list[set[int]] = [set() for _ in question.plans]
    for each in question.releases:
        for output in each.outputs:
            if isinstance(output.formula, CountOf | SumOf):
                shown[each.plan].add(output.formula.vector)
    return tuple(map(frozenset, shown))


def norm_facts(
    plan: PrivatePlan,
    catalog: Catalog,
    calibration: Calibration,
    key_count: int | None,
    alone: Collection[int] | None = None,
) -> tuple[NormFacts | None, ...]:
    """Clip-error model of each vector of a plan; None where the declared or requested clip bound is used.

    `shown_alone` = indexes of the vectors that are columns of their own; None: all of them.
    """
    table = counted_table(plan, catalog)
    if table is None or plan.limits.said or multiplies(plan.source) or spreads(plan.source):
        return (None,) * len(plan.vectors)
    known = _Known(plan, catalog, calibration, table.name, key_count)
    made = [known.facts(vector) for vector in plan.vectors]
    shown = range(len(plan.vectors)) if alone is None else alone
    for leader, others in _below_averages(plan).items():
        count = made[leader]
        if count is None or any(plan.vectors[i].part is not None for i in others):
            continue
        alone_too = bool({leader, *others}.intersection(shown))
        mean = known.mean(count, [plan.vectors[i] for i in others])
        count = replace(count, mean=mean, ratio=not alone_too, corrected=count.corrected and alone_too)
        made[leader] = count
        for i in others:
            made[i] = replace(count, follows=(leader, plan.vectors[i].magnitude))
    return tuple(made)


def over_threshold(
    facts: Sequence[NormFacts | None], plan: PrivatePlan, catalog: Catalog, calibration: Calibration, weight: float
) -> tuple[NormFacts | None, ...]:
    """Restrict the models to groups of private keys that pass a threshold, in persons of weight 1.

    A person in k groups weighs 1/sqrt(k) in each. The number of groups per person, and the contributions in them, come
    from the calibration.
    """
    table = counted_table(plan, catalog)
    groups = None if table is None else _Known(plan, catalog, calibration, table.name, None).persons()
    if groups is None:
        return tuple(facts)
    people = float(groups.people.sum())
    persons = LARGER * weight * math.sqrt(groups.total / people)
    return tuple(each and each.in_groups_of(persons * each.spread.total / groups.total) for each in facts)


def _below_averages(plan: PrivatePlan) -> Mapping[int, list[int]]:
    """Index of each count that shares a clip factor per person with sums, and the indexes of those sums."""
    groups: dict[int, list[int]] = {}
    for i, vector in enumerate(plan.vectors):
        groups.setdefault(vector.scale_group, []).append(i)
    found: dict[int, list[int]] = {}
    for members in groups.values():
        counts = [i for i in members if not plan.vectors[i].summed]
        if len(counts) == 1 and len(members) > 1:
            found[counts[0]] = [i for i in members if i != counts[0]]
    return found


class _Found(NamedTuple):
    """Contribution distribution that applies to one query vector, and what it was measured on."""

    spread: Spread
    measured: Measured
    itself: bool  # is it measured on exactly what is counted here: every row, by these keys?
    groups: int | None  # number of groups over which contributions are spread, before conditions

    def times(self, factor: float, *, itself: bool) -> _Found:
        """Return the same with every contribution multiplied by a factor."""
        return self._replace(spread=self.spread.times(factor), itself=self.itself and itself)


@dataclass(frozen=True)
class _Known:
    """Public knowledge about the people whom one plan counts: plan, catalog and calibration."""

    plan: PrivatePlan
    catalog: Catalog
    calibration: Calibration
    table: str
    key_count: int | None

    @cached_property
    def _parts(self) -> frozenset[str]:
        return parted_by(self.plan, self.table)

    def facts(self, vector: Vector) -> NormFacts | None:
        """Clip-error model of one query vector; None if no calibration applies."""
        found = None if vector.part is not None else self._spread(vector)
        if found is None:
            return None
        plan, persons = self.plan, vector.kind is VectorKind.PERSONS
        together = plan.touched.together
        spread = found.spread.times(math.sqrt(together) if persons else together, self._windows())
        groups = found.groups if found.groups is not None else max(1.0, spread.total / CELLS_OF_PRIVATE_KEYS)
        rows = not (persons or vector.summed)
        coarser = persons and not told_by(plan, self.table)(found.measured.keys)
        return NormFacts(
            spread, float(groups), _moved(plan, vector), rows, persons, found.itself, measured=found.measured,
            coarser=coarser,
        )  # fmt: skip

    def mean(self, count: NormFacts, sums: list[Vector]) -> MeanFacts:
        """Clip-error model of an average, from its count and the sums of the same clip factor."""
        moved_sum = max(_moved(self.plan, vector) for vector in sums)
        known = self._deviations(count, sums[0]) if len(sums) == 1 else None
        return MeanFacts(count.spread, count.groups, count.moved, moved_sum, max(map(self._lean, sums)), known)

    def persons(self) -> Spread | None:
        """Distribution of the number of groups per person; None if it was not measured."""
        found = self._found(None, Kind.PERSONS)
        return None if found is None else found.spread.times(1.0, self._windows())

    def _lean(self, vector: Vector) -> float:
        multiple = multiple_of(vector, self.catalog) if vector.factor is None else None
        if multiple is None:
            return UNKNOWN_LEAN
        leans = self.calibration.find(self.table, (), Kind.LEANS, multiple[0].name)
        found = lean_of(leans, self.calibration.find(self.table, (), Kind.ROWS))
        return found if leans is None else found * leans.measured.unit / vector.magnitude

    def _deviations(self, count: NormFacts, vector: Vector) -> Deviations | None:
        """Deviations of people's means from the public centre of a sum; None if they were not measured."""
        multiple = multiple_of(vector, self.catalog) if vector.factor is None else None
        if multiple is None or vector.magnitude == 0:
            return None
        column = multiple[0]
        means = peoples_means(self.calibration.find(self.table, (), Kind.MEANS, column.name), column)
        return None if means is None else deviations(means, vector.centre, vector.magnitude, count.spread)

    def _windows(self) -> float:
        """Count the privacy windows whose people add up; 1 if people are bounded over all windows together."""
        return 1.0 if self.plan.touched.crossing else float(len(self.plan.touched.windows))

    def _spread(self, vector: Vector) -> _Found | None:
        """Find the contribution distribution of a vector: measured itself, else rows times the largest magnitude."""
        if vector.kind is VectorKind.DISTINCT:
            return None
        if vector.kind is VectorKind.PERSONS:
            return self._found(vector, Kind.PERSONS)
        if not vector.summed:
            return self._found(vector, Kind.ROWS)
        multiple = multiple_of(vector, self.catalog) if vector.kind is VectorKind.SUM else None
        if multiple is not None:
            origin = None if vector.value is None else vector.value.origin
            itself = origin is not None and origin.column == multiple[0].name
            of_column = self._found(vector, Kind.SUMS, multiple[0].name)
            if of_column is not None:
                return of_column.times(multiple[1], itself=itself)
        rows = self._found(vector, Kind.ROWS)
        return None if rows is None else rows.times(max(vector.magnitude, 2.0**-20), itself=False)

    def _found(self, vector: Vector | None, kind: Kind, column: str | None = None) -> _Found | None:
        """Best measured distribution: by exactly the plan's keys, else by the keys with the smallest mean norm."""
        persons, texts = kind is Kind.PERSONS, {key.text for key in self.plan.keys}
        # for persons a condition is no key: nobody is in more hours at one place than overall
        parts = own_keys(self.plan) if persons else self._parts
        by_keys = self.calibration.find(self.table, parts, kind, column)
        if persons or (by_keys is not None and texts and texts <= set(by_keys.measured.keys)):
            return None if by_keys is None else self._of(by_keys, 1, vector)
        there = self.calibration.all_of(self.table, kind, column)
        others = [(each, frozenset(each.measured.keys) - self._parts) for each in there]
        values = few_values(self.plan, self.table, frozenset[str]().union(*(keys for _, keys in others)))
        bounded = [(each, most) for each, keys in others if (most := most_groups(values, keys)) is not None]
        finer = [set(each.measured.keys) for each, most in bounded if most == 1]  # finer partitions have smaller norms
        apart = (pair for pair in bounded if not any(set(pair[0].measured.keys) < keys for keys in finer))
        found = (self._of(each, most, vector) for each, most in apart)

        def fitting(each: _Found) -> tuple[float, int]:
            return each.spread.length, -len(texts.intersection(each.measured.keys))

        return min((each for each in found if each is not None), key=fitting, default=None)

    def _of(self, by_keys: Histogram, most: int, vector: Vector | None) -> _Found | None:
        """Distribution from one histogram, of which at most `max_groups` groups fall into one of the plan's.

        By Cauchy and Schwarz a person's norm in the coarser groups is at most sqrt(most) times the measured one.
        """
        measured, texts = by_keys.measured, {key.text for key in self.plan.keys}
        groups = None if self.key_count is None else max(self.key_count, by_keys.groups or 0)
        spread = norm_spread(by_keys, self._in_all(by_keys), groups)
        if spread is None:
            return None
        if groups is not None and by_keys.groups is not None and self.key_count is not None:
            beside = self.key_count if texts.isdisjoint(measured.keys) else 1
            groups = max(self.key_count, beside * by_keys.groups // most)
        same = set(measured.keys) == texts and self.key_count is not None
        itself = same and vector is not None and self._every(vector)
        return _Found(spread.longer(math.sqrt(most)), measured, itself, groups)

    def _every(self, vector: Vector) -> bool:
        valued = vector.kind in (VectorKind.PERSONS, VectorKind.VALID) and vector.value is not None
        apart = not self.plan.touched.crossing
        return apart and not valued and vector.condition is None and every_row(self.plan.source)

    def _in_all(self, by_keys: Histogram) -> Histogram | None:
        measured = by_keys.measured
        return self.calibration.find(measured.table, (), measured.kind, measured.column)


def _moved(plan: PrivatePlan, vector: Vector) -> float:
    if not plan.touched.crossing:
        return 1.0
    return 2.0 if vector.summed else math.sqrt(2)
