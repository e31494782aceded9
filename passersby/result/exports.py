"""Files of an answer: CSV, and a spreadsheet, with the interval ends as columns next to their numbers."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from passersby.errors import RefusedError
from passersby.result.card import Answer
from passersby.result.summary import beyond_text
from passersby.result.wire import plain
from passersby.text.csv_cells import write_cells
from passersby.text.numbers import left_text, percent, privacy_loss_text

if TYPE_CHECKING:
    import pyarrow
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet


MOST_ROWS = 1_048_575  # of a sheet, below its head
WIDEST = 60  # characters of a column
WORKBOOK_OPTIONS = {  # a value is what it is: no formula, no link
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
    "remove_timezone": True,
}


def write_csv(result: Answer, path: str | os.PathLike[str]) -> None:
    """Write the rows to a UTF-8 file, with columns x_low and x_high after the query's own; NULL is empty."""
    flat = result.flat()
    with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  any path
        write_rows(file, flat.column_names, rows_of(flat))


def write_rows(file: TextIO, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV that no spreadsheet runs as formulas; lists and booleans as JSON."""
    write_cells(file, names, ([plain(value) for value in row] for row in rows))


def rows_of(table: pyarrow.Table) -> Iterator[tuple[Any, ...]]:
    """Rows of an Arrow table as Python values."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def write_excel(result: Answer, path: str | os.PathLike[str]) -> None:
    """Write a spreadsheet: rows with interval ends, and a second sheet that explains them.

    Raises RefusedError if the rows exceed a sheet.
    """
    import xlsxwriter

    if len(result) > MOST_ROWS:
        why = f"A sheet has {MOST_ROWS:,} rows at most, and this answer has {len(result):,}."
        raise RefusedError("E_SIZE", why, "to_csv(path), or coarser groups")
    with xlsxwriter.Workbook(os.fspath(path), WORKBOOK_OPTIONS) as book:
        _rows_sheet(book, result)
        _card_sheet(book, result)


def _rows_sheet(book: Workbook, result: Answer) -> None:
    """Write the sheet of rows, with interval ends as further columns."""
    sheet, flat = book.add_worksheet("answer"), result.flat()
    looks: dict[type, Any] = {
        datetime.datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        datetime.date: book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    end = book.add_format({"font_color": "#666666"})
    head = book.add_format({"bold": True, "bottom": 1})
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(flat.column_names):
        sheet.write_string(0, place, name, head)
        values = flat.column(name).to_pylist()
        shown = [_sheet_cell(value) for value in values]
        for row, value in enumerate(shown, start=1):
            look = end if place >= len(result.columns) else looks.get(type(value))
            sheet.write(row, place, value, look)
        sheet.set_column(place, place, min(WIDEST, 2 + max(map(len, map(str, [name, *shown])))))


def _sheet_cell(value: object) -> object:
    """Value as a spreadsheet stores it; other types as JSON text."""
    known = isinstance(value, str | int | float | bool | datetime.date | type(None))
    return value if known else json.dumps(plain(value), ensure_ascii=False)


def _card_sheet(book: Workbook, result: Answer) -> None:
    """Write the sheet that explains intervals, price, budget left and notes."""
    sheet: Worksheet = book.add_worksheet("how to read it")
    level = (
        f"{percent(result.confidence or 0)}: of the intervals cover the clipped number; clipping bias is not in them"
    )
    lines = [
        ("synthetic rows", "a rehearsal: these numbers mean nothing" if result.rehearsal else ""),
        ("intervals", level if result.confidence and result.intervals else ""),
        ("price", "free" if result.replayed or result.rehearsal else privacy_loss_text(result.price)),
        ("left", left_text(result.remaining)),
        ("release", result.release_id or ""),
        ("note", beyond_text(result)),
        *(("note", note) for note in result.notes),
    ]
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for row, (name, text) in enumerate([(name, text) for name, text in lines if text]):
        sheet.write_row(row, 0, [name, text], wrapped)
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 100)
