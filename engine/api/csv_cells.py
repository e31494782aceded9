"""CSV writer that neutralizes spreadsheet formulas.

Aliases, names of clients and request ids are written by one person and opened by another. Text that a spreadsheet
would take for a formula gets an apostrophe in front: in values and in column names, by one function. The package
`passersby` and the package `engine` each have this module, word for word, because neither imports the other's parts.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import TextIO

# Signs that begin a formula, also in full width and behind white space, and the controls that spreadsheets strip
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def write_cells(file: TextIO, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows below their column names, as CSV whose lines end with LF."""
    written = csv.writer(_LineFeeds(file), lineterminator="\r\n")  # quotes CR and LF, which would begin a row
    written.writerow([cell(name) for name in names])
    written.writerows([cell(value) for value in row] for row in rows)


class _LineFeeds:
    """File wrapper that ends each row with LF where csv.writer ends it with CR LF."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        """Write one row."""
        return self._file.write(row.removesuffix("\r\n") + "\n")


def cell(value: object) -> object:
    """Value of a cell: lists, objects and booleans as JSON, with an apostrophe before text a spreadsheet would run."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value
    return f"'{text}" if isinstance(text, str) and FORMULA.match(text) else text
