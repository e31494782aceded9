"""An answer with its card -> a page of it: numbers with their intervals drawn, of a size that no number moves."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from fastapi import Response

from engine.api.wire.answer import CARD
from engine.server.console.drawing import LONGEST_BAR, ErrorBar, error_bars
from engine.server.console.figures import LONGEST, WORDS, noisy_text
from engine.server.console.visits import Visit
from engine.server.http.answers import answer_shape
from engine.server.http.sizes import NOTE, follows_noise


@dataclass(frozen=True)
class Cell:
    """One value of an answer as a page shows it."""

    text: str
    behind: str  # its half-width, or both ends of its interval
    word: str  # how reliable it is
    number: bool
    bar: ErrorBar | None


NUMBERS = frozenset({"INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE"})  # NULL stands among them as they do
LONGEST_CELL = Cell("9" * LONGEST, "9" * (2 * LONGEST + 4), max(WORDS.values(), key=len), True, LONGEST_BAR)


def answer_page(visit: Visit, template: str, rows: bytes, **shown: Any) -> Response:  # noqa: ANN401  what a page shows
    """Show an answer in a page that fills up to the longest form of it (`proofs.md#answer-pages`)."""
    table = pa.ipc.open_stream(rows).read_all()
    answer = drawn(answer_shape(table, json.loads(table.schema.metadata[CARD])))
    longest = visit.page(template, **{**shown, "answer": widened(answer)})
    return visit.page(template, 200, len(longest.body), **{**shown, "answer": answer})


def widened(answer: dict[str, Any]) -> dict[str, Any]:
    """Write every number of an answer at its longest, with every note that noise may add (`proofs.md#answer-pages`)."""
    noisy = [column["name"] in answer["intervals"] for column in answer["columns"]]
    cells = [[_widest(each, of_noise) for each, of_noise in zip(row, noisy, strict=True)] for row in answer["cells"]]
    notes = [note for note in answer["notes"] if not follows_noise(note)] + ["-" * NOTE for _ in answer["intervals"]]
    return {**answer, "cells": cells, "notes": notes}


def _widest(cell: Cell, of_noise: bool) -> Cell:
    if of_noise:
        return LONGEST_CELL
    return replace(cell, text=LONGEST_CELL.text) if cell.number else cell


def drawn(answer: dict[str, Any]) -> dict[str, Any]:
    """Put beside each number of an answer its interval, its word, and where that stands in a drawing."""
    columns = [
        _column([row[place] for row in answer["rows"]], column, answer)
        for place, column in enumerate(answer["columns"])
    ]
    return {**answer, "cells": list(zip(*columns, strict=True))}


def _column(values: list[Any], column: dict[str, Any], answer: dict[str, Any]) -> list[Cell]:
    name, nothing = column["name"], [None] * len(values)
    pairs = answer["intervals"].get(name, nothing)
    words = answer["reliability"].get(name, nothing)
    bars = error_bars(values, pairs)
    number = name in answer["intervals"] or column["type"] in NUMBERS or any(map(_is_number, values))
    return [
        Cell(*noisy_text(value, pair), WORDS.get(word, ""), number, bar)
        for value, pair, word, bar in zip(values, pairs, words, bars, strict=True)
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
