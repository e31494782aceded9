"""Order of an answer's rows where the question states none: by keys, with the numbers in texts by size.

Releases have their rows in the order of their keys, texts by their characters: P10 before P2. People expect P2 first.
Weekdays and months are in the order of the week and the year.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dialect import Question
from engine.mechanism.answer import Answer

NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
NAMES_IN_ORDER = [  # English names of weekdays and of months, and their short forms, with their places
    {name.casefold(): place for place, name in enumerate(names)}
    for names in (
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
         "December"),
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    )
]  # fmt: skip


def in_natural_order(answer: Answer, question: Question) -> Answer:
    """Sort the rows of an answer by its keys from left to right, NULL last.

    Weekdays and months sort by their place in the week and the year, other texts with the numbers in them by size.
    Keys that rows are in no order of stay out. An answer is unchanged if its question has ORDER BY or LIMIT.
    """
    names = [column.name for column in question.columns if not column.is_noisy]
    columns = {
        name: column.to_pylist() for name in names if not pa.types.is_nested((column := answer.table.column(name)).type)
    }
    if question.is_ordered or not columns or answer.table.num_rows < 2:
        return answer
    leading = set(_leading_keys(columns))
    natural = [_natural_keys(columns[name]) for name in columns if name in leading]
    order = sorted(range(answer.table.num_rows), key=lambda row: [column[row] for column in natural])
    return answer if order == list(range(len(order))) else _taken(answer, order)


def _leading_keys(columns: dict[str, list[Any]]) -> list[str]:
    """Keys that rows are in the order of, the first one first: each is sorted within equal values of those before."""
    found: list[str] = []
    rows = range(1, len(next(iter(columns.values()))))
    is_tied = [True for _ in rows]
    while further := next((name for name in columns if name not in found and _is_sorted(columns[name], is_tied)), None):
        found.append(further)
        values = columns[further]
        is_tied = [tied and values[row] == values[row - 1] for tied, row in zip(is_tied, rows, strict=True)]
    return found


def _is_sorted(values: Sequence[Any], is_tied: Sequence[bool]) -> bool:
    """Return whether no value is less than the one before it, where rows are tied; NULL is the largest."""
    return not any(
        tied and before != value and (before is None or (value is not None and value < before))
        for tied, before, value in zip(is_tied, values, values[1:], strict=False)
    )


def _natural_keys(values: Sequence[Any]) -> list[tuple[bool, Any]]:
    """Keys by which the values of a column sort: names of weekdays or months by their place, if there are no others."""
    names = {value.casefold() if isinstance(value, str) else "" for value in values if value is not None}
    places = next((each for each in NAMES_IN_ORDER if names and names <= each.keys()), None)
    if places is None:
        return list(map(_natural_key, values))
    return [(value is None, value if value is None else places[value.casefold()]) for value in values]


def _natural_key(value: object) -> tuple[bool, Any]:
    """Key by which values sort: NULL last, texts by their words and numbers in turn, other values as they are."""
    if not isinstance(value, str):
        return (value is None, value)
    parts = NUMBER.split(value)
    return (False, [float(part) if place % 2 else part for place, part in enumerate(parts)])


def _taken(answer: Answer, order: Sequence[int]) -> Answer:
    """Answer with its rows in another order: table, intervals and all else that has a value for each row."""
    rows = list(order)
    hidden = answer.hidden_count
    return replace(
        answer,
        table=answer.table.take(rows),
        intervals={name: (low[rows], high[rows]) for name, (low, high) in answer.intervals.items()},
        clipping_shares={name: shares[rows] for name, shares in answer.clipping_shares.items()},
        strict_lower={name: lower[rows] for name, lower in answer.strict_lower.items()},
        hidden_count=None if hidden is None else (hidden[0][rows], hidden[1][rows]),
    )
