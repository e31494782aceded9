"""CSV files: the SQL that reads them, under one grammar that only the header can change.

A reader that infers its grammar from rows lets one person's row decide how everybody's rows are read
(engine/data/proofs.md#csv-files). A file that DuckDB rejects is reported with line and cause, without a value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from glob import escape
from pathlib import Path

import pyarrow as pa

from dialect.functions import quote_text
from engine.catalog.sources import stored_paths

DELIMITERS = ",;\t|"
QUOTE = '"'


class UnreadableError(Exception):
    """A file that is not as declared; DuckDB's own text, which may quote values, is left out."""


def csv_relation(pattern: str) -> str:
    """Write the table function that reads every row of CSV files as text. Raises UnreadableError.

    Claim: the rows of a text follow from its header and RFC 4180, and the text of a row decides nothing about another
    row. Symbols: names of the header, and their delimiter. Formula: none. Source: engine/data/proofs.md#csv-files.
    Raises UnreadableError where there is no header, or files have different ones.
    """
    delimiter, names = _shared_header(pattern)
    columns = ", ".join(f"{quote_text(column)}: 'VARCHAR'" for column in names)
    return (
        f"read_csv({_reader_options(pattern, delimiter)}, auto_detect = false, nullstr = '', columns = {{{columns}}})"
    )


def inferred_csv_relation(pattern: str) -> str:
    """Write the table function that infers the types of CSV files, for a draft catalog. Raises UnreadableError."""
    delimiter, _ = _shared_header(pattern)
    return f"read_csv({_reader_options(pattern, delimiter)})"


def quoted_paths(pattern: str) -> str:
    """Write the files of a source as a list; DuckDB's matching has hidden files and no linked folders."""
    return f"[{', '.join(quote_text(escape(path)) for path in stored_paths(pattern) or [pattern])}]"


def _reader_options(pattern: str, delimiter: str) -> str:
    """Write the reader options that DuckDB would infer from rows: no comments, header first, doubled quotes."""
    options = f"delim = {quote_text(delimiter)}, quote = '\"', escape = '\"', comment = '', skip = 0, header = true"
    return f"{quoted_paths(pattern)}, {options}, strict_mode = true, null_padding = false, ignore_errors = false"


def _shared_header(pattern: str) -> tuple[str, Sequence[str]]:
    """Return the delimiter and column names shared by all files. Raises UnreadableError."""
    found = {read_header(path) for path in stored_paths(pattern)}
    if len(found) != 1:
        raise UnreadableError
    ((delimiter, *header),) = found
    names: list[str] = []
    for place, name in enumerate(header):
        names.append(_unique_name(name or f"column{place}", names))
    return delimiter, names


def _unique_name(name: str, names: Sequence[str]) -> str:
    """Return the name, numbered if it is in use already."""
    known, number, other = {each.lower() for each in names}, 0, name
    while other.lower() in known:
        number += 1
        other = f"{name}_{number}"
    return other


def read_header(path: str) -> tuple[str, ...]:
    """Return the most frequent delimiter in the first line, followed by the column names. Raises UnreadableError."""
    try:
        with (
            pa.input_stream(path, compression="detect") as file,
            io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text,
        ):
            line = text.readline()
            line.encode("utf-8")  # raises for bytes not in UTF-8; DuckDB rejects them in later lines
    except (OSError, UnicodeError):
        raise UnreadableError from None
    delimiter = most_frequent_delimiter(line)
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        raise UnreadableError from None
    if not names:
        raise UnreadableError
    return delimiter, *(name.strip() for name in names)


def most_frequent_delimiter(line: str) -> str:
    """Return the most frequent delimiter outside of quotes; a comma if there is none."""
    return max(DELIMITERS, key="".join(line.split(QUOTE)[::2]).count)


MAX_VALUE_LENGTH = 2_000_000  # per value; about DuckDB's limit for a line
LINE_ENDS = ("\r\n", "\n", "\r")
NO_HEADER = "a line of names in UTF-8 is wanted"
UNCLOSED_QUOTE, TEXT_AFTER_QUOTE = "a quote is not closed", "something stands behind a closing quote"


class _Lines:
    """The lines of a text, with the last one kept. Raises UnicodeEncodeError for bytes not in UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self.last = text, ""

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            line.encode("utf-8")  # raises for bytes not in UTF-8
            self.last = line
            yield line

    @property
    def end(self) -> str:
        """Return the line ending of the last line read; '' if it has none."""
        return next((end for end in LINE_ENDS if self.last.endswith(end)), "")


def csv_header_fault(pattern: str) -> str | None:
    """Return which of the files has no header, or another one than the first file, and why; None if all share one."""
    paths, first = stored_paths(pattern), None
    for path in paths:
        if Path(path).is_file() and not Path(path).stat().st_size:
            return f"{Path(path).name} is empty"
        try:
            header = read_header(path)
        except UnreadableError:
            return f"{Path(path).name}: line 1: {NO_HEADER}"
        if header != (first := first or header):
            return f"the first line of {Path(path).name} names other columns than that of {Path(paths[0]).name}"
    return None


def first_csv_fault(pattern: str) -> str | None:
    """Return the first fault of CSV files, with file, line and reason: of a header, else of a row; None without one."""
    if (found := csv_header_fault(pattern)) is not None:
        return found
    paths = [Path(path) for path in stored_paths(pattern)]
    for path in paths:
        if (fault := csv_fault(path)) is not None:
            line, why = fault
            return f"{f'{path.name}: ' if len(paths) > 1 else ''}line {line:,}: {why}"
    return None


def csv_fault(path: Path) -> tuple[int, str] | None:
    """Return the line, counted from 1, of the first row that violates the grammar of `csv_relation`, and the reason."""
    try:
        delimiter, *names = read_header(str(path))
    except UnreadableError:
        return 1, NO_HEADER
    with (
        pa.input_stream(str(path), compression="detect") as file,
        io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        return _find_fault(_Lines(text), delimiter, len(names))


def _find_fault(lines: _Lines, delimiter: str, fields: int) -> tuple[int, str] | None:
    """Return the line and reason of the first malformed row; None if there is none."""
    rows, begin, first = csv.reader(lines, delimiter=delimiter, strict=True), 1, ""
    usual = csv.field_size_limit(MAX_VALUE_LENGTH)
    try:
        for row in rows:
            first = first or lines.end
            if row and len(row) != fields:  # empty lines are skipped
                return begin, f"{len(row)} field{'s' * (len(row) != 1)} instead of {fields}"
            if lines.end not in (first, ""):
                return begin, "line ends are mixed: it ends in another way than the first line"
            begin = rows.line_num + 1
    except UnicodeEncodeError:
        return rows.line_num + 1, "bytes that are not UTF-8"
    except csv.Error as error:
        return begin, _fault_text(str(error))
    finally:
        csv.field_size_limit(usual)
    return None


def _fault_text(error: str) -> str:
    """Translate an error of Python's csv reader to a fixed text, independent of the row."""
    if "expected after" in error:
        return TEXT_AFTER_QUOTE
    return "a value is too long" if "limit" in error else UNCLOSED_QUOTE
