"""What bounded SQL is made of that engines say differently: one row an engine, each with its manual's link.

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

SALT = 7046029254386353131  # spreads the order of groups over persons; needs no secrecy
LARGEST_SMALL = 2**28  # of 2^35 rows, more than of people there are, the sum fits 64 bits
SMALL_TOTAL = "sum({0})"  # of integers of at most that, in every engine
# the upper and lower halves of squares are added as BIGINT, row by row; decimals are made once a sum
_SQUARES = (
    "CAST(sum(shiftright({0} * {0}, 31)) AS DECIMAL(38, 0)) * 2147483648"
    " + CAST(sum({0} * {0} & 2147483647L) AS DECIMAL(38, 0))"
)


@dataclass(frozen=True)
class Words:
    """The words of one engine; {0}, {1} are what they are said of."""

    emitter: Emitter  # constants and functions
    name: Callable[[str], str]  # a stored name
    kept: str  # of a subquery that is made once
    again: str  # of one that is made wherever it is read
    looked_up: str  # joins rows to persons of whom there is one row each; DuckDB finds whole numbers in an array so
    wide: str  # integers of 128 bits, or of 38 digits
    total: str  # a sum of integers that never leaves its type
    squares: str  # the sum of squares of integers below 2^31, as exact
    truncated: str  # a double cut towards zero, as BIGINT
    nearest: str  # the nearest integer to a double, halves to the even one, as BIGINT
    quotient: str  # of integers, cut towards zero
    is_finite: str
    hashed: str  # a number of some columns
    salted: str  # another one
    capitals: str  # a text without spaces around it in capitals, those of ASCII at least
    wall: str  # an instant on the clock of a time zone
    nulls: str  # behind a term of an order, so that NULLs stand last
    can_object: str  # a text that an objection can hold: 1 to 1,000 characters of UTF-8 without NUL


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
    """Find the words of the engine that is written for."""
    return WORDS[target.engine]


def in_order(columns: Sequence[str], said: Words = OF_DUCKDB) -> str:
    """Write a total order of different rows that differs from person to person."""
    return f"{said.salted.format(', '.join(columns))}, {', '.join(column + said.nulls for column in columns)}"
