"""Allowed rows: lists, and parts of a list or text by constant positions."""

from __future__ import annotations

from dialect.algebra import intervals as ranges
from dialect.catalog.catalog import SqlType
from dialect.functions.function_row import Function, Partial
from dialect.functions.scalar.functions_text import LONGEST

_TEXT, _BOOLEAN, _INT, _DOUBLE = SqlType.VARCHAR, SqlType.BOOLEAN, SqlType.BIGINT, SqlType.DOUBLE
_LISTS = (("texts", SqlType.VARCHAR_LIST, "text", _TEXT), ("ints", SqlType.BIGINT_LIST, "int", _INT))
_SOME = Partial.VALUE


def _of(kind: str, whole: SqlType, each: str, member: SqlType) -> tuple[Function, ...]:
    """Write what a list of one type has."""
    return (
        Function("length", (kind,), _INT, "len({0})", ranges.constant(0, 2**31)),
        Function("list_contains", (kind, f"{each}!"), _BOOLEAN, "list_contains({0}, {1})"),
        Function("list_contains", (kind, each), _BOOLEAN, "list_contains({0}, {1})", strict=False),  # [] holds no NULL
        Function("list_position", (kind, f"{each}!"), _INT, "CAST(list_position({0}, {1}) AS BIGINT)",
                 ranges.constant(1, 2**31), partial=_SOME),
        Function("list_extract", (kind, "int!"), member, "list_extract({0}, {1})", partial=_SOME),
        Function("slice", (kind, "int!", "int!"), whole, "{0}[{1}:{2}]", written=False),
        Function("list_unique", (kind,), _INT, "CAST(list_unique({0}) AS BIGINT)", ranges.constant(0, 2**31)),
        Function("list_min", (kind,), member, "list_min({0})", partial=_SOME),
        Function("list_max", (kind,), member, "list_max({0})", partial=_SOME),
    )  # fmt: skip


LISTS: tuple[Function, ...] = (
    *(row for each in _LISTS for row in _of(*each)),
    Function("list_extract", ("text", "int!"), _TEXT, "list_extract({0}, {1})"),
    Function("slice", ("text", "int!", "int!"), _TEXT, "{0}[{1}:{2}]", written=False),
    Function("list_sum", ("ints",), _INT, "TRY_CAST(list_sum({0}) AS BIGINT)", partial=_SOME),
    Function("list_avg", ("ints",), _DOUBLE, "list_avg({0})", partial=_SOME),
    Function("array_to_string", ("texts", "short!"), _TEXT, f"left(array_to_string({{0}}, {{1}}), {LONGEST})"),
    Function("string_split", ("text", "short!"), SqlType.VARCHAR_LIST, "string_split({0}, {1})"),
)
