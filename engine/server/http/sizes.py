"""Size classes: responses are padded so that their length reveals nothing about the noisy numbers in them.

A class is chosen from what is public or was released: columns, texts, number of rows, and for every number the width of
the longest one. Classes are Padme's (Nikitin et al. 2019, arXiv 1806.03160, section 4.2): at most 12% longer.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from dialect.algebra import NoteCode
from engine.pipeline.advice import MAX_ADVICE_CHARACTERS

MIN_CLASS_BYTES = 4096  # bytes; shorter bodies are all padded to it
MAX_NUMBER_LENGTH = 26  # characters: -1.7976931348623157e+308 and a separator
MAX_NOTE_LENGTH = 200  # bytes of the note on NULL or shrunk numbers and its code, without the column's name
MAX_RELIABILITY_LENGTH = 10  # characters of the longest reliability label
MAX_MARK_LENGTH = 7  # characters of "false" and a separator
# notes that depend on noisy numbers
NOISY_NOTES = NoteCode.NULL_RATIO, NoteCode.NULL_QUANTILE, NoteCode.MAY_BE_NOTHING, NoteCode.SHRUNK
UNCODED_NULL_NOTE = " value(s) are NULL "  # part of such a note in stored cards of versions before note codes
# members of the card that depend on noisy numbers
NOISE_DEPENDENT_FIELDS = "intervals", "reliability", "may_be_nothing", "advice"
# members that say what clip bounds were chosen, which depend on the noise of a contribution profile
PROFILED_FIELDS = ("clip_bounds", "predicted_bias", "bias_within", "interval_parts")
PROFILED_NOTES = (NoteCode.CLIPPED,)  # notes that depend on it as well
MAX_PROFILED_LENGTH = 700  # bytes of these members and notes for one column, without its name


def size_class(length: int) -> int:
    """Smallest size class of at least so many bytes."""
    if length <= MIN_CLASS_BYTES:
        return MIN_CLASS_BYTES
    exponent = length.bit_length() - 1
    grain: int = 1 << (exponent - exponent.bit_length())
    return -(-length // grain) * grain


def public_length(table: pa.Table, card: dict[str, Any]) -> int:
    """Upper bound on the length of any body with this shape, from everything that does not depend on noise."""
    rows = int(table.num_rows)
    noisy_fields = (*NOISE_DEPENDENT_FIELDS, *(PROFILED_FIELDS if is_profiled(card) else ()))
    static = {name: value for name, value in card.items() if name not in noisy_fields} | static_notes(card)
    length = len(json.dumps(static)) + 200 * len(table.schema) + rows * 4 * (len(table.schema) + 1)
    length += sum(map(_escaped_length, table.schema.names))
    for column in table.columns:
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        length += MAX_NUMBER_LENGTH * rows if number else _text_length(column)
    intervals = card.get("intervals", {})
    # of intervals, of reliability labels, and in the note on NULL values
    names = 3 * sum(map(_escaped_length, intervals))
    words = len(intervals) * (rows * (2 * MAX_NUMBER_LENGTH + 4 + MAX_RELIABILITY_LENGTH) + MAX_NOTE_LENGTH)
    if card.get("selection"):  # noise selected the rows: a mark of each, and the note on them
        words += rows * MAX_MARK_LENGTH + MAX_NOTE_LENGTH
    if is_profiled(card):
        words += sum(4 * _escaped_length(name) + MAX_PROFILED_LENGTH for name in table.schema.names)
    return length + names + words + (MAX_ADVICE_CHARACTERS if intervals else 0)  # with room for advice


def _escaped_length(name: str) -> int:
    """Most bytes of a name in a body: as JSON in ASCII, where a character takes up to 12."""
    return len(json.dumps(name))


def is_profiled(card: dict[str, Any]) -> bool:
    """Return whether clip bounds of an answer were chosen from a profile that was bought with it."""
    return str(NoteCode.PROFILE) in card.get("note_codes", ())


def static_notes(card: dict[str, Any]) -> dict[str, list[str]]:
    """Select the notes and codes that do not depend on noisy numbers.

    Stored cards of older versions have no codes: each of their notes gets an empty one.
    """
    pairs = zip_longest(card.get("notes", []), card.get("note_codes", []), fillvalue="")
    noisy = (*NOISY_NOTES, *(PROFILED_NOTES if is_profiled(card) else ()))
    independent = [
        (note, code) for note, code in pairs if code not in noisy and (code or UNCODED_NULL_NOTE not in note)
    ]
    return {"notes": [note for note, _ in independent], "note_codes": [code for _, code in independent]}


def padded_json(body: bytes, length: int) -> bytes:
    """Pad a JSON body with trailing white space to its size class."""
    return body.ljust(size_class(max(length, len(body))), b" ")


def padded_stream(body: bytes, length: int) -> bytes:
    """Pad an Arrow stream to its size class, with zeros after its end mark, which no reader looks at."""
    return body.ljust(size_class(max(length, len(body))), b"\0")


def _text_length(column: pa.ChunkedArray) -> int:
    """Length of a column of keys or texts as JSON; these are public or released, not noise."""
    return len(json.dumps(column.to_pylist(), default=str, ensure_ascii=False).encode())
