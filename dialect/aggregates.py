"""The allow-list of aggregates: what each may be used for, and how it is written where rows stay one person's.

`inside` is the deterministic DuckDB form for groups of one person's rows; `over` is the form for released and
public rows. At the release boundary no SQL aggregate is used at all: vectors are (see `dialect.private_plan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect.catalog import Bounds, SqlType
from dialect.expressions import Expr
from dialect.inference import range_of
from dialect.moments import MOMENTS, moments_range
from dialect.ranges import UNKNOWN, known

_I, _D, _B = SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN


@dataclass(frozen=True)
class Aggregate:
    """One allowed aggregate."""

    name: str
    arguments: int
    result: SqlType | None  # None: the type of the first argument
    inside: str | None  # over one person's rows; None: not allowed there
    over: str  # over released or public rows
    at_boundary: bool = False


AGGREGATES: dict[str, Aggregate] = {
    a.name: a
    for a in (
        Aggregate("count_star", 0, _I, "count(*)", "count(*)", True),
        Aggregate("count", 1, _I, "count({0})", "count({0})", True),
        Aggregate("count_distinct", 1, _I, "count(DISTINCT {0})", "count(DISTINCT {0})", True),
        Aggregate("count_if", 1, _I, None, "count_if({0})"),  # read as count_star with a FILTER
        Aggregate("sum", 1, None, "sum", "sum({0})", True),
        Aggregate("avg", 1, _D, "avg", "avg({0})", True),
        Aggregate("min", 1, None, "min({0})", "min({0})", True),  # across people, numbers alone
        Aggregate("max", 1, None, "max({0})", "max({0})", True),
        Aggregate("arg_min", 2, None, "arg_min", "arg_min({0}, {1})"),
        Aggregate("arg_max", 2, None, "arg_max", "arg_max({0}, {1})"),
        Aggregate("bool_and", 1, _B, "bool_and({0})", "bool_and({0})"),
        Aggregate("bool_or", 1, _B, "bool_or({0})", "bool_or({0})"),
        Aggregate("median", 1, _D, None, "median({0})", True),
        Aggregate("quantile_cont", 2, _D, None, "quantile_cont({0}, {1})", True),
        *(Aggregate(name, m.arguments, _D, name, name, True) for name, m in MOMENTS.items()),
    )
}

NODES: dict[type[exp.Expr], str] = {
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

# aggregates that the parser does not know as such
UNTYPED = {
    "product", "entropy", "list", "string_agg", "histogram", "kurtosis", "skewness", "favg", "fsum", "bitstring_agg",
    "mad", "mean", "geomean", "sum_no_overflow", "sumkahan", "kahan_sum", "arbitrary", "approx_top_k",
    "reservoir_quantile",
}  # fmt: skip


def inside_sql(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    grain: int,
    over: str = "",
) -> str:
    """Write an aggregate over one person's rows so that neither threads nor row order can move it; `over`: a window."""
    where = _filter(condition) + over
    if aggregate.name in {"sum", "avg"}:
        return _fixed_point(aggregate.name, arguments[0], types[0], where, grain)
    if aggregate.name in {"arg_min", "arg_max"}:
        return _total_order(aggregate.name, arguments, condition)
    if aggregate.name in MOMENTS:
        return _in_order(aggregate.name, arguments, types, condition)
    arguments = _as_one(aggregate, arguments)
    assert aggregate.inside is not None  # noqa: S101  grouping refuses the others
    return aggregate.inside.format(*arguments) + where


def public_sql(aggregate: Aggregate, arguments: Sequence[str], types: Sequence[SqlType], condition: str | None) -> str:
    """Write an aggregate over public rows so that every run gives the same: doubles are added in order."""
    where = _filter(condition)
    if aggregate.name in {"arg_min", "arg_max"}:
        return _total_order(aggregate.name, arguments, condition)
    if aggregate.name in {"sum", "avg"} and types[0] is SqlType.DOUBLE:
        return f"list_aggregate(list_sort(list({arguments[0]}){where}), '{aggregate.name}')"
    return over_sql(aggregate, arguments, types, condition)


def over_sql(
    aggregate: Aggregate, arguments: Sequence[str], types: Sequence[SqlType], condition: str | None, over: str = ""
) -> str:
    """Write an aggregate over released rows; `over`: a window."""
    if aggregate.name in MOMENTS:
        return _in_order(aggregate.name, arguments, types, condition)
    text = aggregate.over.format(*_as_one(aggregate, arguments)) + _filter(condition) + over
    return f"TRY_CAST({text} AS BIGINT)" if aggregate.name == "sum" and types[0] is SqlType.BIGINT else text


def _as_one(aggregate: Aggregate, arguments: Sequence[str]) -> Sequence[str]:
    """Write the parts of a tuple as one."""
    return arguments if len(arguments) <= aggregate.arguments else [f"({', '.join(arguments)})"]


def _filter(condition: str | None) -> str:
    return f" FILTER (WHERE {condition})" if condition else ""


def _fixed_point(name: str, argument: str, kind: SqlType, where: str, grain: int) -> str:
    if kind is SqlType.DOUBLE:
        counted = f"TRY_CAST(round({argument} * {grain}) AS BIGINT)"  # what is left out of the sum is left out here too
        total = f"CAST(sum({counted}){where} AS DOUBLE) / {grain}"
    else:
        total, counted = f"sum({argument}){where}", argument  # of 128 bits: a mean of it fits where the sum does not
        total = f"TRY_CAST({total} AS BIGINT)" if name == "sum" else total
    return total if name == "sum" else f"(CAST({total} AS DOUBLE) / nullif(count({counted}){where}, 0))"


def _total_order(name: str, arguments: Sequence[str], condition: str | None) -> str:
    value, order = arguments
    tests = [f"{value} IS NOT NULL", f"{order} IS NOT NULL"] + ([condition] if condition else [])
    pick = "min" if name == "arg_min" else "max"
    pair = f"struct_pack(o := {order}, v := {value})"
    return f"struct_extract({pick}({pair}) FILTER (WHERE {' AND '.join(tests)}), 'v')"


def _in_order(name: str, arguments: Sequence[str], types: Sequence[SqlType], condition: str | None) -> str:
    """Write an aggregate that adds doubles in the order of its values, so that it gives the same for equal rows.

    Values whose squares are no doubles are left out, and what is no number is NULL (proofs.md#ordered-statistics).
    """
    within = [
        f"{a} BETWEEN -1e150 AND 1e150" for a, kind in zip(arguments, types, strict=True) if kind is SqlType.DOUBLE
    ]
    tests = [test for test in (condition, *dict.fromkeys(within)) if test is not None]
    where = f" FILTER (WHERE {' AND '.join(f'({test})' for test in tests)})" if tests else ""
    made = f"{name}({', '.join(arguments)} ORDER BY {', '.join(arguments)}){where}"
    return f"CASE WHEN isfinite({made}) THEN {made} END"


def fixed_point_grain(value: Expr) -> int:
    """Choose the grains per unit for sums of a double: fine, and far from the end of 64 bits."""
    bounds = range_of(value)
    if not known(bounds):
        return 1 << 20
    largest = max(abs(bounds.lower), abs(bounds.upper), 1.0)
    return 1 << max(0, min(30, 50 - int(largest).bit_length()))


def measure_bounds(aggregate: Aggregate, arguments: Sequence[Expr], max_rows: int) -> Bounds | None:
    """Infer the range of an aggregate over one person's rows."""
    if aggregate.name.startswith("count"):
        return Bounds(0, max_rows)
    if not arguments or aggregate.result is _B:
        return None
    if aggregate.name in MOMENTS:
        return moments_range(aggregate.name, arguments)
    bounds = range_of(arguments[0])
    if aggregate.name == "sum":
        return (
            Bounds(min(0.0, bounds.lower * max_rows), max(0.0, bounds.upper * max_rows)) if known(bounds) else UNKNOWN
        )
    return bounds
