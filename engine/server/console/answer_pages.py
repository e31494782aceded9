"""An answer with its card -> a page of it: numbers with their intervals drawn, of a size that no number moves."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from fastapi import Response

from engine.server.answers import answer_shape
from engine.server.console.drawing import WIDEST, error_bars
from engine.server.console.visits import Visit
from engine.server.sizes import NOTE, follows_noise
from engine.wire import CARD


def answer_page(visit: Visit, template: str, rows: bytes, **shown: Any) -> Response:  # noqa: ANN401  what a page shows
    """Show an answer in a page that fills up to the longest form of it (`proofs.md#answer-pages`)."""
    table = pa.ipc.open_stream(rows).read_all()
    answer = answer_shape(table, json.loads(table.schema.metadata[CARD]))
    longest = visit.page(template, **{**shown, "answer": drawn(widened(answer))})
    return visit.page(template, 200, len(longest.body), **{**shown, "answer": drawn(answer)})


def widened(answer: dict[str, Any]) -> dict[str, Any]:
    """Write every number of an answer at its longest, with every note that noise may add (`proofs.md#answer-pages`)."""
    intervals = answer["intervals"]
    names = [column["name"] for column in answer["columns"]]

    def longest(value: object, name: str) -> object:
        counted = isinstance(value, int | float) and not isinstance(value, bool)
        return WIDEST if counted or name in intervals else value

    rows = [[longest(value, name) for value, name in zip(row, names, strict=True)] for row in answer["rows"]]
    ends = {name: [[WIDEST, WIDEST]] * len(rows) for name in intervals}
    notes = [note for note in answer["notes"] if not follows_noise(note)] + ["-" * NOTE for _ in intervals]
    return {**answer, "rows": rows, "intervals": ends, "notes": notes}


def drawn(answer: dict[str, Any]) -> dict[str, Any]:
    """Put beside each number of an answer its interval, and where that stands in a drawing."""
    columns = []
    for place, column in enumerate(answer["columns"]):
        values = [row[place] for row in answer["rows"]]
        pairs = answer["intervals"].get(column["name"])
        bars = [None] * len(values) if pairs is None else error_bars(values, pairs)
        columns.append(list(zip(values, pairs or [None] * len(values), bars, strict=True)))
    return {**answer, "cells": list(zip(*columns, strict=True))}
