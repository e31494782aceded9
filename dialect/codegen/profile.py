"""Contribution profile: histograms of units by their contribution, as SQL over the rows that a plan counts.

A unit, a person or a person and privacy window, is in at most one bin of each histogram, so that removing it changes
one number of each by 1 (`dialect/codegen/proofs.md#profile`). Bins are found by comparing exact integers, so that
engines agree.

    NORM    bin b: the squared L2 norm of the unit's vector over the groups, in value grains, is in [2^b, 2^(b+1))
    TOTAL   bin b: the square of the sum of the unit's vector over the groups is in [2^b, 2^(b+1))
    MEAN    bin b: the mean of the unit's values, of a sum and a count, is in the b-th part of the column's range

Of averages about a known centre, `write_distances_sql` measures class means, which tell how means differ between units
with few and with many values: class b has the units with 2^b to 2^(b+1) - 1 values, and adds up the distances of their
means from the centre, each clipped; and histograms of the norms of distances times values.

A unit that contributes nothing is in no bin. Larger numbers than those of the last bin are in the last bin. CTEs are
those of `bounded_sql` up to `unit_partials`, then:

    unit_measures   one row per admitted unit: the integers that its bins follow from
    unit_bins       one row per admitted unit: its bin b<h> of histogram h, NULL for none
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.catalog.eligibility import Eligibility
from dialect.codegen.contribution.clipping import is_always_one, partials_cte
from dialect.codegen.contribution.group_truncation import truncate_groups
from dialect.codegen.contribution.per_unit import capped_partials
from dialect.codegen.contribution.zero_fill import clamped_to_bigint
from dialect.codegen.eligibility import eligible_persons_sql, join_admitted
from dialect.codegen.engines.dialects import EngineDialect, dialect_of
from dialect.codegen.lake import LAKE_RESULT
from dialect.codegen.partials import (
    Partials,
    SharedPlan,
    in_grains_of,
    shared_partials,
    with_clause,
    with_untruncated,
)

LOWEST_BIN, HIGHEST_BIN = 0, 80  # of squared integers: 1 to 2^81
HIGHEST_CLASS = 31  # of units by their number of values: 2^31 and more
MEAN_STEPS = 1024  # a clipped distance of a mean is an integer of so many steps
CENTRE_STEPS = 1024  # centre and reach are in so many parts of a value grain
HIGHEST_DISTANCE_BIN = 119  # of squared distances, in such parts
NEGATIVE_BINS = 128  # bins of units whose sum is below the centre begin here
LARGEST_DISTANCE = 1 << 49  # distances in one group are clamped to this before they are squared


class Measure(StrEnum):
    """Which number of a unit decides its bin."""

    NORM = "norm"
    TOTAL = "total"
    MEAN = "mean"
    DISTANCE = "distance"


@dataclass(frozen=True)
class ProfileHistogram:
    """Histogram of a profile: the query vector, and the number of a unit that decides its bin."""

    vector: int  # index in the plan
    measure: Measure
    count: int = 0  # of MEAN and DISTANCE: index of the vector that counts the values
    parts: tuple[float, ...] = ()  # of MEAN: where the parts of the range begin, but for the first, as shares of it
    centre: int = 0  # of DISTANCE: minus the vector's own, in value grains of 1 / CENTRE_STEPS


@dataclass(frozen=True)
class CentredAverage:
    """An average whose units are measured by their distance from a centre: its vectors, and public numbers."""

    total: int  # index of the centred sum
    count: int  # index of the vector that counts the values
    centre: int  # minus the vector's own, in value grains of 1 / CENTRE_STEPS
    reach: int  # largest distance of a mean that class means hold, in the same unit; at least 1


class UnitAnswer(NamedTuple):
    """Last CTE of a statement over units, and what is selected from it."""

    cte: str
    columns: str  # of a row of the CTE, one per unit
    select: str  # the final SELECT


def write_profile_sql(
    shared: SharedPlan,
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

    def answer(dialect: EngineDialect) -> UnitAnswer:
        """Write the bins of a unit."""
        bins = (f"{_bin(h, each, shared.plan, bounds, dialect)} AS b{h}" for h, each in enumerate(histograms))
        return UnitAnswer("unit_bins", ", ".join(bins), _sums_by_bin(["1"] * len(histograms), "unit_bins"))

    return _over_units(shared, bounds, histograms, answer, target, admission, key_count=1)


def write_totals_sql(
    shared: SharedPlan,
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
    answer = UnitAnswer("clipped_totals", clipped, f"SELECT {sums} FROM clipped_totals")
    return _over_units(shared, bounds, measured, lambda _: answer, target, admission, key_count=0)


def write_distances_sql(
    shared: SharedPlan,
    bounds: ContributionBounds,
    averages: Sequence[CentredAverage],
    target: Target,
    admission: Eligibility | None,
) -> BoundedSql:
    """Write the SQL of distances: rows k0, and for the i-th average class means w<2i> and signed norms w<2i+1>.

    Claim: a unit is in one row of each; it moves a class mean by at most MEAN_STEPS, and a number of units by 1.
    Symbols: of a unit with n > 0 values and sum s, the distance of s / n from the centre, over the reach, clipped to 1;
    the norm over the groups of its distances times values, in bins as those of a profile, negative ones from
    NEGATIVE_BINS on. Source and proof: dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    measured = [ProfileHistogram(each.total, Measure.DISTANCE, each.count, centre=each.centre) for each in averages]
    numbers = [number for h in range(len(averages)) for number in (f"x{h}", "1")]

    def answer(dialect: EngineDialect) -> UnitAnswer:
        """Write class, signed bin and clipped mean of a unit for each average."""
        columns = (
            f"{_class(h)} AS b{2 * h}, {_signed_bin(h, each)} AS b{2 * h + 1},"
            f" {_clipped_mean(h, each, dialect)} AS x{h}"
            for h, each in enumerate(averages)
        )
        return UnitAnswer("unit_distances", ", ".join(columns), _sums_by_bin(numbers, "unit_distances"))

    return _over_units(shared, bounds, measured, answer, target, admission, key_count=1, vector_count=len(numbers))


def _class(h: int) -> str:
    """Write the class of a unit: the logarithm of its number of values, rounded down; NULL without any."""
    ends = tuple(1 << number for number in range(HIGHEST_CLASS + 1))
    return f"CASE WHEN n{h} > 0 THEN {_bisected(f'n{h} < {{}}', ends, 0)} END"


def _distance(h: int, average: CentredAverage) -> str:
    """Write a unit's sum minus the centre times its values, in value grains of 1 / CENTRE_STEPS."""
    return f"coalesce(m{h}, 0) * {CENTRE_STEPS} - n{h} * {average.centre}"


def _clipped_mean(h: int, average: CentredAverage, dialect: EngineDialect) -> str:
    """Write the distance of a unit's mean from the centre, in steps of the reach, clipped; 0 without values.

    Sums and counts are below 2^52 and the centre below 2^25, so that all products fit 128 bits and 38 digits.
    """
    steps = dialect.quotient.format(f"(({_distance(h, average)}) * {MEAN_STEPS})", f"(n{h} * {average.reach})")
    return f"CASE WHEN n{h} > 0 THEN greatest(-{MEAN_STEPS}, least({MEAN_STEPS}, {steps})) ELSE 0 END"


def _signed_bin(h: int, average: CentredAverage) -> str:
    """Write the bin of the norm of a unit's distances, by the sign of their sum; NULL for a norm of 0."""
    size = _bisected(f"q{h} < {{}}", tuple(1 << number for number in range(HIGHEST_DISTANCE_BIN + 1)), 0)
    side = f"CASE WHEN {_distance(h, average)} < 0 THEN {NEGATIVE_BINS} ELSE 0 END"
    return f"CASE WHEN q{h} >= 1 THEN {side} + {size} END"


def _over_units(
    shared: SharedPlan,
    bounds: ContributionBounds,
    measured: Sequence[ProfileHistogram],
    answer: Callable[[EngineDialect], UnitAnswer],
    target: Target,
    admission: Eligibility | None,
    key_count: int,
    vector_count: int | None = None,
) -> BoundedSql:
    """Write SQL over one row per admitted unit, with the integers m0, m1, ... that are measured of it.

    `answer` is written for the engine that runs it: with a lake, DuckDB may still answer from a rollup.
    """
    vectors = len(measured) if vector_count is None else vector_count

    def write(of: Target) -> BoundedSql:
        partials = in_grains_of(shared_partials(shared, of, admission), bounds)
        dialect = dialect_of(partials.target)
        written = answer(dialect)
        ctes = [*partials.eligibility, *partials.rows, *_unit_ctes(partials, measured, written, admission)]
        text = with_clause(ctes, written.select, dialect)
        if partials.is_in_lake:
            return BoundedSql(text, key_count, vectors, partials.broadcast, f"SELECT * FROM {LAKE_RESULT}")
        eligible = eligible_persons_sql(admission, partials.target)
        return BoundedSql(text, key_count, vectors, eligible_sql=eligible, shared_sql=partials.shared_sql)

    return with_untruncated(write, shared.plan, target)


def _unit_ctes(
    partials: Partials,
    measured: Sequence[ProfileHistogram],
    answer: UnitAnswer,
    admission: Eligibility | None,
) -> list[Subquery]:
    """Write the CTEs from partial aggregates to one row per admitted unit. Rows of nobody are no unit."""
    plan, bounds, dialect = partials.plan, partials.bounds, dialect_of(partials.target)
    is_truncated = bounds.max_groups is not None  # then partials are read several times
    ctes: list[Subquery] = [("unit_partials", is_truncated, capped_partials(plan, bounds, {}, partials.unit.text))]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    unit = ", ".join(plan.unit_columns)
    numbers = [f"{_measured_integer(plan, each, dialect)} AS m{h}" for h, each in enumerate(measured)]
    numbers += [
        f"{dialect.wide_sum.format(f'v{each.count}')} AS n{h}"
        for h, each in enumerate(measured)
        if each.measure in (Measure.MEAN, Measure.DISTANCE)
    ]
    numbers += [
        f"sum({_squared_distance(each, dialect)}) AS q{h}"
        for h, each in enumerate(measured)
        if each.measure is Measure.DISTANCE
    ]
    rows = f"{partials_cte(bounds)} WHERE person IS NOT NULL"
    measures = f"SELECT {unit}, {', '.join(numbers)} FROM {rows} GROUP BY {unit}"
    admitted = join_admitted("unit_measures", admission, dialect)
    return [*ctes, ("unit_measures", False, measures), (answer.cte, True, f"SELECT {answer.columns} FROM {admitted}")]


def _squared_distance(histogram: ProfileHistogram, dialect: EngineDialect) -> str:
    """Write the square of a unit's distance in one group, clamped so that no sum of squares exceeds 120 bits."""
    total, count = (f"CAST(coalesce(v{i}, 0) AS {dialect.wide_integer})" for i in (histogram.vector, histogram.count))
    distance = f"{total} * {CENTRE_STEPS} - {count} * {histogram.centre}"
    clamped = f"greatest(-{LARGEST_DISTANCE}, least({LARGEST_DISTANCE}, {distance}))"
    return f"{clamped} * {clamped}"


def _measured_integer(plan: PrivatePlan, histogram: ProfileHistogram, dialect: EngineDialect) -> str:
    """Write the exact integer that a unit's bin follows from: the sum of squares, or the sum, over its groups."""
    if is_always_one(plan.vectors[histogram.vector]):
        return "count(*)"
    column = f"v{histogram.vector}"
    return (dialect.sum_of_squares if histogram.measure is Measure.NORM else dialect.wide_sum).format(column)


def _bin(
    h: int, histogram: ProfileHistogram, plan: PrivatePlan, bounds: ContributionBounds, dialect: EngineDialect
) -> str:
    """Write the number of the last bin whose beginning a unit reaches; NULL if it reaches none.

    A mean is compared by its sum, shifted to the lower end of the range, and its count, in exact integers.
    """
    if histogram.measure is not Measure.MEAN:
        is_total = histogram.measure is Measure.TOTAL
        limited = (
            f"least(m{h}, {1 << HIGHEST_BIN // 2 + 1 if is_total else 1 << HIGHEST_BIN + 1})"  # no square overflows
        )
        square = f"CAST({limited} AS {dialect.wide_integer})" + (f" * {limited}" if is_total else "")
        return f"CASE WHEN m{h} >= 1 THEN {_log_bin(square, dialect)} END"
    vector, grains = plan.vectors[histogram.vector], 2.0 ** bounds.vectors[histogram.vector].value_bits
    begins = [
        round((vector.lower + part * (vector.upper - vector.lower) - vector.centre) * grains * CENTRE_STEPS)
        for part in histogram.parts
    ]
    is_below = f"m{h} * {CENTRE_STEPS} < n{h} * {{}}"  # whole numbers have whole grains, and means between them
    return f"CASE WHEN n{h} > 0 THEN {_bisected(is_below, (0, *begins), LOWEST_BIN)} END"


def _log_bin(square: str, dialect: EngineDialect) -> str:
    """Write the whole part of log2 of an integer of at least 1, at most HIGHEST_BIN.

    The logarithm in floating point may miss the next power of two: exact powers of two decide.
    """
    about = f"CAST(least({HIGHEST_BIN}, floor(log2(CAST({square} AS DOUBLE)))) AS INTEGER)"
    below, beyond = (f"CAST(pow(2, {power}) AS {dialect.wide_integer})" for power in (about, f"{about} + 1"))
    corrected = f"{about} + CASE WHEN {square} < {below} THEN -1 WHEN {square} >= {beyond} THEN 1 ELSE 0 END"
    return f"least({HIGHEST_BIN}, {corrected})"


def _bisected(is_below: str, ends: Sequence[int], first: int) -> str:
    """Write a binary search over the bins from `first` on; the unit is known to be in one of them."""
    if len(ends) == 1:
        return str(first)
    middle = len(ends) // 2
    below, above = _bisected(is_below, ends[:middle], first), _bisected(is_below, ends[middle:], first + middle)
    return f"CASE WHEN {is_below.format(ends[middle])} THEN {below} ELSE {above} END"


def _sums_by_bin(numbers: Sequence[str], units: str) -> str:
    """Write the sum, over the units in each bin, of one number for each column of bins b<h>: k0, and w<h>."""
    counted = [
        f"SELECT b{h} AS k0, {', '.join(f'{number if h == i else 0} AS c{i}' for i in range(len(numbers)))}"
        f" FROM {units} WHERE b{h} IS NOT NULL"
        for h, number in enumerate(numbers)
    ]
    totals = ", ".join(f"CAST(sum(c{h}) AS BIGINT) AS w{h}" for h in range(len(numbers)))
    return f"SELECT CAST(k0 AS BIGINT) AS k0, {totals} FROM ({' UNION ALL '.join(counted)}) AS counted GROUP BY 1"
