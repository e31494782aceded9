"""Client-side parameter binding: SQL with question marks, and values -> SQL with literals, safe from injection."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

# Tokens of DuckDB's SQL: a question mark inside one is no placeholder. Nested comments are matched separately
TOKEN = re.compile(
    r"""
      (?P<text>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')          # E'' has backslashes; elsewhere they are characters
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<comment>--[^\r\n]*|\{\#.*?\#\})                        # the second is one to the engine's parser
    | (?P<nested>/\*)
    | (?P<word>\w[\w$]*)                                        # $ inside a word begins no quotation
    | (?P<place>\?)
    | (?P<open>['"]|\{\#|\$(?:[^\W\d]\w*)?\$)                   # begins what has no end
    | (?P<space>\s+)
    | (?P<sign>.)
    """,
    re.DOTALL | re.VERBOSE,
)
COMMENT_ENDS = re.compile(r"/\*|\*/")
SEPARATORS = {"comment", "nested", "space"}  # tokens between which literals concatenate
CONCATENATED = {"text", "place"}  # 'a' and, on the next line, 'b' are one literal
ADJACENT_SENSITIVE = {"text", "name", "dollar", "word", "place"}  # tokens that an adjacent literal would change


class BindingError(ValueError):
    """Parameters do not match the placeholders, or have a type without a SQL literal."""


def bind_parameters(sql: str, values: Sequence[object]) -> str:
    """Replace each question mark by the literal of its value; raise BindingError."""
    left = iter(values)
    written = "".join(_bound_tokens(sql, left))
    if next(left, _MISSING) is not _MISSING:
        raise BindingError(f"There are more values than question marks: {len(values)}.")
    return written


_MISSING = object()


def _bound_tokens(sql: str, values: Iterator[object]) -> Iterator[str]:
    before = last = ""  # kinds of the previous token, and of the last one that is not space or comment
    for kind, token in _tokens(sql):
        is_adjacent = "place" in (kind, before) and {kind, before} <= ADJACENT_SENSITIVE
        if is_adjacent or ("place" in (kind, last) and {kind, last} <= CONCATENATED):
            raise BindingError("A question mark stands right beside a word, a text or another one: put a sign between.")
        yield _next_literal(values) if kind == "place" else token
        before, last = kind, last if kind in SEPARATORS else kind


def _next_literal(values: Iterator[object]) -> str:
    value = next(values, _MISSING)
    if value is _MISSING:
        raise BindingError("There are fewer values than question marks.")
    return literal(value)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Tokenize SQL into (kind, text); raise BindingError for an unterminated quotation or comment."""
    at = 0
    while found := TOKEN.match(sql, at):
        kind, at = str(found.lastgroup), found.end()
        if kind == "nested":
            at = _comment_end(sql, found.start())
        if kind == "open":
            raise BindingError("The text breaks off inside a quotation or comment.")
        yield kind, sql[found.start() : at]


def _comment_end(sql: str, begin: int) -> int:
    """Find the end of a comment with its nested comments; raise BindingError if it is unterminated."""
    depth = 0
    for mark in COMMENT_ENDS.finditer(sql, begin):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise BindingError("The text breaks off inside a quotation or comment.")


def literal(value: object) -> str:
    """Format a value as a SQL literal; raise BindingError for an unsupported type or value."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() | Decimal():
            return _numeric_literal(value)
        case str():
            return _text_literal(value)
        case datetime.date():
            return _temporal_literal(value)
        case list() | tuple():
            return f"({', '.join(map(literal, value))})"
    raise BindingError(f"A {type(value).__name__} has no literal.")


def _temporal_literal(value: datetime.date) -> str:
    if not isinstance(value, datetime.datetime):
        return f"DATE '{value.isoformat()}'"
    kind = "TIMESTAMP" if value.utcoffset() is None else "TIMESTAMPTZ"
    return f"{kind} '{value.isoformat(' ')}'"


def _numeric_literal(value: float | Decimal) -> str:
    if not math.isfinite(value):
        raise BindingError(f"{value} is no number.")
    if isinstance(value, Decimal):
        written = format(value, "f")
    else:  # subclasses such as NumPy's may have another repr
        written = int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
    return f"({written})" if written.startswith("-") else written  # after a minus, -1 would begin a comment


def _text_literal(value: str) -> str:
    if "\0" in value:
        raise BindingError("A text with a NUL has no literal.")
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
