"""Spark's forms of truth and comparison. Times of day and intervals are whole microseconds there."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm

_STAMPS = "TRY_CAST({0} AS TIMESTAMP_NTZ)", "TRY_CAST({1} AS TIMESTAMP_NTZ)"
_SIGNS = ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")

LOGIC: dict[str, SparkForm] = {
    **{sign.lower(): f"({{0}} {sign} {{1}})" for sign in _SIGNS},
    **{f"{sign.lower()}(time, time)": f"({_STAMPS[0]} {sign} {_STAMPS[1]})" for sign in _SIGNS},
    "and": "({* AND })",
    "or": "({* OR })",
    "not": "(NOT {0})",
    "in": "({0} IN ({1*, }))",
    "in(num, num*)": "({0} + 0 IN ({1*, }))",  # long lists are sets there, in which -0.0 is not 0.0
    "coalesce": "coalesce({*, })",
    "nullif": "nullif({0}, {1})",
    "least": "least({*, })",
    "greatest": "greatest({*, })",
    "is null": "({0} IS NULL)",
    "is true": "({0} IS TRUE)",
    "is false": "({0} IS FALSE)",
}
