"""Clip-error models of a plan's query vectors, from plan, catalog and calibration histograms.

Decided from public facts: the plan, the number of its keys, released histograms
(`engine/pricing/proofs.md#tune_clip_bounds`).

Terms:
    calibration  released, hence public, noisy histograms of people by their contribution (rows, groups, sums)
    norm, total  L2 norm and sum of one person's contributions to the groups of a query
    windows      privacy windows (periods with a budget of their own); crossing: a person is bounded over all together
    centred sum  sum of values minus a public centre, below an average
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dialect import Catalog, PrivatePlan, Question
from dialect.algebra import CountOf, Properties, QueryVector, SumOf, VectorKind
from dialect.analysis import has_many_to_many_join, is_full_scan, may_match_several_public_rows
from dialect.sensitivity import (
    column_multiple,
    counted_table,
    grouping_attributes,
    key_determination_test,
    key_equivalents,
    max_groups_within,
    per_group_distinct_bounds,
)
from engine.pricing.clip_bounds.column_means import mean_distribution
from engine.pricing.clip_bounds.distribution import ContributionDistribution, contribution_distribution
from engine.pricing.clip_bounds.histograms import Calibration, ContributionHistogram, HistogramSubject, Quantity
from engine.pricing.clip_bounds.means import (
    ASSUMED_MEAN_SLOPE,
    MeanDeviations,
    MeanErrorModel,
    mean_deviations,
    measured_mean_slope,
)
from engine.pricing.clip_bounds.tuning import ClipErrorModel

ASSUMED_ROWS_PER_PRIVATE_GROUP = 50  # assumed rows in a group of private keys, if nothing was measured
USUAL_THRESHOLD_MULTIPLE = 2.5  # size of a usual released group, in thresholds


def vectors_shown_alone(question: Question) -> tuple[frozenset[int], ...]:
    """Query vectors of each plan that are columns of their own; others are only parts of averages and the like."""
    shown: list[set[int]] = [set() for _ in question.plans]
    for each in question.releases:
        for output in each.outputs:
            if isinstance(output.formula, CountOf | SumOf):
                shown[each.plan_index].add(output.formula.vector)
    return tuple(map(frozenset, shown))


def clip_error_models(
    plan: PrivatePlan,
    catalog: Catalog,
    calibration: Calibration,
    key_count: int | None,
    shown_alone: Collection[int] | None = None,
    properties: Properties | None = None,
) -> tuple[ClipErrorModel | None, ...]:
    """Clip-error model of each vector of a plan; None where the declared or requested clip bound is used.

    No calibration measured the contributions of a plan with limits of its own, of rows from several tables, or of joins
    that multiply rows. `shown_alone` = indexes of the vectors that are columns of their own; None: all of them.
    `properties` are those of the compilation, by default new ones.
    """
    table, known = counted_table(plan, catalog), properties or Properties()
    if (
        not calibration.histograms
        or table is None
        or plan.limits.is_stated
        or has_many_to_many_join(plan.source)
        or known.of(may_match_several_public_rows, plan.source)
    ):
        return (None,) * len(plan.vectors)
    public_facts = _PublicFacts(plan, catalog, calibration, table.name, key_count, known)
    models = [public_facts.clip_error_model(vector) for vector in plan.vectors]
    shown = range(len(plan.vectors)) if shown_alone is None else shown_alone
    for count_index, sum_indexes in _sums_by_count(plan).items():
        count = models[count_index]
        if count is None or any(plan.vectors[i].partial_bounds is not None for i in sum_indexes):
            continue
        is_shown_alone = bool({count_index, *sum_indexes}.intersection(shown))
        mean = public_facts.mean_error_model(count, [plan.vectors[i] for i in sum_indexes])
        count = replace(
            count, mean_model=mean, is_ratio_only=not is_shown_alone, is_corrected=count.is_corrected and is_shown_alone
        )
        models[count_index] = count
        for i in sum_indexes:
            models[i] = replace(count, follows_vector=(count_index, plan.vectors[i].magnitude))
    return tuple(models)


def restrict_to_released_groups(
    models: Sequence[ClipErrorModel | None],
    plan: PrivatePlan,
    catalog: Catalog,
    calibration: Calibration,
    threshold_weight: float,
    known: Properties,
) -> tuple[ClipErrorModel | None, ...]:
    """Restrict the models to groups of private keys that pass a threshold, in persons of weight 1.

    A person in k groups weighs 1/sqrt(k) in each. The number of groups per person, and the contributions in them, come
    from the calibration; where it did not measure them the models stay as they are.
    """
    table = counted_table(plan, catalog)
    groups = (
        None if table is None else _PublicFacts(plan, catalog, calibration, table.name, None, known).groups_per_person()
    )
    if groups is None:
        return tuple(models)
    people = float(groups.people.sum())
    group_persons = USUAL_THRESHOLD_MULTIPLE * threshold_weight * math.sqrt(groups.total / people)
    return tuple(
        model and model.with_group_size(group_persons * model.distribution.total / groups.total) for model in models
    )


def _sums_by_count(plan: PrivatePlan) -> Mapping[int, list[int]]:
    """Index of each count that shares a clip factor per person with sums, and the indexes of those sums.

    Vectors of one scale group have that factor in common. Only a group with exactly one count, and a sum, makes
    averages.
    """
    groups: dict[int, list[int]] = {}
    for i, vector in enumerate(plan.vectors):
        groups.setdefault(vector.scale_group, []).append(i)
    sums_by_count: dict[int, list[int]] = {}
    for members in groups.values():
        counts = [i for i in members if not plan.vectors[i].is_sum]
        if len(counts) == 1 and len(members) > 1:
            sums_by_count[counts[0]] = [i for i in members if i != counts[0]]
    return sums_by_count


class _MeasuredDistribution(NamedTuple):
    """Contribution distribution that applies to one query vector, and what it was measured on."""

    distribution: ContributionDistribution
    subject: HistogramSubject
    is_exact: bool  # is it measured on exactly what is counted here: every row, by these keys?
    groups: int | None  # number of groups over which contributions are spread, before conditions

    def scaled(self, factor: float, *, is_exact: bool) -> _MeasuredDistribution:
        """Return the same with every contribution multiplied by a factor."""
        return self._replace(distribution=self.distribution.scaled(factor), is_exact=self.is_exact and is_exact)


@dataclass(frozen=True)
class _PublicFacts:
    """Public knowledge about the people whom one plan counts: plan, catalog and calibration."""

    plan: PrivatePlan
    catalog: Catalog
    calibration: Calibration
    table: str
    key_count: int | None
    known: Properties

    @property
    def _grouping_columns(self) -> frozenset[str]:
        """Columns of the counted table that the plan's keys determine, as canonical texts."""
        return self.known.of(grouping_attributes, self.plan, self.table)

    def clip_error_model(self, vector: QueryVector) -> ClipErrorModel | None:
        """Clip-error model of one query vector; None if no calibration applies."""
        # a vector with partial bounds is clipped per part, not to one L2 bound
        measured = None if vector.partial_bounds is not None else self._measured_distribution(vector)
        if measured is None:
            return None
        plan, counts_persons = self.plan, vector.kind is VectorKind.PERSONS
        windows_per_unit = plan.charged_windows.windows_per_unit
        distribution = measured.distribution.scaled(
            # contributions add up over the windows of a privacy unit; a person in more groups has the root in norm
            math.sqrt(windows_per_unit) if counts_persons else windows_per_unit,
            self._window_count(),
        )
        groups = (
            measured.groups
            if measured.groups is not None
            else max(1.0, distribution.total / ASSUMED_ROWS_PER_PRIVATE_GROUP)
        )
        counts_rows = not (counts_persons or vector.is_sum)
        determines_keys = self.known.of(key_determination_test, plan, self.table)
        is_coarser_measured = counts_persons and not determines_keys(measured.subject.keys)
        return ClipErrorModel(
            distribution, float(groups), _sensitivity(plan, vector), counts_rows, counts_persons, measured.is_exact,
            subject=measured.subject,
            is_coarser_measured=is_coarser_measured, is_exact=measured.is_exact,
        )  # fmt: skip

    def mean_error_model(self, count: ClipErrorModel, sums: list[QueryVector]) -> MeanErrorModel:
        """Clip-error model of an average, from its count and the sums of the same clip factor."""
        sum_sensitivity = max(_sensitivity(self.plan, vector) for vector in sums)
        deviations = self._deviations(count, sums[0]) if len(sums) == 1 else None
        return MeanErrorModel(
            count.distribution,
            count.groups,
            count.sensitivity,
            sum_sensitivity,
            max(map(self._mean_slope, sums)),
            deviations,
        )

    def groups_per_person(self) -> ContributionDistribution | None:
        """Distribution of the number of groups per person; None if it was not measured."""
        measured = self._best_measured(None, Quantity.PERSONS)
        return None if measured is None else measured.distribution.scaled(1.0, self._window_count())

    def _mean_slope(self, vector: QueryVector) -> float:
        """Slope of people's means over ln(rows), in largest magnitudes of a value; assumed if it was not measured.

        The calibration measured it in the column's unit (its range), so it is converted to the vector's magnitude. A
        sum of products, or of anything but a multiple of a column, was never measured.
        """
        multiple = column_multiple(vector, self.catalog) if vector.factor is None else None
        if multiple is None:
            return ASSUMED_MEAN_SLOPE
        # `multiple` = (column, factor): the vector sums factor times the column
        means_by_rows = self.calibration.find(self.table, (), Quantity.MEANS_BY_ROWS, multiple[0].name)
        slope = measured_mean_slope(means_by_rows, self.calibration.find(self.table, (), Quantity.ROWS))
        return slope if means_by_rows is None else slope * means_by_rows.subject.unit / vector.magnitude

    def _deviations(self, count: ClipErrorModel, vector: QueryVector) -> MeanDeviations | None:
        """Deviations of people's means from the public centre of a sum; None if they were not measured."""
        multiple = column_multiple(vector, self.catalog) if vector.factor is None else None
        if multiple is None or vector.magnitude == 0:
            return None
        # `multiple` = (column, factor)
        column = multiple[0]
        means = mean_distribution(self.calibration.find(self.table, (), Quantity.MEANS, column.name), column)
        return None if means is None else mean_deviations(means, vector.centre, vector.magnitude, count.distribution)

    def _window_count(self) -> float:
        """Count the privacy windows whose people add up; 1 if people are bounded over all windows together."""
        return 1.0 if self.plan.charged_windows.is_crossing else float(len(self.plan.charged_windows.windows))

    def _measured_distribution(self, vector: QueryVector) -> _MeasuredDistribution | None:
        """Find the contribution distribution of a vector: measured itself, else rows times the largest magnitude."""
        # distinct values are chosen, not clipped
        if vector.kind is VectorKind.DISTINCT:
            return None
        if vector.kind is VectorKind.PERSONS:
            return self._best_measured(vector, Quantity.PERSONS)
        if not vector.is_sum:
            return self._best_measured(vector, Quantity.ROWS)
        # (column, factor): the vector sums factor times the column; None: something else
        multiple = column_multiple(vector, self.catalog) if vector.kind is VectorKind.SUM else None
        if multiple is not None:
            origin = None if vector.value is None else vector.value.origin
            is_exact = origin is not None and origin.column == multiple[0].name
            of_column = self._best_measured(vector, Quantity.SUMS, multiple[0].name)
            if of_column is not None:
                return of_column.scaled(multiple[1], is_exact=is_exact)
        rows = self._best_measured(vector, Quantity.ROWS)
        # 2^-20: a magnitude of 0 would leave no norm to tune
        return None if rows is None else rows.scaled(max(vector.magnitude, 2.0**-20), is_exact=False)

    def _best_measured(
        self, vector: QueryVector | None, kind: Quantity, column: str | None = None
    ) -> _MeasuredDistribution | None:
        """Best measured distribution: by exactly the plan's keys, else by the keys with the smallest mean norm.

        Other keys bound the norm if a known number (`max_groups`) of their groups falls into one of the plan's. Of
        histograms whose groups lie inside the plan's, those by finer keys are preferred, since finer groups have
        smaller norms.
        """
        counts_persons, key_texts = kind is Quantity.PERSONS, {key.canonical_text for key in self.plan.keys}
        # for persons a condition is no key: nobody is in more hours at one place than overall
        attributes = self.known.of(key_equivalents, self.plan) if counts_persons else self._grouping_columns
        by_keys = self.calibration.find(self.table, attributes, kind, column)
        if counts_persons or (by_keys is not None and key_texts and key_texts <= set(by_keys.subject.keys)):
            return None if by_keys is None else self._from_histogram(by_keys, 1, vector)
        # each with the keys that the plan's do not determine; those must be few in one of the plan's groups
        histograms = self.calibration.find_all(self.table, kind, column)
        others = [(each, frozenset(each.subject.keys) - self._grouping_columns) for each in histograms]
        wanted = frozenset[str]().union(*(keys for _, keys in others))
        values = self.known.of(per_group_distinct_bounds, self.plan, self.table, wanted)
        bounded_histograms = [
            (each, max_groups) for each, keys in others if (max_groups := max_groups_within(values, keys)) is not None
        ]
        # finer partitions have smaller norms
        finer = [set(each.subject.keys) for each, max_groups in bounded_histograms if max_groups == 1]
        coarsest = (pair for pair in bounded_histograms if not any(set(pair[0].subject.keys) < keys for keys in finer))
        candidates = (self._from_histogram(each, max_groups, vector) for each, max_groups in coarsest)

        def fit_order(each: _MeasuredDistribution) -> tuple[float, int]:
            """Smallest mean norm first; of equal ones that with the most keys in common with the plan."""
            return each.distribution.mean_norm, -len(key_texts.intersection(each.subject.keys))

        return min((each for each in candidates if each is not None), key=fit_order, default=None)

    def _from_histogram(
        self, by_keys: ContributionHistogram, max_groups: int, vector: QueryVector | None
    ) -> _MeasuredDistribution | None:
        """Distribution from one histogram, of which at most `max_groups` groups fall into one of the plan's.

        By Cauchy and Schwarz a person's norm in the coarser groups is at most sqrt(max_groups) times the measured one.
        None if no bin is significant.
        """
        subject, key_texts = by_keys.subject, {key.canonical_text for key in self.plan.keys}
        groups = None if self.key_count is None else max(self.key_count, by_keys.groups or 0)
        distribution = contribution_distribution(by_keys, self._without_keys(by_keys), groups)
        if distribution is None:
            return None
        if groups is not None and by_keys.groups is not None and self.key_count is not None:
            # keys that share nothing with the measured ones split each of the measured groups
            unmeasured_keys = self.key_count if key_texts.isdisjoint(subject.keys) else 1
            groups = max(self.key_count, unmeasured_keys * by_keys.groups // max_groups)
        has_same_keys = set(subject.keys) == key_texts and self.key_count is not None
        is_exact = has_same_keys and vector is not None and self._counts_every_row(vector)
        return _MeasuredDistribution(distribution.with_longer_norms(math.sqrt(max_groups)), subject, is_exact, groups)

    def _counts_every_row(self, vector: QueryVector) -> bool:
        """Check whether a vector counts every row of the table, as calibrations do.

        Not with a condition, a filter, a value that may be NULL, or a person's bound over several privacy windows
        together.
        """
        depends_on_value = vector.kind in (VectorKind.PERSONS, VectorKind.VALID) and vector.value is not None
        is_per_window = not self.plan.charged_windows.is_crossing
        return is_per_window and not depends_on_value and vector.condition is None and is_full_scan(self.plan.source)

    def _without_keys(self, by_keys: ContributionHistogram) -> ContributionHistogram | None:
        """Histogram of the same contributions without keys, that is of people's totals; None if there is none."""
        subject = by_keys.subject
        return self.calibration.find(subject.table, (), subject.kind, subject.column)


def _sensitivity(plan: PrivatePlan, vector: QueryVector) -> float:
    """Sensitivity of a vector, in clip bounds.

    One person is added or removed: 1. Where a person is bounded over several windows, one vector replaces another: 2
    for sums, whose vectors may be opposite, sqrt(2) for counts, which are never negative.
    """
    if not plan.charged_windows.is_crossing:
        return 1.0
    return 2.0 if vector.is_sum else math.sqrt(2)
