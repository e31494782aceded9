"""Clipping: a person's exact number in one group, as SQL over integer grains (`dialect/codegen/proofs.md#render`).

Terms:

    unit             privacy unit: a person, or a person and privacy window; its columns are `person` and `win`
    partial          exact number of one unit in one group, before clipping
    value grain      fixed-point unit of a vector: 2^-value_bits of the value's unit (value_bits of its VectorBound)
    released grain   unit of released integers: 2^-fraction_bits of a value grain
    cap              limit of a partial that only keeps its square within 64 bits; far above the clip bound
    stated bounds    bounds of a partial that the query itself declares (`QueryVector.partial_bounds`)
    scale group      vectors that share one clipping factor per person

COUNT(DISTINCT x) across people: each person's values are truncated to m by hash, then counted exactly. Truncation reads
that person's own rows alone (`dialect/codegen/proofs.md#different-values`). CTEs:

    distinct_values   one row per (person, group, value), normalised; columns: unit, k0, ..., and x0, ... of the value
    truncated_values  the same, at most m of each (person, group), of at most L0 groups
    distinct_counts   one row per group: no person is left

Group truncation: at most L0 groups per unit; the groups of a unit with more are chosen by hash. CTEs over
`unit_partials`, which has one row per (unit, group):

    units_over_limit    units with more than L0 groups, as columns u0, ...
    truncated_partials  all groups of the other units, and the first L0 of these by hash (`row_rank`: a group's rank)

`m` is max_values and L0 is max_groups of the vector's bound.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from dialect.algebra.codegen_types import Subquery
from dialect.algebra.expressions import Field, Literal
from dialect.algebra.release_plan import (
    MAX_PARTIAL_GRAINS,
    ClipRule,
    ContributionBounds,
    Factor,
    PrivatePlan,
    QueryVector,
    VectorBound,
    VectorKind,
)
from dialect.catalog.model import Eligibility, SqlType
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, MAX_SMALL_SUMMAND, SMALL_SUM, EngineDialect, hash_order
from dialect.codegen.relations.relation import first_rows, units_over_limit
from dialect.codegen.stored_rows import join_admitted
from dialect.functions.emitter import quote_literal

ROUNDING_MARGIN = (
    "(1 - 1 / 281474976710656)"  # 1 - 2^-48: a margin, so that no rounding can lift a vector above its clip bound
)
MAX_UNSQUARED_GRAINS = 2**63 - 1  # cap where no squares are computed


def aggregated_vectors(plan: PrivatePlan, bounds: ContributionBounds) -> list[tuple[int, QueryVector, VectorBound]]:
    """List the vectors that have a partial aggregate, in a column v<i>: (index in the plan, vector, its bound).

    Vectors that are always 1, or counted across people (DISTINCT), have none.
    """
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    return [(i, v, bound) for i, (v, bound) in pairs if v.kind is not VectorKind.DISTINCT and not v.is_selection_vector]


def partial_aggregate(
    vector: QueryVector, bound: VectorBound, is_grained: bool = False, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write a per-unit partial aggregate in value grains; `is_grained` if the value is in value grains already.

    NULL where a unit has no value to sum, or where a person count has no row. A sum uses the narrow SUM if the largest
    contribution of one row, in value grains, is so small that 64 bits cannot overflow.
    """
    where = f" FILTER (WHERE {vector.condition.id})" if vector.condition is not None else ""
    value = None if vector.value is None else vector.value.id
    if vector.kind is VectorKind.PERSONS:
        return f"CASE WHEN count({value or '*'}){where} > 0 THEN CAST(1 AS BIGINT) END"
    if vector.kind is VectorKind.ROWS:
        return f"count({value or '*'}){where}"
    if vector.kind is VectorKind.VALID:
        double = vector.value is not None and vector.value.type is SqlType.DOUBLE
        counted = f"CASE WHEN {dialect.is_finite.format(value)} THEN 1 END" if double else str(value)
        return f"count({counted}){where}"
    template = SMALL_SUM if vector.magnitude * 2.0**bound.value_bits <= MAX_SMALL_SUMMAND else dialect.wide_sum
    return template.format(value if is_grained else value_grains(vector, bound, dialect)) + where


def sum_template(plan: PrivatePlan, bound: VectorBound, dialect: EngineDialect) -> str:
    """Return the SUM template for sums over units: BIGINT where overflow is impossible, else a wider type."""
    is_small = bound.sensitivity <= MAX_SMALL_SUMMAND and plan.charged_windows.window_field is None
    return SMALL_SUM if is_small else dialect.wide_sum


def value_grains(vector: QueryVector, bound: VectorBound, dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Write one row's value in value grains: clamped to [lower, upper], minus the centre, rounded.

    Integers use integer arithmetic if a grain is at least one unit; products have a form of their own
    (`_product_grains`). Each comparison is with finite bounds, so NULL, NaN and infinities satisfy none of them and
    give NULL. Values beyond a bound get its grains as a constant: computed from them, the expression could overflow.
    """
    assert vector.value is not None  # noqa: S101  sums have a value
    if vector.factor is not None:
        return _product_grains(vector, vector.value, vector.factor, bound, dialect)
    value, grains_per_unit = vector.value.id, 2.0**bound.value_bits
    low, high = (round((end - vector.centre) * grains_per_unit) for end in (vector.lower, vector.upper))
    if vector.value.type is not SqlType.DOUBLE and bound.value_bits <= 0:
        return _integer_grains(vector, value, bound, dialect)
    # of a DOUBLE, or of an integer with fractional grains
    lower_end, upper_end, largest_double = (_double(end) for end in (vector.lower, vector.upper, sys.float_info.max))
    centred = f"({value} - {_double(vector.centre)})" if vector.centre else value
    exact = dialect.rounded.format(f"{centred} * {_double(grains_per_unit)}")
    above = f"WHEN {value} BETWEEN {upper_end} AND {largest_double} THEN {high}"
    below = f"WHEN {value} BETWEEN -{largest_double} AND {lower_end} THEN {low}"
    return f"CASE WHEN {value} BETWEEN {lower_end} AND {upper_end} THEN {exact} {above} {below} END"


def _integer_grains(
    vector: QueryVector, value: str, bound: VectorBound, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write an integer value's grains in integer arithmetic; value_bits is at most 0.

    A grain is 2^-value_bits units. Division truncates towards zero, so that no value exceeds the bound. 128-bit
    integers only where value minus centre could exceed 64 bits.
    """
    lower, upper, centre = int(vector.lower), int(vector.upper), int(vector.centre)
    divisor = 1 << -bound.value_bits
    low, high = (_towards_zero(end - centre, divisor) for end in (lower, upper))
    wide = max(abs(lower), abs(upper)) + abs(centre) >= 2**62
    exact = f"CAST({value} AS {dialect.wide_integer if wide else 'BIGINT'})" + (f" - {centre}" if centre else "")
    exact = dialect.quotient.format(f"({exact})", divisor) if divisor > 1 else exact
    ends = f"WHEN {value} > {upper} THEN {high} WHEN {value} < {lower} THEN {low}"
    return f"CASE WHEN {value} BETWEEN {lower} AND {upper} THEN {exact} {ends} END"


def _product_grains(
    vector: QueryVector, value: Field, factor: Factor, bound: VectorBound, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write the grains of a product of two clamped and centred values; NULL unless both are finite.

    Integers stay exact, in a wide type, because a product of two 64-bit numbers needs more than 64 bits.
    """
    first = Factor(value, vector.lower, vector.upper, vector.centre)
    is_integer = vector.is_integer and bound.value_bits <= 0
    first_difference, second_difference = (
        _centred_value(side, dialect.wide_integer if is_integer else None) for side in (first, factor)
    )
    exact = f"{first_difference} * {second_difference}"
    if vector.offset:
        exact = f"({exact} - {int(vector.offset) if is_integer else _double(vector.offset)})"
    if is_integer:
        divisor = 1 << -bound.value_bits
        rounded = f"CAST({dialect.quotient.format(f'({exact})', divisor) if divisor > 1 else exact} AS BIGINT)"
    else:
        rounded = dialect.rounded.format(f"{exact} * {_double(2.0**bound.value_bits)}")
    usable = " AND ".join(dict.fromkeys(_is_finite_test(side.value) for side in (first, factor)))
    return f"CASE WHEN {usable} THEN {rounded} END"


def _centred_value(factor: Factor, wide_integer: str | None) -> str:
    """Write a clamped and centred value: in a wide integer type if one is passed, else as DOUBLE.

    NULL, NaN and infinities are the caller's to exclude.
    """
    is_integer = wide_integer is not None
    type_name, convert = (wide_integer, int) if is_integer else ("DOUBLE", float)
    low, high, centre = (convert(end) for end in (factor.lower, factor.upper, factor.centre))
    value = f"CAST({factor.value.id} AS {type_name})"
    low_end, high_end, centre_text = (str(end) if is_integer else _double(float(end)) for end in (low, high, centre))
    clamped_value = (
        f"CASE WHEN {value} > {high_end} THEN {high_end} WHEN {value} < {low_end} THEN {low_end} ELSE {value} END"
    )
    return f"({clamped_value} - {centre_text})" if centre else f"({clamped_value})"


def _is_finite_test(value: Field) -> str:
    """Write a test that NULL, NaN and infinities fail."""
    largest_double = _double(sys.float_info.max)
    if value.type is SqlType.DOUBLE:
        return f"{value.id} BETWEEN -{largest_double} AND {largest_double}"
    return f"{value.id} IS NOT NULL"


def _towards_zero(value: int, divisor: int) -> int:
    """Divide integers, truncated towards zero as SQL engines do; Python's `//` rounds down."""
    return value // divisor if value >= 0 else -(-value // divisor)


def _double(value: float) -> str:
    """Write a number as a DOUBLE literal."""
    return quote_literal(Literal(value, SqlType.DOUBLE))


def capped_numbers(plan: PrivatePlan, bounds: ContributionBounds) -> list[str]:
    """Write the cap of each partial aggregate of a plan, in its column v<i>."""
    return [capped_partial(f"v{i}", vector, bound) for i, vector, bound in aggregated_vectors(plan, bounds)]


def capped_partial(column: str, vector: QueryVector, bound: VectorBound) -> str:
    """Write the cap of a partial aggregate: its square must fit 64 bits, or it alone if nothing is squared.

    The column keeps its name. Bounds of partials that the query states are applied here, instead of the plain cap.
    """
    if vector.kind is VectorKind.PERSONS:
        return column  # 1 or NULL
    if vector.partial_bounds is not None:
        return f"CAST({_within_stated_bounds(column, vector, bound)} AS BIGINT) AS {column}"
    largest = _cap(bound)
    if vector.kind in (VectorKind.ROWS, VectorKind.VALID):
        return f"least({column}, {largest}) AS {column}"
    # GREATEST and LEAST ignore NULL, but a person without a value must stay NULL
    return f"CAST({clamped(column, largest)} AS BIGINT) AS {column}"


def _cap(bound: VectorBound) -> int:
    """Return the cap of a partial aggregate, in value grains."""
    return MAX_PARTIAL_GRAINS if bound.rule is not ClipRule.UNCLIPPED else MAX_UNSQUARED_GRAINS


def _within_stated_bounds(column: str, vector: QueryVector, bound: VectorBound) -> str:
    """Write a partial aggregate clamped to the bounds stated in the query; an empty one stays empty.

    A sum without values is NULL. Other kinds are 0 without values, which must not be raised to a lower bound above 0.
    """
    cap = _cap(bound)  # the square of a stated bound far beyond the clip bound would exceed 64 bits
    low, high = (max(-cap, min(cap, end)) for end in vector.partial_bounds_in_grains(bound.value_bits))
    keep_zero = "" if vector.kind is VectorKind.SUM else f"WHEN {column} = 0 THEN 0 "
    return f"CASE {keep_zero}WHEN {column} > {high} THEN {high} WHEN {column} < {low} THEN {low} ELSE {column} END"


def clamped(column: str, largest: int, clamped_value: int | None = None, step: int = 1) -> str:
    """Write an integer clamped to +-`largest` and scaled to grains of 1 / step; NULL stays NULL.

    `clamped_value` is what a clamped number becomes, in the finer grains (a clip bound need not be a whole number of
    the coarser ones); without it, `largest`.
    """
    clamped_value, scaled = (
        largest if clamped_value is None else clamped_value,
        column if step == 1 else f"{column} * {step}",
    )
    return (
        f"CASE WHEN {column} > {largest} THEN {clamped_value} WHEN {column} < -{largest} THEN -{clamped_value}"
        f" ELSE {scaled} END"
    )


def scale_groups(plan: PrivatePlan, bounds: ContributionBounds) -> list[list[int]]:
    """Group the indices of vectors with rule SCALE by scale group, in order of scale groups."""
    groups: dict[int, list[int]] = {}
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if bound.rule is ClipRule.SCALE:
            groups.setdefault(vector.scale_group, []).append(i)
    return [members for _, members in sorted(groups.items())]


def partials_cte(bounds: ContributionBounds) -> str:
    """Return the CTE with the partial aggregates to sum: after group truncation where there is one."""
    return "unit_partials" if bounds.max_groups is None else "truncated_partials"


def has_single_row_units(plan: PrivatePlan, bounds: ContributionBounds) -> bool:
    """Return whether each unit has at most one row of partial aggregates, so that its norm is that row's value.

    With group truncation, units are read from `truncated_partials`, and this shortcut is not taken.
    """
    return plan.is_single and bounds.max_groups is None


def clipping_factors(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    admission: Eligibility | None,
    dialect: EngineDialect = DUCKDB_DIALECT,
    measures: str = "",
    sums: Iterable[str] = (),
) -> str:
    """Write clipping factors: per unit, min(1, C / L2 norm), the smallest within a scale group, in released grains.

    `measures` = a CTE that already has one row per admitted unit, with the sum of squares of vector i in squares<i>;
    `sums` = further columns of a unit.

    Column f<i> multiplies a partial in value grains to give released grains. Where a unit has one row of partial
    aggregates, that row gets the factors as columns. A vector that is always 1 is its factor, truncated to an integer.
    """
    is_single_row, columns, of_ratios = has_single_row_units(plan, bounds), list[str](), list[str]()
    for group, indices in enumerate(scale_groups(plan, bounds)):
        squares = {i: _sum_of_squares(i, plan.vectors[i], dialect, is_single_row) for i in indices}
        squares = {i: f"squares{i}" for i in indices} if measures else squares
        ratios = [_clipping_ratio(squares[i], bounds.vectors[i]) for i in indices]
        smallest, written = ratios[0], columns
        if len(indices) > 1:  # written once, as the plan of each takes its time
            columns.append(f"least({', '.join(ratios)}) AS ratio{group}")
            smallest, written = f"ratio{group}", of_ratios
        for i in indices:
            factor = f"{smallest} * {2 ** bounds.vectors[i].fraction_bits}"
            factor = dialect.truncated.format(factor) if plan.vectors[i].is_selection_vector else factor
            written.append(f"{factor} AS f{i}")
    unit, columns = ", ".join(plan.unit_columns), [*columns, *sums]
    factors = f"SELECT {unit}, {', '.join(columns)} FROM {measures or partials_cte(bounds)}"
    if is_single_row:
        factors = f"SELECT *, {', '.join(columns)} FROM unit_partials"
    elif not measures:
        factors += f" GROUP BY {unit}"
    if of_ratios:
        factors = f"SELECT *, {', '.join(of_ratios)} FROM ({factors}) AS ratios"
    return factors if admission is None else f"SELECT * FROM {join_admitted(f'({factors}) AS f', admission, dialect)}"


def _sum_of_squares(i: int, vector: QueryVector, dialect: EngineDialect, is_single_row: bool) -> str:
    """Write the exact sum of squares of a vector over the groups of one unit, in value grains.

    With one row per unit, it is that row's square. A vector that is always 1 has its number of groups.
    """
    if is_single_row:
        return "1" if vector.is_selection_vector else f"v{i} * v{i}"  # below 2^62
    return "count(*)" if vector.is_selection_vector else dialect.sum_of_squares.format(f"v{i}")


def _clipping_ratio(squares: str, bound: VectorBound) -> str:
    """Write min(1, C / norm) from the exact sum of squares, with a margin that absorbs every rounding error.

    The comparison with C^2 is in integers, so that no unit within the bound is scaled.
    """
    clip_bound = (
        f"CAST({bound.clip_bound_grains} AS DOUBLE) / {1 << bound.fraction_bits}"  # exact: a division by a power of two
    )
    if bound.clip_bound_value_grains << bound.fraction_bits == bound.clip_bound_grains:
        clip_bound = f"CAST({bound.clip_bound_value_grains} AS DOUBLE)"
    clipped_ratio = f"{clip_bound} / sqrt(CAST({squares} AS DOUBLE)) * {ROUNDING_MARGIN}"
    return f"CASE WHEN {squares} > {bound.squared_clip_bound} THEN {clipped_ratio} ELSE CAST(1 AS DOUBLE) END"


def combine_windows(
    plan: PrivatePlan, source: str, weights: Mapping[int, str], dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write one row per (person, group) over a person's privacy windows: columns k0, ... and w0, ....

    Person counts take the maximum, because a person in several windows counts once; other vectors are added. `weights`
    maps a vector's index to the SQL of its clipped contribution.
    """
    by = ", ".join(["person", *plan.key_columns])
    person_counts = {i for i in weights if plan.vectors[i].kind is VectorKind.PERSONS}
    combined = {
        i: f"max({weight})" if i in person_counts else dialect.wide_sum.format(weight) for i, weight in weights.items()
    }
    columns = ", ".join(f"{weight} AS w{i}" for i, weight in combined.items())
    return f"SELECT {by}, {columns} FROM {source} GROUP BY {by}"


def clipped_contribution(
    i: int, plan: PrivatePlan, bounds: ContributionBounds, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write a unit's clipped contribution to one group, in released grains, by the vector's clip rule.

    CLAMP clamps the partial. SCALE multiplies it by the unit's clipping factor, column f<i> of the CTE `clip_factors`,
    which includes the step to released grains. Other rules only convert value grains to released grains.
    """
    bound, step = bounds.vectors[i], 2 ** bounds.vectors[i].fraction_bits
    column = "1" if plan.vectors[i].is_selection_vector else f"v{i}"
    if bound.rule is ClipRule.CLAMP:
        return clamped(column, bound.clip_bound_value_grains, bound.clip_bound_grains, step)
    if bound.rule is ClipRule.SCALE:
        return f"f{i}" if column == "1" else dialect.truncated.format(f"{column} * f{i}")
    return column if step == 1 else str(step) if column == "1" else f"{column} * {step}"


def distinct_values(plan: PrivatePlan, vector: QueryVector, limiting_join: str) -> str:
    """Write one row per unit, group and distinct value; `limiting_join` limits persons and groups.

    NULL is not counted, but a tuple with a NULL in it is, as in SQL's COUNT(DISTINCT (a, b)).
    """
    tuple_fields = [vector.value, *vector.other_values]
    columns = [f"{field.id} AS {name}" for name, field in plan.unit_columns.items()]
    columns += [f"{key.field.id} AS k{i}" for i, key in enumerate(plan.keys)]
    columns += [f"{_normalized(part)} AS x{i}" for i, part in enumerate(tuple_fields) if part is not None]
    tests = [] if vector.other_values or vector.value is None else [f"{vector.value.id} IS NOT NULL"]
    tests += [vector.condition.id] if vector.condition is not None else []
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    return f"SELECT * FROM (SELECT DISTINCT {', '.join(columns)} FROM source{where}) AS v{limiting_join}"


def truncated_values(
    source: str, plan: PrivatePlan, vector: QueryVector, bound: VectorBound, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write the truncation to m values of each unit and group, in at most L0 groups; both by salted hash.

    `row_rank` ranks the values of a group, `group_rank` the groups of a unit. Without limits, all rows.
    """
    group = [*plan.unit_columns, *plan.key_columns]
    value = [f"x{i}" for i in range(1 + len(vector.other_values))]
    limits = (
        ("row_number", group, group + value, "row_rank", bound.max_values),
        ("dense_rank", list(plan.unit_columns), group, "group_rank", bound.max_groups),
    )
    ranks = [
        f"{function}() OVER (PARTITION BY {', '.join(parts)} ORDER BY {hash_order(order, dialect)}) AS {column}"
        for function, parts, order, column, most in limits
        if most is not None
    ]
    tests = [f"{column} BETWEEN 1 AND {most}" for *_, column, most in limits if most is not None]
    if not tests:
        return f"SELECT * FROM {source}"
    return f"SELECT * FROM (SELECT *, {', '.join(ranks)} FROM {source}) AS c WHERE {' AND '.join(tests)}"


def distinct_counts(source: str, plan: PrivatePlan, vector: QueryVector, bound: VectorBound, column: str) -> str:
    """Write one row per group: the number of remaining distinct values, in released grains, as `column`."""
    keys = plan.key_columns
    value = [f"x{i}" for i in range(1 + len(vector.other_values))]
    distinct_rows = f"SELECT DISTINCT {', '.join((*keys, *value))} FROM {source}"
    total = f"count(*) * {2**bound.fraction_bits}" if bound.fraction_bits else "count(*)"
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, f'{total} AS {column}'])} FROM ({distinct_rows}) AS d{by}"


def _normalized(column: Field) -> str:
    """Write a value normalised so that equal values are identical: both zeros, and all NaNs."""
    if column.type is not SqlType.DOUBLE:
        return column.id
    zero, nan = "CAST(0 AS DOUBLE)", "CAST('nan' AS DOUBLE)"
    return f"CASE WHEN {column.id} = 0 THEN {zero} WHEN isnan({column.id}) THEN {nan} ELSE {column.id} END"


def truncate_groups(plan: PrivatePlan, max_groups: int, dialect: EngineDialect) -> list[Subquery]:
    """Write the CTEs that truncate partial aggregates to L0 groups per unit; only units beyond the limit are sorted."""
    if not dialect.rereads_rows:  # the partials would be computed four times
        first = _first_by_hash(plan, max_groups, "unit_partials", dialect)
        return [("truncated_partials", True, f"SELECT * FROM {first}")]
    over_limit, is_same_unit = units_over_limit(plan.unit_columns, "unit_partials", max_groups)
    within_limit = f"SELECT * FROM unit_partials ANTI JOIN units_over_limit ON {is_same_unit}"
    beyond_limit = f"(SELECT * FROM unit_partials SEMI JOIN units_over_limit ON {is_same_unit}) AS b"
    truncated_partials = (
        f"{within_limit} UNION ALL SELECT * EXCLUDE (row_rank)"
        f" FROM {_first_by_hash(plan, max_groups, beyond_limit, dialect)}"
    )
    return [("units_over_limit", True, over_limit), ("truncated_partials", True, truncated_partials)]


def _first_by_hash(plan: PrivatePlan, max_groups: int, rows: str, dialect: EngineDialect) -> str:
    """Write the first L0 rows of each unit, ordered by a hash of the unit and the group alone."""
    order = hash_order([*plan.unit_columns, *plan.key_columns], dialect)
    return first_rows(rows, plan.unit_columns, order, max_groups)
