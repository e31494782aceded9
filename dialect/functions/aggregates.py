"""Allow-list of aggregates: where each may be used, and its SQL over one person's, public and released rows.

`per_person_form` is the deterministic DuckDB form for groups of one person's rows; `released_form` is the form for
released and public rows. At a release point no SQL aggregate is used: query vectors are
(`dialect.algebra.release_plan`).

The parser's nodes are mapped to names here. MOMENTS lists the sums of products about public centres from which
variance, deviation, covariance, correlation and regression are computed. Terms:

    form        SQL template: {0}, {1} are arguments, {order} the ORDER BY terms, {where} FILTER and OVER
    suffix      FILTER and OVER clause, appended to a call or filled into {where}
    ties        rows that are equal by the aggregate's own order; broken by a hash, then by the value (`tie_order`)
    directions  sort directions of the aggregate's ORDER BY, whose keys are the last arguments
    grain       unit of the fixed-point integers in which doubles are added, so that the row order does not matter
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Expr
from dialect.algebra.relations import SortDirection
from dialect.algebra.value_ranges import UNKNOWN, is_bounded
from dialect.catalog.model import Bounds, SqlType
from dialect.functions.inference import range_of
from dialect.functions.tie_order import TieOrder

AGGREGATE_NODES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.CountIf: "count_if",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.ArgMin: "arg_min",
    exp.ArgMax: "arg_max",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.Median: "median",
    exp.PercentileCont: "quantile_cont",
    exp.PercentileDisc: "quantile_disc",
    exp.Quantile: "quantile_disc",
    exp.Mode: "mode",
    exp.AnyValue: "any_value",
    exp.First: "first",
    exp.Last: "last",
    exp.ArrayAgg: "list",
    exp.GroupConcat: "string_agg",
    exp.BitwiseAndAgg: "bit_and",
    exp.BitwiseOrAgg: "bit_or",
    exp.BitwiseXorAgg: "bit_xor",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
    exp.CovarSamp: "covar_samp",
    exp.CovarPop: "covar_pop",
    exp.Corr: "corr",
    exp.RegrSlope: "regr_slope",
    exp.RegrIntercept: "regr_intercept",
}

# aggregates that the parser has no node for
UNTYPED_AGGREGATES = {
    "product", "entropy", "list", "string_agg", "histogram", "kurtosis", "skewness", "favg", "fsum", "bitstring_agg",
    "mad", "mean", "geomean", "sum_no_overflow", "sumkahan", "kahan_sum", "arbitrary", "approx_top_k",
    "reservoir_quantile",
}  # fmt: skip


MAX_FACTOR_MAGNITUDE = 1.5e12  # max |value| of a product's factor: products of centred values stay below 1e25


@dataclass(frozen=True)
class MomentSpec:
    """Sums of products that a second-moment statistic is computed from."""

    argument_count: int
    product_pairs: tuple[tuple[int, int], ...]  # index pairs of the arguments that are multiplied
    min_values: int  # NULL for fewer values


MOMENTS: Mapping[str, MomentSpec] = {
    "var_pop": MomentSpec(1, ((0, 0),), 1),
    "var_samp": MomentSpec(1, ((0, 0),), 2),
    "stddev_pop": MomentSpec(1, ((0, 0),), 1),
    "stddev_samp": MomentSpec(1, ((0, 0),), 2),
    "covar_pop": MomentSpec(2, ((0, 1),), 1),
    "covar_samp": MomentSpec(2, ((0, 1),), 2),
    "corr": MomentSpec(2, ((0, 1), (0, 0), (1, 1)), 1),
    "regr_slope": MomentSpec(2, ((0, 1), (1, 1)), 1),
    "regr_intercept": MomentSpec(2, ((0, 1), (1, 1)), 1),
}


def products_fit(ranges: Sequence[Bounds], stated: Bounds | None) -> bool:
    """Return whether the ranges of arguments are known and narrow enough that their products fit.

    `stated` are bounds stated in the query, which replace the range of each argument.
    """
    return all(_is_narrow(each, stated) for each in ranges)


def _is_narrow(bounds: Bounds, stated: Bounds | None) -> bool:
    """Return whether a range, or the stated bounds in its place, is known and within MAX_FACTOR_MAGNITUDE."""
    if stated is None and not is_bounded(bounds):
        return False
    ends = bounds if stated is None else stated
    return max(abs(ends.lower), abs(ends.upper)) <= MAX_FACTOR_MAGNITUDE


def integer_bounds(bounds: Bounds, type_: SqlType) -> Bounds:
    """Round the range of an integer type outward to integers; a DOUBLE's range stays as it is."""
    if type_ is SqlType.DOUBLE:
        return bounds
    return Bounds(float(int(bounds.lower // 1)), float(-int(-bounds.upper // 1)))


def moments_range(name: str, arguments: Sequence[Expr]) -> Bounds:
    """Range of a second-moment statistic over one person's values.

    A variance is at most width^2 / 4 (Popoviciu), a covariance at most the product of both deviations (Cauchy-Schwarz);
    the sample forms divide by n - 1, which at most doubles it. One argument: `widths[-1]` is the same as `widths[0]`.
    """
    ranges = [range_of(argument) for argument in arguments]
    if name == "corr":
        return Bounds(-1.0, 1.0)
    if name.startswith("regr") or not all(map(is_bounded, ranges)):
        return UNKNOWN
    widths = [each.upper - each.lower for each in ranges]
    product = widths[0] * widths[-1] / (2 if name.endswith("samp") else 4)
    if name.startswith("covar"):
        return Bounds(-product, product)
    return Bounds(0.0, math.sqrt(product) if name.startswith("stddev") else product)


_I, _D, _B, _T = SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN, SqlType.VARCHAR
NO_TEMPLATE = ""  # no template: written by _fixed_point, _arg_extreme or _in_value_order
_ORDER_SENSITIVE = {
    *MOMENTS,
    "product",
    "sum_distinct",
    "avg_distinct",
}  # the order of additions would change the result


@dataclass(frozen=True)
class Aggregate:
    """One allowed aggregate and its SQL forms."""

    name: str
    argument_count: int
    result: SqlType | None  # None: the type of the first argument
    per_person_form: str | None  # template over one person's rows; None: not allowed there; NO_TEMPLATE: by code
    released_form: str  # template over released or public rows, or NO_TEMPLATE
    is_releasable: bool = False  # allowed at a release point


def _with_one_form(
    name: str, argument_count: int, result: SqlType | None, form: str, is_releasable: bool = False
) -> Aggregate:
    """Declare an aggregate with the same SQL form over one person's, public and released rows."""
    return Aggregate(name, argument_count, result, form, form, is_releasable)


# interpolating between infinities of both signs gives NaN. DuckDB drops a NaN test on a column known to have none, but
# not on a sum
_NAN_TO_NULL = "nullif({f} + CAST(0 AS DOUBLE), CAST('nan' AS DOUBLE))"
MAX_JOINED_LENGTH = 1_000  # limit on the characters of a joined text, and on its parts
_JOINED = (
    f"left(array_to_string(list_slice(list(left({{0}}, {MAX_JOINED_LENGTH}) ORDER BY {{order}}){{where}}, 1,"
    f" {MAX_JOINED_LENGTH}),"
    f" {{1}}), {MAX_JOINED_LENGTH})"
)

AGGREGATES: dict[str, Aggregate] = {
    a.name: a
    for a in (
        Aggregate("count_star", 0, _I, "count(*)", "count(*)", True),
        Aggregate("count", 1, _I, "count({0})", "count({0})", True),
        Aggregate("count_distinct", 1, _I, "count(DISTINCT {0})", "count(DISTINCT {0})", True),
        Aggregate("count_if", 1, _I, None, "count_if({0})"),  # over people, bound as count_star with a FILTER
        Aggregate("sum", 1, None, NO_TEMPLATE, "sum({0})", True),
        Aggregate("avg", 1, _D, NO_TEMPLATE, "avg({0})", True),
        Aggregate("min", 1, None, "min({0})", "min({0})", True),  # at a release point, numbers only
        Aggregate("max", 1, None, "max({0})", "max({0})", True),
        Aggregate("arg_min", 2, None, NO_TEMPLATE, "arg_min({0}, {1})"),
        Aggregate("arg_max", 2, None, NO_TEMPLATE, "arg_max({0}, {1})"),
        Aggregate("bool_and", 1, _B, "bool_and({0})", "bool_and({0})"),
        Aggregate("bool_or", 1, _B, "bool_or({0})", "bool_or({0})"),
        _with_one_form("median", 1, _D, _NAN_TO_NULL.replace("{f}", "median({0}){where}"), True),
        _with_one_form("quantile_cont", 2, _D, _NAN_TO_NULL.replace("{f}", "quantile_cont({0}, {1}){where}"), True),
        _with_one_form("quantile_disc", 2, None, "quantile_disc({0}, {1})", True),
        _with_one_form("mode", 1, None, "mode({0} ORDER BY {order})"),  # ties in frequency: the first in this order
        _with_one_form("any_value", 1, None, "min({0})"),
        _with_one_form("first", 1, None, "first({0} ORDER BY {order})"),
        _with_one_form("last", 1, None, "last({0} ORDER BY {order})"),
        _with_one_form("list", 1, None, "list({0} ORDER BY {order})"),
        _with_one_form("list_distinct", 1, None, "list(DISTINCT {0} ORDER BY {0})"),
        _with_one_form("string_agg", 2, _T, _JOINED),
        _with_one_form("bit_and", 1, _I, "bit_and({0})"),
        _with_one_form("bit_or", 1, _I, "bit_or({0})"),
        _with_one_form("bit_xor", 1, _I, "bit_xor({0})"),
        _with_one_form("product", 1, _D, NO_TEMPLATE),
        _with_one_form("sum_distinct", 1, None, NO_TEMPLATE),
        _with_one_form("avg_distinct", 1, _D, NO_TEMPLATE),
        *(Aggregate(name, m.argument_count, _D, NO_TEMPLATE, NO_TEMPLATE, True) for name, m in MOMENTS.items()),
    )
}


def per_person_sql(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    grain: int,
    window: str = "",
    directions: Sequence[SortDirection] = (),
    ties: TieOrder | None = None,
) -> str:
    """Write an aggregate over one person's rows in DuckDB, independent of threads and row order.

    `condition` is the FILTER, `grain` the number of grains per unit (`grains_per_unit`), `window` an OVER clause.
    `ties` orders rows that are equal by the aggregate's own order, or values of equal frequency: it applies to MODE
    without ORDER BY, and to other aggregates with one; without ORDER BY, these order by the value itself.
    """
    suffix = _filter_clause(condition) + window
    if aggregate.name in {"sum", "avg"}:
        return _fixed_point(aggregate.name, arguments[0], types[0], suffix, grain)
    if aggregate.name in {"arg_min", "arg_max"}:
        return _arg_extreme(
            aggregate.name, arguments, condition, None if ties is None else ties.hash_of(arguments[0], types[0])
        )
    if aggregate.name in _ORDER_SENSITIVE:
        return _in_value_order(aggregate.name, arguments, types, condition)
    assert aggregate.per_person_form  # noqa: S101  the binder refuses the others
    tie_terms = (
        ties.order_terms(arguments[0], types[0])
        if ties is not None and bool(directions) != (aggregate.name == "mode")
        else None
    )
    return _fill_form(aggregate.per_person_form, aggregate, arguments, suffix, directions, tie_terms)


def public_sql(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    directions: Sequence[SortDirection] = (),
) -> str:
    """Write an aggregate over public rows deterministically: doubles are added in sorted order.

    There is no person to hash: ties are broken by the value.
    """
    where = _filter_clause(condition)
    if aggregate.name in {"arg_min", "arg_max"}:
        return _arg_extreme(aggregate.name, arguments, condition)
    if aggregate.name in {"sum", "avg"} and types[0] is SqlType.DOUBLE:
        return f"list_aggregate(list_sort(list({arguments[0]}){where}), '{aggregate.name}')"
    return released_sql(aggregate, arguments, types, condition, directions=directions)


def released_sql(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    window: str = "",
    directions: Sequence[SortDirection] = (),
) -> str:
    """Write an aggregate over released or public rows; `window` is an OVER clause.

    A sum of integers beyond 64 bits is NULL.
    """
    if aggregate.name in _ORDER_SENSITIVE:
        return _in_value_order(aggregate.name, arguments, types, condition, window)
    written = _fill_form(aggregate.released_form, aggregate, arguments, _filter_clause(condition) + window, directions)
    return f"TRY_CAST({written} AS BIGINT)" if aggregate.name == "sum" and types[0] is SqlType.BIGINT else written


def _fill_form(
    form: str,
    aggregate: Aggregate,
    arguments: Sequence[str],
    suffix: str,
    directions: Sequence[SortDirection],
    tie_terms: Sequence[str] | None = None,
) -> str:
    """Fill in an aggregate's SQL form. Ties in its ORDER BY are broken by `tie_terms`, else by the value itself.

    The last arguments are sort keys, one for each of `directions`. More value arguments than the aggregate has are a
    tuple, as in COUNT(DISTINCT (a, b)).
    """
    value_arguments, order_arguments = (
        arguments[: len(arguments) - len(directions)],
        arguments[len(arguments) - len(directions) :],
    )
    if len(value_arguments) > aggregate.argument_count:
        value_arguments = [f"({', '.join(value_arguments)})"]  # a tuple argument
    order_terms = [
        f"{each} {'DESC' if how.descending else 'ASC'} NULLS {'FIRST' if how.nulls_first else 'LAST'}"
        for each, how in zip(order_arguments, directions, strict=True)
    ]
    order = ", ".join([*order_terms, *(value_arguments[:1] if tie_terms is None else tie_terms)])
    call = form.format(*value_arguments, order=order, where=suffix)
    return call if "{where}" in form else call + suffix


def _filter_clause(condition: str | None) -> str:
    """Write FILTER, or nothing without a condition."""
    return f" FILTER (WHERE {condition})" if condition else ""


def _fixed_point(name: str, argument: str, kind: SqlType, suffix: str, grain: int) -> str:
    """Write SUM or AVG over one person's rows: exact sums of integers, in 128 bits.

    Doubles are rounded to `grain` grains per unit; values that do not fit 64 bits are left out of sum and count. A sum
    of integers beyond 64 bits is NULL, but a mean of them is not.
    """
    if kind is SqlType.DOUBLE:
        counted_value = (
            f"TRY_CAST(round({argument} * {grain}) AS BIGINT)"  # the mean's count excludes what its sum excludes
        )
        total = f"CAST(sum({counted_value}){suffix} AS DOUBLE) / {grain}"
    else:
        total, counted_value = f"sum({argument}){suffix}", argument  # 128 bits: the mean fits where the sum does not
        total = f"TRY_CAST({total} AS BIGINT)" if name == "sum" else total
    if name == "sum":
        return total
    mean = f"(CAST({total} AS DOUBLE) / nullif(count({counted_value}){suffix}, 0))"
    return mean if kind is not SqlType.DOUBLE else _exact_if_constant(argument, suffix, mean)


def _exact_if_constant(argument: str, suffix: str, mean: str) -> str:
    """Write a mean that is exact where all values are equal; fixed-point rounding would shift it otherwise."""
    least, greatest = (f"{end}({argument}){suffix}" for end in ("min", "max"))
    return f"CASE WHEN {least} = {greatest} AND isfinite({least}) THEN {least} + CAST(0 AS DOUBLE) ELSE {mean} END"


def _arg_extreme(name: str, arguments: Sequence[str], condition: str | None, tie_hash: str | None = None) -> str:
    """Write arg_min or arg_max as MIN or MAX of (order, hash, value), so that ties have one result.

    Structs are compared field by field: `o` the order, `h` the tie-breaking hash, left out where there is none, `v` the
    value.
    """
    value, order = arguments
    tests = [f"{value} IS NOT NULL", f"{order} IS NOT NULL"] + ([condition] if condition else [])
    extreme = "min" if name == "arg_min" else "max"
    hash_field = "" if tie_hash is None else f"h := {tie_hash}, "
    pair = f"struct_pack(o := {order}, {hash_field}v := {value})"
    return f"struct_extract({extreme}({pair}) FILTER (WHERE {' AND '.join(tests)}), 'v')"


def _in_value_order(
    name: str, arguments: Sequence[str], types: Sequence[SqlType], condition: str | None, window: str = ""
) -> str:
    """Write an aggregate that adds doubles in sorted order, so that equal multisets give equal results.

    Over a window the frame's order decides; such windows occur over released rows only. Values with squares beyond a
    double are excluded, and a result that is not finite is NULL (dialect/codegen/proofs.md#ordered-statistics). A sum
    of distinct integers beyond 64 bits is NULL.
    """
    finite_tests = [
        f"{a} BETWEEN -1e150 AND 1e150" for a, kind in zip(arguments, types, strict=True) if kind is SqlType.DOUBLE
    ]
    tests = [test for test in (condition, *dict.fromkeys(finite_tests)) if test is not None]
    where = f" FILTER (WHERE {' AND '.join(f'({test})' for test in tests)})" if tests else ""
    function, distinct = name.removesuffix("_distinct"), "DISTINCT " if name.endswith("_distinct") else ""
    order = "" if window else f" ORDER BY {', '.join(arguments)}"
    call = f"{function}({distinct}{', '.join(arguments)}{order}){where}{window}"
    if function == "sum" and types[0] is not SqlType.DOUBLE:
        return f"TRY_CAST({call} AS BIGINT)"
    return f"CASE WHEN isfinite({call}) THEN {call} END"


def grains_per_unit(value: Expr) -> int:
    """Choose the grains per unit for fixed-point sums of a double: fine, and far from overflowing 64 bits.

    A power of two from 2^0 to 2^30, chosen so that values stay below 2^50 grains; 2^20 where the range is unknown.
    """
    bounds = range_of(value)
    if not is_bounded(bounds):
        return 1 << 20
    largest = max(abs(bounds.lower), abs(bounds.upper), 1.0)
    return 1 << max(0, min(30, 50 - int(largest).bit_length()))


def aggregate_range(aggregate: Aggregate, arguments: Sequence[Expr], max_rows: int) -> Bounds | None:
    """Range of an aggregate over one person's rows, of which there are at most `max_rows`.

    None where the result is not a number. Other aggregates than those listed (MIN, AVG, MODE, quantiles, ...) return a
    value between the smallest and the largest one.
    """
    if aggregate.name.startswith("count"):
        return Bounds(0, max_rows)
    if not arguments or aggregate.result is _B:
        return None
    if aggregate.name in MOMENTS:
        return moments_range(aggregate.name, arguments)
    if aggregate.name in {"product", "bit_and", "bit_or", "bit_xor"}:
        return UNKNOWN
    bounds = range_of(arguments[0])
    if aggregate.name in {"sum", "sum_distinct"}:
        return (
            Bounds(min(0.0, bounds.lower * max_rows), max(0.0, bounds.upper * max_rows))
            if is_bounded(bounds)
            else UNKNOWN
        )
    return bounds
