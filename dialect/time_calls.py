"""Syntax nodes about time that carry a unit or a part of a date beside their arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dialect.calls import call
from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import Expr, Literal
from dialect.functions_time import UNITS
from dialect.reading import refusal
from dialect.spelling import PARTS

Maker = Callable[[exp.Expr, Sequence[Expr]], Expr]


def date_part(part: Expr, moment: Expr, node: exp.Expr) -> Expr:
    """Take a part of a date or time, named by a constant."""
    if not isinstance(part, Literal):
        raise refusal(Code.FUNC, "The part of a date must be a constant.", "EXTRACT(hour FROM ts)", node)
    word = str(part.value).lower()
    name = PARTS.get(word) or PARTS.get(word.removesuffix("s"))
    if name is None:
        raise refusal(Code.FUNC, f"There is no date part {word[:20]}.", "EXTRACT(hour FROM ts)", node)
    return call(name, [moment], node)


def _extract(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    plain = isinstance(node.this, exp.Var | exp.Literal)
    return date_part(Literal(node.this.name if plain else "of this kind", SqlType.VARCHAR), arguments[0], node)


def _unit(node: exp.Expr) -> Literal:
    given = node.args.get("unit")
    unit = given.name.lower().removesuffix("s") if isinstance(given, exp.Var | exp.Literal) else "of this kind"
    if unit not in UNITS:
        raise refusal(Code.FUNC, f"There is no unit {unit[:20]}.", f"one of {', '.join(UNITS)}", node)
    return Literal(unit, SqlType.VARCHAR)


def _date_trunc(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("date_trunc", [_unit(node), *arguments], node)


def _date_diff(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("date_diff", [_unit(node), *arguments], node)


def _time_bucket(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("time_bucket", arguments, node)


# node class -> (parts that it may carry, those that are arguments in order, what makes the call)
TIME_CALLS: dict[type[exp.Expr], tuple[tuple[str, ...], tuple[str, ...], Maker]] = {
    exp.Extract: (("this", "expression"), ("expression",), _extract),
    exp.TimestampTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateDiff: (("this", "expression", "unit"), ("expression", "this"), _date_diff),
    exp.DateBin: (("this", "expression"), ("this", "expression"), _time_bucket),
}
