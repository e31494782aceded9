"""Padding of answers over Flight: messages have the lengths of size classes, as over HTTP (sizes.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dialect.algebra import NoteCode
from engine.api.wire.answer import CARD, read_answer
from engine.server.http.sizes import public_length, size_class

BATCH_ROWS = 20_000  # rows per message: clients accept a few megabytes
MAX_ROWS_WITH_INTERVALS = 10_000  # most rows of an answer whose card contains its intervals


def padded(rows: bytes) -> tuple[pa.Schema, Iterator[tuple[pa.RecordBatch, pa.Buffer]]]:
    """Return the answer's schema with its padded card, and its batches with the padding of each.

    Claim: the length of every message is a function of columns, texts, number of rows and what of the card is no
    noise. Formula: each is filled up to the class of its `public_length`. Proof: engine/server/proofs.md#flight
    """
    chunked, full_card = read_answer(rows)
    table, card = chunked.combine_chunks(), _drop_intervals_of_long(full_card, chunked.num_rows)
    text = json.dumps(card, ensure_ascii=False, allow_nan=False).encode()
    filled = text.ljust(size_class(max(public_length(table, card), len(text))))
    return table.schema.with_metadata({CARD: filled}), _batches(table.replace_schema_metadata(None))


def _drop_intervals_of_long(card: dict[str, Any], rows: int) -> dict[str, Any]:
    """Drop the intervals of a card too long for a message; DP_INTERVAL_LOW and _HIGH return them instead."""
    if rows <= MAX_ROWS_WITH_INTERVALS:
        return card
    why = "Too many rows for intervals: select DP_INTERVAL_LOW(column) and DP_INTERVAL_HIGH(column)."
    codes = card.get("note_codes", [""] * len(card["notes"]))  # a card of an older version has none
    notes = {"notes": [*card["notes"], why], "note_codes": [*codes, NoteCode.INTERVALS_OMITTED]}
    return card | {"intervals": {}, "reliability": {}, "may_be_nothing": []} | notes


def _batches(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
    for at in range(0, max(1, table.num_rows), BATCH_ROWS):
        part = table.slice(at, BATCH_ROWS).combine_chunks()
        batch = (part.to_batches() or [pa.RecordBatch.from_pylist([], schema=part.schema)])[0]
        length = pa.ipc.get_record_batch_size(batch)
        yield batch, pa.py_buffer(bytes(size_class(max(public_length(part, {}), length)) - length))
