"""Contribution profile: histograms of units by their contribution, as SQL over the rows that a plan counts.

A unit, a person or a person and privacy window, is in at most one bin of each histogram, so that removing it changes
one number of each by 1 (`dialect/codegen/proofs.md#profile`). Bins are found by comparing exact integers, so that
engines agree.

    NORM    bin b: the squared L2 norm of the unit's vector over the groups, in value grains, is in [2^b, 2^(b+1))
    TOTAL   bin b: the square of the sum of the unit's vector over the groups is in [2^b, 2^(b+1))
    MEAN    bin b: the mean of the unit's values, of a sum and a count, is in the b-th part of the column's range

A unit that contributes nothing is in no bin. Larger numbers than those of the last bin are in the last bin. CTEs are
those of `bounded_sql` up to `unit_partials`, then:

    unit_measures   one row per admitted unit: the integers that its bins follow from
    unit_bins       one row per admitted unit: its bin b<h> of histogram h, NULL for none
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.catalog.eligibility import Eligibility
from dialect.codegen.contribution.clipping import is_always_one
from dialect.codegen.contribution.group_truncation import truncate_groups
from dialect.codegen.contribution.per_unit import capped_partials, unit_partials
from dialect.codegen.contribution.zero_fill import clamped_to_bigint, key_set_semi_join, key_set_sql
from dialect.codegen.eligibility import eligibility_ctes, join_admitted, objectors_to_broadcast
from dialect.codegen.engines.dialects import EngineDialect, dialect_of
from dialect.codegen.lake import (
    KEY_SET,
    LAKE_RESULT,
    broadcast_sql,
    check_lake_support,
    extract_broadcasts,
    placeholder,
)
from dialect.codegen.other_keys import RELEASED, released_sql, source_ctes, source_keys
from dialect.codegen.relations.relation import write_rows

LOWEST_BIN, HIGHEST_BIN = 0, 80  # of squared integers: 1 to 2^81


class Measure(StrEnum):
    """Which number of a unit decides its bin."""

    NORM = "norm"
    TOTAL = "total"
    MEAN = "mean"


@dataclass(frozen=True)
class ProfileHistogram:
    """Histogram of a profile: the query vector, and the number of a unit that decides its bin."""

    vector: int  # index in the plan
    measure: Measure
    count: int = 0  # of MEAN: index of the vector that counts the values
    parts: tuple[float, ...] = ()  # of MEAN: where the parts of the range begin, but for the first, as shares of it


def write_profile_sql(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    histograms: Sequence[ProfileHistogram],
    target: Target,
    admission: Eligibility | None,
) -> BoundedSql:
    """Write the SQL of a profile: rows of a bin k0 and the number of units in it, w<h> for each histogram.

    Claim: a unit adds 1 to at most one row of each w<h>. Symbols: `bounds` gives the value grains of each vector and
    the limit of groups; its clip bounds are not used. Bins without units have no row. Source and proof:
    dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    bins = [f"{_bin(h, each, plan, bounds)} AS b{h}" for h, each in enumerate(histograms)]
    answer = ("unit_bins", ", ".join(bins), _bin_counts(histograms))
    return _over_units(plan, bounds, histograms, answer, target, admission, key_count=1)


def write_totals_sql(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    totals: Sequence[tuple[int, int]],
    target: Target,
    admission: Eligibility | None,
) -> BoundedSql:
    """Write the SQL of totals over all groups: one row, w<i> for each pair (vector, clip bound in value grains).

    Claim: a unit moves w<i> by at most its clip bound, its sum over the groups being clipped to it; only for vectors
    that are never negative. Source and proof: dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    measured = [ProfileHistogram(vector, Measure.TOTAL) for vector, _ in totals]
    clipped = ", ".join(f"least(coalesce(m{i}, 0), {bound}) AS c{i}" for i, (_, bound) in enumerate(totals))
    sums = ", ".join(f"{clamped_to_bigint(f'sum(c{i})')} AS w{i}" for i in range(len(totals)))
    answer = ("clipped_totals", clipped, f"SELECT {sums} FROM clipped_totals")
    return _over_units(plan, bounds, measured, answer, target, admission, key_count=0)


def _over_units(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    measured: Sequence[ProfileHistogram],
    answer: tuple[str, str, str],
    target: Target,
    admission: Eligibility | None,
    key_count: int,
) -> BoundedSql:
    """Write SQL over one row per admitted unit, with the integers m0, m1, ... that are measured of it.

    `answer` = name of the last CTE, its columns, and the final SELECT.
    """
    if target.lake is not None:
        return _for_lake(plan, bounds, measured, answer, target, target.lake, admission, key_count)
    released = "" if plan.mapping is None else released_sql(plan.mapping, target)
    ctes = eligibility_ctes(admission, target, plan.dataset)
    ctes += source_ctes(plan, _source_rows(plan, target), released, dialect_of(target))
    if key_set_semi_join("p", plan, {}) and plan.key_set is not None:
        ctes.append(("key_set", True, key_set_sql(plan.key_set, {}, target)))
    ctes += _unit_ctes(plan, bounds, measured, answer, admission, dialect_of(target))
    return BoundedSql(_with_clause(ctes, answer[2], dialect_of(target)), key_count, len(measured))


def _for_lake(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    measured: Sequence[ProfileHistogram],
    answer: tuple[str, str, str],
    target: Target,
    lake: Target,
    admission: Eligibility | None,
    key_count: int,
) -> BoundedSql:
    """Write `_over_units` for a lake, over broadcast public rows."""
    check_lake_support(plan, lake)
    source, lake_target, rows = extract_broadcasts(plan.source, lake)
    ctes = [
        *eligibility_ctes(admission, lake_target, plan.dataset),
        *source_ctes(
            plan, _source_rows(replace(plan, source=source), lake_target), f"SELECT * FROM {placeholder(RELEASED)}",
            dialect_of(lake_target),
        ),
    ]  # fmt: skip
    broadcast = objectors_to_broadcast(admission, plan.dataset in lake.same_bits_datasets)
    if key_set_semi_join("p", plan, {}) and plan.key_set is not None:
        ctes.append(("key_set", False, f"SELECT * FROM {placeholder(KEY_SET)}"))
        broadcast |= {KEY_SET: key_set_sql(plan.key_set, {}, target)}
    ctes += _unit_ctes(plan, bounds, measured, answer, admission, dialect_of(lake_target))
    text = _with_clause(ctes, answer[2], dialect_of(lake))
    broadcast |= {} if plan.mapping is None else {RELEASED: released_sql(plan.mapping, target)}
    broadcast |= broadcast_sql(rows, lake_target, target)
    return BoundedSql(text, key_count, len(measured), broadcast, f"SELECT * FROM {LAKE_RESULT}")


def _source_rows(plan: PrivatePlan, target: Target) -> str:
    """Write the plan's source with the columns that units, keys and vectors read."""
    needed = {*plan.unit_columns.values(), *source_keys(plan)}
    return write_rows(plan.source, needed.union(*(vector.fields for vector in plan.vectors)), target)


def _with_clause(subqueries: Iterable[Subquery], answer: str, dialect: EngineDialect) -> str:
    """Write WITH and the final SELECT."""
    ctes = ",\n".join(
        f"{name} AS {dialect.materialized if materialized else ''}({text})" for name, materialized, text in subqueries
    )
    return f"WITH {ctes}\n{answer}"


def _unit_ctes(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    measured: Sequence[ProfileHistogram],
    answer: tuple[str, str, str],
    admission: Eligibility | None,
    dialect: EngineDialect,
) -> list[Subquery]:
    """Write the CTEs from partial aggregates to one row per admitted unit."""
    partials = unit_partials(plan, bounds, frozenset(), dialect)
    is_truncated = bounds.max_groups is not None  # then partials are read several times
    ctes: list[Subquery] = [("unit_partials", is_truncated, capped_partials(plan, bounds, {}, partials.text))]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    rows = "unit_partials" if bounds.max_groups is None else "truncated_partials"
    unit = ", ".join(plan.unit_columns)
    numbers = [f"{_measured_integer(plan, each, dialect)} AS m{h}" for h, each in enumerate(measured)]
    numbers += [
        f"{dialect.wide_sum.format(f'v{each.count}')} AS n{h}"
        for h, each in enumerate(measured)
        if each.measure is Measure.MEAN
    ]
    measures = f"SELECT {unit}, {', '.join(numbers)} FROM {rows} GROUP BY {unit}"
    name, columns, _ = answer
    admitted = join_admitted("unit_measures", admission, dialect)
    return [*ctes, ("unit_measures", False, measures), (name, True, f"SELECT {columns} FROM {admitted}")]


def _measured_integer(plan: PrivatePlan, histogram: ProfileHistogram, dialect: EngineDialect) -> str:
    """Write the exact integer that a unit's bin follows from: the sum of squares, or the sum, over its groups."""
    if is_always_one(plan.vectors[histogram.vector]):
        return "count(*)"
    column = f"v{histogram.vector}"
    return (dialect.sum_of_squares if histogram.measure is Measure.NORM else dialect.wide_sum).format(column)


def _bin_ends(measure: Measure) -> tuple[int, ...]:
    """List the least integer of each bin of norms or totals."""
    squares = (1 << number for number in range(LOWEST_BIN, HIGHEST_BIN + 1))
    return tuple(squares if measure is Measure.NORM else (math.isqrt(square - 1) + 1 for square in squares))


def _bin(h: int, histogram: ProfileHistogram, plan: PrivatePlan, bounds: ContributionBounds) -> str:
    """Write the number of the last bin whose beginning a unit reaches; NULL if it reaches none.

    A mean is compared by its sum, shifted to the lower end of the range, and its count, in exact integers.
    """
    if histogram.measure is not Measure.MEAN:
        ends = _bin_ends(histogram.measure)
        return f"CASE WHEN m{h} >= {ends[0]} THEN {_bisected(f'm{h} < {{}}', ends, LOWEST_BIN)} END"
    vector, grains = plan.vectors[histogram.vector], 2.0 ** bounds.vectors[histogram.vector].value_bits
    begins = [
        round((vector.lower + part * (vector.upper - vector.lower) - vector.centre) * grains)
        for part in histogram.parts
    ]
    return f"CASE WHEN n{h} > 0 THEN {_bisected(f'm{h} < n{h} * {{}}', (0, *begins), LOWEST_BIN)} END"


def _bisected(is_below: str, ends: Sequence[int], first: int) -> str:
    """Write a binary search over the bins from `first` on; the unit is known to be in one of them."""
    if len(ends) == 1:
        return str(first)
    middle = len(ends) // 2
    below, above = _bisected(is_below, ends[:middle], first), _bisected(is_below, ends[middle:], first + middle)
    return f"CASE WHEN {is_below.format(ends[middle])} THEN {below} ELSE {above} END"


def _bin_counts(histograms: Sequence[ProfileHistogram]) -> str:
    """Write the number of units in each bin: k0, and w<h> for each histogram."""
    counted = [
        f"SELECT b{h} AS k0, {', '.join(f'{1 if h == i else 0} AS c{i}' for i in range(len(histograms)))}"
        f" FROM unit_bins WHERE b{h} IS NOT NULL"
        for h in range(len(histograms))
    ]
    totals = ", ".join(f"CAST(sum(c{h}) AS BIGINT) AS w{h}" for h in range(len(histograms)))
    return f"SELECT CAST(k0 AS BIGINT) AS k0, {totals} FROM ({' UNION ALL '.join(counted)}) AS counted GROUP BY 1"
