"""Spark's forms of casts: NULL where a value does not fit, halves to what is even, as DuckDB does."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm
from dialect.functions.scalar.functions_cast import NARROW

_X = "CAST({0} AS DOUBLE)"
_INF = "CAST('inf' AS DOUBLE)"
# larger doubles are whole, and integers must not become doubles
_NEAREST = (
    f"CASE WHEN abs({_X}) < 4503599627370496D THEN CAST(rint(CASE WHEN abs({_X}) < 4503599627370496D THEN {_X} END)"
    " AS BIGINT) ELSE TRY_CAST({0} AS BIGINT) END"
)
_SINGLE = "CAST(CAST({0} AS FLOAT) * 1F AS DOUBLE)"  # two casts alone Spark takes for one of a BIGINT
MICROSECONDS_A_DAY = 86_400_000_000


def _narrowed(lowest: int, largest: int) -> str:
    ends = f"{lowest}L AND {largest}L" if lowest > -(2**63) else f"-{largest}L - 1L AND {largest}L"
    return f"CASE WHEN {_NEAREST} BETWEEN {ends} THEN {_NEAREST} END"


def _decimal(digits: int, behind: int) -> str:
    """Round the double's own value, where Spark would round its decimal text."""
    power, most = f"CAST('{10.0**behind!r}' AS DOUBLE)", f"CAST('{10.0**digits!r}' AS DOUBLE)"
    scaled = f"({_X} * {power})"
    return f"CASE WHEN abs({scaled}) < {most} AND abs(round({scaled})) < {most} THEN round({scaled}) / {power} END"


CASTS: dict[str, SparkForm] = {
    "to_double": f"{_X}",
    "to_float": f"CASE WHEN abs({_SINGLE}) < {_INF} OR NOT abs({_X}) < {_INF} THEN {_SINGLE} END",
    "to_bigint(bool)": "CAST({0} AS BIGINT)",
    "to_bigint(int)": "{0}",
    "to_bigint(num)": _NEAREST,
    **{f"to_{name.lower()}(bool)": "CAST({0} AS BIGINT)" for name in NARROW},
    **{f"to_{name.lower()}(num)": _narrowed(*ends) for name, ends in NARROW.items()},
    "to_boolean": "({0} <> 0)",
    "to_varchar(int)": "CAST({0} AS STRING)",
    "to_varchar(time)": "CAST({0} AS STRING)",
    "to_varchar(bool)": "CAST({0} AS STRING)",
    "to_varchar(clock)": f"CASE WHEN {{0}} = {MICROSECONDS_A_DAY}L THEN '24:00:00'"
    " ELSE substr(CAST(timestamp_micros({0}) AS STRING), 12) END",
    "to_date": "CAST({0} AS DATE)",
    "to_time": f"pmod(unix_micros(CAST({{0}} AS TIMESTAMP)), {MICROSECONDS_A_DAY}L)",
    "to_timestamp": "TRY_CAST({0} AS TIMESTAMP_NTZ)",
    "to_decimal": _decimal,
}
