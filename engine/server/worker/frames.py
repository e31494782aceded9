"""Frames on the pipe between the HTTP process and the worker: a JSON object, followed by bytes of Arrow.

No Python object crosses the pipe: only JSON and Arrow, and reading them runs no code.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

Json = Any  # a JSON value
Result = Any  # of a verb: a JSON value, or an Arrow IPC stream as bytes
LENGTHS = struct.Struct(">II")  # length of the JSON object, length of the Arrow bytes
MAX_FRAME_BYTES = 1 << 30


@dataclass(frozen=True)
class Frame:
    """One message."""

    message: Mapping[str, Json]
    rows: bytes = b""  # an Arrow IPC stream, or nothing


def pack(frame: Frame) -> bytes:
    """Serialize a frame."""
    head = json.dumps(frame.message, allow_nan=False, separators=(",", ":")).encode()
    return LENGTHS.pack(len(head), len(frame.rows)) + head + frame.rows


def read_frame(source: BinaryIO) -> Frame | None:
    """Read the next frame; None if the other side has closed the pipe, even within a frame."""
    lengths = source.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head, rows = _read_lengths(lengths)
    message_bytes, row_bytes = source.read(head), source.read(rows)
    if len(message_bytes) < head or len(row_bytes) < rows:
        return None
    return Frame(json.loads(message_bytes), row_bytes)


async def next_frame(source: asyncio.StreamReader) -> Frame | None:
    """Wait for the next frame; None if the other side has closed the pipe."""
    try:
        head, rows = _read_lengths(await source.readexactly(LENGTHS.size))
        return Frame(json.loads(await source.readexactly(head)), await source.readexactly(rows))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _read_lengths(lengths: bytes) -> tuple[int, int]:
    head, rows = LENGTHS.unpack(lengths)
    if max(head, rows) > MAX_FRAME_BYTES:
        raise ValueError("A frame is longer than any answer.")
    return head, rows
