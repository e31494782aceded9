"""DuckDB's dialect; https://duckdb.org/docs/stable/sql/introduction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import WindowCall, has_rows_frame
from dialect.catalog.model import MAX_PERSON_CHARACTERS, Column, SqlType
from dialect.codegen.engines.engine import SALT, EngineDialect
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import Aggregate, per_person_sql
from dialect.functions.emitter import DUCKDB, quote_identifier, quote_literal, write_expr
from dialect.functions.scalar.time import EARLIEST, LATEST, LOCAL_TIMESTAMP
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy


@dataclass(frozen=True)
class DuckDBDialect(EngineDialect):
    """The SQL of DuckDB, which holds public and released rows, and people's rows outside a lake."""

    def stored_column(self, column: Column, is_key: bool, is_same_bits: bool) -> str:
        """Write a stored column; UTC times become local times of their place."""
        written = quote_identifier(column.name)
        if column.type is SqlType.DOUBLE:
            return f"CAST({written} AS DOUBLE)"
        if column.type is not SqlType.TIMESTAMP:
            return written
        written = f"TRY_CAST({written} AS TIMESTAMP)"  # DATE and TIMESTAMP_S have wider ranges than TIMESTAMP
        if not column.stored_utc or column.time_zone is None:
            return written
        is_within_calendar = f"{written} BETWEEN TIMESTAMP '{EARLIEST} 00:00:00' AND TIMESTAMP '{LATEST} 00:00:00'"
        zone = quote_literal(Literal(column.time_zone, SqlType.VARCHAR))
        return f"CASE WHEN {is_within_calendar} THEN timezone({zone}, timezone('UTC', {written})) END"

    def per_person_aggregate(self, aggregate: Aggregate, operands: AggregateOperands) -> str:
        """Write an aggregate over one person's rows."""
        return per_person_sql(aggregate, operands)

    def aggregate_argument(self, argument: Expr) -> str:
        """Write an argument. DuckDB cannot ORDER BY a constant text within an aggregate, but accepts a cast of one."""
        written = write_expr(argument)
        is_constant_text = isinstance(argument, Literal) and argument.type in (SqlType.VARCHAR, SqlType.BOOLEAN)
        return f"CAST({written} AS {argument.type})" if is_constant_text else written

    def window_function(self, call: WindowCall, arguments: list[str], ties: Sequence[str]) -> str:
        """Write a window function that is not an aggregate, by what determines its value.

        A row of the frame (FRAME): ties are broken within the call's own ORDER BY, which leaves the window's peers
        together; in a frame of ROWS, by the window's ORDER BY. Sets of peers (PEERS): without ties, as these would
        separate peers. The position of the row (PLACE): ties are broken by the window's ORDER BY.
        """
        determined_by, terms = WINDOW_FUNCTIONS[call.function].determined_by, self.sort_terms(call)
        nulls, frame = " IGNORE NULLS" if call.ignore_nulls else "", self.frame_clause(call.frame, call.order)
        if determined_by is DeterminedBy.FRAME and not has_rows_frame(call):
            frame_arguments = f"{', '.join(arguments)} ORDER BY {', '.join([*terms, *ties])}{nulls}"
            return f"{call.function}({frame_arguments}) {self.over_clause(call, terms, frame)}"
        order_terms = terms if determined_by is DeterminedBy.PEERS else [*terms, *ties]
        return f"{call.function}({', '.join(arguments)}{nulls}) {self.over_clause(call, order_terms, frame)}"

    def frame_offset(self, offset: Literal, kind: SqlType | None) -> str:
        """Write the offset of a frame."""
        written = quote_literal(offset)
        return f"CAST({written} AS HUGEINT)" if kind is SqlType.BIGINT else written


DUCKDB_DIALECT = DuckDBDialect(
    emitter=DUCKDB,
    quote_identifier=quote_identifier,
    materialized="MATERIALIZED ",
    not_materialized="NOT MATERIALIZED ",
    lookup_join="JOIN",
    wide_integer="HUGEINT",
    wide_sum="sum({0})",
    sum_of_squares="sum({0} * {0})",
    bit_length="length(bin({0}))",
    # of values the other branches take, too, it never raises; a half is far more than any library's error
    small_log2="CAST(floor(log2(abs({0}) + 0.5)) AS BIGINT)",
    truncated="CAST(trunc({0}) AS BIGINT)",
    rounded="CAST({0} AS BIGINT)",
    quotient="{0} // {1}",
    # five times as fast where both fit 64 bits, as nearly all do
    wide_quotient="coalesce(TRY_CAST({0} AS BIGINT) // TRY_CAST({1} AS BIGINT), {0} // {1})",
    is_finite="isfinite({0})",
    hash="hash({0})",
    salted_hash=f"hash(xor(hash({{0}}), CAST({SALT} AS UBIGINT)))",
    uppercase="upper(trim({0}))",
    local_timestamp=LOCAL_TIMESTAMP,
    nulls_last="",
    is_objectable=f"length({{0}}) BETWEEN 1 AND {MAX_PERSON_CHARACTERS} AND NOT contains({{0}}, chr(0))",
    reads_broadcast_objectors=False,
    rereads_rows=True,
    sorts_rollups=True,
    splits_disjunctions=True,
    compares_intervals_in_joins=False,
    orders_windows_by_columns=True,
    groups_by_unit_alone=True,
    offset_sort_keys={
        SqlType.BIGINT: "CAST({0} AS HUGEINT)",
        SqlType.TIMESTAMP: f"CASE WHEN {{0}} BETWEEN TIMESTAMP '{EARLIEST}' AND TIMESTAMP '{LATEST}' THEN {{0}} END",
    },
)
