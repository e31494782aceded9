"""Source line of a span of SQL, with carets under the span."""

from __future__ import annotations

import unicodedata

WIDEST = 72  # cells of SQL that are shown: a screen of 80, less the margin
CONTEXT_CELLS = 32  # cells that are kept in front of the carets, where a line is cut
ELLIPSIS = "…"


def point_at(sql: str, start: int, end: int) -> tuple[str, str]:
    """Line of SQL in which a span begins, shortened around it, and the line of carets below."""
    start = max(0, min(start, len(sql)))
    first = sql.rfind("\n", 0, start) + 1
    last = sql.find("\n", start)
    line = sql[first : len(sql) if last < 0 else last]
    left, right = start - first, min(max(end, start + 1) - first, max(len(line), start - first + 1))
    line, left, right = _shorten(line.rstrip(), left, right)
    shown = "".join(map(_one_cell, line))
    return shown, " " * _cells(shown[:left]) + "^" * max(1, _cells(shown[left:right]))


def _shorten(line: str, left: int, right: int) -> tuple[str, int, int]:
    """Shorten a long line around its marked part; an ellipsis replaces what is left out."""
    if len(line) <= WIDEST:
        return line, left, right
    begin = max(0, min(left - CONTEXT_CELLS, len(line) - WIDEST))
    shortened = line[begin : begin + WIDEST]
    right = min(right - begin, len(shortened))
    if begin + WIDEST < len(line):
        shortened += ELLIPSIS
    if begin:
        shortened, begin, right = ELLIPSIS + shortened, begin - 1, right + 1
    return shortened, left - begin, right


def _one_cell(sign: str) -> str:
    """Character as one cell; invisible ones and those that move a terminal's cursor are replaced."""
    return sign if sign.isprintable() and not unicodedata.combining(sign) else " " if sign.isspace() else "?"


def _cells(text: str) -> int:
    """Terminal cells that a text occupies."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
