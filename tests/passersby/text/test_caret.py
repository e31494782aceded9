"""Carets mark the right span in any SQL text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passersby.errors import WIDEST, point_at


def under(sql: str, start: int, end: int) -> str:
    """Text above the carets, if every character takes one cell."""
    line, carets = point_at(sql, start, end)
    return line[len(carets) - len(carets.lstrip()) : len(carets)]


@pytest.mark.parametrize("marked", ["SELECT", "nope", "visit"])
def test_carets_stand_under_the_span(marked: str) -> None:
    sql = "SELECT nope FROM visit"
    start = sql.index(marked)
    assert under(sql, start, start + len(marked)) == marked


def test_the_line_of_the_span_is_shown() -> None:
    sql = "SELECT a,\n       nope\nFROM visit"
    assert point_at(sql, sql.index("nope"), sql.index("nope") + 4) == ("       nope", "       ^^^^")


def test_a_span_over_lines_is_marked_to_the_end_of_its_first() -> None:
    assert point_at("SELECT a,\nb FROM t", 7, 18) == ("SELECT a,", "       ^^")


def test_a_long_line_is_truncated_around_the_span() -> None:
    sql = "SELECT " + ", ".join(f"column_{i}" for i in range(100)) + " FROM visit"
    start = sql.index("column_57")
    line, _ = point_at(sql, start, start + 9)
    assert under(sql, start, start + 9) == "column_57"
    assert len(line) <= WIDEST + 2
    assert line.startswith("…")
    assert line.endswith("…")


def test_wide_characters_take_two_cells() -> None:
    assert point_at("SELECT '東京', nope", 13, 17)[1] == " " * 15 + "^^^^"


def test_nothing_of_the_sql_reaches_a_terminal_as_a_command() -> None:
    sql = "SELECT\t'\x1b[2J\a', nope FROM visit"
    assert point_at(sql, sql.index("nope"), sql.index("nope") + 4) == (
        "SELECT '?[2J?', nope FROM visit",
        "                ^^^^",
    )


@given(st.text(max_size=300), st.integers(-5, 305), st.integers(-5, 305))
def test_any_span_of_any_text_gives_two_printable_lines(sql: str, start: int, end: int) -> None:
    line, carets = point_at(sql, start, end)
    assert all(sign.isprintable() for sign in line)
    assert set(carets.strip()) == {"^"}


@given(st.data())
def test_a_caret_never_marks_another_part(data: st.DataObject) -> None:
    sql = data.draw(st.text("abc ,\n", min_size=1, max_size=250))
    start = data.draw(st.integers(0, len(sql) - 1))
    end = data.draw(st.integers(start + 1, len(sql)))
    marked = under(sql, start, end).rstrip("…")
    assert sql[start:].startswith(marked)
