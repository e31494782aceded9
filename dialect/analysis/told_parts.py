"""A group key -> what its value tells: itself, and what it is made of where nothing of that is lost."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Call, Expr, Literal
from dialect.catalog.catalog import SqlType
from dialect.functions.constant_folding import SECONDS
from dialect.functions.functions import forms_of

_WHOLE = (SqlType.BIGINT, SqlType.DATE)
_CASTS = frozenset({"to_integer", "to_bigint", "to_double", "to_varchar", "to_timestamp"})  # of whole values: lose none
_HOUR, _DATE = forms_of("hour")[0].row, forms_of("to_date")[0].row
_WEEK = tuple(forms_of(name)[0].row for name in ("hour", "isodow", "dayofweek"))


def told_parts(key: Expr) -> Iterator[Expr]:
    """Walk the expressions that have one value wherever a key has one."""
    yield key
    if not isinstance(key, Call):
        return
    inner = _kept(key)
    if inner is not None:
        yield from told_parts(inner)
    elif key.name == "hour_of_week":
        yield from (Call(row, key.arguments, SqlType.BIGINT) for row in _WEEK)
    else:
        yield from _of_time(key)


def date_of(time: Expr) -> Expr:
    """Write the date of a time, on the time's own clock."""
    return Call(_DATE, (time,), SqlType.DATE)


def _kept(key: Call) -> Expr | None:
    """Find the one whole value of which a key is a cast, or to which it adds a constant."""
    inner = [part for part in key.arguments if not isinstance(part, Literal)]
    if len(inner) != 1 or inner[0].type not in _WHOLE:
        return None
    added = key.name in ("+", "-") and key.type in _WHOLE
    return inner[0] if key.name in _CASTS or added or key.name == "negative" else None


def _of_time(key: Call) -> Iterator[Expr]:
    if not key.arguments:  # pi()
        return
    time = key.arguments[-1] if key.name in ("date_trunc", "time_bucket") else key.arguments[0]
    seconds, format_ = _seconds(key), _format(key)
    if (seconds and SECONDS["hour"] % seconds == 0) or "%H" in format_:
        yield Call(_HOUR, (time,), SqlType.BIGINT)
    if (seconds and SECONDS["day"] % seconds == 0) or "%Y-%m-%d" in format_:
        yield date_of(time)


def _seconds(key: Call) -> int:
    """Give the length of the steps to which a key cuts a time, counted from a midnight; 0 for others."""
    step = str(getattr(key.arguments[0], "value", "")) if key.name in ("date_trunc", "time_bucket") else ""
    amount, _, unit = step.rpartition(" ")
    return int(amount or 1) * SECONDS.get(unit, 0)


def _format(key: Call) -> str:
    return str(getattr(key.arguments[-1], "value", "")) if key.name == "strftime" else ""
