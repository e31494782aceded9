"""Engine dialects: SQL fragments that engines spell differently. One row per engine, with a link to its manual.

DuckDB: https://duckdb.org/docs/stable/sql/introduction. Spark in ANSI mode:
https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html, where sums of BIGINT raise beyond 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from dialect.algebra.target import Target
from dialect.catalog.admission import LONGEST_PERSON
from dialect.catalog.model import EngineName
from dialect.functions.emitter import DUCKDB, SPARK, Emitter, name
from dialect.functions.scalar.text import SPARK_TEXT
from dialect.functions.scalar.time import SPARK_TIMES, WALL
from dialect.functions.signature import quoted_name

SALT = 7046029254386353131  # makes the order of groups differ between persons; not secret
LARGEST_SMALL = 2**28  # the sum of 2^35 numbers up to this one fits 64 bits
SMALL_TOTAL = "sum({0})"  # SUM of integers up to MAX_SMALL_SUMMAND, in every engine
# sums the upper and lower halves of squares as BIGINT, so that decimals are computed once per sum and not per row
_SQUARES = (
    "CAST(sum(shiftright({0} * {0}, 31)) AS DECIMAL(38, 0)) * 2147483648"
    " + CAST(sum({0} * {0} & 2147483647L) AS DECIMAL(38, 0))"
)


@dataclass(frozen=True)
class Words:
    """SQL fragments of one engine; {0} and {1} are operands."""

    emitter: Emitter  # literals and functions
    name: Callable[[str], str]  # quoting of identifiers
    kept: str  # CTE modifier: computed once
    again: str  # CTE modifier: computed at each reference
    looked_up: str  # join with unique persons; DuckDB's JOIN looks up integers in an array
    wide: str  # type of 128-bit integers, or of 38 digits
    total: str  # SUM of integers that cannot overflow
    squares: str  # exact sum of squares of integers below 2^31
    truncated: str  # DOUBLE to BIGINT, truncated towards zero
    nearest: str  # DOUBLE to BIGINT, rounded half to even
    quotient: str  # integer division, truncated towards zero
    is_finite: str
    hashed: str  # hash of columns
    salted: str  # salted hash of columns
    capitals: str  # text trimmed and in uppercase, at least for ASCII letters
    wall: str  # local timestamp of an instant in a time zone
    nulls: str  # suffix of an ORDER BY term that puts NULLs last
    can_object: str  # predicate of texts that an objection can name: 1 to 1,000 characters of UTF-8 without NUL


WORDS = {
    EngineName.DUCKDB: Words(
        emitter=DUCKDB,
        name=name,
        kept="MATERIALIZED ",
        again="NOT MATERIALIZED ",
        looked_up="JOIN",
        wide="HUGEINT",
        total="sum({0})",
        squares="sum({0} * {0})",
        truncated="CAST(trunc({0}) AS BIGINT)",
        nearest="CAST({0} AS BIGINT)",
        quotient="{0} // {1}",
        is_finite="isfinite({0})",
        hashed="hash({0})",
        salted=f"hash(xor(hash({{0}}), CAST({SALT} AS UBIGINT)))",
        capitals="upper(trim({0}))",
        wall=WALL,
        nulls="",
        can_object=f"length({{0}}) BETWEEN 1 AND {LONGEST_PERSON} AND NOT contains({{0}}, chr(0))",
    ),
    EngineName.SPARK: Words(
        emitter=SPARK,
        name=quoted_name,
        kept="",
        again="",
        looked_up="SEMI JOIN",
        wide="DECIMAL(38, 0)",
        total="sum(CAST({0} AS DECIMAL(38, 0)))",
        squares=_SQUARES,
        truncated="CAST({0} AS BIGINT)",
        nearest="CAST(rint({0}) AS BIGINT)",
        quotient="{0} div {1}",
        is_finite="(abs({0}) < CAST('inf' AS DOUBLE))",
        hashed="xxhash64({0})",
        salted=f"xxhash64({{0}}, {SALT}L)",
        capitals=f"translate({SPARK_TEXT['trim(text)']}, '{ascii_lowercase}', '{ascii_uppercase}')",
        wall=str(SPARK_TIMES["wall"]),
        nulls=" NULLS LAST",
        can_object=f"char_length({{0}}) BETWEEN 1 AND {LONGEST_PERSON} AND NOT contains({{0}}, char(0))"
        " AND is_valid_utf8({0})",
    ),
}
OF_DUCKDB = WORDS[EngineName.DUCKDB]


def words(target: Target) -> Words:
    """Return the dialect of the target's engine."""
    return WORDS[target.engine]


def in_order(columns: Sequence[str], said: Words = OF_DUCKDB) -> str:
    """Write a total order of distinct rows by a salted hash, so that it differs from person to person."""
    return f"{said.salted.format(', '.join(columns))}, {', '.join(column + said.nulls for column in columns)}"
