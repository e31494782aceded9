"""Engine dialects: SQL fragments that engines spell differently. One row per engine, with a link to its manual.

DuckDB: https://duckdb.org/docs/stable/sql/introduction. Spark in ANSI mode:
https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html, where sums of BIGINT raise beyond 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from dialect.algebra.codegen_types import Target
from dialect.catalog.eligibility import MAX_PERSON_CHARACTERS
from dialect.catalog.model import EngineName
from dialect.functions.emitter import DUCKDB, SPARK, Emitter, quote_identifier
from dialect.functions.scalar.text import SPARK_TRIMMED
from dialect.functions.scalar.time import LOCAL_TIMESTAMP, SPARK_LOCAL_TIMESTAMP
from dialect.functions.signatures import quote_spark_identifier

SALT = 7046029254386353131  # makes the order of groups differ between persons; not secret
MAX_SMALL_SUMMAND = 2**28  # the sum of 2^35 numbers up to this one fits 64 bits
SMALL_SUM = "sum({0})"  # SUM of integers up to MAX_SMALL_SUMMAND, in every engine
# sums the upper and lower halves of squares as BIGINT, so that decimals are computed once per sum and not per row
_SQUARES = (
    "CAST(sum(shiftright({0} * {0}, 31)) AS DECIMAL(38, 0)) * 2147483648"
    " + CAST(sum({0} * {0} & 2147483647L) AS DECIMAL(38, 0))"
)


@dataclass(frozen=True)
class EngineDialect:
    """SQL fragments of one engine; {0} and {1} are operands."""

    emitter: Emitter  # literals and functions
    quote_identifier: Callable[[str], str]  # quoting of identifiers
    materialized: str  # CTE modifier: computed once
    not_materialized: str  # CTE modifier: computed at each reference
    lookup_join: str  # join with unique persons; DuckDB's JOIN looks up integers in an array
    wide_integer: str  # type of 128-bit integers, or of 38 digits
    wide_sum: str  # SUM of integers that cannot overflow
    sum_of_squares: str  # exact sum of squares of integers below 2^31
    truncated: str  # DOUBLE to BIGINT, truncated towards zero
    rounded: str  # DOUBLE to BIGINT, rounded half to even
    quotient: str  # integer division, truncated towards zero
    is_finite: str
    hash: str  # hash of columns
    salted_hash: str  # salted hash of columns
    uppercase: str  # text trimmed and in uppercase, at least for ASCII letters
    local_timestamp: str  # local timestamp of an instant in a time zone
    nulls_last: str  # suffix of an ORDER BY term that puts NULLs last
    is_objectable: str  # predicate of texts that an objection can name: 1 to 1,000 characters of UTF-8 without NUL


ENGINE_DIALECTS = {
    EngineName.DUCKDB: EngineDialect(
        emitter=DUCKDB,
        quote_identifier=quote_identifier,
        materialized="MATERIALIZED ",
        not_materialized="NOT MATERIALIZED ",
        lookup_join="JOIN",
        wide_integer="HUGEINT",
        wide_sum="sum({0})",
        sum_of_squares="sum({0} * {0})",
        truncated="CAST(trunc({0}) AS BIGINT)",
        rounded="CAST({0} AS BIGINT)",
        quotient="{0} // {1}",
        is_finite="isfinite({0})",
        hash="hash({0})",
        salted_hash=f"hash(xor(hash({{0}}), CAST({SALT} AS UBIGINT)))",
        uppercase="upper(trim({0}))",
        local_timestamp=LOCAL_TIMESTAMP,
        nulls_last="",
        is_objectable=f"length({{0}}) BETWEEN 1 AND {MAX_PERSON_CHARACTERS} AND NOT contains({{0}}, chr(0))",
    ),
    EngineName.SPARK: EngineDialect(
        emitter=SPARK,
        quote_identifier=quote_spark_identifier,
        materialized="",
        not_materialized="",
        lookup_join="SEMI JOIN",
        wide_integer="DECIMAL(38, 0)",
        wide_sum="sum(CAST({0} AS DECIMAL(38, 0)))",
        sum_of_squares=_SQUARES,
        truncated="CAST({0} AS BIGINT)",
        rounded="CAST(rint({0}) AS BIGINT)",
        quotient="{0} div {1}",
        is_finite="(abs({0}) < CAST('inf' AS DOUBLE))",
        hash="xxhash64({0})",
        salted_hash=f"xxhash64({{0}}, {SALT}L)",
        uppercase=f"translate({SPARK_TRIMMED}, '{ascii_lowercase}', '{ascii_uppercase}')",
        local_timestamp=SPARK_LOCAL_TIMESTAMP,
        nulls_last=" NULLS LAST",
        is_objectable=f"char_length({{0}}) BETWEEN 1 AND {MAX_PERSON_CHARACTERS} AND NOT contains({{0}}, char(0))"
        " AND is_valid_utf8({0})",
    ),
}
DUCKDB_DIALECT = ENGINE_DIALECTS[EngineName.DUCKDB]


def dialect_of(target: Target) -> EngineDialect:
    """Return the dialect of the target's engine."""
    return ENGINE_DIALECTS[target.engine]


def hash_order(columns: Sequence[str], dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Write the ORDER BY terms of a total order of distinct rows: a salted hash, then the columns.

    The columns include the person, so that the order differs from person to person; they also order rows of equal hash.
    """
    return (
        f"{dialect.salted_hash.format(', '.join(columns))},"
        f" {', '.join(column + dialect.nulls_last for column in columns)}"
    )
