"""Stored column -> a value of its dialect type in Spark: what every read of a lake's table goes through.

Days and times outside the years 1 to 9999 are NULL: Spark's calendar goes no further, and what it does with them is no
total form.
"""

from __future__ import annotations

from dialect.catalog import Column, SqlType
from dialect.expressions import Literal
from dialect.spark_quote import quoted_name
from dialect.spark_time import TIMES
from dialect.write_expr import quote_for_spark

# a double's own value, by a function of which statistics of files know nothing: they leave NaN out and have two zeros,
# while Spark has NaN above all and one zero (proofs.md#lakes); https://spark.apache.org/docs/latest/api/sql/#nanvl
DOUBLE = "nanvl(CAST({0} AS DOUBLE), CAST('NaN' AS DOUBLE))"
UNSIGNED = "UBIGINT"  # https://spark.apache.org/docs/latest/sql-data-sources-parquet.html: a DECIMAL(20, 0) there
_FIRST, _LAST = "0001-01-01", "9999-12-31"


def stored_in_spark(column: Column, is_key: bool) -> str:
    """Write a stored column: whole numbers of 64 bits, doubles, text, and times of a calendar (`proofs.md#lakes`)."""
    written = quoted_name(column.name)
    if column.type is SqlType.BIGINT:
        wide = column.stored_type.upper() == UNSIGNED
        return f"CAST({written} AS DECIMAL(20, 0))" if wide and is_key else f"TRY_CAST({written} AS BIGINT)"
    if column.type is SqlType.DOUBLE:
        return DOUBLE.replace("{0}", written)
    if column.type is SqlType.DATE:
        return f"CASE WHEN {written} BETWEEN DATE '{_FIRST}' AND DATE '{_LAST}' THEN {written} END"
    if column.type is SqlType.TIMESTAMPTZ:
        return _within(written, "TIMESTAMP")
    return _wall(written, column) if column.type is SqlType.TIMESTAMP else written


def _wall(written: str, column: Column) -> str:
    if not column.stored_utc or column.time_zone is None:
        return _within(written, "TIMESTAMP_NTZ")
    zone = quote_for_spark(Literal(column.time_zone, SqlType.VARCHAR))
    instant = _within(f"CAST({written} AS TIMESTAMP)", "TIMESTAMP")
    return str(TIMES["wall"]).replace("{0}", instant).replace("{1}", zone)


def _within(written: str, kind: str) -> str:
    """Leave out what has no year of four digits, on whatever clock."""
    ends = f"{kind} '{_FIRST} 14:00:00' AND {kind} '{_LAST} 10:00:00'"
    return f"CASE WHEN {written} BETWEEN {ends} THEN {written} END"
