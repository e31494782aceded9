"""Window calls as Spark SQL, with the same values as in DuckDB (`dialect/codegen/proofs.md#windows`).

https://spark.apache.org/docs/latest/sql-ref-syntax-qry-select-window.html

Ties (rows that a call's ORDER BY leaves equal) are broken by the position: the column `row_rank`, a row number that
`dialect.codegen.relations.window_functions` adds to the source.
"""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import Frame, FrameBound, FrameUnit, OrderKey, Relation, WindowCall, is_whole_partition
from dialect.catalog.model import SqlType
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import AGGREGATES, grains_per_unit, per_person_spark_sql
from dialect.functions.constant_folding import MONTHS
from dialect.functions.emitter import SPARK, UnsupportedByEngine, quote_for_spark, write_expr, write_order_term
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy

_WHOLE_PARTITION = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
_UP_TO_CURRENT_ROW = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_WIDE = "CAST({} AS DECIMAL(38, 0))"  # no offset overflows it
# sort keys of frames with value offsets
_OFFSET_SORT_KEYS = {
    SqlType.BIGINT: _WIDE,
    SqlType.TIMESTAMP: _WIDE.format("unix_micros(CAST({} AS TIMESTAMP))"),
    SqlType.DATE: _WIDE.format("unix_micros(CAST({} AS TIMESTAMP))"),
}


def write_spark_window_call(call: WindowCall, source: Relation) -> str:
    """Write a window call over rows that have a position column where the call needs one.

    `source` is ignored: a lake holds people's rows only, so that aggregates have the form for one person's rows.
    """
    del source
    arguments = [write_expr(argument, SPARK) for argument in call.arguments]
    if call.function in WINDOW_FUNCTIONS:
        return _window_function(call, arguments)
    condition = None if call.condition is None else write_expr(call.condition, SPARK)
    has_rows_frame = call.frame is not None and call.frame.unit is FrameUnit.ROWS
    over_clause = " " + _over_clause(
        call,
        [*_sort_terms(call), "row_rank"] if has_rows_frame else _sort_terms(call),
        _frame_clause(call.frame, call.order),
    )
    types = [argument.type for argument in call.arguments]
    grain = grains_per_unit(call.arguments[0]) if arguments else 1
    operands = AggregateOperands(arguments, types, condition, over_clause, grain=grain)
    return per_person_spark_sql(AGGREGATES[call.function], operands)


def _window_function(call: WindowCall, arguments: list[str]) -> str:
    """Write a window function that is not an aggregate; Spark's INT results are cast to BIGINT.

    Offsets and bucket counts must be literals in Spark.
    """
    determined_by = WINDOW_FUNCTIONS[call.function].determined_by
    order_terms = _sort_terms(call) if determined_by is DeterminedBy.PEERS else [*_sort_terms(call), "row_rank"]
    frame = _single_row_frame(call) if determined_by is DeterminedBy.FRAME else ""
    constant_index = WINDOW_FUNCTIONS[call.function].constant
    if constant_index is not None and constant_index < len(arguments):
        arguments[constant_index] = _integer_literal(call.arguments[constant_index])
    nulls = " IGNORE NULLS" if call.ignore_nulls else ""
    written = f"{call.function}({', '.join(arguments)}){nulls} {_over_clause(call, order_terms, frame)}"
    return f"CAST({written} AS BIGINT)" if WINDOW_FUNCTIONS[call.function].result is SqlType.BIGINT else written


def _integer_literal(expr: Expr) -> str:
    """Write a constant integer as the literal that Spark requires; raises UnsupportedByEngine for others."""
    if not isinstance(expr, Literal) or not isinstance(expr.value, int) or abs(expr.value) >= 2**31:
        raise UnsupportedByEngine("a place that is no constant has no form there")
    return str(expr.value)


def _single_row_frame(call: WindowCall) -> str:
    """Write the frame of first_value, last_value or nth_value in ROWS, which makes the choice among peers definite.

    A RANGE frame from the first row is equal to ROWS up to the current row only for first_value: peers after the
    current row change the last value, not the first. Raises UnsupportedByEngine for other frames.
    """
    if is_whole_partition(call):
        return _WHOLE_PARTITION
    if call.frame is not None and call.frame.unit is FrameUnit.ROWS:
        return _frame_clause(call.frame, call.order)
    starts_at_first = call.frame is None or call.frame.start == FrameBound("preceding")
    includes_current = call.frame is None or call.frame.end.side != "preceding"
    if call.function == "first_value" and not call.ignore_nulls and starts_at_first and includes_current:
        return _UP_TO_CURRENT_ROW
    raise UnsupportedByEngine(f"{call.function} over a frame of values has no form there")


def _sort_terms(call: WindowCall) -> list[str]:
    """Write the call's own ORDER BY terms."""
    return [_sort_term(key, call.frame) for key in call.order]


def _over_clause(call: WindowCall, terms: Sequence[str], frame: str) -> str:
    """Write OVER with partition, ORDER BY terms and frame."""
    clauses = (
        [f"PARTITION BY {', '.join(write_expr(part, SPARK) for part in call.partition)}"] if call.partition else []
    )
    clauses += [f"ORDER BY {', '.join(terms)}"] if terms else []
    return f"OVER ({' '.join([*clauses, frame]).strip()})"


def _sort_term(key: OrderKey, frame: Frame | None) -> str:
    """Write an ORDER BY term; under a frame with value offsets, in a type in which adding an offset cannot overflow.

    The suffix of the term (DESC, NULLS LAST) is what follows the expression in the plain form.
    """
    term = write_order_term(key.expr, key.descending, key.nulls_first, SPARK)
    if frame is None or not frame.has_value_offset:
        return term
    written = write_expr(key.expr, SPARK)
    return _OFFSET_SORT_KEYS.get(key.expr.type, "{}").format(written) + term[len(written) :]


def _frame_clause(frame: Frame | None, order: Sequence[OrderKey]) -> str:
    """Write a frame; raises UnsupportedByEngine for GROUPS, which Spark does not have."""
    if frame is None:
        return ""
    if frame.unit is FrameUnit.GROUPS:
        raise UnsupportedByEngine("a frame of GROUPS has no form there")
    kind = order[0].expr.type if frame.has_value_offset else None
    return f"{frame.unit} BETWEEN {_frame_bound(frame.start, kind)} AND {_frame_bound(frame.end, kind)}"


def _frame_bound(bound: FrameBound, kind: SqlType | None) -> str:
    """Write one bound of a frame; `kind` is the type of the sort key, or None for a number of rows."""
    if bound.side == "current row":
        return "CURRENT ROW"
    return f"{'UNBOUNDED' if bound.offset is None else _frame_offset(bound.offset, kind)} {bound.side.upper()}"


def _frame_offset(offset: Literal, kind: SqlType | None) -> str:
    """Write an offset in the type of the sort key; raises UnsupportedByEngine for intervals of months.

    Sort keys that are widened to decimals (microseconds for times) get offsets in the same unit; months have no fixed
    one.
    """
    if kind is None:
        return str(offset.value)  # a number of rows
    if offset.type is SqlType.INTERVAL and str(offset.value).split(" ")[1] in MONTHS:
        raise UnsupportedByEngine("a frame of months has no form there")
    written = quote_for_spark(offset)
    return _WIDE.format(written) if kind in _OFFSET_SORT_KEYS else f"CAST({written} AS {kind})"
