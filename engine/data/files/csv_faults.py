"""A CSV file that DuckDB refuses -> the line from which it is none, and why: no value is in what is said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from engine.data.files.csv_files import UnreadableError, first_line

MOST_CHARACTERS = 2_000_000  # of one value: about DuckDB's own limit of a line
ENDS = ("\r\n", "\n", "\r")
NOT_CLOSED, AFTER_QUOTE = "a quote is not closed", "something stands behind a closing quote"


class _Lines:
    """Lines of a text, as they end, the last one kept."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self.last = text, ""

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            line.encode("utf-8")  # what was no UTF-8 raises here
            self.last = line
            yield line

    @property
    def end(self) -> str:
        return next((end for end in ENDS if self.last.endswith(end)), "")


def csv_fault(path: Path) -> tuple[int, str] | None:
    """Find the line at which the first row begins that is none by the grammar of `csv_files`, and why; from 1 on."""
    try:
        delimiter, *names = first_line(str(path))
    except UnreadableError:
        return 1, "a line of names in UTF-8 is wanted"
    with (
        pa.input_stream(str(path), compression="detect") as file,
        io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        return _fault_in(_Lines(text), delimiter, len(names))


def _fault_in(lines: _Lines, delimiter: str, fields: int) -> tuple[int, str] | None:
    rows, begin, first = csv.reader(lines, delimiter=delimiter, strict=True), 1, ""
    usual = csv.field_size_limit(MOST_CHARACTERS)
    try:
        for row in rows:
            first = first or lines.end
            if row and len(row) != fields:  # an empty line is passed over
                return begin, f"{len(row)} field{'s' * (len(row) != 1)} instead of {fields}"
            if lines.end not in (first, ""):
                return begin, "line ends are mixed: it ends in another way than the first line"
            begin = rows.line_num + 1
    except UnicodeEncodeError:
        return rows.line_num + 1, "bytes that are not UTF-8"
    except csv.Error as error:
        return begin, _said(str(error))
    finally:
        csv.field_size_limit(usual)
    return None


def _said(error: str) -> str:
    """Say what Python's reader found, in words that no row decides."""
    if "expected after" in error:
        return AFTER_QUOTE
    return "a value is too long" if "limit" in error else NOT_CLOSED
