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

    unit_measures   one row per admitted unit: of vector i its sum<i> and squares<i> over the groups, and of an average
                    the products<i>_<j> of sum and count; in the profile's value grains
    unit_bins       one row per admitted unit: its bin b<h> of histogram h, NULL for none

All CTEs but the last one are inside of `unit_measures`. It is the same text in the statements of a profile, of totals
and of distances, so that a backend may compute it once, as `shared_partials`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target
from dialect.algebra.release_plan import ClipRule, ContributionBounds, PrivatePlan
from dialect.catalog.model import Eligibility
from dialect.codegen.contribution.clipping import has_single_row_units, partials_cte, truncate_groups
from dialect.codegen.contribution.physical_plan import clamped_to_bigint
from dialect.codegen.engines.dialects import ENGINE_DIALECTS, EngineDialect
from dialect.codegen.lake import LAKE_RESULT
from dialect.codegen.partials import (
    NOT_MOVED,
    Measure,
    Partials,
    ProfileHistogram,
    Recentred,
    SharedPlan,
    capped_partials,
    in_grains_of,
    recentred,
    shared_partials,
    with_clause,
    with_untruncated,
)
from dialect.codegen.stored_rows import join_admitted

LOWEST_BIN, HIGHEST_BIN = 0, 80  # of squared integers: 1 to 2^81
SMALL_BITS = 42  # of integers, and squares of such, whose DOUBLE and its logarithm tell the bin
HIGHEST_CLASS = 31  # of units by their number of values: 2^31 and more
MEAN_STEPS = 1024  # a clipped distance of a mean is an integer of so many steps
CENTRE_STEPS = 1024  # centre and reach are in so many parts of a value grain
HIGHEST_DISTANCE_BIN = 119  # of squared distances, in such parts
NEGATIVE_BINS = 128  # bins of units whose sum is below the centre begin here
# sums of squared sums, of products, and of squared counts are clamped to these, so that squared distances fit 126 bits
LARGEST_SQUARES, LARGEST_PRODUCTS, LARGEST_COUNTS = 1 << 98, 1 << 86, 1 << 74
UNIT_MEASURES = "unit_measures"


@dataclass(frozen=True)
class CentredAverage:
    """An average whose units are measured by their distance from a centre: its vectors, and public numbers."""

    total: int  # index of the centred sum, or of the sum of products
    count: int  # index of the vector that counts the values
    centre: int  # minus the vector's own, in value grains of 1 / CENTRE_STEPS
    reach: int  # largest distance of a mean that class means hold, in the same unit; at least 1


@dataclass(frozen=True)
class MeanBins:
    """Histogram of units by the mean of their products: its vectors, and where its bins begin, but for the first."""

    total: int  # index of the sum of products
    count: int  # index of the vector that counts the values
    begins: tuple[int, ...]  # rising, in value grains of 1 / CENTRE_STEPS


class UnitAnswer(NamedTuple):
    """Last CTE of a statement over units, and what is selected from it."""

    cte: str
    columns: str  # of a row of the CTE, one per unit
    select: str  # the final SELECT
    rows: str = UNIT_MEASURES  # that the columns are written over


@dataclass(frozen=True)
class OtherCentres:
    """Products about other centres than those of the shared partial aggregates, and the value grains of a statement."""

    plan: PrivatePlan
    bounds: ContributionBounds


def write_profile_sql(shared: SharedPlan, target: Target, admission: Eligibility | None) -> BoundedSql:
    """Write the SQL of a profile: rows of a bin k0 and the number of units in it, w<h> for each histogram.

    Claim: a unit adds 1 to at most one row of each w<h>. Symbols: `shared.profile_bounds` gives the value grains of
    each vector and the limit of groups; its clip bounds are not used. Bins without units have no row. Source and proof:
    dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    histograms = shared.histograms

    def answer(dialect: EngineDialect) -> UnitAnswer:
        """Write the bins of a unit."""
        means = {h: _parts(each, shared) for h, each in enumerate(histograms) if each.measure is Measure.MEAN}
        of_means = {h: _mean_bin(each, h) for h, each in means.items()}
        bins = (of_means.get(h) or _bin(each, dialect) for h, each in enumerate(histograms))
        columns = ", ".join(f"{each} AS b{h}" for h, each in enumerate(bins))
        select = _sums_by_bin(["1"] * len(histograms), "unit_bins")
        return UnitAnswer("unit_bins", columns, select, _with_quotients(means, dialect))

    return _over_units(shared, answer, target, admission, 1, len(histograms))


def write_means_sql(
    shared: SharedPlan, about: OtherCentres, means: Sequence[MeanBins], target: Target, admission: Eligibility | None
) -> BoundedSql:
    """Write the SQL of histograms of means of products: rows of a bin k0, and the number of units w<h> in it.

    Claim: a unit adds 1 to at most one row of each w<h>. Symbols: `about` = the centres about which the products are
    taken, and value grains. Source and proof: dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    columns = ", ".join(f"{_mean_bin(each, h)} AS b{h}" for h, each in enumerate(means))
    select = _sums_by_bin(["1"] * len(means), "unit_bins")

    def answer(dialect: EngineDialect) -> UnitAnswer:
        """Write the bins of a unit."""
        return UnitAnswer("unit_bins", columns, select, _with_quotients(dict(enumerate(means)), dialect))

    return _over_units(shared, answer, target, admission, 1, len(means), means, about)


def write_totals_sql(
    shared: SharedPlan, totals: Sequence[tuple[int, int]], target: Target, admission: Eligibility | None
) -> BoundedSql:
    """Write the SQL of totals over all groups: one row, w<i> for each pair (vector, clip bound in value grains).

    Claim: a unit moves w<i> by at most its clip bound, its sum over the groups being clipped to it; only for vectors
    that are never negative. Source and proof: dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    clipped = ", ".join(f"least(coalesce(sum{vector}, 0), {bound}) AS c{i}" for i, (vector, bound) in enumerate(totals))
    sums = ", ".join(f"{clamped_to_bigint(f'sum(c{i})')} AS w{i}" for i in range(len(totals)))
    answer = UnitAnswer("clipped_totals", clipped, f"SELECT {sums} FROM clipped_totals")
    return _over_units(shared, lambda _: answer, target, admission, 0, len(totals))


def write_distances_sql(
    shared: SharedPlan,
    averages: Sequence[CentredAverage],
    target: Target,
    admission: Eligibility | None,
    about: OtherCentres | None = None,
) -> BoundedSql:
    """Write the SQL of distances: rows k0, and for the i-th average class means w<2i> and signed norms w<2i+1>.

    Claim: a unit is in one row of each; it moves a class mean by at most MEAN_STEPS, and a number of units by 1.
    Symbols: of a unit with n > 0 values and sum s, the distance of s / n from the centre, over the reach, clipped to 1;
    the norm over the groups of its distances times values, in bins as those of a profile, negative ones from
    NEGATIVE_BINS on; `about` = the centres about which products are taken, if these are measured. Source and proof:
    dialect/codegen/proofs.md#profile. Raises as `write_bounded_sql` does.
    """
    numbers = [number for h in range(len(averages)) for number in (f"x{h}", "1")]

    def answer(dialect: EngineDialect) -> UnitAnswer:
        """Write class, signed bin and clipped mean of a unit for each average."""
        measured = ", ".join(
            f"{_distance(each, dialect)} AS d{h}, {_squared_distance(each)} AS q{h}" for h, each in enumerate(averages)
        )
        columns = list[str]()
        for h, each in enumerate(averages):
            of_class = _log_bin(f"sum{each.count}", HIGHEST_CLASS, dialect)
            of_norm = _log_bin(f"q{h}", HIGHEST_DISTANCE_BIN, dialect)
            side = f"CASE WHEN d{h} < 0 THEN {NEGATIVE_BINS} ELSE 0 END"
            columns += [f"{of_class} AS b{2 * h}", f"{side} + {of_norm} AS b{2 * h + 1}"]
            columns.append(f"{_clipped_mean(h, each, dialect)} AS x{h}")
        rows = f"(SELECT *, {measured} FROM {UNIT_MEASURES}) AS u"
        return UnitAnswer("unit_distances", ", ".join(columns), _sums_by_bin(numbers, "unit_distances"), rows)

    return _over_units(shared, answer, target, admission, 1, len(numbers), averages, about)


def _distance(average: CentredAverage, dialect: EngineDialect) -> str:
    """Write a unit's sum minus the centre times its values, in value grains of 1 / CENTRE_STEPS."""
    total = f"CAST(coalesce(sum{average.total}, 0) AS {dialect.wide_integer})"
    return f"{total} * {CENTRE_STEPS} - coalesce(sum{average.count}, 0) * {average.centre}"


def _squared_distance(average: CentredAverage) -> str:
    """Write the sum over the groups of a unit's squared distances, from its squares and products.

    (1024 s - c n)^2 is added up as 1024^2 s^2 - 2 * 1024 c s n + c^2 n^2.
    """
    total, count, centre = average.total, average.count, average.centre
    squares = f"least(coalesce(squares{total}, 0), {LARGEST_SQUARES}) * {CENTRE_STEPS**2}"
    products = f"greatest(-{LARGEST_PRODUCTS}, least({LARGEST_PRODUCTS}, coalesce(products{total}_{count}, 0)))"
    counts = f"least(coalesce(squares{count}, 0), {LARGEST_COUNTS}) * {centre**2}"
    return f"{squares} - {products} * {2 * CENTRE_STEPS * centre} + {counts}"


def _clipped_mean(h: int, average: CentredAverage, dialect: EngineDialect) -> str:
    """Write the distance of a unit's mean from the centre, in steps of the reach, clipped; 0 without values.

    Sums and counts are below 2^52 and the centre below 2^25, so that all products fit 128 bits and 38 digits.
    """
    count = f"sum{average.count}"
    steps = dialect.wide_quotient.format(f"(d{h} * {MEAN_STEPS})", f"({count} * {average.reach})")
    return f"CASE WHEN {count} > 0 THEN greatest(-{MEAN_STEPS}, least({MEAN_STEPS}, {steps})) ELSE 0 END"


def _over_units(
    shared: SharedPlan,
    answer: Callable[[EngineDialect], UnitAnswer],
    target: Target,
    admission: Eligibility | None,
    key_count: int,
    vector_count: int,
    products: Sequence[MeanBins | CentredAverage] = (),
    about: OtherCentres | None = None,
) -> BoundedSql:
    """Write SQL over one row per admitted unit, with the integers that the histograms of a profile follow from.

    `answer` is written for the engine that runs it: with a lake, DuckDB may still answer from a rollup. `about` = other
    centres than those of the shared partials, about which the means of `products` are measured.
    """
    bounds, histograms = shared.profile_bounds, shared.histograms
    if about is not None:
        bounds = about.bounds
        histograms = tuple(ProfileHistogram(each.total, Measure.MEAN, each.count) for each in products)

    def write(of: Target) -> BoundedSql:
        moved = NOT_MOVED if about is None else recentred(shared, about.plan)
        partials = in_grains_of(shared_partials(shared, of, admission), bounds, moved)
        dialect = ENGINE_DIALECTS[partials.target.engine]
        written = answer(dialect)
        measures = _unit_measures(partials, histograms, admission)
        last = (written.cte, False, f"SELECT {written.columns} FROM {written.rows}")
        text = with_clause([(UNIT_MEASURES, True, measures), last], written.select, dialect)
        if partials.is_in_lake:
            return BoundedSql(text, key_count, vector_count, partials.broadcast, f"SELECT * FROM {LAKE_RESULT}")
        both = {UNIT_MEASURES: measures, **partials.shared}
        is_shared = not has_single_row_units(partials.plan, bounds) and _are_measures_shared(shared)
        read = both if is_shared else partials.shared  # where a unit has one row, that tells its measures
        return BoundedSql(text, key_count, vector_count, eligible_sql=partials.eligible_sql, shared=read)

    return with_untruncated(write, shared.plan, target)


def _are_measures_shared(shared: SharedPlan) -> bool:
    """Return whether another statement than that of the profile is likely to read the measures of units.

    Distances of averages do. Numbers do where only counts are measured, as the chosen clip bound of a sum has grains of
    its own (`has_measured_norms`).
    """
    vectors, histograms = shared.plan.vectors, shared.histograms
    has_averages = any(each.measure is Measure.MEAN for each in histograms)
    return has_averages or not any(vectors[each.vector].is_sum for each in histograms)


def without_shared_measures(sql: BoundedSql) -> BoundedSql:
    """Inline the measures of units into the only statement that reads them."""
    shared, untruncated = (
        {cte: text for cte, text in each.items() if cte != UNIT_MEASURES}
        for each in (sql.shared, sql.untruncated_shared)
    )
    return replace(sql, shared=shared, untruncated_shared=untruncated)


def measured_units(shared: SharedPlan, target: Target, admission: Eligibility | None) -> str:
    """Write the measures of units that a profile reads, in its value grains: the subquery `unit_measures`."""
    partials = in_grains_of(shared_partials(shared, target, admission), shared.profile_bounds)
    return _unit_measures(partials, shared.histograms, admission)


def has_measured_norms(
    plan: PrivatePlan, bounds: ContributionBounds, shared: SharedPlan, moved: Mapping[int, Recentred]
) -> bool:
    """Return whether the measures of units have the norm of each scaled vector, in its value grains.

    `moved` = vectors whose values are taken about other centres than in the profile. Where a unit has one row of
    partial aggregates, that row tells its norm.

    Claim: then its sum of squares is that of the unit's partial aggregates in the statement. Source and proof:
    dialect/codegen/proofs.md#shared-partials. Raises nothing.
    """
    if has_single_row_units(plan, bounds) or bounds.max_groups != shared.profile_bounds.max_groups:
        return False
    measured = {i for each in shared.histograms for i in each.squared_vectors} - moved.keys()
    pairs = enumerate(zip(bounds.vectors, shared.profile_bounds.vectors, strict=True))
    scaled = [
        i in measured and own.value_bits == of_profile.value_bits
        for i, (own, of_profile) in pairs
        if own.rule is ClipRule.SCALE
    ]
    return bool(scaled) and all(scaled)


def _unit_measures(partials: Partials, histograms: Sequence[ProfileHistogram], admission: Eligibility | None) -> str:
    """Write one row per admitted unit from its partial aggregates. Rows of nobody are no unit."""
    plan, bounds, dialect = partials.plan, partials.bounds, ENGINE_DIALECTS[partials.target.engine]
    is_truncated = bounds.max_groups is not None  # then partials are read several times
    capped = ("unit_partials", is_truncated, capped_partials(plan, bounds, {}, partials.unit.text))
    ctes: list[Subquery] = [*partials.eligibility, *partials.rows, capped]
    if bounds.max_groups is not None:
        ctes += truncate_groups(plan, bounds.max_groups, dialect)
    unit = ", ".join(plan.unit_columns)
    is_single_row = has_single_row_units(plan, bounds)
    integers = _measured_integers(plan, histograms, dialect, is_single_row)
    numbers = ", ".join(f"{sql} AS {name}" for name, sql in integers.items())
    rows = f"{partials_cte(bounds)} WHERE person IS NOT NULL"
    measures = f"(SELECT {unit}, {numbers} FROM {rows}{'' if is_single_row else f' GROUP BY {unit}'}) AS m"
    return with_clause(ctes, f"SELECT * FROM {join_admitted(measures, admission, dialect)}", dialect)


def _measured_integers(
    plan: PrivatePlan, histograms: Sequence[ProfileHistogram], dialect: EngineDialect, is_single_row: bool
) -> dict[str, str]:
    """Write the exact integers that the bins of a unit follow from, over its groups, by their column.

    With one row per unit, they are the numbers of that row.
    """
    wide = f"CAST({{}} AS {dialect.wide_integer})"
    one, total, squares = ("1", wide, wide) if is_single_row else ("count(*)", dialect.wide_sum, dialect.sum_of_squares)
    found = dict[str, str]()
    for each in histograms:
        for i in each.squared_vectors or (each.vector,):
            is_one = plan.vectors[i].is_selection_vector
            found[f"sum{i}"] = one if is_one else total.format(f"v{i}")
            if each.squared_vectors:
                of_row = f"v{i} * v{i}" if is_single_row else f"v{i}"  # below 2^62
                found[f"squares{i}"] = one if is_one else squares.format(of_row)
        if each.measure is Measure.MEAN:
            found[f"products{each.vector}_{each.count}"] = total.format(f"v{each.vector} * v{each.count}")
    return found


def _bin(histogram: ProfileHistogram, dialect: EngineDialect) -> str:
    """Write a unit's bin of a histogram of norms or totals, from its exact integers."""
    if histogram.measure is Measure.NORM:
        return _log_bin(f"squares{histogram.vector}", HIGHEST_BIN, dialect)
    return _log_bin(f"sum{histogram.vector}", HIGHEST_BIN, dialect, power=2)


def _parts(histogram: ProfileHistogram, shared: SharedPlan) -> MeanBins:
    """Return the parts of a column's range as bins of means, which are shifted to its lower end."""
    vector, bound = shared.plan.vectors[histogram.vector], shared.profile_bounds.vectors[histogram.vector]
    grains = 2.0**bound.value_bits
    begins = (
        round((vector.lower + part * (vector.upper - vector.lower) - vector.centre) * grains * CENTRE_STEPS)
        for part in histogram.parts
    )
    return MeanBins(histogram.vector, histogram.count, tuple(begins))


def _with_quotients(means: Mapping[int, MeanBins], dialect: EngineDialect) -> str:
    """Write the measures of units with the mean of each by histogram: quotient<h>, from where the second bin begins.

    It is a whole number, rounded down: that reaches a whole number if the mean does. Below the second bin it is -1.
    Bins are found by it, as the engine would take longer to plan so many products of the count.
    """
    columns = list[str]()
    for h, each in means.items():
        total, count = f"sum{each.total}", f"sum{each.count}"
        above = f"({total} * {CENTRE_STEPS} - {count} * {each.begins[0]})"
        quotient = dialect.wide_quotient.format(above, count)
        columns.append(
            f"CASE WHEN {count} > 0 THEN CASE WHEN {above} < 0 THEN -1 ELSE {quotient} END END AS quotient{h}"
        )
    return f"(SELECT *, {', '.join(columns)} FROM {UNIT_MEASURES}) AS u" if columns else UNIT_MEASURES


def _mean_bin(bins: MeanBins, h: int) -> str:
    """Write the number of the last bin whose beginning a unit's mean reaches; NULL without values."""
    ends = (0, *(each - bins.begins[0] for each in bins.begins))
    return f"CASE WHEN sum{bins.count} > 0 THEN {_bisected(f'quotient{h} < {{}}', ends, LOWEST_BIN)} END"


def _log_bin(number: str, highest: int, dialect: EngineDialect, power: int = 1) -> str:
    """Write the whole part of log2 of an integer, or of its square; at most the highest bin, NULL for one below 1."""
    limited = (
        f"CAST(least({number}, {1 << (highest + 1) // power + 1}) AS {dialect.wide_integer})"  # no square overflows
    )
    log = f"{dialect.bit_length.format(' * '.join([limited] * power))} - 1"
    if dialect.small_log2:  # in a third of the time
        small = dialect.small_log2.format(" * ".join([f"CAST({number} AS DOUBLE)"] * power))
        log = f"CASE WHEN {number} < {1 << SMALL_BITS // power} THEN {small} ELSE {log} END"
    return f"CASE WHEN {number} >= 1 THEN least({highest}, {log}) END"


def _bisected(is_below: str, ends: Sequence[int], first: int) -> str:
    """Write a binary search over the bins from `first` on; the unit is known to be in one of them."""
    if len(ends) == 1:
        return str(first)
    middle = len(ends) // 2
    below, above = _bisected(is_below, ends[:middle], first), _bisected(is_below, ends[middle:], first + middle)
    return f"CASE WHEN {is_below.format(ends[middle])} THEN {below} ELSE {above} END"


def _sums_by_bin(numbers: Sequence[str], units: str) -> str:
    """Write the sum, over the units in each bin, of one number for each column of bins b<h>: k0, and w<h>."""
    histograms = range(len(numbers))
    bins = " ".join(f"WHEN {h} THEN b{h}" for h in histograms)
    rows = f"{units} CROSS JOIN (VALUES {', '.join(f'({h})' for h in histograms)}) AS histograms(h)"
    totals = ", ".join(
        f"CAST(sum(CASE WHEN h = {h} THEN {number} ELSE 0 END) AS BIGINT) AS w{h}" for h, number in enumerate(numbers)
    )
    binned = f"SELECT *, CASE h {bins} END AS bin FROM {rows}"
    return f"SELECT CAST(bin AS BIGINT) AS k0, {totals} FROM ({binned}) AS binned WHERE bin IS NOT NULL GROUP BY 1"
