"""A question -> notes of days that stand for their midnight, where a moment is compared with them.

`ts BETWEEN '2026-10-01' AND '2026-10-31'` ends as the last day begins; `ts = '2026-10-10'` is met at midnight alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from dialect.algebra.expressions import Call, Expr, Literal, Ref, children
from dialect.algebra.relation_parts import expressions_of
from dialect.algebra.relations import Relation
from dialect.catalog.catalog import SqlType
from dialect.functions.constant_folding import moment

MOST_TOLD = 8
_MOMENTS = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_BARE = re.compile(r"'\s*(\d{4})-(\d\d?)-(\d\d?)\s*'", re.ASCII)
_MIRROR = {">=": "<=", "=": "=", "in": "in"}  # of a constant that stands first


def midnight_notes(relation: Relation, sql: str) -> tuple[str, ...]:
    """Tell which days, written without a time, leave out all of themselves but midnight; decided by the text alone."""
    bare = {f"{int(year):04}-{int(month):02}-{int(day):02}" for year, month, day in _BARE.findall(sql)}
    found = (note for expr in expressions_of(relation) for note in _found(expr, bare)) if bare else ()
    return tuple(dict.fromkeys(found))[:MOST_TOLD]


def _found(expr: Expr, bare: set[str]) -> Iterator[str]:
    for part in children(expr):
        yield from _found(part, bare)
    if not isinstance(expr, Call) or len(expr.arguments) < 2:
        return
    sign = expr.name if isinstance(expr.arguments[0], Ref) else _MIRROR.get(expr.name)
    columns = [part.field for part in expr.arguments if isinstance(part, Ref)]
    if sign not in ("<=", "=", "in") or len(columns) != 1 or columns[0].type not in _MOMENTS or not columns[0].origin:
        return
    for part in expr.arguments:
        if isinstance(part, Literal) and (day := _midnight(part)) is not None and day.isoformat() in bare:
            yield _note(columns[0].name or "a column", sign, day)


def _midnight(constant: Literal) -> date | None:
    """Give the day that a constant begins; None for other constants."""
    if constant.type not in (SqlType.DATE, *_MOMENTS) or constant.value is None:
        return None
    try:
        at = moment(str(constant.value))
    except ValueError:
        return None
    whole = not (at.hour or at.minute or at.second or at.microsecond)
    return at.date() if whole and at.date() < date.max else None


def _note(name: str, sign: str, day: date) -> str:
    after = day + timedelta(days=1)
    if sign == "<=":
        return f"{name} <= '{day}' ends at that day's midnight, as it begins: {name} < '{after}' takes all of it"
    whole = f"{name} >= '{day}' AND {name} < '{after}'"
    return f"{name} = '{day}' is met at that day's midnight alone: {whole} takes all of it"
