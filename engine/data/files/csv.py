"""CSV files -> the SQL that reads their rows, by one grammar that only the header can change.

A reader that guesses its grammar from rows lets one person's row decide how everybody's are read
(engine/data/proofs.md#csv-files). A file that DuckDB refuses is reported with the line and the cause, without a value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path

import pyarrow as pa

from dialect.functions import quote_text

DELIMITERS = ",;\t|"
QUOTED = '"'


class UnreadableError(Exception):
    """A file that is not what it is declared to be; DuckDB's own text, which may quote values, is left out."""


def read_csv(pattern: str) -> str:
    """Write the table function that reads every row of CSV files as text; raises UnreadableError.

    Claim: which rows a text holds follows from its line of names and RFC 4180, and the text of a row decides nothing
    about another row. Symbols: names, and the delimiter that they are told apart by. Formula: none. Source:
    engine/data/proofs.md#csv-files. Raises UnreadableError where there are no names, or files have different ones.
    """
    delimiter, names = _line_of_names(pattern)
    columns = ", ".join(f"{quote_text(column)}: 'VARCHAR'" for column in names)
    return f"read_csv({_grammar(pattern, delimiter)}, auto_detect = false, nullstr = '', columns = {{{columns}}})"


def read_guessed(pattern: str) -> str:
    """Write the table function that guesses the types of CSV files, for a draft; raises UnreadableError."""
    delimiter, _ = _line_of_names(pattern)
    return f"read_csv({_grammar(pattern, delimiter)})"


def _grammar(pattern: str, delimiter: str) -> str:
    """Write what a sniffer would guess from rows: no comments, no lines before the names, quotes written twice."""
    told = f"delim = {quote_text(delimiter)}, quote = '\"', escape = '\"', comment = '', skip = 0, header = true"
    return f"{quote_text(pattern)}, {told}, strict_mode = true, null_padding = false, ignore_errors = false"


def _line_of_names(pattern: str) -> tuple[str, Sequence[str]]:
    """Read the delimiter and the names, which all files share."""
    found = {first_line(path) for path in glob(pattern, recursive=True)}  # noqa: PTH207  a stored pattern
    if len(found) != 1:
        raise UnreadableError
    ((delimiter, *given),) = found
    names: list[str] = []
    for place, name in enumerate(given):
        names.append(_other(name or f"column{place}", names))
    return delimiter, names


def _other(name: str, names: Sequence[str]) -> str:
    """Give a name that is not there yet."""
    known, number, other = {each.lower() for each in names}, 0, name
    while other.lower() in known:
        number += 1
        other = f"{name}_{number}"
    return other


def first_line(path: str) -> tuple[str, ...]:
    """Read the delimiter that the first line has most of, and its names."""
    try:
        with (
            pa.input_stream(path, compression="detect") as file,
            io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text,
        ):
            line = text.readline()
            line.encode("utf-8")  # what was no UTF-8 raises; DuckDB refuses it further down
    except (OSError, UnicodeError):
        raise UnreadableError from None
    outside = "".join(line.split(QUOTED)[::2])
    delimiter = max(DELIMITERS, key=outside.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        raise UnreadableError from None
    if not names:
        raise UnreadableError
    return delimiter, *(name.strip() for name in names)


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
    """Find the line at which the first row begins that is none by the grammar of `read_csv`, and why; from 1 on."""
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
