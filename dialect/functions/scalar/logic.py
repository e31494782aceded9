"""Functions of logic, comparison and NULL, for DuckDB and Spark (`dialect/functions/proofs.md#total-forms`).

In Spark, times of day and intervals are compared as integer microseconds.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.functions.signatures import Function, Partial, SparkForm

_BOOLEAN, _COMMON_TYPE = SqlType.BOOLEAN, SqlType.NULL
_COMPARABLE_KINDS = ("num", "text", "date", "stamp", "instant", "clock", "span", "bool")
_TIMESTAMP_CASTS = (
    "TRY_CAST({0} AS TIMESTAMP)",
    "TRY_CAST({1} AS TIMESTAMP)",
)  # a date may lie outside the range of timestamps


def _operator(name: str, kinds: tuple[str, ...], form: str, strict: bool = False) -> Function:
    """Declare an operator with a BOOLEAN result, which is not callable by name."""
    return Function(name, kinds, _BOOLEAN, form, is_strict=strict, is_callable=False)


def _comparison(name: str, sign: str, strict: bool = True) -> tuple[Function, ...]:
    """Declare a comparison for each kind of comparable values, and one for a date with a timestamp.

    The mixed one converts dates, which is NULL for those beyond the calendar; comparisons that are not strict (IS
    DISTINCT FROM) compare that NULL.
    """
    same_kind = (_operator(name, (kind, kind), f"({{0}} {sign} {{1}})", strict) for kind in _COMPARABLE_KINDS)
    mixed = _operator(name, ("time", "time"), f"({_TIMESTAMP_CASTS[0]} {sign} {_TIMESTAMP_CASTS[1]})", strict)
    return (*same_kind, replace(mixed, partial=Partial.BEYOND_CALENDAR if strict else Partial.NEVER))


LOGIC: tuple[Function, ...] = (
    _operator("and", ("bool*",), "({* AND })"),
    _operator("or", ("bool*",), "({* OR })"),
    _operator("not", ("bool",), "(NOT {0})", strict=True),
    *(row for sign in ("=", "<>", "<", "<=", ">", ">=") for row in _comparison(sign, sign)),
    *_comparison("is distinct from", "IS DISTINCT FROM", strict=False),
    *_comparison("is not distinct from", "IS NOT DISTINCT FROM", strict=False),
    *(_operator("in", (kind, f"{kind}*"), "({0} IN ({1*, }))") for kind in _COMPARABLE_KINDS),
    Function("coalesce", ("any*",), _COMMON_TYPE, "coalesce({*, })", is_strict=False),
    Function(
        "nullif",
        ("any", "any"),
        _COMMON_TYPE,
        "nullif({0}, {1})",
        ranges.first_argument,
        partial=Partial.FOR_SOME_VALUES,
        is_strict=False,
    ),
    Function("least", ("any*",), _COMMON_TYPE, "least({*, })", is_strict=False),
    Function("greatest", ("any*",), _COMMON_TYPE, "greatest({*, })", is_strict=False),
    _operator("is null", ("any",), "({0} IS NULL)"),
    _operator("is true", ("bool",), "({0} IS TRUE)"),
    _operator("is false", ("bool",), "({0} IS FALSE)"),
)


_SPARK_TIMESTAMP_CASTS = "TRY_CAST({0} AS TIMESTAMP_NTZ)", "TRY_CAST({1} AS TIMESTAMP_NTZ)"
_SIGNS = ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")

SPARK_LOGIC: dict[str, SparkForm] = {
    **{sign.lower(): f"({{0}} {sign} {{1}})" for sign in _SIGNS},
    **{
        f"{sign.lower()}(time, time)": f"({_SPARK_TIMESTAMP_CASTS[0]} {sign} {_SPARK_TIMESTAMP_CASTS[1]})"
        for sign in _SIGNS
    },
    "and": "({* AND })",
    "or": "({* OR })",
    "not": "(NOT {0})",
    "in": "({0} IN ({1*, }))",
    "in(num, num*)": "({0} + 0 IN ({1*, }))",  # Spark searches long lists as hash sets, in which -0.0 differs from 0.0
    "coalesce": "coalesce({*, })",
    "nullif": "nullif({0}, {1})",
    "least": "least({*, })",
    "greatest": "greatest({*, })",
    "is null": "({0} IS NULL)",
    "is true": "({0} IS TRUE)",
    "is false": "({0} IS FALSE)",
}
