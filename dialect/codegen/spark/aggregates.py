"""Aggregates over one person's rows in Spark: the same values as DuckDB's forms, independent of row order.

Order-sensitive aggregates fold over a sorted array, with DuckDB's additions
(`dialect/codegen/proofs.md#ordered-statistics`). Spark's own percentiles and variances add differently, so their last
digits would differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialect.algebra.relations import Direction
from dialect.catalog.model import SqlType
from dialect.functions.aggregates import MOST_JOINED, Aggregate
from dialect.functions.emitter import NoForm
from dialect.functions.scalar.text import SPARK_LISTS
from dialect.functions.tie_order import TieOrder

_LARGEST = "1e150D"  # beyond it, squares overflow a double
_FINITE = "(abs({0}) < CAST('inf' AS DOUBLE))"
_PLAIN = {
    **{name: f"{name}({{0}})" for name in ("count", "min", "max", "bool_and", "bool_or")},
    **{name: f"{name}({{0}})" for name in ("bit_and", "bit_or", "bit_xor")},
    "count_star": "count(*)",
    "count_distinct": "count(DISTINCT {0})",
    "any_value": "min({0})",
}
_PLACE = "(size(s) - 1) * {q}"
_BESIDE = "get(s, CAST(floor(p) AS INT))", "get(s, CAST(ceil(p) AS INT))"
_BETWEEN = f"{_BESIDE[0]} + ({_BESIDE[1]} - {_BESIDE[0]}) * (p - floor(p))"
_LERP = f"CASE WHEN floor(p) = ceil(p) THEN {_BESIDE[0]} ELSE {_BETWEEN} END"
_STEP = (
    "named_struct('n', a.n + 1D, 'm', a.m + (x - a.m) / (a.n + 1D), 'd',"
    " a.d + (x - (a.m + (x - a.m) / (a.n + 1D))) * (x - a.m))"
)
_FOLDED = f"aggregate({{s}}, named_struct('n', 0D, 'm', 0D, 'd', 0D), (a, x) -> {_STEP}, a -> {{last}})"  # Welford
_SPREADS = {
    "var_pop": "CASE WHEN a.n > 1D THEN a.d / a.n WHEN a.n = 1D THEN 0D END",
    "var_samp": "CASE WHEN a.n > 1D THEN a.d / (a.n - 1D) END",
    "stddev_pop": "CASE WHEN a.n > 1D THEN sqrt(a.d / a.n) WHEN a.n = 1D THEN 0D END",
    "stddev_samp": "CASE WHEN a.n > 1D THEN sqrt(a.d / (a.n - 1D)) END",
}
_SUMMED = "aggregate({s}, 0D, (a, x) -> a + x)"
_ADDED = {
    **{name: _FOLDED.replace("{last}", last) for name, last in _SPREADS.items()},
    "product": "aggregate({s}, 1D, (a, x) -> a * x)",
    "sum_distinct": _SUMMED,
    "avg_distinct": f"{_SUMMED} / nullif(size({{s}}), 0)",
}


@dataclass(frozen=True)
class _Asked:
    """One aggregate call with its operands as SQL text."""

    name: str
    arguments: Sequence[str]
    types: Sequence[SqlType]
    condition: str | None
    directions: Sequence[Direction]  # of the last arguments, which are sort keys
    ties: TieOrder | None = None

    @property
    def hashed(self) -> str:
        """Tie-breaking hash of the value; a constant for types without a hash."""
        made = None if self.ties is None else self.ties.hashed(self.arguments[0], self.types[0])
        return "0L" if made is None else made


def inside_in_spark(
    aggregate: Aggregate,
    arguments: Sequence[str],
    types: Sequence[SqlType],
    condition: str | None,
    grain: int,
    over: str = "",
    directions: Sequence[Direction] = (),
    ties: TieOrder | None = None,
) -> str:
    """Write an aggregate over one person's rows; raises UnsupportedByEngine if Spark's value would differ.

    `window` is an OVER clause. `ties` orders rows that are equal by the aggregate's own order, or values of equal
    frequency.
    """
    name, where = aggregate.name, f" FILTER (WHERE {condition})" if condition and not over else ""
    if condition and over:  # Spark does not support FILTER with OVER
        arguments = [f"CASE WHEN {condition} THEN {argument} END" for argument in arguments or ("1",)]
        name = "count" if name == "count_star" else name
    if name in ("sum", "avg"):
        return _fixed_point(name, arguments[0], types[0], where + over, grain)
    if name in _PLAIN:
        tuples = len(arguments) > max(1, aggregate.arguments)
        value = f"struct({', '.join(arguments)})" if tuples else "".join(arguments)
        return _PLAIN[name].format(value) + where + over
    writer = _WRITERS.get(name)
    if writer is None or over:
        raise NoForm(f"{name.upper()} has no form there")
    return writer(_Asked(name, arguments, types, condition, directions, ties))


def _fixed_point(name: str, argument: str, kind: SqlType, where: str, grain: int) -> str:
    """Sum fixed-point grains of doubles in DECIMAL(38, 0), as `dialect.functions.aggregates` does in 128 bits."""
    counted = f"TRY_CAST(round({argument} * {grain}) AS BIGINT)" if kind is SqlType.DOUBLE else argument
    total = f"sum(CAST({counted} AS DECIMAL(38, 0))){where}"
    if kind is SqlType.DOUBLE:
        total = f"CAST({total} AS DOUBLE) / {grain}"
    elif name == "sum":
        total = f"TRY_CAST({total} AS BIGINT)"
    if name == "sum":
        return total
    mean = f"(CAST({total} AS DOUBLE) / nullif(count({counted}){where}, 0))"
    if kind is not SqlType.DOUBLE:
        return mean
    least, most = (f"{end}({argument}){where}" for end in ("min", "max"))
    return f"CASE WHEN {least} = {most} AND {_FINITE.format(least)} THEN {least} + 0D ELSE {mean} END"


def _filter(*tests: str | None) -> str:
    there = [f"({test})" for test in tests if test is not None]
    return f" FILTER (WHERE {' AND '.join(there)})" if there else ""


def _extreme(asked: _Asked) -> str:
    value, order = asked.arguments
    where = _filter(f"{value} IS NOT NULL", f"{order} IS NOT NULL", asked.condition)
    return (
        f"({asked.name.removeprefix('arg_')}(named_struct('o', {order}, 'h', {asked.hashed}, 'v', {value})){where}).v"
    )


def _mode(asked: _Asked) -> str:
    """Write the most frequent value; ties are broken by hash, then by the value."""
    value, hashed = asked.arguments[0], "0L" if asked.directions else asked.hashed
    where = _filter(f"{value} IS NOT NULL", asked.condition)
    return f"(mode(named_struct('h', {hashed}, 'v', {value}), true){where}).v"


def _quantile(asked: _Asked) -> str:
    """Write a quantile from a sorted array: interpolated between neighbours, or the one at or below."""
    q = "0.5D" if asked.name == "median" else asked.arguments[1]
    if asked.name == "quantile_disc":
        values = f"array_sort(collect_list({asked.arguments[0]}){_filter(asked.condition)})"
        lost = f"floor(CAST(size(s) AS DOUBLE) - CAST(size(s) AS DOUBLE) * {q})"
        return f"get(transform(array({values}), s -> get(s, CAST(greatest(1, size(s) - {lost}) - 1 AS INT))), 0)"
    values = f"array_sort(collect_list(CAST({asked.arguments[0]} AS DOUBLE)){_filter(asked.condition)})"
    found = f"get(transform(array({_PLACE.format(q=q)}), p -> {_LERP}), 0)"
    return f"nullif(get(transform(array({values}), s -> {found}), 0), CAST('NaN' AS DOUBLE))"


def _in_order(asked: _Asked) -> str:
    """Write an aggregate that adds doubles in sorted order; a result that is not finite is NULL."""
    (value,), double = asked.arguments, asked.types[0] is SqlType.DOUBLE
    if asked.name == "sum_distinct" and not double:
        return f"TRY_CAST(sum(DISTINCT CAST({value} AS DECIMAL(38, 0))){_filter(asked.condition)} AS BIGINT)"
    within = f"{value} BETWEEN -{_LARGEST} AND {_LARGEST}" if double else None
    listed = "collect_set" if asked.name.endswith("_distinct") else "collect_list"
    values = f"array_sort({listed}(CAST({value} AS DOUBLE)){_filter(asked.condition, within)})"
    made = _ADDED[asked.name].replace("{s}", "s")
    made = f"get(transform(array({values}), s -> CASE WHEN size(s) > 0 THEN {made} END), 0)"
    return f"get(transform(array({made}), v -> CASE WHEN {_FINITE.format('v')} THEN v END), 0)"


def _listed(asked: _Asked) -> str:
    """Write an aggregate with ORDER BY: rows are sorted by its keys, then by hash and value."""
    ordering = len(asked.arguments) - len(asked.directions)  # index of the first sort key
    plain, keys = asked.arguments[:ordering], asked.arguments[ordering:]
    value = f"left({plain[0]}, {MOST_JOINED})" if asked.name == "string_agg" else plain[0]
    parts = "".join(f", 'k{i}', {key}" for i, key in enumerate(keys))
    hashed = asked.hashed if keys else "0L"  # without sort keys, values are listed in their own order
    rows = f"collect_list(named_struct('v', {value}, 'h', {hashed}, 'o', {plain[0]}{parts})){_filter(asked.condition)}"
    terms = [(f"k{i}", how) for i, how in enumerate(asked.directions)]
    terms += [("h", Direction(False, False)), ("o", Direction(False, False))]
    tests = " ".join(_compared(*term) for term in terms)
    ordered = f"array_sort({rows}, (l, r) -> CASE {tests} ELSE 0 END)"
    return _LAST[asked.name].replace("{s}", ordered).replace("{1}", plain[1] if len(plain) > 1 else "")


def _compared(key: str, how: Direction) -> str:
    less, more = (1, -1) if how.descending else (-1, 1)
    null, other = (-1, 1) if how.nulls_first else (1, -1)
    return (
        f"WHEN l.{key} IS NULL AND r.{key} IS NOT NULL THEN {null} WHEN l.{key} IS NOT NULL AND r.{key} IS NULL"
        f" THEN {other} WHEN l.{key} < r.{key} THEN {less} WHEN l.{key} > r.{key} THEN {more}"
    )


_VALUES = "transform({s}, e -> e.v)"
_JOINED = str(SPARK_LISTS["array_to_string"]).replace("{0}", "s")
_SLICED = f"slice({_VALUES}, 1, {MOST_JOINED})"
_LAST = {
    "first": "get({s}, 0).v",
    "last": "try_element_at({s}, -1).v",
    "list": f"get(filter(array({_VALUES}), s -> size(s) > 0), 0)",
    "list_distinct": f"get(filter(array(array_distinct({_VALUES})), s -> size(s) > 0), 0)",
    "string_agg": f"get(transform(array({_SLICED}), s -> CASE WHEN size(s) > 0 THEN {_JOINED} END), 0)",
}
_WRITERS: dict[str, Callable[[_Asked], str]] = {
    **dict.fromkeys(("arg_min", "arg_max"), _extreme),
    "mode": _mode,
    **dict.fromkeys(("median", "quantile_cont", "quantile_disc"), _quantile),
    **dict.fromkeys(_ADDED, _in_order),
    **dict.fromkeys(_LAST, _listed),
}
