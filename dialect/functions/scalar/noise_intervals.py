"""Interval functions: DP_INTERVAL_LOW and DP_INTERVAL_HIGH of a released number, as Snowflake names them.

Over released numbers `dialect.postprocess.interval_functions` computes them. A number without noise is both ends of
its interval.
"""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr
from dialect.algebra.traversal import walk
from dialect.catalog.model import SqlType
from dialect.functions.signatures import SAME, Function, Partial

LOW, HIGH = "dp_interval_low", "dp_interval_high"


def _interval_end(name: str, adjective: str) -> tuple[Function, ...]:
    """Declare one interval function for integers and doubles; without noise, it is its argument."""
    meaning = f"the {adjective} end of the interval of a released number, at the question's confidence"
    return tuple(
        Function(name, (kind,), result, "{0}", SAME, partial=Partial.FOR_SOME_VALUES, meaning=meaning)
        for kind, result in (("int", SqlType.BIGINT), ("num", SqlType.DOUBLE))
    )


INTERVALS: tuple[Function, ...] = (*_interval_end(LOW, "lower"), *_interval_end(HIGH, "upper"))


def is_interval_end(expr: Expr) -> bool:
    """Return whether an expression is a call of an interval function."""
    return isinstance(expr, Call) and expr.name in (LOW, HIGH)


def contains_interval_end(expr: Expr) -> bool:
    """Return whether an expression contains a call of an interval function."""
    return any(map(is_interval_end, walk(expr)))
