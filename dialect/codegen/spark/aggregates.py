"""Aggregates over one person's rows in Spark: the same values as DuckDB's forms, independent of row order.

Order-sensitive aggregates fold over a sorted array, with DuckDB's additions
(`dialect/codegen/proofs.md#ordered-statistics`). Spark's own percentiles and variances add differently, so their last
digits would differ.

`get(transform(array(x), v -> e), 0)` binds x to v, so that it is computed once. Ties are rows that are equal by the
aggregate's own order; they are broken by a hash of the person and the value, then by the value (`tie_order`). In folds,
s is the sorted array, a the state and x a value; in quantiles, p is the position in s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialect.algebra.relations import SortDirection
from dialect.catalog.model import SqlType
from dialect.functions.aggregates import MAX_JOINED_LENGTH, Aggregate
from dialect.functions.emitter import UnsupportedByEngine
from dialect.functions.scalar.text import SPARK_JOINED
from dialect.functions.tie_order import TieOrder

_MAX_SQUARABLE = "1e150D"  # beyond it, squares overflow a double
_IS_FINITE = "(abs({0}) < CAST('inf' AS DOUBLE))"
_SAME_NAME = {
    **{name: f"{name}({{0}})" for name in ("count", "min", "max", "bool_and", "bool_or")},
    **{name: f"{name}({{0}})" for name in ("bit_and", "bit_or", "bit_xor")},
    "count_star": "count(*)",
    "count_distinct": "count(DISTINCT {0})",
    "any_value": "min({0})",
}
# position of a quantile in the sorted array s, and the values below and above it
_QUANTILE_POSITION = "(size(s) - 1) * {q}"
_NEIGHBOURS = "get(s, CAST(floor(p) AS INT))", "get(s, CAST(ceil(p) AS INT))"
_INTERPOLATED = f"{_NEIGHBOURS[0]} + ({_NEIGHBOURS[1]} - {_NEIGHBOURS[0]}) * (p - floor(p))"
_LERP = f"CASE WHEN floor(p) = ceil(p) THEN {_NEIGHBOURS[0]} ELSE {_INTERPOLATED} END"
# state: n values, mean m, sum d of squared deviations
_WELFORD_STEP = (
    "named_struct('n', a.n + 1D, 'm', a.m + (x - a.m) / (a.n + 1D), 'd',"
    " a.d + (x - (a.m + (x - a.m) / (a.n + 1D))) * (x - a.m))"
)
_WELFORD_FOLD = (
    f"aggregate({{s}}, named_struct('n', 0D, 'm', 0D, 'd', 0D), (a, x) -> {_WELFORD_STEP}, a -> {{last}})"  # Welford
)
_VARIANCE_RESULTS = {
    "var_pop": "CASE WHEN a.n > 1D THEN a.d / a.n WHEN a.n = 1D THEN 0D END",
    "var_samp": "CASE WHEN a.n > 1D THEN a.d / (a.n - 1D) END",
    "stddev_pop": "CASE WHEN a.n > 1D THEN sqrt(a.d / a.n) WHEN a.n = 1D THEN 0D END",
    "stddev_samp": "CASE WHEN a.n > 1D THEN sqrt(a.d / (a.n - 1D)) END",
}
_ARRAY_SUM = "aggregate({s}, 0D, (a, x) -> a + x)"
_ORDERED_FOLDS = {
    **{name: _WELFORD_FOLD.replace("{last}", last) for name, last in _VARIANCE_RESULTS.items()},
    "product": "aggregate({s}, 1D, (a, x) -> a * x)",
    "sum_distinct": _ARRAY_SUM,
    "avg_distinct": f"{_ARRAY_SUM} / nullif(size({{s}}), 0)",
}


@dataclass(frozen=True)
class _AggregateSql:
    """One aggregate call with its operands as SQL text."""

    name: str
    arguments: Sequence[str]
    types: Sequence[SqlType]
    condition: str | None
    directions: Sequence[SortDirection]  # of the last arguments, which are sort keys
    ties: TieOrder | None = None

    @property
    def tie_hash(self) -> str:
        """Tie-breaking hash of the value; a constant for types without a hash."""
        made = None if self.ties is None else self.ties.hash_of(self.arguments[0], self.types[0])
        return "0L" if made is None else made


def per_person_spark_sql(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    grain: int,
    window: str = "",
    directions: Sequence[SortDirection] = (),
    ties: TieOrder | None = None,
) -> str:
    """Write an aggregate over one person's rows; raises UnsupportedByEngine if Spark's value would differ.

    `condition` is the FILTER, `grain` the number of fixed-point grains per unit of doubles, `window` an OVER clause.
    `directions` belong to the last arguments, which are sort keys. `ties` orders rows that are equal by the aggregate's
    own order, or values of equal frequency.
    """
    name, filter_clause = aggregate.name, f" FILTER (WHERE {condition})" if condition and not window else ""
    if condition and window:  # Spark does not support FILTER with OVER
        arguments = [f"CASE WHEN {condition} THEN {argument} END" for argument in arguments or ("1",)]
        name = "count" if name == "count_star" else name
    if name in ("sum", "avg"):
        return _fixed_point(name, arguments[0], types[0], filter_clause + window, grain)
    if name in _SAME_NAME:
        is_tuple = len(arguments) > max(1, aggregate.argument_count)  # COUNT(DISTINCT (a, b))
        value = f"struct({', '.join(arguments)})" if is_tuple else "".join(arguments)
        return _SAME_NAME[name].format(value) + filter_clause + window
    writer = _WRITERS.get(name)
    if writer is None or window:
        raise UnsupportedByEngine(f"{name.upper()} has no form there")
    return writer(_AggregateSql(name, arguments, types, condition, directions, ties))


def _fixed_point(name: str, argument: str, kind: SqlType, where: str, grain: int) -> str:
    """Write SUM or AVG: doubles are added as fixed-point grains in DECIMAL(38, 0), independent of row order.

    `grain` is the number of grains per unit, as `dialect.functions.aggregates` uses them in 128 bits. A mean of equal
    doubles is that double itself, which rounding to grains could miss.
    """
    counted_value = f"TRY_CAST(round({argument} * {grain}) AS BIGINT)" if kind is SqlType.DOUBLE else argument
    total = f"sum(CAST({counted_value} AS DECIMAL(38, 0))){where}"
    if kind is SqlType.DOUBLE:
        total = f"CAST({total} AS DOUBLE) / {grain}"
    elif name == "sum":
        total = f"TRY_CAST({total} AS BIGINT)"
    if name == "sum":
        return total
    mean = f"(CAST({total} AS DOUBLE) / nullif(count({counted_value}){where}, 0))"
    if kind is not SqlType.DOUBLE:
        return mean
    least, most = (f"{end}({argument}){where}" for end in ("min", "max"))
    return f"CASE WHEN {least} = {most} AND {_IS_FINITE.format(least)} THEN {least} + 0D ELSE {mean} END"


def _filter_clause(*tests: str | None) -> str:
    """Write FILTER with the tests that are present; "" if there are none."""
    present = [f"({test})" for test in tests if test is not None]
    return f" FILTER (WHERE {' AND '.join(present)})" if present else ""


def _arg_extreme(call: _AggregateSql) -> str:
    """Write arg_min or arg_max: the value in the row with the extreme order, ties broken by hash, then by value.

    MIN and MAX compare structs field by field: order `o`, tie-breaking hash `h`, value `v`.
    """
    value, order = call.arguments
    where = _filter_clause(f"{value} IS NOT NULL", f"{order} IS NOT NULL", call.condition)
    return (
        f"({call.name.removeprefix('arg_')}(named_struct('o', {order}, 'h', {call.tie_hash}, 'v', {value})){where}).v"
    )


def _mode_sql(call: _AggregateSql) -> str:
    """Write the most frequent value; ties are broken by hash, then by the value.

    With sort directions, the value alone breaks ties, so that the hash is a constant.
    """
    value, tie_hash = call.arguments[0], "0L" if call.directions else call.tie_hash
    where = _filter_clause(f"{value} IS NOT NULL", call.condition)
    return f"(mode(named_struct('h', {tie_hash}, 'v', {value}), true){where}).v"


def _quantile_sql(call: _AggregateSql) -> str:
    """Write a quantile from a sorted array: interpolated between neighbours, or the one at or below.

    `skipped` is the number of values above the discrete quantile, rounded as in DuckDB. Interpolating between
    infinities of both signs gives NaN, which becomes NULL, as in DuckDB's form.
    """
    q = "0.5D" if call.name == "median" else call.arguments[1]
    if call.name == "quantile_disc":
        values = f"array_sort(collect_list({call.arguments[0]}){_filter_clause(call.condition)})"
        skipped = f"floor(CAST(size(s) AS DOUBLE) - CAST(size(s) AS DOUBLE) * {q})"
        return f"get(transform(array({values}), s -> get(s, CAST(greatest(1, size(s) - {skipped}) - 1 AS INT))), 0)"
    values = f"array_sort(collect_list(CAST({call.arguments[0]} AS DOUBLE)){_filter_clause(call.condition)})"
    interpolated = f"get(transform(array({_QUANTILE_POSITION.format(q=q)}), p -> {_LERP}), 0)"
    return f"nullif(get(transform(array({values}), s -> {interpolated}), 0), CAST('NaN' AS DOUBLE))"


def _in_value_order(call: _AggregateSql) -> str:
    """Write an aggregate that adds doubles in sorted order; a result that is not finite is NULL.

    Values whose squares overflow a double are left out. A sum of distinct integers is exact, so that it needs no order.
    """
    (value,), is_double = call.arguments, call.types[0] is SqlType.DOUBLE
    if call.name == "sum_distinct" and not is_double:
        return f"TRY_CAST(sum(DISTINCT CAST({value} AS DECIMAL(38, 0))){_filter_clause(call.condition)} AS BIGINT)"
    finite_test = f"{value} BETWEEN -{_MAX_SQUARABLE} AND {_MAX_SQUARABLE}" if is_double else None
    collect = "collect_set" if call.name.endswith("_distinct") else "collect_list"
    values = f"array_sort({collect}(CAST({value} AS DOUBLE)){_filter_clause(call.condition, finite_test)})"
    result = _ORDERED_FOLDS[call.name].replace("{s}", "s")
    result = f"get(transform(array({values}), s -> CASE WHEN size(s) > 0 THEN {result} END), 0)"
    return f"get(transform(array({result}), v -> CASE WHEN {_IS_FINITE.format('v')} THEN v END), 0)"


def _ordered_list(call: _AggregateSql) -> str:
    """Write an aggregate with ORDER BY: rows are sorted by its keys, then by hash and value.

    Structs of the array: `v` the value to list, `k0`, ... the sort keys, `h` the tie-breaking hash, `o` the whole
    value. Joined texts are truncated before they are collected, to limit memory. The second argument of string_agg is
    the separator.
    """
    order_start = len(call.arguments) - len(call.directions)  # index of the first sort key
    value_arguments, keys = call.arguments[:order_start], call.arguments[order_start:]
    value = f"left({value_arguments[0]}, {MAX_JOINED_LENGTH})" if call.name == "string_agg" else value_arguments[0]
    key_fields = "".join(f", 'k{i}', {key}" for i, key in enumerate(keys))
    tie_hash = call.tie_hash if keys else "0L"  # without sort keys, values are listed in their own order
    rows = (
        f"collect_list(named_struct('v', {value}, 'h', {tie_hash}, 'o',"
        f" {value_arguments[0]}{key_fields})){_filter_clause(call.condition)}"
    )
    order_terms = [(f"k{i}", how) for i, how in enumerate(call.directions)]
    order_terms += [("h", SortDirection(False, False)), ("o", SortDirection(False, False))]
    tests = " ".join(_compare_by_key(*term) for term in order_terms)
    ordered = f"array_sort({rows}, (l, r) -> CASE {tests} ELSE 0 END)"
    return (
        _LIST_RESULTS[call.name]
        .replace("{s}", ordered)
        .replace("{1}", value_arguments[1] if len(value_arguments) > 1 else "")
    )


def _compare_by_key(key: str, how: SortDirection) -> str:
    """Write the branches of a comparator for one sort key: l and r are the rows, -1 sorts l first."""
    less, more = (1, -1) if how.descending else (-1, 1)
    null, other = (-1, 1) if how.nulls_first else (1, -1)
    return (
        f"WHEN l.{key} IS NULL AND r.{key} IS NOT NULL THEN {null} WHEN l.{key} IS NOT NULL AND r.{key} IS NULL"
        f" THEN {other} WHEN l.{key} < r.{key} THEN {less} WHEN l.{key} > r.{key} THEN {more}"
    )


_VALUES = "transform({s}, e -> e.v)"
_JOINED = SPARK_JOINED.replace("{0}", "s")
_SLICED = f"slice({_VALUES}, 1, {MAX_JOINED_LENGTH})"
_LIST_RESULTS = {
    "first": "get({s}, 0).v",
    "last": "try_element_at({s}, -1).v",
    "list": f"get(filter(array({_VALUES}), s -> size(s) > 0), 0)",
    "list_distinct": f"get(filter(array(array_distinct({_VALUES})), s -> size(s) > 0), 0)",
    "string_agg": f"get(transform(array({_SLICED}), s -> CASE WHEN size(s) > 0 THEN {_JOINED} END), 0)",
}
_WRITERS: dict[str, Callable[[_AggregateSql], str]] = {
    **dict.fromkeys(("arg_min", "arg_max"), _arg_extreme),
    "mode": _mode_sql,
    **dict.fromkeys(("median", "quantile_cont", "quantile_disc"), _quantile_sql),
    **dict.fromkeys(_ORDERED_FOLDS, _in_value_order),
    **dict.fromkeys(_LIST_RESULTS, _ordered_list),
}
