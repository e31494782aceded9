"""Spark's forms of lists, and of parts of a list or text by constant positions."""

from __future__ import annotations

from dialect.functions.function_row import SparkForm
from dialect.functions.scalar.spark_pattern import literal
from dialect.functions.spark_quote import quoted

_LENGTH, _SIZE = "length({0})", "size({0})"


def between(first: int | str, length: str, behind: int | str) -> str:
    """Take the signs of a text from one place, counted from 0, to before another, as far as there are any."""
    begin, end = f"greatest({first}, 0L)", f"least({behind}, {length})"
    return f"substr({{0}}, CAST(least({begin}, {length}) + 1 AS INT), CAST(greatest({end} - {begin}, 0L) AS INT))"


def _element(position: int) -> str:
    return f"get({{0}}, {position - 1})" if position >= 0 else f"try_element_at({{0}}, {position})"


def _sign(position: int) -> str:
    first = f"{position - 1}L" if position > 0 else f"{_LENGTH} + ({position}L)"
    return between(first, _LENGTH, f"{first} + 1L") if position else "left({0}, 0)"


def _ends(first: int, last: int, length: str) -> tuple[str, str]:
    """Find the places, counted from 0, where a slice begins and before which it ends."""
    begin = f"{max(first - 1, 0)}L" if first >= 0 else f"{length} + ({first}L)"
    return begin, f"{last}L" if last >= 0 else f"{length} + ({last}L) + 1L"


def _slice_of_text(first: int, last: int) -> str:
    begin, end = _ends(first, last, _LENGTH)
    return between(begin, _LENGTH, end)


def _slice_of_list(first: int, last: int) -> str:
    begin, end = _ends(first, last, _SIZE)
    begin, end = f"least(greatest({begin}, 0L), {_SIZE})", f"least({end}, {_SIZE})"
    return f"slice({{0}}, CAST({begin} + 1 AS INT), CAST(greatest({end} - {begin}, 0L) AS INT))"


def _split(separator: str) -> str:
    """Split at a constant: all of Spark's separators are patterns."""
    if not separator:
        return "filter(split({0}, ''), part -> part <> '')"
    return f"split({{0}}, {quoted(''.join(map(literal, separator)))})"


_SUM = "aggregate(array_compact({0}), CAST(0 AS DECIMAL(38, 0)), (sum, each) -> CAST(sum + each AS DECIMAL(38, 0)))"
_SOME = "size(array_compact({0}))"

LISTS: dict[str, SparkForm] = {
    "length": "CAST(size({0}) AS BIGINT)",
    "list_contains": "CASE WHEN {0} IS NOT NULL AND ({1} IS NOT NULL OR size({0}) = 0)"
    " THEN coalesce(array_contains({0}, {1}), FALSE) END",
    "list_position": "nullif(array_position({0}, {1}), 0L)",
    "list_extract": _element,
    "list_extract(text, int!)": _sign,
    "slice": _slice_of_list,
    "slice(text, int!, int!)": _slice_of_text,
    "list_unique": "CAST(size(array_distinct(array_compact({0}))) AS BIGINT)",
    "list_min": "array_min({0})",
    "list_max": "array_max({0})",
    "list_sum": f"CASE WHEN {_SOME} > 0 THEN TRY_CAST({_SUM} AS BIGINT) END",
    "list_avg": f"CASE WHEN {_SOME} > 0 THEN CAST({_SUM} AS DOUBLE) / nullif(CAST({_SOME} AS DOUBLE), 0) END",
    "array_to_string": f"CASE WHEN size({{0}}) = 0 OR {_SOME} > 0 THEN left(array_join({{0}}, {{1}}), 1000) END",
    "string_split": _split,
}
