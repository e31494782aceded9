"""Whole-numbered keys over numbers with public ends, such as age // 10, floor(dwell_min / 10) (`proofs.md#key-sets`).

Ends are the declared bounds of columns, narrowed by what WHERE says of them. Rows may break the declared ones: these
lists are never closed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref, case_values, children, fields_of
from dialect.algebra.intervals import UNKNOWN, known
from dialect.analysis.known_ranges import narrowed
from dialect.catalog.catalog import Bounds, SqlType
from dialect.functions.function_row import Partial
from dialect.functions.functions import function
from dialect.functions.inference import FIRST_THAT_IS, range_of
from dialect.functions.plain_text import plain_text
from dialect.functions.scalar.functions_cast import NARROW
from dialect.parser.context import Reading
from dialect.planner.keys import public_lists
from dialect.planner.keys.public_lists import PublicList

MOST_OPTIONAL = 10_000  # of integers that spread further, few are likely to occur: their keys are private
MOST_COMBINED = 1_000_000  # combinations of the values of integer columns, of which fewer keys are made
LARGEST = 2.0**53 - 1  # beyond it the arithmetic of ranges is not exact for integers
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_NULL_WHERE_TOO_LARGE = {"+", "-", "*", "negative", "abs", "round", "trunc", "gcd", "lcm"}
_NULL_WHERE_TOO_LARGE |= {"&", "|", "xor", "~", "<<", ">>", "bit_count"}
_GIVES_WHOLE = {"floor", "ceil", "trunc", "round"}


def is_whole(expr: Expr) -> bool:
    """Tell whether a call gives nothing but whole numbers."""
    if not isinstance(expr, Call):
        return False
    return expr.type is SqlType.BIGINT or (expr.name in _GIVES_WHOLE and len(expr.arguments) == 1)


def whole_numbers(expr: Expr, facts: Sequence[Expr], reading: Reading) -> tuple[PublicList, ...] | None:
    """Find lists of every whole number that a call gives for values within their ends; None if it may give too many."""
    narrow = narrowed(expr, facts) if is_whole(expr) else None
    if narrow is None or not any(f.type in _NUMBERS for f in fields_of(narrow)):
        return None
    ends = range_of(narrow)
    few = _exact(ends) and (expr.type is SqlType.DOUBLE or _between(ends) <= MOST_OPTIONAL)
    combined = _combined(narrow)
    if combined is not None and combined <= (MOST_COMBINED if few else MOST_OPTIONAL):
        return _of_columns(narrow, reading)
    if not few or not _computed_exactly(narrow):
        return None
    what = f"the range of {plain_text(expr)}"
    listed = public_lists.of_whole_numbers(expr, math.ceil(ends.lower), math.floor(ends.upper), what, reading)
    return (public_lists.padded(listed, _may_be_null(narrow)),)


def _exact(ends: Bounds | None) -> bool:
    return ends is not None and known(ends) and max(abs(ends.lower), abs(ends.upper)) <= LARGEST


def _between(ends: Bounds) -> int:
    return max(0, math.floor(ends.upper) - math.ceil(ends.lower) + 1)


def _combined(expr: Expr) -> int | None:
    """Count the combinations of the values of the columns that a call reads; None if it reads others than integers."""
    columns = fields_of(expr)
    if not all(f.type is SqlType.BIGINT and _exact(f.bounds) for f in columns):
        return None
    return math.prod(_between(f.bounds) + f.nullable for f in set(columns) if f.bounds is not None)


def _of_columns(expr: Expr, reading: Reading) -> tuple[PublicList, ...]:
    """List the values of each integer column that a call reads: its keys are their images."""
    lists: list[PublicList] = []
    for f in dict.fromkeys(fields_of(expr)):
        ends = f.bounds or UNKNOWN
        what = f"the bounds of {plain_text(Ref(f))}"
        lower, upper = math.ceil(ends.lower), math.floor(ends.upper)
        listed = public_lists.of_whole_numbers(Ref(f), lower, upper, what, reading)
        lists.append(public_lists.padded(listed, f.nullable))
    return tuple(lists)


def _computed_exactly(expr: Expr) -> bool:
    """Tell whether ranges of integers stay where doubles have them all."""
    if expr.type is SqlType.BIGINT:
        ends = range_of(expr)
        if any(LARGEST < abs(end) < math.inf for end in (ends.lower, ends.upper)):
            return False
    return all(map(_computed_exactly, children(expr)))


def _may_be_null(expr: Expr) -> bool:
    """Tell whether a call can be NULL for values within their ends: what fits there does not overflow."""
    if isinstance(expr, Literal):
        return expr.value is None
    if isinstance(expr, Ref):
        return expr.field.nullable
    if isinstance(expr, Case):
        return any(map(_may_be_null, case_values(expr)))
    if expr.name in FIRST_THAT_IS:
        return all(map(_may_be_null, expr.arguments))
    partial = function(expr.function).partial is Partial.VALUE and not _always_fits(expr)
    return partial or any(map(_may_be_null, expr.arguments))


def _always_fits(expr: Call) -> bool:
    if expr.name in {"//", "%"}:
        divisor = range_of(expr.arguments[1])
        return not divisor.lower <= 0 <= divisor.upper
    if expr.name == "<<" and range_of(expr.arguments[0]).lower < 0:
        return False
    lowest, largest = NARROW.get(expr.name.removeprefix("to_").upper(), (-LARGEST, LARGEST))
    ends = range_of(expr)
    only_then = expr.name in _NULL_WHERE_TOO_LARGE or expr.name.startswith("to_")
    return only_then and lowest <= ends.lower and ends.upper <= largest
