"""SQL with question marks, and values -> SQL with literals: a value can never become anything but one value."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

# what a question mark may stand in without being a place for a value: texts, names and comments of DuckDB's SQL
SKIPPED = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|(?P<place>\?)""", re.DOTALL
)


class BindingError(ValueError):
    """Values that do not fit the places, or are of a kind that SQL has no literal for."""


def bound(sql: str, values: Sequence[object]) -> str:
    """Put a literal into the place of each question mark; raise BindingError."""
    left = iter(values)
    written = "".join(_written(sql, left))
    if next(left, _NONE) is not _NONE:
        raise BindingError(f"There are more values than question marks: {len(values)}.")
    return written


_NONE = object()


def _written(sql: str, values: Iterator[object]) -> Iterator[str]:
    end = 0
    for found in SKIPPED.finditer(sql):
        yield sql[end : found.start()]
        end = found.end()
        if found["place"] is None:
            yield found[0]
            continue
        value = next(values, _NONE)
        if value is _NONE:
            raise BindingError("There are fewer values than question marks.")
        yield literal(value)
    yield sql[end:]


def literal(value: object) -> str:
    """Write a value as SQL; raise BindingError for what has no literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() | Decimal():
            return _number(value)
        case str():
            return _text(value)
        case datetime.date():
            return _moment(value)
        case list() | tuple():
            return f"({', '.join(map(literal, value))})"
    raise BindingError(f"A {type(value).__name__} has no literal.")


def _moment(value: datetime.date) -> str:
    if not isinstance(value, datetime.datetime):
        return f"DATE '{value.isoformat()}'"
    if value.tzinfo is not None:
        raise BindingError("A time with a zone has no literal: give the local time without one.")
    return f"TIMESTAMP '{value.isoformat(' ')}'"


def _number(value: float | Decimal) -> str:
    if not math.isfinite(value):
        raise BindingError(f"{value} is no number.")
    if isinstance(value, Decimal):
        written = format(value, "f")
    else:  # a kind of number of its own, such as NumPy's, may have any repr
        written = int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
    return f"({written})" if written.startswith("-") else written  # a minus before it would begin a comment


def _text(value: str) -> str:
    if "\0" in value:
        raise BindingError("A text with a NUL has no literal.")
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
