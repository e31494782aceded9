"""Expression derivability: rewrite an expression over rows to one over group keys, where these determine it.

A function of time that is constant within each hour, day or month is computed from the beginning of that unit.
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

Cells = Mapping[Expr, Field]  # key expression over the row -> field with its value
FINER = ("second", "minute", "hour", "day", "month", "quarter", "year")
_WITHIN = {unit: frozenset(FINER[i:]) for i, unit in enumerate(FINER)} | {"week": frozenset({"week"})}
_WITHIN |= {unit: _WITHIN[unit] | {"week"} for unit in ("second", "minute", "hour", "day")}
_ON_DAYS = ("dayofyear", "dayofweek", "isodow", "is_weekend", "to_date")
_UNITS = {unit: unit for unit in (*FINER, "week")} | dict.fromkeys(_ON_DAYS, "day")
_UNITS |= dict.fromkeys(("hour_of_week", "part_of_day"), "hour") | {"dayname": "day", "monthname": "month"}
_MIRROR = {">=": "<=", "<": ">", "<=": ">=", ">": "<"}
_IN = forms_of("in")[0].row
_AS_FAR = ("date_trunc", "time_bucket")  # NULL exactly where the truncated time is
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP)
_CAST = {SqlType.TIMESTAMP: forms_of("to_timestamp")[0].row, SqlType.DATE: forms_of("to_date")[0].row}


class UntoldError(Exception):
    """The available keys do not determine the expression."""


def over_keys(expr: Expr, cells: Cells, steps: Cells | None = None) -> Expr:
    """Rewrite an expression over available group keys.

        keys: date_trunc('hour', ts) AS h
        hour(ts)   ->   hour(h);    ts >= '2026-10-05'   ->   h >= '2026-10-05'

    `truncations` are the truncated times that may replace the time itself; by default all cells. Claim: on each row the
    result equals `expr`, if each field has the value of its key on that row, and each step is non-NULL wherever its
    time is. Raises: UnderivableError where the keys do not determine it. Proof: proofs.md#derivation
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
    """Replace a time by its truncation, where the function has the same value on both."""
    if not isinstance(expr, Call):
        return None
    for place in (part for part in expr.arguments if part.type in _TIMES and not isinstance(part, Literal)):
        for held, field in cells.items():
            step = step_of(held, place) if held in steps or expr.name in _AS_FAR else None
            if step is not None and (_has_one_value(expr, place, step) or _cuts_between(expr, place, step)):
                return substituted(expr, {place: _beginning(field, place)})
    return None


def _by_hour(expr: Expr, cells: Cells) -> Expr | None:
    """Compute part_of_day(ts) from a key hour(ts)."""
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
    """Return whether a function of a time is constant within each `step`."""
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
    """Return whether a comparison (`>=` or `<`) with a constant splits time exactly at the beginning of a step."""
    if expr.name not in _MIRROR or len(expr.arguments) != 2:
        return False
    one, other = expr.arguments
    sign, end = (expr.name, other) if one == place else (_MIRROR[expr.name], one)
    if sign not in (">=", "<") or not isinstance(end, Literal) or end.value is None or end.type not in _TIMES:
        return False
    at: datetime = moment(str(end.value))
    return truncated(step, at) == at


def _beginning(field: Field, place: Expr) -> Expr:
    """Return the truncated time, cast to the type of the time that it replaces."""
    return Ref(field) if field.type is place.type else Call(_CAST[place.type], (Ref(field),), place.type)
