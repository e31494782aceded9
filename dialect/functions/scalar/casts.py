"""Casts, CAST(x AS type) or x::type: a value that does not fit is NULL, in DuckDB and in Spark.

The Spark forms round halves to even, as DuckDB does. A narrow type is an integer type of fewer than 64 signed bits: a
cast to it checks the range, and the result is BIGINT, the dialect's only integer type.
"""

from __future__ import annotations

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.functions.signatures import Function, Partial, SparkForm

_INT, _DOUBLE, _TEXT, _BOOLEAN = SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.BOOLEAN
_STAMP, _DATE = SqlType.TIMESTAMP, SqlType.DATE

NARROW_TYPES: dict[str, tuple[int, int]] = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**63 - 1),  # the dialect's integers are signed 64-bit
}


def _cast(
    target: str,
    argument_kind: str,
    result: SqlType,
    form: str,
    range_: ranges.RangeRule | None = None,
    partial: Partial = Partial.NEVER,
    values: tuple[int, ...] = (),
) -> Function:
    """Declare the row of a cast, named to_<target>; casts are not callable by name."""
    return Function(f"to_{target}", (argument_kind,), result, form, range_, values, partial, is_callable=False)


def _narrow_casts(target: str) -> tuple[Function, ...]:
    """Declare the casts to a narrow type, of conditions (0 or 1) and of numbers."""
    form = f"TRY_CAST(TRY_CAST({{0}} AS {target}) AS BIGINT)"
    return (
        _cast(target.lower(), "bool", _INT, "CAST({0} AS BIGINT)", ranges.constant(0, 1), values=(0, 1)),
        _cast(target.lower(), "num", _INT, form, ranges.round_to_integer, Partial.FOR_SOME_VALUES),
    )


# all NaNs have one text, and so do both zeros
_TEXT_OF_DOUBLE = "CASE WHEN isnan({0}) THEN 'nan' ELSE CAST({0} + CAST(0 AS DOUBLE) AS VARCHAR) END"

CASTS: tuple[Function, ...] = (
    _cast("double", "bool", _DOUBLE, "CAST({0} AS DOUBLE)", ranges.constant(0, 1)),
    _cast("double", "num", _DOUBLE, "CAST({0} AS DOUBLE)", ranges.first_argument),
    _cast(
        "float",
        "num",
        _DOUBLE,
        "CAST(TRY_CAST({0} AS FLOAT) AS DOUBLE)",
        ranges.to_single_precision,
        Partial.FOR_SOME_VALUES,
    ),
    _cast("bigint", "bool", _INT, "CAST({0} AS BIGINT)", ranges.constant(0, 1), values=(0, 1)),
    _cast("bigint", "int", _INT, "{0}", ranges.first_argument),
    _cast("bigint", "num", _INT, "TRY_CAST({0} AS BIGINT)", ranges.round_to_integer, Partial.FOR_SOME_VALUES),
    *(row for target in NARROW_TYPES for row in _narrow_casts(target)),
    _cast("boolean", "num", _BOOLEAN, "({0} <> 0)"),
    _cast("varchar", "int", _TEXT, "CAST({0} AS VARCHAR)"),
    _cast("varchar", "num", _TEXT, _TEXT_OF_DOUBLE),
    _cast("varchar", "time", _TEXT, "CAST({0} AS VARCHAR)"),
    _cast("varchar", "bool", _TEXT, "CAST({0} AS VARCHAR)"),
    _cast("date", "time", _DATE, "CAST({0} AS DATE)"),
    _cast(
        "time",
        "stamp",
        SqlType.TIME,
        "CASE WHEN isfinite({0}) THEN CAST({0} AS TIME) END",
        partial=Partial.BEYOND_CALENDAR,
    ),
    _cast("varchar", "clock", _TEXT, "CAST({0} AS VARCHAR)"),
    Function(
        "to_decimal",
        ("num", "digits!", "behind!"),
        _DOUBLE,
        "CAST(TRY_CAST({0} AS DECIMAL({1}, {2})) AS DOUBLE)",
        ranges.decimal,
        partial=Partial.FOR_SOME_VALUES,
        check_constants=lambda digits, behind: (
            None if behind <= digits else "More digits stand behind the point than there are."
        ),
        is_callable=False,
    ),
    _cast("timestamp", "time", _STAMP, "TRY_CAST({0} AS TIMESTAMP)", partial=Partial.BEYOND_CALENDAR),
)


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


SPARK_CASTS: dict[str, SparkForm] = {
    "to_double": f"{_X}",
    "to_float": f"CASE WHEN abs({_SINGLE_PRECISION}) < {_INF} OR NOT abs({_X}) < {_INF} THEN {_SINGLE_PRECISION} END",
    "to_bigint(bool)": "CAST({0} AS BIGINT)",
    "to_bigint(int)": "{0}",
    "to_bigint(num)": _NEAREST,
    **{f"to_{name.lower()}(bool)": "CAST({0} AS BIGINT)" for name in NARROW_TYPES},
    **{f"to_{name.lower()}(num)": _narrow_form(*ends) for name, ends in NARROW_TYPES.items()},
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
