"""Write answers and lists to standard output: a table for people; JSON, CSV and Arrow for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console, RenderableType

from passersby.result import exports
from passersby.result.summary import OutputHints, beyond_text, intervals_text, price_text
from passersby.result.wire import plain
from passersby.text.numbers import printable

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow

    from passersby.errors import PassersbyError
    from passersby.result.result import Result

WIDTH = 100  # where no terminal says otherwise: logs and files
Rows = Sequence[Mapping[str, Any]]
Listed = TypeVar("Listed")


class Document(StrEnum):
    """Formats of an output that is neither an answer nor a list."""

    TABLE = "table"
    JSON = "json"


class Format(StrEnum):
    """Formats of an answer or a list."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


def console(*, stderr: bool = False) -> Console:
    """Console of a terminal in its width and colours; elsewhere plain text, in the width that COLUMNS names."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else shutil.get_terminal_size((WIDTH, 24)).columns
    return Console(stderr=stderr, width=width, soft_wrap=False, highlight=False)


def surface_of(command: str) -> OutputHints:
    """How a reader of a command changes the price and sees the details."""
    return OutputHints("--rho {}", f"details: passersby {command} --verbose", "--format csv")


def write_result(result: Result, form: Format, *, details: bool = False, command: str = "query") -> None:
    """Write an answer; `command` is the command whose --verbose shows the details."""
    from passersby.result.terminal import show_result

    if form is Format.JSON:
        write_json(result.to_wire())
    elif form is Format.CSV:
        flat = result.flat()
        exports.write_rows(sys.stdout, flat.column_names, exports.rows_of(flat))
        sys.stderr.write(f"{intervals_text(result)} · {price_text(result)}\n")
        notes = [*result.notes, *filter(None, [beyond_text(result)])]
        sys.stderr.writelines(f"note: {printable(note)}\n" for note in notes)
    elif form is Format.ARROW:
        _write_arrow(result.arrow())
    else:
        console().print(show_result(result, details=details, surface=surface_of(command)))


def write_rows(
    rows: Rows, show: Callable[[Listed], RenderableType], listing: Listed, form: Format, names: Sequence[str] = ()
) -> None:
    """Write a listing: shown to people, as it is in JSON, else as `rows` of dicts, of `names` if there are none."""
    if form in (Format.TABLE, Format.JSON):
        write_document(listing, show, Document(form))
    elif form is Format.CSV:
        names = list(rows[0]) if rows else names
        exports.write_rows(sys.stdout, names, ([row[name] for name in names] for row in rows))
    else:
        import pyarrow

        table = pyarrow.Table.from_pylist([dict(row) for row in rows])
        _write_arrow(table if rows else pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in names}))


def write_document(shape: Listed, show: Callable[[Listed], RenderableType], form: Document) -> None:
    """Write an object: shown to people, or as JSON."""
    if form is Document.JSON:
        write_json(shape)
    else:
        console().print(show(shape))


def write_json(shape: object) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(plain(shape), ensure_ascii=False, allow_nan=False) + "\n")


def check_target(file: Path | None, *, overwrite: bool) -> None:
    """Refuse a file that is there already, before anything is read; raises BadParameter."""
    if file is not None and file.is_file() and not overwrite:  # a device or a pipe is no file
        raise typer.BadParameter(f"{file} is there already. Name another file, or add --overwrite.")


def write_page(page: str, file: Path | None) -> None:
    """Write a page to a file and name it, or to standard output; raises OSError."""
    if file is None:
        sys.stdout.write(page)
    else:
        file.write_text(page, encoding="utf-8")
        sys.stdout.write(f"Written: {file}\n")


def write_error(error: PassersbyError, form: Format | Document) -> None:
    """Write a refusal to standard error, as JSON if JSON was requested: standard output has only answers."""
    from passersby.result.terminal import show_error

    if form == Format.JSON:
        sys.stderr.write(json.dumps(error.problem, ensure_ascii=False) + "\n")
    else:
        console(stderr=True).print(show_error(error))


def refuse_terminal(form: Format | Document) -> None:
    """Refuse Arrow output to a terminal, before anything is charged; raises BadParameter."""
    if form is Format.ARROW and _is_terminal():
        why = "Arrow is bytes: send them to a file or a program, as in `> answer.arrow`."
        raise typer.BadParameter(why, param_hint="--format")


def _is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def _write_arrow(table: pyarrow.Table) -> None:
    """Write an Arrow stream to standard output."""
    import pyarrow

    with pyarrow.ipc.new_stream(sys.stdout.buffer, table.schema) as writer:
        writer.write_table(table)
    sys.stdout.buffer.flush()
