"""Rows -> CSV that no spreadsheet runs: clients choose their names and request ids, and auditors open the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with what a spreadsheet takes text for a formula


def write_cells(file: TextIO, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows below their names; lists as JSON does, and ' before text that would be run."""
    written = csv.writer(file, lineterminator="\n")
    written.writerow(names)
    written.writerows([cell(value) for value in row] for row in rows)


def cell(value: object) -> object:
    """Give a value as a cell shows it, and runs none."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text
