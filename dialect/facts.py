"""What the WHERE clause says of an expression: a list of values, or both ends of a range."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from dialect.catalog import SqlType
from dialect.expressions import Call, Expr, Literal
from dialect.functions import function
from dialect.literals import stored_literal

_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def listed(expr: Expr, facts: Sequence[Expr]) -> tuple[object, ...] | None:
    """Find the constants that an expression is known to be one of."""
    for fact in facts:
        if not isinstance(fact, Call):
            continue
        name = function(fact.function).name
        if name == "in" and fact.arguments[0] == expr:
            options = fact.arguments[1:]
            if all(isinstance(option, Literal) for option in options):
                values = (option.value for option in options if isinstance(option, Literal))
                return tuple(dict.fromkeys(value for value in values if value is not None))
        compared = _compared(fact, expr)
        if compared is not None and compared[0] == "=" and compared[1].value is not None:
            return (compared[1].value,)
    return None


def between(expr: Expr, facts: Sequence[Expr]) -> tuple[Literal, Literal] | None:
    """Find the constant ends that an expression is known to lie between, both included."""
    lowers: list[Literal] = []
    uppers: list[Literal] = []
    for fact in facts:
        compared = _compared(fact, expr)
        if compared is None or compared[1].type not in _ordered_types(expr.type):
            continue
        sign, end = compared
        if sign in {">", ">=", "="}:
            lowers.append(end)
        if sign in {"<", "<=", "="}:
            uppers.append(_just_below(end) if sign == "<" else end)
    if not lowers or not uppers:
        return None
    return max(lowers, key=_order), min(uppers, key=_order)


def _ordered_types(kind: SqlType) -> tuple[SqlType, ...]:
    if kind in (SqlType.DATE, SqlType.TIMESTAMP):
        return (SqlType.DATE, SqlType.TIMESTAMP)
    return (SqlType.BIGINT,) if kind is SqlType.BIGINT else ()


def _compared(fact: Expr, expr: Expr) -> tuple[str, Literal] | None:
    if not isinstance(fact, Call) or len(fact.arguments) != 2:
        return None
    sign = function(fact.function).name
    one, other = fact.arguments
    if sign in _MIRROR and one == expr and isinstance(other, Literal):
        return sign, other
    if sign in _MIRROR and other == expr and isinstance(one, Literal):
        return _MIRROR[sign], one
    return None


def _order(end: Literal) -> tuple[float, str]:
    if isinstance(end.value, int | float):
        return float(end.value), ""
    text = str(end.value)
    return 0.0, text if len(text) > 10 else f"{text} 00:00:00"


def _just_below(end: Literal) -> Literal:
    """Step below an excluded upper end, as far as the type has steps."""
    if end.type is SqlType.BIGINT and isinstance(end.value, int):
        return stored_literal(end.value - 1, SqlType.BIGINT)
    if end.type is SqlType.DATE:
        return stored_literal(
            (date.fromisoformat(str(end.value)) - timedelta(days=1)).isoformat() + " 23:59:59.999999", SqlType.TIMESTAMP
        )
    from datetime import datetime

    return stored_literal(
        (datetime.fromisoformat(str(end.value)) - timedelta(microseconds=1)).isoformat(sep=" "), SqlType.TIMESTAMP
    )
