"""Allow-list of aggregates: one row each, with its SQL over one person's, public and released rows, and its traits.

A form over one person's rows is independent of row order, in DuckDB and in Spark; a lake holds people's rows only. At a
release point no SQL aggregate is used: `released_as` says what is released, and query vectors are
(`dialect.algebra.release_plan`). Moments are the sums of products about public centres from which variance, deviation,
covariance, correlation and regression are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal as OneOf

from sqlglot import exp

from dialect.algebra.expressions import Expr
from dialect.algebra.value_ranges import UNKNOWN
from dialect.catalog.model import Bounds, SqlType
from dialect.diagnostics.field_values import ArgumentTypes
from dialect.functions import aggregate_forms as duckdb
from dialect.functions import spark_aggregate_forms as spark
from dialect.functions.aggregate_forms import AggregateForm, AggregateOperands
from dialect.functions.emitter import UnsupportedByEngine
from dialect.functions.registry import range_of
from dialect.functions.signatures import SAME, NoForm

# aggregates that the dialect does not have, and that the parser has no node for
_UNSUPPORTED_AGGREGATES = {
    "entropy", "histogram", "kurtosis", "skewness", "favg", "fsum", "bitstring_agg", "mad", "mean", "geomean",
    "sum_no_overflow", "sumkahan", "kahan_sum", "arbitrary", "approx_top_k", "reservoir_quantile",
}  # fmt: skip


MAX_FACTOR_MAGNITUDE = 1.5e12  # max |value| of a product's factor: products of centred values stay below 1e25


@dataclass(frozen=True)
class MomentSpec:
    """Sums of products that a second-moment statistic is computed from."""

    product_pairs: tuple[tuple[int, int], ...]  # index pairs of the arguments that are multiplied
    min_values: int  # NULL for fewer values


class ReleasedAs(Enum):
    """What is released of an aggregate over many persons' rows."""

    NOTHING = "nothing"  # its value would be one person's
    ROWS = "rows"  # a count of rows
    VALUES = "values"  # a count of values
    DISTINCT = "distinct"  # a count of different values, or tuples of values
    SUM = "sum"  # of values in a range that is known without the data
    MEAN = "mean"  # of the same
    MOMENTS = "moments"
    QUANTILE = "quantile"  # read from a histogram; over one person's rows MIN and MAX are exact


# more extreme levels for MIN and MAX would depend on a few persons
MIN_LEVEL, MEDIAN_LEVEL, MAX_LEVEL = 0.01, 0.5, 0.99


@dataclass(frozen=True)
class QuantileSpec:
    """The quantile of the values that an aggregate is."""

    level: float | None = None  # None: its second argument
    rounding: OneOf["down", "near", "up"] | None = None  # to an integer, where values are integers
    is_value: bool = False  # always the value of a row, never interpolated


class Order(Enum):
    """How an aggregate depends on the order of rows. Ties are broken by a hash of the person and the value."""

    NONE = "none"
    BY_VALUE = "by value"
    BY_FREQUENCY = "by frequency"  # equally frequent values are ties, unless ordered by the value
    BY_ARGUMENT = "by argument"  # its second argument
    OPTIONAL = "optional"  # ORDER BY within the call, or else by the value
    REQUIRED = "required"  # undefined without ORDER BY; the result is one row's value


class DistinctRule(Enum):
    """What DISTINCT means within the call."""

    REFUSED = "refused"
    IGNORED = "ignored"  # has no effect
    OWN_ROW = "own row"  # is an aggregate of its own, <name>_distinct


class Framed(Enum):
    """Over which rows an aggregate may be used with OVER."""

    NEVER = "never"
    RELEASED = "released rows"  # sums doubles in an order that the engine chooses
    ALWAYS = "all rows"


@dataclass(frozen=True)
class Accepted:
    """Types that an aggregate accepts as its first argument; a NULL without type gets the first of them."""

    types: tuple[SqlType, ...]
    description: ArgumentTypes = ArgumentTypes.ANYTHING
    conversion: str = ""  # template of a conversion to one of the types


NUMBERS = Accepted((SqlType.BIGINT, SqlType.DOUBLE), ArgumentTypes.NUMBERS)  # of every argument
CONDITION = Accepted((SqlType.BOOLEAN,), ArgumentTypes.CONDITION, "{0} <> 0")
_ANYTHING = Accepted((SqlType.BIGINT, *SqlType))
_LISTABLE = Accepted((SqlType.VARCHAR, SqlType.BIGINT), ArgumentTypes.TEXT_OR_INTEGERS, "CAST({0} AS VARCHAR)")
_INTEGERS = Accepted((SqlType.BIGINT,), ArgumentTypes.INTEGERS, "CAST({0} AS BIGINT)")
_TEXT = Accepted((SqlType.VARCHAR,), ArgumentTypes.TEXT, "CAST({0} AS VARCHAR), ','")


@dataclass(frozen=True)
class AggregateCost:
    """Cost of an aggregate per row of a group: time and memory, constant and per character."""

    nanoseconds: float
    bytes: float = 0.0
    nanoseconds_per_character: float = 0.0
    bytes_per_character: float = 0.0  # for one-byte characters


# ranges of the arguments, and most rows of a person -> range of the aggregate; None: not a number
AggregateRange = Callable[[Sequence[Bounds], int], Bounds | None]


def _count_range(_: Sequence[Bounds], max_rows: int) -> Bounds:
    """Range of a count."""
    return Bounds(0, max_rows)


def _sum_range(ranges: Sequence[Bounds], max_rows: int) -> Bounds:
    """Range of a sum of at most `max_rows` values."""
    if not ranges[0].is_finite:
        return UNKNOWN
    return Bounds(min(0.0, ranges[0].lower * max_rows), max(0.0, ranges[0].upper * max_rows))


def _argument_range(ranges: Sequence[Bounds], _: int) -> Bounds | None:
    """Range of an aggregate that returns a value between the smallest and the largest one."""
    return ranges[0] if ranges else None


def _unknown_range(*_: object) -> Bounds:
    """Range of an aggregate whose values are not bounded by those of its argument."""
    return UNKNOWN


def _no_range(*_: object) -> None:
    """Range of an aggregate that returns no number."""


def _moment_range(divisor: int, is_root: bool = False, is_signed: bool = False) -> AggregateRange:
    """Return the range rule of a variance or covariance.

    A variance is at most width^2 / 4 (Popoviciu), a covariance at most the product of both deviations (Cauchy-Schwarz);
    the sample forms divide by n - 1, which at most doubles it. One argument: `widths[-1]` is the same as `widths[0]`.
    """

    def rule(ranges: Sequence[Bounds], _: int) -> Bounds:
        """Range of the statistic over one person's values."""
        if not all(each.is_finite for each in ranges):
            return UNKNOWN
        widths = [each.upper - each.lower for each in ranges]
        product = widths[0] * widths[-1] / divisor
        return Bounds(-product if is_signed else 0.0, math.sqrt(product) if is_root else product)

    return rule


@dataclass(frozen=True)
class Aggregate:
    """One allowed aggregate: its SQL forms, and what the compiler needs to know of it."""

    name: str
    argument_count: int
    result: SqlType | None  # None: the type of the first argument
    per_person: AggregateForm | NoForm  # DuckDB form over one person's rows
    released: AggregateForm  # DuckDB form over released rows; SAME: that over one person's
    spark: AggregateForm | NoForm  # Spark form over one person's rows; SAME: DuckDB's
    nodes: tuple[type[exp.Expr], ...] = ()  # sqlglot's nodes of a call
    accepts: Accepted = _ANYTHING
    released_as: ReleasedAs = ReleasedAs.NOTHING
    range_rule: AggregateRange = _argument_range
    cost: AggregateCost = AggregateCost(100.0)
    order: Order = Order.NONE
    distinct: DistinctRule = DistinctRule.REFUSED
    framed: Framed = Framed.NEVER
    public: AggregateForm | None = None  # DuckDB form over public rows; None: that over released rows
    moments: MomentSpec | None = None
    quantile: QuantileSpec | None = None  # what is released as QUANTILE
    has_separator: bool = False  # the second argument is a constant separator; rows without a value are left out
    as_filter_of: str = ""  # the aggregate that it is with its argument, a condition, as FILTER
    is_extreme: bool = False  # the least or greatest of the values
    returns_argument: bool = False  # the result is one of the argument's values
    returns_list: bool = False
    other_names: tuple[str, ...] = ()  # that analysts may write too
    is_parsed_by_name: bool = False  # the parser has no node for its name

    @property
    def is_releasable(self) -> bool:
        """Whether the aggregate may be used at a release point."""
        return self.released_as is not ReleasedAs.NOTHING

    @property
    def is_count(self) -> bool:
        """Whether the aggregate counts rows, values or different values."""
        return self.released_as in (ReleasedAs.ROWS, ReleasedAs.VALUES, ReleasedAs.DISTINCT)

    @property
    def has_level(self) -> bool:
        """Whether the second argument is the level of a quantile."""
        return self.quantile is not None and self.quantile.level is None

    @property
    def is_per_person(self) -> bool:
        """Whether the aggregate has a form over one person's rows."""
        return not isinstance(self.per_person, NoForm)

    def breaks_ties(self, has_order: bool) -> bool:
        """Return whether a hash breaks ties among a person's rows; `has_order`: the call has an ORDER BY."""
        if self.order is Order.BY_FREQUENCY:
            return not has_order
        return self.order is Order.BY_ARGUMENT or (self.order in (Order.OPTIONAL, Order.REQUIRED) and has_order)


_COUNTED_ROWS = NoForm("over people, bound as count_star with a FILTER")
_I, _D, _B, _T = SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN, SqlType.VARCHAR
_VALUE_COST = AggregateCost(100.0, 0.0, 2.0, 1.0)
_ROW_COST, _ARGUMENT_COST = AggregateCost(300.0, 150.0, 2.0, 1.0), AggregateCost(200.0, 50.0, 2.0, 1.0)
_ORDERED_COST, _QUANTILE_COST = AggregateCost(500.0, 150.0, 2.0), AggregateCost(150.0, 60.0)
_OTHER_ORDER = NoForm("Spark adds products in another order")
_ONE, _SQUARES, _PAIR = (0, 0), (1, 1), (0, 1)  # pairs of arguments that are multiplied


def _statistic(
    name: str,
    nodes: tuple[type[exp.Expr], ...],
    moments: MomentSpec,
    range_rule: AggregateRange,
    spark: AggregateForm | NoForm = _OTHER_ORDER,
) -> Aggregate:
    """Declare a second-moment statistic."""
    count = 1 + max(map(max, moments.product_pairs))
    return Aggregate(
        name, count, _D, duckdb.in_value_order(name), SAME, spark, nodes, NUMBERS, ReleasedAs.MOMENTS, range_rule,
        _ORDERED_COST, framed=Framed.RELEASED, moments=moments,
    )  # fmt: skip


AGGREGATES: dict[str, Aggregate] = {
    a.name: a
    for a in (
        Aggregate(
            "count_star", 0, _I, "count(*)", SAME, SAME, released_as=ReleasedAs.ROWS, range_rule=_count_range,
            framed=Framed.ALWAYS,
        ),
        Aggregate(
            "count", 1, _I, "count({0})", SAME, SAME, (exp.Count,), released_as=ReleasedAs.VALUES,
            range_rule=_count_range, distinct=DistinctRule.OWN_ROW, framed=Framed.ALWAYS,
        ),
        Aggregate(
            "count_distinct", 1, _I, "count(DISTINCT {0})", SAME, SAME, released_as=ReleasedAs.DISTINCT,
            range_rule=_count_range, cost=AggregateCost(300.0, 100.0, 2.6, 1.5),
        ),
        Aggregate(
            "count_if", 1, _I, _COUNTED_ROWS, "count_if({0})", _COUNTED_ROWS, (exp.CountIf,), CONDITION,
            range_rule=_count_range, as_filter_of="count_star",
        ),
        Aggregate(
            "sum", 1, None, duckdb.FIXED_POINT.sum, duckdb.released_sum, spark.fixed_point_sum, (exp.Sum,), NUMBERS,
            ReleasedAs.SUM, _sum_range, distinct=DistinctRule.OWN_ROW, framed=Framed.ALWAYS,
            public=duckdb.in_sorted_order("sum", duckdb.released_sum),
        ),
        Aggregate(
            "avg", 1, _D, duckdb.FIXED_POINT.mean, "avg({0})", spark.fixed_point_mean, (exp.Avg,), NUMBERS,
            ReleasedAs.MEAN, cost=AggregateCost(200.0), distinct=DistinctRule.OWN_ROW, framed=Framed.ALWAYS,
            public=duckdb.in_sorted_order("avg", "avg({0})"),
        ),
        *(
            Aggregate(
                name, 1, None, f"{name}({{0}})", SAME, SAME, (node,), released_as=ReleasedAs.QUANTILE,
                cost=_VALUE_COST, distinct=DistinctRule.IGNORED, framed=Framed.ALWAYS, is_extreme=True,
                returns_argument=True, quantile=quantile,
            )
            for name, node, quantile in (
                ("min", exp.Min, QuantileSpec(MIN_LEVEL, "down")), ("max", exp.Max, QuantileSpec(MAX_LEVEL, "up")),
            )
        ),
        *(
            Aggregate(
                f"arg_{extreme}", 2, None, duckdb.extreme_of_order(extreme), f"arg_{extreme}({{0}}, {{1}})",
                spark.extreme_of_order(extreme), (node,), cost=_ARGUMENT_COST, order=Order.BY_ARGUMENT,
                public=duckdb.extreme_of_order(extreme), returns_argument=True,
                other_names=(f"arg{extreme}", f"{extreme}_by"),
            )
            for extreme, node in (("min", exp.ArgMin), ("max", exp.ArgMax))
        ),
        *(
            Aggregate(
                name, 1, _B, f"{name}({{0}})", SAME, SAME, (node,), CONDITION, range_rule=_no_range,
                distinct=DistinctRule.IGNORED, framed=Framed.ALWAYS,
            )
            for name, node in (("bool_and", exp.LogicalAnd), ("bool_or", exp.LogicalOr))
        ),
        Aggregate(
            "median", 1, _D, duckdb.MEDIAN, SAME, spark.median, (exp.Median,), NUMBERS, ReleasedAs.QUANTILE,
            cost=_QUANTILE_COST, framed=Framed.RELEASED, quantile=QuantileSpec(MEDIAN_LEVEL),
        ),
        Aggregate(
            "quantile_cont", 2, _D, duckdb.QUANTILE, SAME, spark.quantile, (exp.PercentileCont,), NUMBERS,
            ReleasedAs.QUANTILE, cost=_QUANTILE_COST, framed=Framed.RELEASED, quantile=QuantileSpec(),
        ),
        Aggregate(
            "quantile_disc", 2, None, "quantile_disc({0}, {1})", SAME, spark.discrete_quantile,
            (exp.PercentileDisc, exp.Quantile), released_as=ReleasedAs.QUANTILE,
            cost=AggregateCost(250.0, 80.0, 2.0, 1.5), quantile=QuantileSpec(rounding="near", is_value=True),
            returns_argument=True,
        ),
        Aggregate(
            "mode", 1, None, "mode({0} ORDER BY {order})", SAME, spark.mode, (exp.Mode,),
            cost=AggregateCost(500.0, 150.0, 5.0, 3.0), order=Order.BY_FREQUENCY, returns_argument=True,
        ),
        Aggregate(
            "any_value", 1, None, "min({0})", SAME, SAME, (exp.AnyValue,), cost=_VALUE_COST,
            distinct=DistinctRule.IGNORED, returns_argument=True,
        ),
        Aggregate(
            "first", 1, None, "first({0} ORDER BY {order})", SAME, spark.first, (exp.First,), cost=_ROW_COST,
            order=Order.REQUIRED, returns_argument=True,
        ),
        Aggregate(
            "last", 1, None, "last({0} ORDER BY {order})", SAME, spark.last, (exp.Last,), cost=_ROW_COST,
            order=Order.REQUIRED, returns_argument=True,
        ),
        Aggregate(
            "list", 1, None, "list({0} ORDER BY {order})", SAME, spark.listed, (exp.ArrayAgg,), _LISTABLE,
            cost=AggregateCost(400.0, 180.0, 8.0, 4.0), order=Order.OPTIONAL, distinct=DistinctRule.OWN_ROW,
            returns_list=True, is_parsed_by_name=True,
        ),
        Aggregate(
            "list_distinct", 1, None, "list(DISTINCT {0} ORDER BY {0})", SAME, spark.distinct_listed,
            accepts=_LISTABLE, cost=AggregateCost(500.0, 200.0, 8.0, 4.0), order=Order.BY_VALUE, returns_list=True,
        ),
        Aggregate(
            "string_agg", 2, _T, duckdb.JOINED, SAME, spark.joined, (exp.GroupConcat,), _TEXT,
            cost=AggregateCost(800.0, 250.0, 14.0, 6.0), order=Order.OPTIONAL,
            other_names=("listagg", "group_concat"), is_parsed_by_name=True, has_separator=True,
        ),
        *(
            Aggregate(name, 1, _I, f"{name}({{0}})", SAME, SAME, (node,), _INTEGERS, range_rule=_unknown_range)
            for name, node in (
                ("bit_and", exp.BitwiseAndAgg), ("bit_or", exp.BitwiseOrAgg), ("bit_xor", exp.BitwiseXorAgg),
            )
        ),
        Aggregate(
            "product", 1, _D, duckdb.in_value_order("product"), SAME, spark.product, accepts=NUMBERS,
            range_rule=_unknown_range, cost=_ORDERED_COST, is_parsed_by_name=True,
        ),
        Aggregate(
            "sum_distinct", 1, None, duckdb.in_value_order("sum", "DISTINCT "), SAME, spark.distinct_sum,
            accepts=NUMBERS, range_rule=_sum_range, cost=_ORDERED_COST,
        ),
        Aggregate(
            "avg_distinct", 1, _D, duckdb.in_value_order("avg", "DISTINCT "), SAME, spark.distinct_mean,
            accepts=NUMBERS, cost=_ORDERED_COST,
        ),
        _statistic(
            "var_pop", (exp.VariancePop,), MomentSpec((_ONE,), 1), _moment_range(4),
            spark.deviation("CASE WHEN a.n > 1D THEN a.d / a.n WHEN a.n = 1D THEN 0D END"),
        ),
        _statistic(
            "var_samp", (exp.Variance,), MomentSpec((_ONE,), 2), _moment_range(2),
            spark.deviation("CASE WHEN a.n > 1D THEN a.d / (a.n - 1D) END"),
        ),
        _statistic(
            "stddev_pop", (exp.StddevPop,), MomentSpec((_ONE,), 1), _moment_range(4, is_root=True),
            spark.deviation("CASE WHEN a.n > 1D THEN sqrt(a.d / a.n) WHEN a.n = 1D THEN 0D END"),
        ),
        _statistic(
            "stddev_samp", (exp.StddevSamp, exp.Stddev), MomentSpec((_ONE,), 2), _moment_range(2, is_root=True),
            spark.deviation("CASE WHEN a.n > 1D THEN sqrt(a.d / (a.n - 1D)) END"),
        ),
        _statistic("covar_pop", (exp.CovarPop,), MomentSpec((_PAIR,), 1), _moment_range(4, is_signed=True)),
        _statistic("covar_samp", (exp.CovarSamp,), MomentSpec((_PAIR,), 2), _moment_range(2, is_signed=True)),
        _statistic("corr", (exp.Corr,), MomentSpec((_PAIR, _ONE, _SQUARES), 1), lambda *_: Bounds(-1.0, 1.0)),
        _statistic("regr_slope", (exp.RegrSlope,), MomentSpec((_PAIR, _SQUARES), 1), _unknown_range),
        _statistic("regr_intercept", (exp.RegrIntercept,), MomentSpec((_PAIR, _SQUARES), 1), _unknown_range),
    )
}  # fmt: skip
MOMENTS: Mapping[str, MomentSpec] = {a.name: a.moments for a in AGGREGATES.values() if a.moments is not None}
FRAME_AGGREGATES = {a.name for a in AGGREGATES.values() if a.framed is Framed.ALWAYS}
AGGREGATE_NODES = {node: a.name for a in AGGREGATES.values() for node in a.nodes}
UNTYPED_AGGREGATES = _UNSUPPORTED_AGGREGATES | {a.name for a in AGGREGATES.values() if a.is_parsed_by_name}


def per_person_sql(aggregate: Aggregate, call: AggregateOperands) -> str:
    """Write an aggregate over one person's rows in DuckDB, independent of threads and row order.

    `ties` orders rows that are equal by the aggregate's own order, or values of equal frequency: it applies to MODE
    without ORDER BY, and to other aggregates with one; without ORDER BY, these order by the value itself.
    """
    assert not isinstance(aggregate.per_person, NoForm)  # noqa: S101  the binder refuses the others
    return _write(aggregate, aggregate.per_person, call)


def public_sql(aggregate: Aggregate, call: AggregateOperands) -> str:
    """Write an aggregate over public rows deterministically: doubles are added in sorted order.

    There is no person to hash: ties are broken by the value.
    """
    return released_sql(aggregate, call) if aggregate.public is None else _write(aggregate, aggregate.public, call)


def released_sql(aggregate: Aggregate, call: AggregateOperands) -> str:
    """Write an aggregate over released or public rows; a sum of integers beyond 64 bits is NULL."""
    return (
        per_person_sql(aggregate, call) if aggregate.released == SAME else _write(aggregate, aggregate.released, call)
    )


def _write(aggregate: Aggregate, form: AggregateForm, call: AggregateOperands) -> str:
    """Write a call in one of its aggregate's DuckDB forms."""
    if callable(form):
        return form(call)
    return duckdb.fill_form(form, aggregate.argument_count, call, aggregate.breaks_ties(bool(call.directions)))


def per_person_spark_sql(aggregate: Aggregate, call: AggregateOperands) -> str:
    """Write an aggregate over one person's rows in Spark; raises UnsupportedByEngine if Spark's value would differ."""
    form = aggregate.per_person if aggregate.spark == SAME else aggregate.spark
    if isinstance(form, NoForm) or (call.window and aggregate.framed is not Framed.ALWAYS):
        raise UnsupportedByEngine(f"{aggregate.name.upper()} has no form there")
    return form(call) if callable(form) else spark.fill_form(form, aggregate.argument_count, call)


def products_fit(ranges: Sequence[Bounds], stated: Bounds | None) -> bool:
    """Return whether the ranges of arguments are known and narrow enough that their products fit.

    `stated` are bounds stated in the query, which replace the range of each argument.
    """
    return all(_is_narrow(each, stated) for each in ranges)


def _is_narrow(bounds: Bounds, stated: Bounds | None) -> bool:
    """Return whether a range, or the stated bounds in its place, is known and within MAX_FACTOR_MAGNITUDE."""
    if stated is None and not bounds.is_finite:
        return False
    ends = bounds if stated is None else stated
    return max(abs(ends.lower), abs(ends.upper)) <= MAX_FACTOR_MAGNITUDE


def integer_bounds(bounds: Bounds, type_: SqlType) -> Bounds:
    """Round the range of an integer type outward to integers; a DOUBLE's range stays as it is."""
    if type_ is SqlType.DOUBLE:
        return bounds
    return Bounds(float(int(bounds.lower // 1)), float(-int(-bounds.upper // 1)))


def grains_per_unit(value: Expr) -> int:
    """Choose the grains per unit for fixed-point sums of a double: fine, and far from overflowing 64 bits.

    A power of two from 2^0 to 2^30, chosen so that values stay below 2^50 grains; 2^20 where the range is unknown.
    """
    bounds = range_of(value)
    if not bounds.is_finite:
        return 1 << 20
    largest = max(abs(bounds.lower), abs(bounds.upper), 1.0)
    return 1 << max(0, min(30, 50 - int(largest).bit_length()))


def aggregate_range(aggregate: Aggregate, arguments: Sequence[Expr], max_rows: int) -> Bounds | None:
    """Range of an aggregate over at most `max_rows` rows of one person; None if its value is not a number."""
    return aggregate.range_rule([range_of(argument) for argument in arguments], max_rows)
