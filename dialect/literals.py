"""Constants of the analyst's text, read and checked before anything runs."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time

from sqlglot import exp

from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import NULL, Literal
from dialect.reading import refusal

_SPAN = re.compile(r"^\s*(-?\d{1,9})\s*([a-z]+?)s?\s*$", re.IGNORECASE)
_SPAN_UNITS = {"year", "quarter", "month", "week", "day", "hour", "minute", "second"}
_MAX_YEARS = {"year": 1_000, "quarter": 4_000, "month": 12_000, "week": 52_000, "day": 365_000}


def constant(node: exp.Expression) -> Literal | None:
    """Read a node that is a plain constant; None if it is not one."""
    if isinstance(node, exp.Null):
        return NULL
    if isinstance(node, exp.Boolean):
        return Literal(bool(node.this), SqlType.BOOLEAN)
    if isinstance(node, exp.Literal):
        return Literal(node.this, SqlType.VARCHAR) if node.is_string else number(node)
    if isinstance(node, exp.Interval):
        return interval(node)
    return None


def number(node: exp.Literal) -> Literal:
    """Read a number: an integer where it fits 64 bits, else a double."""
    text = node.this
    if re.fullmatch(r"\d{1,19}", text) and int(text) < 2**63:
        return Literal(int(text), SqlType.BIGINT)
    try:
        value = float(text)
    except ValueError:
        raise refusal(Code.PARSE, f"{text} is not a number.", "write digits", node) from None
    if not math.isfinite(value):
        raise refusal(Code.PARSE, "The number is too large.", "write a number below 1e308", node)
    return Literal(value, SqlType.DOUBLE)


def interval(node: exp.Interval) -> Literal:
    """Read a constant interval of one unit."""
    inner = node.this.unnest() if node.this is not None else None
    text = (
        f"{inner.this if isinstance(inner, exp.Literal) else ''} {node.args['unit'] if node.args.get('unit') else ''}"
    )
    found = _SPAN.match(text)
    if not found or found[2].lower() not in _SPAN_UNITS:
        raise refusal(Code.FUNC, "An interval is one constant and one unit.", "INTERVAL 15 MINUTE", node)
    amount, unit = int(found[1]), found[2].lower()
    if abs(amount) > _MAX_YEARS.get(unit, 10**9):
        raise refusal(Code.FUNC, "The interval is longer than 1,000 years.", "INTERVAL 1 DAY", node)
    return Literal(f"{amount} {unit}", SqlType.INTERVAL)


def cast_text(text: str, target: SqlType, node: exp.Expression) -> Literal:
    """Read constant text as another type; raises Refusal with E_PARSE where it is not one."""
    try:
        return Literal(_READERS[target](text.strip()), target)
    except (ValueError, KeyError):
        example = {"DATE": "DATE '2026-10-14'", "TIMESTAMP": "TIMESTAMP '2026-10-14 03:00:00'"}.get(target, "1")
        raise refusal(Code.PARSE, f"'{text[:40]}' is not a {target}.", example, node) from None


def _timestamp(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment.isoformat(sep=" ")


def _finite(text: str) -> float | None:
    value = float(text.replace("_", ""))
    return value if math.isfinite(value) else None  # inf and NaN count as NULL everywhere


_READERS = {
    SqlType.DATE: lambda text: (
        datetime.fromisoformat(text).date().isoformat() if len(text) > 10 else date.fromisoformat(text).isoformat()
    ),
    SqlType.TIMESTAMP: _timestamp,
    SqlType.TIME: lambda text: time.fromisoformat(text).isoformat(),
    SqlType.BIGINT: int,
    SqlType.DOUBLE: _finite,
    SqlType.VARCHAR: str,
    SqlType.BOOLEAN: lambda text: {"true": True, "false": False}[text.lower()],
}


def stored_literal(value: object, kind: SqlType) -> Literal:
    """Make a constant of a type from a catalog's or a list's value."""
    if value is None:
        return Literal(None, kind)
    if kind in (SqlType.DATE, SqlType.TIMESTAMP):
        return Literal(_READERS[kind](str(value)), kind)
    if isinstance(value, bool | int | float | str):
        return Literal(value, kind)
    raise TypeError(f"a constant can't be a {type(value).__name__}")
