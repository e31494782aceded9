"""Expression derivability: group keys at hand -> expressions over them for whatever the group alone determines.

A function of time that has one value on each hour, day or month is computed from the beginning of that unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, rebuild, substituted
from dialect.analysis.time_granularity import step_of, truncated
from dialect.catalog.model import SqlType
from dialect.functions.constant_folding import moment
from dialect.functions.registry import forms_of, function
from dialect.functions.scalar.places import PARTS_OF_DAY
from dialect.functions.signature import constants

Cells = Mapping[Expr, Field]  # what a held key is of a row -> the field that holds it
FINER = ("second", "minute", "hour", "day", "month", "quarter", "year")
_WITHIN = {unit: frozenset(FINER[i:]) for i, unit in enumerate(FINER)} | {"week": frozenset({"week"})}
_WITHIN |= {unit: _WITHIN[unit] | {"week"} for unit in ("second", "minute", "hour", "day")}
_ON_DAYS = ("dayofyear", "dayofweek", "isodow", "is_weekend", "to_date")
_UNITS = {unit: unit for unit in (*FINER, "week")} | dict.fromkeys(_ON_DAYS, "day")
_UNITS |= dict.fromkeys(("hour_of_week", "part_of_day"), "hour") | {"dayname": "day", "monthname": "month"}
_MIRROR = {">=": "<=", "<": ">", "<=": ">=", ">": "<"}
_IN = forms_of("in")[0].row
_AS_FAR = ("date_trunc", "time_bucket")  # NULL of the very times of which the beginning of a unit is
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP)
_CAST = {SqlType.TIMESTAMP: forms_of("to_timestamp")[0].row, SqlType.DATE: forms_of("to_date")[0].row}


class UntoldError(Exception):
    """A value that the held keys do not tell."""


def over_keys(expr: Expr, cells: Cells, steps: Cells | None = None) -> Expr:
    """Write an expression over held keys; `steps` are those that may stand for a time that they are the beginning of.

    Claim: on each row it has the value of `expr`, if each field holds what it is of the row, and each step is there
    wherever its time is. Raises: UntoldError where the keys do not tell it. Proof: proofs.md#derivation
    """
    steps = cells if steps is None else steps
    if expr in cells:
        return Ref(cells[expr])
    if isinstance(expr, Literal):
        return expr
    if isinstance(expr, Ref):
        raise UntoldError
    return (
        _by_time(expr, cells, steps)
        or _by_hour(expr, cells)
        or rebuild(expr, lambda part: over_keys(part, cells, steps))
    )


def _by_time(expr: Expr, cells: Cells, steps: Cells) -> Expr | None:
    """Put the beginning of a unit of time in the place of the time, where the value is the same."""
    if not isinstance(expr, Call):
        return None
    for place in (part for part in expr.arguments if part.type in _TIMES and not isinstance(part, Literal)):
        for held, field in cells.items():
            step = step_of(held, place) if held in steps or expr.name in _AS_FAR else None
            if step is not None and (_has_one_value(expr, place, step) or _cuts_between(expr, place, step)):
                return substituted(expr, {place: _beginning(field, place)})
    return None


def _by_hour(expr: Expr, cells: Cells) -> Expr | None:
    """Tell the part of the day from the hour."""
    if not isinstance(expr, Call) or expr.name != "part_of_day":
        return None
    hours = (
        held for held in cells if isinstance(held, Call) and held.name == "hour" and held.arguments == expr.arguments
    )
    found = next(hours, None)
    if found is None:
        return None
    texts = [Literal(part, SqlType.VARCHAR) for part in PARTS_OF_DAY]
    lengths = range(0, 24, 24 // len(texts))
    within = [Call(_IN, (Ref(cells[found]), *_whole(first, 24 // len(texts))), SqlType.BOOLEAN) for first in lengths]
    return Case(tuple(zip(within, texts, strict=True)), Literal(None, SqlType.VARCHAR), SqlType.VARCHAR)


def _whole(first: int, count: int) -> tuple[Literal, ...]:
    return tuple(Literal(first + i, SqlType.BIGINT) for i in range(count))


def _has_one_value(expr: Call, place: Expr, step: str) -> bool:
    """Tell whether a function of a time has one value on each `step`."""
    if any(part != place and not isinstance(part, Literal) for part in expr.arguments):
        return False
    row = function(expr.function)
    if row.name == "date_trunc":
        unit = str(expr.arguments[0].value) if isinstance(expr.arguments[0], Literal) else ""
    else:
        on = row.constant_on
        unit = _UNITS.get(row.name) or (on if isinstance(on, str) else on(*constants(row, expr.arguments)) or "")
    return unit in _WITHIN.get(step, ())


def _cuts_between(expr: Call, place: Expr, step: str) -> bool:
    """Tell whether a comparison with a constant parts time between two steps: from it on, or before it."""
    if expr.name not in _MIRROR or len(expr.arguments) != 2:
        return False
    one, other = expr.arguments
    sign, end = (expr.name, other) if one == place else (_MIRROR[expr.name], one)
    if sign not in (">=", "<") or not isinstance(end, Literal) or end.value is None or end.type not in _TIMES:
        return False
    at: datetime = moment(str(end.value))
    return truncated(step, at) == at


def _beginning(field: Field, place: Expr) -> Expr:
    """Read a held beginning in the type of the time that it stands for."""
    return Ref(field) if field.type is place.type else Call(_CAST[place.type], (Ref(field),), place.type)
