"""Functions of logic, comparison and NULL, for DuckDB and Spark (`dialect/functions/proofs.md#total-forms`).

In Spark, times of day and intervals are compared as integer microseconds.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.functions.signatures import SAME, Cost, Effect, Function, Nulls, Partial, SparkForm

_BOOLEAN, _COMMON_TYPE = SqlType.BOOLEAN, SqlType.NULL
_COMPARABLE_KINDS = ("num", "text", "date", "stamp", "instant", "clock", "span", "bool")
_COMPARED = Cost(per_character=0.5)


def _operator(
    name: str,
    kinds: tuple[str, ...],
    form: str,
    *nodes: type[exp.Expr],
    spark: SparkForm = SAME,
    nulls: Nulls = Nulls.OWN,
) -> Function:
    """Declare an operator with a BOOLEAN result, which is not callable by name."""
    return Function(name, kinds, _BOOLEAN, form, spark, nulls=nulls, is_callable=False, nodes=nodes)


def _comparison(name: str, node: type[exp.Expr], nulls: Nulls = Nulls.ANY) -> tuple[Function, ...]:
    """Declare a comparison for each kind of comparable values, and one for a date with a timestamp.

    The mixed one converts dates, which is NULL for those beyond the calendar; comparisons that are never NULL (IS
    DISTINCT FROM) compare that NULL.
    """
    form = f"({{0}} {name.upper()} {{1}})"
    same_kind = [_operator(name, (kind, kind), form, node, nulls=nulls) for kind in _COMPARABLE_KINDS]
    mixed, spark_mixed = (
        form.format(*(f"TRY_CAST({{{place}}} AS {stamp})" for place in (0, 1)))
        for stamp in ("TIMESTAMP", "TIMESTAMP_NTZ")
    )  # a date may lie outside the range of timestamps
    times = _operator(name, ("time", "time"), mixed, node, spark=spark_mixed, nulls=nulls)
    times = replace(times, partial=Partial.BEYOND_CALENDAR if nulls is Nulls.ANY else Partial.NEVER)
    return tuple(replace(row, cost=_COMPARED) for row in (*same_kind, times))


def _membership(kind: str) -> Function:
    """Declare IN; Spark searches long lists as hash sets, in which -0.0 differs from 0.0."""
    form = "({0} IN ({1*, }))"
    row = _operator("in", (kind, f"{kind}*"), form, spark=form.replace("{0}", "{0} + 0") if kind == "num" else SAME)
    return replace(row, cost=replace(_COMPARED, per_argument=5.0))


LOGIC: tuple[Function, ...] = (
    _operator("and", ("bool*",), "({* AND })", exp.And, nulls=Nulls.ALL_OR_SOME),
    _operator("or", ("bool*",), "({* OR })", exp.Or, nulls=Nulls.ALL_OR_SOME),
    _operator("not", ("bool",), "(NOT {0})", exp.Not, nulls=Nulls.ANY),
    *_comparison("=", exp.EQ),
    *_comparison("<>", exp.NEQ),
    *_comparison("<", exp.LT),
    *_comparison("<=", exp.LTE),
    *_comparison(">", exp.GT),
    *_comparison(">=", exp.GTE),
    *_comparison("is distinct from", exp.NullSafeNEQ, Nulls.NEVER),
    *_comparison("is not distinct from", exp.NullSafeEQ, Nulls.NEVER),
    *map(_membership, _COMPARABLE_KINDS),
    Function(
        "coalesce", ("any*",), _COMMON_TYPE, "coalesce({*, })", SAME, nulls=Nulls.ALL, cost=Cost(per_character=0.5),
        effect=Effect.KEEPS_OR_FILLS,
    ),
    Function(
        "nullif", ("any", "any"), _COMMON_TYPE, "nullif({0}, {1})", SAME, ranges.first_argument,
        partial=Partial.FOR_SOME_VALUES, nulls=Nulls.OWN, cost=Cost(per_character=0.5), effect=Effect.KEEPS_OR_NULL,
    ),
    *(
        Function(
            name, ("any*",), _COMMON_TYPE, f"{name}({{*, }})", SAME, nulls=Nulls.ALL,
            cost=Cost(per_character=2.5, reads_all_texts=True),
        )
        for name in ("least", "greatest")
    ),
    replace(
        _operator("is null", ("any",), "({0} IS NULL)", nulls=Nulls.NEVER),
        cost=Cost(per_character=0.5, per_element=0.0, per_list_character=0.0), reads_instants=True,
    ),
    _operator("is true", ("bool",), "({0} IS TRUE)", nulls=Nulls.NEVER),
    _operator("is false", ("bool",), "({0} IS FALSE)", nulls=Nulls.NEVER),
)  # fmt: skip
