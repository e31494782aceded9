"""Spark forms of aggregates over one person's rows: the same values as DuckDB's forms, independent of row order.

Order-sensitive aggregates fold over a sorted array, with DuckDB's additions
(`dialect/codegen/proofs.md#ordered-statistics`). Spark's own percentiles and variances add differently, so their last
digits would differ.

`get(transform(array(x), v -> e), 0)` binds x to v, so that it is computed once. Ties are rows that are equal by the
aggregate's own order; they are broken by a hash of the person and the value, then by the value (`tie_order`). In folds,
s is the sorted array, a the state and x a value; in quantiles, p is the position in s.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra.relations import SortDirection
from dialect.functions.aggregate_forms import MAX_JOINED_LENGTH, AggregateOperands, AggregateWriter, FixedPoint
from dialect.functions.scalar.text import SPARK_JOINED

_MAX_SQUARABLE = "1e150D"  # beyond it, squares overflow a double
_IS_FINITE = "(abs({0}) < CAST('inf' AS DOUBLE))"
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
_ARRAY_SUM = "aggregate(s, 0D, (a, x) -> a + x)"


def fill_form(form: str, argument_count: int, call: AggregateOperands) -> str:
    """Fill in a template; more arguments than the aggregate has are a tuple, as in COUNT(DISTINCT (a, b)).

    Spark does not support FILTER with OVER: arguments are NULL where the condition is not true.
    """
    if call.condition and call.window:
        call, form = _without_filter_over(call), form if argument_count else "count({0})"
    is_tuple = len(call.arguments) > max(1, argument_count)
    value = f"struct({', '.join(call.arguments)})" if is_tuple else "".join(call.arguments)
    return form.format(value) + call.suffix


_FIXED_POINT = FixedPoint("sum(CAST({0} AS DECIMAL(38, 0)))", _IS_FINITE, "0D")


def fixed_point_sum(call: AggregateOperands) -> str:
    """Write SUM: doubles are added as fixed-point grains in DECIMAL(38, 0), independent of row order."""
    return _FIXED_POINT.sum(_without_filter_over(call))


def fixed_point_mean(call: AggregateOperands) -> str:
    """Write AVG; a mean of equal doubles is that double itself, which rounding to grains could miss."""
    return _FIXED_POINT.mean(_without_filter_over(call))


def _without_filter_over(call: AggregateOperands) -> AggregateOperands:
    """Move a FILTER with OVER, which Spark does not support, into the argument; COUNT(*) gets one."""
    if not (call.condition and call.window):
        return call
    arguments = [f"CASE WHEN {call.condition} THEN {argument} END" for argument in call.arguments or ("1",)]
    return replace(call, arguments=arguments, condition=None)


def _filter_clause(*tests: str | None) -> str:
    """Write FILTER with the tests that are present; "" if there are none."""
    present = [f"({test})" for test in tests if test is not None]
    return f" FILTER (WHERE {' AND '.join(present)})" if present else ""


def _tie_hash(call: AggregateOperands) -> str:
    """Write the tie-breaking hash of the value; a constant for types without a hash."""
    made = None if call.ties is None else call.ties.hash_of(call.arguments[0], call.types[0])
    return "0L" if made is None else made


def extreme_of_order(function: str) -> AggregateWriter:
    """Return the form of ARG_MIN or ARG_MAX; ties are broken by hash, then by value.

    MIN and MAX compare structs field by field: order `o`, tie-breaking hash `h`, value `v`.
    """

    def form(call: AggregateOperands) -> str:
        """Write the value in the row with the extreme order."""
        value, order = call.arguments
        where = _filter_clause(f"{value} IS NOT NULL", f"{order} IS NOT NULL", call.condition)
        return f"({function}(named_struct('o', {order}, 'h', {_tie_hash(call)}, 'v', {value})){where}).v"

    return form


def mode(call: AggregateOperands) -> str:
    """Write the most frequent value; ties are broken by hash, then by the value.

    With sort directions, the value alone breaks ties, so that the hash is a constant.
    """
    value, tie_hash = call.arguments[0], "0L" if call.directions else _tie_hash(call)
    where = _filter_clause(f"{value} IS NOT NULL", call.condition)
    return f"(mode(named_struct('h', {tie_hash}, 'v', {value}), true){where}).v"


def median(call: AggregateOperands) -> str:
    """Write the median, as a quantile."""
    return quantile(replace(call, arguments=[*call.arguments, "0.5D"]))


def quantile(call: AggregateOperands) -> str:
    """Write a quantile from a sorted array, interpolated between neighbours.

    Interpolating between infinities of both signs gives NaN, which becomes NULL, as in DuckDB's form.
    """
    value, level = call.arguments
    values = f"array_sort(collect_list(CAST({value} AS DOUBLE)){_filter_clause(call.condition)})"
    interpolated = f"get(transform(array({_QUANTILE_POSITION.format(q=level)}), p -> {_LERP}), 0)"
    return f"nullif(get(transform(array({values}), s -> {interpolated}), 0), CAST('NaN' AS DOUBLE))"


def discrete_quantile(call: AggregateOperands) -> str:
    """Write a quantile that is one of the values; `skipped` are the values above it, rounded as in DuckDB."""
    value, level = call.arguments
    values = f"array_sort(collect_list({value}){_filter_clause(call.condition)})"
    skipped = f"floor(CAST(size(s) AS DOUBLE) - CAST(size(s) AS DOUBLE) * {level})"
    return f"get(transform(array({values}), s -> get(s, CAST(greatest(1, size(s) - {skipped}) - 1 AS INT))), 0)"


def in_value_order(result: str, collect: str = "collect_list") -> AggregateWriter:
    """Return the form of a fold over the sorted array `s`; a result that is not finite is NULL.

    Values whose squares overflow a double are left out.
    """

    def form(call: AggregateOperands) -> str:
        """Write the fold of a call's values."""
        (value,) = call.arguments
        finite_test = f"{value} BETWEEN -{_MAX_SQUARABLE} AND {_MAX_SQUARABLE}" if call.is_double else None
        values = f"array_sort({collect}(CAST({value} AS DOUBLE)){_filter_clause(call.condition, finite_test)})"
        fold = f"get(transform(array({values}), s -> CASE WHEN size(s) > 0 THEN {result} END), 0)"
        return f"get(transform(array({fold}), v -> CASE WHEN {_IS_FINITE.format('v')} THEN v END), 0)"

    return form


def deviation(result: str) -> AggregateWriter:
    """Return the form of a variance or deviation from Welford's state: `a.n` values, `a.d` their squared deviations."""
    return in_value_order(
        f"aggregate(s, named_struct('n', 0D, 'm', 0D, 'd', 0D), (a, x) -> {_WELFORD_STEP}, a -> {result})"
    )


def distinct_sum(call: AggregateOperands) -> str:
    """Write SUM(DISTINCT x); of integers it is exact, so that it needs no order."""
    if call.is_double:
        return _distinct_sum_of_doubles(call)
    distinct = f"sum(DISTINCT CAST({call.arguments[0]} AS DECIMAL(38, 0)))"
    return f"TRY_CAST({distinct}{_filter_clause(call.condition)} AS BIGINT)"


product = in_value_order("aggregate(s, 1D, (a, x) -> a * x)")
_distinct_sum_of_doubles = in_value_order(_ARRAY_SUM, "collect_set")
distinct_mean = in_value_order(f"{_ARRAY_SUM} / nullif(size(s), 0)", "collect_set")


def ordered_list(result: str, is_joined: bool = False) -> AggregateWriter:
    """Return the form of an aggregate with ORDER BY: rows are sorted by its keys, then by hash and value.

    `result` is a template of the sorted array {s} and the separator {1}. Structs of the array: `v` the value to list,
    `k0`, ... the sort keys, `h` the tie-breaking hash, `o` the whole value. Joined texts are truncated before they are
    collected, to limit memory.
    """

    def form(call: AggregateOperands) -> str:
        """Write the list of a call's values."""
        order_start = len(call.arguments) - len(call.directions)  # index of the first sort key
        value_arguments, keys = call.arguments[:order_start], call.arguments[order_start:]
        whole = value_arguments[0]
        value = f"left({whole}, {MAX_JOINED_LENGTH})" if is_joined else whole
        key_fields = "".join(f", 'k{i}', {key}" for i, key in enumerate(keys))
        tie_hash = _tie_hash(call) if keys else "0L"  # without sort keys, values are listed in their own order
        row = f"named_struct('v', {value}, 'h', {tie_hash}, 'o', {whole}{key_fields})"
        order_terms = [(f"k{i}", how) for i, how in enumerate(call.directions)]
        order_terms += [("h", SortDirection(False, False)), ("o", SortDirection(False, False))]
        tests = " ".join(_compare_by_key(*term) for term in order_terms)
        rows = f"collect_list({row}){_filter_clause(call.condition)}"
        ordered = f"array_sort({rows}, (l, r) -> CASE {tests} ELSE 0 END)"
        return result.replace("{s}", ordered).replace("{1}", value_arguments[1] if len(value_arguments) > 1 else "")

    return form


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
first = ordered_list("get({s}, 0).v")
last = ordered_list("try_element_at({s}, -1).v")
listed = ordered_list(f"get(filter(array({_VALUES}), s -> size(s) > 0), 0)")
distinct_listed = ordered_list(f"get(filter(array(array_distinct({_VALUES})), s -> size(s) > 0), 0)")
joined = ordered_list(
    f"get(transform(array({_SLICED}), s -> CASE WHEN size(s) > 0 THEN {_JOINED} END), 0)", is_joined=True
)
