"""CSV files -> the SQL that reads their rows: by one grammar, which only the line of names has a say in.

A reader that guesses its grammar from rows lets one person's row decide how everybody's are read (proofs.md#csv-files).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from glob import glob

import pyarrow as pa

from dialect.functions.write_expr import quote_text

DELIMITERS = ",;\t|"
QUOTED = '"'


class UnreadableError(Exception):
    """A file that is not what it is declared to be; DuckDB's own text, which may quote values, is left out."""


def read_csv(pattern: str) -> str:
    """Write the table function that reads every row of CSV files as text; raises UnreadableError.

    Claim: which rows a text holds follows from its line of names and RFC 4180, and the text of a row decides nothing
    about another row. Symbols: names, and the delimiter that they are told apart by. Formula: none. Source:
    proofs.md#csv-files. Raises UnreadableError where there are no names, or files have different ones.
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
