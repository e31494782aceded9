"""The base of engine dialects: SQL fragments, choices, and the calls of aggregates and window functions.

Window functions are total forms over totally ordered rows (`dialect/codegen/proofs.md#windows`). Terms:

    peers       rows that a call's ORDER BY leaves equal
    ties        ORDER BY terms that distinguish peers: tie-breaking hashes and columns, or the position
    grain       fixed-point resolution in which doubles are added, so that sums do not depend on row order
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Expr, Literal
from dialect.catalog.model import Column, SqlType
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import AGGREGATES, Aggregate, grains_per_unit, public_sql, released_sql
from dialect.functions.emitter import Emitter, write_expr, write_order_term
from dialect.functions.tie_order import TieOrder
from dialect.functions.window_functions import WINDOW_FUNCTIONS

SALT = 7046029254386353131  # makes the order of groups differ between persons; not secret
UNSIGNED_TYPE = "UBIGINT"  # stored type of unsigned 64-bit integers


@dataclass(frozen=True)
class EngineDialect(ABC):
    """The SQL of one engine. In fragments, {0} and {1} are operands."""

    emitter: Emitter  # literals, functions and tie-breaking hashes
    quote_identifier: Callable[[str], str]  # quoting of identifiers
    materialized: str  # CTE modifier: computed once
    not_materialized: str  # CTE modifier: computed at each reference
    lookup_join: str  # join with unique persons; DuckDB's JOIN looks up integers in an array
    wide_integer: str  # type of 128-bit integers, or of 38 digits
    wide_sum: str  # SUM of integers that cannot overflow
    sum_of_squares: str  # exact sum of squares of integers below 2^31
    bit_length: str  # number of binary digits of an integer from 1 to 2^122
    small_log2: str  # whole part of log2 of a whole DOUBLE from 1 to 2^42; "": bits are counted instead
    truncated: str  # DOUBLE to BIGINT, truncated towards zero
    rounded: str  # DOUBLE to BIGINT, rounded half to even
    quotient: str  # integer division, truncated towards zero
    wide_quotient: str  # the same of a wide integer by a positive one
    is_finite: str
    hash: str  # hash of columns
    salted_hash: str  # salted hash of columns
    uppercase: str  # text trimmed and in uppercase, at least for ASCII letters
    local_timestamp: str  # local timestamp of an instant in a time zone
    nulls_last: str  # suffix of an ORDER BY term that puts NULLs last
    is_objectable: str  # predicate of texts that an objection can name: 1 to 1,000 characters of UTF-8 without NUL
    reads_broadcast_objectors: bool  # objectors are rows that are sent along, not a stored table
    rereads_rows: bool  # reading rows several times is cheaper than sorting all of them
    sorts_rollups: bool  # a rollup's rows are written in order; a lake's are sorted in DuckDB
    splits_disjunctions: bool  # a join on alternatives is a union of joins by hash
    compares_intervals_in_joins: bool  # a nested loop join may compare intervals
    orders_windows_by_columns: bool  # calls with one order sort by columns that break ties, without a position
    groups_by_unit_alone: bool  # keys that the unit determines are aggregated by any_value, which is cheap
    # sort keys of frames with value offsets, in a type in which no offset overflows
    offset_sort_keys: Mapping[SqlType, str] = field(default_factory=dict)

    @abstractmethod
    def stored_column(self, column: Column, is_key: bool, is_same_bits: bool) -> str:
        """Write a stored column cast to its declared dialect type.

        `is_key`: it leads to the row's person. `is_same_bits`: the backend already reads an unsigned key as the signed
        BIGINT of the same bits.
        """

    @abstractmethod
    def per_person_aggregate(self, aggregate: Aggregate, operands: AggregateOperands) -> str:
        """Write an aggregate over one person's rows, independent of their order."""

    @abstractmethod
    def window_function(self, call: rel.WindowCall, arguments: list[str], ties: Sequence[str]) -> str:
        """Write a window function that is not an aggregate, by what determines its value."""

    @abstractmethod
    def frame_offset(self, offset: Literal, kind: SqlType | None) -> str:
        """Write the offset of a frame in the type of its sort key; None: a number of rows."""

    def aggregate_argument(self, argument: Expr) -> str:
        """Write an argument of an aggregate."""
        return write_expr(argument, self.emitter)

    def aggregate_call(self, call: rel.AggregateCall, source: rel.Relation) -> str:
        """Write an aggregate call deterministically, in the form for its source's kind of rows.

        A person's rows need forms that are independent of row order, with ties broken by a hash; public and released
        rows, which DuckDB holds, have simpler ones.
        """
        aggregate = AGGREGATES[call.function]
        operands = AggregateOperands(
            [self.aggregate_argument(argument) for argument in call.arguments],
            [argument.type for argument in call.arguments],
            self._condition(call.condition),
            directions=call.sort_directions,
            grain=_grain(call.arguments),
        )
        if isinstance(source, rel.PerPerson):
            ties = TieOrder(source.person, self.emitter.tie_hash)
            return self.per_person_aggregate(aggregate, replace(operands, ties=ties))
        return (public_sql if isinstance(source, rel.Public) else released_sql)(aggregate, operands)

    def window_call(self, call: rel.WindowCall, source: rel.Relation, ties: Sequence[str]) -> str:
        """Write a window call; `ties` are the terms that make its order total.

        An aggregate needs them only with a frame of ROWS; with other frames, peers enter and leave together. Released
        rows and a person's rows have different forms of aggregates.
        """
        arguments = [write_expr(argument, self.emitter) for argument in call.arguments]
        if call.function in WINDOW_FUNCTIONS:
            return self.window_function(call, arguments, ties)
        terms = self.sort_terms(call)
        over_clause = self.over_clause(
            call, [*terms, *ties] if rel.has_rows_frame(call) else terms, self.frame_clause(call.frame, call.order)
        )
        types, condition = [argument.type for argument in call.arguments], self._condition(call.condition)
        operands = AggregateOperands(arguments, types, condition, f" {over_clause}", grain=_grain(call.arguments))
        write = released_sql if isinstance(source, rel.Released) else self.per_person_aggregate
        return write(AGGREGATES[call.function], operands)

    def _condition(self, condition: Expr | None) -> str | None:
        """Write the condition of a FILTER; None without one."""
        return None if condition is None else write_expr(condition, self.emitter)

    def over_clause(self, call: rel.WindowCall, terms: Sequence[str], frame: str) -> str:
        """Write OVER with partition, ORDER BY terms and frame."""
        partition = ", ".join(write_expr(part, self.emitter) for part in call.partition)
        clauses = [f"PARTITION BY {partition}"] if partition else []
        clauses += [f"ORDER BY {', '.join(terms)}"] if terms else []
        return f"OVER ({' '.join([*clauses, *([frame] if frame else [])])})"

    def sort_terms(self, call: rel.WindowCall) -> list[str]:
        """Write the call's own ORDER BY terms."""
        return [self._sort_term(key, call.frame) for key in call.order]

    def _sort_term(self, key: rel.OrderKey, frame: rel.Frame | None) -> str:
        """Write an ORDER BY term; under a frame with value offsets, in a type in which no offset can overflow.

        The suffix of the term (DESC, NULLS LAST) is what follows the expression in the plain form.
        """
        term = write_order_term(key.expr, key.descending, key.nulls_first, self.emitter)
        if frame is None or not frame.has_value_offset:
            return term
        written = write_expr(key.expr, self.emitter)
        return self.offset_sort_keys.get(key.expr.type, "{0}").format(written) + term[len(written) :]

    def frame_clause(self, frame: rel.Frame | None, order: Sequence[rel.OrderKey]) -> str:
        """Write a frame; "" without one. Value offsets are widened as their sort key is."""
        if frame is None:
            return ""
        kind = order[0].expr.type if frame.has_value_offset else None
        return f"{frame.unit} BETWEEN {self._frame_bound(frame.start, kind)} AND {self._frame_bound(frame.end, kind)}"

    def _frame_bound(self, bound: rel.FrameBound, kind: SqlType | None) -> str:
        """Write one bound of a frame; `kind` is the type of the sort key, or None for a number of rows."""
        if bound.side == "current row":
            return "CURRENT ROW"
        return f"{'UNBOUNDED' if bound.offset is None else self.frame_offset(bound.offset, kind)} {bound.side.upper()}"


def _grain(arguments: Sequence[Expr]) -> int:
    """Choose the fixed-point grains per unit of an aggregate's first argument."""
    return grains_per_unit(arguments[0]) if arguments else 1
