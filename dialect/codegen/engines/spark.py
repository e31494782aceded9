"""Spark's dialect, in ANSI mode; https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html.

Sums of BIGINT raise beyond 64 bits. Dates and times outside the years 1 to 9999 are NULL, because Spark's calendar ends
there and its functions may raise beyond it. A lake holds people's rows only, so that aggregates have the form for one
person's rows. Ties of a window are broken by the position, a row number among the person's rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import Frame, FrameBound, FrameUnit, OrderKey, WindowCall, is_whole_partition
from dialect.catalog.model import MAX_PERSON_CHARACTERS, Column, SqlType
from dialect.codegen.engines.engine import SALT, UNSIGNED_TYPE, EngineDialect
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import Aggregate, per_person_spark_sql
from dialect.functions.emitter import SPARK, UnsupportedByEngine, quote_for_spark
from dialect.functions.literals import MONTHS
from dialect.functions.scalar.text import SPARK_TRIMMED
from dialect.functions.scalar.time import SPARK_LOCAL_TIMESTAMP
from dialect.functions.signatures import quote_spark_identifier
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy

# Identity on doubles, in a form that no file statistics apply to: Parquet's leave NaN out and distinguish two zeros,
# while Spark sorts NaN above all and has one zero (dialect/codegen/proofs.md#lakes); https://spark.apache.org/docs/latest/api/sql/#nanvl
SPARK_DOUBLE = "nanvl(CAST({0} AS DOUBLE), CAST('NaN' AS DOUBLE))"
# the upper half of wide ones as BIGINT, as no form of bin() reads decimals
_BIT_LENGTH = (
    "CASE WHEN {0} < 4611686018427387904 THEN length(bin(CAST(least({0}, 4611686018427387904) AS BIGINT)))"
    " ELSE 62 + length(bin({0} DIV 4611686018427387904)) END"
)
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"
_WHOLE_PARTITION = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
_UP_TO_CURRENT_ROW = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_WIDE = "CAST({} AS DECIMAL(38, 0))"  # no offset overflows it
_WIDE_TIME = _WIDE.format("unix_micros(CAST({} AS TIMESTAMP))")
# sums the upper and lower halves of squares as BIGINT, so that decimals are computed once per sum and not per row
_SQUARES = (
    "CAST(sum(shiftright({0} * {0}, 31)) AS DECIMAL(38, 0)) * 2147483648"
    " + CAST(sum({0} * {0} & 2147483647L) AS DECIMAL(38, 0))"
)


@dataclass(frozen=True)
class SparkDialect(EngineDialect):
    """The SQL of a Spark lake, which holds people's rows."""

    def stored_column(self, column: Column, is_key: bool, is_same_bits: bool) -> str:
        """Write a stored column: 64-bit integers, doubles, text, times in the calendar.

        An unsigned key is a decimal, which holds all its values; other columns become BIGINT, NULL beyond it. Proof:
        `dialect/codegen/proofs.md#lakes`.
        """
        written = quote_spark_identifier(column.name)
        if column.type is SqlType.BIGINT:
            is_unsigned = column.stored_type.upper() == UNSIGNED_TYPE and not is_same_bits
            return f"CAST({written} AS DECIMAL(20, 0))" if is_unsigned and is_key else f"TRY_CAST({written} AS BIGINT)"
        if column.type is SqlType.DOUBLE:
            return SPARK_DOUBLE.replace("{0}", written)
        if column.type is SqlType.DATE:
            return f"CASE WHEN {written} BETWEEN DATE '{_FIRST_DAY}' AND DATE '{_LAST_DAY}' THEN {written} END"
        if column.type is SqlType.TIMESTAMPTZ:
            return _within_calendar(written, "TIMESTAMP")
        return _local_timestamp(written, column) if column.type is SqlType.TIMESTAMP else written

    def per_person_aggregate(self, aggregate: Aggregate, operands: AggregateOperands) -> str:
        """Write an aggregate over one person's rows; raises UnsupportedByEngine without a form."""
        return per_person_spark_sql(aggregate, operands)

    def window_function(self, call: WindowCall, arguments: list[str], ties: Sequence[str]) -> str:
        """Write a window function that is not an aggregate; Spark's INT results are cast to BIGINT.

        Offsets and bucket counts must be literals in Spark.
        """
        function, terms = WINDOW_FUNCTIONS[call.function], self.sort_terms(call)
        terms = terms if function.determined_by is DeterminedBy.PEERS else [*terms, *ties]
        frame = self._single_row_frame(call) if function.determined_by is DeterminedBy.FRAME else ""
        if function.constant is not None and function.constant < len(arguments):
            arguments[function.constant] = _integer_literal(call.arguments[function.constant])
        nulls = " IGNORE NULLS" if call.ignore_nulls else ""
        written = f"{call.function}({', '.join(arguments)}){nulls} {self.over_clause(call, terms, frame)}"
        return f"CAST({written} AS BIGINT)" if function.result is SqlType.BIGINT else written

    def _single_row_frame(self, call: WindowCall) -> str:
        """Write the frame of first_value, last_value or nth_value in ROWS, which makes the choice among peers definite.

        A RANGE frame from the first row is equal to ROWS up to the current row only for first_value: peers after the
        current row change the last value, not the first. Raises UnsupportedByEngine for other frames.
        """
        if is_whole_partition(call):
            return _WHOLE_PARTITION
        if call.frame is not None and call.frame.unit is FrameUnit.ROWS:
            return self.frame_clause(call.frame, call.order)
        starts_at_first = call.frame is None or call.frame.start == FrameBound("preceding")
        includes_current = call.frame is None or call.frame.end.side != "preceding"
        reads_first = WINDOW_FUNCTIONS[call.function].reads_first and not call.ignore_nulls
        if reads_first and starts_at_first and includes_current:
            return _UP_TO_CURRENT_ROW
        raise UnsupportedByEngine(f"{call.function} over a frame of values has no form there")

    def frame_clause(self, frame: Frame | None, order: Sequence[OrderKey]) -> str:
        """Write a frame; raises UnsupportedByEngine for GROUPS, which Spark does not have."""
        if frame is not None and frame.unit is FrameUnit.GROUPS:
            raise UnsupportedByEngine("a frame of GROUPS has no form there")
        return super().frame_clause(frame, order)

    def frame_offset(self, offset: Literal, kind: SqlType | None) -> str:
        """Write the offset of a frame; raises UnsupportedByEngine for intervals of months.

        Sort keys that are widened to decimals (microseconds for times) get offsets in the same unit; months have no
        fixed one.
        """
        if kind is None:
            return str(offset.value)  # a number of rows
        if offset.type is SqlType.INTERVAL and str(offset.value).split(" ")[1] in MONTHS:
            raise UnsupportedByEngine("a frame of months has no form there")
        written = quote_for_spark(offset)
        return _WIDE.format(written) if kind in self.offset_sort_keys else f"CAST({written} AS {kind})"


def _integer_literal(expr: Expr) -> str:
    """Write a constant integer as the literal that Spark requires; raises UnsupportedByEngine for others."""
    if not isinstance(expr, Literal) or not isinstance(expr.value, int) or abs(expr.value) >= 2**31:
        raise UnsupportedByEngine("a place that is no constant has no form there")
    return str(expr.value)


def _local_timestamp(written: str, column: Column) -> str:
    """Write a TIMESTAMP column in Spark as local time; stored UTC is converted to the column's time zone."""
    if not column.stored_utc or column.time_zone is None:
        return _within_calendar(written, "TIMESTAMP_NTZ")
    zone = quote_for_spark(Literal(column.time_zone, SqlType.VARCHAR))
    instant = _within_calendar(f"CAST({written} AS TIMESTAMP)", "TIMESTAMP")
    return SPARK_LOCAL_TIMESTAMP.replace("{0}", instant).replace("{1}", zone)


def _within_calendar(written: str, type_name: str) -> str:
    """Write a time that is NULL outside the years 1 to 9999, with a margin for every time zone."""
    bounds = f"{type_name} '{_FIRST_DAY} 14:00:00' AND {type_name} '{_LAST_DAY} 10:00:00'"
    return f"CASE WHEN {written} BETWEEN {bounds} THEN {written} END"


SPARK_DIALECT = SparkDialect(
    emitter=SPARK,
    quote_identifier=quote_spark_identifier,
    materialized="",
    not_materialized="",
    lookup_join="SEMI JOIN",
    wide_integer="DECIMAL(38, 0)",
    wide_sum="sum(CAST({0} AS DECIMAL(38, 0)))",
    sum_of_squares=_SQUARES,
    bit_length=_BIT_LENGTH,
    small_log2="",
    truncated="CAST({0} AS BIGINT)",
    rounded="CAST(rint({0}) AS BIGINT)",
    quotient="{0} div {1}",
    wide_quotient="{0} div {1}",
    is_finite="(abs({0}) < CAST('inf' AS DOUBLE))",
    hash="xxhash64({0})",
    salted_hash=f"xxhash64({{0}}, {SALT}L)",
    uppercase=f"translate({SPARK_TRIMMED}, '{ascii_lowercase}', '{ascii_uppercase}')",
    local_timestamp=SPARK_LOCAL_TIMESTAMP,
    nulls_last=" NULLS LAST",
    is_objectable=f"char_length({{0}}) BETWEEN 1 AND {MAX_PERSON_CHARACTERS} AND NOT contains({{0}}, char(0))"
    " AND is_valid_utf8({0})",
    reads_broadcast_objectors=True,
    rereads_rows=False,
    sorts_rollups=False,
    splits_disjunctions=False,
    compares_intervals_in_joins=True,
    orders_windows_by_columns=False,
    groups_by_unit_alone=False,  # any_value of a text would sort all rows
    offset_sort_keys={SqlType.BIGINT: _WIDE, SqlType.TIMESTAMP: _WIDE_TIME, SqlType.DATE: _WIDE_TIME},
)
