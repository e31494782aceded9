"""Window calls as Spark SQL, with the same values as in DuckDB (`dialect/codegen/proofs.md#windows`).

https://spark.apache.org/docs/latest/sql-ref-syntax-qry-select-window.html
"""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import Frame, FrameEnd, OrderKey, Relation, Unit, WindowCall, looks_at_all
from dialect.catalog.model import SqlType
from dialect.codegen.spark.aggregates import inside_in_spark
from dialect.functions.aggregates import AGGREGATES, fixed_point_grain
from dialect.functions.constant_folding import MONTHS
from dialect.functions.emitter import SPARK, NoForm, quote_for_spark, write_expr, write_term
from dialect.functions.window_functions import WINDOW_FUNCTIONS, RestsOn

_WHOLE = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
_SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_WIDE = "CAST({} AS DECIMAL(38, 0))"  # no offset overflows it
# sort keys of frames with value offsets
_DISTANT = {
    SqlType.BIGINT: _WIDE,
    SqlType.TIMESTAMP: _WIDE.format("unix_micros(CAST({} AS TIMESTAMP))"),
    SqlType.DATE: _WIDE.format("unix_micros(CAST({} AS TIMESTAMP))"),
}


def window_in_spark(call: WindowCall, source: Relation) -> str:
    """Write a window call over rows that have a position column where the call needs one."""
    del source
    arguments = [write_expr(argument, SPARK) for argument in call.arguments]
    if call.function in WINDOW_FUNCTIONS:
        return _own(call, arguments)
    condition = None if call.condition is None else write_expr(call.condition, SPARK)
    by_rows = call.frame is not None and call.frame.unit is Unit.ROWS
    over = " " + _over(call, [*_terms(call), "place"] if by_rows else _terms(call), _frame(call.frame, call.order))
    types = [argument.type for argument in call.arguments]
    grain = fixed_point_grain(call.arguments[0]) if arguments else 1
    return inside_in_spark(AGGREGATES[call.function], arguments, types, condition, grain, over)


def _own(call: WindowCall, arguments: list[str]) -> str:
    """Write a window function that is not an aggregate; Spark's INT results are cast to BIGINT."""
    rests_on = WINDOW_FUNCTIONS[call.function].rests_on
    placed = _terms(call) if rests_on is RestsOn.PEERS else [*_terms(call), "place"]
    frame = _one_row(call) if rests_on is RestsOn.FRAME else ""
    constants = {"ntile": 0, "lag": 1, "lead": 1, "nth_value": 1}
    at = constants.get(call.function)
    if at is not None and at < len(arguments):
        arguments[at] = _whole(call.arguments[at])
    nulls = " IGNORE NULLS" if call.ignore_nulls else ""
    made = f"{call.function}({', '.join(arguments)}){nulls} {_over(call, placed, frame)}"
    return f"CAST({made} AS BIGINT)" if WINDOW_FUNCTIONS[call.function].result is SqlType.BIGINT else made


def _whole(expr: Expr) -> str:
    """Write a constant integer as the literal that Spark requires; raises UnsupportedByEngine for others."""
    if not isinstance(expr, Literal) or not isinstance(expr.value, int) or abs(expr.value) >= 2**31:
        raise NoForm("a place that is no constant has no form there")
    return str(expr.value)


def _one_row(call: WindowCall) -> str:
    """Write the frame of first_value, last_value or nth_value in ROWS, which makes the choice among peers definite."""
    if looks_at_all(call):
        return _WHOLE
    if call.frame is not None and call.frame.unit is Unit.ROWS:
        return _frame(call.frame, call.order)
    from_first = call.frame is None or call.frame.start == FrameEnd("preceding")
    reaches_on = call.frame is None or call.frame.end.side != "preceding"
    if call.function == "first_value" and not call.ignore_nulls and from_first and reaches_on:
        return _SO_FAR
    raise NoForm(f"{call.function} over a frame of values has no form there")


def _terms(call: WindowCall) -> list[str]:
    return [_term(key, call.frame) for key in call.order]


def _over(call: WindowCall, terms: Sequence[str], frame: str) -> str:
    parts = [f"PARTITION BY {', '.join(write_expr(part, SPARK) for part in call.partition)}"] if call.partition else []
    parts += [f"ORDER BY {', '.join(terms)}"] if terms else []
    return f"OVER ({' '.join([*parts, frame]).strip()})"


def _term(key: OrderKey, frame: Frame | None) -> str:
    term = write_term(key.expr, key.descending, key.nulls_first, SPARK)
    if frame is None or not frame.is_distant:
        return term
    written = write_expr(key.expr, SPARK)
    return _DISTANT.get(key.expr.type, "{}").format(written) + term[len(written) :]


def _frame(frame: Frame | None, order: Sequence[OrderKey]) -> str:
    if frame is None:
        return ""
    if frame.unit is Unit.GROUPS:
        raise NoForm("a frame of GROUPS has no form there")
    kind = order[0].expr.type if frame.is_distant else None
    return f"{frame.unit} BETWEEN {_end(frame.start, kind)} AND {_end(frame.end, kind)}"


def _end(end: FrameEnd, kind: SqlType | None) -> str:
    if end.side == "current row":
        return "CURRENT ROW"
    return f"{'UNBOUNDED' if end.offset is None else _offset(end.offset, kind)} {end.side.upper()}"


def _offset(offset: Literal, kind: SqlType | None) -> str:
    if kind is None:
        return str(offset.value)  # a number of rows
    if offset.type is SqlType.INTERVAL and str(offset.value).split(" ")[1] in MONTHS:
        raise NoForm("a frame of months has no form there")
    written = quote_for_spark(offset)
    return _WIDE.format(written) if kind in _DISTANT else f"CAST({written} AS {kind})"
