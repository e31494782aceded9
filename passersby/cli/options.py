"""Options that commands share, each defined once, and how a command opens a catalog and reports refusals."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from passersby.cli.output import Document, Format, console, refuse_terminal, write_error
from passersby.client.address import is_address
from passersby.client.connect import engine_module, open_in_process, open_remote
from passersby.client.connection import Connection
from passersby.client.progress import show_copying
from passersby.errors import PassersbyError, RefusedError

WHERE, QUESTION = "Where", "Question"
LEDGER = "PASSERSBY_LEDGER"

# Options that differ in their help and default only
_CATALOG = partial(typer.Option, "--catalog", "-c", envvar="PASSERSBY_CATALOG", rich_help_panel=WHERE)
_LEDGER = partial(typer.Option, "--ledger", metavar="FILE|URL", envvar=LEDGER, rich_help_panel=WHERE)
_QUESTION = partial(typer.Option, rich_help_panel=QUESTION)
_FORMAT = typer.Option("--format", "-f", help="For people, or for programs: docs/answers.md has the shapes.")

Catalog = Annotated[
    str,
    _CATALOG(
        metavar="NAME|FILE|URL",
        help="operator (bundled, synthetic), mibici, a catalog file, or a server with PASSERSBY_API_KEY.",
    ),
]
OwnCatalog = Annotated[
    str,
    _CATALOG(metavar="NAME|FILE", help="operator (bundled, synthetic), mibici, or a catalog file, on this machine."),
]
NamedCatalog = Annotated[
    str | None,
    _CATALOG(
        metavar="NAME|FILE",
        help="The catalog, which has no default here: a file on this machine, or a bundled one by name.",
    ),
]
Client = Annotated[
    str | None,
    typer.Option(
        "--client",
        metavar="NAME",
        envvar="PASSERSBY_CLIENT",
        help="On whose account.",
        show_default="your user name",
        rich_help_panel=WHERE,
    ),
]
Ledger = Annotated[
    str | None,
    _LEDGER(
        help="The ledger, made where it is absent: a file, or postgresql://HOST/DATABASE.",
        show_default="one per catalog, in your data folder",
    ),
]
ExistingLedger = Annotated[
    str | None,
    _LEDGER(
        help="The ledger, where it is; none is made: a file, or postgresql://HOST/DATABASE.",
        show_default="the catalog's, in your data folder",
    ),
]
FormatOption = Annotated[Format, _FORMAT]
DocumentOption = Annotated[Document, _FORMAT]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all details; without it a few lines.")]
Sql = Annotated[
    str | None, typer.Argument(metavar="SQL", help="The question; read from standard input where it is absent or -.")
]
SqlFile = Annotated[
    Path | None, _QUESTION("--file", exists=True, dir_okay=False, help="Read the question from a file.")
]
Rho = Annotated[
    str | None,
    _QUESTION(
        "--rho",
        metavar="AMOUNT",
        help="Privacy loss to spend, from 0.0001 to what is left, e.g. 0.01: more is more exact.",
        show_default="the catalog's",
    ),
]
TargetError = Annotated[
    str | None,
    _QUESTION(
        "--target-error",
        metavar="AMOUNT|SHARE",
        help="Instead of --rho: the least that makes half-widths at most so large: 50, or 5% of an answer you hold.",
    ),
]
Confidence = Annotated[
    float | None,
    _QUESTION(
        "--confidence",
        metavar="SHARE",
        help="Share of intervals that contain the exact number (docs/reading.md): from 0.5 to 0.999999, e.g. 0.99.",
        show_default="the catalog's",
    ),
]


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there already.")]


@contextmanager
def open_connection(
    catalog: str, client: str | None, ledger: str | None, form: Format | Document
) -> Iterator[Connection]:
    """Open a connection for one command; a refusal goes to standard error and ends with exit code 1."""
    with refusals(form), _connect(catalog, client, ledger, form) as connection:
        yield connection


def _connect(catalog: str, client: str | None, ledger: str | None, form: Format | Document) -> Connection:
    """Connect to a server, or open the catalog in process."""
    if is_address(catalog):
        return open_remote(catalog, client=client, api_key=None, ledger=ledger_of(catalog, ledger))
    with show_copying(quiet=form != Format.TABLE) as progress:
        return open_in_process(catalog, client=client, ledger=ledger, progress=progress)


def ledger_of(catalog: str, ledger: str | None) -> str | None:
    """Ledger of a command; PASSERSBY_LEDGER names ledgers of local catalogs, and is ignored for a server."""
    return None if is_address(catalog) and ledger == os.environ.get(LEDGER) else ledger


@contextmanager
def refusals(form: Format | Document) -> Iterator[None]:
    """Write a refusal, or why a file can't be read or written, to standard error, and end with exit code 1.

    A closed pipe is no refusal.
    """
    refuse_terminal(form)
    try:
        yield
    except PassersbyError as error:
        write_error(error, form)
        raise typer.Exit(1) from None
    except OSError as failed:
        if failed.errno in (None, errno.EPIPE):
            raise
        name = f"{failed.filename}: " if failed.filename is not None else ""
        write_error(RefusedError("E_PARAM", f"{name}{failed.strerror}.", "another file, or folder"), form)
        raise typer.Exit(1) from None


def text_of(file: Path) -> str:
    """Text of a UTF-8 file; raises BadParameter for other encodings."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeError:
        raise typer.BadParameter("It is not written in UTF-8.", param_hint=str(file)) from None


def question(sql: str | None, file: Path | None) -> str:
    """Return SQL text of a command: the argument, a file, or standard input; raises BadParameter."""
    if sql is not None and sql != "-" and file is not None:
        raise typer.BadParameter("Give the question as an argument or as a file, not both.", param_hint="SQL")
    if file is None and sql in (None, "-") and sys.stdin.isatty():
        raise typer.BadParameter("Ask something: 'SELECT ...', or a file of it behind --file.", param_hint="SQL")
    try:
        text = text_of(file) if file else sys.stdin.read() if sql in (None, "-") else str(sql)
        text.encode()
    except UnicodeError:
        raise typer.BadParameter("The question is not written in UTF-8.", param_hint="SQL") from None
    return text


Named = Annotated[str | None, typer.Argument(metavar="NAME|FILE", help="The catalog, as with --catalog.")]
Dataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Where the catalog has several.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides, or records it.", show_default="your user name")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a few words; the ledger keeps it.")]
Amount = Annotated[str, typer.Argument(metavar="RHO", help="The cap, e.g. 0.05: no less than 0.0001.")]
Window = Annotated[str | None, typer.Option("--window", metavar="NAME", help="In this window alone, e.g. 2026-10.")]
Lifetime = Annotated[bool, typer.Option("--lifetime", help="Over all windows together, instead of in each.")]
Query = Annotated[bool, typer.Option("--one-question", help="Of one question, instead of all in a window.")]


def scope_of(window: str | None, lifetime: bool, one_question: bool) -> str:
    """Scope of a cap, from at most one option: each window, one window, all windows, or one query."""
    if (window is not None) + lifetime + one_question > 1:
        raise typer.BadParameter("Give one of --window, --lifetime and --one-question.", param_hint="RHO")
    return window or ("lifetime" if lifetime else "query" if one_question else "each")


def named_catalog(*names: str | None) -> str:
    """Catalog of an owner's command, which has no default; raises BadParameter if none is named."""
    found = next(filter(None, names), None)
    if found is None:
        why = "Name a catalog: a file, or PASSERSBY_CATALOG; for the demo --catalog operator."
        raise typer.BadParameter(why, param_hint="--catalog")
    return found


def change_ledger(catalog: str | None, ledger: str | None, change: Callable[[Any], Any]) -> Any:  # noqa: ANN401  of the engine's own
    """Apply one change to the ledger as an admin, and return its result."""
    path = named_catalog(catalog)
    with refusals(Format.TABLE), engine_module() as engine, engine.open_admin(path, ledger=ledger) as admin:
        return change(admin)


def confirm(text: str) -> None:
    """Print a confirmation."""
    console().print(Text(text, "green"))
