"""Allowed rows: text and lists. Patterns and positions are constants, read when the question is validated."""

from __future__ import annotations

from dialect import ranges
from dialect.catalog import SqlType
from dialect.function_row import Function

_TEXT, _BOOLEAN, _INT = SqlType.VARCHAR, SqlType.BOOLEAN, SqlType.BIGINT
LONGEST = 1_000  # characters: text that doubles and doubles must not use up the memory of the rows that have it
_LENGTH = ranges.constant(0, 2**31)

TEXT: tuple[Function, ...] = (
    Function("||", ("text", "text"), _TEXT, f"left({{0}} || {{1}}, {LONGEST})"),
    Function("concat", ("text*",), _TEXT, f"left(concat({{*, }}), {LONGEST})", strict=False),
    Function("lower", ("text",), _TEXT, "lower({0})"),
    Function("upper", ("text",), _TEXT, "upper({0})"),
    Function("trim", ("text",), _TEXT, "trim({0})"),
    Function("trim", ("text", "text!"), _TEXT, "trim({0}, {1})"),
    Function("length", ("text",), _INT, "length({0})", _LENGTH),
    Function("length", ("texts",), _INT, "len({0})", _LENGTH),
    Function("length", ("ints",), _INT, "len({0})", _LENGTH),
    Function("substr", ("text", "int!"), _TEXT, "substr({0}, {1})"),
    Function("substr", ("text", "int!", "int!"), _TEXT, "substr({0}, {1}, {2})"),
    Function("left", ("text", "int!"), _TEXT, "left({0}, {1})"),
    Function("right", ("text", "int!"), _TEXT, "right({0}, {1})"),
    Function("like", ("text", "text!"), _BOOLEAN, "({0} LIKE {1})", written=False),
    Function("ilike", ("text", "text!"), _BOOLEAN, "({0} ILIKE {1})", written=False),
    Function("starts_with", ("text", "text!"), _BOOLEAN, "starts_with({0}, {1})"),
    Function("contains", ("text", "text!"), _BOOLEAN, "contains({0}, {1})"),
    Function("list_contains", ("texts", "text!"), _BOOLEAN, "list_contains({0}, {1})"),
    Function("list_contains", ("ints", "int!"), _BOOLEAN, "list_contains({0}, {1})"),
)
