"""What is known of a window call's value without any row: its type, range and list, whether it is NULL, whose it is."""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra import intervals as ranges
from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.window import WindowCall, holds_own_row, looks_at_all
from dialect.binder.measures import with_list
from dialect.catalog.catalog import Bounds, Domain, ValueList
from dialect.functions.aggregates import AGGREGATES, measure_bounds
from dialect.functions.inference import alternatives_or_null, nullable, of_person, range_of
from dialect.functions.plain_text import plain_text
from dialect.functions.window_functions import WINDOW_FUNCTIONS, RestsOn
from dialect.parser.context import Reading

_ONE_OF = {"lag", "lead", "first_value", "last_value", "nth_value", "min", "max"}  # a value of the argument's
_ALWAYS = {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "count", "count_star"}
_SHARES = {"percent_rank", "cume_dist"}


def field_of(call: WindowCall, max_rows: int | None, reading: Reading) -> Field:
    """Describe the field that holds a call's value; `max_rows`: of one person, None where the rows are nobody's."""
    first = call.arguments[0] if call.arguments else None
    kept = first.field if isinstance(first, Ref) and call.function in _ONE_OF else None
    own = WINDOW_FUNCTIONS.get(call.function)
    result = own.result if own is not None else AGGREGATES[call.function].result
    assert result is not None or first is not None  # noqa: S101  only what has an argument has its type
    kind = result if result is not None or first is None else first.type
    assert kind is not None  # noqa: S101  as above
    made = Field(
        reading.fresh(), f"{call.function}({', '.join(map(plain_text, call.arguments))})", kind, _may_be_null(call),
        _range(call, max_rows), domain=_domain(call, kept), origin=kept.origin if kept is not None else None,
        of_person=max_rows is not None and _is_one_value(call), time_zone=kept.time_zone if kept is not None else None,
    )  # fmt: skip
    if max_rows is None or kept is None or _default(call) is not None:
        return made
    if kept.alternatives:
        made = replace(made, alternatives=alternatives_or_null(kept) if made.nullable else kept.alternatives)
    return with_list(made, kept) if kept.public is not None else made


def _default(call: WindowCall) -> Expr | None:
    """Find what LAG or LEAD gives where there is no row; None for NULL."""
    default = call.arguments[2] if call.function in {"lag", "lead"} and len(call.arguments) > 2 else None
    return None if isinstance(default, Literal) and default.value is None else default


def _may_be_null(call: WindowCall) -> bool:
    if call.function in _ALWAYS:
        return False
    if call.function in {"lag", "lead"}:
        default = _default(call)
        return default is None or nullable(default) or nullable(call.arguments[0])
    if call.function in {"sum", "avg", "nth_value"} or call.condition is not None or not holds_own_row(call.frame):
        return True
    return nullable(call.arguments[0])


def _range(call: WindowCall, max_rows: int | None) -> Bounds | None:
    own = WINDOW_FUNCTIONS.get(call.function)
    if own is None:
        bounded = max_rows is not None or call.function in _ONE_OF
        return measure_bounds(AGGREGATES[call.function], call.arguments, max_rows or 1) if bounded else None
    if call.function in _SHARES:
        return Bounds(0, 1)
    if own.result is not None:
        most = call.arguments[0] if call.function == "ntile" else None
        upper = most.value if isinstance(most, Literal) else max_rows
        return Bounds(1, upper) if isinstance(upper, int) else None
    default = _default(call)
    bounds = [range_of(call.arguments[0]), *([range_of(default)] if default is not None else [])]
    return ranges.hull(bounds) if all(map(ranges.known, bounds)) else ranges.UNKNOWN


def _domain(call: WindowCall, kept: Field | None) -> Domain | None:
    """Keep the list that a steward declared; a default is one value more."""
    default = _default(call)
    domain = kept.domain if kept is not None else None
    if default is None or domain is None:
        return domain
    if not isinstance(domain, ValueList) or not isinstance(default, Literal) or default.value is None:
        return None
    return ValueList(tuple(dict.fromkeys((*domain.values, default.value))))


def _is_one_value(call: WindowCall) -> bool:
    """Tell whether all rows of a person see the same rows."""
    own = WINDOW_FUNCTIONS.get(call.function)
    of_frame = own is None or own.rests_on is RestsOn.FRAME
    return of_frame and looks_at_all(call) and all(map(of_person, call.partition))
