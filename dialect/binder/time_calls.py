"""Syntax nodes about time that carry a unit or a part of a date beside their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from dialect.algebra.expressions import Expr, Literal
from dialect.binder.node_arguments import PARTS
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.functions import literals
from dialect.functions.scalar.functions_time import UNITS
from dialect.parser.context import refusal
from dialect.parser.spans import called
from dialect.stability.calls import call

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


def _date_sub(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    part = arguments[0] if len(arguments) == 3 else None
    unit = str(part.value).lower().removesuffix("s") if isinstance(part, Literal) else "of this kind"
    if unit not in UNITS:
        raise refusal(Code.FUNC, f"There is no unit {unit[:20]}.", f"one of {', '.join(UNITS)}", node)
    return call("date_sub", [Literal(unit, SqlType.VARCHAR), *arguments[1:]], node)


def _date_diff(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("date_diff", [_unit(node), *arguments], node)


def _time_bucket(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("time_bucket", arguments, node)


def _date_part(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    part, moment = arguments
    return date_part(part, moment, node)


def _moved(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("+", arguments, node)


def _from_epoch(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Read seconds, milliseconds or microseconds since 1970; epoch_ms of a time is the way back."""
    scale = node.args.get("scale")
    names = {"": "from_epoch", "3": "epoch_ms", "6": "make_timestamp"}
    return call(names.get(scale.name if scale is not None else "", "from_epoch()"), arguments, node)


def _strftime(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    moment, form = arguments
    return call("strftime", [form, moment] if moment.type is SqlType.VARCHAR else [moment, form], node)


def _at_time_zone(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Read an instant on the clock of a zone, or tell which instant a clock of a zone shows."""
    moment, zone = arguments
    if not isinstance(zone, Literal) or not _is_zone(str(zone.value)):
        raise refusal(Code.FUNC, "A time zone is a constant name.", "ts AT TIME ZONE 'Europe/Berlin'", node)
    if moment.type is SqlType.TIMESTAMPTZ:
        return call("wall", arguments, node)
    if not _in_zone(node):
        why = "Which instant a clock shows is read on a clock again."
        raise refusal(Code.FUNC, why, "ts AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'", node)
    return call("instant", arguments, node)


def _in_zone(node: exp.Expr) -> bool:
    """Tell whether an instant is read on the clock of another zone at once."""
    outer = node.parent
    while isinstance(outer, exp.Paren):
        outer = outer.parent
    return isinstance(outer, exp.AtTimeZone)


def _timezone(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return _at_time_zone(node, arguments[::-1])


def _is_zone(name: str) -> bool:
    """Tell whether a name is that of a place's time zone, or UTC."""
    try:
        return bool(_ZONE.fullmatch(name)) and ZoneInfo(name).key == name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


_ZONE = re.compile(r"UTC|(Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_/-]{1,40}")


def _span(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Make a constant interval: to_minutes(5)."""
    unit = called(node).lower().removeprefix("to_").removesuffix("s")
    amount = arguments[0] if len(arguments) == 1 else None
    if not isinstance(amount, Literal) or not isinstance(amount.value, int):
        raise refusal(Code.FUNC, "An interval is one constant and one unit.", "INTERVAL 15 MINUTE", node)
    return literals.span(amount.value, unit, node)


# name of a function that the parser does not know -> what makes the call
NAMED_CALLS: dict[str, Maker] = {
    **dict.fromkeys(("date_part", "datepart"), _date_part),
    **dict.fromkeys(("date_sub", "datesub"), _date_sub),
    "timezone": _timezone,
    **{f"to_{unit}s": _span for unit in ("year", "month", "week", "day", "hour", "minute", "second")},
}

# node class -> (parts that it may carry, those that are arguments in order, what makes the call)
TIME_CALLS: dict[type[exp.Expr], tuple[tuple[str, ...], tuple[str, ...], Maker]] = {
    exp.Extract: (("this", "expression"), ("expression",), _extract),
    exp.TimestampTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateTrunc: (("this", "unit"), ("this",), _date_trunc),
    exp.DateDiff: (("this", "expression", "unit"), ("expression", "this"), _date_diff),
    exp.DateAdd: (("this", "expression"), ("this", "expression"), _moved),
    exp.UnixToTime: (("this", "scale"), ("this",), _from_epoch),
    exp.TimeToStr: (("this", "format"), ("this", "format"), _strftime),
    exp.AtTimeZone: (("this", "zone"), ("this", "zone"), _at_time_zone),
    exp.ToDays: (("this",), ("this",), _span),
    exp.DateBin: (("this", "expression"), ("this", "expression"), _time_bucket),
}
