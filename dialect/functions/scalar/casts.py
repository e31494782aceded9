"""Casts, CAST(x AS type) or x::type: a value that does not fit is NULL, in DuckDB and in Spark.

The Spark forms round halves to even, as DuckDB does. A narrow type is an integer type of fewer than 64 signed bits: a
cast to it checks the range, and the result is BIGINT, the dialect's only integer type.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.functions.signatures import (
    SAME,
    Cost,
    Effect,
    Function,
    KeySetRule,
    NoForm,
    Partial,
    SparkForm,
    TextLength,
    Truncation,
)

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_STAMP, _DATE = SqlType.TIMESTAMP, SqlType.DATE

_NARROW_TYPES: dict[str, tuple[int, int]] = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**63 - 1),  # the dialect's integers are signed 64-bit
}


# all NaNs have one text, and so do both zeros
_TEXT_OF_DOUBLE = "CASE WHEN isnan({0}) THEN 'nan' ELSE CAST({0} + CAST(0 AS DOUBLE) AS VARCHAR) END"

_X = "CAST({0} AS DOUBLE)"
_INF = "CAST('inf' AS DOUBLE)"
# larger doubles are integral, and integers must not be converted to doubles
_NEAREST = (
    f"CASE WHEN abs({_X}) < 4503599627370496D THEN CAST(rint(CASE WHEN abs({_X}) < 4503599627370496D THEN {_X} END)"
    " AS BIGINT) ELSE TRY_CAST({0} AS BIGINT) END"
)
_SINGLE_PRECISION = (
    "CAST(CAST({0} AS FLOAT) * 1F AS DOUBLE)"  # without the product, Spark merges both casts of a BIGINT
)
MICROSECONDS_A_DAY = 86_400_000_000


def _narrow_form(lowest: int, largest: int) -> str:
    """Write the Spark cast of a double to an integer range, rounded half to even; NULL beyond it.

    -2^63 has no literal in Spark, so that it is written as a difference.
    """
    ends = f"{lowest}L AND {largest}L" if lowest > -(2**63) else f"-{largest}L - 1L AND {largest}L"
    return f"CASE WHEN {_NEAREST} BETWEEN {ends} THEN {_NEAREST} END"


def _decimal(precision: int, scale: int) -> str:
    """Write a cast to DECIMAL that rounds the double's own value; Spark would round its decimal text."""
    power, limit = f"CAST('{10.0**scale!r}' AS DOUBLE)", f"CAST('{10.0**precision!r}' AS DOUBLE)"
    scaled = f"({_X} * {power})"
    return f"CASE WHEN abs({scaled}) < {limit} AND abs(round({scaled})) < {limit} THEN round({scaled}) / {power} END"


def _cast(
    target: str,
    argument_kind: str,
    result: SqlType,
    duckdb: str,
    spark: SparkForm | NoForm,
    range_: ranges.RangeRule | None = None,
    partial: Partial = Partial.NEVER,
    values: tuple[int, ...] = (),
    types: tuple[str, ...] = (),
    effect: Effect | None = None,
    is_injective: bool = False,
) -> Function:
    """Declare the row of a cast, named to_<target>; casts are not callable by name."""
    return Function(
        f"to_{target}", (argument_kind,), result, duckdb, spark, range_, values, partial, is_callable=False,
        cast_types=types or (target.upper(),), effect=effect, is_injective=is_injective,
    )  # fmt: skip


def _narrow_casts(target: str) -> tuple[Function, ...]:
    """Declare the casts to a narrow type, of conditions (0 or 1) and of numbers."""
    limits = _NARROW_TYPES[target]
    form, spark = f"TRY_CAST(TRY_CAST({{0}} AS {target}) AS BIGINT)", _narrow_form(*limits)
    rows = (
        replace(_BOOLEAN_TO_INT, name=f"to_{target.lower()}", effect=None),
        _cast(target.lower(), "num", _INT, form, spark, ranges.round_to_integer, Partial.BEYOND_RANGE),
    )
    types, is_wide = (target.replace("INTEGER", "INT"),), limits == _NARROW_TYPES["INTEGER"]
    return tuple(replace(row, cast_types=types, limits=limits, is_injective=is_wide) for row in rows)


_MAX_FLOAT = 2.0**128 - 2.0**104  # largest single-precision number
_NO_SHORTEST_DIGITS = NoForm("Java 17 does not write the shortest digits of a double")
_BOOLEAN_TO_INT = _cast(
    "bigint", "bool", _INT, "CAST({0} AS BIGINT)", SAME, ranges.constant(0, 1), values=(0, 1),
    types=("BIGINT", "INT128"),  # integers have at most 64 bits
    effect=Effect.ROUNDS,
)  # fmt: skip

CASTS: tuple[Function, ...] = (
    _cast("double", "bool", _DOUBLE, "CAST({0} AS DOUBLE)", SAME, ranges.constant(0, 1), effect=Effect.KEEPS),
    _cast(
        "double", "num", _DOUBLE, "CAST({0} AS DOUBLE)", SAME, ranges.first_argument, effect=Effect.KEEPS,
        is_injective=True,
    ),
    replace(
        _cast(
            "float", "num", _DOUBLE, "CAST(TRY_CAST({0} AS FLOAT) AS DOUBLE)",
            f"CASE WHEN abs({_SINGLE_PRECISION}) < {_INF} OR NOT abs({_X}) < {_INF} THEN {_SINGLE_PRECISION} END",
            ranges.to_single_precision, Partial.BEYOND_RANGE, effect=Effect.ROUNDS,
        ),
        limits=(-_MAX_FLOAT, _MAX_FLOAT),
    ),
    _BOOLEAN_TO_INT,
    _cast("bigint", "int", _INT, "{0}", SAME, ranges.first_argument, effect=Effect.ROUNDS, is_injective=True),
    _cast(
        "bigint", "num", _INT, "TRY_CAST({0} AS BIGINT)", _NEAREST, ranges.round_to_integer, Partial.BEYOND_RANGE,
        effect=Effect.ROUNDS,
    ),
    *(row for target in _NARROW_TYPES for row in _narrow_casts(target)),
    _cast("boolean", "num", _BOOLEAN, "({0} <> 0)", SAME),
    *(
        replace(
            row, cost=Cost(per_call=200.0), cast_types=("TEXT", "VARCHAR"), text_length=TextLength.FORMATTED,
            is_injective=True,
        )
        for row in (
            _cast("varchar", "int", _TEXT, "CAST({0} AS VARCHAR)", "CAST({0} AS STRING)"),
            _cast("varchar", "num", _TEXT, _TEXT_OF_DOUBLE, _NO_SHORTEST_DIGITS),
            _cast("varchar", "time", _TEXT, "CAST({0} AS VARCHAR)", "CAST({0} AS STRING)"),
            _cast("varchar", "bool", _TEXT, "CAST({0} AS VARCHAR)", "CAST({0} AS STRING)"),
            _cast(
                "varchar", "clock", _TEXT, "CAST({0} AS VARCHAR)",
                f"CASE WHEN {{0}} = {MICROSECONDS_A_DAY}L THEN '24:00:00'"
                " ELSE substr(CAST(timestamp_micros({0}) AS STRING), 12) END",
            ),
        )
    ),
    replace(
        _cast("date", "time", _DATE, "CAST({0} AS DATE)", SAME),
        nodes=(exp.Date,), constant_within="day", key_set=KeySetRule.STEPS, truncation=Truncation.DAY,
    ),
    _cast(
        "time", "stamp", SqlType.TIME, "CASE WHEN isfinite({0}) THEN CAST({0} AS TIME) END",
        f"pmod(unix_micros(CAST({{0}} AS TIMESTAMP)), {MICROSECONDS_A_DAY}L)", partial=Partial.BEYOND_CALENDAR,
    ),
    Function(
        "to_decimal", ("num", "digits!", "behind!"), _DOUBLE, "CAST(TRY_CAST({0} AS DECIMAL({1}, {2})) AS DOUBLE)",
        _decimal, ranges.decimal, partial=Partial.FOR_SOME_VALUES,
        check_constants=lambda digits, behind: None if behind <= digits else Kind.TOO_MANY_DECIMALS.at(),
        is_callable=False, cast_types=("DECIMAL",), effect=Effect.ROUNDS,
    ),
    replace(
        _cast(
            "timestamp", "time", _STAMP, "TRY_CAST({0} AS TIMESTAMP)", "TRY_CAST({0} AS TIMESTAMP_NTZ)",
            partial=Partial.BEYOND_CALENDAR, types=("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"), is_injective=True,
        ),
        keeps_moment=True,
    ),
)  # fmt: skip
