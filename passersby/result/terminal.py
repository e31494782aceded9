"""Terminal output of answers, explanations and refusals; without colours it is the same as plain text.

Text of queries and data is always a rich Text, never markup: a value cannot colour or hide anything.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from passersby.errors import PassersbyError
from passersby.result.bars import interval_bar
from passersby.result.card import Answer, Explained, Interval
from passersby.result.summary import (
    BIAS_HEAD,
    PYTHON_ANSWER,
    PYTHON_EXPLANATION,
    OutputHints,
    answer_columns,
    answer_head,
    answer_lines,
    explanation_columns,
    explanation_head,
    explanation_lines,
    hidden_rows_text,
    intervals_text,
    level_of,
    long_price_text,
    part_lines,
    price_text,
    width_text,
)
from passersby.text.numbers import (
    RELIABILITY,
    UNRELIABLE,
    cell_texts,
    half_width_text,
    left_text,
    noisy_text,
    outlook_lines,
    parts_text,
    printable,
    proposal_text,
    readable_bound,
    reliability_text,
    value_text,
)


def show_advice(advice: dict[str, Any]) -> list[RenderableType]:
    """Why intervals are wide, and each narrower question with its error, price and SQL."""
    if not advice:
        return []
    parts: list[RenderableType] = [Text()]
    parts += [Text(printable(f"why so wide: {line}"), "dim") for line in advice["why"]]
    for each in advice["instead"]:
        parts.append(Text.assemble(("Or ", "bold green"), proposal_text(each)))
        parts.append(Text(f"  {printable(each['sql'])}"))
    return parts


WIDTH = 100  # of plain text where no terminal says otherwise
WIDEST = 100_000  # beyond any terminal
MOST_ROWS = 40
FEWEST_BARS = 3  # fewer rows are compared by their numbers alone
SQL_LOOK = "ansi_dark"
KEY = ("name", "kind", "groups", "why")
BOUND = ("vector", "rule", "clip_bound", "sensitivity", "sigma", "expected bias")
THRESHOLD = ("threshold", "delta", "max_groups_per_person")
Thing = TypeVar("Thing")


def as_text(show: Callable[[Thing], RenderableType], thing: Thing) -> str:
    """Render an object as plain text."""
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    console = Console(file=io.StringIO(), width=max(60, width), color_system=None, force_jupyter=False)
    with console.capture() as captured:
        console.print(show(thing))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().split("\n"))


def show_result(
    result: Answer, most: int = MOST_ROWS, *, details: bool = False, surface: OutputHints = PYTHON_ANSWER
) -> RenderableType:
    """Render rows with intervals, then a few lines on budget, price and bias; or all details."""
    # where there is room: interval bars for the first noisy column, and words for what is poor or may be 0
    rows = _FittingTable(
        _row_table(result, most, has_bars=True, has_words=True),
        _row_table(result, most, has_bars=False, has_words=True),
        _row_table(result, most, has_bars=False, has_words=False),
    )
    parts: list[RenderableType] = [rows]
    if hidden := hidden_rows_text(result, most, surface):
        parts.append(Text(f"  {hidden}", "dim"))
    if details:
        return Group(*parts, *_card(result), *_notes(result.notes), *show_advice(result.advice))
    return Group(*parts, Text(), *_short_answer(result, surface))


def _short_answer(result: Answer, surface: OutputHints) -> list[RenderableType]:
    """Lines of the short form below an answer's rows."""
    colour = "yellow" if result.rehearsal else "green" if result.replayed else "cyan"
    lines: list[RenderableType] = [Text(answer_head(result), colour)]
    if columns := answer_columns(result):
        lines.append(_aligned(columns))
    return lines + [Text(line, "dim") for line in answer_lines(result, surface)]


def _aligned(rows: Iterable[tuple[str, ...]], heads: tuple[str, ...] = ()) -> Table:
    """Grid of aligned texts without rules; columns without any text are left out."""
    table = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
    listed = [*((heads,) if heads else ()), *rows]
    used = [place for place in range(len(listed[0])) if any(row[place] for row in listed)]
    for row in listed:
        table.add_row(*(Text(row[place], "dim" if row is heads else "") for place in used))
    return table


def show_explanation(
    explanation: Explained, *, details: bool = False, sql: bool = False, surface: OutputHints = PYTHON_EXPLANATION
) -> RenderableType:
    """Render budget, price and expected errors in a few lines; or all details; the generated SQL only if requested."""
    parts = _long_explanation(explanation) if details else _short_explanation(explanation, surface)
    if explanation.sql and sql:
        parts += [Text("\nSQL over the data", "bold"), sql_block(explanation.sql)]
    return Group(*parts)


def _short_explanation(explanation: Explained, surface: OutputHints) -> list[RenderableType]:
    """Lines of the short form of an explanation."""
    lines: list[RenderableType] = [Text(explanation_head(explanation), "green" if explanation.replayed else "cyan")]
    if columns := explanation_columns(explanation):
        bias_head = BIAS_HEAD if any(bias for _, _, bias in columns) else ""
        lines.append(_aligned(columns, ("column", level_of(explanation), bias_head)))
    return lines + [Text(line, "dim") for line in explanation_lines(explanation, surface)]


def _long_explanation(explanation: Explained) -> list[RenderableType]:
    """Everything known of a question: notes, columns, keys, contribution bounds, thresholds, advice."""
    parts: list[RenderableType] = [
        *(
            Text.assemble(("Left   " if place == 0 else "       ", "bold"), line)
            for place, line in enumerate([*outlook_lines(explanation.outlook), left_text(explanation.remaining)])
            if line
        ),
        Text.assemble(("Price  ", "bold"), (long_price_text(explanation), "cyan")),
        *_notes(explanation.notes),
        Text(),
        _columns(explanation),
    ]
    of = ("release",) if len({bound.get("release") for bound in explanation.bounds}) > 1 else ()
    if explanation.keys:
        parts += [Text(), table_of([{**key, "groups": key["count"]} for key in explanation.keys], (*of, *KEY), "Keys")]
    if explanation.bounds:
        bounds = [readable_bound(bound) for bound in explanation.bounds]
        rows = [{**bound, "clip_bound": bound["norm"], "expected bias": bound["predicted_bias"]} for bound in bounds]
        parts += [Text(), table_of(rows, (*of, *BOUND), "Contribution bounds")]
        reasons = (f"{bound['vector']}: {bound['why']}" for bound in bounds)
        parts += [Text(f"  {printable(reason)}", "dim") for reason in dict.fromkeys(reasons)]
    if explanation.thresholds:
        parts += [Text(), table_of(explanation.thresholds, (*of, *THRESHOLD), "Thresholds of private keys")]
    return parts + show_advice(explanation.advice)


def show_error(error: PassersbyError) -> RenderableType:
    """Render a refusal: code, reason, carets under the SQL, and a suggestion."""
    lines = [Text.assemble((error.code, "bold red"), ": ", printable(error.message))]
    marked = error.caret_lines()
    lines += [Text(line, "red" if line.strip(" ^") == "" else "") for line in marked]
    if error.hint:
        lines.append(Text.assemble(("Try: ", "bold green"), printable(error.hint)))
    return Group(*lines)


def sql_block(sql: str) -> RenderableType:
    """Render SQL with syntax colours."""
    return Syntax(sql, "sql", theme=SQL_LOOK, background_color="default", word_wrap=True, padding=(0, 2))


def table_of(rows: Iterable[dict[str, Any]], columns: Iterable[str], title: str = "") -> Table:
    """Table of some keys of dicts."""
    names = tuple(columns)
    table = empty_table(title)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(value_text(row.get(name))) for name in names))
    return table


def empty_table(title: str = "") -> Table:
    """Empty table in the common style."""
    return Table(
        box=box.SIMPLE_HEAD,
        title=Text(title, "bold") if title else None,
        title_justify="left",
        header_style="bold",
        pad_edge=False,
        show_edge=False,
        padding=(0, 1),
    )


class _FittingTable:
    """First of some tables that fits the width as a whole, else the last one with wrapped cells.

    Where even its words do not fit, rows of the middle one become lines of name and value.
    """

    def __init__(self, *tables: Table) -> None:
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widest = options.update(max_width=WIDEST)
        for table in self._tables:
            if table.__rich_measure__(console, widest).maximum <= options.max_width:
                yield table
                return
        last = self._tables[-1]
        least = last.__rich_measure__(console, widest).maximum - sum(map(_wrapped_away, last.columns))
        yield last if least <= options.max_width else _transposed(self._tables[len(self._tables) // 2])


def _wrapped_away(column: Column) -> int:
    """Width that a column can lose by wrapping its cells at spaces."""
    if column.no_wrap:
        return 0
    texts = [str(cell) for cell in (column.header, *column.cells)]
    longest_word = max((cell_len(word) for text in texts for word in text.split()), default=0)
    return max(map(cell_len, texts)) - longest_word


def _transposed(table: Table) -> Table:
    """Turn a table into lines of name and value, row by row; a column without a name stays behind the one before."""
    turned = empty_table()
    turned.show_header = False
    names = [column.header for column in table.columns if str(column.header)]
    rows = list(zip(*_joined_columns(table), strict=True))
    for i, row in enumerate(rows):
        for j, (name, cell) in enumerate(zip(names, row, strict=True)):
            turned.add_row(name, cell, end_section=j == len(row) - 1 and i < len(rows) - 1)
    return turned


def _joined_columns(table: Table) -> list[list[Text]]:
    """Cells of each named column, with those of a nameless one, such as words on reliability, behind them."""
    found: list[list[Text]] = []
    for column in table.columns:
        cells = [cell if isinstance(cell, Text) else Text(str(cell)) for cell in column.cells]
        if str(column.header):
            found.append(cells)
        else:
            joined = zip(found[-1], cells, strict=True)
            found[-1] = [Text.assemble(value, "   ", word) if word.plain else value for value, word in joined]
    return found


def _row_table(result: Answer, most: int, *, has_bars: bool, has_words: bool) -> Table:
    """Table of the first rows of an answer, with or without interval bars and words for unreliable numbers."""
    table, intervals = empty_table(), result.intervals
    rows = result.rows[:most]
    bar_column = (
        next((name for name in result.columns if name in intervals), None)
        if has_bars and len(rows) >= FEWEST_BARS
        else None
    )
    cells: list[list[Text]] = []
    for i, name in enumerate(result.columns):
        values = [row[i] for row in rows]
        noisy = name in intervals
        number = noisy or any(isinstance(value, int | float) for value in values)
        table.add_column(Text(printable(name)), justify="right" if number else "left", no_wrap=number)
        ends = intervals.get(name, [])[:most]
        cells.append(_noisy_cells(values, ends) if noisy else [Text(text) for text in cell_texts(values, intervals)])
        bars = interval_bar(values, ends) if name == bar_column else []
        words = _reliability_words(result.reliability.get(name, []), len(rows)) if has_words else []
        if bars or any(words):
            table.add_column("", no_wrap=True)
            cells.append(_bar_cells(bars, words, len(rows)))
    if any(marks := result.may_be_nothing[:most]) and not intervals:  # else a word stands behind the number
        table.add_column("", no_wrap=True)
        cells.append([Text("may be nothing" if mark else "", "dim") for mark in marks])
    for row_cells in zip(*cells, strict=True):
        table.add_row(*row_cells)
    return table


def _reliability_words(ratings: Sequence[str | None], count: int) -> list[str]:
    """Words for the numbers of the first rows that are poor or may be 0; empty for the others."""
    words = [RELIABILITY[rating] if rating in UNRELIABLE else "" for rating in ratings[:count]]
    return words + [""] * (count - len(words))


def _bar_cells(bars: list[Text], words: list[str], count: int) -> list[Text]:
    """Cells behind a noisy column: each with its bar, if it has one, and its word."""
    drawn, written = bars or [Text()] * count, words or [""] * count
    return [
        Text.assemble(bar, " " if bar.plain and word else "", (word, "dim"))
        for bar, word in zip(drawn, written, strict=True)
    ]


def _noisy_cells(values: list[Any], ends: list[Interval | None]) -> list[Text]:
    """Cells of a noisy column: values, and their half-widths aligned."""
    texts = [noisy_text(value, pair) for value, pair in zip(values, ends, strict=True)]
    widest = max((len(behind) for _, behind in texts), default=0)
    has_ends = any(behind.startswith("[") for _, behind in texts)  # of lopsided intervals: half-widths stay at the sign
    return [
        Text.assemble(value, " " if widest else "", (_padded(behind, widest, has_ends), "dim"))
        for value, behind in texts
    ]


def _padded(half_width: str, cells: int, has_ends: bool) -> str:
    """Half-width or interval, padded to a width so that digits align."""
    return half_width.ljust(cells) if has_ends or not half_width else f"± {half_width[2:].rjust(cells - 2)}"


def _card(result: Answer) -> list[RenderableType]:
    """Long form of an answer's level, price, reliability and remaining budget."""
    colour = "yellow" if result.rehearsal else "green" if result.replayed else "cyan"
    head = Text.assemble((intervals_text(result), "bold"), " · ", (price_text(result), colour))
    parts: list[RenderableType] = [Text(), head]
    parts += [Text(f"reliability of {line}", "dim") for line in reliability_text(result.card)]
    parts += [Text(f"half-widths of {line}", "dim") for line in part_lines(result)]
    if result.remaining and not result.rehearsal:
        parts += [Text(f"left: {line}") for line in outlook_lines(result.outlook)[:1]]
        parts.append(Text(f"left: {left_text(result.remaining)}"))
    return parts


def _columns(explanation: Explained) -> Table:
    """Table of an explanation's columns, types and expected errors."""
    table = empty_table("Columns")
    for name in ("name", "type", f"expected error, {level_of(explanation)}"):
        table.add_column(name)
    for column in explanation.card["columns"]:
        name, parts = column["name"], explanation.interval_parts.get(column["name"])
        is_noisy = name in explanation.expected_error
        width = width_text(explanation, name, half_width_text(None)) if is_noisy else "exact: no noise in it"
        table.add_row(Text(printable(name)), Text(column["type"]), f"{width} ({parts_text(parts)})" if parts else width)
    return table


def _notes(notes: list[str]) -> list[RenderableType]:
    """Return the notes, one paragraph each."""
    return [Text(printable(f"note: {note}"), "dim") for note in notes]
